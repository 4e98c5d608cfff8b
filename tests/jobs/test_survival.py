"""Processes that are killed, hang or starve, and disks that fill: nothing is lost or left, results stay right."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from media_factory import loop_sample
from service import (
    SHORT,
    Supervised,
    alive,
    all_over,
    descendants,
    ended,
    error,
    fill,
    leased,
    mounted,
    open_service,
    result,
    status,
    upload,
    wait_for,
    work,
)
from visagram.errors import StorageFull
from visagram.jobs.leases import MERGE, PREPARE, SEGMENT, STRIP
from visagram.jobs.model import LOCAL_OWNER, Output
from visagram.jobs.videos import Who
from visagram.settings import Settings

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="kills by what /proc says of processes"),
    pytest.mark.timeout(120),
]
ME = Who(LOCAL_OWNER)
LEASE = 4.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Long enough for several segments."""
    return loop_sample(tmp_path_factory.mktemp("clip") / "clip.mp4", 2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, clip):
    service = open_service(tmp_path_factory.mktemp("reference"))
    _, analysis = upload(service, clip, {})
    work(service)
    yield result(service, analysis)
    service.store.close()


@pytest.fixture
def service(tmp_path):
    service = open_service(tmp_path / "data", lease_seconds=LEASE, workers=2)
    yield service
    service.store.close()


def _kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("moment", [PREPARE, STRIP, SEGMENT, MERGE])
def test_a_worker_killed_at_any_moment_costs_time_and_nothing_else(service, clip, undisturbed, moment):
    with Supervised(service):
        _, analysis = upload(service, clip, {})
        (_, pid), *_ = wait_for(lambda: leased(service, moment), 30, every=0.001)
        _kill(pid)
        killed = time.monotonic()
        if moment in (PREPARE, MERGE):
            # Nothing else can go on meanwhile: the unit is taken up again as soon as the lease is over.
            wait_for(lambda: any(p != pid for k, p in leased(service, moment)) or ended(service, analysis), 30)
            assert time.monotonic() - killed < 10 * LEASE
        wait_for(lambda: ended(service, analysis), 60)
        wait_for(lambda: all_over(service), 60)
        wait_for(lambda: service.storage.names("work") == service.storage.names("tmp") == [], 20)
    assert status(service, analysis) == "done"
    assert result(service, analysis) == undisturbed


def test_a_decoder_that_crashes_each_time_ends_its_job_alone(service, clip):
    with Supervised(service) as supervised:
        _, doomed = upload(service, clip, {})
        until = time.monotonic() + 600
        while not ended(service, doomed) and time.monotonic() < until:
            runners = descendants(supervised.process.pid)
            for decoder in {leaf for runner in runners for leaf in descendants(runner)}:
                _kill(decoder)
            time.sleep(0.02)
        assert status(service, doomed) == "failed"
        assert error(service, doomed)[0] == "decode_failed"
        _, other = upload(service, settings=SHORT)
        wait_for(lambda: ended(service, other), 30)
        assert status(service, other) == "done"


def test_a_decoder_that_hangs_is_ended_and_its_work_done_again(tmp_path, clip, undisturbed):
    service = open_service(tmp_path, Settings(stall_timeout=8.0), lease_seconds=LEASE, workers=2)
    with Supervised(service):
        _, analysis = upload(service, clip, {})
        (_, runner), *_ = wait_for(lambda: leased(service, SEGMENT), 30, every=0.001)
        (decoder, *_) = wait_for(lambda: descendants(runner), 5)
        os.kill(decoder, signal.SIGSTOP)
        wait_for(lambda: ended(service, analysis), 60)
    assert result(service, analysis) == undisturbed
    service.store.close()


def test_a_video_that_wants_too_much_memory_fails_alone(tmp_path):
    service = open_service(tmp_path, Settings(worker_memory=64), workers=2)
    with Supervised(service):
        _, analysis = upload(service, settings=SHORT)
        wait_for(lambda: ended(service, analysis), 60)
    code, detail = error(service, analysis)
    assert code == "decode_failed"
    assert "64 MiB" in detail
    service.store.close()


def test_killing_the_server_ends_its_workers_and_a_new_one_goes_on(service, clip, undisturbed):
    with Supervised(service) as first:
        _, analysis = upload(service, clip, {})
        wait_for(lambda: leased(service, SEGMENT), 30, every=0.001)
        family = descendants(first.process.pid)
        assert len(family) >= 2
        _kill(first.process.pid)
        wait_for(lambda: not any(map(alive, family)), 5)
    assert status(service, analysis) == "running"
    with Supervised(service):
        wait_for(lambda: ended(service, analysis), 60)
    assert result(service, analysis) == undisturbed


def test_a_second_server_on_one_folder_refuses(service):
    with Supervised(service):
        data = str(service.storage.folder)
        command = [sys.executable, "-m", "visagram", "serve", "--data", data, "--port", "0"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert second.returncode == 2
    assert "Another Visagram server" in second.stderr
    assert "[folder_in_use]" in second.stderr


@pytest.mark.parametrize("moment", ["queued", PREPARE, SEGMENT, MERGE])
def test_cancelling_takes_effect_at_once_in_every_state_and_frees_the_bytes(service, clip, moment):
    with contextlib.ExitStack() as stack:
        if moment == "queued":
            _, analysis = upload(service, clip, {})
        else:
            supervised = stack.enter_context(Supervised(service))
            _, analysis = upload(service, clip, {})
            wait_for(lambda: leased(service, moment), 30, every=0.001)
        service.analyses.cancel(ME, analysis)
        started = time.monotonic()
        assert status(service, analysis) == "cancelled"
        if moment == "queued":
            service.videos.tidy()
        else:
            wait_for(lambda: not leased(service, moment), 5)
            wait_for(lambda: service.storage.names("work") == [], 10)
            wait_for(lambda: not any(len(descendants(r)) > 1 for r in descendants(supervised.process.pid)), 5)
        assert time.monotonic() - started < 100
        with service.store.read() as session:
            assert session.query(Output).one().published is None
        assert service.storage.names("results") == []


@pytest.fixture
def small_disk(tmp_path):
    with mounted(tmp_path / "disk", 16) as folder:
        yield folder


def test_a_full_disk_ends_the_job_with_the_reason_and_nothing_else(small_disk, clip):
    service = open_service(small_disk, workers=1)
    _, analysis = upload(service, clip, {})
    filler = small_disk / "filler"
    fill(filler, 300_000)
    work(service)
    assert status(service, analysis) == "failed"
    assert error(service, analysis)[0] == "storage_full"
    with pytest.raises(StorageFull):
        upload(service)
    database = sqlite3.connect(small_disk / "visagram.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    filler.unlink()
    service.videos.tidy()
    service.analyses.retry(ME, analysis)
    work(service)
    assert status(service, analysis) == "done"
    service.store.close()
