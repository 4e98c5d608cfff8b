"""What requests may hold and responses hold, for videos and analyses. Requests are checked against these; responses are
built by `visagram.web.shapes`, and a test holds them to the document."""

from __future__ import annotations

from typing import Any, cast

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Field, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length, OneOf, Range
from marshmallow import ValidationError, validates_schema

STATES = ("queued", "running", "done", "failed", "cancelled")
PRESETS = ("accurate", "fast", "original")
MOST_SECONDS = 1e7
MOST_PEOPLE = 2**31 - 1
_BEFORE = "null where a version before 0.2 looked at the file"


def about(text: str, example: Any = None, **more: Any) -> dict[str, Any]:
    """What the document says of a field."""
    return {"description": text} | ({} if example is None else {"example": example}) | more


def storable(text: str) -> None:
    """Refuse text that cannot be written anywhere."""
    if any("\ud800" <= c <= "\udfff" or c == "\0" for c in text):
        raise ValidationError("The text holds characters that are none.")


def not_given() -> None:
    """The value of a parameter that was left out; that it is made keeps null out of the document."""


def seconds(text: str, **more: Any) -> Float:
    """A time in a request."""
    return Float(validate=Range(0, MOST_SECONDS), metadata=about(text, 12.5), **more)


def person_number(text: str = "Number of a person.", **more: Any) -> Integer:
    return Integer(validate=Range(1, MOST_PEOPLE), metadata=about(text, 1), **more)


class Answer(Schema):
    """A schema of a response: every field is always there."""

    def on_bind_field(self, _name: str, field_obj: Field[Any]) -> None:
        field_obj.required = True


def refer(schema: type[Schema], **more: Any) -> Raw:
    """A schema that responses of other operations have as a whole: the document holds it once."""
    place = f"#/components/schemas/{component(schema)}"
    return Raw(metadata={"allOf": [{"$ref": place}]}, **more)


def component(schema: Schema | type[Schema]) -> str:
    """The name of a schema in the document."""
    name = (schema if isinstance(schema, type) else type(schema)).__name__.removesuffix("Out")
    return f"{name}Change" if getattr(schema, "partial", False) else name


def page_of(item: Field[Any], name: str) -> type[Schema]:
    """The schema of a list."""
    fields: dict[str, Field[Any]] = {
        "items": List(item),
        "total": Integer(metadata=about("How many there are in all.", 1)),
        "limit": Integer(metadata=about("How many are shown at most.", 50)),
        "offset": Integer(metadata=about("How many come before the first shown.", 0)),
    }
    return cast(type[Schema], Answer.from_dict(fields, name=name))


class Paging(Schema):
    limit = Integer(load_default=50, validate=Range(1, 500), metadata=about("How many to show at most."))
    offset = Integer(load_default=0, validate=Range(0, 10**9), metadata=about("How many to leave out first."))


class VideoQuery(Paging):
    query = String(
        load_default="",
        validate=Length(max=200),
        metadata=about("Words that name, participant, condition, tags or notes must hold.", "interview"),
    )
    state = String(load_default="", validate=OneOf(("", *STATES)), metadata=about("State of the newest analysis."))
    tag = String(load_default="", validate=Length(max=80), metadata=about("A tag that the video must have."))


class VideoChange(Schema):
    """Each field replaces what was there; those left out stay."""

    name = String(validate=[Length(1, 1000), storable], metadata=about("Name of the file.", "interview 1.mp4"))
    participant = String(validate=[Length(max=200), storable], metadata=about("Who is seen.", "P01"))
    condition = String(validate=[Length(max=200), storable], metadata=about("Experimental condition.", "stress"))
    tags = List(
        String(validate=[Length(max=80), storable]), validate=Length(max=50), metadata=about("Tags.", ["pilot"])
    )
    notes = String(validate=[Length(max=10_000), storable], metadata=about("Anything worth remembering."))


class DeleteQuery(Schema):
    now = Boolean(load_default=False, metadata=about("Purge at once; nothing can be restored then."))


class DownloadQuery(Schema):
    download = Boolean(load_default=False, metadata=about("Save the file instead of showing it."))


class WindowIn(Schema):
    name = String(
        required=True, validate=[Length(1, 200), storable], metadata=about("Name of the event.", "question 1")
    )
    start = seconds("Where it begins, in seconds.", required=True)
    end = seconds("Where it ends, in seconds; later than `start`.", required=True)

    @validates_schema
    def in_order(self, data: dict[str, Any], **_: Any) -> None:
        if {"start", "end"} <= set(data) and data["end"] <= data["start"]:
            raise ValidationError("This must be later than start.", "end")


class WindowOut(Answer):
    id = String(metadata=about("Opaque id.", "77aa88bb99cc00dd"))
    video_id = String(metadata=about("The video it lies in.", "5f0c3f9a1b2c4d5e"))
    name = String(metadata=about("Name of the event.", "question 1"))
    start = Float(metadata=about("Seconds.", 12.5))
    end = Float(metadata=about("Seconds.", 20.0))


class AnalysesQuery(Paging):
    video = String(load_default="", validate=Length(max=64), metadata=about("Only analyses of this video."))
    state = String(load_default="", validate=OneOf(("", *STATES)), metadata=about("Only analyses in this state."))


class AnalysisIn(Schema):
    video_id = String(required=True, validate=Length(1, 64), metadata=about("The video.", "5f0c3f9a1b2c4d5e"))
    settings = Dict(
        keys=String(),
        values=Raw(allow_none=True),
        load_default=dict,
        metadata=about("Settings by name, as `GET /settings` lists them; null means the default.", {"sample_fps": 5}),
    )
    preset = String(load_default=None, validate=OneOf(PRESETS), allow_none=True, metadata=about("A set of settings."))


class ShapeOut(Answer):
    frame = Integer(metadata=about("Number of the first frame of this shape.", 90))
    time = Float(metadata=about("When that frame is shown, in seconds.", 3.0))
    width = Integer(metadata=about("Pixels of the displayed picture.", 360))
    height = Integer(metadata=about("Pixels of the displayed picture.", 640))


class Facts(Answer):
    duration = Float(metadata=about("Seconds.", 17.4))
    width = Integer(metadata=about("Pixels of the displayed picture.", 640))
    height = Integer(metadata=about("Pixels of the displayed picture.", 360))
    rate = Float(metadata=about("Frames per second.", 25.0))
    frames = Integer(metadata=about("Number of frames.", 435))
    variable_rate = Boolean(metadata=about("Frames are shown for different times."))
    codec = String(metadata=about("Video codec.", "h264"))
    container = String(metadata=about("File format.", "mov,mp4,m4a,3gp,3g2,mj2"))
    pixel_format = String(metadata=about("Pixel format.", "yuv420p"))
    has_audio = Boolean(metadata=about("Whether there is sound."))
    still = Boolean(metadata=about("Whether it is a single picture."))
    stream = Integer(allow_none=True, metadata=about(f"Number of the video's stream in the file; {_BEFORE}.", 0))
    time_basis = String(
        allow_none=True, metadata=about(f"What frame times rest on: exact, repaired or guessed; {_BEFORE}.", "exact")
    )
    shapes = List(
        Nested(ShapeOut),
        allow_none=True,
        metadata=about(f"Where the picture changes its shape, each shape; empty where it never does; {_BEFORE}."),
    )


class Strip(Answer):
    """Thumbnails in sheets; number i is cell i % (columns * rows) of sheet i // (columns * rows)."""

    width = Integer(metadata=about("Pixels of a thumbnail.", 160))
    height = Integer(metadata=about("Pixels of a thumbnail.", 90))
    columns = Integer(metadata=about("Thumbnails side by side.", 10))
    rows = Integer(metadata=about("Rows of thumbnails.", 10))
    interval = Float(metadata=about("Seconds between thumbnails.", 1.0))
    count = Integer(metadata=about("Number of thumbnails.", 17))
    urls = List(String(), metadata=about("The sheets."))


class Playback(Answer):
    state = String(
        validate=OneOf(("direct", "pending", "making", "ready", "failed")),
        metadata=about("direct: browsers play the original; ready: they play the proxy that was made of it."),
    )
    url = String(allow_none=True, metadata=about("What to play."))
    progress = Float(metadata=about("Share of the proxy that is made.", 1.0))
    reason = String(allow_none=True, metadata=about("Why browsers do not play the original."))


class Progress(Answer):
    stage = String(metadata=about("wait, probe, analyse, summarise or done.", "analyse"))
    completed = Integer(metadata=about("Frames done.", 120))
    total = Integer(metadata=about("Frames to do; 0 while that is not known.", 435))
    rate = Float(allow_none=True, metadata=about("Frames per second of work.", 80.5))
    seconds_left = Float(allow_none=True, metadata=about("An estimate.", 4.0))


class Failure(Answer):
    code = String(allow_none=True, metadata=about("A stable code.", "not_a_video"))
    detail = String(allow_none=True, metadata=about("What a person can do about it."))


class AnalysisOut(Answer):
    id = String(metadata=about("Opaque id.", "0b1c2d3e4f506172"))
    video_id = String(metadata=about("The video that was analysed.", "5f0c3f9a1b2c4d5e"))
    video_name = String(metadata=about("Its name.", "interview 1.mp4"))
    created = String(metadata=about("When it was asked for.", format="date-time"))
    finished = String(allow_none=True, metadata=about("When it was over.", format="date-time"))
    settings = Dict(keys=String(), values=Raw(), metadata=about("All settings that decide the result."))
    state = String(validate=OneOf(STATES), metadata=about("State.", "done"))
    progress = Nested(Progress)
    attempt = Integer(metadata=about("How often the work was begun.", 1))
    people = Integer(allow_none=True, metadata=about("People found.", 2))
    revision = Integer(metadata=about("Grows with each change of people, also with one that is taken back.", 0))
    error = Nested(Failure, allow_none=True)
    shared = Boolean(metadata=about("The result was there already, from the same video under the same settings."))


class VideoOut(Answer):
    id = String(metadata=about("Opaque id.", "5f0c3f9a1b2c4d5e"))
    name = String(metadata=about("Name of the file.", "interview 1.mp4"))
    created = String(metadata=about("When it was uploaded.", format="date-time"))
    bytes = Integer(metadata=about("Size.", 607764))
    sha256 = String(metadata=about("SHA-256 of the bytes."))
    participant = String(metadata=about("Who is seen.", "P01"))
    condition = String(metadata=about("Experimental condition.", "stress"))
    tags = List(String(), metadata=about("Tags.", ["pilot"]))
    notes = String(metadata=about("Anything worth remembering."))
    facts = Nested(Facts, allow_none=True)
    poster_url = String(allow_none=True, metadata=about("A picture of it."))
    strip = Nested(Strip, allow_none=True)
    content_url = String(metadata=about("The uploaded bytes."))
    playback = Nested(Playback)
    latest = refer(AnalysisOut, allow_none=True)
    windows = Integer(metadata=about("Number of event windows.", 0))
    deleted_at = String(allow_none=True, metadata=about("When it was deleted.", format="date-time"))


class DeletedOut(Schema):
    """With `now`, `bytes_freed`; otherwise the other two."""

    undo_seconds = Float(metadata=about("For how long the video can be restored.", 30.0))
    restore_url = String(metadata=about("Where to ask for that."))
    bytes_freed = Integer(metadata=about("Bytes that the disk has back.", 607764))


VideoPage = page_of(refer(VideoOut), "VideoPage")
AnalysisPage = page_of(refer(AnalysisOut), "AnalysisPage")
WindowPage = page_of(refer(WindowOut), "WindowPage")
