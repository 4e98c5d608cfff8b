"""Fetching weights, from a server of our own that can misbehave."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from visagram.errors import ModelError
from visagram.models.fetch import Source, check_kind, fetch, fetch_snapshot, remembered_hash

WEIGHTS = b"\x08\x08" + b"weights" * 1000
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


class _Server(ThreadingHTTPServer):
    """pages: path to (status, headers, body); asked: paths in order."""

    daemon_threads = True

    def __init__(self):
        self.pages, self.asked = {}, []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def has(self, path, body, status=200, **headers):
        self.pages[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        return f"{self.address}{path}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, headers, body = self.server.pages.get(self.path, (404, {}, b"Not Found"))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture()
def server():
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _source(*addresses, sha256=None, most=1 << 20):
    return Source(addresses, sha256, most)


def _left(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts)


def test_a_file_is_fetched_once_and_progress_is_told(server, tmp_path):
    source = _source(server.has("/a.onnx", WEIGHTS), sha256=DIGEST)
    told = []
    for _ in range(2):
        place = fetch(source, tmp_path / "m" / "a.onnx", offline=False, watch=lambda *how: told.append(how))
    assert place.read_bytes() == WEIGHTS
    assert server.asked == ["/a.onnx"]
    assert told[-1] == (len(WEIGHTS), len(WEIGHTS))
    assert _left(tmp_path) == ["a.onnx"]


def test_the_next_address_is_tried_when_one_fails(server, tmp_path):
    source = _source(f"{server.address}/none.onnx", server.has("/b.onnx", WEIGHTS))
    assert fetch(source, tmp_path / "a.onnx", offline=False).read_bytes() == WEIGHTS
    assert server.asked == ["/none.onnx", "/b.onnx"]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ({"body": b"<html>Not Found</html>"}, "no onnx file"),
        ({"body": b"\x80\x04\x95pickle"}, "no onnx file"),
        ({"body": b""}, "no onnx file"),
        ({"body": WEIGHTS[:-1]}, "another SHA-256"),
        ({"body": WEIGHTS, "status": 503}, "answered 503"),
        ({"body": WEIGHTS, "Content_Length": str(len(WEIGHTS) + 5)}, "bytes arrived|IncompleteRead|more expected"),
        ({"body": WEIGHTS * 200}, "more than 1 MiB"),
        ({"body": b"", "status": 302, "Location": "file:///etc/passwd"}, "answered 302"),
        ({"body": b"", "status": 302, "Location": "http://192.0.2.1/a.onnx"}, "not a safe address"),
    ],
)
def test_what_is_not_the_file_is_not_kept_and_the_error_says_what_to_put_where(server, tmp_path, page, reason):
    sha256 = DIGEST if "SHA" in reason else None
    source = _source(server.has("/a.onnx", **page), sha256=sha256)
    target = tmp_path / "a.onnx"
    with pytest.raises(ModelError, match=reason) as raised:
        fetch(source, target, offline=False)
    assert f"download {source.addresses[0]} and put it there as {target}" in str(raised.value)
    assert _left(tmp_path) == []


@pytest.mark.parametrize("address", ["http://192.0.2.1/a.onnx", "ftp://127.0.0.1/a.onnx", "file:///etc/hostname"])
def test_only_safe_addresses_are_asked(tmp_path, address):
    with pytest.raises(ModelError, match="not a safe address"):
        fetch(_source(address), tmp_path / "a.onnx", offline=False)


def test_without_a_network_the_error_says_which_file_to_put_where(tmp_path):
    target = tmp_path / "a.onnx"
    with pytest.raises(ModelError, match=r"no connection.*put it there as") as raised:
        fetch(_source("https://127.0.0.1:9/a.onnx"), target, offline=False)
    assert str(target) in str(raised.value)


def test_offline_asks_nobody(server, tmp_path):
    with pytest.raises(ModelError, match="the setting offline forbids"):
        fetch(_source(server.has("/a.onnx", WEIGHTS)), tmp_path / "a.onnx", offline=True)
    with pytest.raises(ModelError, match="the setting offline forbids"):
        fetch_snapshot("a/b", tmp_path / "hub", bool, offline=True, hub=server.address)
    assert server.asked == []
    (tmp_path / "a.onnx").write_bytes(WEIGHTS)
    assert fetch(_source("https://127.0.0.1:9/"), tmp_path / "a.onnx", offline=True) == tmp_path / "a.onnx"


def test_two_at_a_time_fetch_once(server, tmp_path):
    source = _source(server.has("/a.onnx", WEIGHTS))
    threads = [
        threading.Thread(target=fetch, args=(source, tmp_path / "a.onnx"), kwargs={"offline": False}) for _ in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == ["/a.onnx"]


def test_a_folder_that_cannot_be_made_is_said(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="setting models"):
        fetch(_source(server.has("/a.onnx", WEIGHTS)), tmp_path / "file" / "a.onnx", offline=False)


def test_a_hash_that_nobody_states_is_remembered_from_the_first_look(tmp_path):
    file = tmp_path / "a.onnx"
    assert remembered_hash(file) == ""
    file.write_bytes(WEIGHTS)
    assert remembered_hash(file) == DIGEST
    file.write_bytes(WEIGHTS + b"changed")
    assert remembered_hash(file) == DIGEST, "so that opening it finds the contradiction"
    (tmp_path / "a.onnx.sha256").unlink()
    assert remembered_hash(file) != DIGEST


@pytest.mark.parametrize(
    ("name", "content", "fine"),
    [
        ("a.onnx", WEIGHTS, True),
        ("a.onnx", b"", False),
        ("a.safetensors", (16).to_bytes(8, "little") + b"{}", True),
        ("a.safetensors", b"\x80\x04\x95pickled..", False),
        ("a.json", b' {"a": 1}', True),
        ("a.json", b"<html>", False),
        ("a.pth", b"\x80\x04", False),
        ("a.bin", b"PK\x03\x04", False),
    ],
)
def test_files_are_known_by_how_they_begin(tmp_path, name, content, fine):
    (tmp_path / name).write_bytes(content)
    if fine:
        check_kind(tmp_path / name)
    else:
        with pytest.raises(ValueError, match="file"):
            check_kind(tmp_path / name)


TENSORS = (2).to_bytes(8, "little") + b"{}"


def _hub(server, files, **changed):
    siblings = [
        {"rfilename": name, "lfs": {"sha256": hashlib.sha256(body).hexdigest()} if name.endswith("s") else None}
        for name, body in files.items()
    ]
    server.has(
        "/api/models/an/owner?blobs=true", json.dumps({"sha": "c0ffee", "siblings": siblings} | changed).encode()
    )
    for name, body in files.items():
        server.has(f"/an/owner/resolve/c0ffee/{name}", body)


def _snapshot(server, folder, **how):
    def wanted(name):
        return name.endswith((".json", ".safetensors"))

    return fetch_snapshot("an/owner", folder, wanted, offline=False, hub=server.address, **how)


FILES = {"config.json": b"{}", "model.safetensors": TENSORS, "pytorch_model.bin": b"\x80\x04", "README.md": b"hello"}


def test_a_model_of_a_hub_is_fetched_whole_and_without_its_pickles(server, tmp_path):
    _hub(server, FILES)
    folder = _snapshot(server, tmp_path / "hub" / "model")
    assert _left(folder) == ["config.json", "model.safetensors"]
    before = len(server.asked)
    assert _snapshot(server, folder) == folder
    assert len(server.asked) == before
    assert [path.name for path in folder.parent.iterdir() if path.name != ".locks"] == ["model"]


def test_a_model_of_a_hub_that_is_cut_off_leaves_nothing(server, tmp_path):
    _hub(server, FILES)
    server.has("/an/owner/resolve/c0ffee/model.safetensors", TENSORS + b"more")
    with pytest.raises(ModelError, match="another SHA-256"):
        _snapshot(server, tmp_path / "hub" / "model")
    assert _left(tmp_path) == []
    assert not (tmp_path / "hub" / "model").exists()


def test_what_cannot_be_fetched_from_a_hub_is_said_with_a_place_that_will_be_there(server, tmp_path):
    _hub(server, FILES)
    server.has("/an/owner/resolve/c0ffee/model.safetensors", TENSORS + b"more")
    with pytest.raises(ModelError) as raised:
        _snapshot(server, tmp_path / "model")
    assert ".fetch-" not in str(raised.value)
    assert str(raised.value).endswith(f"model.safetensors of {server.address}/an/owner into {tmp_path / 'model'}.")


def test_a_model_without_a_file_that_is_needed_is_refused_before_anything_is_fetched(server, tmp_path):
    _hub(server, FILES)
    with pytest.raises(ModelError, match=r"an/owner has no preprocessor_config\.json"):
        _snapshot(server, tmp_path / "model", needed=("config.json", "preprocessor_config.json"))
    assert _left(tmp_path) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("files", "changed", "reason"),
    [
        ({"config.json": b"{}", "pytorch_model.bin": b"\x80"}, {}, "no safetensors"),
        (FILES, {"sha": None, "siblings": None}, "could not be fetched"),
        ({**FILES, "../../out.safetensors": TENSORS}, {}, None),
    ],
)
def test_a_hub_that_answers_nonsense_is_not_believed(server, tmp_path, files, changed, reason):
    _hub(server, files, **changed)
    if reason is None:
        assert _left(_snapshot(server, tmp_path / "model")) == ["config.json", "model.safetensors"]
        return
    with pytest.raises(ModelError, match=reason):
        _snapshot(server, tmp_path / "model")
    assert _left(tmp_path) == []


def test_a_model_that_the_hub_does_not_know_is_said_with_what_to_put_where(server, tmp_path):
    with pytest.raises(ModelError, match=r"answered 404.*model\.safetensors"):
        _snapshot(server, tmp_path / "model")


def test_the_folders_of_a_pipeline_are_fetched_and_nothing_beyond_them(server, tmp_path):
    nested = {
        "model_index.json": b"{}",
        "unet/config.json": b"{}",
        "unet/model.safetensors": TENSORS,
        "../up.json": b"{}",
        "unet/../../up.json": b"{}",
        "a/b/deep.json": b"{}",
        "/etc/up.json": b"{}",
    }
    _hub(server, nested)
    folder = _snapshot(server, tmp_path / "hub" / "model")
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert found == ["model_index.json", "unet/config.json", "unet/model.safetensors"]
    assert [path.name for path in tmp_path.rglob("up.json")] == []
    assert list(folder.rglob(".locks")) == []
