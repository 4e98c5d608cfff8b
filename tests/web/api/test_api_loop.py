"""Passes of the loop: started, followed, compared, promoted and rolled back."""

from __future__ import annotations

import json
import shutil

import cv2
import pytest

import visagram.synth.studio as studio
from generators import Drawing, Portraits, portrait
from service import open_service, work
from sheets import smiles
from visagram.jobs.leases import Leases
from visagram.jobs.videos import Who
from visagram.learn.recipes import RECIPES
from visagram.models.card import COMMITTEE, EMOTION, read_card
from visagram.settings import Settings
from visagram.web.app import create_app
from world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A data folder of its own, with data for the loop and with models of its own."""
    place = tmp_path_factory.mktemp("loop")
    service = open_service(
        place / "data", Settings(models=str(place / "models")), training_data=str(smiles(place / "sheets"))
    )
    opened = World(service, create_app(service).test_client())
    yield opened
    opened.client.application.extensions["visagram.stills"].close()
    service.store.close()


@pytest.fixture(scope="module", autouse=True)
def quick(module_patch):
    """A generator that always makes a woman smile, and a fine-tuning of two epochs."""
    made = Portraits()
    module_patch.setattr(studio, "open_generator", lambda *_, **__: made)
    module_patch.setattr(studio, "RECIPES", {"finetune": RECIPES["finetune"].lasting(2)})
    return made


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def done(world):
    """A pass that went to its verdict, after somebody had generated, judged and corrected faces: its address."""
    world.post("/studio/makings", {"expression": "happy", "count": 4, "seed": 9})
    work(world.service)
    first = world.get("/studio/faces").json["items"][0]
    world.patch(f"/studio/faces/{first['file']}", {"review": "reject"})
    world.fresh("talk.mp4")
    work(world.service)
    jpeg = cv2.imencode(".jpg", cv2.resize(portrait(3), (240, 240)))[1].tobytes()
    world.service.corrections.add(world.service.owners.local, jpeg, "fear", "happy", consent=True)
    id = world.post("/studio/passes", {"ratio": 1.0, "seed": 1}).json["id"]
    assert work(world.service) == ["improve"]
    return f"/studio/passes/{id}"


def test_a_pass_ends_with_a_verdict_and_figures_of_both_models(world, done):
    found = world.get(done).json
    assert (found["state"], found["error"]) == ("done", None)
    outcome = found["outcome"]
    assert outcome["reasons"] and outcome["promote"] is False and outcome["in_force"] is False
    assert "happy" in [need["expression"] for need in outcome["needs"]]
    assert [part["name"] for part in outcome["sets"]] == [
        "sheets, validation, first half",
        "sheets, validation, second half",
    ]
    figures = {figure["name"]: figure for figure in outcome["sets"][0]["figures"]}
    assert {"accuracy", "macro F1", "calibration error", "calibration error, uncorrected"} <= set(figures)
    for each in figures.values():
        assert each["change"] == pytest.approx(each["after"] - each["before"])
        ranged = not each["name"].startswith("calibration error")
        assert each["low"] <= each["high"] if ranged else each["low"] is each["high"] is None
    assert world.get("/studio/passes").json["items"] == [found]
    assert f'on "{outcome["sets"][1]["name"]}" (' in outcome["reasons"][-1]
    page = world.get(outcome["sets"][1]["url"])
    assert page.mimetype == "text/html" and "One against the other" in page.text
    assert "attachment" in page.headers["Content-Disposition"]


def test_it_says_what_would_change_on_the_videos_of_its_owner(world, done):
    (video,) = world.get(done).json["outcome"]["videos"]
    assert video["name"] == "talk.mp4" and video["left_out"] is None
    assert 0 < video["faces"] <= 200 and video["changed"] <= video["faces"]
    assert sum(change["faces"] for change in video["changes"]) <= video["changed"]
    file = world.service.storage.improvement(done.rsplit("/", 1)[1]) / "preview.json"
    before = file.read_text()
    try:
        # As a version before it left a pass.
        file.unlink()
        outcome = world.get(done).json["outcome"]
        assert outcome["videos"] is None and outcome["reasons"]
    finally:
        file.write_text(before)


def test_every_further_set_of_a_verdict_is_shown_by_its_name(world, done, problem):
    folder = world.service.storage.improvement(done.rsplit("/", 1)[1])
    file, copy = folder / "verdict.json", folder / "second-2"
    before = file.read_text()
    try:
        verdict = json.loads(before)
        third = verdict["second"] | {"data": verdict["second"]["data"] | {"name": "photographs"}}
        file.write_text(json.dumps(verdict | {"second-2": third}))
        shutil.copytree(folder / "second", copy)
        sets = world.get(done).json["outcome"]["sets"]
        assert [part["name"] for part in sets][2:] == ["photographs"]
        assert world.get(sets[2]["url"]).status_code == 200
        file.write_text(json.dumps(verdict | {"first": None, "second": None}))
        assert world.get(done).json["outcome"]["sets"] == []
    finally:
        file.write_text(before)
        shutil.rmtree(copy, ignore_errors=True)
    assert problem(world.get(f"{done}/comparisons/second-2"), 404)


def test_it_learns_from_the_faces_and_corrections_of_its_owner(world, done):
    folder = world.service.storage.improvement(done.rsplit("/", 1)[1])
    manifest = json.loads((folder / "faces" / "manifest.json").read_text())["faces"]
    mine = [face for face in manifest if face["seed"] == 9]
    assert len(mine) == 4 and mine[0]["review"] == "rejected"
    card = json.loads((folder / "model" / f"{EMOTION}.json").read_text())
    assert card["also"]["by_expression"] == {"fear": 1} and card["generated"]["faces"] > 0
    # Whoever withdraws consent later is forgotten: no copy is left.
    assert not (folder / "corrections").exists()


def test_a_pass_without_its_verdict_says_so_and_hides_no_other(world, done):
    file = world.service.storage.improvement(done.rsplit("/", 1)[1]) / "verdict.json"
    before = file.read_text()
    try:
        file.unlink()
        (found,) = world.get("/studio/passes").json["items"]
        assert found["outcome"] is None and "is gone" in found["error"]["detail"]
    finally:
        file.write_text(before)


def test_what_was_found_worse_is_not_promoted(world, done, problem):
    assert problem(world.post(f"{done}/promote"), 409)
    assert world.get("/studio/model").json["promotions"] == []
    assert problem(world.post("/studio/model/rollback"), 409)


def test_what_was_found_better_is_promoted_and_rolled_back(world, done, problem):
    file = world.service.storage.improvement(done.rsplit("/", 1)[1]) / "verdict.json"
    before = file.read_text()
    embedded = read_card(COMMITTEE).sha256
    try:
        file.write_text(json.dumps(json.loads(before) | {"promote": True, "reasons": ["It gains."]}))
        found = world.post(f"{done}/promote").json
        assert found["sha256"] == world.get(done).json["outcome"]["candidate"] != embedded
        assert [each["reason"] for each in found["promotions"]] == ["It gains."]
        assert str(world.service.storage.folder) not in world.get("/studio/model").text
        assert world.get(done).json["outcome"]["in_force"] is True
        assert world.get("/models/visagram-emotion").json["sha256"] == found["sha256"]
        # It was compared with the model that it replaced.
        assert problem(world.post(f"{done}/promote"), 409)
        assert world.post("/studio/model/rollback").json["sha256"] == embedded
        actions = [entry["action"] for entry in world.get("/log").json["items"]]
        assert actions[:2] == ["roll model back", "promote model"]
    finally:
        file.write_text(before)


def test_one_pass_at_a_time_which_can_be_cancelled_and_gone_on_with(world, problem):
    id = world.post("/studio/passes", {"seed": 2}).json["id"]
    assert problem(world.post("/studio/passes", {"seed": 3}), 409)
    assert world.post(f"/studio/passes/{id}/cancel").json["state"] == "cancelled"
    other = world.post("/studio/passes", {"seed": 3}).json["id"]
    assert problem(world.post(f"/studio/passes/{id}/retry"), 409)
    assert world.post(f"/studio/passes/{other}/cancel").status_code == 200
    assert work(world.service) == []
    assert world.post(f"/studio/passes/{id}/retry").status_code == 202
    # Its process died.
    assert Leases(world.service.store, "dead", -1).claim().kind == "improve"
    assert work(world.service) == ["improve"]
    assert world.get(f"/studio/passes/{id}").json["state"] == "done"


def test_a_pass_that_fails_says_why_and_names_no_place(world, monkeypatch):
    monkeypatch.setattr(studio, "open_generator", lambda *_, **__: Drawing(lasts=0))
    id = world.post("/studio/passes", {"ratio": 1.0, "seed": 1}).json["id"]
    work(world.service)
    found = world.get(f"/studio/passes/{id}").json
    assert found["state"] == "failed", found
    assert found["error"]["code"] == "generation_failed"
    assert "tired" in found["error"]["detail"] and found["outcome"] is None


def test_a_pass_is_no_request_for_faces_nor_the_other_way_round(world, done, problem):
    making = world.get("/studio/makings").json["items"][0]["id"]
    assert problem(world.get(f"/studio/passes/{making}"), 404)
    assert problem(world.get(f"/studio/makings/{done.rsplit('/', 1)[1]}"), 404)
    assert problem(world.get(f"{done}/comparisons/third"), 404)
    assert problem(world.get(f"{done}/comparisons/..%2Fmodel"), 404)


@pytest.mark.parametrize("wanted", [{"ratio": 0}, {"ratio": 1.5}, {"seed": -1}, {"data": "/etc"}], ids=str)
def test_senseless_passes_are_refused(world, problem, wanted):
    assert problem(world.post("/studio/passes", wanted), 422)


def test_without_data_the_studio_says_what_is_missing(tmp_path, problem):
    service = open_service(tmp_path)
    world = World(service, create_app(service).test_client())
    found = world.get("/studio/model").json
    assert found["available"] is False and "training_data" in found["why"]
    assert problem(world.post("/studio/passes", {}), 422, "usage")
    world.client.application.extensions["visagram.stills"].close()
    service.store.close()


def test_only_the_owner_of_the_machine_changes_the_model(world):
    from visagram.errors import UsageError

    guest = Who(2, "guest")
    for change in (lambda: world.service.passes.roll_back(guest), lambda: world.service.passes.ask(guest, 0.5, 0)):
        with pytest.raises(UsageError, match="owner of this machine"):
            change()
