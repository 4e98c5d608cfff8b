"""Uploads byte by byte: what is promised, what is refused, what became of them."""

from __future__ import annotations

import errno
import fcntl
import io
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service import open_service
from visagram.errors import Conflict, EmptyInput, NotFound, StorageFull, TooLarge, UsageError
from visagram.jobs import storage
from visagram.jobs.model import LOCAL_OWNER, Analysis, Upload, Video
from visagram.jobs.uploads import UNKNOWN, Progress, Wanted
from visagram.jobs.videos import Labels, Who

ME, OTHER = Who(LOCAL_OWNER), Who(2, "other")
MEBIBYTE = 1 << 20


@pytest.fixture
def service(tmp_path: Path):
    opened = open_service(tmp_path / "data", max_upload=1)
    yield opened
    opened.store.close()


def begin(service, length: int, name: str = "a.mp4", wanted: Wanted | None = None) -> str:
    return service.uploads.begin(ME, name, length, wanted or Wanted(None))


def append(service, id: str, offset: int, *parts: bytes) -> Progress:
    return service.uploads.append(ME, id, offset, parts)


def rows(service, kind: Any) -> list[Any]:
    with service.store.read() as session:
        return session.query(kind).all()


def free(monkeypatch: pytest.MonkeyPatch, bytes: int) -> None:
    """So much is free on the disk."""
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=bytes))


def test_what_is_wanted_goes_through_json() -> None:
    wanted = Wanted({"end": 2.0}, Labels("p", "c", ("x", "y"), "n"))
    labels = {"participant": "p", "condition": "c", "notes": "n", "tags": ["x", "y"]}
    assert wanted.to_json() == {"settings": {"end": 2.0}, "labels": labels}
    assert Wanted.from_json(wanted.to_json()) == Wanted({"end": 2.0}, Labels("p", "c", ["x", "y"], "n"))
    assert Wanted(None).to_json() == {
        "settings": None,
        "labels": {"participant": "", "condition": "", "notes": "", "tags": []},
    }
    assert Wanted({}).to_json()["settings"] == {}


# --- Begin -----------------------------------------------------------------------------------------------------------


def test_an_upload_begins_empty(service) -> None:
    before = time.time()
    id = begin(service, 10, "dir/a.mp4")
    assert service.storage.upload(id).read_bytes() == b""
    (row,) = rows(service, Upload)
    assert (row.id, row.owner_id, row.name, row.length, row.video_id) == (id, LOCAL_OWNER, "dir/a.mp4", 10, None)
    assert before <= row.touched <= time.time()
    assert service.uploads.progress(ME, id) == Progress(0, 10, None)
    assert service.uploads.most == MEBIBYTE


def test_an_upload_may_have_the_most_and_no_more(service) -> None:
    begin(service, MEBIBYTE)
    begin(service, 1)
    begin(service, UNKNOWN)
    with pytest.raises(TooLarge) as caught:
        begin(service, MEBIBYTE + 1)
    assert str(caught.value) == "The file has 1 MiB; at most 1 are taken."
    with pytest.raises(TooLarge, match="The file has 2,048 MiB; at most 1 are taken"):
        begin(service, 2048 * MEBIBYTE)
    with pytest.raises(EmptyInput, match=r"^The file is empty\.$"):
        begin(service, 0)
    with pytest.raises(UsageError):
        begin(service, 1, wanted=Wanted({"start": 5, "end": 4}))
    assert len(rows(service, Upload)) == 3


def test_room_is_made_for_what_is_still_to_come(service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fits(length: int, bytes: int) -> bool:
        free(monkeypatch, bytes)
        try:
            service.uploads.drop(ME, begin(service, length))
        except StorageFull:
            return False
        finally:
            monkeypatch.undo()
        return True

    assert fits(40, 40) and not fits(40, 39)
    id = begin(service, 100)
    append(service, id, 0, bytes(40))
    assert fits(40, 100) and not fits(40, 99), "sixty bytes are promised"
    begin(service, UNKNOWN)
    begin(service, 1)
    assert fits(40, 101) and not fits(40, 100) and fits(UNKNOWN, 61) and not fits(UNKNOWN, 60)
    append(service, id, 40, bytes(60))
    assert fits(40, 41) and not fits(40, 40), "a whole one needs nothing more"
    service.uploads.finish(ME, id)
    assert fits(40, 41)


# --- Append ----------------------------------------------------------------------------------------------------------


def test_bytes_are_appended_where_the_file_ends(service) -> None:
    id = begin(service, 10)
    with service.store.write() as session:
        session.get(Upload, id).touched = 5.0
    before = time.time()
    assert append(service, id, 0, b"abc", b"", b"d") == Progress(4, 10, None)
    assert before <= rows(service, Upload)[0].touched <= time.time()
    for wrong in (3, 5, 0, -1):
        with pytest.raises(Conflict) as caught:
            append(service, id, wrong, b"x")
        assert str(caught.value) == f"The upload goes on at byte 4, not at {wrong}."
    assert service.uploads.append(ME, id, 4, io.BytesIO(b"efghij")) == Progress(10, 10, None)
    assert service.storage.upload(id).read_bytes() == b"abcdefghij"
    assert service.uploads.progress(ME, id) == Progress(10, 10, None)


def test_a_stream_is_read_in_blocks(service) -> None:
    read: list[int] = []

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            read.append(size or 0)
            return super().read(size)

    content = bytes(range(256)) * 4096
    id = begin(service, len(content))
    service.uploads.append(ME, id, 0, Stream(content))
    assert read == [MEBIBYTE, MEBIBYTE] and service.storage.upload(id).read_bytes() == content


def test_no_more_is_taken_than_was_promised(service) -> None:
    id = begin(service, 10)
    with pytest.raises(TooLarge) as caught:
        append(service, id, 0, b"12345", b"123456")
    assert str(caught.value) == "The upload is larger than the 10 bytes that it may have."
    assert service.uploads.progress(ME, id).offset == 5
    append(service, id, 5, b"12345")
    open_ended = begin(service, UNKNOWN)
    assert append(service, open_ended, 0, bytes(MEBIBYTE)).offset == MEBIBYTE
    with pytest.raises(TooLarge, match="larger than the 1,048,576 bytes"):
        append(service, open_ended, MEBIBYTE, b"x")


def test_each_block_needs_its_room(service, monkeypatch: pytest.MonkeyPatch) -> None:
    id = begin(service, 10)
    free(monkeypatch, 4)
    assert append(service, id, 0, b"1234").offset == 4
    with pytest.raises(StorageFull):
        append(service, id, 4, b"12345")
    monkeypatch.undo()
    assert service.uploads.progress(ME, id).offset == 4


@pytest.mark.parametrize(
    ("number", "raised"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, OSError)]
)
def test_a_disk_that_fails_meanwhile_is_said(number: int, raised: type[Exception], service) -> None:
    id = begin(service, 10)

    def failing() -> Iterator[bytes]:
        yield b"123"
        raise OSError(number, "no")

    with pytest.raises(raised) as caught:
        service.uploads.append(ME, id, 0, failing())
    if raised is StorageFull:
        assert str(caught.value) == "The disk is full: free some space, then the upload can go on."
    assert service.uploads.progress(ME, id).offset == 3


def test_two_do_not_write_one_upload_at_a_time(service) -> None:
    id = begin(service, 10)
    with service.storage.upload(id).open("rb") as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        with pytest.raises(Conflict) as caught:
            append(service, id, 0, b"x")
        assert str(caught.value) == "Another request writes to this upload: ask for its offset again."
    assert append(service, id, 0, b"x").offset == 1


def test_an_upload_that_grew_meanwhile_is_not_overwritten(service) -> None:
    id = begin(service, 10)
    file, usual = service.storage.upload(id), service.storage.upload

    class Growing:
        """The path of the upload, whose file grows just before it is opened."""

        def __getattr__(self, name: str) -> Any:
            return getattr(file, name)

        def open(self, *how: Any, **more: Any) -> Any:
            file.write_bytes(b"grown")
            return file.open(*how, **more)

    paths = iter([file, Growing()])
    service.storage.upload = lambda _id: next(paths)
    with pytest.raises(Conflict, match="Another request writes to this upload"):
        append(service, id, 0, b"x")
    service.storage.upload = usual
    assert file.read_bytes() == b"grown"


# --- Finish ----------------------------------------------------------------------------------------------------------


def test_a_whole_upload_becomes_an_entry_once(service) -> None:
    id = begin(service, 3, "dir/a.mp4", Wanted({"end": 2.0}, Labels("p")))
    append(service, id, 0, b"ab")
    with pytest.raises(Conflict) as caught:
        service.uploads.finish(ME, id)
    assert str(caught.value) == "The upload is not complete: 2 of 3 bytes arrived."
    append(service, id, 2, b"c")
    video, analysis = service.uploads.finish(ME, id)
    assert service.uploads.finish(ME, id) == (video, analysis)
    assert [row.id for row in rows(service, Video)] == [video] and [row.id for row in rows(service, Analysis)] == [
        analysis
    ]
    (entry,) = rows(service, Video)
    assert (entry.name, entry.participant) == ("a.mp4", "p")
    assert entry.blob_id == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert service.uploads.progress(ME, id) == Progress(3, 3, video)
    with pytest.raises(Conflict, match="goes on at byte 3, not at 3"):
        append(service, id, 3, b"d")


def test_an_upload_that_says_its_own_end(service) -> None:
    id = begin(service, UNKNOWN)
    append(service, id, 0, b"abc")
    assert service.uploads.finish(ME, id)[1] is None
    empty = begin(service, UNKNOWN)
    with pytest.raises(EmptyInput, match=r"^The file is empty\.$"):
        service.uploads.finish(ME, empty)
    with pytest.raises(NotFound, match="There is no such upload; it may have expired"):
        service.uploads.progress(ME, empty)
    assert not service.storage.upload(empty).exists()


def test_what_is_wanted_can_be_said_anew(service) -> None:
    id = begin(service, 1)
    service.uploads.describe(ME, id, Wanted({"end": 1.0}, Labels("q")))
    append(service, id, 0, b"a")
    _, analysis = service.uploads.finish(ME, id)
    assert analysis is not None and rows(service, Video)[0].participant == "q"
    with service.store.read() as session:
        assert session.get(Analysis, analysis).output.settings["end"] == 1.0


def test_an_upload_that_is_dropped_is_gone(service) -> None:
    id, other = begin(service, 10), begin(service, 10)
    append(service, id, 0, b"abc")
    service.uploads.drop(ME, id)
    assert service.storage.names("uploads") == [other] and list((service.storage.folder / "tmp").iterdir()) == []
    for act in (service.uploads.drop, service.uploads.progress, service.uploads.finish):
        with pytest.raises(NotFound):
            act(ME, id)
        with pytest.raises(NotFound):
            act(OTHER, other)
    with pytest.raises(NotFound):
        service.uploads.describe(OTHER, other, Wanted(None))
    service.storage.upload(other).unlink()
    assert service.uploads.progress(ME, other) == Progress(0, 10, None)
    service.uploads.drop(ME, other)
