"""What requests may hold and responses hold, for the results of an analysis."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import Boolean, DelimitedList, Dict, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length, OneOf, Range
from marshmallow import ValidationError, validates_schema

from visagram.core.types import EXPRESSIONS
from visagram.export.view import ROW_COLUMNS
from visagram.web.api.schemas import Answer, about, not_given, page_of, person_number, seconds, storable

MOST_BOX_SECONDS = 600
FIGURES = ("timeline", "distribution", "compare")
EXPORTS = ("csv", "parquet", "json", "html", "vtt", "npy", "statistics", "mp4")


class Stretch(Schema):
    start = seconds("Only what lies at this time or later.", load_default=not_given)
    end = seconds("Only what lies before this time.", load_default=not_given)

    @validates_schema
    def in_order(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("start") is not None and data.get("end") is not None and data["end"] <= data["start"]:
            raise ValidationError("This must be later than start.", "end")


class SelectionQuery(Stretch):
    person = person_number("Only this person.", load_default=not_given)


class ObservationsQuery(SelectionQuery):
    limit = Integer(load_default=100, validate=Range(1, 5000), metadata=about("How many to show at most."))
    offset = Integer(load_default=0, validate=Range(0, 10**9), metadata=about("How many to leave out first."))
    columns = DelimitedList(
        String(validate=OneOf(ROW_COLUMNS)),
        load_default=not_given,
        metadata=about("Which fields, all of them by default."),
    )


class BoxesQuery(Schema):
    start = seconds("From this time on.", load_default=0.0)
    end = seconds(f"Up to this time; at most {MOST_BOX_SECONDS} seconds after start.", load_default=not_given)

    @validates_schema
    def in_order(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("end") is not None and not 0 < data["end"] - data.get("start", 0.0) <= MOST_BOX_SECONDS:
            raise ValidationError(f"This must be at most {MOST_BOX_SECONDS} seconds later than start.", "end")


class MomentsQuery(Schema):
    person = person_number("Only this person.", load_default=not_given)
    emotion = String(
        load_default=not_given, validate=OneOf(EXPRESSIONS), metadata=about("Only this expression.", "happy")
    )
    limit = Integer(load_default=100, validate=Range(1, 5000), metadata=about("How many to show at most."))


class FrameQuery(Schema):
    time = seconds("The time of the picture.", required=True)
    width = Integer(load_default=320, validate=Range(16, 640), metadata=about("Width in pixels at most."))


class PersonQuery(Schema):
    person = person_number("Only this person.", load_default=not_given)


class NameIn(Schema):
    name = String(
        required=True,
        validate=[Length(max=500), storable],
        metadata=about("The new name; an empty one resets it.", "Anna"),
    )


class MergeIn(Schema):
    people = List(
        person_number(strict=True),
        required=True,
        validate=Length(2, 1000),
        metadata=about("Who is one person.", [1, 2]),
    )
    name = String(
        load_default=None,
        allow_none=True,
        validate=[Length(max=500), storable],
        metadata=about("The name of the one they become.", "Anna"),
    )


class SplitIn(Schema):
    person = person_number("Who is two people.", required=True, strict=True)
    tracks = List(
        Integer(strict=True, validate=Range(0, 2**31 - 1)),
        load_default=not_given,
        validate=Length(1, 100_000),
        metadata=about("The tracks that are somebody else.", [3]),
    )
    at = seconds("From this time on it is somebody else.", load_default=not_given)

    @validates_schema
    def one_way(self, data: dict[str, Any], **_: Any) -> None:
        if (data.get("tracks") is None) == (data.get("at") is None):
            raise ValidationError("Give either tracks or at, a time.", "tracks")


class TrackOut(Answer):
    track = Integer(metadata=about("Number of the track.", 1))
    first = Float(metadata=about("Seconds.", 0.0))
    last = Float(metadata=about("Seconds.", 17.4))
    thumbnail_url = String(allow_none=True, metadata=about("Its best face."))


class ShareOut(Answer):
    value = Float(metadata=about("Share in 0..1.", 0.42))
    low = Float(metadata=about("Lower end of the 95 % interval.", 0.31))
    high = Float(metadata=about("Upper end of the 95 % interval.", 0.53))


class PersonOut(Answer):
    id = Integer(metadata=about("Number of the person.", 1))
    name = String(metadata=about("Name.", "Person 1"))
    tracks = List(Nested(TrackOut))
    first_seen = Float(allow_none=True, metadata=about("Seconds."))
    last_seen = Float(allow_none=True, metadata=about("Seconds."))
    screen_time = Float(metadata=about("Seconds in the picture."))
    frames_seen = Integer(metadata=about("Frames in which the person was found."))
    frames_usable = Integer(metadata=about("Frames that were measured."))
    most_common_emotion = String(allow_none=True, metadata=about("Apparent expression of most frames.", "happy"))
    emotion_counts = Dict(keys=String(), values=Integer(), metadata=about("Frames by apparent expression."))
    average_confidences = Dict(keys=String(), values=Float(), metadata=about("Mean posterior by expression."))
    shares = Dict(keys=String(), values=Nested(ShareOut), metadata=about("Shares of measured time."))
    measured = Float(metadata=about("Seconds that were measured."))
    unmeasured = Dict(keys=String(), values=Float(), metadata=about("Seconds that were not, by reason."))
    segments = List(List(Float()), metadata=about("Start and end of each appearance."))
    thumbnail = String(allow_none=True, metadata=about("Name of the picture's file."))
    thumbnail_url = String(allow_none=True, metadata=about("Best face."))


class ReportOut(Answer):
    """What `report.json` holds; `visagram/export/schema` has its full schema."""

    schema = String(metadata=about("visagram.report"))
    schema_version = String(metadata=about("Version of the form.", "1.0"))
    video = Dict(metadata=about("Facts of the video."))
    settings = Dict(metadata=about("Settings that decide the result."))
    models = List(Dict(), metadata=about("Models and their versions."))
    people = List(Dict(), metadata=about("Statistics of each person."))
    totals = Dict(metadata=about("Figures over the whole analysis."))
    warnings = List(String(), metadata=about("What may limit the result."))


class ObservationOut(Schema):
    """A face in a frame, with the fields that were asked for."""

    frame = Integer(metadata=about("Number of the frame.", 0))
    time = Float(metadata=about("Seconds.", 0.0))
    span = Float(allow_none=True, metadata=about("Seconds that the row stands for.", 0.04))
    person = Integer(metadata=about("Number of the person.", 1))
    track = Integer(metadata=about("Number of the track.", 1))
    box = List(Float(), metadata=about("x, y, w, h in pixels."))
    score = Float(allow_none=True, metadata=about("Detection score."))
    detected = Boolean(metadata=about("Found by the detector itself, not between two looks."))
    reason = String(allow_none=True, metadata=about("Why the face was not measured.", "blurred"))
    quality = Float(allow_none=True, metadata=about("0 to 1."))
    posterior = Dict(keys=String(), values=Float(), allow_none=True, metadata=about("Probability by expression."))
    emotion = String(allow_none=True, metadata=about("Most probable apparent expression.", "happy"))


class BoxesOut(Answer):
    """Columns of equal length, rows in time order."""

    start = Float()
    end = Float()
    time = List(Float(), metadata=about("Seconds."))
    span = List(Float(), metadata=about("Seconds for which the box is shown."))
    person = List(Integer(), metadata=about("Number of the person."))
    box = List(List(Float()), metadata=about("x, y, w, h in pixels."))
    posterior = List(
        List(Integer(), allow_none=True), metadata=about("Probabilities in 255ths, null where not measured.")
    )


class LevelOut(Answer):
    bin = Float(metadata=about("Seconds of a bin.", 0.1))
    tiles = Integer(metadata=about("Number of tiles.", 1))


class TilesOut(Answer):
    levels = List(Nested(LevelOut))
    bins_per_tile = Integer(metadata=about("Bins of a tile.", 256))
    start = Float(metadata=about("Where the first bin begins, in seconds."))
    end = Float(metadata=about("Where the analysed time ends, in seconds."))
    people = List(Integer(), metadata=about("Whose lanes a tile holds, in order."))
    unsure_below = Float(metadata=about("Measured faces below this probability count as unsure.", 0.5))
    version = String(metadata=about("Changes with the content; ask for tiles with `?v=` this to keep them."))


class MomentOut(Answer):
    person = Integer(metadata=about("Number of the person.", 1))
    emotion = String(metadata=about("Apparent expression.", "happy"))
    time = Float(metadata=about("Seconds.", 3.2))
    start = Float(metadata=about("Where the stretch around it begins."))
    end = Float(metadata=about("Where the stretch around it ends."))
    probability = Float(metadata=about("Smoothed posterior at that time.", 0.93))
    thumbnail_url = String(metadata=about("The picture at that time."))


class ChangeOut(Answer):
    id = String(metadata=about("Opaque id.", "1"))
    at = String(metadata=about("When.", format="date-time"))
    who = String(metadata=about("Who.", "local"))
    kind = String(metadata=about("rename, merge or split.", "rename"))
    detail = Dict(metadata=about("The change's own fields.", {"person": 1, "name": "Anna"}))


class ExportOut(Answer):
    format = String(validate=OneOf(EXPORTS), metadata=about("Format.", "csv"))
    name = String(metadata=about("Name of the file.", "interview 1 observations.csv"))
    bytes = Integer(allow_none=True, metadata=about("Size; null where it is made when it is asked for."))
    url = String(metadata=about("Where it is."))
    what = String(metadata=about("What it holds."))
    state = String(metadata=about("ready, none (made when asked for), queued, running or failed.", "none"))


class DrawingOut(Answer):
    state = String(metadata=about("queued, running, done, failed or none.", "running"))
    progress = Float(metadata=about("Share that is done.", 0.25))


class PreviewFace(Answer):
    box = List(Float(), metadata=about("x, y, w, h in pixels."))
    emotion = String(allow_none=True, metadata=about("Most probable apparent expression.", "happy"))
    probability = Float(allow_none=True, metadata=about("Its probability.", 0.9))


class PreviewOut(Answer):
    time = Float(metadata=about("Seconds.", 3.2))
    width = Integer(metadata=about("Pixels of the displayed picture.", 640))
    height = Integer(metadata=about("Pixels of the displayed picture.", 360))
    faces = List(Nested(PreviewFace))


class FigureOut(Schema):
    """A plotly figure."""

    data = List(Raw(), required=True)
    layout = Dict(required=True)


PersonPage = page_of(Nested(PersonOut), "PersonPage")
ObservationPage = page_of(Nested(ObservationOut), "ObservationPage")
MomentPage = page_of(Nested(MomentOut), "MomentPage")
ChangePage = page_of(Nested(ChangeOut), "ChangePage")
ExportPage = page_of(Nested(ExportOut), "ExportPage")
