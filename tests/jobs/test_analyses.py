"""Analyses step by step: who shares what, which state is shown, what may be done in it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from factories import make_report
from fakes import make_track
from visagram.core.edits import Merge, Rename, Split
from visagram.errors import Conflict, NotFound, UsageError
from visagram.export.view import write_view
from visagram.jobs import analyses as module
from visagram.jobs.analyses import drawing, state
from visagram.jobs.model import (
    CANCELLED,
    DONE,
    FAILED,
    LOCAL_OWNER,
    QUEUED,
    RUNNING,
    Analysis,
    Entry,
    Job,
    Output,
    Owner,
    Unit,
    Video,
)
from visagram.jobs.storage import annotated_file, view_folder
from visagram.jobs.videos import Who

ME, OTHER = Who(LOCAL_OWNER, "me"), Who(2, "other")


@pytest.fixture(autouse=True)
def two_owners(service) -> None:
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))


def video(service, who: Who = ME, content: bytes = b"abc") -> str:
    part = service.storage.folder / "tmp" / "part"
    part.write_bytes(content)
    return service.videos.add(who, part, content.hex().ljust(64, "0"), "a.mp4")


def status(service, id: str) -> str:
    with service.store.read() as session:
        return state(session.get_one(Analysis, id))


def job_of(service, id: str) -> tuple[Any, ...]:
    """State, version and number of units of an analysis' job."""
    with service.store.read() as session:
        job = session.get_one(Analysis, id).output.job
        return job.state, job.version, len(job.units)


def put(service, id: str, job_state: str) -> None:
    """Bring the job of an analysis into a state, with a result where it is done."""
    with service.store.write() as session:
        output = session.get_one(Analysis, id).output
        output.job.state = job_state
        output.published = time.time() if job_state == DONE else None


def finished(service, who: Who = ME) -> str:
    """An analysis with a result of two people."""
    id, _ = service.analyses.create(who, video(service, who), {})
    with service.store.read() as session:
        key = session.get_one(Analysis, id).output_id
    tracks = [make_track(7, 0, 99, quality=0.5), make_track(8, 10, 99, quality=0.5)]
    if not service.storage.output(key).exists():
        write_view(make_report(), tracks, service.storage.output(key))
    put(service, id, DONE)
    return id


def log(service) -> list[tuple[str, str]]:
    with service.store.read() as session:
        return [(entry.who, entry.action) for entry in session.query(Entry) if entry.action != "add video"]


# --- Asking for one --------------------------------------------------------------------------------------------------


def test_the_same_is_asked_for_once(service) -> None:
    one = video(service)
    first, new = service.analyses.create(ME, one, {})
    assert new and service.analyses.create(ME, one, {}) == (first, False)
    assert service.analyses.create(ME, one, {"start": "0"}) == (first, False)
    for before in (RUNNING, DONE):
        put(service, first, before)
        assert service.analyses.create(ME, one, {}) == (first, False)
    second, new = service.analyses.create(ME, one, {"end": 2.0})
    assert new and second != first
    assert log(service) == [("me", "analyse")] * 2
    with service.store.read() as session:
        assert session.query(Output).count() == 2
        assert [(unit.kind, unit.job.kind) for unit in session.query(Unit) if unit.kind != "strip"] == [
            ("prepare", "analyse")
        ] * 2


@pytest.mark.parametrize("before", [FAILED, CANCELLED])
def test_what_ended_early_is_begun_again(before: str, service) -> None:
    one = video(service)
    first, _ = service.analyses.create(ME, one, {})
    put(service, first, before)
    second, new = service.analyses.create(ME, one, {})
    assert new and second != first and job_of(service, first)[0] == QUEUED
    assert service.analyses.create(ME, one, {}) == (second, False), "the newest of them"


def test_a_result_is_shared_by_all_who_ask_for_it(service) -> None:
    first = finished(service)
    theirs, new = service.analyses.create(OTHER, video(service, OTHER), {})
    assert new and status(service, theirs) == DONE
    with service.store.read() as session:
        shared = {id: session.get_one(Analysis, id).shared for id in (first, theirs)}
    assert shared == {first: False, theirs: True}
    assert job_of(service, theirs) == job_of(service, first)


def test_settings_are_checked_and_completed_by_the_servers(service) -> None:
    one = video(service)
    for wrong in ({"end": -1}, {"colour": "red"}, {"emotion": "none"}):
        with pytest.raises(UsageError):
            service.analyses.create(ME, one, wrong)
    id, _ = service.analyses.create(ME, one, {"end": "2.5"})
    with service.store.read() as session:
        assert session.get_one(Analysis, id).output.settings == service.settings.for_report() | {"end": 2.5}
    with pytest.raises(NotFound):
        service.analyses.create(OTHER, one, {})


def test_an_analysis_is_its_owners_while_its_video_is_there(service) -> None:
    one = video(service)
    id, _ = service.analyses.create(ME, one, {})

    def get(who: Who, which: str = id) -> str:
        with service.store.read() as session:
            return service.analyses.get(session, who, which).id

    assert get(ME) == id
    for who, which in ((OTHER, id), (ME, "none")):
        with pytest.raises(NotFound, match=r"^There is no such analysis; it may have been deleted\.$"):
            get(who, which)
    service.videos.delete(ME, one)
    with pytest.raises(NotFound):
        get(ME)
    service.videos.restore(ME, one)
    assert get(ME) == id


def test_the_state_is_the_jobs_unless_it_is_over(service) -> None:
    id, _ = service.analyses.create(ME, video(service), {})
    for shown in (QUEUED, RUNNING, FAILED, CANCELLED, DONE):
        put(service, id, shown)
        assert status(service, id) == shown
        with service.store.read() as session:
            if shown == DONE:
                assert service.analyses.finished(session, ME, id).id == id
                continue
            with pytest.raises(Conflict) as caught:
                service.analyses.finished(session, ME, id)
            assert str(caught.value) == f"This analysis has no result: it is {shown}."
    put(service, id, QUEUED)
    with service.store.write() as session:
        session.delete(session.get_one(Analysis, id).output.job)
    assert status(service, id) == FAILED


# --- Stopping and trying again ---------------------------------------------------------------------------------------


def test_the_work_stops_when_nobody_waits_for_it(service) -> None:
    first, _ = service.analyses.create(ME, video(service), {})
    theirs = video(service, OTHER)
    second, _ = service.analyses.create(OTHER, theirs, {})
    third, _ = service.analyses.create(ME, video(service, content=b"other"), {})
    version = job_of(service, first)[1]
    service.analyses.cancel(ME, first)
    assert (status(service, first), status(service, second)) == (CANCELLED, QUEUED)
    assert job_of(service, first)[0] == QUEUED and job_of(service, first)[1] > version, "listeners hear of it"
    service.videos.delete(OTHER, theirs)
    other, _ = service.analyses.create(ME, video(service), {})
    service.analyses.cancel(ME, other)
    assert job_of(service, first)[0] == CANCELLED, "whose video was deleted does not wait"
    assert status(service, third) == QUEUED
    assert log(service)[-1] == ("me", "cancel analysis")


@pytest.mark.parametrize("over", [DONE, FAILED, CANCELLED])
def test_what_is_over_cannot_be_cancelled(over: str, service) -> None:
    id, _ = service.analyses.create(ME, video(service), {})
    put(service, id, over)
    with pytest.raises(Conflict) as caught:
        service.analyses.cancel(ME, id)
    assert str(caught.value) == f"This analysis cannot be cancelled: it is {over}."


@pytest.mark.parametrize("going", [QUEUED, RUNNING, DONE])
def test_only_what_ended_early_is_tried_again(going: str, service) -> None:
    id, _ = service.analyses.create(ME, video(service), {})
    put(service, id, going)
    with pytest.raises(Conflict) as caught:
        service.analyses.retry(ME, id)
    assert str(caught.value) == (f"Only a failed or cancelled analysis can be tried again: this one is {going}.")
    with service.store.write() as session:
        session.get_one(Analysis, id).cancelled = time.time()
    version = job_of(service, id)[1]
    service.analyses.retry(ME, id)
    assert status(service, id) == going and job_of(service, id) == (going, version + 1, 1)
    assert log(service)[-1] == ("me", "retry analysis")


@pytest.mark.parametrize("over", [FAILED, CANCELLED])
def test_what_ended_early_is_as_new_when_it_is_tried_again(over: str, service) -> None:
    id, _ = service.analyses.create(ME, video(service), {})
    put(service, id, over)
    service.analyses.retry(ME, id)
    assert (status(service, id), job_of(service, id)[0]) == (QUEUED, QUEUED)


def test_an_analysis_is_deleted_with_its_drawings_alone(service) -> None:
    first, second = finished(service), finished(service)
    for id in (first, second):
        service.analyses.annotate(ME, id)
    service.analyses.delete(ME, first)
    with service.store.read() as session:
        assert [analysis.id for analysis in session.query(Analysis)] == [second]
        assert [job.analysis_id for job in session.query(Job).filter(Job.kind == "annotate")] == [second]
        assert session.query(Video).count() == 2
    assert log(service)[-1] == ("me", "delete analysis")


# --- People ----------------------------------------------------------------------------------------------------------


def shown(service, id: str) -> tuple[Any, ...]:
    with service.store.read() as session:
        found = session.get_one(Analysis, id)
        folder = view_folder(service.storage, found).relative_to(service.storage.folder).as_posix()
        return found.revision, found.view, found.people, len(found.changes), folder.rpartition("/")[2][:6]


def test_each_change_has_a_revision_and_a_view(service) -> None:
    id = finished(service)

    def folders() -> list[str]:
        return sorted(path.name for path in service.storage.edits(id).iterdir())

    assert shown(service, id)[:4] == (0, 0, None, 0)
    service.analyses.edit(ME, id, Split(2, at=2.0))
    assert shown(service, id) == (1, 1, 3, 1, "view-1")
    service.analyses.edit(ME, id, Rename(1, "Ada"))
    assert shown(service, id) == (2, 2, 3, 2, "view-2")
    assert folders() == ["view-1", "view-2"], "the one before stays for its readers"
    service.analyses.undo(ME, id)
    assert shown(service, id) == (3, 3, 3, 1, "view-3") and folders() == ["view-2", "view-3"]
    service.analyses.undo(ME, id)
    assert shown(service, id)[:4] == (4, 0, 2, 0) and folders() == ["view-3"]
    with pytest.raises(Conflict) as caught:
        service.analyses.undo(ME, id)
    assert str(caught.value) == "There is no change to take back."
    service.analyses.edit(ME, id, Rename(1, "Eve"))
    assert shown(service, id) == (5, 5, 2, 1, "view-5") and folders() == ["view-5"]
    assert [entry for entry in log(service) if entry[1].startswith("people")] == [
        ("me", f"people: {what}") for what in ("split", "rename", "undo", "undo", "rename")
    ]
    with service.store.read() as session:
        (change,) = session.get_one(Analysis, id).changes
        assert (change.who, change.edit["kind"], change.edit["name"]) == ("me", "rename", "Eve")
    with pytest.raises(UsageError):
        service.analyses.edit(ME, id, Merge((1, 2)))
    assert shown(service, id)[0] == 5 and list((service.storage.folder / "tmp").iterdir()) == []


def test_who_comes_second_is_told(service, monkeypatch: pytest.MonkeyPatch) -> None:
    id = finished(service)
    service.analyses.edit(ME, id, Rename(1, "Ada"))
    usual = module.write_edited_view

    def slowly(*given: Any) -> Any:
        monkeypatch.setattr(module, "write_edited_view", usual)
        service.analyses.edit(ME, id, Rename(1, "Eve"))
        return usual(*given)

    for act in (lambda: service.analyses.edit(ME, id, Rename(2, "Bob")), lambda: service.analyses.undo(ME, id)):
        monkeypatch.setattr(module, "write_edited_view", slowly)
        with pytest.raises(Conflict) as caught:
            act()
        assert str(caught.value) == "Somebody else changed these people meanwhile: look again."
        with service.store.read() as session:
            assert session.get_one(Analysis, id).changes[-1].edit["name"] == "Eve"
        service.analyses.edit(ME, id, Rename(1, "Ada"))


# --- Drawings --------------------------------------------------------------------------------------------------------


def test_a_drawing_is_asked_for_once_for_each_revision(service) -> None:
    id = finished(service)

    def drawn() -> list[tuple[str, int]]:
        with service.store.read() as session:
            found = drawing(session, id)
            assert found is None or found.analysis_id == id
            return [(job.state, len(job.units)) for job in session.query(Job).filter(Job.kind == "annotate")]

    def put_drawing(job_state: str) -> None:
        with service.store.write() as session:
            job = drawing(session, id)
            assert job is not None
            job.state = job_state

    assert drawn() == []
    for _ in range(2):
        service.analyses.annotate(ME, id)
        assert drawn() == [(QUEUED, 1)]
    put_drawing(RUNNING)
    service.analyses.annotate(ME, id)
    assert drawn() == [(RUNNING, 1)]
    for over in (DONE, FAILED, CANCELLED):
        put_drawing(over)
        service.analyses.annotate(ME, id)
        assert drawn() == [(QUEUED, 1)]
    put_drawing(DONE)
    place = annotated_file(service.storage, id, 0)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"boxes")
    service.analyses.annotate(ME, id)
    assert drawn() == [(DONE, 1)]
    waiting, _ = service.analyses.create(ME, video(service, content=b"other"), {})
    with pytest.raises(Conflict):
        service.analyses.annotate(ME, waiting)
