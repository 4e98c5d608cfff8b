"""People, and what people correct about them."""

from __future__ import annotations

import pytest


@pytest.fixture
def people(world, fresh):
    """The address of a result of its own."""
    return f"/analyses/{fresh[1]}"


def names(response):
    assert response.status_code == 200, response.text
    return {person["id"]: person["name"] for person in response.json["items"]}


def test_people_come_with_statistics_tracks_and_pictures(world):
    found = world.get(f"/analyses/{world.analysis}/people").json
    (person,) = found["items"]
    assert (found["total"], person["id"], person["name"]) == (1, 1, "Person 1")
    assert sum(share["value"] for share in person["shares"].values()) == pytest.approx(1)
    (track,) = person["tracks"]
    assert (track["track"], track["first"], track["last"]) == (0, 0.0, 2.0)
    for url in (person["thumbnail_url"], track["thumbnail_url"]):
        assert world.get(url).data[:2] == b"\xff\xd8"


def test_a_name_is_given_and_reset(world, people):
    renamed = world.patch(f"{people}/people/1", {"name": " Anna\u202e\n Ivanova "})
    assert names(renamed) == {1: "Anna Ivanova"}
    assert world.get(f"{people}/report").json["people"][0]["name"] == "Anna Ivanova"
    assert world.get(people).json["revision"] == 1
    assert names(world.patch(f"{people}/people/1", {"name": ""})) == {1: "Person 1"}


def test_a_split_changes_statistics_and_is_undone(world, people):
    before = world.get(f"{people}/people").json
    split = world.post(f"{people}/people/split", {"person": 1, "at": 1.0}).json
    assert [person["screen_time"] for person in split["items"]] == pytest.approx([1.0, 1.0])
    assert [person["tracks"][0]["track"] for person in split["items"]] == [0, 0]
    assert [(p["tracks"][0]["first"], p["tracks"][0]["last"]) for p in split["items"]] == [(0.0, 1.0), (1.0, 2.0)]
    assert world.get(people).json["people"] == 2
    assert world.get(f"{people}/tiles").json["people"] == [1, 2]
    assert world.get(f"{people}/observations?person=2").json["total"] == 25
    assert len(world.get(f"{people}/tiles/0/0").data) == 2 * 256 * 8
    after = world.post(f"{people}/changes/undo").json
    assert [p["shares"] for p in after["items"]] == [p["shares"] for p in before["items"]]
    assert world.get(people).json | {"revision": 2, "people": 1} == world.get(people).json


def test_people_are_merged_and_the_changes_told(world, people):
    world.post(f"{people}/people/split", {"person": 1, "at": 1.5})
    merged = world.post(f"{people}/people/merge", {"people": [2, 1], "name": "Anna"})
    assert names(merged) == {1: "Anna"}
    assert merged.json["items"][0]["frames_seen"] == 50
    changes = world.get(f"{people}/changes").json
    assert [(change["kind"], change["who"]) for change in changes["items"]] == [("split", "local"), ("merge", "local")]
    assert changes["items"][1]["detail"] == {"people": [2, 1], "name": "Anna"}
    assert [entry["action"] for entry in world.get("/log?limit=2").json["items"]] == ["people: merge", "people: split"]


def test_other_entries_of_the_same_result_keep_their_people(world, people):
    world.patch(f"{people}/people/1", {"name": "Anna"})
    assert names(world.get(f"/analyses/{world.analysis}/people")) == {1: "Person 1"}


def test_what_was_asked_before_a_change_is_not_taken_for_the_result_after_it(world, people):
    etags = set()
    for revision, name in ((1, "Anna"), (3, "Berta")):
        world.patch(f"{people}/people/1", {"name": name})
        assert world.get(people).json["revision"] == revision
        found = world.get(f"{people}/people")
        assert names(found) == {1: name}
        etags.add(found.headers["ETag"])
        assert name in world.get(f"{people}/exports/vtt").text
        world.post(f"{people}/changes/undo")
    etags.add(world.get(f"{people}/people").headers["ETag"])
    assert len(etags) == 3


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("merge", {"people": [1]}, "people"),
        ("merge", {"people": ["1", 2]}, "people"),
        ("merge", {}, "people"),
        ("merge", {"people": [1, 2], "name": 7}, "name"),
        ("split", {"person": 1}, "tracks"),
        ("split", {"person": 1, "tracks": [0], "at": 1}, "tracks"),
        ("split", {"person": 1, "tracks": []}, "tracks"),
        ("split", {"person": 1, "at": -1}, "at"),
        ("split", {"tracks": [1]}, "person"),
        ("split", {"person": 2**40, "at": 1}, "person"),
    ],
)
def test_corrections_in_the_wrong_form_are_refused_by_field(world, problem, path, body, field):
    response = world.post(f"/analyses/{world.analysis}/people/{path}", body)
    assert problem(response, 422, "validation")
    assert list(response.json["errors"]) == [field]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("merge", {"people": [1, 2]}, "no person 2"),
        ("merge", {"people": [1, 1]}, "two different"),
        ("split", {"person": 1, "tracks": [5]}, "no track 5"),
        ("split", {"person": 1, "at": 60}, "not in the picture"),
        ("split", {"person": 1, "at": 0}, "nothing would be left"),
    ],
)
def test_corrections_that_cannot_be_say_why_and_change_nothing(world, problem, path, body, said):
    response = world.post(f"/analyses/{world.analysis}/people/{path}", body)
    assert problem(response, 422, "usage")
    assert said in response.json["detail"]
    assert world.get(f"/analyses/{world.analysis}").json["revision"] == 0


def test_corrections_of_nobody_are_not_found(world, problem):
    assert problem(world.patch(f"/analyses/{world.analysis}/people/9", {"name": "x"}), 404)
    assert problem(world.patch(f"/analyses/{world.analysis}/people/1", {"name": 1}), 422)
    assert problem(world.patch("/analyses/none/people/1", {"name": "x"}), 404)
    assert problem(world.post("/analyses/none/people/merge", {"people": [1, 2]}), 404)
    assert problem(world.post("/analyses/none/people/split", {"person": 1, "at": 1}), 404)
    assert problem(world.get("/analyses/none/changes"), 404)
    assert problem(world.post("/analyses/none/changes/undo"), 404)


def test_without_a_change_there_is_nothing_to_undo(world, problem):
    assert problem(world.post(f"/analyses/{world.analysis}/changes/undo"), 409, "conflict")
