"""What an analysis found, as the page reads it."""

from __future__ import annotations

import base64
import itertools

import cv2
import numpy as np
import pytest

from service import upload, wait_for
from visagram.core.tiles import ABSENT, MEASURED, UNSURE
from visagram.core.types import EXPRESSIONS
from visagram.export.view import ROW_COLUMNS
from visagram.web.api import stills


def size_of(response):
    """Width and height of a picture."""
    return cv2.imdecode(np.frombuffer(response.data, np.uint8), cv2.IMREAD_COLOR).shape[1::-1]


def numbers(values):
    """What plotly's JSON holds as a list or as base64."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return np.array(values)


def test_the_report_has_the_name_that_the_video_has_now(world, fresh):
    video, analysis = fresh
    first = world.get(f"/analyses/{analysis}/report")
    assert (first.json["schema"], first.json["video"]["name"]) == ("visagram.report", "fresh.mp4")
    assert [person["id"] for person in first.json["people"]] == [1]
    assert world.get(f"/analyses/{analysis}/report", If_None_Match=first.headers["ETag"]).status_code == 304
    world.patch(f"/videos/{video}", {"name": "=cmd() <b>.mp4"})
    second = world.get(f"/analyses/{analysis}/report", If_None_Match=first.headers["ETag"])
    assert (second.status_code, second.json["video"]["name"]) == (200, "=cmd() <b>.mp4")


def test_the_account_says_in_words_what_the_report_holds(world, fresh):
    video, analysis = fresh
    world.patch(f"/videos/{video}", {"name": "talk <b>.mp4"})
    found = world.get(f"/analyses/{analysis}/account")
    text = found.json["text"]
    assert text.startswith("talk <b>.mp4 was analysed for 2.0 s. 1 person was found") and "neutral" in text
    assert text.endswith("not what a person feels.")
    assert world.get(f"/analyses/{analysis}/account", If_None_Match=found.headers["ETag"]).status_code == 304


def test_observations_come_in_pages_of_what_was_asked_for(world):
    path = f"/analyses/{world.analysis}/observations"
    everything = world.get(f"{path}?limit=5000").json
    assert everything["total"] == len(everything["items"]) == 50
    assert list(everything["items"][0]) == sorted(ROW_COLUMNS)
    paged = [world.get(f"{path}?limit=20&offset={k}").json["items"] for k in (0, 20, 40)]
    assert list(itertools.chain(*paged)) == everything["items"]
    some = world.get(f"{path}?start=0.5&end=1&person=1&columns=time,emotion").json
    assert [row["time"] for row in some["items"]] == [row["time"] for row in everything["items"][13:25]]
    assert all(set(row) == {"time", "emotion"} for row in some["items"])
    assert some["total"] == 12
    assert world.get(f"{path}?person=7").json["total"] == 0
    row = everything["items"][0]
    assert row["emotion"] == max(row["posterior"], key=row["posterior"].get)
    assert sum(row["posterior"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=5001", "limit"),
        ("person=0", "person"),
        ("person=1.5", "person"),
        ("start=nan", "start"),
        ("end=-1", "end"),
        ("start=2&end=1", "end"),
        ("columns=time,secret", "columns"),
    ],
)
def test_observations_that_cannot_be_are_refused(world, problem, query, field):
    response = world.get(f"/analyses/{world.analysis}/observations?{query}")
    assert problem(response, 422, "validation")
    assert list(response.json["errors"]) == [field]


def test_boxes_are_those_shown_between_two_times(world, problem):
    path = f"/analyses/{world.analysis}/boxes"
    found = world.get(f"{path}?start=1.01&end=1.1").json
    assert found["time"] == [1.0, 1.04, 1.08]
    lengths = {len(found[name]) for name in ("time", "span", "person", "box", "posterior")}
    assert lengths == {3}
    assert all(sum(row) == pytest.approx(255, abs=4) for row in found["posterior"])
    assert all(x >= 0 and x + w <= 400 and w > 20 for x, _, w, _ in found["box"])
    assert len(world.get(path).json["time"]) == 50
    assert world.get(f"{path}?start=100").json["time"] == []
    for query in ("start=0&end=601", "start=5&end=5", "start=x"):
        assert problem(world.get(f"{path}?{query}"), 422, "validation")


def test_tiles_hold_what_their_index_says(world, problem):
    path = f"/analyses/{world.analysis}/tiles"
    index = world.get(path).json
    assert (index["bins_per_tile"], index["people"], index["start"], index["end"]) == (256, [1], 0, 2)
    assert index["levels"] == [{"bin": 0.1, "tiles": 1}]
    tile = world.get(f"{path}/0/0")
    cells = np.frombuffer(tile.data, np.uint8)
    posterior, state = cells[: 256 * 7].reshape(256, 7), cells[256 * 7 :]
    (person,) = world.get(f"/analyses/{world.analysis}/people").json["items"]
    assert (len(state), set(state[20:])) == (256, {ABSENT})
    # Every bin is measured, and as many of them are unsure as the statistics say, to a bin.
    assert set(state[:20]) <= {MEASURED, UNSURE}
    assert 0.1 * np.count_nonzero(state == UNSURE) == pytest.approx(person["unsure"], abs=0.1)
    assert EXPRESSIONS[posterior[0].argmax()] == "neutral"
    for wrong in ("0/1", "1/0", "9/9", "-1/0", "x/0"):
        assert problem(world.get(f"{path}/{wrong}"), 404)


def test_tiles_and_pictures_are_kept_for_good_only_under_their_version(world):
    index = world.get(f"/analyses/{world.analysis}/tiles").json
    for path in ("tiles/0/0", "people/1/thumbnail", "tracks/0/thumbnail"):
        address = f"/analyses/{world.analysis}/{path}"
        plain, kept = world.get(address), world.get(f"{address}?v={index['version']}")
        assert plain.headers["Cache-Control"] == "private, no-cache"
        assert "immutable" in kept.headers["Cache-Control"]
        assert world.get(f"{address}?v=old").headers["Cache-Control"] == "private, no-cache"
        assert world.get(address, If_None_Match=plain.headers["ETag"]).status_code == 304


def test_moments_name_the_strongest_instants_with_pictures(world, problem):
    path = f"/analyses/{world.analysis}/moments"
    found = world.get(path).json
    # These two seconds end with raised brows; choosing among several is tested in tests/unit/test_moments.py.
    assert found["total"] == len(found["items"]) == 2
    assert [(item["start"], item["emotion"]) for item in found["items"]] == [(1.48, "surprise"), (0.0, "neutral")]
    assert [item["end"] for item in found["items"]] == [2.0, 1.48]
    one = world.get(f"{path}?emotion=neutral&limit=1&person=1").json["items"]
    assert [moment["emotion"] for moment in one] == ["neutral"]
    assert one[0]["start"] <= one[0]["time"] < one[0]["end"]
    assert world.get(f"{path}?person=9").json["items"] == []
    picture = world.get(one[0]["thumbnail_url"])
    assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
    width, height = size_of(picture)
    assert width == height <= 320, "the square around a face"
    for query in ("emotion=joy", "limit=0", "person=x"):
        assert problem(world.get(f"{path}?{query}"), 422, "validation")


def test_pictures_of_moments_show_the_person_in_the_middle(world):
    path = f"/analyses/{world.analysis}"
    row = world.get(f"{path}/observations?start=1&limit=1&columns=time,box").json["items"][0]
    x, y, w, h = row["box"]
    whole = cv2.imdecode(np.frombuffer(world.get(f"{path}/frame?time=1&width=640").data, np.uint8), cv2.IMREAD_COLOR)
    face = cv2.imdecode(
        np.frombuffer(world.get(f"{path}/frame?time=1&width=640&person=1").data, np.uint8), cv2.IMREAD_COLOR
    )
    side = min(2.2 * max(w, h), *whole.shape[:2])
    assert face.shape[0] == face.shape[1] == pytest.approx(side, abs=1.5)
    match = cv2.matchTemplate(whole, face, cv2.TM_CCOEFF_NORMED)
    _, likeness, _, (left, top) = cv2.minMaxLoc(match)
    assert likeness > 0.98
    assert left <= x and top <= y and x + w <= left + side + 1 and y + h <= top + side + 1


def test_a_picture_of_somebody_who_is_not_seen_then_is_the_whole_one(world, problem):
    path = f"/analyses/{world.analysis}/frame?time=1.2&width=160"
    whole = world.get(path)
    assert world.get(f"{path}&person=9").data == whole.data
    version = world.get(f"/analyses/{world.analysis}/tiles").json["version"]
    assert world.get(f"{path}&person=1").headers["Cache-Control"] == "private, no-cache"
    assert "immutable" in world.get(f"{path}&person=1&v={version}").headers["Cache-Control"]
    _, waits = world.waiting()
    assert world.get(f"/analyses/{waits}/frame?time=0.1&width=80").status_code == 200
    assert problem(world.get(f"/analyses/{waits}/frame?time=0.1&person=1"), 409)
    world.delete(f"/analyses/{waits}")


def test_windows_come_with_each_persons_statistics_and_intervals(world, fresh):
    video, analysis = fresh
    path = f"/analyses/{analysis}/windows"
    assert world.get(path).json == {"items": [], "total": 0, "limit": 0, "offset": 0}
    for window in ({"name": "late", "start": 1.0, "end": 1.8}, {"name": "early", "start": 0.0, "end": 1.0}):
        world.post(f"/videos/{video}/windows", window)
    found = world.get(path)
    early, late = found.json["items"]
    assert (early["window"]["name"], late["window"]["name"]) == ("early", "late")
    (person,) = early["people"]
    assert (person["person"], person["name"]) == (1, "Person 1")
    assert person["measured"] + sum(person["unmeasured"].values()) == pytest.approx(1.0)
    rows = world.get(f"/analyses/{analysis}/observations?start=0&end=1").json["items"]
    counted = {name: sum(row["emotion"] == name for row in rows) for name in EXPRESSIONS}
    assert person["emotion_counts"] == counted
    below = world.get(f"/analyses/{analysis}/tiles").json["unsure_below"]
    sure = [row for row in rows if row["emotion"] and max(row["posterior"].values()) >= below[row["emotion"]]]
    assert person["certain_counts"] == {name: sum(row["emotion"] == name for row in sure) for name in EXPRESSIONS}
    assert person["unsure"] == pytest.approx(person["measured"] - sum(row["span"] for row in sure), abs=1e-3)
    assert sum(share["value"] for share in person["shares"].values()) == pytest.approx(1)
    # In two seconds too little changes for an interval.
    assert all(share["low"] is share["high"] is None for share in person["shares"].values())
    assert all(share["least"] <= share["value"] <= share["most"] for share in person["shares"].values())
    assert late["people"][0]["measured"] == pytest.approx(0.8)
    assert world.get(path, If_None_Match=found.headers["ETag"]).status_code == 304


def test_windows_follow_changes_of_people_and_of_themselves(world, fresh):
    video, analysis = fresh
    path = f"/analyses/{analysis}/windows"
    window = world.post(f"/videos/{video}/windows", {"name": "all", "start": 0, "end": 2}).json
    tags = [world.get(path).headers["ETag"]]
    world.post(f"/analyses/{analysis}/people/split", {"person": 1, "at": 1.0})
    world.patch(f"/analyses/{analysis}/people/2", {"name": "Eve"})
    (item,) = world.get(path).json["items"]
    assert [(each["name"], round(each["screen_time"], 6)) for each in item["people"]] == [("Person 1", 1), ("Eve", 1)]
    tags.append(world.get(path).headers["ETag"])
    world.patch(f"/videos/{video}/windows/{window['id']}", {"end": 0.5})
    (item,) = world.get(path).json["items"]
    assert [round(each["screen_time"], 6) for each in item["people"]] == [0.5, 0]
    assert item["people"][1]["shares"] == {}
    tags.append(world.get(path).headers["ETag"])
    assert len(set(tags)) == 3


def test_windows_of_what_has_no_result_are_refused(world, problem):
    _, waits = world.waiting()
    assert problem(world.get(f"/analyses/{waits}/windows"), 409)
    assert problem(world.get("/analyses/none/windows"), 404)
    world.delete(f"/analyses/{waits}")


def test_a_picture_of_the_video_is_made_once_by_one_child_that_ends(world):
    path = f"/analyses/{world.analysis}/frame"
    made = world.client.application.extensions["visagram.stills"]
    first = world.get(f"{path}?time=1.5&width=100")
    assert size_of(first) == (160, 120)
    (child,) = made.pids
    assert world.get(f"{path}?time=1.7&width=640").status_code == 200
    assert made.pids == [child]
    made.close()
    again = world.get(f"{path}?time=1.5&width=100")
    assert (again.data, made.pids) == (first.data, [])
    assert world.get(f"{path}?time=1.5", If_None_Match=world.get(f"{path}?time=1.5").headers["ETag"]).status_code == 304
    last = world.get(f"{path}?time=9999")
    assert last.data == world.get(f"{path}?time=30.6").data
    made.close()


def test_the_child_that_makes_pictures_ends_when_nobody_asks(world, monkeypatch):
    monkeypatch.setattr(stills, "IDLE_SECONDS", 0.1)
    made = world.client.application.extensions["visagram.stills"]
    assert world.get(f"/analyses/{world.analysis}/frame?time=1.9").status_code == 200
    wait_for(lambda: not made.pids, 20)
    assert world.get(f"/analyses/{world.analysis}/frame?time=1.92").status_code == 200
    wait_for(lambda: not made.pids, 20)


def test_a_bounded_number_of_pictures_is_kept(world, monkeypatch):
    monkeypatch.setattr(stills, "MOST_KEPT", 3)
    for time in (0.1, 0.2, 0.3, 0.4, 0.5):
        assert world.get(f"/analyses/{world.analysis}/frame?time={time}&width=80").status_code == 200
    sha256 = world.get(f"/videos/{world.video}").json["sha256"]
    kept = [path.name for path in (world.service.storage.media(sha256) / "stills").iterdir()]
    assert len(kept) == 3
    assert "500-80.jpg" in kept
    world.client.application.extensions["visagram.stills"].close()


def test_a_picture_of_what_is_no_video_says_so_and_not_where_it_lies(world, tmp_path, problem):
    path = tmp_path / "letter.mp4"
    path.write_text("dear all")
    video, analysis = upload(world.service, path, settings={})
    response = world.get(f"/analyses/{analysis}/frame?time=1")
    assert problem(response, 422)
    assert response.json["detail"].startswith("The video")
    assert str(world.service.storage.folder) not in response.text
    world.delete(f"/videos/{video}?now=1")
    world.client.application.extensions["visagram.stills"].close()


@pytest.mark.parametrize("query", ["", "time=-1", "time=x", "time=1&width=641", "time=1&width=0", "time=inf"])
def test_pictures_that_cannot_be_are_refused(world, problem, query):
    assert problem(world.get(f"/analyses/{world.analysis}/frame?{query}"), 422, "validation")
    assert problem(world.get("/analyses/none/frame?time=1"), 404)


def test_faces_that_are_not_there_are_not_found(world, problem):
    for path in ("people/2/thumbnail", "people/0/thumbnail", f"people/{'9' * 400}/thumbnail", "tracks/99/thumbnail"):
        assert problem(world.get(f"/analyses/{world.analysis}/{path}"), 404)


@pytest.mark.parametrize("figure", ["timeline", "distribution", "compare"])
def test_figures_are_plotly_json(world, problem, figure):
    path = f"/analyses/{world.analysis}/figures/{figure}"
    found = world.get(path)
    assert found.mimetype == "application/json"
    assert {"data", "layout"} <= set(found.json)
    assert found.json["data"]
    assert world.get(f"{path}?person=1", If_None_Match=found.headers["ETag"]).status_code == 200
    assert world.get(path, If_None_Match=found.headers["ETag"]).status_code == 304
    assert problem(world.get(f"{path}?person=2"), 404)
    assert problem(world.get(f"{path}?person=-2"), 422)
    assert problem(world.get(f"/analyses/{world.analysis}/figures/pie"), 404)


def test_the_figure_of_people_shows_each_share_with_its_interval(world, fresh):
    path = f"/analyses/{fresh[1]}"
    world.post(f"{path}/people/split", {"person": 1, "at": 1.0})
    world.patch(f"{path}/people/2", {"name": "<b>Eve"})
    shares = [person["shares"] for person in world.get(f"{path}/people").json["items"]]
    figure = world.get(f"{path}/figures/compare").json
    assert figure["layout"]["yaxis"]["ticktext"][:2] == ["Person 1", "&lt;b&gt;Eve"]
    for trace, name in zip(figure["data"], EXPRESSIONS, strict=True):
        assert trace["name"] == name
        assert numbers(trace["x"]) == pytest.approx([share[name]["value"] * 100 for share in shares])
        assert trace["error_x"]["arrayminus"] == [None, None], "in a second too little changes for an interval"
