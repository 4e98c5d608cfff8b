"""Saying what a face shows instead, with consent, and having it forgotten."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from service import open_service
from visagram.evaluate import data as labelled
from visagram.learn.also import read_also

SAID = {"time": 1.0, "expression": "sad", "consent": True}


@pytest.fixture
def kept(world, fresh):
    found = world.post(f"/analyses/{fresh[1]}/people/1/corrections", SAID)
    assert found.status_code == 201, found.text
    yield found.json
    if any(each["id"] == found.json["id"] for each in world.get("/studio/corrections").json["items"]):
        world.delete(f"/studio/corrections/{found.json['id']}")


def test_a_corrected_face_is_kept_with_what_the_model_said(world, fresh, kept):
    rows = world.get(f"/analyses/{fresh[1]}/observations?start=1&end=1.001").json["items"]
    assert (kept["expression"], kept["instead_of"], kept["who"]) == ("sad", rows[0]["emotion"], "local")
    assert world.get("/studio/corrections").json["items"] == [kept]
    picture = world.get(kept["url"])
    assert picture.mimetype == "image/jpeg"
    height, width, _ = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR).shape
    assert abs(width - 240) < 3 and abs(height - 240) < 3
    # The result stays what the model said.
    assert world.get(f"/analyses/{fresh[1]}").json["revision"] == 0
    assert any(entry["action"] == "correct expression" for entry in world.get("/log").json["items"])


def test_they_are_a_labelled_set_that_training_reads(world, kept):
    table = world.service.corrections.table(world.service.owners.local)
    with table.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["label"], row["consent"]) == ("sad", "yes")
    data = labelled.read_training(table)
    assert data.counts["sad"] == len(data) == 1
    found = read_also(table, lambda *_: None)
    assert found.facts["by_expression"] == {"sad": 1} and found.faces.luma.shape == (1, 48, 48)


def test_whoever_withdraws_consent_is_forgotten(world, kept):
    picture = world.service.corrections.picture(world.service.owners.local, kept["id"])
    assert picture.is_file()
    assert world.delete(f"/studio/corrections/{kept['id']}").status_code == 204
    assert not picture.exists() and world.get("/studio/corrections").json["items"] == []


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (SAID | {"consent": False}, 422),
        ({"time": 1.0, "expression": "sad"}, 422),
        (SAID | {"expression": "bored"}, 422),
        (SAID | {"time": 1e9}, 422),
        (SAID | {"time": 100.0}, 409),
    ],
    ids=str,
)
def test_senseless_corrections_are_refused_and_nothing_is_kept(world, problem, wanted, status):
    assert problem(world.post(f"/analyses/{world.analysis}/people/1/corrections", wanted), status)
    assert world.get("/studio/corrections").json["items"] == []


def test_people_and_corrections_that_there_are_not(world, problem):
    assert problem(world.post(f"/analyses/{world.analysis}/people/9/corrections", SAID), 409)
    assert problem(world.post("/analyses/none/people/1/corrections", SAID), 404)
    for id in ("none", "..%2F..%2Fvisagram.db"):
        assert problem(world.delete(f"/studio/corrections/{id}"), 404)
        assert problem(world.get(f"/studio/corrections/{id}/picture"), 404)


def test_a_picture_without_a_face_is_not_kept(world, problem, monkeypatch):
    grey = cv2.imencode(".jpg", np.full((240, 240, 3), 90, np.uint8))[1].tobytes()
    stills = world.client.application.extensions["visagram.stills"]
    monkeypatch.setattr(stills, "get", lambda *_: grey)
    assert problem(world.post(f"/analyses/{world.analysis}/people/1/corrections", SAID), 409, "conflict")
    assert world.get("/studio/corrections").json["items"] == []


def test_many_at_once_lose_nothing_and_a_copy_forgets_too(tmp_path):
    service = open_service(tmp_path / "data")
    who, jpeg = service.owners.local, cv2.imencode(".jpg", np.zeros((9, 9, 3), np.uint8))[1].tobytes()

    def add(_):
        return [service.corrections.add(who, jpeg, "sad", "", consent=True).id for _ in range(5)]

    with ThreadPoolExecutor(6) as pool:
        ids = [id for some in pool.map(add, range(6)) for id in some]
    assert sorted(row.id for row in service.corrections.all(who)) == sorted(ids)
    copy = tmp_path / "data" / "improvements" / "pass" / "corrections"
    assert service.corrections.copy_to(who.owner, copy) == copy / "corrections.csv"
    service.corrections.add(who, jpeg, "happy", "", consent=True)
    service.corrections.remove(who, ids[0])
    assert ids[0] not in (copy / "corrections.csv").read_text()
    assert sorted(path.stem for path in (copy / "faces").iterdir()) == sorted(ids[1:])
    # What is added later belongs to the next pass.
    assert service.corrections.copy_to(who.owner, copy).read_text().count("\n") == len(ids)
    service.store.close()


def test_a_damaged_table_is_refused_and_stays(world, kept, problem):
    table = world.service.corrections.table(world.service.owners.local)
    whole = table.read_text()
    try:
        table.write_text("path,label\nfaces/x.jpg\n")
        assert problem(world.get("/studio/corrections"), 409)
        assert problem(world.delete(f"/studio/corrections/{kept['id']}"), 409)
        assert table.read_text() == "path,label\nfaces/x.jpg\n"
    finally:
        table.write_text(whole)
