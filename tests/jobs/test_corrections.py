"""Corrected faces: what is kept of each, how many, and where they are forgotten."""

from __future__ import annotations

import csv
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from visagram.errors import Conflict, NotFound, StorageFull, UsageError
from visagram.jobs import corrections as module
from visagram.jobs import storage
from visagram.jobs.corrections import Correction
from visagram.jobs.model import LOCAL_OWNER, Entry, Owner
from visagram.jobs.videos import Who

ME, OTHER = Who(LOCAL_OWNER, "me"), Who(2, "other")
HEAD = "path,label,instead_of,at,who,consent\n"
DAMAGED = "The table corrections.csv of corrections in the data folder was damaged: mend or move it."


@pytest.fixture(autouse=True)
def two_owners(service) -> None:
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))


def add(service, label: str = "sad", instead_of: str = "happy", who: Who = ME, jpeg: bytes = b"\xff\xd8") -> Correction:
    return service.corrections.add(who, jpeg, label, instead_of, consent=True)


def test_a_face_is_kept_with_all_that_is_known_of_it(service) -> None:
    before = time.time()
    first, second = add(service), add(service, "fear", "", jpeg=b"\xff\xd8 two")
    folder = service.storage.folder / "corrections" / "1"
    assert service.corrections.table(ME) == folder / "corrections.csv"
    assert (folder / "corrections.csv").read_text() == (
        f"{HEAD}faces/{first.id}.jpg,sad,happy,{first.at},me,yes\nfaces/{second.id}.jpg,fear,,{second.at},me,yes\n"
    )
    assert int(before) <= datetime.fromisoformat(first.at).timestamp() <= time.time()
    assert datetime.fromisoformat(first.at).tzinfo == UTC and "." not in first.at
    assert service.corrections.all(ME) == [first, second] and service.corrections.all(OTHER) == []
    assert service.corrections.picture(ME, second.id) == folder / "faces" / f"{second.id}.jpg"
    assert (folder / "faces" / f"{second.id}.jpg").read_bytes() == b"\xff\xd8 two"
    with service.store.read() as session:
        said = [(entry.who, entry.action, entry.subject, entry.detail) for entry in session.query(Entry)]
    assert said == [
        ("me", "correct expression", first.id, "happy to sad"),
        ("me", "correct expression", second.id, "unmeasured to fear"),
    ]


def test_without_consent_or_room_nothing_is_kept(service, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        service.corrections.add(ME, b"\xff\xd8", "sad", "", consent=False)
    assert str(caught.value) == (
        "A face is only kept for training with the consent of the person whom it shows: say that there is one."
    )
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=1))
    with pytest.raises(StorageFull):
        add(service)
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=2))
    add(service)
    assert len(service.corrections.all(ME)) == 1


def test_twenty_thousand_faces_are_kept(service) -> None:
    table = service.corrections.table(ME)
    table.parent.mkdir(parents=True)
    table.write_text(HEAD + "".join(f"faces/{k}.jpg,sad,,now,me,yes\n" for k in range(19_999)))
    add(service)
    with pytest.raises(Conflict) as caught:
        add(service)
    assert str(caught.value) == "20,000 corrections are kept already: remove some."
    add(service, who=OTHER)


@pytest.mark.parametrize("content", [b"path,label\na,b\n", b"\xff\xfe\x00", f"{HEAD}a,sad,happy\n".encode()])
def test_a_damaged_table_is_said(content: bytes, service) -> None:
    table = service.corrections.table(ME)
    table.parent.mkdir(parents=True)
    table.write_bytes(content)
    with pytest.raises(Conflict) as caught:
        service.corrections.all(ME)
    assert str(caught.value) == DAMAGED


def test_a_face_is_forgotten_everywhere_and_no_other(service) -> None:
    first, second = add(service), add(service)
    theirs = add(service, who=OTHER)
    copies = {}
    for name, owner in (("mine", 1), ("theirs", 2)):
        copies[name] = service.storage.improvement(name) / "corrections"
        assert service.corrections.copy_to(owner, copies[name]) == copies[name] / "corrections.csv"
    unchanged = (copies["theirs"] / "corrections.csv").stat()
    service.corrections.remove(ME, first.id)
    assert service.corrections.all(ME) == [second]
    for folder in (service.storage.corrections(1), copies["mine"]):
        assert [path.name for path in (folder / "faces").iterdir()] == [f"{second.id}.jpg"]
        assert first.id not in (folder / "corrections.csv").read_text()
        assert second.id in (folder / "corrections.csv").read_text()
    assert (copies["theirs"] / "corrections.csv").stat() == unchanged
    assert [path.stem for path in (copies["theirs"] / "faces").iterdir()] == [theirs.id]
    for id in (first.id, theirs.id, "none"):
        with pytest.raises(NotFound, match=r"^There is no such correction\.$"):
            service.corrections.remove(ME, id)
        with pytest.raises(NotFound):
            service.corrections.picture(ME, id)
    with service.store.read() as session:
        assert [(e.action, e.subject) for e in session.query(Entry)][-1] == ("forget correction", first.id)


def test_a_copy_is_what_there_was_when_it_was_made(service, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert service.corrections.copy_to(1, copy) is None
    assert (copy / "corrections.csv").read_text() == HEAD
    add(service)
    assert service.corrections.copy_to(1, copy) is None, "there was none when it was first asked for"
    other = tmp_path / "other"
    assert service.corrections.copy_to(1, other) == other / "corrections.csv"
    with (other / "corrections.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (other / row["path"]).read_bytes() == b"\xff\xd8"


def test_nobody_waits_for_ever(service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    add(service)
    acts: list[Any] = [lambda: add(service), lambda: service.corrections.copy_to(1, service.storage.folder / "copy")]
    with FileLock(service.storage.corrections(1) / ".lock"):
        for act in acts:
            with pytest.raises(Conflict) as caught:
                act()
            assert str(caught.value) == "The corrections are in use: try again in a moment."
        add(service, who=OTHER)
    add(service)
