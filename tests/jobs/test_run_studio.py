"""What the studio was asked for, with its work made by hand: what that is given, and what is left when it is done."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from visagram.jobs import leases, storage
from visagram.jobs import run as jobs_run
from visagram.jobs.leases import Leases
from visagram.jobs.model import GENERATE, IMPROVE, LOCAL_OWNER, Job, Making, Owner
from visagram.jobs.run import Runner
from visagram.jobs.videos import Who
from weights import write_linear

studio = pytest.importorskip("visagram.synth.studio")
WANTED = {"expression": "happy", "count": 4, "seed": 1}


@pytest.fixture
def queue(service) -> Leases:
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))
    return Leases(service.store, "me", 30)


def ask(service, kind: str, unit: str, wanted: dict[str, Any] = WANTED) -> str:
    with service.store.write() as session:
        making = Making(owner_id=2, request=wanted)
        session.add(making)
        session.flush()
        leases.add_job(session, kind, unit, making_id=making.id)
        return making.id


def job(service, *fields: str) -> tuple[Any, ...]:
    with service.store.read() as session:
        found = session.query(Job).one()
        return tuple(getattr(found, name) for name in fields)


def run(service, queue: Leases, training: Path | None = None) -> None:
    lease = queue.claim()
    assert lease is not None
    Runner(service.store, service.storage, queue, service.settings, training).run(lease)


def test_faces_are_made_in_the_folder_of_their_owner(service, queue, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Any, ...]] = []

    def fill(folder: Path, wanted: dict[str, Any], settings: Any, progress: Any) -> None:
        given.append((folder, wanted, settings.processes))
        progress("generate", 1, 4)

    monkeypatch.setattr(studio, "fill", fill)
    ask(service, GENERATE, leases.MAKE)
    run(service, queue)
    assert given == [(service.storage.studio(2), WANTED, 1)]
    assert job(service, "state") == ("done",)


@pytest.mark.parametrize(("free", "state"), [(0, "done"), (-1, "failed")])
def test_without_room_nothing_is_begun(
    free: int, state: str, service, queue, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(studio, "fill", lambda *_: begun.append("fill"))
    monkeypatch.setattr(studio, "improve", lambda *_: begun.append("improve"))
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))
    for kind, unit in ((GENERATE, leases.MAKE), (IMPROVE, leases.IMPROVE)):
        ask(service, kind, unit)
        run(service, queue, tmp_path)
        assert job(service, "state", "error_code") == (state, None if state == "done" else "storage_full")
        with service.store.write() as session:
            session.delete(session.query(Job).one())
    assert begun == (["fill", "improve"] if state == "done" else [])


@pytest.mark.parametrize("corrected", [False, True])
def test_a_pass_is_given_its_places_and_forgets_the_corrections(
    corrected: bool, service, queue, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Any, ...]] = []
    if corrected:
        service.corrections.add(Who(2, "other"), b"\xff\xd8", "sad", "", consent=True)
    service.corrections.add(Who(LOCAL_OWNER), b"\xff\xd8", "fear", "", consent=True)

    def improve(places: Any, wanted: dict[str, Any], settings: Any, progress: Any, say: Any) -> None:
        given.append((places, wanted, settings.processes))
        text = (service.storage.improvement(id) / "corrections" / "corrections.csv").read_text()
        assert ("sad" in text) == corrected and "fear" not in text
        progress("train", 1, 2)
        say("half of it")

    monkeypatch.setattr(studio, "improve", improve)
    id = ask(service, IMPROVE, leases.IMPROVE, {"ratio": 0.5, "seed": 3})
    run(service, queue, tmp_path / "training")
    work = service.storage.improvement(id)
    table = work / "corrections" / "corrections.csv" if corrected else None
    places = studio.Places(tmp_path / "training", service.storage.studio(2), table, work)
    assert given == [(places, {"ratio": 0.5, "seed": 3}, 1)]
    assert work.is_dir() and not (work / "corrections").exists()
    assert job(service, "state") == ("done",)


@pytest.mark.parametrize("found", [False, True])
def test_what_a_candidate_would_change_lies_beside_the_verdict(
    found: bool, service, queue, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No candidate, no such file. Nobody's corrections are left while videos are looked at."""
    candidate = service.storage.improvement(id := ask(service, IMPROVE, leases.IMPROVE)) / "model"

    def improve(*_: Any) -> None:
        if found:
            write_linear(candidate / "visagram-emotion.onnx")

    def looked(videos: Any, file: Path, settings: Any, workers: Any, worded: Any, progress: Any) -> list[Any]:
        assert (videos, file) == (["of 2"], candidate / "visagram-emotion.onnx")
        assert not (candidate.parent / "corrections").exists()
        return [{"name": worded(f"{service.storage.folder}/blobs/ab: gone")}]

    candidate.mkdir(parents=True)
    monkeypatch.setattr(studio, "improve", improve)
    monkeypatch.setattr(jobs_run, "newest", lambda _session, _storage, owner: [f"of {owner}"])
    monkeypatch.setattr(jobs_run, "effects", looked)
    run(service, queue, tmp_path)
    preview = service.storage.improvement(id) / "preview.json"
    assert preview.is_file() == found and job(service, "state") == ("done",)
    if found:
        assert json.loads(preview.read_text()) == {"videos": [{"name": "The file: gone"}]}


def test_a_pass_without_data_says_what_is_missing(service, queue) -> None:
    ask(service, IMPROVE, leases.IMPROVE)
    run(service, queue)
    state, code, detail = job(service, "state", "error_code", "error_detail")
    assert (state, code) == ("failed", "usage") and "training_data" in detail


@pytest.mark.parametrize(("kind", "unit"), [(GENERATE, leases.MAKE), (IMPROVE, leases.IMPROVE)])
def test_what_nobody_wants_any_more_is_left(kind: str, unit: str, service, queue, tmp_path) -> None:
    ask(service, kind, unit)
    lease = queue.claim()
    with service.store.write() as session:
        session.delete(session.query(Job).one())
        session.delete(session.query(Making).one())
    Runner(service.store, service.storage, queue, service.settings, tmp_path).run(lease)
    assert service.storage.names("improvements") == service.storage.names("studio") == []
