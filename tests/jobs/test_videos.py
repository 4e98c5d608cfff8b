"""Entries of a library on their limits: who finds what, what may be written, what is forgotten and when."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from service import open_service, upload
from visagram.errors import NotFound, UsageError
from visagram.jobs import leases
from visagram.jobs.model import LOCAL_OWNER, Analysis, Blob, Entry, Job, Output, Owner, Upload, Video
from visagram.jobs.uploads import Wanted
from visagram.jobs.videos import Labels, Who, clean, shown_name

ME, OTHER = Who(LOCAL_OWNER), Who(2, "other")


@pytest.fixture
def two_owners(service):
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))
    return service


def add(service, name: str = "a.mp4", content: bytes = b"abc", who: Who = ME, labels: Labels | None = None) -> str:
    """An entry of some bytes, without an analysis."""
    part = service.storage.folder / "tmp" / "part"
    part.write_bytes(content)
    return service.videos.add(who, part, content.hex().ljust(64, "0"), name, labels)


def rows(service, kind: Any) -> list[Any]:
    with service.store.read() as session:
        return session.query(kind).all()


def video(service, id: str, who: Who = ME, **how: bool) -> Video:
    with service.store.read() as session:
        found = service.videos.get(session, who, id, **how)
        _ = found.windows, found.blob, found.analyses
        return found


def found(service, who: Who = ME, **by: Any) -> list[str]:
    with service.store.read() as session:
        return [each.name for each in service.videos.find(session, who, **by)[0]]


def aged(service, names: str) -> dict[str, str]:
    """Entries of one letter each, each a second older than the one before; ids by letter."""
    ids = {name: add(service, name, name.encode()) for name in names}
    with service.store.write() as session:
        for k, id in enumerate(ids.values()):
            session.get(Video, id).created = 1000.0 - k
    return ids


# --- Adding ----------------------------------------------------------------------------------------------------------


def test_bytes_are_kept_once_and_derived_from_once(service) -> None:
    first, second = add(service, "one.mp4"), add(service, "folder/two.mp4")
    add(service, "three.mp4", b"other bytes")
    assert sorted((blob.sha256[:6], blob.bytes) for blob in rows(service, Blob)) == [("616263", 3), ("6f7468", 11)]
    assert [(job.kind, job.blob_id[:6]) for job in rows(service, Job)] == [("media", "616263"), ("media", "6f7468")]
    assert [video(service, id).name for id in (first, second)] == ["one.mp4", "two.mp4"]
    assert service.storage.blob("616263".ljust(64, "0")).read_bytes() == b"abc"
    assert not (service.storage.folder / "tmp" / "part").exists()
    assert [(entry.who, entry.action, entry.subject) for entry in rows(service, Entry)] == [
        ("local", "add video", name) for name in ("one.mp4", "two.mp4", "three.mp4")
    ]


def test_bytes_are_taken_over_where_there_are_no_links(service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    id = add(service)
    assert service.storage.blob(video(service, id).blob_id).read_bytes() == b"abc"


def test_an_upload_remembers_what_became_of_it(service) -> None:
    id = service.uploads.begin(ME, "a.mp4", 3, Wanted(None))
    service.uploads.append(ME, id, 0, [b"abc"])
    made, _ = service.uploads.finish(ME, id)
    assert [row.video_id for row in rows(service, Upload)] == [made]
    add(service, "b.mp4")
    assert [row.video_id for row in rows(service, Upload)] == [made]


# --- Finding ---------------------------------------------------------------------------------------------------------


def test_the_newest_come_first_in_pages(service) -> None:
    aged(service, "abcde")
    assert found(service) == ["a", "b", "c", "d", "e"]
    assert found(service, limit=2) == ["a", "b"] and found(service, limit=2, offset=2) == ["c", "d"]
    assert found(service, limit=0) == [] and found(service, offset=4) == ["e"]
    with service.store.read() as session:
        assert service.videos.find(session, ME, limit=1, offset=9) == ([], 5)


def test_a_page_is_fifty_where_nothing_else_is_asked_for(service) -> None:
    for _ in range(51):
        add(service)
    assert len(found(service)) == 50 and len(found(service, offset=50)) == 1


def test_everybody_finds_their_own_and_nothing_deleted(two_owners) -> None:
    service = two_owners
    mine, theirs = add(service, "same"), add(service, "same", who=OTHER)
    assert found(service) == found(service, OTHER) == ["same"]
    with service.store.read() as session:
        assert service.videos.by_name(session, ME, "same").id == mine
        assert service.videos.by_name(session, OTHER, "same").id == theirs
        assert service.videos.by_name(session, ME, "other") is None
    with pytest.raises(NotFound, match="There is no such video; it may have been deleted"):
        video(service, theirs)
    service.videos.delete(ME, mine)
    assert found(service) == [] and found(service, OTHER) == ["same"]
    with service.store.read() as session:
        assert service.videos.by_name(session, ME, "same") is None
    with pytest.raises(NotFound):
        video(service, mine)
    assert video(service, mine, deleted=True).id == mine
    with pytest.raises(NotFound):
        video(service, mine, OTHER, deleted=True)


def test_of_one_name_the_newest_is_meant(service) -> None:
    ids = [add(service, "same") for _ in range(3)]
    with service.store.write() as session:
        for id, created in zip(ids, (5.0, 9.0, 7.0), strict=True):
            session.get(Video, id).created = created
    with service.store.read() as session:
        assert service.videos.by_name(session, ME, "same").id == ids[1]


def test_words_may_stand_anywhere_and_all_must(service) -> None:
    add(service, "name.mp4", labels=Labels("part", "cond", ("tag one", "two"), "note"))
    add(service, "other.mp4", labels=Labels("x", "y", ("z",), "w"))
    for query in ("NAME", "art", "cond", "tag", "one two", "note name", " two  note "):
        assert found(service, query=query) == ["name.mp4"], query
    for query in ("name q", "%", "_", "\\", "namemp4"):
        assert found(service, query=query) == [], query
    # Ten words count.
    assert found(service, query=f"{'name ' * 10} nothing") == ["name.mp4"]
    assert found(service, query=f"{'name ' * 9} nothing") == []


def test_tags_and_conditions_are_whole_words(service) -> None:
    add(service, "a", labels=Labels(condition="film", tags=("x", "y")))
    add(service, "b", labels=Labels(condition="films", tags=("xy",)))
    assert found(service, tag="x") == found(service, condition="film") == found(service, tag="y", condition="film")
    assert found(service, tag="x") == ["a"] and found(service, tag="xy", condition="film") == []


def test_the_state_is_that_of_the_newest_analysis(service) -> None:
    id = add(service, "a")
    add(service, "b")
    assert found(service, state="queued") == []
    first, _ = service.analyses.create(ME, id, {"end": 1.0})
    second, _ = service.analyses.create(ME, id, {"end": 2.0})
    with service.store.write() as session:
        session.get(Analysis, first).created = 1.0
        leases.fail(session, session.get(Analysis, second).output.job, "usage", "No.")
    assert (found(service, state="failed"), found(service, state="queued")) == (["a"], [])
    with service.store.write() as session:
        session.get(Analysis, first).created = time.time() + 9
    assert (found(service, state="failed"), found(service, state="queued")) == ([], ["a"])
    service.analyses.cancel(ME, first)
    assert (found(service, state="cancelled"), found(service, state="queued")) == (["a"], [])


# --- Labels ----------------------------------------------------------------------------------------------------------


LONGEST_TEXT = "The {} must be a text of at most {} characters."
TOO_LONG: list[tuple[dict[str, Any], str]] = [
    ({"participant": "x" * 201}, LONGEST_TEXT.format("participant", 200)),
    ({"condition": "x" * 201}, LONGEST_TEXT.format("condition", 200)),
    ({"notes": "x" * 10_001}, LONGEST_TEXT.format("notes", 10_000)),
    ({"notes": None}, LONGEST_TEXT.format("notes", 10_000)),
    ({"tags": ["x"] * 51}, "Tags must be at most 50 texts of at most 80 characters."),
    ({"tags": ["x" * 81]}, "Tags must be at most 50 texts of at most 80 characters."),
    ({"tags": ["x", 3]}, "Tags must be at most 50 texts of at most 80 characters."),
    ({"tags": "x"}, "Tags must be at most 50 texts of at most 80 characters."),
]


def test_labels_that_are_too_long_are_refused(service) -> None:
    id = add(service)
    for values, words in TOO_LONG:
        with pytest.raises(UsageError) as caught:
            service.videos.change(ME, id, values)
        assert str(caught.value) == words
    assert (video(service, id).participant, video(service, id).tags) == ("", [])


def test_labels_that_are_as_long_as_they_may_be_are_kept(service) -> None:
    id = add(service)
    tags = [f"{k:080}" for k in range(50)]
    values = {"participant": "p" * 200, "condition": "c" * 200, "notes": "n" * 10_000, "tags": tags}
    service.videos.change(ME, id, values)
    kept = video(service, id)
    assert {name: getattr(kept, name) for name in values} == values


def test_labels_are_cleaned_and_notes_keep_their_lines(service) -> None:
    id = add(service, labels=Labels(" a\nb\u202e ", "\x07c", (" d", "d", "", "\n", "e"), " one\ntwo\n"))
    kept = video(service, id)
    assert (kept.participant, kept.condition, kept.tags, kept.notes) == ("ab", "c", ["d", "e"], "one\ntwo")


def test_a_change_touches_what_it_names_and_is_logged_once(service) -> None:
    id = add(service, labels=Labels("p", "c", ("t",), "n"))
    service.videos.change(ME, id, {"participant": "q", "name": "dir/b.mp4"})
    kept = video(service, id)
    assert (kept.name, kept.participant, kept.condition, kept.tags, kept.notes) == ("b.mp4", "q", "c", ["t"], "n")
    service.videos.change(ME, id, {"participant": "q", "tags": ["t"]})  # nothing new
    service.videos.change(ME, id, {"participant": "q", "condition": "d"})  # one is new
    assert (video(service, id).condition, video(service, id).name) == ("d", "b.mp4")
    assert [(e.action, e.subject, e.detail) for e in rows(service, Entry)] == [
        ("add video", "a.mp4", ""),
        ("change video", "b.mp4", "name, participant"),
        ("change video", "b.mp4", "condition, participant"),
    ]


def test_names_on_their_limits() -> None:
    assert shown_name("x" * 255) == "x" * 255 and shown_name("x" * 256) == "x" * 255
    assert shown_name("a/b\\c/ d\x00 ") == "d" and shown_name("a/") == shown_name(" \n") == "video"
    assert clean("a\ud7ffb") == "ab" and clean("\ud800a\udfff") == "a" and clean(" \u202ea b ") == "a b"


# --- Windows ---------------------------------------------------------------------------------------------------------


def test_windows_on_their_limits(service) -> None:
    id = add(service)
    name = "n" * 200
    first = service.videos.add_window(ME, id, f" {name[1:]}", 0, 1e-9)
    second = service.videos.add_window(ME, id, "b\n", 5, 6)
    assert [(w.name, w.start, w.end) for w in video(service, id).windows] == [(name[1:], 0.0, 1e-9), ("b", 5.0, 6.0)]
    for bad in ("", " \n", "n" * 201):
        with pytest.raises(UsageError, match="A window needs a name of at most 200 characters"):
            service.videos.add_window(ME, id, bad, 0, 1)
    for start, end in ((1, 1), (2, 1), (-1e-9, 1), (0, float("inf")), (float("nan"), 1)):
        with pytest.raises(UsageError, match="A window ends later than it starts, and starts at 0 or later"):
            service.videos.add_window(ME, id, "w", start, end)
    service.videos.change_window(ME, id, second, {"start": 0.5})
    service.videos.change_window(ME, id, second, {"name": "c"})
    assert [(w.id, w.name, w.start, w.end) for w in video(service, id).windows] == [
        *((first, name[1:], 0.0, 1e-9), (second, "c", 0.5, 6.0))
    ]
    service.videos.delete_window(ME, id, first)
    assert [w.id for w in video(service, id).windows] == [second]
    with pytest.raises(NotFound, match="There is no such window; it may have been deleted"):
        service.videos.change_window(ME, id, first, {"name": "d"})
    assert [(e.action, e.subject) for e in rows(service, Entry)][1:] == [
        *(("add window", name[1:]), ("add window", "b"), ("change window", "b"), ("change window", "c")),
        ("delete window", name[1:]),
    ]


# --- Forgetting ------------------------------------------------------------------------------------------------------


def test_deleted_entries_can_be_restored_until_their_time_is_over(tmp_path: Path) -> None:
    service = open_service(tmp_path, undo_seconds=1000.0)
    id, before = add(service), time.time()
    service.videos.delete(ME, id)
    assert before + 1000 <= video(service, id, deleted=True).purge_at <= time.time() + 1000
    service.videos.restore(ME, id)
    assert video(service, id).purge_at is None
    service.videos.delete(ME, id, at_once=True)
    assert before <= video(service, id, deleted=True).purge_at <= time.time()
    assert [(e.action, e.subject) for e in rows(service, Entry)][1:] == [
        *(("delete video", "a.mp4"), ("restore video", "a.mp4"), ("delete video", "a.mp4"))
    ]
    service.videos.tidy()
    assert [(e.who, e.action, e.subject) for e in rows(service, Entry)][4:] == [("visagram", "purge video", "a.mp4")]
    assert rows(service, Video) == rows(service, Blob) == rows(service, Job) == []
    service.store.close()


def test_there_is_something_to_tidy_as_long_as_there_is(tmp_path: Path) -> None:
    service = open_service(tmp_path, undo_seconds=1000.0)
    videos = service.videos
    assert not videos.untidy()
    id = add(service)
    analysis, _ = service.analyses.create(ME, id, {})
    job = next(job for job in rows(service, Job) if job.kind == "analyse")
    service.storage.work(job.id).mkdir()
    assert not videos.untidy(), "a folder of work that goes on"
    videos.delete(ME, id)
    assert not videos.untidy(), "it can still be restored"
    with service.store.write() as session:
        session.get(Video, id).purge_at = time.time() - 1
    assert videos.untidy()
    with service.store.write() as session:
        session.get(Video, id).purge_at = None
    assert not videos.untidy()
    service.analyses.delete(ME, analysis)
    assert videos.untidy(), "nobody shows the output"
    videos.tidy()
    assert not videos.untidy() and service.storage.names("work") == [] and rows(service, Output) == []
    service.storage.work(99).mkdir()
    assert videos.untidy(), "a folder of work that nobody does"
    videos.tidy()
    assert not videos.untidy() and service.storage.names("work") == []
    service.store.close()


def test_only_what_nobody_needs_is_forgotten(two_owners) -> None:
    service = two_owners
    mine, theirs = add(service), add(service, who=OTHER)
    lone = add(service, "lone", b"lone")
    service.analyses.create(ME, mine, {})
    for id in (mine, lone):
        service.videos.delete(ME, id, at_once=True)
    assert service.videos.tidy() == 4
    assert [row.id for row in rows(service, Video)] == [theirs]
    assert [blob.bytes for blob in rows(service, Blob)] == [3] and rows(service, Output) == []
    assert [(job.kind, job.blob_id is not None) for job in rows(service, Job)] == [("media", True)]


def test_files_of_each_kind_that_no_row_speaks_of_are_swept(service) -> None:
    id = add(service)
    analysis, _ = service.analyses.create(ME, id, {})
    pending = service.uploads.begin(ME, "b", 5, Wanted(None))
    job = next(job for job in rows(service, Job) if job.kind == "analyse")
    storage, sha256 = service.storage, rows(service, Blob)[0].sha256
    key = rows(service, Output)[0].key
    kept = [storage.media(sha256), storage.output(key), storage.edits(analysis), storage.work(job.id)]
    stray = [storage.media("f" * 64), storage.output("f"), storage.edits("f"), storage.work(job.id + 100)]
    for folder in [*kept, *stray]:
        folder.mkdir()
        (folder / "file").write_bytes(b"12345")
    storage.upload("f").write_bytes(b"12345")
    assert service.videos.tidy() == 25
    assert all(folder.exists() for folder in [*kept, storage.upload(pending), storage.blob(sha256)])
    assert not any(folder.exists() for folder in [*stray, storage.upload("f")])
    assert service.videos.tidy() == 0
    assert list((storage.folder / "tmp").iterdir()) == []


def test_the_queue_has_an_upload(service) -> None:
    one, analysis = upload(service)
    assert [row.id for row in rows(service, Analysis)] == [analysis] and found(service, state="queued") == [
        "sample.mp4"
    ]
    assert video(service, one).analyses[0].id == analysis
