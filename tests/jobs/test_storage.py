"""The data folder: where things lie, what is free, what is left over."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from visagram.errors import OutputError, StorageFull
from visagram.jobs import storage as module
from visagram.jobs.model import Analysis
from visagram.jobs.storage import Storage, annotated_file, preview_file, size_of, view_folder

SHA = "abcdef" + "0" * 58


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "a" / "data", 1000)
    made.make()
    return made


def test_the_folders_are_for_the_owner_alone(storage: Storage) -> None:
    assert sorted(path.name for path in storage.folder.iterdir()) == [
        *("blobs", "corrections", "edits", "improvements", "media", "results", "studio", "tmp", "uploads", "work")
    ]
    assert stat.S_IMODE(storage.folder.stat().st_mode) == 0o700
    storage.make()  # what is there stays


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        Storage(tmp_path / "file" / "data", 0).make()


def test_where_things_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = Storage(Path("data"), 0)
    root = tmp_path / "data"
    assert storage.folder == root
    assert storage.blob(SHA) == root / "blobs" / "ab" / SHA
    assert storage.output("k") == root / "results" / "k" and storage.media(SHA) == root / "media" / SHA
    assert storage.edits("a") == root / "edits" / "a" and storage.studio(3) == root / "studio" / "3"
    assert storage.improvement("m") == root / "improvements" / "m"
    assert storage.corrections(3) == root / "corrections" / "3"
    assert storage.upload("u") == root / "uploads" / "u" and storage.work(7) == root / "work" / "7"
    assert preview_file(storage.work(7)) == root / "work" / "7" / "preview.jpg"
    assert annotated_file(storage, "a", 4) == root / "edits" / "a" / "annotated-4.mp4"
    assert view_folder(storage, Analysis(id="a", output_id="k", view=0)) == root / "results" / "k"
    assert view_folder(storage, Analysis(id="a", output_id="k", view=5)) == root / "edits" / "a" / "view-5"


def test_what_is_free_leaves_something(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(folder: Path) -> SimpleNamespace:
        assert folder == storage.folder
        return SimpleNamespace(free=1000 + (5 << 20))

    monkeypatch.setattr(module.shutil, "disk_usage", usage)
    assert storage.free() == 5 << 20
    storage.reserve(0)
    storage.reserve(5 << 20)
    with pytest.raises(StorageFull) as caught:
        storage.reserve((5 << 20) + 1)
    assert str(caught.value) == "There is not enough space for 5 MiB: delete videos or free space on the disk."
    with pytest.raises(StorageFull, match="for 2,048 MiB"):
        storage.reserve(2 << 30)


def test_a_temporary_folder_is_gone_afterwards(storage: Storage) -> None:
    with storage.temporary() as folder:
        assert folder.parent == storage.folder / "tmp" and folder.name.startswith(f"{os.getpid()}-")
        (folder / "file").write_text("x")
    assert not folder.exists()
    with pytest.raises(ZeroDivisionError), storage.temporary() as folder:
        raise ZeroDivisionError
    assert not folder.exists()
    with storage.temporary() as folder:
        folder.rmdir()  # it may be moved away
    (storage.folder / "tmp").rmdir()
    with pytest.raises(OutputError), storage.temporary():
        pass


def test_what_processes_left_is_removed(storage: Storage) -> None:
    names = ["12-a", "123-b", "1-c", "waste-12"]
    for name in names:
        (storage.folder / "tmp" / name).mkdir()
    storage.empty_temporary(12)
    assert sorted(path.name for path in (storage.folder / "tmp").iterdir()) == sorted(names[1:])
    storage.empty_temporary()
    assert list((storage.folder / "tmp").iterdir()) == []


def test_bytes_become_a_blob_and_keep_their_name(storage: Storage, tmp_path: Path) -> None:
    part = storage.upload("u")
    part.write_bytes(b"abc")
    storage.publish_blob(part, SHA)
    assert storage.blob(SHA).samefile(part)
    other = storage.upload("v")
    other.write_bytes(b"abcd")
    storage.publish_blob(other, SHA)
    assert storage.blob(SHA).samefile(other) and part.read_bytes() == b"abc"
    with pytest.raises(OutputError):
        storage.publish_blob(tmp_path / "gone", SHA)


def test_where_there_are_no_links_bytes_are_moved(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    part = storage.upload("u")
    part.write_bytes(b"abc")
    storage.publish_blob(part, SHA)
    assert storage.blob(SHA).read_bytes() == b"abc" and not part.exists()


def test_a_folder_takes_the_place_of_another(storage: Storage, tmp_path: Path) -> None:
    place = storage.output("k")
    for content in ("one", "two"):
        part = tmp_path / content
        part.mkdir()
        (part / content).write_text(content)
        storage.publish_folder(part, place)
        assert [path.name for path in place.iterdir()] == [content] and not part.exists()
    assert list((storage.folder / "tmp").iterdir()) == []
    with pytest.raises(OutputError):
        storage.publish_folder(tmp_path / "gone", place)


def test_names_are_those_of_each_kind(storage: Storage) -> None:
    storage.blob(SHA).parent.mkdir()
    storage.blob(SHA).write_bytes(b"")
    storage.upload("u").write_bytes(b"")
    (storage.folder / "uploads" / ".hidden").write_bytes(b"")
    storage.work(3).mkdir()
    (storage.work(3) / "inner").mkdir()
    assert [storage.names(kind) for kind in ("blobs", "uploads", "work", "media")] == [[SHA], ["u"], ["3"], []]
    (storage.folder / "blobs" / ".hidden").write_bytes(b"")
    assert storage.names("blobs") == [SHA]


def test_what_is_thrown_away_is_out_of_its_place_at_once(storage: Storage) -> None:
    storage.blob(SHA).parent.mkdir()
    storage.blob(SHA).write_bytes(b"abc")
    storage.work(3).mkdir()
    for kind, name, place in (("blobs", SHA, storage.blob(SHA)), ("work", "3", storage.work(3))):
        waste = storage.discard(kind, name)
        assert waste is not None and not place.exists()
        assert waste.parent == storage.folder / "tmp" and waste.name.startswith("waste-") and waste.exists()
        assert storage.discard(kind, name) is None


def test_removing_tells_how_many_bytes_that_freed(storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for name, size in (("a", 5), ("inner/b", 7), ("inner/c", 0)):
        (folder / name).write_bytes(bytes(size))
    (folder / "link").symlink_to(tmp_path / "nowhere")
    assert size_of(folder) == 12 and size_of(folder / "a") == 5 and size_of(tmp_path / "gone") == 0
    assert storage.remove(folder / "a") == 5 and not (folder / "a").exists()
    assert storage.remove(folder) == 7 and not folder.exists()
    assert storage.remove(folder) == 0
