"""The files of a result."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import threading
import zipfile

import av
import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from service import upload, work
from visagram.cli import SAMPLE
from visagram.export.json import schema
from visagram.web.api.found import Result
from visagram.web.api.made import EXPORTS, Made
from visagram.web.api.writers import WHOLE, Selection

FORMATS = ("csv", "parquet", "json", "html", "vtt", "npy", "statistics")


@pytest.fixture(scope="module")
def short(world, tmp_path_factory):
    """The first second of the sample as a file of its own, analysed: annotating goes through all of a video."""
    path = tmp_path_factory.mktemp("short") / "take 1.mp4"
    with av.open(str(SAMPLE)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in itertools.islice(source.demux(source.streams.video[0]), 25):
            packet.stream = stream
            target.mux(packet)
    video, analysis = upload(world.service, path, settings={})
    work(world.service)
    yield f"/analyses/{analysis}"
    world.delete(f"/videos/{video}?now=1")


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def members_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_format_is_listed_and_can_be_had(world, fresh):
    path = f"/analyses/{fresh[1]}/exports"
    listed = world.get(path).json["items"]
    assert [item["format"] for item in listed] == [*FORMATS, "mp4"]
    assert {(item["bytes"], item["state"]) for item in listed} == {(None, "none")}
    for item in listed[:-1]:
        response = world.get(item["url"])
        assert (response.status_code, response.mimetype) == (200, EXPORTS[item["format"]].kind)
        assert response.headers["Content-Disposition"] == f"attachment; filename={item['name']}"
        assert world.get(item["url"], If_None_Match=response.headers["ETag"]).status_code == 304
        part = world.get(item["url"], Range="bytes=1-5")
        assert (part.status_code, part.data) == (206, response.data[1:6])
    made = {item["format"]: (item["state"], item["bytes"]) for item in world.get(path).json["items"][:-1]}
    assert all(state == "ready" and size for state, size in made.values())


def test_files_hold_the_name_that_the_video_has_now(world, fresh):
    video, analysis = fresh
    path = f"/analyses/{analysis}/exports"
    assert {row["video"] for row in rows_of(world.get(f"{path}/csv").text)} == {"fresh.mp4"}
    world.patch(f"/videos/{video}", {"name": "=1+1.mp4"})
    assert {row["video"] for row in rows_of(world.get(f"{path}/csv").text)} == {"'=1+1.mp4"}
    assert {row["video"] for row in rows_of(world.get(f"{path}/csv?end=1").text)} == {"'=1+1.mp4"}
    table = pq.read_table(io.BytesIO(world.get(f"{path}/parquet?end=1").data))
    assert set(table["video"].to_pylist()) == {"=1+1.mp4"}
    assert world.get(f"{path}/json").json["video"]["name"] == "=1+1.mp4"
    assert "=1+1.mp4" in world.get(f"{path}/html").text


def test_every_file_names_the_content_and_no_place_on_the_server(world, fresh):
    path = f"/analyses/{fresh[1]}"
    sha256 = hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    for part in ("", "?end=1"):
        assert {row["video_id"] for row in rows_of(world.get(f"{path}/exports/csv{part}").text)} == {sha256[:16]}
        table = pq.read_table(io.BytesIO(world.get(f"{path}/exports/parquet{part}").data))
        assert set(table["video_id"].to_pylist()) == {sha256[:16]}
    for found in (world.get(f"{path}/exports/json").json, world.get(f"{path}/report").json):
        video = found["video"]
        assert (video["sha256"], video["video_id"], video["path"]) == (sha256, sha256[:16], None)
        jsonschema.Draft202012Validator(schema("report")).validate(found)
    statistics = members_of(world.get(f"{path}/exports/statistics").data)
    matrices = members_of(world.get(f"{path}/exports/npy").data)
    named = [json.loads(content) for name, content in (statistics | matrices).items() if name.endswith(".json")]
    assert len(named) == 3 and {each["video_id"] for each in named} == {sha256[:16]}


def test_tables_are_those_of_the_library(world):
    path = f"/analyses/{world.analysis}"
    service = world.service
    with service.store.read() as session:
        output = service.analyses.get(session, service.owners.local, world.analysis).output_id
    stored = pq.read_table(service.storage.output(output) / "observations.parquet")
    table = pq.read_table(io.BytesIO(world.get(f"{path}/exports/parquet").data))
    assert table.drop(["video"]).equals(stored.drop(["video"]))
    assert len(rows_of(world.get(f"{path}/exports/csv").text)) == len(stored) == 50


def test_tables_are_cut_to_a_stretch_and_a_person(world, fresh):
    path = f"/analyses/{fresh[1]}"
    world.post(f"{path}/people/split", {"person": 1, "at": 1.0})
    rows = rows_of(world.get(f"{path}/exports/csv?start=0.5&end=1.5&person=2").text)
    assert [float(row["time_s"]) for row in rows] == pytest.approx([1.0 + 0.04 * k for k in range(13)])
    table = pq.read_table(io.BytesIO(world.get(f"{path}/exports/parquet?start=0.5&end=1.5&person=2").data))
    assert [f"{time:.2f}" for time in table["time_s"].to_pylist()] == [f"{float(row['time_s']):.2f}" for row in rows]
    empty = world.get(f"{path}/exports/csv?person=9").text
    assert rows_of(empty) == []
    assert empty.startswith('"video","video_id","frame"')
    assert len(pq.read_table(io.BytesIO(world.get(f"{path}/exports/parquet?start=99").data))) == 0


def test_a_part_of_a_table_is_written_nowhere_but_into_the_answer(world, fresh, problem):
    _, analysis = fresh
    folder = world.service.storage.folder
    before = {path for path in folder.rglob("*") if path.is_file()}
    for format in ("csv", "parquet"):
        response = world.client.get(f"/api/v1/analyses/{analysis}/exports/{format}?end=1")
        assert response.is_streamed
        assert response.headers["Content-Disposition"] == f"attachment; filename=fresh_observations.{format}"
        assert response.data
    assert {path for path in folder.rglob("*") if path.is_file()} - before <= set(folder.glob("visagram.sqlite*"))


def test_subtitles_and_matrices_are_cut_too(world, fresh):
    path = f"/analyses/{fresh[1]}"
    world.post(f"{path}/people/split", {"person": 1, "at": 1.0})
    subtitles = world.get(f"{path}/exports/vtt?person=2").text
    assert "Person 2" in subtitles
    assert "Person 1" not in subtitles
    files = members_of(world.get(f"{path}/exports/npy?person=2&end=1.2").data)
    assert sorted(files) == ["face_2_embeddings.json", "face_2_embeddings.npy"]
    assert np.load(io.BytesIO(files["face_2_embeddings.npy"])).shape == (5, 7)


def test_statistics_are_one_archive_of_all_people(world, fresh):
    path = f"/analyses/{fresh[1]}"
    world.post(f"{path}/people/split", {"person": 1, "at": 1.0})
    files = members_of(world.get(f"{path}/exports/statistics").data)
    assert sorted(files) == ["face_1_statistics.json", "face_2_statistics.json", "overall_statistics.json"]
    assert json.loads(files["overall_statistics.json"])["faces"] == [1, 2]


@pytest.mark.parametrize("format", ["json", "html", "statistics"])
def test_what_is_about_the_whole_is_not_cut(world, problem, format):
    assert problem(world.get(f"/analyses/{world.analysis}/exports/{format}?end=1"), 422, "usage")


def test_wrong_parts_and_formats_are_refused(world, problem):
    path = f"/analyses/{world.analysis}/exports"
    assert problem(world.get(f"{path}/csv?person=x"), 422, "validation")
    assert problem(world.get(f"{path}/csv?start=2&end=1"), 422, "validation")
    assert problem(world.get(f"{path}/docx"), 404)
    assert problem(world.get("/analyses/none/exports"), 404)
    assert problem(world.get("/analyses/none/exports/csv"), 404)
    assert problem(world.get("/analyses/none/exports/mp4"), 404)
    assert problem(world.post("/analyses/none/exports/mp4"), 404)


def test_of_several_that_ask_at_a_time_one_makes_the_file(world, tmp_path, monkeypatch):
    analysis = world.fresh()[1]
    written, begun = [], threading.Barrier(4)

    def write(result: Result, chosen: Selection, path) -> None:
        written.append(chosen)
        EXPORTS["json"].write(result, chosen, path)

    monkeypatch.setitem(EXPORTS, "vtt", EXPORTS["vtt"]._replace(write=write))
    answers = []

    def ask():
        client = world.client.application.test_client()
        begun.wait()
        answers.append(client.get(f"/api/v1/analyses/{analysis}/exports/vtt", buffered=True).data)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (written, len(answers), len(set(answers))) == ([WHOLE], 4, 1)


def test_an_export_that_fails_leaves_nothing(world, monkeypatch):
    analysis = world.fresh()[1]

    def fail(_result: Result, _chosen: Selection, path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(EXPORTS, "vtt", EXPORTS["vtt"]._replace(write=fail))
    assert world.get(f"/analyses/{analysis}/exports/vtt").status_code == 507
    monkeypatch.undo()
    assert world.get(f"/analyses/{analysis}/exports/vtt").text.startswith("WEBVTT")
    assert not list((world.service.storage.folder / "tmp").glob("*"))


def test_files_of_earlier_names_and_changes_go(world, fresh):
    video, analysis = fresh
    for k in range(4):
        world.patch(f"/videos/{video}", {"name": f"take {k}.mp4"})
        world.get(f"/analyses/{analysis}/exports/vtt")
    folders = list(world.service.storage.edits(analysis).glob("exports-*"))
    assert len(folders) == 2


def test_the_annotated_video_is_made_as_a_job(world, short, problem):
    path = f"{short}/exports/mp4"
    missing = world.get(path)
    assert problem(missing, 404)
    assert missing.json["state"] == "none"
    asked = world.post(path)
    assert (asked.status_code, asked.json) == (202, {"state": "queued", "progress": 0.0})
    assert (world.get(path).status_code, world.get(path).json["state"]) == (202, "queued")
    assert world.get(f"{short}/exports").json["items"][-1]["state"] == "queued"
    work(world.service)
    done = world.get(path)
    assert (done.status_code, done.mimetype) == (200, "video/mp4")
    assert done.headers["Content-Disposition"] == 'attachment; filename="take 1_annotated.mp4"'
    assert world.get(path, Range="bytes=0-99").data == done.data[:100]
    again = world.post(path)
    assert (again.status_code, again.json) == (200, {"state": "done", "progress": 1.0})
    listed = world.get(f"{short}/exports").json["items"][-1]
    assert (listed["state"], listed["bytes"]) == ("ready", len(done.data))


def test_a_video_annotated_before_another_change_is_not_shown(world, short, problem):
    path = f"{short}/exports/mp4"
    world.patch(f"{short}/people/1", {"name": "Anna"})
    assert problem(world.get(path), 404)
    world.post(path)
    work(world.service)
    assert world.get(path).status_code == 200
    world.post(f"{short}/changes/undo")
    world.patch(f"{short}/people/1", {"name": "Berta"})
    assert problem(world.get(path), 404)
    assert world.post(path).status_code == 202


def test_made_files_lie_in_the_folder_of_their_analysis(world, fresh):
    world.get(f"/analyses/{fresh[1]}/exports/vtt")
    assert isinstance(Made(world.service.storage), Made)
    found = [path.name for path in world.service.storage.edits(fresh[1]).rglob("*.vtt")]
    assert found == ["expressions.vtt"]
