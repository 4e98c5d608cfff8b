"""The studio: faces asked for, made by a worker, looked at and judged."""

from __future__ import annotations

import json
import threading
import time

import pytest
from sqlalchemy import select

import visagram.synth.studio as studio
from generators import Drawing, Portraits
from service import open_service, work
from visagram.core.types import EXPRESSIONS
from visagram.evaluate.marked import is_marked
from visagram.jobs.model import Job, Unit
from visagram.models import catalog
from visagram.synth.collection import MANIFEST
from visagram.web.app import create_app
from world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A data folder of its own: what waits elsewhere is not worked on here."""
    service = open_service(tmp_path_factory.mktemp("studio"))
    opened = World(service, create_app(service).test_client())
    yield opened
    opened.client.application.extensions["visagram.stills"].close()
    service.store.close()


@pytest.fixture
def smiling(monkeypatch):
    """A generator that always makes a woman smile."""
    made = Portraits()
    monkeypatch.setattr(studio, "open_generator", lambda *_, **__: made)
    return made


@pytest.fixture
def asked(world, smiling):
    """Four happy faces and two of disgust, made and judged."""
    for expression, count in (("happy", 4), ("disgust", 2)):
        assert world.post("/studio/makings", {"expression": expression, "count": count, "seed": 3}).status_code == 202
    work(world.service)
    return world


def _faces(world, query=""):
    return world.get(f"/studio/faces{query}").json["items"]


def test_faces_are_made_judged_and_shown(asked):
    makings = asked.get("/studio/makings").json["items"]
    assert [(m["expression"], m["count"], m["state"], m["error"]) for m in makings[:2]] == [
        ("disgust", 2, "done", None),
        ("happy", 4, "done", None),
    ]
    assert asked.get(f"/studio/makings/{makings[0]['id']}").json == makings[0]
    happy = _faces(asked, "?expression=happy")
    assert [face["file"] for face in happy] == [f"happy/happy-3-0000{k}.png" for k in range(4)]
    assert any(face["accepted"] and face["agreement"] > 0.5 for face in happy)
    disgust = _faces(asked, "?expression=disgust")
    assert all(not face["accepted"] and face["reason"] for face in disgust)
    assert _faces(asked, "?expression=disgust&accepted=true") == []
    counts = {each["expression"]: each["faces"] for each in asked.get("/studio").json["expressions"]}
    assert counts == dict.fromkeys(EXPRESSIONS, 0) | {"happy": 4, "disgust": 2}


def test_a_picture_is_png_marked_and_kept_by_the_browser(asked, tmp_path):
    (face,) = _faces(asked, "?expression=happy&limit=1")
    found = asked.get(face["url"])
    assert (found.status_code, found.mimetype) == (200, "image/png")
    (tmp_path / "face.png").write_bytes(found.data)
    assert is_marked(tmp_path / "face.png")
    assert asked.get(face["url"], If_None_Match=found.headers["ETag"]).status_code == 304


def test_a_person_has_the_last_word_and_may_take_it_back(asked):
    first = _faces(asked, "?expression=disgust")[0]
    assert asked.patch(f"/studio/faces/{first['file']}", {"review": "accept"}).status_code == 204
    said = _faces(asked, "?expression=disgust")[0]
    assert (said["accepted"], said["review"], said["decision"]) == (True, "accepted", "rejected")
    assert asked.patch(f"/studio/faces/{first['file']}", {"review": "undo"}).status_code == 204
    assert _faces(asked, "?expression=disgust")[0]["accepted"] is False
    assert any(entry["subject"] == first["file"] for entry in asked.get("/log").json["items"])


def test_asking_again_makes_nothing_twice(asked, smiling):
    before = len(smiling.asked)
    asked.post("/studio/makings", {"expression": "happy", "count": 5, "seed": 3})
    work(asked.service)
    assert len(smiling.asked) == before + 1


def test_a_request_that_waits_is_not_doubled_and_can_be_cancelled(world, smiling, problem):
    wanted = {"expression": "sad", "count": 3, "seed": 1}
    one, same = (world.post("/studio/makings", wanted).json["id"] for _ in range(2))
    assert one == same
    assert world.post(f"/studio/makings/{one}/cancel").json["state"] == "cancelled"
    assert problem(world.post(f"/studio/makings/{one}/cancel"), 409)
    assert work(world.service) == [] and _faces(world, "?expression=sad") == []
    assert world.post(f"/studio/makings/{one}/retry").status_code == 202
    assert work(world.service) == ["generate"]
    assert len(_faces(world, "?expression=sad")) == 3


def test_a_generator_that_fails_says_why_and_what_it_made_stays(world, monkeypatch):
    monkeypatch.setattr(studio, "open_generator", lambda *_, **__: Drawing(lasts=2))
    id = world.post("/studio/makings", {"expression": "fear", "count": 4, "seed": 9}).json["id"]
    work(world.service)
    found = world.get(f"/studio/makings/{id}").json
    assert (found["state"], found["error"]["code"]) == ("failed", "generation_failed")
    assert "tired" in found["error"]["detail"]
    assert len(_faces(world, "?expression=fear")) == 2
    monkeypatch.setattr(studio, "open_generator", lambda *_, **__: Drawing())
    world.post(f"/studio/makings/{id}/retry")
    work(world.service)
    assert world.get(f"/studio/makings/{id}").json["state"] == "done"
    assert len(_faces(world, "?expression=fear")) == 4


def test_a_request_whose_process_died_is_done_by_another_without_doubles(world, smiling):
    id = world.post("/studio/makings", {"expression": "angry", "count": 3, "seed": 4}).json["id"]
    from visagram.jobs.leases import Leases

    assert Leases(world.service.store, "dead", -1).claim().kind == "generate"
    work(world.service)
    assert world.get(f"/studio/makings/{id}").json["state"] == "done"
    with world.service.store.read() as session:
        (unit,) = session.scalars(select(Unit).join(Job).where(Job.making_id == id))
        assert unit.attempt == 2
    assert len(_faces(world, "?expression=angry")) == 3


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"expression": "bored"},
        {"expression": "happy", "count": 0},
        {"expression": "happy", "count": 513},
        {"expression": "happy", "seed": -1},
        {"expression": "happy", "guidance": 21},
        {"expression": "happy", "generator": "own:/etc/passwd"},
    ],
    ids=str,
)
def test_senseless_requests_are_refused(world, problem, wanted):
    assert problem(world.post("/studio/makings", wanted), 422)


@pytest.mark.parametrize("file", ["happy/none.png", "happy/../../x.png", "..%2F..%2Fvisagram.db/x", "happy/%00.png"])
def test_faces_that_there_are_not_are_not_found(asked, problem, file):
    assert problem(asked.get(f"/studio/faces/{file}"), 404)
    assert problem(asked.patch(f"/studio/faces/{file}", {"review": "accept"}), 404)


def test_an_edited_manifest_is_refused_and_nothing_is_lost(asked, problem):
    folder = asked.service.storage.studio(1)
    content = (folder / MANIFEST).read_text()
    whole = json.loads(content)
    whole["faces"][0]["review"] = "accepted"
    (folder / MANIFEST).write_text(json.dumps(whole))
    try:
        assert problem(asked.get("/studio/faces"), 409, "conflict")
        assert str(folder) not in asked.get("/studio/faces").text
    finally:
        (folder / MANIFEST).write_text(content)
    assert _faces(asked, "?expression=happy")


def test_without_the_extra_the_studio_offers_what_comes_with_visagram(world, problem, monkeypatch):
    monkeypatch.setitem(catalog.EXTRAS, "generate", ("no_such_package",))
    assert world.get("/studio").json["generators"] == ["visagram-diffusion"]
    wanted = {"expression": "happy", "generator": "diffusers:somebody/else"}
    assert problem(world.post("/studio/makings", wanted), 422, "usage")


def test_two_requests_of_one_owner_wait_for_each_other(world, smiling, monkeypatch):
    ids = [
        world.post("/studio/makings", {"expression": e, "count": 6, "seed": 21}).json["id"]
        for e in ("happy", "surprise")
    ]
    real = smiling.generate

    def slowly(*arguments, **more):
        for face in real(*arguments, **more):
            time.sleep(0.1)
            yield face

    monkeypatch.setattr(smiling, "generate", slowly)
    workers = [threading.Thread(target=work, args=(world.service, name)) for name in ("one", "two")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [world.get(f"/studio/makings/{id}").json["state"] for id in ids] == ["done", "done"]
    found = [face for face in _faces(world, "?limit=500") if face["seed"] == 21]
    assert len(found) == 12 and all(face["decision"] for face in found)
