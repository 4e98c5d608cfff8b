"""Models, settings and the log."""

from __future__ import annotations

import dataclasses

import pytest

from cards import full_card
from service import open_service
from visagram.models import catalog
from visagram.models.card import COMMITTEE, read_card
from visagram.models.catalog import model_cards
from visagram.models.listing import offers
from visagram.settings import Settings
from visagram.web.api.presets import form
from visagram.web.app import create_app
from weights import write_linear


def test_models_are_shown_with_their_whole_cards(world, problem):
    found = world.get("/models").json
    assert [model["name"] for model in found["items"]] == [
        offer.card.name for offer in offers(world.service.settings.models_folder)
    ]
    known = {model["sha256"]: model for model in found["items"]}
    assert {card["sha256"] for card in model_cards()} <= set(known)
    for model in found["items"]:
        assert world.get(f"/models/{model['name']}").json == model
        assert model["card"]["file"].endswith((".onnx", ".safetensors"))
        assert model["available"] is (model["why"] is None)
    for name in ("nothing", "..", "..%2F..%2Fsettings", "visagram-emotion.json", "hf:some/model"):
        assert problem(world.get(f"/models/{name}"), 404)


def test_the_form_describes_every_setting_that_decides_the_result(world):
    form = world.get("/settings").json
    fields = {field.name: field for field in dataclasses.fields(Settings) if field.metadata["affects_result"]}
    assert [item["name"] for item in form["items"]] == list(fields)
    for item in form["items"]:
        assert item["help"] == fields[item["name"]].metadata["help"]
        assert item["default"] == getattr(world.service.settings, item["name"])
        assert item["type"] in ("number", "integer", "text", "choice", "region", "switch")
        for bound in (item["minimum"], item["maximum"]):
            if bound is not None and item["name"] != "sample_fps":
                Settings(**{"start": 0.0, item["name"]: type(item["default"] or 1)(bound or (item["name"] == "end"))})
        for choice in item["choices"] or ():
            Settings(**{item["name"]: choice})
    assert {name: preset["settings"] for name, preset in form["presets"].items()} == {
        "accurate": {"detect_every": 1, "detect_size": "full"},
        "fast": {"sample_fps": 5, "emotion": "visagram-fast"},
        "original": {
            "frame_interval": 10,
            "detect_every": 1,
            "emotion": "deepface",
            "detector": "deepface-retinaface",
        },
    }
    for preset in form["presets"].values():
        Settings(**preset["settings"])


def test_the_form_tells_of_every_model_what_it_costs_and_how_good_it_is(world, monkeypatch):
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ())
    form = world.get("/settings").json
    choices = {item["name"]: item["choices"] for item in form["items"]}
    assert choices["emotion"] == ["visagram", "visagram-fast", "visagram-teacher", "deepface"]
    assert choices["detector"] == ["visagram", "deepface-retinaface"]
    ours, fast, teacher, deepface = form["models"]["emotion"]
    assert (teacher["choice"], teacher["cost"]) == ("visagram-teacher", "comes with Visagram")
    assert (ours["choice"], ours["name"], ours["cost"]) == ("visagram", "visagram-committee", "comes with Visagram")
    assert ours["accuracy"] == read_card(COMMITTEE).facts["metrics"]["accuracy"] and "FER+" in ours["measured_on"]
    assert (fast["choice"], fast["name"]) == ("visagram-fast", "visagram-emotion")
    assert (deepface["accuracy"], deepface["speed"], deepface["available"]) == (0.57, "1.2 ms a face", True)
    assert "at first use" in deepface["cost"]
    assert [model["choice"] for model in form["models"]["detector"]] == ["visagram", "deepface-retinaface"]


def test_the_original_is_offered_where_deepface_is_installed_and_else_says_why_not(world, problem, fresh, monkeypatch):
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ())
    original = world.get("/settings").json["presets"]["original"]
    assert (original["available"], original["why"]) == (True, None)
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ("no_such_package",))
    form = world.get("/settings").json
    original = form["presets"]["original"]
    assert original["available"] is False
    assert "pip install 'visagram[deepface]'" in original["why"]
    choices = {item["name"]: item["choices"] for item in form["items"]}
    assert choices["emotion"] == ["visagram", "visagram-fast", "visagram-teacher"]
    deepface = form["models"]["emotion"][-1]
    assert (deepface["choice"], deepface["available"], deepface["why"]) == ("deepface", False, original["why"])
    answer = world.post("/analyses", {"video_id": fresh[0], "preset": "original"})
    assert problem(answer, 422, "usage")
    assert "setting emotion cannot be deepface here" in answer.json["detail"]


def test_a_server_that_fetches_nothing_offers_what_it_has_and_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(catalog.EXTRAS, "deepface", ())
    settings = Settings(models=str(tmp_path), offline=True)
    found = form(settings)
    assert found["presets"]["original"]["available"] is False
    for model, file in (("emotion", "facial_expression_model_weights.onnx"), ("detector", "retinaface.onnx")):
        other = found["models"][model][-1]
        assert file in other["why"] and "visagram models fetch" in other["why"]
        assert str(tmp_path) not in str(other)
        (tmp_path / file).write_bytes(b"\x08")
    found = form(settings)
    assert found["presets"]["original"]["available"] is True
    assert [model["available"] for models in found["models"].values() for model in models] == [True] * 6


def test_a_servers_own_model_is_shown_and_offered(tmp_path):
    file = write_linear(tmp_path / "mine.onnx", **full_card())
    service = open_service(tmp_path / "data", Settings(emotion=f"onnx:{file}"))
    client = create_app(service).test_client()
    form = client.get("/api/v1/settings").json
    assert form["models"]["emotion"][-1]["choice"] == f"onnx:{file}"
    assert {item["name"]: item["choices"] for item in form["items"]}["emotion"][-1] == f"onnx:{file}"
    assert client.get("/api/v1/models/onnx:mine.onnx").json["card"]["reviewed_by"] == "somebody"
    service.store.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("emotion", "onnx:/etc/passwd"),
        ("emotion", "hf:some/model"),
        ("emotion", "hf:/etc"),
        ("emotion", "nothing"),
        ("detector", "onnx:x"),
    ],
)
def test_nobody_names_files_or_foreign_models_to_a_server(world, problem, fresh, name, value):
    answer = world.post("/analyses", {"video_id": fresh[0], "settings": {name: value}})
    assert problem(answer, 422, "usage")
    assert f"setting {name}" in answer.json["detail"]


def test_the_log_tells_who_changed_what_newest_first(world, fresh):
    world.patch(f"/videos/{fresh[0]}", {"notes": "seen"})
    log = world.get("/log?limit=2").json
    assert [entry["action"] for entry in log["items"]] == ["change video", "analyse"]
    assert (log["items"][0]["subject"], log["items"][0]["detail"]) == ("fresh.mp4", "notes")
    assert world.get("/log?limit=1&offset=1").json["items"] == log["items"][1:]
    assert world.get("/log?offset=100000").json["items"] == []
    assert log["total"] > 2


@pytest.mark.parametrize("query", ["limit=0", "limit=9999", "offset=-1", f"offset={10**30}", "limit="])
def test_pages_of_the_log_are_bounded(world, problem, query):
    assert problem(world.get(f"/log?{query}"), 422, "validation")
