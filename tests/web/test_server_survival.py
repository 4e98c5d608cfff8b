"""The whole server, killed while it takes uploads, on a disk that fills, and under load."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

import pytest

from service import SHORT, alive, descendants, fill, mounted, wait_for
from visagram.cli import SAMPLE

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="kills by what /proc says of processes"),
    pytest.mark.timeout(180),
]
BOUNDARY = "visagram-test"


class Served:
    """`visagram serve` in a process of its own; a context manager that leaves nothing running."""

    def __init__(self, data, **environment):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [sys.executable, "-m", "visagram", "serve", "--data", str(data), "--port", str(self.port)]
        self._environment = os.environ | {"VISAGRAM_KEEP_FREE": "1"} | environment

    def __enter__(self):
        self.process = subprocess.Popen(self._command, env=self._environment, stderr=subprocess.PIPE, text=True)
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if "is ready" in line:
                return self
        raise AssertionError("".join(lines))

    def __exit__(self, *_):
        family = descendants(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        for pid in (self.process.pid, *family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()

    def kill(self):
        """What a power cut does: everything at once, no goodbye."""
        family = descendants(self.process.pid)
        os.kill(self.process.pid, signal.SIGKILL)
        wait_for(lambda: not any(map(alive, family)), 10)

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            # A server that has heard enough answers before it has everything.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return answer.status, dict(answer.getheaders()), content

    def json(self, path):
        status, _, content = self.ask("GET", path)
        assert status == 200, content
        return json.loads(content)

    def post_video(self, name="clip.mp4", content=None, path="/upload", **fields):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="video"; filename="{name}"\r\n\r\n'.encode()
        parts = "".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()
        ).encode()
        body = parts + head + (content or SAMPLE.read_bytes()) + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask("POST", path, body, **{"Content-Type": kind})


def _intact(data):
    database = sqlite3.connect(data / "visagram.sqlite")
    try:
        return database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        database.close()


def _done(served, job):
    return json.loads(served.ask("GET", f"/api/v1/analyses/{job}")[2])["state"] == "done"


def test_a_server_killed_during_uploads_keeps_what_it_promised(tmp_path):
    data, content = tmp_path / "data", SAMPLE.read_bytes()
    with Served(data) as served:
        # A resumable upload that is half-way, and a plain one whose body never ends.
        length = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(content))}
        status, headers, _ = served.ask("POST", "/api/v1/uploads", None, **length)
        assert status == 201
        place = headers["Location"].removeprefix(f"http://127.0.0.1:{served.port}")
        half = len(content) // 2
        patch = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
        assert served.ask("PATCH", place, content[:half], **patch, **{"Upload-Offset": "0"})[0] == 204
        endless = socket.create_connection(("127.0.0.1", served.port))
        endless.sendall(
            f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999999\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n--{BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="video"; filename="x.mp4"\r\n\r\n'.encode()
            + bytes(1 << 20)
        )
        wait_for(lambda: len(list((data / "uploads").iterdir())) == 2, 10)
        served.kill()
        endless.close()
    assert _intact(data)
    with Served(data) as served:
        place = f"/api/v1/uploads/{place.rsplit('/', 1)[1]}"
        _, headers, _ = served.ask("HEAD", place, None, **{"Tus-Resumable": "1.0.0"})
        assert headers["Upload-Offset"] == str(half)
        status, headers, _ = served.ask("PATCH", place, content[half:], **patch, **{"Upload-Offset": str(half)})
        assert status == 204
        video = served.json(f"/api/v1/videos/{headers['Visagram-Video']}")
        assert video["bytes"] == len(content)
        assert served.json("/api/v1/videos")["total"] == 1


def test_a_serving_process_killed_between_commits_loses_nothing_that_was_acknowledged(tmp_path):
    data, acknowledged, over = tmp_path / "data", [], threading.Event()
    with Served(data) as served:

        def send(number):
            count = 0
            while not over.wait(0.02):
                count += 1
                with contextlib.suppress(OSError, http.client.HTTPException):
                    status, _, answer = served.post_video(f"{number}-{count}.mp4", b"no video", seed=count)
                    if status == 202:
                        acknowledged.append(json.loads(answer)["filename"])

        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(4):
            wait_for(lambda: _reachable(served), 30)
            enough = len(acknowledged) + 3
            wait_for(lambda enough=enough: len(acknowledged) >= enough, 30, every=0.001 * (1 + turn))
            web = [p for p in descendants(served.process.pid) if _is_web(p)]
            for pid in web:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        over.set()
        for thread in threads:
            thread.join()
        wait_for(lambda: _reachable(served), 30)
        total = served.json("/api/v1/videos?limit=1")["total"]
        names = {
            video["name"]
            for offset in range(0, total, 100)
            for video in served.json(f"/api/v1/videos?limit=100&offset={offset}")["items"]
        }
    assert len(acknowledged) > 10
    assert set(acknowledged) <= names
    assert _intact(data)


def _is_web(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
        return b"visagram.web.server" in file.read()
    return False


def _reachable(served):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return served.ask("GET", "/healthz")[0] == 200
    return False


@pytest.fixture
def small_disk(tmp_path):
    with mounted(tmp_path / "disk", 24) as folder:
        yield folder


def test_a_full_disk_is_said_and_freeing_space_makes_everything_work_again(small_disk):
    with Served(small_disk) as served:
        first = json.loads(served.post_video("first.mp4", **SHORT)[2])["job"]
        wait_for(lambda: _done(served, first), 60)
        status, _, answer = served.post_video("large.mp4", bytes(24 << 20))
        assert status == 507
        assert json.loads(answer)["code"] == "storage_full"
        filler = small_disk / "filler"
        fill(filler)
        assert served.post_video("second.mp4", b"other bytes" * 99)[0] == 507
        assert served.json("/api/v1/videos")["total"] == 1
        filler.unlink()
        assert served.post_video("second.mp4", b"other bytes" * 99)[0] == 202
        assert served.json("/api/v1/videos")["total"] == 2
    assert _intact(small_disk)


@pytest.mark.slow
def test_many_uploads_and_listeners_leave_room_for_others(tmp_path, record_property):
    content, streams, wanted = SAMPLE.read_bytes(), 32, 50
    with Served(tmp_path / "data", VISAGRAM_EVENT_STREAMS=str(streams), VISAGRAM_WORKERS="1") as served:
        listeners = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(wanted)]
        for listener in listeners:
            listener.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        heads = [listener.recv(12) for listener in listeners]
        assert heads.count(b"HTTP/1.1 200") == streams
        assert heads.count(b"HTTP/1.1 503") == wanted - streams

        over, statuses, waits = threading.Event(), [], []

        def send(number):
            # Analyses would measure the processor, not the server.
            only = {"path": "/api/v1/videos", "analyse": "0"}
            statuses.append(served.post_video(f"{number}.mp4", content + bytes([number]), **only)[0])

        def look():
            while not over.is_set():
                started = time.perf_counter()
                assert served.ask("GET", "/api/v1/videos")[0] == 200
                waits.append(time.perf_counter() - started)
                time.sleep(0.02)

        watcher = threading.Thread(target=look)
        watcher.start()
        uploads = [threading.Thread(target=send, args=(number,)) for number in range(wanted)]
        for thread in uploads:
            thread.start()
        for thread in uploads:
            thread.join()
        over.set()
        watcher.join()
        for listener in listeners:
            listener.close()
    p95 = statistics.quantiles(waits, n=20)[-1]
    record_property("p95_seconds", p95)
    assert set(statuses) == {201}
    assert p95 <= 0.5, f"p95 of {len(waits)} requests"
