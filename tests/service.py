"""A data folder with everything opened on it, and the helpers that tests of jobs and of the web application share."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import select

from command import PATIENCE
from visagram.cli import SAMPLE
from visagram.jobs.analyses import state
from visagram.jobs.leases import Leases
from visagram.jobs.model import LEASED, Job, Unit
from visagram.jobs.run import Runner
from visagram.jobs.service import Service
from visagram.jobs.uploads import Wanted
from visagram.settings import ServerSettings, Settings

SHORT = {"end": 2.0}
"""Settings under which the sample is analysed in about a second."""

_SUPERVISE = """
import json, sys
from visagram.jobs.supervisor import Supervisor
from visagram.settings import ServerSettings, Settings
settings, server = json.loads(sys.argv[1])
with Supervisor(Settings(**settings), ServerSettings(**server)) as supervisor:
    print("ready", flush=True)
    supervisor.run()
"""


def open_service(folder: Path, settings: Settings | None = None, **server) -> Service:
    """A service on a folder that is made if it is missing, as a supervisor would."""
    service = Service.open(settings or Settings(), ServerSettings(data=str(folder), **({"keep_free": 0} | server)))
    service.storage.make()
    service.store.migrate()
    return service


def upload(service: Service, path: Path = SAMPLE, settings: dict | None = SHORT, name: str | None = None):
    """Put a file into the library and return the ids of its entry and analysis."""
    who = service.owners.local
    id = service.uploads.begin(who, name or path.name, path.stat().st_size, Wanted(settings))
    with path.open("rb") as stream:
        service.uploads.append(who, id, 0, stream)
    return service.uploads.finish(who, id)


def work(service: Service, owner: str = "tests") -> list[str]:
    """Do all the work there is in this process; returns the kinds of the units done."""
    queue = Leases(service.store, owner, 30)
    runner = Runner(service.store, service.storage, queue, service.settings, service.server.training_folder)
    kinds = []
    with contextlib.closing(runner):
        while (lease := queue.claim()) is not None:
            runner.run(lease)
            kinds.append(lease.kind)
    return kinds


def status(service: Service, analysis: str) -> str:
    with service.store.read() as session:
        return state(service.analyses.get(session, service.owners.local, analysis))


def error(service: Service, analysis: str) -> tuple[str | None, str | None]:
    with service.store.read() as session:
        job = service.analyses.get(session, service.owners.local, analysis).output.job
        return job.error_code, job.error_detail


def wait_for(condition, seconds: float, every: float = 0.02):
    """The condition's first true value. seconds: how long that takes at most where nothing else runs."""
    until = time.monotonic() + PATIENCE * seconds
    while not (value := condition()):
        assert time.monotonic() < until, f"waited {PATIENCE * seconds} s in vain"
        time.sleep(every)
    return value


def ended(service: Service, analysis: str) -> bool:
    return status(service, analysis) not in ("queued", "running")


def all_over(service: Service) -> bool:
    with service.store.read() as session:
        return session.scalar(select(Job.id).where(Job.state.in_(("queued", "running"))).limit(1)) is None


def result(service: Service, analysis: str) -> tuple[dict, bytes]:
    """What an analysis found, to compare it with another's."""
    with service.store.read() as session:
        output = service.analyses.get(session, service.owners.local, analysis).output_id
    folder = service.storage.output(output)
    return json.loads((folder / "report.json").read_text()), (folder / "observations.parquet").read_bytes()


def leased(service: Service, kind: str | None = None) -> list[tuple[str, int]]:
    """Kind and process id of the units that are being worked on."""
    with service.store.read() as session:
        rows = session.execute(select(Unit.kind, Unit.lease_owner).where(Unit.state == LEASED)).all()
    return [(k, int(owner.rsplit(":", 1)[1])) for k, owner in rows if kind in (None, k)]


class Supervised:
    """A supervisor in a process of its own, with worker processes; a context manager that leaves none behind."""

    def __init__(self, service: Service) -> None:
        self._settings = json.dumps([asdict(service.settings), asdict(service.server)])

    def __enter__(self) -> Supervised:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISE, self._settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdout.readline() == b"ready\n", self.process.stderr.read().decode()
        return self

    def __exit__(self, *_) -> None:
        family = descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE * 5)
        for pid in [self.process.pid, *family]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def descendants(pid: int) -> list[int]:
    """Process ids below a process, by Linux' own list."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [*children, *(leaf for child in children for leaf in descendants(child))]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def mounted(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A small file system of its own in `folder`; the test is skipped for whoever may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        assert os.getuid(), "root may mount"
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path, left: int = 0) -> None:
    """Take all the space of a file system but so many bytes."""
    # Without a buffer, of which closing the file would want to write the rest.
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    with path.open("rb+") as file:
        file.truncate(max(0, path.stat().st_size - left))
