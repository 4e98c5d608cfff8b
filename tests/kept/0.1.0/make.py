"""How the files beside it were made. Runs under version 0.1.0 alone; see README.md."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from sqlalchemy import select

import visagram
from visagram.cli import SAMPLE
from visagram.core.edits import Rename
from visagram.jobs.leases import PREPARE, SEGMENT
from visagram.jobs.model import DONE, LEASED, LOCAL_OWNER, Job, Unit
from visagram.jobs.service import Service
from visagram.jobs.uploads import Wanted
from visagram.jobs.videos import Labels, Who
from visagram.settings import ServerSettings, Settings

SUPERVISE = """
import json, sys
from visagram.jobs.supervisor import Supervisor
from visagram.settings import ServerSettings, Settings, tuples
settings, server = json.loads(sys.argv[1])
with Supervisor(Settings(**tuples(settings)), ServerSettings(**tuples(server))) as supervisor:
    supervisor.run()
"""
ME = Who(LOCAL_OWNER)


def write_clip(path: Path, count: int, step: int) -> None:
    """The first `count` frames of the sample, or every second of them, with a key frame every two seconds."""
    rate = 25 // step
    with av.open(str(SAMPLE)) as video, av.open(str(path), "w") as output:
        options = {"crf": "33", "preset": "veryslow", "x264-params": f"keyint={2 * rate}:scenecut=0:threads=1"}
        stream = output.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 400, 300, "yuv420p"
        for number, frame in enumerate(video.decode(video=0)):
            if number // step == count:
                break
            if number % step == 0:
                frame.pts, frame.time_base = number // step, Fraction(1, rate)
                frame.pict_type = av.video.frame.PictureType.NONE
                output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def upload(service: Service, path: Path, settings: dict, labels: Labels) -> tuple[str, str]:
    id = service.uploads.begin(ME, path.name, path.stat().st_size, Wanted(settings, labels))
    with path.open("rb") as stream:
        service.uploads.append(ME, id, 0, stream)
    video, analysis = service.uploads.finish(ME, id)
    assert analysis is not None
    return video, analysis


@contextmanager
def killed_at_the_end(service: Service) -> Iterator[None]:
    """A supervisor with its processes, which are killed as a power cut would end them."""
    told = json.dumps([dataclasses.asdict(service.settings), dataclasses.asdict(service.server)])
    family = subprocess.Popen([sys.executable, "-P", "-c", SUPERVISE, told], start_new_session=True)
    try:
        yield
    finally:
        os.killpg(family.pid, signal.SIGKILL)
        family.wait()


def wait(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def make_result(folder: Path) -> None:
    command = [sys.executable, "-P", "-m", "visagram", "analyze", str(SAMPLE), "--end", "2", "-o", str(folder.parent)]
    subprocess.run([*command, "--quiet"], check=True)
    (folder.parent / "sample").rename(folder)
    (folder / "report.html").unlink()  # five megabytes, and nobody reads it back


def make_data(folder: Path, clips: Path) -> None:
    write_clip(clips / "short.mp4", 50, 1)
    write_clip(clips / "long.mp4", 200, 2)
    service = Service.open(Settings(), ServerSettings(data=str(folder), keep_free=0, workers=1))
    service.storage.make()
    service.store.migrate()
    labels = Labels(participant="P01", condition="before", tags=("pilot",), notes="kept")
    with killed_at_the_end(service):
        video, analysis = upload(service, clips / "short.mp4", {}, labels)
        wait(lambda: _over(service))
        service.analyses.edit(ME, analysis, Rename(1, "Anna"))
        service.videos.add_window(ME, video, "greeting", 0.5, 1.5)
        upload(service, clips / "long.mp4", {}, Labels(participant="P02", condition="after"))
        wait(lambda: _first_of_several(service))
        time.sleep(0.2)
    assert _first_of_several(service)
    service.store.close()
    _tidy(folder)


def _over(service: Service) -> bool:
    with service.store.read() as session:
        return session.scalar(select(Job.id).where(Job.state.in_(("queued", "running"))).limit(1)) is None


def _first_of_several(service: Service) -> bool:
    """One segment is published and the next is at work."""
    with service.store.read() as session:
        rows = session.query(Unit).join(Job).filter(Job.state == "running").all()
    states = {(unit.kind, unit.number): unit for unit in rows}
    assert len(rows) < 2 or states[PREPARE, 0].state == DONE
    first, second = states.get((SEGMENT, 0)), states.get((SEGMENT, 1))
    return bool(first and second and first.state == DONE and second.state == LEASED)


def _tidy(folder: Path) -> None:
    """The name of the computer that held the lease goes, and with it what lies in unused pages and the journal."""
    database = sqlite3.connect(folder / "visagram.sqlite")
    database.execute("UPDATE unit SET lease_owner = 'host:1234' WHERE lease_owner IS NOT NULL")
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


if __name__ == "__main__":
    assert visagram.__version__ == "0.1.0", visagram.__file__
    target = Path(sys.argv[1])
    clips = target / "clips"
    clips.mkdir(parents=True)
    make_result(target / "result")
    make_data(target / "data", clips)
    shutil.rmtree(clips)
