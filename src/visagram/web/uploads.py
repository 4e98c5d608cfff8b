"""Videos on their way in as forms: the file streams into the data folder, never through memory or another folder."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any

from apiflask import APIBlueprint
from flask import Request, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData, Preamble

from visagram.errors import NotFound, UsageError
from visagram.jobs.service import Service
from visagram.jobs.storage import Storage
from visagram.jobs.uploads import UNKNOWN, Wanted
from visagram.jobs.videos import Labels, Who, shown_name
from visagram.settings import Settings
from visagram.web import shapes
from visagram.web.connection import set_patience
from visagram.web.problems import Problem
from visagram.web.security import who

UPLOADING = ("/upload", "/api/v1/videos", "/api/v1/uploads")
"""Where uploads begin."""
VIDEO = "video"
BLOCK = 256 << 10
MOST_FIELDS, LONGEST_FIELD = 100, 64 << 10
AROUND_FILE = 8 << 20
"""Bytes that a form may have beside its file."""
PATIENCE = 60.0
"""Seconds without a byte after which a form is given up."""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a form: ids of the video and of its analysis, None where none was wanted."""

    video: str
    analysis: str | None


def uploads_routes(service: Service) -> APIBlueprint:
    """The route that takes videos as forms."""
    routes = APIBlueprint("uploads", __name__, enable_openapi=False, url_prefix="/api/v1")

    @routes.post("/videos")
    def add_video() -> Response:
        received = receive_form(service)
        with service.store.read() as session:
            shown = shapes.video(session, service.storage, service.videos.get(session, who(), received.video))
        response = jsonify(shown)
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/videos/{received.video}"
        return response

    return routes


def form_request(storage: Storage) -> type[Request]:
    """The class of requests: files of other forms, which are small, stay out of the system's temporary folder too."""

    class FormRequest(Request):
        def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
            return tempfile.TemporaryFile(dir=storage.folder / "tmp")

    return FormRequest


def receive_form(service: Service, *, must_analyse: bool = False) -> Received:
    """Read the request's form: a file `video`, and before or after it labels and settings by name.

    must_analyse: the form has no field `analyse`. What broke off or made no sense leaves nothing behind. Raises
    `Problem`, `VisagramError`, and what werkzeug raises for bodies that are too large.
    """
    boundary = request.mimetype_params.get("boundary", "").encode("latin-1", "replace")
    if request.mimetype != "multipart/form-data" or not 0 < len(boundary) <= 200:
        raise Problem(415, "not_a_form", "Send a form as multipart/form-data with the file in its field 'video'.")
    request.max_content_length = service.uploads.most + AROUND_FILE
    set_patience(request.environ, PATIENCE)
    stream = request.stream
    service.storage.reserve(request.content_length or 0)
    with ExitStack() as cleaning:
        form = _Form(service, cleaning, not must_analyse)
        if "analyse" in request.args and not must_analyse:
            form.fields["analyse"] = request.args["analyse"]
        form.read(_events(stream.read, boundary))
        received = form.finish()
        cleaning.pop_all()
    return received


def wanted_of(fields: Mapping[str, Any], *, skippable: bool = True) -> Wanted:
    """What a form's fields ask for: labels by their names, whatever else is a setting. Raises `UsageError`."""
    rest = dict(fields)
    tags = rest.pop("tags", ())
    labels = Labels(**{name: str(rest.pop(name, "")) for name in ("participant", "condition", "notes")}, tags=tags)
    analyse = str(rest.pop("analyse", "1")).lower() not in ("0", "false", "no") if skippable else True
    Settings(**Settings.parse(rest))
    return Wanted(rest if analyse else None, labels)


def split_tags(texts: list[str]) -> list[str]:
    """Tags out of fields that hold one each, several with commas between, or a JSON list."""
    tags: list[str] = []
    for text in texts:
        try:
            listed = json.loads(text) if text.startswith("[") else text.split(",")
        except ValueError as error:
            raise UsageError("The tags are neither a JSON list nor texts with commas between.") from error
        tags += [str(tag).strip() for tag in listed]
    return tags


@dataclass
class _Form:
    service: Service
    cleaning: ExitStack
    skippable: bool
    fields: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    upload: str | None = None

    def read(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, Field):
                self._remember(event.name or "", b"".join(_content(events, LONGEST_FIELD)).decode("utf-8", "replace"))
            elif isinstance(event, File):
                self._store(event, events)

    def finish(self) -> Received:
        if self.upload is None:
            raise UsageError("The form has no file in its field 'video': choose a video.")
        wanted = self._wanted()
        self.service.uploads.describe(who(), self.upload, wanted)
        return Received(*self.service.uploads.finish(who(), self.upload))

    def _wanted(self) -> Wanted:
        return wanted_of(self.fields | {"tags": self.tags}, skippable=self.skippable)

    def _remember(self, name: str, value: str) -> None:
        if name == VIDEO:
            raise UsageError("The field 'video' must be a file.")
        if name == "tags":
            self.tags += split_tags([value])
        elif name != "csrf":
            self.fields[name] = value

    def _store(self, event: File, events: Iterator[Event]) -> None:
        if event.name != VIDEO or self.upload is not None:
            raise UsageError("A form brings one file, in its field 'video'.")
        if not event.filename:
            raise UsageError("The form has no file in its field 'video': choose a video.")
        uploads, owner = self.service.uploads, who()
        self._wanted()
        self.upload = id = uploads.begin(owner, shown_name(event.filename), UNKNOWN, Wanted(None))
        self.cleaning.callback(_forget, self.service, owner, id)
        uploads.append(owner, id, 0, _content(events, uploads.most))


def _forget(service: Service, owner: Who, id: str) -> None:
    with contextlib.suppress(NotFound):
        service.uploads.drop(owner, id)


def _events(read: Callable[[int], bytes], boundary: bytes) -> Iterator[Event]:
    """The parts of a form as they come. Raises `Problem` for what is no form."""
    decoder = MultipartDecoder(boundary, BLOCK + AROUND_FILE, max_parts=MOST_FIELDS)
    blocks = _whole_lines(read, len(boundary))
    while True:
        try:
            event = decoder.next_event()
        except ValueError as error:
            raise Problem(400, "broken_form", "The form breaks off, or is no multipart/form-data.") from error
        if isinstance(event, NeedData):
            decoder.receive_data(next(blocks, None))
        elif isinstance(event, Epilogue):
            return
        elif not isinstance(event, Preamble):
            yield event


def _whole_lines(read: Callable[[int], bytes], boundary: int) -> Iterator[bytes]:
    """The same bytes in blocks that do not end within what may be a boundary of that length: the decoder takes the line
    break before a boundary for content where a block ends between the boundary and what closes its line."""
    held = b""
    while block := read(BLOCK):
        block = held + block
        tail = max(0, len(block) - boundary - len("\r\n----\r\n"))
        breaks = [at for at in (block.find(b"\r", tail), block.find(b"\n", tail)) if at >= 0]
        end = min(breaks, default=len(block))
        held = block[end:]
        if end:
            yield block[:end]
    if held:
        yield held


def _content(events: Iterator[Event], most: int) -> Iterator[bytes]:
    """The blocks of the part that just began."""
    size = 0
    for event in events:
        assert isinstance(event, Data)
        size += len(event.data)
        if size > most:
            raise RequestEntityTooLarge
        yield event.data
        if not event.more_data:
            return
