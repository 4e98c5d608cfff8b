"""Results and data folders of earlier versions, kept as files: every version reads them and goes on with their work."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from command import visagram
from service import open_service, result, status, work
from visagram.export import FORMATS
from visagram.export.json import SCHEMA_VERSION, SCHEMAS, schema
from visagram.export.read import UNKNOWN_STREAM
from visagram.export.stored import complete_shares
from visagram.export.table import schema as table_schema
from visagram.jobs.model import LOCAL_OWNER, Base
from visagram.jobs.service import Service
from visagram.jobs.videos import Who
from visagram.report import open_report
from visagram.web.app import create_app
from world import World

KEPT = Path(__file__).parent.parent / "kept"
VERSIONS = sorted(path.name for path in KEPT.iterdir() if path.is_dir())
ME = Who(LOCAL_OWNER)


@pytest.fixture(params=VERSIONS)
def kept(request: pytest.FixtureRequest) -> Path:
    return KEPT / request.param


@pytest.fixture
def service(kept: Path, tmp_path: Path) -> Iterator[Service]:
    """The data folder as the next start of the server finds it."""
    shutil.copytree(kept / "data", tmp_path / "data")
    opened = open_service(tmp_path / "data")
    yield opened
    opened.store.close()


@pytest.fixture
def world(service: Service) -> World:
    """The API over it; `video` and `analysis` are those that were finished."""
    found = World(service, create_app(service).test_client())
    videos = {video["name"]: video for video in found.get("/videos").json["items"]}
    found.video, found.analysis = videos["short.mp4"]["id"], videos["short.mp4"]["latest"]["id"]
    return found


def test_there_are_files_of_the_first_version() -> None:
    assert "0.1.0" in VERSIONS


def test_a_result_is_read(kept: Path) -> None:
    report = open_report(kept / "result")
    assert (report.video.name, report.video.frames, report.totals.frames) == ("sample.mp4", 765, 50)
    assert [person.name for person in report.people] == ["Person 1"]
    assert len(report.observations) == 50 and report.warnings == ()
    assert "Person 1: in the picture for 2.0 s" in report.summary()
    assert report.account().startswith("sample.mp4 was analysed for 2.0 s. 1 person was found")
    written = json.loads((kept / "result" / "report.json").read_text("utf-8"))
    complete_shares(written["people"][0])
    for name in written["people"][0]:
        assert report.to_dict()["people"][0][name] == written["people"][0][name], name
    np.testing.assert_array_equal(
        report.observations.posterior[report.observations.usable], np.load(kept / "result" / "face_1_embeddings.npy")
    )


def test_what_the_first_version_did_not_know_is_not_made_up() -> None:
    video = open_report(KEPT / "0.1.0" / "result").video
    assert (video.stream, video.time_basis, video.shapes) == (UNKNOWN_STREAM, "", ())
    assert (video.path, video.sha256) == ("", "")


def test_a_result_follows_the_schema_of_its_own_version(kept: Path) -> None:
    version = json.loads((kept / "result" / "report.json").read_text("utf-8"))["schema_version"]
    for name, file in zip(SCHEMAS, ("report", "overall_statistics", "face_1_statistics"), strict=True):
        content = json.loads((kept / "result" / f"{file}.json").read_text("utf-8"))
        jsonschema.Draft202012Validator(schema(name, version)).validate(content)


def test_a_result_is_saved_again_in_the_form_of_today(kept: Path, tmp_path: Path) -> None:
    report = open_report(kept / "result")
    report.save(tmp_path / "again", FORMATS)
    content = json.loads((tmp_path / "again" / "report.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema("report")).validate(content)
    assert content["schema_version"] == SCHEMA_VERSION
    assert open_report(tmp_path / "again").people == report.people
    assert pq.read_table(tmp_path / "again" / "observations.parquet").schema.equals(table_schema())


def test_a_result_is_told_in_words_by_the_command_line(kept: Path) -> None:
    told = visagram("summarise", kept / "result")
    assert (told.status, told.codes) == (0, [])
    assert told.out.startswith("sample.mp4 was analysed for 2.0 s.")


def test_tables_of_the_database_are_those_of_today(service: Service) -> None:
    with service.store.read() as session:
        for mapper in Base.registry.mappers:
            session.scalars(select(mapper.class_)).all()
    service.store.migrate()


def test_a_library_has_its_videos_with_what_people_said_of_them(world: World) -> None:
    listed = {video["name"]: video for video in world.get("/videos").json["items"]}
    assert set(listed) == {"short.mp4", "long.mp4"}
    short = listed["short.mp4"]
    assert (short["participant"], short["condition"], short["tags"]) == ("P01", "before", ["pilot"])
    assert (short["notes"], short["windows"], short["playback"]["state"]) == ("kept", 1, "direct")
    assert (short["latest"]["state"], short["latest"]["people"], short["latest"]["revision"]) == ("done", 1, 1)
    assert (short["facts"]["frames"], short["facts"]["time_basis"]) == (50, None)
    for address in (short["poster_url"], short["content_url"], *short["strip"]["urls"]):
        assert world.get(address).status_code == 200
    assert [video["name"] for video in world.get("/videos?tag=pilot").json["items"]] == ["short.mp4"]
    assert [entry["action"] for entry in world.get("/log").json["items"]][-1] == "add video"


def test_a_result_of_the_server_is_served(world: World) -> None:
    path = f"/analyses/{world.analysis}"
    report = world.get(f"{path}/report").json
    jsonschema.Draft202012Validator(schema("report")).validate(report)
    assert (report["schema_version"], report["video"]["name"]) == (SCHEMA_VERSION, "short.mp4")
    assert report["video"]["video_id"] == world.get(f"/videos/{world.video}").json["sha256"][:16]
    assert [person["name"] for person in world.get(f"{path}/people").json["items"]] == ["Anna"]
    assert world.get(f"{path}/observations?limit=1").json["total"] == 50
    assert len(world.get(f"{path}/boxes?start=0&end=2").json["time"]) == 50
    assert world.get(f"{path}/moments").json["total"] > 0
    assert world.get(f"{path}/tiles/0/0").status_code == 200
    assert world.get(f"{path}/figures/timeline").status_code == 200
    assert "Anna" in world.get(f"{path}/account").json["text"]
    [window] = world.get(f"{path}/windows").json["items"]
    assert (window["window"]["name"], window["people"][0]["measured"]) == ("greeting", pytest.approx(1.0))


def test_files_of_a_result_of_the_server_are_made(world: World) -> None:
    path, sha256 = f"/analyses/{world.analysis}/exports", world.get(f"/videos/{world.video}").json["sha256"]
    rows = list(csv.DictReader(io.StringIO(world.get(f"{path}/csv").text)))
    assert len(rows) == 50
    assert {(row["video"], row["video_id"]) for row in rows} == {("short.mp4", sha256[:16])}
    table = pq.read_table(io.BytesIO(world.get(f"{path}/parquet").data))
    assert table.schema.equals(table_schema()) and set(table["video_id"].to_pylist()) == {sha256[:16]}
    with zipfile.ZipFile(io.BytesIO(world.get(f"{path}/statistics").data)) as archive:
        for name in archive.namelist():
            kind = "face_statistics" if name.startswith("face") else "overall_statistics"
            jsonschema.Draft202012Validator(schema(kind)).validate(json.loads(archive.read(name)))
    for format in ("json", "html", "vtt", "npy"):
        assert world.get(f"{path}/{format}").status_code == 200
    [row, window] = world.get("/study/table").json["items"]
    assert (row["video_id"], row["content_id"], row["person_name"]) == (world.video, sha256[:16], "Anna")
    assert window["window"] == "greeting"


def test_the_routes_of_the_original_application_answer(world: World) -> None:
    stats = world.client.get("/stats/short.mp4", buffered=True)
    assert stats.status_code == 200 and stats.json["faces"][0]["total_frames_processed"] == 50


def test_people_are_changed_further_and_changes_are_taken_back(world: World) -> None:
    path = f"/analyses/{world.analysis}"

    def names() -> list[str]:
        return [person["name"] for person in world.get(f"{path}/people").json["items"]]

    assert world.post(f"{path}/people/split", {"person": 1, "at": 1.0}).status_code == 200
    assert names() == ["Anna", "Person 2"]
    assert {row["person"] for row in world.get(f"{path}/observations?limit=50").json["items"]} == {1, 2}
    for expected in (["Anna"], ["Person 1"]):
        assert world.post(f"{path}/changes/undo").status_code == 200
        assert names() == expected


def test_a_job_that_was_interrupted_goes_on_and_finds_what_a_new_one_finds(service: Service, world: World) -> None:
    video = next(video for video in world.get("/videos").json["items"] if video["name"] == "long.mp4")
    analysis = video["latest"]["id"]
    assert status(service, analysis) == "running"
    service.videos.tidy()
    work(service)
    assert status(service, analysis) == "done"
    assert service.storage.names("work") == []
    new, is_new = service.analyses.create(ME, video["id"], {})
    assert is_new, "what another version made stands for itself"
    work(service)
    report, rows = result(service, analysis)
    assert (report["totals"]["frames"], report["totals"]["frames_damaged"]) == (200, 0)
    assert report["totals"]["duration"] == pytest.approx(200 / 12)
    assert [person["id"] for person in report["people"]] == [1]
    assert (report, rows) == result(service, new)
