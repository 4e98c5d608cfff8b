"""Analyses before they are done."""

from __future__ import annotations

import pytest

from visagram.jobs.leases import Leases
from visagram.jobs.storage import preview_file


def test_analyses_are_listed_by_video_and_state(world):
    video, analysis = world.waiting()
    for query in (f"video={video}", f"video={video}&state=queued"):
        found = world.get(f"/analyses?{query}").json
        assert ([each["id"] for each in found["items"]], found["total"]) == ([analysis], 1)
    assert world.get(f"/analyses?video={video}&state=done").json["items"] == []
    done = world.get("/analyses?state=done&limit=500").json["items"]
    assert world.analysis in [each["id"] for each in done]
    assert {each["state"] for each in done} == {"done"}
    assert world.get("/analyses?limit=1").json["items"][0]["id"] == analysis
    world.post(f"/analyses/{analysis}/cancel")
    assert [each["id"] for each in world.get(f"/analyses?video={video}&state=cancelled").json["items"]] == [analysis]
    assert world.get(f"/analyses?video={video}&state=failed").json["total"] == 0


def test_an_analysis_has_the_settings_of_its_preset_and_those_given(world, fresh):
    video, _ = fresh
    wanted = {"video_id": video, "preset": "accurate", "settings": {"frame_interval": 5, "end": None}}
    response = world.post("/analyses", wanted)
    assert response.status_code == 202
    settings = response.json["settings"]
    assert (settings["frame_interval"], settings["detect_every"], settings["detect_size"]) == (5, 1, "full")
    again = world.post("/analyses", wanted)
    assert (again.status_code, again.json["id"]) == (200, response.json["id"])
    world.delete(f"/analyses/{response.json['id']}")


def test_the_same_settings_share_a_result(world, fresh):
    _, analysis = fresh
    shown = world.get(f"/analyses/{analysis}").json
    assert (shown["state"], shown["shared"], shown["people"], shown["revision"]) == ("done", True, 1, 0)
    assert shown["progress"]["stage"] == "done"
    assert shown["error"] is None


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"sample_fps": -1}, ["sample_fps"]),
        ({"colour": "red", "min_face": "big"}, ["colour", "min_face"]),
        ({"region": [1, 2, 3]}, ["region"]),
        ({"seed": True}, ["seed"]),
        ({"processes": 4}, ["processes"]),
        ({"start": 1e400}, ["start"]),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(world, problem, settings, fields):
    response = world.post("/analyses", {"video_id": world.video, "settings": settings})
    assert problem(response, 422, "validation")
    assert list(response.json["errors"]) == fields


@pytest.mark.parametrize(
    "body", [{}, {"video_id": 7}, {"video_id": "x", "preset": "best"}, {"video_id": "x", "settings": []}, {"id": "x"}]
)
def test_a_request_for_an_analysis_is_checked(world, problem, body):
    assert problem(world.post("/analyses", body), 422, "validation")


def test_an_analysis_of_no_video_is_not_found(world, problem):
    assert problem(world.post("/analyses", {"video_id": "0123456789abcdef"}), 404, "not_found")
    assert problem(world.post("/analyses", {"video_id": world.video, "settings": {"start": 5, "end": 4}}), 422)


def test_a_waiting_analysis_is_cancelled_tried_again_and_deleted(world, problem):
    _, analysis = world.waiting()
    path = f"/analyses/{analysis}"
    assert problem(world.post(f"{path}/retry"), 409, "conflict")
    assert world.post(f"{path}/cancel").json["state"] == "cancelled"
    assert problem(world.post(f"{path}/cancel"), 409)
    retried = world.post(f"{path}/retry")
    assert (retried.status_code, retried.json["state"]) == (202, "queued")
    assert world.delete(path).status_code == 204
    assert problem(world.get(path), 404)
    assert problem(world.delete(path), 404)


def test_a_finished_analysis_cannot_be_cancelled_or_tried_again(world, problem):
    assert problem(world.post(f"/analyses/{world.analysis}/cancel"), 409)
    assert problem(world.post(f"/analyses/{world.analysis}/retry"), 409)


@pytest.mark.parametrize(
    "part",
    ["report", "people", "observations", "boxes", "tiles", "tiles/0/0", "moments", "figures/timeline", "exports"],
)
def test_an_analysis_without_a_result_says_so(world, problem, part):
    _, analysis = world.waiting()
    assert problem(world.get(f"/analyses/{analysis}/{part}"), 409, "conflict")
    assert problem(world.get(f"/analyses/none/{part}"), 404, "not_found")
    world.delete(f"/analyses/{analysis}")


def test_the_last_picture_of_a_running_analysis_is_shown(world, problem):
    _, analysis = world.waiting()
    path, service = f"/analyses/{analysis}", world.service
    for part in ("preview", "preview/faces"):
        assert world.get(f"{path}/{part}").status_code == 204
        assert problem(world.get(f"/analyses/none/{part}"), 404)
    queue = Leases(service.store, "tests", 30)
    with service.store.read() as session:
        job = service.analyses.get(session, service.owners.local, analysis).output.job.id
    while (lease := queue.claim()).job != job:
        continue
    faces = [{"box": [1.0, 2.0, 30.0, 40.0], "emotion": "happy", "probability": 0.9}]
    values = {"time": 0.5, "width": 400, "height": 300, "faces": faces}
    work = service.storage.work(job)
    work.mkdir(parents=True)
    preview_file(work).write_bytes(b"\xff\xd8picture")
    queue.beat(lease, 10, 12, values)
    assert world.get(f"{path}/preview/faces").json == values
    shown = world.get(f"{path}/preview")
    assert (shown.data, shown.mimetype, shown.headers["Cache-Control"]) == (
        b"\xff\xd8picture",
        "image/jpeg",
        "private, no-store",
    )
    assert world.get(path).json["progress"]["completed"] == 10
    world.post(f"{path}/cancel")
    assert world.get(f"{path}/preview").status_code == 204
