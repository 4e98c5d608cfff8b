"""The original application's two addresses, with a real analysis behind them."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from serving import form

import visagram
from service import open_service, work
from visagram.core.edits import Split
from visagram.jobs.leases import Leases
from visagram.jobs.model import Analysis
from visagram.web.app import create_app

SAMPLE = Path(visagram.__file__).parent / "data" / "sample.mp4"
SECOND = {"frame_interval": "5", "end": "1"}
"""Settings under which the sample is analysed quickly."""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    opened = open_service(tmp_path_factory.mktemp("contract") / "data")
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def app(service):
    return create_app(service)


@pytest.fixture
def client(app):
    return app.test_client()


def upload(client, name: str, content: bytes | None = None, query: str = "", **settings: str):
    content = SAMPLE.read_bytes() if content is None else content
    fields = [(field, None, value.encode()) for field, value in settings.items()]
    body = form(("video", name, content), *fields)
    return client.post(f"/upload{query}", data=body, content_type="multipart/form-data; boundary=B")


def test_an_upload_is_accepted_watched_and_read(service, client):
    answer = upload(client, "interview.mp4", **SECOND)
    assert answer.status_code == 202
    assert set(answer.json) == {"message", "filename", "job", "status_url", "stats_url"}
    assert answer.json["filename"] == "interview.mp4" and answer.json["stats_url"] == "/stats/interview.mp4"

    waiting = client.get(answer.json["stats_url"])
    assert waiting.status_code == 202 and int(waiting.headers["Retry-After"]) >= 1
    assert waiting.json["state"] == "queued" and waiting.json["progress"]["stage"] == "wait"
    assert waiting.json["status_url"] == answer.json["status_url"]

    work(service)
    assert client.get(answer.json["status_url"]).json["state"] == "done"
    stats = client.get(answer.json["stats_url"])
    assert stats.status_code == 200 and set(stats.json) == {"filename", "overall", "faces"}
    folder = service.storage.output(_output(service, answer.json["job"]))
    assert stats.json["overall"] == json.loads((folder / "overall_statistics.json").read_text("utf-8"))
    assert stats.json["faces"]
    for number, face in enumerate(stats.json["faces"], 1):
        assert face == json.loads((folder / f"face_{number}_statistics.json").read_text("utf-8"))

    service.analyses.edit(service.owners.local, answer.json["job"], Split(1, at=0.5))
    corrected = client.get(answer.json["stats_url"]).json
    assert len(corrected["faces"]) == len(stats.json["faces"]) + 1
    assert corrected["overall"]["total_faces_detected"] == len(corrected["faces"])


def _output(service, analysis: str) -> str:
    with service.store.read() as session:
        return session.get(Analysis, analysis).output_id


def test_whoever_waits_gets_the_answer_when_it_is_done(service, client):
    upload(client, "before.mp4", **SECOND)
    work(service)
    began = time.monotonic()
    at_once = upload(client, "again.mp4", query="?wait=1", **SECOND)
    assert at_once.status_code == 200 and at_once.json["state"] == "done" and at_once.json["error"] is None
    assert time.monotonic() - began < 50
    worker = threading.Timer(0.5, work, (service,))
    worker.start()
    waited = upload(client, "other.mp4", query="?wait=1", frame_interval="6", end="1")
    worker.join()
    assert waited.status_code == 200 and waited.json["state"] == "done"
    assert client.get(waited.json["stats_url"]).status_code == 200
    assert upload(client, "third.mp4", query="?wait=0", **SECOND).status_code == 202


def test_the_newest_analysis_of_a_name_counts(service, client):
    first = upload(client, "twice.mp4", **SECOND).json
    work(service)
    assert client.get("/stats/twice.mp4").status_code == 200
    second = upload(client, "twice.mp4", frame_interval="9", end="1").json
    assert first["job"] != second["job"]
    assert client.get("/stats/twice.mp4").status_code == 202
    client.post(f"/api/v1/analyses/{second['job']}/cancel")
    cancelled = client.get("/stats/twice.mp4")
    assert (cancelled.status_code, cancelled.json["code"]) == (422, "cancelled")
    client.delete(f"/api/v1/analyses/{second['job']}")
    assert client.get("/stats/twice.mp4").status_code == 200


def test_a_file_that_is_no_video_says_why(service, client):
    answer = upload(client, "notes.txt", b"these are notes and no video")
    worker = threading.Timer(0.2, work, (service,))
    worker.start()
    waited = upload(client, "notes.txt", b"these are notes and no video", query="?wait=1")
    worker.join()
    assert answer.status_code == 202 and waited.status_code == 200
    assert waited.json["state"] == "failed" and waited.json["error"]["code"] == "not_a_video"
    stats = client.get("/stats/notes.txt")
    assert (stats.status_code, stats.json["code"]) == (422, "not_a_video")
    assert stats.content_type == "application/problem+json" and stats.json["detail"]


def test_a_name_that_nobody_uploaded_is_unknown(client):
    assert client.get("/stats/none.mp4").status_code == 404
    assert client.get("/stats/").status_code == 404


@pytest.mark.parametrize("field", ["frame_interval", "sample_fps", "region", "detect_size", "nonsense"])
def test_a_setting_that_makes_no_sense_is_refused(client, field):
    answer = upload(client, "a.mp4", b"x", **{field: "-"})
    assert (answer.status_code, answer.json["code"]) == (422, "usage") and field in answer.json["detail"]
    assert client.get("/stats/a.mp4").status_code == 404


def test_a_video_of_the_contract_is_always_analysed(client):
    assert upload(client, "a.mp4", b"x", analyse="0").status_code == 422
    assert upload(client, "b.mp4", b"y", query="?analyse=0").json["job"]


def test_the_name_is_found_as_it_was_uploaded(client):
    answer = upload(client, "Grüße & Co?.mp4", b"z").json
    assert answer["filename"] == "Grüße & Co?.mp4"
    assert client.get(answer["stats_url"]).status_code == 202
    assert client.get("/stats/a%20folder/Gr%C3%BC%C3%9Fe%20%26%20Co%3F.mp4").status_code == 202


def test_waiting_ends_where_too_many_wait(tmp_path):
    crowded = open_service(tmp_path / "data", event_streams=0)
    answer = upload(create_app(crowded).test_client(), "a.mp4", b"x", query="?wait=1")
    assert answer.status_code == 202 and answer.json["state"] == "queued"


def test_waiting_ends_with_a_cancelled_analysis(service, client, app):
    def cancel():
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            with service.store.read() as session:
                found = [a.id for a in session.query(Analysis) if a.video.name == "waits.mp4"]
            if found and app.extensions["visagram.broadcaster"].listening:
                service.analyses.cancel(service.owners.local, found[0])
                return
            time.sleep(0.02)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    answer = upload(client, "waits.mp4", b"waits", query="?wait=1")
    canceller.join()
    assert answer.status_code == 200 and answer.json["state"] == "cancelled"


def test_the_queue_is_left_empty(service):
    work(service)
    assert Leases(service.store, "test", 1.0).claim() is None
