"""Videos and their windows."""

from __future__ import annotations

import hashlib

import pytest
from werkzeug.http import parse_options_header

from service import SHORT, upload
from visagram.cli import SAMPLE
from visagram.jobs.model import Owner
from visagram.jobs.uploads import Wanted
from visagram.jobs.videos import Who


@pytest.fixture
def foreign(world):
    """A video and an analysis of somebody else."""
    other = Who(77, "other")
    with world.service.store.write() as session:
        if session.get(Owner, 77) is None:
            session.add(Owner(id=77, name="other"))
    upload_id = world.service.uploads.begin(other, "theirs.mp4", SAMPLE.stat().st_size, Wanted(SHORT))
    with SAMPLE.open("rb") as stream:
        world.service.uploads.append(other, upload_id, 0, stream)
    return world.service.uploads.finish(other, upload_id)


def test_a_video_is_shown_with_facts_pictures_and_its_analysis(world):
    video = world.get(f"/videos/{world.video}").json
    assert (video["name"], video["bytes"]) == ("sample.mp4", SAMPLE.stat().st_size)
    assert video["sha256"] == hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    assert (video["facts"]["width"], video["facts"]["height"], video["facts"]["frames"]) == (400, 300, 765)
    assert (video["facts"]["stream"], video["facts"]["time_basis"], video["facts"]["shapes"]) == (0, "exact", [])
    assert video["latest"]["id"] == world.analysis
    playback = {"state": "direct", "progress": 1.0, "reason": None}
    assert video["playback"] == playback | {"url": f"/api/v1/videos/{world.video}/playback"}
    for url in (video["poster_url"], *video["strip"]["urls"]):
        picture = world.get(url)
        assert (picture.status_code, picture.mimetype, picture.data[:2]) == (200, "image/jpeg", b"\xff\xd8")
        assert world.get(url, If_None_Match=picture.headers["ETag"]).status_code == 304


def test_videos_are_found_by_words_tags_and_state_page_by_page(world):
    ids = [world.fresh(f"page {k} [odd%_].mp4")[0] for k in range(3)]
    world.patch(f"/videos/{ids[0]}", {"participant": "Zoë", "tags": ["paged"]})
    found = world.get("/videos?query=odd%25_+page&limit=2").json
    assert (found["total"], found["limit"], found["offset"], len(found["items"])) == (3, 2, 0, 2)
    assert [video["id"] for video in found["items"]] == ids[:0:-1]
    rest = world.get("/videos?query=odd%25_+page&limit=2&offset=2").json["items"]
    assert [video["id"] for video in rest] == ids[:1]
    assert [video["id"] for video in world.get("/videos?query=zoë").json["items"]] == ids[:1]
    assert [video["id"] for video in world.get("/videos?tag=paged&state=done").json["items"]] == ids[:1]
    assert world.get("/videos?tag=paged&state=failed").json["total"] == 0


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "offset=-1", "state=lost", f"query={'x' * 201}"])
def test_a_list_refuses_what_it_cannot_do(world, problem, query):
    response = world.get(f"/videos?{query}")
    assert problem(response, 422, "validation")
    assert list(response.json["errors"]) == [query.split("=")[0]]


def test_labels_are_changed_and_cleaned(world, fresh):
    video, _ = fresh
    change = {
        "name": "../a\u202eb.mp4",
        "participant": " P01 ",
        "condition": "x\ny",
        "tags": ["b", "a", "b"],
        "notes": "n",
    }
    shown = world.patch(f"/videos/{video}", change).json
    assert (shown["name"], shown["participant"], shown["condition"]) == ("ab.mp4", "P01", "xy")
    assert (shown["tags"], shown["notes"]) == (["b", "a"], "n")
    assert world.patch(f"/videos/{video}", {"notes": ""}).json["participant"] == "P01"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"notes": "\ud800"}, "notes"),
        ({"notes": "\0"}, "notes"),
        ({"tags": "pilot"}, "tags"),
        ({"tags": ["x" * 81]}, "tags"),
        ({"participant": "x" * 201}, "participant"),
        ({"owner_id": 2}, "owner_id"),
    ],
)
def test_labels_that_make_no_sense_are_refused_by_name(world, problem, change, field):
    response = world.patch(f"/videos/{world.video}", change)
    assert problem(response, 422)
    assert list(response.json["errors"]) == [field]


def test_a_body_must_be_a_json_object(world, problem):
    path = f"/api/v1/videos/{world.video}"
    assert problem(world.client.patch(path, data="{", content_type="application/json"), 400)
    assert problem(world.client.patch(path, data="name=x", content_type="text/plain"), 415)
    assert problem(world.patch(path, ["name"]), 422)


def test_a_deleted_video_is_gone_until_it_is_restored(world, fresh, problem):
    video, analysis = fresh
    answer = world.delete(f"/videos/{video}").json
    assert answer == {"undo_seconds": 30.0, "restore_url": f"/api/v1/videos/{video}/restore"}
    assert problem(world.get(f"/videos/{video}"), 404)
    assert problem(world.get(f"/analyses/{analysis}"), 404)
    assert world.post(answer["restore_url"]).json["latest"]["id"] == analysis
    assert world.get(f"/videos/{video}").status_code == 200


def test_a_video_that_is_purged_gives_its_bytes_back(world, tmp_path, problem):
    path = tmp_path / "other.mp4"
    path.write_bytes(SAMPLE.read_bytes() + b"\0" * 8)
    video, _ = upload(world.service, path, settings=None)
    assert world.delete(f"/videos/{video}?now=1").json["bytes_freed"] >= path.stat().st_size
    assert problem(world.post(f"/videos/{video}/restore"), 404)
    assert world.get(f"/videos/{world.video}").status_code == 200


def test_content_is_answered_whole_in_parts_or_not_again(world):
    path, whole = f"/videos/{world.video}/content", SAMPLE.read_bytes()
    response = world.get(path)
    assert (response.data, response.mimetype, response.headers["Accept-Ranges"]) == (whole, "video/mp4", "bytes")
    part = world.get(path, Range="bytes=100-199")
    assert (part.status_code, part.data) == (206, whole[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
    assert world.get(path, Range="bytes=-10").data == whole[-10:]
    assert world.get(path, Range=f"bytes={len(whole)}-").status_code == 416
    assert world.get(path, If_None_Match=response.headers["ETag"]).status_code == 304
    assert world.get(f"/videos/{world.video}/playback", Range="bytes=0-9").data == whole[:10]


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("a.mp4", "a.mp4"),
        ('q"u;o\\te.mp4', "te.mp4"),
        ("<img onerror=x>.mp4", "_img onerror_x_.mp4"),
        ("=cmd().mp4", "_cmd().mp4"),
        ("CON.mp4", "_CON.mp4"),
        ("..", "video"),
        ("日本.mp4", "日本.mp4"),
    ],
)
def test_downloads_have_names_that_every_system_takes_for_files(world, fresh, name, saved):
    video, _ = fresh
    world.patch(f"/videos/{video}", {"name": name})
    header = world.get(f"/videos/{video}/content?download=1").headers["Content-Disposition"]
    assert header.startswith("attachment")
    _, options = parse_options_header(header)
    assert options["filename"] == saved


def test_content_is_shown_as_what_was_found_in_it_and_never_as_what_it_is_called(world, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<script>alert(1)</script>")
    video, _ = upload(world.service, page, settings=None)
    response = world.get(f"/videos/{video}/content")
    assert response.mimetype == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_pictures_and_playback_are_missing_until_they_are_made(world, tmp_path, problem):
    path = tmp_path / "new.mp4"
    path.write_bytes(SAMPLE.read_bytes() + b"\1")
    video, _ = upload(world.service, path, settings=None)
    assert problem(world.get(f"/videos/{video}/poster"), 404)
    assert problem(world.get(f"/videos/{video}/strip/0"), 404)
    assert problem(world.get(f"/videos/{video}/playback"), 409)
    assert world.get(f"/videos/{video}").json["strip"] is None
    world.delete(f"/videos/{video}?now=1")


def test_a_sheet_that_is_none_is_not_found(world, problem):
    for k in ("99", "-1", "x", "9" * 30, "9" * 5000):
        assert problem(world.get(f"/videos/{world.video}/strip/{k}"), 404)


def test_windows_are_marked_moved_and_deleted(world, fresh, problem):
    path = f"/videos/{fresh[0]}/windows"
    second = world.post(path, {"name": "second", "start": 1, "end": 2})
    first = world.post(path, {"name": "first", "start": 0.25, "end": 0.5}).json
    assert (second.status_code, second.json["video_id"]) == (201, fresh[0])
    assert [window["name"] for window in world.get(path).json["items"]] == ["first", "second"]
    assert world.patch(f"{path}/{first['id']}", {"end": 0.75}).json == first | {"end": 0.75}
    assert world.get(f"/videos/{fresh[0]}").json["windows"] == 2
    assert world.delete(f"{path}/{first['id']}").status_code == 204
    assert problem(world.delete(f"{path}/{first['id']}"), 404)
    assert problem(world.patch(f"{path}/{first['id']}", {"end": 1}), 404)
    assert problem(world.get("/videos/none/windows"), 404)


@pytest.mark.parametrize(
    "window",
    [
        {"name": "x", "start": 2, "end": 1},
        {"name": "", "start": 0, "end": 1},
        {"name": "\u202e", "start": 0, "end": 1},
        {"name": "x", "start": -1, "end": 1},
        {"name": "x", "start": "soon", "end": 1},
        {"name": "x", "end": 1},
        {"name": "x", "start": 0, "end": 1e300},
    ],
)
def test_windows_that_make_no_sense_are_refused(world, problem, window):
    assert problem(world.post(f"/videos/{world.video}/windows", window), 422)


def test_not_a_number_is_no_time(world, problem):
    body = '{"name": "x", "start": 0, "end": NaN}'
    path = f"/api/v1/videos/{world.video}/windows"
    assert problem(world.client.post(path, data=body, content_type="application/json"), 422)


def test_the_sample_is_added_and_analysed(world):
    response = world.post("/videos/sample")
    assert (response.status_code, response.json["name"]) == (201, "sample.mp4")
    assert response.json["latest"]["state"] == "queued"
    world.delete(f"/videos/{response.json['id']}?now=1")


def test_what_belongs_to_somebody_else_tells_nothing(world, foreign):
    video, analysis = foreign
    mine = [entry["id"] for entry in world.get("/videos?limit=500").json["items"]]
    assert video not in mine
    assert analysis not in [entry["id"] for entry in world.get("/analyses?limit=500").json["items"]]
    paths = [f"/videos/{video}{rest}" for rest in ("", "/content", "/playback", "/poster", "/strip/0", "/windows")]
    parts = ("", "/preview", "/report", "/people", "/boxes", "/tiles", "/tiles/0/0", "/moments", "/frame?time=0")
    more = ("/figures/timeline", "/exports", "/exports/csv", "/exports/mp4", "/changes", "/people/1/thumbnail")
    for path in [*paths, *(f"/analyses/{analysis}{rest}" for rest in parts + more)]:
        response = world.get(path)
        assert response.status_code in (403, 404), path
        assert response.mimetype == "application/problem+json"
    assert world.delete(f"/videos/{video}").status_code in (403, 404)
    assert world.patch(f"/videos/{video}", {"name": "mine"}).status_code in (403, 404)
    assert world.post("/analyses", {"video_id": video}).status_code == 404
