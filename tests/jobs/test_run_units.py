"""Each kind of unit with worker processes that are made by hand: what is written, published, finished and given up."""

from __future__ import annotations

import dataclasses
import gzip
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

import visagram.wire as wire
from factories import make_report
from visagram.cli import SAMPLE
from visagram.core.segments import Probed, Segment, Timeline
from visagram.core.types import VideoFacts
from visagram.errors import NotAVideo, OutputUnwritable, StorageFull
from visagram.export.read import read_report
from visagram.export.view import write_view
from visagram.jobs import leases, run
from visagram.jobs.leases import Lease, Leases
from visagram.jobs.model import ANALYSE, ANNOTATE, LOCAL_OWNER, MEDIA, Analysis, Blob, Job, Output, Unit, Video
from visagram.jobs.run import Runner
from visagram.jobs.storage import annotated_file, preview_file
from visagram.media.probe import probe
from visagram.models.promotion import promote, rollback
from visagram.report import Report
from visagram.settings import Settings
from weights import write_linear

SHA, KEY = "ab" * 32, "cd" * 32


@cache
def probed() -> Probed:
    return Probed(*probe(SAMPLE, Settings()))


class Crew:
    """Stands for the worker processes of all settings; says what they do and remembers what they were asked."""

    def __init__(self) -> None:
        self.made: list[Workers] = []
        self.asked: list[tuple[Any, ...]] = []
        self.reason: str | None = None
        self.failure: Exception | None = None
        self.messages: list[wire.Message] | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, settings: Settings) -> Workers:
        self.made.append(Workers(self, settings))
        return self.made[-1]


@dataclasses.dataclass
class Workers:
    crew: Crew
    settings: Settings
    closed: bool = False

    def close(self) -> None:
        self.closed = True

    def _ask(self, *what: Any) -> None:
        assert not self.closed
        self.crew.asked.append(what)
        if self.crew.failure is not None:
            raise self.crew.failure

    def probe(self, path: Path) -> Probed:
        self._ask("probe", path)
        return probed()

    def playable(self, path: Path) -> str | None:
        self._ask("playable", path)
        return self.crew.reason

    def derive_strip(self, path: Path, folder: Path) -> dict[str, Any]:
        self._ask("strip", path)
        (folder / "poster.jpg").write_bytes(b"poster")
        (folder / "strip-0.jpg").write_bytes(b"strip")
        return {"count": 3}

    def derive_proxy(self, path: Path, output: Path, progress: Callable[[str, int, int], None]) -> None:
        self._ask("proxy", path)
        progress("proxy", 5, 10)
        output.write_bytes(b"proxy")
        self.crew.meanwhile()

    def annotate(self, path: Path, report: Report, output: Path, progress: Callable[[str, int, int], None]) -> None:
        self._ask("annotate", path, len(report.people), self.settings.stream)
        progress("annotate", 5, 10)
        output.write_bytes(b"boxes")

    def analyse(
        self,
        path: Path,
        facts: VideoFacts,
        timeline: Timeline,
        segments: list[Segment],
        *,
        threads: int,
        preview: bool,
    ) -> Iterator[tuple[Segment, wire.Message]]:
        (segment,) = segments
        self._ask("analyse", path, segment.number, threads, preview, self.settings.end)
        done = ("done", {"frames": segment.core, "damaged": 0, "span": segment.core / 25}, {})
        for message in [done] if self.crew.messages is None else self.crew.messages:
            yield segment, message
            self.crew.meanwhile()


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> Crew:
    found = Crew()
    monkeypatch.setattr(run, "Workers", found)
    return found


@pytest.fixture
def queue(service) -> Leases:
    return Leases(service.store, "me", 30)


@pytest.fixture
def runner(service, queue, crew, tmp_path) -> Runner:
    settings = dataclasses.replace(service.settings, models=str(tmp_path / "models"))
    return Runner(service.store, service.storage, queue, settings, tmp_path / "training")


def media(service) -> int:
    """A job for what is derived from some bytes."""
    with service.store.write() as session:
        session.add(Blob(sha256=SHA, bytes=1))
        session.flush()
        return leases.add_job(session, MEDIA, leases.STRIP, blob_id=SHA).id


def analysing(service, key: str = KEY, **settings: Any) -> int:
    """A job for an analysis of some bytes."""
    with service.store.write() as session:
        if session.get(Blob, SHA) is None:
            session.add(Blob(sha256=SHA, bytes=1))
            session.flush()
        session.add(Output(key=key, blob_id=SHA, settings=Settings(**settings).for_report()))
        session.flush()
        return leases.add_job(session, ANALYSE, leases.PREPARE, output_id=key).id


def drawing(service, revision: int = 0, stream: int = 0) -> str:
    """A job that draws an analysis with a result; returns the analysis' id."""
    analysing(service)
    report = make_report()
    facts = dataclasses.replace(report.video, stream=stream, time_basis="exact" if stream >= 0 else "")
    write_view(dataclasses.replace(report, video=facts), None, service.storage.output(KEY))
    with service.store.write() as session:
        session.delete(session.query(Job).one())
        video = Video(owner_id=LOCAL_OWNER, name="v", blob_id=SHA)
        session.add(video)
        session.flush()
        analysis = Analysis(video_id=video.id, output_id=KEY, revision=revision)
        session.add(analysis)
        session.flush()
        leases.add_job(session, ANNOTATE, leases.DRAW, analysis_id=analysis.id)
        return analysis.id


def job(service, *fields: str) -> tuple[Any, ...]:
    with service.store.read() as session:
        found = session.query(Job).one()
        return tuple(getattr(found, name) for name in fields)


def units(service) -> list[tuple[str, int, str, str | None]]:
    with service.store.read() as session:
        rows = session.query(Unit).order_by(Unit.id)
        return [(unit.kind, unit.number, unit.state, unit.file) for unit in rows]


def blob(service) -> Blob:
    with service.store.read() as session:
        return session.get_one(Blob, SHA)


def claim(queue: Leases) -> Lease:
    lease = queue.claim()
    assert lease is not None
    return lease


def left(service) -> list[str]:
    return [path.name for path in (service.storage.folder / "tmp").iterdir()]


# --- What is derived from bytes --------------------------------------------------------------------------------------


def test_bytes_that_browsers_play_get_a_poster_and_a_strip(service, queue, runner, crew) -> None:
    media(service)
    place = service.storage.media(SHA)
    place.mkdir()  # as an attempt before left it
    (place / "poster.jpg").write_bytes(b"old")
    runner.run(claim(queue))
    path = service.storage.blob(SHA)
    assert crew.asked == [("probe", path), ("playable", path), ("strip", path)]
    assert {file.name: file.read_bytes() for file in place.iterdir()} == {
        "poster.jpg": b"poster",
        "strip-0.jpg": b"strip",
    }
    found = blob(service)
    assert (found.playback, found.strip) == ("", {"count": 3}) and wire.unpack_facts(found.facts) == probed().facts
    assert job(service, "state", "stage") == ("done", "done") and queue.claim() is None
    assert units(service) == [("strip", 0, "done", None)] and left(service) == []


def test_bytes_that_browsers_do_not_play_get_a_proxy_too(service, queue, runner, crew) -> None:
    media(service)
    crew.reason = "codec"
    runner.run(claim(queue))
    assert (blob(service).playback, job(service, "state")) == ("codec", ("running",))
    assert units(service) == [("strip", 0, "done", None), ("proxy", 0, "ready", None)]
    runner.run(claim(queue))
    assert (service.storage.media(SHA) / "proxy.mp4").read_bytes() == b"proxy"
    assert crew.asked[-1] == ("proxy", service.storage.blob(SHA))
    assert job(service, "state") == ("done",) and left(service) == []
    assert len(crew.made) == 1 and not crew.made[0].closed, "one crew for units of the same settings"


# --- An analysis -----------------------------------------------------------------------------------------------------


def test_a_plan_is_made_and_its_segments_wait(service, queue, runner, crew) -> None:
    id = analysing(service)
    runner.run(claim(queue))
    plan = run.plan_video("x", probed().facts, probed().timeline, Settings())
    assert units(service) == [
        ("prepare", 0, "done", "plan-1"),
        *(("segment", segment.number, "ready", None) for segment in plan),
    ]
    assert job(service, "state", "total", "completed") == ("running", sum(segment.core for segment in plan), 0)
    assert wire.unpack_facts(blob(service).facts) == probed().facts
    with gzip.open(service.storage.work(id) / "plan-1", "rb") as file:
        kind, values, arrays = wire.receive(file)  # type: ignore[misc, arg-type]
    assert kind == "plan" and wire.unpack_probed(values, arrays).facts == probed().facts


def worked(queue: Leases, runner: Runner) -> list[str]:
    """Do all the work; returns the kinds of units."""
    kinds = []
    while (lease := queue.claim()) is not None:
        runner.run(lease)
        kinds.append(lease.kind)
    return kinds


@pytest.mark.parametrize("end", [None, 2.0])
def test_an_analysis_goes_from_its_plan_to_its_result(end: float | None, service, queue, runner, crew) -> None:
    id = analysing(service, end=end)
    kinds = worked(queue, runner)
    segments = kinds.count("segment")
    assert kinds == ["prepare", *["segment"] * segments, "merge"]
    assert (segments == 1) == (end is not None)
    asked = [call[2:] for call in crew.asked if call[0] == "analyse"]
    assert asked == [(number, 2 if segments == 1 else 1, True, end) for number in range(segments)]
    assert all(call[1] == service.storage.blob(SHA) for call in crew.asked)
    assert [unit[3] for unit in units(service)] == ["plan-1", *(f"segment-{k}-1" for k in range(segments)), None]
    assert job(service, "state", "stage") == ("done", "done")
    assert not service.storage.work(id).exists() and left(service) == []
    with service.store.read() as session:
        output = session.get_one(Output, KEY)
        assert output.published is not None and output.people == 0
        plan = run.plan_video("x", probed().facts, probed().timeline, Settings(end=end))
        done = session.query(Unit.number, Unit.completed).where(Unit.kind == "segment")
        assert dict(done.all()) == {segment.number: segment.core for segment in plan}
    video = read_report(service.storage.output(KEY)).video
    assert (video.name, video.path, video.sha256) == ("video", "", SHA)


def test_a_merge_comes_after_the_last_segment(service, queue, runner, crew) -> None:
    analysing(service)
    runner.run(claim(queue))
    waiting = [claim(queue) for _ in units(service)[1:]]
    assert len(waiting) > 1
    for lease in reversed(waiting):
        assert all(unit[0] != "merge" for unit in units(service))
        runner.run(lease)
    assert units(service)[-1] == ("merge", 0, "ready", None)


def picture(time: float) -> wire.Message:
    return "preview", {"time": time}, {"jpeg": np.frombuffer(f"picture {time}".encode(), np.uint8)}


def test_pictures_on_the_way_are_shown_and_not_kept(service, queue, runner, crew, monkeypatch) -> None:
    monkeypatch.setattr(run, "FRESH_PREVIEW", 1000.0)
    id = analysing(service, end=2.0)
    runner.run(claim(queue))
    shown = preview_file(service.storage.work(id))
    seen: list[bytes | None] = []

    def look() -> None:
        seen.append(shown.read_bytes() if shown.exists() else None)
        if len(seen) == 3:  # the picture is old by now
            os.utime(shown, (1.0, 1.0))

    crew.meanwhile = look
    values = {"frames": 7, "damaged": 0, "span": 0.3}
    crew.messages = [("done", values, {}), picture(1.0), picture(2.0), picture(3.0)]
    runner.run(claim(queue))
    assert seen == [None, b"picture 1.0", b"picture 1.0", b"picture 3.0"]
    with (service.storage.work(id) / "segment-0-1").open("rb") as file:
        assert wire.receive(file) == ("done", values, {}) and wire.receive(file) is None


def test_a_plan_of_an_older_version_is_made_anew(service, queue, runner, crew) -> None:
    id = analysing(service)
    for damage in ("plain", "markless"):
        while claim(queue).kind != "prepare":
            continue
        with service.store.write() as session:
            leases.restart(session, session.get_one(Job, id), leases.PREPARE)
        runner.run(claim(queue))
        path = service.storage.work(id) / units(service)[0][3]  # type: ignore[operator]
        if damage == "plain":
            path.write_bytes(gzip.decompress(path.read_bytes()))
        else:
            empty = dataclasses.replace(probed().timeline, marks=probed().timeline.marks[:0])
            with path.open("wb") as raw, gzip.open(raw, "wb") as file:
                wire.send(file, "plan", *wire.pack_probed(probed()._replace(timeline=empty)))  # type: ignore[arg-type]
        runner.run(claim(queue))
        assert units(service) == [("prepare", 0, "ready", None)]
        assert job(service, "state", "error_code") == ("queued", None)


# --- A drawing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stream", "wanted"), [(0, 0), (2, 2), (-1, None)])
def test_a_drawing_is_of_the_revision_and_older_ones_go(
    stream: int, wanted: int | None, service, queue, runner, crew
) -> None:
    id = drawing(service, 3, stream)
    older = annotated_file(service.storage, id, 2)
    older.parent.mkdir()
    older.write_bytes(b"old")
    (older.parent / "notes.mp4").write_bytes(b"mine")
    runner.run(claim(queue))
    assert crew.asked == [("annotate", service.storage.blob(SHA), 2, wanted)]
    assert {file.name: file.read_bytes() for file in older.parent.iterdir()} == {
        "annotated-3.mp4": b"boxes",
        "notes.mp4": b"mine",
    }
    assert job(service, "state") == ("done",) and left(service) == []


def test_a_drawing_of_a_new_analysis_makes_its_folder(service, queue, runner) -> None:
    id = drawing(service)
    runner.run(claim(queue))
    assert annotated_file(service.storage, id, 0).read_bytes() == b"boxes"


# --- Ends before the end ---------------------------------------------------------------------------------------------


def test_an_error_ends_the_job_with_words_for_people(service, queue, runner, crew, tmp_path) -> None:
    media(service)
    places = service.storage.blob(SHA), tmp_path / "models" / "x.onnx", tmp_path / "training"
    crew.failure = NotAVideo("{}: is none; see {}, and {}.".format(*places))
    runner.run(claim(queue))
    assert job(service, "state", "error_code", "error_detail") == (
        *("failed", "not_a_video", "The file: is none; see the file, and the file"),
    )
    assert crew.made[0].closed and left(service) == []


@pytest.mark.parametrize(
    ("failure", "code"),
    [(StorageFull("full"), "storage_full"), (OSError(28, "No space left on device"), "storage_full")],
)
def test_on_a_full_disk_the_files_of_the_job_go_first(
    failure: Exception, code: str, service, queue, runner, crew
) -> None:
    id = analysing(service)
    runner.run(claim(queue))
    assert service.storage.work(id).exists()
    crew.failure = failure
    runner.run(claim(queue))
    assert job(service, "state", "error_code") == ("failed", "storage_full")
    assert not service.storage.work(id).exists()


@pytest.mark.parametrize("failure", [OSError(13, "Permission denied"), OutputUnwritable("no")])
def test_after_another_error_they_stay(failure: Exception, service, queue, runner, crew) -> None:
    id = analysing(service)
    runner.run(claim(queue))
    crew.failure = failure
    runner.run(claim(queue))
    assert job(service, "state", "error_code") == ("failed", OutputUnwritable.code)
    assert service.storage.work(id).exists()


def test_a_busy_database_is_no_error_and_a_full_one_is(service, queue, runner, crew) -> None:
    media(service)
    crew.failure = OperationalError("x", {}, Exception("database is locked"))
    runner.run(claim(queue))
    assert job(service, "state", "error_code") == ("running", None)
    with service.store.write() as session:
        session.query(Unit).one().lease_until = 1.0
    crew.failure = OperationalError("x", {}, Exception("database or disk is full"))
    runner.run(claim(queue))
    assert job(service, "state", "error_code", "error_detail") == (
        *("failed", "storage_full", "The disk is full: free some space and try again."),
    )


def test_whoever_lost_the_lease_publishes_nothing(service, queue, runner, crew) -> None:
    media(service)
    crew.reason = "codec"
    runner.run(claim(queue))

    def cancel() -> None:
        with service.store.write() as session:
            leases.cancel(session, session.query(Job).one())

    crew.meanwhile = cancel
    runner.run(claim(queue))
    assert job(service, "state", "error_code") == ("cancelled", None)
    assert not (service.storage.media(SHA) / "proxy.mp4").exists()
    assert crew.made[0].closed and left(service) == []


@pytest.mark.parametrize("kind", ["media", "analysis", "drawing"])
def test_a_job_that_is_gone_is_left(kind: str, service, queue, runner, crew) -> None:
    {"media": media, "analysis": analysing, "drawing": drawing}[kind](service)
    lease = claim(queue)
    with service.store.write() as session:
        session.delete(session.query(Job).one())
    runner.run(lease)
    assert crew.asked == [] and left(service) == []


class Troubled(Leases):
    """A queue on a database in which a job cannot be ended at first."""

    fails = 0

    def give_up(self, lease: Lease, code: str, detail: str) -> None:
        self.fails -= 1
        if self.fails >= 0:
            raise OperationalError("x", {}, Exception("database is locked"))
        super().give_up(lease, code, detail)


@pytest.mark.parametrize(("fails", "state", "left_over"), [(4, "failed", -1), (5, "running", 0), (9, "running", 4)])
def test_ending_a_job_is_tried_five_times(
    fails: int, state: str, left_over: int, service, crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BEAT_SECONDS", 0.0)
    media(service)
    queue = Troubled(service.store, "me", 30)
    queue.fails = fails
    crew.failure = NotAVideo("no")
    Runner(service.store, service.storage, queue, service.settings).run(claim(queue))
    assert (job(service, "state"), queue.fails) == ((state,), left_over)


# --- Worker processes ------------------------------------------------------------------------------------------------


def test_worker_processes_are_kept_for_the_same_settings_and_model(service, queue, runner, crew, tmp_path) -> None:
    media(service)
    crew.reason = "codec"
    runner.run(claim(queue))
    analysing(service, end=2.0)

    def next_unit(kind: str) -> int:
        """Which crew does the next unit of that kind."""
        lease = claim(queue)
        assert lease.kind == kind
        runner.run(lease)
        return len(crew.made)

    assert len(crew.made) == 1 and crew.made[0].settings.processes == 1
    assert next_unit("prepare") == 2 and crew.made[0].closed
    assert next_unit("segment") == 2 and crew.made[1].settings.end == 2.0 and not crew.made[1].closed
    assert next_unit("merge") == 2
    assert next_unit("proxy") == 3 and crew.made[1].closed
    analysing(service, "ef" * 32)
    models = crew.made[2].settings.models_folder
    assert next_unit("prepare") == 3, "the settings of a server without its own"
    promote(write_linear(tmp_path / "better.onnx"), models, "a test")
    assert next_unit("segment") == 4 and crew.made[2].closed
    rollback(models)
    assert next_unit("segment") == 5
    runner.close()
    assert crew.made[4].closed
    runner.close()
