"""Worker processes that die, hang or starve, and a person who has seen enough: results stay right, nothing is left."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from command import PATIENCE, command, content, environment, free_port, interrupt, result, session, visagram, wait_until
from media_factory import SAMPLE, loop_sample, numbered, sample_frames, write_clip
from visagram.analysis import Analysis
from visagram.core.types import Observations
from visagram.errors import DecodeFailed
from visagram.report import Report
from visagram.settings import Settings
from visagram.workers import Workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses POSIX signals and /proc")

QUICK = Settings(processes=2, sample_fps=10)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample clip twice: a minute of work, which nobody waits for."""
    return loop_sample(tmp_path_factory.mktemp("long") / "long.mp4", 2)


@pytest.fixture(scope="module")
def undisturbed() -> Report:
    return Analysis(SAMPLE, QUICK).report()


def equal(a: Report, b: Report) -> None:
    assert a.to_dict() == b.to_dict()
    for field in dataclasses.fields(Observations):
        assert np.array_equal(getattr(a.observations, field.name), getattr(b.observations, field.name), equal_nan=True)


def disturbed(path: Path, settings: Settings, disturb: Callable[[list[int]], None]) -> Report:
    """The report of an analysis whose workers are disturbed once, when observations have begun to come."""
    with Workers(settings) as workers:
        analysis = Analysis(path, settings, workers=workers)
        rounds: Iterator[Observations] = iter(analysis)
        for _ in range(3):
            next(rounds)
        assert len(workers.pids) == 2
        disturb(workers.pids)
        for _ in rounds:
            pass
        return analysis.report()


def kill_one(pids: list[int]) -> None:
    os.kill(pids[0], signal.SIGKILL)


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def crash(pids: list[int]) -> None:
    os.kill(pids[1], signal.SIGSEGV)


@pytest.mark.parametrize("disturb", [kill_one, kill_all, crash])
def test_workers_that_die_do_not_change_the_result(disturb: Callable[[list[int]], None], undisturbed: Report) -> None:
    equal(disturbed(SAMPLE, QUICK, disturb), undisturbed)


def test_a_worker_that_hangs_is_replaced(undisturbed: Report) -> None:
    settings = dataclasses.replace(QUICK, stall_timeout=8.0)
    stopped: list[int] = []

    def stop(pids: list[int]) -> None:
        stopped.append(pids[0])
        os.kill(pids[0], signal.SIGSTOP)

    equal(disturbed(SAMPLE, settings, stop), undisturbed)
    assert not Path(f"/proc/{stopped[0]}").exists(), "the stopped process was ended"


def test_one_process_and_many_give_the_same_result(undisturbed: Report) -> None:
    equal(Analysis(SAMPLE, dataclasses.replace(QUICK, processes=1)).report(), undisturbed)
    equal(Analysis(SAMPLE, dataclasses.replace(QUICK, processes=5)).report(), undisturbed)


def test_a_segment_that_kills_every_worker_is_lost_and_the_others_are_not() -> None:
    # Every frame, so that the first segment has much left to say when its worker is killed.
    settings = Settings(processes=1)
    with Workers(settings) as workers:
        analysis = Analysis(SAMPLE, settings, workers=workers)
        killed: set[int] = set()
        for observations in analysis:
            # The first segment's workers die whenever they speak.
            early = bool((observations.frame < 250).any())
            if early and not killed.issuperset(workers.pids) and len(killed) < settings.attempts:
                killed.update(workers.pids)
                kill_all(workers.pids)
        report = analysis.report()
    assert len(killed) == settings.attempts
    assert any(warning.code == "segment_lost" for warning in report.warnings)
    kept = report.observations[report.observations.time >= 11]
    assert np.array_equal(kept.frame, np.arange(11 * 25, report.video.frames))


def test_memory_beyond_the_limit_fails_that_video_alone(tmp_path: Path) -> None:
    pictures = [np.full((4200, 8200), 128, np.uint8)] * 12
    huge = write_clip(tmp_path / "huge.mkv", pictures, codec="mjpeg", pixel_format="yuvj444p")
    good = write_clip(tmp_path / "good.mp4", sample_frames(3))
    outcome = visagram("analyze", huge, good, "-o", tmp_path / "out", "-q", worker_memory=1700, processes=1)
    assert outcome.codes == ["decode_failed"]
    assert "worker_memory" in outcome.err
    assert outcome.status == 1
    assert result(tmp_path / "out" / "good")["people"]


@pytest.mark.slow
def test_a_slow_worker_is_not_taken_for_one_that_hangs(tmp_path: Path) -> None:
    # Twenty-four thousand frames in one piece, of which a handful are wanted: nothing is found out for a long time.
    clip = write_clip(tmp_path / "a.h264", sample_frames(20, 1280, 720), options={"preset": "ultrafast", "bf": "0"})
    clip.write_bytes(clip.read_bytes() * 1200)
    settings = Settings(sample_fps=0.01, stall_timeout=4.0, attempts=1, processes=1)
    start = time.monotonic()
    report = Analysis(clip, settings).report()
    assert time.monotonic() - start > 2 * settings.stall_timeout, "the clip is too short to prove anything"
    assert not any(warning.code == "segment_lost" for warning in report.warnings)


def test_a_worker_without_enough_memory_for_its_models_says_which_setting_to_raise(tmp_path: Path) -> None:
    good = write_clip(tmp_path / "good.mp4", sample_frames(2))
    outcome = visagram("analyze", good, "-o", tmp_path / "out", worker_memory=300)
    outcome.refused("decode_failed")
    assert "worker_memory" in outcome.err


def test_decode_failed_comes_after_every_attempt(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", numbered(96, 64, 5))
    with Workers(Settings(worker_memory=64, attempts=3)) as workers, pytest.raises(DecodeFailed):
        workers.probe(clip)


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


LONG = 15.0
"""Seconds within which anything happens where nothing else runs."""
IN_THE_BACKGROUND = ("sh", "-c", 'trap "" INT QUIT; exec "$@"', "sh")
"""A prefix under which a program begins as a shell begins what it runs in the background: deaf to Ctrl-C."""


def started(*arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*prefix, *command(*arguments)],
        env=environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    return [pid for pid in session(process.pid) if pid != process.pid]


@pytest.mark.parametrize("group", [True, False], ids=["in a terminal", "kill -INT"])
def test_an_interruption_keeps_what_is_finished_and_leaves_no_part_of_the_rest(
    group: bool, long_clip: Path, tmp_path: Path
) -> None:
    first = write_clip(tmp_path / "first.mp4", sample_frames(5))
    out = tmp_path / "out"
    process = started("analyze", first, loop_sample(tmp_path / "second.mp4", 6), "-o", out, "-f", "json")
    wait_until(lambda: (out / "first" / "report.json").exists(), LONG, "the first video is finished")
    wait_until(lambda: len(workers_of(process)) >= 1, LONG, "workers are busy with the second")
    interrupt(process, group=group)
    _, err = process.communicate(timeout=PATIENCE * LONG)
    assert process.returncode == 130
    assert b"Interrupted" in err and b"Traceback" not in err
    assert {name.split("/")[0] for name in content(out)} == {"first"}
    assert result(out / "first")["people"]
    wait_until(lambda: not session(process.pid), LONG, "no worker is left over")


def test_an_interruption_before_anything_is_finished_leaves_nothing(long_clip: Path, tmp_path: Path) -> None:
    process = started("analyze", long_clip, "-o", tmp_path / "out")
    wait_until(lambda: len(workers_of(process)) >= 2, LONG, "the workers have started")
    interrupt(process, group=True)
    _, err = process.communicate(timeout=PATIENCE * LONG)
    assert (process.returncode, b"Traceback" in err) == (130, False)
    assert content(tmp_path / "out") == []
    wait_until(lambda: not session(process.pid), LONG, "no worker is left over")


def test_workers_do_not_outlive_a_program_that_was_killed(long_clip: Path, tmp_path: Path) -> None:
    process = started("analyze", long_clip, "-o", tmp_path / "out")
    wait_until(lambda: len(workers_of(process)) >= 2, LONG, "the workers have started")
    process.kill()
    process.communicate(timeout=PATIENCE * LONG)
    wait_until(lambda: not session(process.pid), LONG, "no worker is left over")
    assert content(tmp_path / "out") == []


def test_an_analysis_in_the_background_ends_when_it_is_told_to(long_clip: Path, tmp_path: Path) -> None:
    process = started("analyze", long_clip, "-o", tmp_path / "out", prefix=IN_THE_BACKGROUND)
    wait_until(lambda: len(workers_of(process)) >= 2, LONG, "the workers have started")
    interrupt(process, group=True)
    assert process.poll() is None, "Ctrl-C in another program's terminal is none of its business"
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE * LONG)
    assert (process.returncode, b"Traceback" in err) == (130, False)
    assert content(tmp_path / "out") == []
    wait_until(lambda: not session(process.pid), LONG, "no worker is left over")


def test_a_server_in_the_background_ends_with_all_that_it_started(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = started("serve", "--data", data, "--port", free_port(), "--workers", 2, prefix=IN_THE_BACKGROUND)
    assert process.stderr is not None
    said = b""
    while b"is ready" not in said:
        line = process.stderr.readline()
        assert line, said.decode()
        said += line
    assert len(workers_of(process)) >= 3
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE * LONG)
    assert (process.returncode, b"Traceback" in err) == (0, False)
    wait_until(lambda: not session(process.pid), LONG, "no process is left over")
