"""The event stream: the state first, then what happens; bounded, private, and over when the server is."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time

import pytest
from serving import serving

from service import open_service
from visagram.jobs import leases
from visagram.jobs.leases import Leases
from visagram.jobs.model import Analysis, Job, Owner, Video
from visagram.jobs.uploads import UNKNOWN, Wanted
from visagram.jobs.videos import Who
from visagram.web import broadcaster, events
from visagram.web.app import create_app

OTHER = Who(2, "other")


@pytest.fixture
def quick(monkeypatch):
    """Streams that look and beat more often than people need."""
    monkeypatch.setattr(broadcaster, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(events, "WAKE_SECONDS", 0.05)
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)


def add(service, content: bytes, owner: Who | None = None, name: str = "a.mp4") -> str:
    """A new analysis of these bytes."""
    owner = owner or service.owners.local
    id = service.uploads.begin(owner, name, UNKNOWN, Wanted({}))
    service.uploads.append(owner, id, 0, io.BytesIO(content))
    _, analysis = service.uploads.finish(owner, id)
    assert analysis is not None
    return analysis


def change(service, analysis: str, **values: object) -> int:
    """Set columns of an analysis' job as a worker does, and return the new version."""
    with service.store.write() as session:
        job = session.get(Analysis, analysis).output.job
        for name, value in values.items():
            setattr(job, name, value)
        job.version = leases.tick(session)
        return job.version


class Reader:
    """Reads a stream's events."""

    def __init__(self, lines) -> None:
        self._text, self._lines, self.comments, self.retry = "", lines, 0, None

    def next(self, seconds: float = 100.0):
        """(id, analysis) of the next event; None at the end of the stream."""
        deadline = time.monotonic() + seconds
        while True:
            while "\n\n" not in self._text:
                assert time.monotonic() < deadline, "no event came"
                piece = next(self._lines, None)
                if piece is None:
                    return None
                self._text += piece.decode()
            block, _, self._text = self._text.partition("\n\n")
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            self.comments += block.startswith(":")
            self.retry = fields.get("retry", self.retry)
            if "data" in fields:
                assert fields["event"] == "analysis"
                return int(fields["id"]), json.loads(fields["data"])


@contextlib.contextmanager
def listening(client, query: str = "", **headers: str):
    response = client.get(f"/api/v1/events{query}", headers=headers)
    assert response.status_code == 200, response.text
    try:
        yield Reader(response.iter_encoded())
    finally:
        response.close()


def test_a_stream_tells_the_state_first_and_then_what_happens(service, client, quick):
    analysis = add(service, b"one")
    with listening(client) as stream:
        first, shown = stream.next()
        assert (shown["id"], shown["state"], shown["progress"]["stage"]) == (analysis, "queued", "wait")
        assert stream.retry == "2000"
        queue = Leases(service.store, "test", 10.0)
        lease = queue.claim()
        while lease.kind != leases.PREPARE:
            lease = queue.claim()
        second, shown = stream.next()
        assert second > first and (shown["state"], shown["progress"]["stage"]) == ("running", "probe")
        face = {"box": [1, 2, 3, 4], "emotion": "happy", "probability": 0.9}
        preview = {"time": 1.5, "width": 64, "height": 48, "faces": [face]}
        change(
            service,
            analysis,
            stage="analyse",
            completed=50,
            total=200,
            measured_since=time.time() - 10,
            preview=preview,
        )
        _, shown = stream.next()
        progress = shown["progress"]
        assert (progress["completed"], progress["total"]) == (50, 200)
        assert progress["rate"] == pytest.approx(5, rel=0.1) and progress["seconds_left"] == pytest.approx(30, rel=0.1)
        assert shown["preview"] == preview | {"url": f"/api/v1/analyses/{analysis}/preview"}
        queue.give_up(lease, "not_a_video", "This is no video.")
        _, shown = stream.next()
        assert (shown["state"], shown["error"]["code"]) == ("failed", "not_a_video") and "preview" not in shown


def test_a_stream_of_one_analysis_tells_nothing_else(service, client, quick):
    first, second = add(service, b"one"), add(service, b"two")
    change(service, second, state="failed", error_code="not_a_video", error_detail="No.")
    with listening(client, f"?analysis={second}") as stream:
        assert stream.next()[1]["id"] == second
        change(service, first, completed=1)
        version = change(service, second, completed=2)
        assert stream.next()[0] == version
    assert client.get("/api/v1/events?analysis=none").status_code == 404


def test_a_stream_without_a_last_event_begins_with_what_is_unfinished(service, client, quick):
    done, waits = add(service, b"one"), add(service, b"two")
    change(service, done, state="failed")
    with listening(client) as stream:
        assert stream.next()[1]["id"] == waits
        version = change(service, done, completed=1)
        assert stream.next()[0] == version


def test_a_reader_that_comes_back_gets_what_it_missed(service, client, quick):
    one, two, three = (add(service, content) for content in (b"one", b"two", b"three"))
    last = change(service, one, completed=1)
    change(service, two, state="failed")
    version = change(service, three, completed=3)
    with listening(client, **{"Last-Event-ID": str(last)}) as stream:
        told = [stream.next() for _ in range(3)]
    assert [shown["id"] for _, shown in told] == [one, two, three]
    assert [number for number, _ in told][-1] == version
    for wrong in ("x", "-1", "9" * 30):
        assert client.get("/api/v1/events", headers={"Last-Event-ID": wrong}).status_code == 400


def test_entries_of_the_same_bytes_share_their_work_and_each_is_told(service, client, quick):
    first, second = add(service, b"same"), add(service, b"same")
    with listening(client) as stream:
        assert {stream.next()[1]["id"], stream.next()[1]["id"]} == {first, second}
        change(service, first, completed=7)
        assert {stream.next()[1]["id"], stream.next()[1]["id"]} == {first, second}


def test_nothing_of_another_owner_is_ever_told(service, client, quick):
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))
    theirs, ours = add(service, b"same", OTHER), add(service, b"same")
    with service.store.read() as session:
        assert session.get(Analysis, theirs).output.job.id == session.get(Analysis, ours).output.job.id
    with listening(client, **{"Last-Event-ID": "0"}) as stream:
        assert stream.next()[1]["id"] == ours
        for completed in range(1, 4):
            change(service, theirs, completed=completed)
            shown = stream.next()[1]
            assert (shown["id"], shown["progress"]["completed"]) == (ours, completed)
    assert client.get(f"/api/v1/events?analysis={theirs}").status_code == 404


def test_a_deleted_video_is_not_told(service, client, quick):
    gone, stays = add(service, b"one"), add(service, b"two")
    with service.store.read() as session:
        video = session.get(Analysis, gone).video_id
    service.videos.delete(service.owners.local, video)
    with listening(client, **{"Last-Event-ID": "0"}) as stream:
        assert stream.next()[1]["id"] == stays


def test_a_quiet_stream_beats(service, client, quick):
    analysis = add(service, b"one")
    with listening(client) as stream:
        stream.next()
        threading.Timer(0.7, change, (service, analysis), {"completed": 1}).start()
        stream.next()
        assert stream.comments >= 2


def test_streams_have_a_cap_and_give_their_place_back(tmp_path, quick):
    service = open_service(tmp_path / "data", event_streams=2)
    add(service, b"one")
    app = create_app(service)
    client = app.test_client()
    with listening(client), listening(client):
        refused = client.get("/api/v1/events")
        assert (refused.status_code, refused.json["code"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert client.get("/api/v1/videos").status_code == 200
    assert app.extensions["visagram.broadcaster"].listening == 0
    with listening(client) as stream:
        stream.next()
    with client.head("/api/v1/events") as response:
        assert response.status_code == 200
    assert app.extensions["visagram.broadcaster"].listening == 0


def readers(wanted: int) -> None:
    """Wait until so many threads read a store."""
    deadline = time.monotonic() + 50
    while sum(thread.name == "events" for thread in threading.enumerate()) != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_store_is_read_only_while_somebody_listens(service, client, quick):
    readers(0)
    add(service, b"one")
    with listening(client), listening(client):
        readers(1)
    readers(0)
    with listening(client):
        readers(1)


def test_a_slow_reader_is_dropped_and_catches_up(service, app, client, quick, monkeypatch):
    monkeypatch.setattr(broadcaster, "MOST_WAITING", 5)
    analysis = add(service, b"one")
    reader = app.extensions["visagram.broadcaster"]
    quick_one = reader.join(1)
    with listening(client) as stream:
        last, _ = stream.next()
        for completed in range(1, 10):
            version = change(service, analysis, completed=completed)
            assert quick_one.waiting.get(timeout=10).version == version
        reader.leave(quick_one)
        assert not quick_one.dropped
        told = []
        while (event := stream.next()) is not None:
            told.append(event[0])
        assert told == sorted(told) and len(told) < 9
    with listening(client, **{"Last-Event-ID": str(told[-1] if told else last)}) as stream:
        assert stream.next()[0] == version


def test_a_database_in_trouble_is_outlived(service, app, quick):
    analysis = add(service, b"one")
    reader = app.extensions["visagram.broadcaster"]
    listener = reader.join(1)
    for statement in ("ALTER TABLE clock RENAME TO aside", "ALTER TABLE aside RENAME TO clock"):
        with service.store.write() as session:
            session.connection().exec_driver_sql(statement)
        time.sleep(0.2)
    version = change(service, analysis, completed=1)
    assert listener.waiting.get(timeout=50).version == version
    reader.leave(listener)


def test_a_mistake_of_ours_ends_streams_instead_of_silencing_them(service, client, quick, monkeypatch):
    analysis = add(service, b"one")
    unhandled = []
    monkeypatch.setattr(threading, "excepthook", unhandled.append)
    with listening(client) as stream, monkeypatch.context() as broken:
        stream.next()
        broken.setattr(broadcaster, "happenings", None)
        change(service, analysis, completed=1)
        assert stream.next() is None
    assert unhandled[0].exc_type is TypeError
    with listening(client) as stream:
        stream.next()
        version = change(service, analysis, completed=2)
        assert stream.next()[0] == version


def test_streams_end_with_the_server_and_readers_that_left_make_room(tmp_path):
    service = open_service(tmp_path / "data", event_streams=1)
    analysis = add(service, b"one")
    with serving(service) as live:
        first = live.connect()
        first.request("GET", "/api/v1/events")
        response = first.getresponse()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert b"retry: 2000" in response.readline()
        second = live.connect()
        second.request("GET", "/api/v1/events")
        assert second.getresponse().status == 503
        second.close()
        first.sock.close()
        first.close()
        deadline = time.monotonic() + 100
        while True:
            third = live.connect()
            third.request("GET", "/api/v1/events")
            response = third.getresponse()
            if response.status == 200:
                break
            third.close()
            assert time.monotonic() < deadline, "the place of a reader that left stays taken"
            time.sleep(0.1)
        stream = Reader(iter(response.readline, b""))
        assert stream.next()[1]["id"] == analysis
        version = change(service, analysis, completed=5)
        assert stream.next()[0] == version
        began = time.monotonic()
        live.process.terminate()
        assert stream.next() is None
        assert live.process.wait(100) == 0
        assert time.monotonic() - began < 60
        third.close()


def test_the_job_of_a_video_is_no_event(service, client, quick):
    analysis = add(service, b"one")
    with listening(client) as stream:
        stream.next()
        with service.store.write() as session:
            job = session.query(Job).filter(Job.kind == "media").one()
            job.completed, job.version = 1, leases.tick(session)
        version = change(service, analysis, completed=1)
        assert stream.next()[0] == version


def test_a_video_that_was_purged_meanwhile_ends_nothing(service, client, quick):
    gone, stays = add(service, b"one"), add(service, b"two")
    with listening(client) as stream:
        assert {stream.next()[1]["id"], stream.next()[1]["id"]} == {gone, stays}
        with service.store.write() as session:
            session.delete(session.get(Video, session.get(Analysis, gone).video_id))
        version = change(service, stays, completed=1)
        assert stream.next()[0] == version
