"""Uploads as forms and by tus: streamed into the data folder, whole or not there, resumable, under any name."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import io
import json
import os
import random
import signal
import socket
import struct
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import form, serving
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from service import open_service
from visagram.jobs.model import Analysis, Upload, Video
from visagram.web.app import create_app

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = TUS | {"Content-Type": "application/offset+octet-stream"}
HOSTILE = {
    "../../etc/passwd": "passwd",
    "/etc/passwd": "passwd",
    "C:\\Windows\\system32\\a.mp4": "a.mp4",
    "..": "..",
    "a\x00b.mp4": "ab.mp4",
    "\u202egpj.exe": "gpj.exe",
    "a\u2066\u2069\u200fb.mp4": "ab.mp4",
    "<img src=x onerror=alert(1)>.mp4": "<img src=x onerror=alert(1)>.mp4",
    "a\r\nSet-Cookie: x=1.mp4": "aSet-Cookie: x=1.mp4",
    "CON": "CON",
    "aux.mp4": "aux.mp4",
    "=cmd()|'x'!A1.mp4": "=cmd()|'x'!A1.mp4",
    '"; filename="evil.exe': '"; filename="evil.exe',
    "{{ 7 * 7 }}.mp4": "{{ 7 * 7 }}.mp4",
    "Überraschung 😀.mp4": "Überraschung 😀.mp4",
    "x" * 4096 + ".mp4": "x" * 255,
    "%2e%2e%2fa.mp4": "%2e%2e%2fa.mp4",
    "   ": "video",
}
"""Names as they come, and as they are kept."""


def clip(size: int, seed: int = 0) -> bytes:
    """Bytes that are like no other test's."""
    return random.Random(seed).randbytes(size)


def send(client: FlaskClient, body: bytes, path: str = "/api/v1/videos"):
    return client.post(path, data=body, content_type="multipart/form-data; boundary=B")


def kept(service, video: str) -> bytes:
    """The bytes of a video."""
    with service.store.read() as session:
        return service.storage.blob(session.get(Video, video).blob_id).read_bytes()


def leftovers(service) -> list[str]:
    """Uploads of which anything is left."""
    with service.store.read() as session:
        rows = [upload.id for upload in session.query(Upload).filter(Upload.video_id.is_(None))]
    return rows + [path.name for kind in ("uploads", "tmp") for path in (service.storage.folder / kind).iterdir()]


def metadata(**values: str) -> dict[str, str]:
    pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())
    return {"Upload-Metadata": ",".join(pairs)}


def begin(client: FlaskClient, length: int, **described: str) -> str:
    response = client.post("/api/v1/uploads", headers=TUS | {"Upload-Length": str(length)} | metadata(**described))
    assert response.status_code == 201, response.text
    return response.headers["Location"]


def patch(client: FlaskClient, url: str, offset: int, body: bytes, **headers: str):
    return client.patch(url, data=body, headers=PATCH | {"Upload-Offset": str(offset)} | headers)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """What the server takes for the system's temporary folder."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def shared(tmp_path_factory, elsewhere):
    """A service that a real server serves to several tests."""
    service = open_service(tmp_path_factory.mktemp("shared") / "data")
    yield service
    service.store.close()


@pytest.fixture(scope="module")
def live(shared, elsewhere):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(elsewhere))
        with serving(shared) as started:
            yield started


@pytest.fixture(scope="module")
def visitor(shared):
    """A client of the shared service."""
    return create_app(shared).test_client()


@pytest.fixture(scope="module")
def refusing(tmp_path_factory):
    """A service to which nothing is ever added, and its client."""
    service = open_service(tmp_path_factory.mktemp("refusing") / "data")
    yield service, create_app(service).test_client()
    service.store.close()


def test_a_form_becomes_a_video_with_labels_and_an_analysis(service, client):
    content = clip(300_000)
    body = form(
        ("frame_interval", None, b"3"),
        ("participant", None, b"P01"),
        ("video", "a.mp4", content),
        ("condition", None, b"Ruhe"),
        ("tags", None, b"pilot, one"),
        ("tags", None, b'["two"]'),
        ("region", None, b"1,2,30,40"),
        ("end", None, b""),
    )
    response = send(client, body)
    assert response.status_code == 201, response.text
    video = response.json
    assert response.headers["Location"] == f"/api/v1/videos/{video['id']}"
    assert (video["name"], video["bytes"], video["sha256"]) == (
        "a.mp4",
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    assert (video["participant"], video["condition"], video["tags"]) == ("P01", "Ruhe", ["pilot", "one", "two"])
    assert kept(service, video["id"]) == content
    settings = video["latest"]["settings"]
    assert (settings["frame_interval"], settings["region"], settings["end"]) == (3, [1, 2, 30, 40], None)
    assert video["latest"]["state"] == "queued"
    assert leftovers(service) == []


@pytest.mark.parametrize(
    ("path", "fields"), [("/api/v1/videos?analyse=0", []), ("/api/v1/videos", [("analyse", None, b"0")])]
)
def test_a_video_can_be_added_without_an_analysis(client, path, fields):
    response = send(client, form(*fields, ("video", "a.mp4", b"x")), path)
    assert response.status_code == 201 and response.json["latest"] is None


class Trickle(io.BytesIO):
    """A body that comes in pieces of at most `size` bytes, as a slow network brings it. most: bytes of the largest."""

    def __init__(self, body: bytes, size: int) -> None:
        super().__init__(body)
        self._size, self.most = size, 0

    def read(self, wanted: int | None = -1) -> bytes:
        piece = super().read(self._size if wanted is None or wanted < 0 else min(wanted, self._size))
        self.most = max(self.most, len(piece))
        return piece

    def readinto(self, buffer: bytearray) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


@settings(max_examples=60)
@given(
    pieces=st.lists(
        st.sampled_from([b"\r\n", b"--B", b"--", b"\r", b"\n", b"-", b"B", b"\r\n--B", b"\x00", b"word"])
        | st.binary(max_size=20)
    ),
    size=st.integers(1, 60),
)
def test_any_bytes_arrive_as_they_were_sent(shared, visitor, pieces, size):
    # What would end the part is left out. An empty file is refused.
    content = b"".join(pieces).replace(b"\r\n--B", b"").replace(b"\n--B", b"").replace(b"\r--B", b"")
    content = b"." + content if not content or content.startswith(b"--B") else content
    body = form(("participant", None, b"1"), ("video", "a", content), ("condition", None, b"2"))
    stream = Trickle(body, size)
    response = visitor.post(
        "/api/v1/videos?analyse=0",
        input_stream=stream,
        content_length=len(body),
        content_type="multipart/form-data; boundary=B",
    )
    assert 0 < stream.most <= size
    assert response.status_code == 201, response.text
    assert (response.json["participant"], response.json["condition"]) == ("1", "2")
    assert kept(shared, response.json["id"]) == content


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([], 422, "usage"),
        ([("frame_interval", None, b"3")], 422, "usage"),
        ([("video", "", b"")], 422, "usage"),
        ([("video", "a.mp4", b"")], 422, "empty_input"),
        ([("video", None, b"x")], 422, "usage"),
        ([("file", "a.mp4", b"x")], 422, "usage"),
        ([("video", "a.mp4", b"x"), ("video", "b.mp4", b"y")], 422, "usage"),
        ([("nonsense", None, b"3"), ("video", "a.mp4", b"x")], 422, "usage"),
        ([("video", "a.mp4", b"x"), ("nonsense", None, b"3")], 422, "usage"),
        ([("video", "a.mp4", b"x"), ("frame_interval", None, b"often")], 422, "usage"),
        ([("video", "a.mp4", b"x"), ("start", None, b"5"), ("end", None, b"2")], 422, "usage"),
        ([("video", "a.mp4", b"x"), ("start", None, b"nan")], 422, "usage"),
        ([("video", "a.mp4", b"x"), ("participant", None, b"x" * 201)], 422, "usage"),
        ([("video", "a.mp4", b"x"), ("tags", None, b"[1")], 422, "usage"),
        ([("video", "a.mp4", b"x"), ("notes", None, b"x" * 70_000)], 413, "too_large"),
        ([("seed", None, b"1")] * 101 + [("video", "a.mp4", b"x")], 413, "too_large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_form_that_makes_no_sense_leaves_nothing(refusing, parts, status, code):
    service, client = refusing
    response = send(client, form(*parts))
    assert (response.status_code, response.json["code"]) == (status, code), response.text
    assert leftovers(service) == []
    assert client.get("/api/v1/videos").json["total"] == 0


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"x", "application/octet-stream", 415),
        (b"video=x", "application/x-www-form-urlencoded", 415),
        (b"x", "multipart/form-data", 415),
        (b"x", "multipart/form-data; boundary=" + "x" * 300, 415),
        (b"no form at all", "multipart/form-data; boundary=B", 400),
        (form(("video", "a.mp4", b"xyz"), end=b""), "multipart/form-data; boundary=B", 400),
        (b"--B\r\nContent-Type: x\r\n\r\nx\r\n--B--\r\n", "multipart/form-data; boundary=B", 400),
        (
            b'--B\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--B--\r\n',
            "multipart/form-data; boundary=B",
            400,
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_form_leaves_nothing(refusing, body, kind, status):
    service, client = refusing
    for path in ("/upload", "/api/v1/videos"):
        response = client.post(path, data=body, content_type=kind)
        assert response.status_code == status and response.content_type == "application/problem+json"
    assert leftovers(service) == []


def test_a_video_that_is_too_large_is_refused(tmp_path):
    service = open_service(tmp_path / "data", max_upload=1)
    client = create_app(service).test_client()
    small, large = form(("video", "a.mp4", clip(1 << 20))), form(("video", "b.mp4", clip((1 << 20) + 1)))
    assert send(client, small).status_code == 201
    assert send(client, large).status_code == 413
    huge = {"CONTENT_LENGTH": str(1 << 40), "CONTENT_TYPE": "multipart/form-data; boundary=B"}
    assert client.post("/upload", environ_overrides=huge).status_code == 413
    assert client.post("/api/v1/uploads", headers=TUS | {"Upload-Length": str((1 << 20) + 1)}).status_code == 413
    assert leftovers(service) == []


def test_a_full_disk_is_no_space_and_passes(tmp_path):
    service = open_service(tmp_path / "data", keep_free=1 << 30)
    client = create_app(service).test_client()
    for response in (
        send(client, form(("video", "a.mp4", b"xyz"))),
        client.post("/api/v1/uploads", headers=TUS | {"Upload-Length": "3"}),
    ):
        assert (response.status_code, response.json["code"]) == (507, "storage_full")
        assert str(tmp_path) not in response.text
    assert leftovers(service) == []
    service.storage.keep_free = 0
    assert send(client, form(("video", "a.mp4", b"xyz"))).status_code == 201


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_a_hostile_name_is_only_ever_text(shared, visitor, name):
    head = f"--B\r\nContent-Disposition: form-data; name=\"video\"; filename*=UTF-8''{quote(name, safe='')}"
    by_form = send(visitor, head.encode() + b"\r\n\r\nx\r\n--B--\r\n").json["id"]
    url = begin(visitor, 1, filename=name) if len(name) < 4096 else begin(visitor, 1, filename=name[:4096])
    by_tus = patch(visitor, url, 0, b"x").headers["Visagram-Video"]
    for video in (by_form, by_tus):
        shown = visitor.get(f"/api/v1/videos/{video}").json
        assert shown["name"] == HOSTILE[name]
        page = visitor.get(f"/analyses/{shown['latest']['id']}").text
        assert "<img src=x" not in page and "49.mp4" not in page
        with visitor.get(f"/api/v1/videos/{video}/content?download=1") as response:
            disposition = response.headers["Content-Disposition"]
            assert disposition.isascii() and disposition.isprintable() and disposition.startswith("attachment")
            assert "Set-Cookie" not in response.headers
    assert visitor.get(f"/stats/{quote(HOSTILE[name], safe='')}").status_code in (202, 404)
    names = {path.name for path in shared.storage.folder.rglob("*")}
    assert not names & {HOSTILE[name], "passwd"}


def test_a_plain_file_name_keeps_its_letters(client):
    response = send(client, form(("video", "Grüße aus Köln.mp4", b"x")))
    assert response.json["name"] == "Grüße aus Köln.mp4"


def test_tus_says_what_it_can(client):
    for path in ("/api/v1/uploads", "/api/v1/uploads/none"):
        response = client.options(path)
        assert response.status_code == 204
        assert response.headers["Tus-Version"] == response.headers["Tus-Resumable"] == "1.0.0"
        assert set(response.headers["Tus-Extension"].split(",")) == {"creation", "termination", "checksum"}
        assert int(response.headers["Tus-Max-Size"]) == 20 << 30
        assert "sha1" in response.headers["Tus-Checksum-Algorithm"]


def test_tus_takes_a_file_in_pieces(service, client):
    content = clip(100_000)
    settings = json.dumps({"frame_interval": 2, "region": [1, 2, 3, 4]})
    url = begin(
        client, len(content), filename="a.mp4", settings=settings, participant="P1", tags="a,b", filetype="video/mp4"
    )
    assert patch(client, url, 0, content[:30_000]).headers["Upload-Offset"] == "30000"
    shown = client.head(url, headers=TUS)
    assert (shown.status_code, shown.headers["Upload-Offset"], shown.headers["Upload-Length"]) == (
        200,
        "30000",
        "100000",
    )
    assert shown.headers["Upload-Metadata"].startswith("filename YS5tcDQ=")
    assert shown.headers["Cache-Control"] == "no-store" and "Visagram-Video" not in shown.headers
    assert patch(client, url, 30_000, b"").status_code == 204
    last = patch(client, url, 30_000, content[30_000:])
    assert (last.status_code, last.headers["Upload-Offset"], last.data) == (204, "100000", b"")
    video = client.get(f"/api/v1/videos/{last.headers['Visagram-Video']}").json
    assert video["latest"]["id"] == last.headers["Visagram-Analysis"]
    assert video["latest"]["settings"]["frame_interval"] == 2 and video["latest"]["settings"]["region"] == [1, 2, 3, 4]
    assert (video["name"], video["participant"], video["tags"]) == ("a.mp4", "P1", ["a", "b"])
    assert kept(service, video["id"]) == content
    after = client.head(url, headers=TUS)
    assert (after.headers["Upload-Offset"], after.headers["Visagram-Video"]) == ("100000", video["id"])
    assert client.get("/api/v1/videos").json["total"] == 1


def test_tus_can_leave_the_analysis_out(client):
    last = patch(client, begin(client, 1, filename="a.mp4", analyse="0"), 0, b"x")
    assert "Visagram-Video" in last.headers and "Visagram-Analysis" not in last.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 412),
        ({"Tus-Resumable": "0.2.2", "Upload-Length": "5"}, 412),
        (TUS, 400),
        (TUS | {"Upload-Length": "-1"}, 400),
        (TUS | {"Upload-Length": "five"}, 400),
        (TUS | {"Upload-Length": "٣"}, 400),
        (TUS | {"Upload-Length": "9" * 30}, 400),
        (TUS | {"Upload-Defer-Length": "1"}, 400),
        (TUS | {"Upload-Length": "0"}, 422),
        (TUS | {"Upload-Length": str(1 << 50)}, 413),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "filename %%%"}, 400),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "x" * 9000}, 400),
        (TUS | {"Upload-Length": "5"} | metadata(settings="{"), 422),
        (TUS | {"Upload-Length": "5"} | metadata(settings="[1]"), 422),
        (TUS | {"Upload-Length": "5"} | metadata(nonsense="1"), 422),
        (TUS | {"Upload-Length": "5"} | metadata(frame_interval="often"), 422),
        (TUS | {"Upload-Length": "5"} | metadata(tags="[1"), 422),
    ],
    ids=str,
)
def test_tus_refuses_to_begin_what_makes_no_sense(refusing, headers, status):
    service, client = refusing
    with contextlib.suppress(UnicodeEncodeError):
        response = client.post("/api/v1/uploads", headers=headers)
        assert response.status_code == status, response.text
        assert response.headers["Tus-Resumable"] == "1.0.0"
        assert status != 412 or response.headers["Tus-Version"] == "1.0.0"
    assert leftovers(service) == []


def test_tus_refuses_a_piece_that_does_not_fit(client):
    url = begin(client, 10)
    assert patch(client, url, 3, b"x").status_code == 409
    assert patch(client, url, 0, b"x" * 11).status_code == 413
    assert client.patch(url, data=b"x", headers=TUS | {"Upload-Offset": "0"}).status_code == 415
    assert client.patch(url, data=b"x", headers=PATCH).status_code == 400
    assert client.patch(url, data=b"x", headers={"Upload-Offset": "0"}).status_code == 412
    assert client.head(url, headers=TUS).headers["Upload-Offset"] == "0"
    assert patch(client, url, 0, b"x" * 10).status_code == 204
    assert patch(client, url, 10, b"").status_code == 409
    assert patch(client, "/api/v1/uploads/none", 0, b"x").status_code == 404
    assert client.get(url, headers=TUS).status_code == 405


def test_tus_checks_checksums(client):
    url, piece = begin(client, 10), b"01234"
    for algorithm in ("sha1", "sha256"):
        right = base64.b64encode(hashlib.new(algorithm, piece).digest()).decode()
        wrong = base64.b64encode(hashlib.new(algorithm, b"other").digest()).decode()
        offset = int(client.head(url, headers=TUS).headers["Upload-Offset"])
        refused = patch(client, url, offset, piece, **{"Upload-Checksum": f"{algorithm} {wrong}"})
        assert (refused.status_code, refused.json["status"]) == (460, 460)
        assert client.head(url, headers=TUS).headers["Upload-Offset"] == str(offset)
        assert patch(client, url, offset, piece, **{"Upload-Checksum": f"{algorithm} {right}"}).status_code == 204
    other = begin(client, 5)
    for checksum in ("crc32 AAAA", "sha1 %%%", "sha1"):
        assert patch(client, other, 0, piece, **{"Upload-Checksum": checksum}).status_code in (400, 460)
    assert client.head(other, headers=TUS).headers["Upload-Offset"] == "0"


def test_tus_gives_an_upload_up(service, client):
    url = begin(client, 10)
    patch(client, url, 0, b"12345")
    assert client.delete(url, headers=TUS).status_code == 204
    assert client.head(url, headers=TUS).status_code == 404
    assert leftovers(service) == []


def test_tus_works_where_only_post_passes(client):
    url = begin(client, 3)
    override = PATCH | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert client.post(url, data=b"ab", headers=override).headers["Upload-Offset"] == "2"
    shown = client.post(url, headers=TUS | {"X-HTTP-Method-Override": "HEAD"})
    assert shown.headers["Upload-Offset"] == "2"
    assert client.post(url, headers=TUS).status_code == 405
    assert client.post(url, headers=TUS | {"X-HTTP-Method-Override": "DELETE"}).status_code == 204


def test_a_server_that_died_before_the_end_finishes_when_asked(service, client):
    url = begin(client, 5, filename="a.mp4")
    service.uploads.append(service.owners.local, url.rpartition("/")[2], 0, io.BytesIO(b"12345"))
    assert client.get("/api/v1/videos").json["total"] == 0
    video = client.head(url, headers=TUS).headers["Visagram-Video"]
    assert kept(service, video) == b"12345"


def test_the_same_bytes_are_kept_once_and_analysed_once(service, client):
    first = send(client, form(("video", "a.mp4", b"same"))).json
    second = send(client, form(("video", "b.mp4", b"same"))).json
    assert first["id"] != second["id"] and first["sha256"] == second["sha256"]
    with service.store.read() as session:
        assert len({row.output_id for row in session.query(Analysis)}) == 1


def cut_off(connection: http.client.HTTPConnection) -> None:
    """Break a connection as a dying network does: with a reset."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sock.close()


def wait_until(holds, what: str, seconds: float = 200.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def worker_of(pid: int) -> int:
    """The only child of a process."""
    (child,) = (Path(f"/proc/{pid}/task/{pid}/children").read_text()).split()
    return int(child)


def peak(pid: int) -> int:
    """Most memory that a process has had, in bytes."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def stream_form(live, content: bytes, piece: int, *, break_after: int | None = None):
    """Send a form piece by piece; returns the answer, None where it was to break off."""
    connection = live.connect()
    head = form(("video", "big.mp4", b""), end=b"")[:-2]
    connection.putrequest("POST", "/upload")
    connection.putheader("Content-Type", "multipart/form-data; boundary=B")
    connection.putheader("Content-Length", str(len(head) + len(content) + 9))
    connection.endheaders(head)
    for start in range(0, len(content), piece):
        if break_after is not None and start >= break_after:
            cut_off(connection)
            return None
        connection.send(content[start : start + piece])
    connection.send(b"\r\n--B--\r\n"[:9])
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, body


def test_a_form_streams_into_the_data_folder_and_nowhere_else(shared, live, elsewhere):
    content = clip(96 << 20)
    before, worker = elsewhere.stat().st_mtime_ns, worker_of(live.process.pid)
    memory = peak(worker)
    status, body = stream_form(live, content, 1 << 20)
    assert status == 202, body
    assert peak(worker) - memory < 24 << 20
    assert elsewhere.stat().st_mtime_ns == before
    with shared.store.read() as session:
        assert session.get(Analysis, body["job"]).video.blob_id == hashlib.sha256(content).hexdigest()


def test_a_form_that_breaks_off_leaves_nothing(shared, live):
    with shared.store.read() as session:
        before = session.query(Video).count()
    stream_form(live, clip(8 << 20), 1 << 20, break_after=4 << 20)
    wait_until(lambda: not leftovers(shared), "the broken upload was not dropped")
    with shared.store.read() as session:
        assert session.query(Video).count() == before


def test_the_real_tus_client_uploads_and_goes_on_after_the_connection_broke(shared, live):
    content = clip(9_000_000, 1)
    tus = TusClient(f"{live.url}/api/v1/uploads")
    first = tus.uploader(
        file_stream=io.BytesIO(content), chunk_size=2_000_000, metadata={"filename": "clip.mp4"}, upload_checksum=True
    )
    first.upload(stop_at=4_000_000)
    path = first.url.removeprefix(live.url)

    connection = live.connect()
    connection.putrequest("PATCH", path)
    for name, value in (PATCH | {"Upload-Offset": "4000000", "Content-Length": "5000000"}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(content[4_000_000:6_500_000])
    stored = shared.storage.upload(path.rpartition("/")[2])
    wait_until(lambda: stored.stat().st_size > 5_500_000, "the bytes were not written as they came")
    cut_off(connection)

    wait_until(lambda: is_free(live, path), "the broken request still holds the upload")
    again = tus.uploader(file_stream=io.BytesIO(content), chunk_size=2_000_000, url=first.url, upload_checksum=True)
    assert 5_500_000 < again.offset <= 6_500_000
    again.upload()
    with shared.store.read() as session:
        (video,) = session.query(Video).filter(Video.name == "clip.mp4")
        assert video.blob_id == hashlib.sha256(content).hexdigest()


def is_free(live, path: str) -> bool:
    """Whether an upload takes a piece."""
    with contextlib.closing(live.connect()) as connection:
        connection.request("HEAD", path, headers=TUS)
        response = connection.getresponse()
        offset = response.headers["Upload-Offset"]
        response.read()
        connection.request("PATCH", path, b"", PATCH | {"Upload-Offset": offset})
        return connection.getresponse().status == 204


def test_an_upload_goes_on_after_the_server_was_killed(service):
    content = clip(3_000_000, 2)
    with serving(service) as live:
        uploader = TusClient(f"{live.url}/api/v1/uploads").uploader(
            file_stream=io.BytesIO(content), chunk_size=1_000_000
        )
        uploader.upload(stop_at=1_000_000)
        path = uploader.url.removeprefix(live.url)
        worker = worker_of(live.process.pid)
        live.process.kill()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises((TusCommunicationError, OSError)):
            uploader.upload()
    with serving(service) as live:
        again = TusClient(f"{live.url}/api/v1/uploads").uploader(
            file_stream=io.BytesIO(content), chunk_size=1_000_000, url=f"{live.url}{path}"
        )
        assert again.offset == 1_000_000
        again.upload()
        with service.store.read() as session:
            (video,) = session.query(Video)
            assert video.blob_id == hashlib.sha256(content).hexdigest()


def arrived(connection, path):
    connection.request("HEAD", path, headers=TUS)
    response = connection.getresponse()
    response.read()
    return response.headers["Upload-Offset"]


def patched(connection, path, content, offset):
    connection.request("PATCH", path, content, PATCH | {"Upload-Offset": offset})
    response = connection.getresponse()
    response.read()
    return response


def test_two_requests_do_not_write_one_upload_at_a_time(shared, live):
    with contextlib.closing(live.connect()) as first, contextlib.closing(live.connect()) as second:
        second.request("POST", "/api/v1/uploads", headers=TUS | {"Upload-Length": "1000000"})
        response = second.getresponse()
        path = response.headers["Location"]
        response.read()
        first.putrequest("PATCH", path)
        for name, value in (PATCH | {"Upload-Offset": "0", "Content-Length": "1000000"}).items():
            first.putheader(name, value)
        first.endheaders(b"y" * 500_000)
        deadline = time.monotonic() + 100
        while (offset := arrived(second, path)) == "0" or (
            refused := patched(second, path, b"x", offset)
        ).status == 409:
            assert time.monotonic() < deadline
        assert refused.status == 423 and int(refused.headers["Retry-After"]) >= 1
        first.send(b"y" * 500_000)
        done = first.getresponse()
        assert done.status == 204 and done.headers["Visagram-Video"]
        assert kept(shared, done.headers["Visagram-Video"]) == b"y" * 1_000_000
