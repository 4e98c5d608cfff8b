"""Resumable uploads: the protocol tus 1.0 (https://tus.io/protocols/resumable-upload) with its extensions creation,
termination and checksum.

Beyond the protocol, the answer to the last PATCH, and to HEAD afterwards, names what became of the file in the headers
`Visagram-Video` and `Visagram-Analysis`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from visagram.errors import Conflict, UsageError
from visagram.jobs.model import Upload
from visagram.jobs.service import Service
from visagram.jobs.uploads import Progress
from visagram.jobs.videos import shown_name
from visagram.web.connection import set_patience
from visagram.web.problems import CHECKSUM_MISMATCH, Problem
from visagram.web.security import who
from visagram.web.uploads import split_tags, wanted_of

VERSION = "1.0.0"
ALGORITHMS = ("sha1", "sha256")
CONTENT = "application/offset+octet-stream"
BLOCK = 256 << 10
"""Bytes of which some may be lost when the connection breaks."""
LONGEST_METADATA = 8 << 10
PATIENCE = 20.0
"""Seconds without a byte after which a request is given up; the upload goes on in another."""


def tus_routes(service: Service) -> APIBlueprint:
    """Routes of the protocol."""
    routes = APIBlueprint("tus", __name__, enable_openapi=False, url_prefix="/api/v1/uploads")
    finish = _Finish(service)

    @routes.before_request
    def check_version() -> None:
        if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
            detail = f"This is tus {VERSION}: say so in the header Tus-Resumable."
            raise Problem(412, "tus_version", detail, {"Tus-Version": VERSION})

    @routes.after_request
    def speak(response: Response) -> Response:
        response.headers["Tus-Resumable"] = VERSION
        return response

    @routes.route("", methods=["OPTIONS"])
    @routes.route("/<id>", methods=["OPTIONS"])
    def capabilities(**_: str) -> Response:
        return _nothing(
            204,
            {
                "Tus-Version": VERSION,
                "Tus-Extension": "creation,termination,checksum",
                "Tus-Max-Size": str(service.uploads.most),
                "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            },
        )

    @routes.post("")
    def create() -> Response:
        length, raw = _number("Upload-Length"), request.headers.get("Upload-Metadata", "")
        name, fields = _described(raw)
        wanted = wanted_of(fields)
        id = service.uploads.begin(who(), name, length, wanted)
        with service.store.write() as session:
            session.get_one(Upload, id).request = wanted.to_json() | {"metadata": raw}
        return _nothing(201, {"Location": f"/api/v1/uploads/{id}", "Upload-Offset": "0"})

    @routes.route("/<id>", methods=["HEAD"])
    def show(id: str) -> Response:
        progress = service.uploads.progress(who(), id)
        # Where the server died between the last byte and the end, nobody else would come back for it.
        made = finish(id) if progress.offset == progress.length else {}
        with service.store.read() as session:
            raw = session.get_one(Upload, id).request.get("metadata")
        described = {"Upload-Metadata": raw} if raw else {}
        return _nothing(200, {"Upload-Length": str(progress.length)} | _offset(progress) | described | made)

    @routes.patch("/<id>")
    def append(id: str) -> Response:
        if request.mimetype != CONTENT:
            raise Problem(415, "not_an_upload", f"The body of an upload is {CONTENT}.")
        offset, progress = _number("Upload-Offset"), service.uploads.progress(who(), id)
        if offset != progress.offset or progress.video is not None:
            raise Problem(409, "conflict", f"The upload goes on at byte {progress.offset}, not at {offset}.")
        # One more than may come: a body that ends at the limit is not told from one that goes on.
        request.max_content_length = progress.length - offset + 1
        if (request.content_length or 0) > progress.length - offset:
            raise Problem(413, "too_large", "The request brings more bytes than the upload was to have.")
        set_patience(request.environ, PATIENCE)
        blocks = _blocks()
        if "Upload-Checksum" in request.headers:
            blocks = _checked(blocks, service.storage.upload(id), offset)
        try:
            with closing(blocks):
                progress = service.uploads.append(who(), id, offset, blocks)
        except Conflict as error:
            raise Problem(423, "locked", str(error), {"Retry-After": "1"}) from error
        made = finish(id) if progress.offset == progress.length else {}
        return _nothing(204, _offset(progress) | made)

    @routes.delete("/<id>")
    def terminate(id: str) -> Response:
        service.uploads.drop(who(), id)
        return _nothing(204)

    @routes.post("/<id>")
    def override(id: str) -> Response:
        """For networks that let no other method through."""
        views: dict[str, Callable[[str], Response]] = {"PATCH": append, "DELETE": terminate, "HEAD": show}
        view = views.get(request.headers.get("X-HTTP-Method-Override", "").upper())
        if view is None:
            raise Problem(405, "method_not_allowed", "Go on with PATCH.", {"Allow": "OPTIONS, HEAD, PATCH, DELETE"})
        return view(id)

    return routes


class _Finish:
    """Makes a whole upload a video, one request at a time for each: hashing a large file takes a while."""

    def __init__(self, service: Service) -> None:
        self._uploads, self._lock = service.uploads, Lock()
        self._at_work: set[str] = set()

    def __call__(self, id: str) -> dict[str, str]:
        """Headers that name what became of it; none while another request is at it."""
        with self._lock:
            if id in self._at_work:
                return {}
            self._at_work.add(id)
        try:
            video, analysis = self._uploads.finish(who(), id)
        finally:
            self._at_work.discard(id)
        return {"Visagram-Video": video} | ({"Visagram-Analysis": analysis} if analysis else {})


def _blocks() -> Generator[bytes]:
    while block := request.stream.read(BLOCK):
        yield block


def _nothing(status: int, headers: dict[str, str] | None = None) -> Response:
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response


def _offset(progress: Progress) -> dict[str, str]:
    return {"Upload-Offset": str(progress.offset)}


def _number(name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Problem(400, "bad_header", f"The header {name} must be a whole number.")
    return int(text)


def _described(raw: str) -> tuple[str, dict[str, Any]]:
    """A file's name and the fields that go with it, out of `Upload-Metadata`."""
    if len(raw) > LONGEST_METADATA:
        raise Problem(400, "bad_header", "The header Upload-Metadata is too long.")
    given = dict(_pair(entry) for entry in raw.split(",") if entry.strip())
    name = given.pop("filename", "") or given.pop("name", "")
    given.pop("filetype", "")
    settings = _object(given.pop("settings", ""))
    tags = split_tags([given.pop("tags")]) if "tags" in given else []
    return shown_name(name), settings | given | {"tags": tags}


def _pair(entry: str) -> tuple[str, str]:
    key, _, value = entry.strip().partition(" ")
    try:
        return key, base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace")
    except binascii.Error as error:
        raise Problem(400, "bad_header", "A value in Upload-Metadata is not in Base64.") from error


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError as error:
        raise UsageError("The settings are not JSON.") from error
    if not isinstance(found, dict):
        raise UsageError("The settings must be a JSON object of values by name.")
    return found


def _checked(blocks: Generator[bytes], path: Path, offset: int) -> Generator[bytes]:
    """The same blocks; what does not add up to the request's checksum is taken out of the file again."""
    algorithm, _, given = request.headers["Upload-Checksum"].partition(" ")
    if algorithm not in ALGORITHMS:
        raise Problem(400, "bad_header", f"Checksums are {' or '.join(ALGORITHMS)}.")
    try:
        expected = base64.b64decode(given, validate=True)
    except binascii.Error as error:
        raise Problem(400, "bad_header", "The checksum is not in Base64.") from error
    return _summed(blocks, hashlib.new(algorithm), expected, path, offset)


def _summed(blocks: Generator[bytes], found: Any, expected: bytes, path: Path, offset: int) -> Generator[bytes]:
    whole = False
    try:
        for block in blocks:
            found.update(block)
            yield block
        whole = hmac.compare_digest(found.digest(), expected)
    finally:
        # While the caller still holds the file's lock.
        if not whole:
            os.truncate(path, offset)
    if not whole:
        raise Problem(CHECKSUM_MISMATCH, "checksum", "The bytes that arrived are not those that were sent.")
