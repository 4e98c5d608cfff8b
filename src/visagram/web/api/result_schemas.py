"""What responses about the results of an analysis hold."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, Raw, String
from apiflask.validators import OneOf

from visagram.web.api.schemas import Answer, WindowOut, about, page_of

FIGURES = ("timeline", "distribution", "compare")
EXPORTS = ("csv", "parquet", "json", "html", "vtt", "npy", "statistics", "mp4")
_BEFORE_1_3 = "null or missing in results from before version 1.3 of the form"
_FEW = "null where too few changes were seen to tell one"
_BEFORE = "null in results from before version 1.1 of the form"


class WarningOut(Answer):
    code = String(metadata=about("Stable, for programs.", "times_repaired"))
    message = String(metadata=about("A sentence for people.", "The times of 12 frames were repaired."))
    count = Integer(metadata=about("Of how many frames, streams or parts it speaks; 0 where nothing can be counted."))
    seconds = Float(allow_none=True, metadata=about("How much time it concerns; null where that is not known."))


class TrackOut(Answer):
    track = Integer(metadata=about("Number of the track.", 1))
    first = Float(metadata=about("Seconds.", 0.0))
    last = Float(metadata=about("Seconds.", 17.4))
    thumbnail_url = String(allow_none=True, metadata=about("Its best face."))


class ShareOut(Answer):
    value = Float(metadata=about("Share in 0..1.", 0.42))
    low = Float(allow_none=True, metadata=about(f"Lower end of the 95 % interval; {_FEW}.", 0.31))
    high = Float(allow_none=True, metadata=about(f"Upper end of the 95 % interval; {_FEW}.", 0.53))
    episodes = Integer(allow_none=True, metadata=about(f"How often it began; {_BEFORE_1_3}.", 12))
    least = Float(allow_none=True, metadata=about("Of the time in the picture, if the rest showed it never.", 0.35))
    most = Float(allow_none=True, metadata=about("Of the time in the picture, if the rest showed it always.", 0.5))


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
    certain_counts = Dict(
        keys=String(),
        values=Integer(),
        allow_none=True,
        metadata=about(f"Of these the frames that are not unsure; {_BEFORE}."),
    )
    average_confidences = Dict(keys=String(), values=Float(), metadata=about("Mean posterior by expression."))
    shares = Dict(keys=String(), values=Nested(ShareOut), metadata=about("Shares of measured time."))
    measured = Float(metadata=about("Seconds that were measured."))
    unsure = Float(allow_none=True, metadata=about(f"Of these the seconds in which the model was unsure; {_BEFORE}."))
    unmeasured = Dict(keys=String(), values=Float(), metadata=about("Seconds that were not, by reason."))
    segments = List(List(Float()), metadata=about("Start and end of each appearance."))
    thumbnail = String(allow_none=True, metadata=about("Name of the picture's file."))
    thumbnail_url = String(allow_none=True, metadata=about("Best face."))


class AccountOut(Answer):
    text = String(metadata=about("A paragraph for people who have not seen the video."))


class ReportOut(Answer):
    """What `report.json` holds; `visagram/export/schema` has its full schema."""

    schema = String(metadata=about("visagram.report"))
    schema_version = String(metadata=about("Version of the form.", "1.3"))
    visagram = String(
        allow_none=True,
        metadata=about(
            "Version of Visagram that analysed; null in results from before version 1.3 of the form.", "0.2.0"
        ),
    )
    video = Dict(metadata=about("Facts of the video; video_id names its content."))
    settings = Dict(metadata=about("Settings that decide the result."))
    models = List(Dict(), metadata=about("Models and their versions."))
    people = List(Dict(), metadata=about("Statistics of each person."))
    totals = Dict(metadata=about("Figures over the whole analysis."))
    warnings = List(Nested(WarningOut), metadata=about("What was repaired, guessed, chosen or left out."))


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
    unsure_below = Dict(
        keys=String(),
        values=Float(),
        metadata=about("By expression: a measured face that shows it best, but less surely, counts as unsure."),
    )
    version = String(metadata=about("Changes with the content; ask for tiles with `?v=` this to keep them."))


class MomentOut(Answer):
    person = Integer(metadata=about("Number of the person.", 1))
    emotion = String(metadata=about("Apparent expression.", "happy"))
    time = Float(metadata=about("Seconds.", 3.2))
    start = Float(metadata=about("Where the stretch around it begins."))
    end = Float(metadata=about("Where the stretch around it ends."))
    probability = Float(metadata=about("Smoothed posterior at that time.", 0.93))
    thumbnail_url = String(metadata=about("The person's face at that time."))


class WindowPersonOut(Answer):
    person = Integer(metadata=about("Number of the person.", 1))
    name = String(metadata=about("Name.", "Person 1"))
    screen_time = Float(metadata=about("Seconds of the window in the picture."))
    measured = Float(metadata=about("Seconds of the window that were measured."))
    unsure = Float(metadata=about("Of these the seconds in which the model was unsure."))
    unmeasured = Dict(keys=String(), values=Float(), metadata=about("Seconds that were not, by reason."))
    emotion_counts = Dict(keys=String(), values=Integer(), metadata=about("Frames by apparent expression."))
    certain_counts = Dict(keys=String(), values=Integer(), metadata=about("Of these the frames that are not unsure."))
    shares = Dict(keys=String(), values=Nested(ShareOut), metadata=about("Shares of measured time."))


class WindowStatisticsOut(Answer):
    window = Nested(WindowOut)
    people = List(Nested(WindowPersonOut), metadata=about("Everybody, in the order of the report."))


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
WindowStatisticsPage = page_of(Nested(WindowStatisticsOut), "WindowStatisticsPage")
MomentPage = page_of(Nested(MomentOut), "MomentPage")
ChangePage = page_of(Nested(ChangeOut), "ChangePage")
ExportPage = page_of(Nested(ExportOut), "ExportPage")
