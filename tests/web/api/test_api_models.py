"""Models, settings and the log."""

from __future__ import annotations

import dataclasses

import pytest

from visagram.models.catalog import model_cards
from visagram.settings import Settings


def test_models_are_shown_with_their_whole_cards(world, problem):
    found = world.get("/models").json
    assert [model["sha256"] for model in found["items"]] == [card["sha256"] for card in model_cards()]
    for model in found["items"]:
        assert world.get(f"/models/{model['name']}").json == model
        assert model["card"]["file"].endswith(".onnx")
    for name in ("nothing", "..", "..%2F..%2Fsettings", "visagram-emotion.json"):
        assert problem(world.get(f"/models/{name}"), 404)


def test_the_form_describes_every_setting_that_decides_the_result(world):
    form = world.get("/settings").json
    fields = {field.name: field for field in dataclasses.fields(Settings) if field.metadata["affects_result"]}
    assert [item["name"] for item in form["items"]] == list(fields)
    for item in form["items"]:
        assert item["help"] == fields[item["name"]].metadata["help"]
        assert item["default"] == getattr(world.service.settings, item["name"])
        assert item["type"] in ("number", "integer", "text", "choice", "region")
        for bound in (item["minimum"], item["maximum"]):
            if bound is not None and item["name"] != "sample_fps":
                Settings(**{"start": 0.0, item["name"]: type(item["default"] or 1)(bound or (item["name"] == "end"))})
        for choice in item["choices"] or ():
            Settings(**{item["name"]: choice})
    assert {name: preset["settings"] for name, preset in form["presets"].items()} == {
        "accurate": {"detect_every": 1, "detect_size": "full"},
        "fast": {"sample_fps": 5},
        "original": {"frame_interval": 10, "detect_every": 1, "detect_size": "full"},
    }
    for preset in form["presets"].values():
        Settings(**preset["settings"])
    assert {task: [model["name"] for model in models] for task, models in form["models"].items()} == {
        "detector": ["retinaface-mobilenet025"],
        "emotion": ["visagram-emotion"],
    }


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
