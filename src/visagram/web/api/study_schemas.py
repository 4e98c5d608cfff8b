"""What requests may hold and responses hold, for the study, models, settings and the log."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Dict, File, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length, OneOf, Range
from marshmallow import ValidationError

from visagram.core.compare import LEAST
from visagram.web.api.schemas import Answer, about, not_given, page_of, refer, storable

TABLE_FORMATS = ("json", "csv", "parquet")


class Chosen(Schema):
    tag = String(load_default="", validate=Length(max=80), metadata=about("Only videos with this tag."))
    condition = String(load_default="", validate=Length(max=200), metadata=about("Only videos of this condition."))


class TableQuery(Chosen):
    video = String(load_default="", validate=Length(max=64), metadata=about("Only the video with this id."))
    limit = Integer(load_default=not_given, validate=Range(1, 10**9), metadata=about("How many rows at most.", 8))
    offset = Integer(load_default=0, validate=Range(0, 10**9), metadata=about("How many to leave out first."))
    format = String(load_default="json", validate=OneOf(TABLE_FORMATS), metadata=about("Format of the table."))


def _by() -> String:
    choices = OneOf(("condition", "tag", "participant"))
    return String(load_default="condition", validate=choices, metadata=about("What makes a group."))


def _measure() -> String:
    choices = OneOf(("share", "mean_posterior"))
    return String(load_default="share", validate=choices, metadata=about("What is compared."))


def _least() -> Float:
    said = about("Seconds that must have been measured of a participant in a group.", LEAST)
    return Float(load_default=LEAST, validate=Range(0, 86_400), metadata=said)


def _smallest() -> Float:
    said = about("Smallest difference of interest, in 0..1: differences are tested for being smaller.", 0.1)
    limits = Range(0, 1, min_inclusive=False)
    return Float(load_default=None, allow_none=True, validate=limits, metadata=said)


class MethodsQuery(Chosen):
    by = _by()
    window = String(
        load_default="",
        validate=Length(max=200),
        metadata=about("Compare event windows of this name instead of whole videos."),
    )
    least = _least()
    smallest = _smallest()


def _name(words: str) -> String:
    return String(load_default="", validate=[Length(max=200), storable], metadata=about(words))


def _apart(pairs: list[list[str]]) -> None:
    """Refuse a pair that is none, or is there twice."""
    if any(first == second for first, second in pairs) or len({frozenset(pair) for pair in pairs}) < len(pairs):
        raise ValidationError("Each contrast is of two different groups, and there once.")


class PlanIn(Schema):
    """A comparison as it will be made, written down before anybody looks at its result."""

    by = _by()
    measure = _measure()
    window = _name("Name of event windows; empty for whole videos.")
    tag = _name("Only videos with this tag.")
    condition = _name("Only videos of this condition.")
    least = _least()
    smallest = _smallest()
    contrasts = List(
        List(String(validate=[Length(1, 200), storable]), validate=Length(equal=2)),
        load_default=list,
        validate=[Length(max=50), _apart],
        metadata=about("Pairs of groups that are compared; empty for all.", [["calm", "stress"]]),
    )


class EarlierOut(Schema):
    sha256 = String(metadata=about("Hash of the plan."))
    frozen = String(metadata=about("When it was frozen, in UTC.", "2026-01-30T12:00:00Z"))


class PlanOut(PlanIn):
    frozen = String(metadata=about("When, in UTC.", "2026-01-31T12:00:00Z"))
    visagram = String(metadata=about("Version that froze it.", "0.1.0"))
    analysed = Integer(metadata=about("How many of its videos had a result by then.", 0))
    replaces = String(metadata=about("Hash of the plan that it replaced; empty for the first."))
    sha256 = String(metadata=about("Hash of the file that `/study/plan.json` gives."))
    earlier = List(Nested(EarlierOut), metadata=about("The plans before it, the newest first; twenty at most."))


class PlanAnswer(Schema):
    plan = Nested(PlanOut, allow_none=True, metadata=about("The plan; null where none was frozen."))


class CompareQuery(MethodsQuery):
    measure = _measure()


class DifferenceQuery(CompareQuery):
    first = String(required=True, validate=Length(1, 200), metadata=about("Name of a group.", "calm"))
    second = String(required=True, validate=Length(1, 200), metadata=about("Name of another.", "stress"))


class ImportQuery(Schema):
    dry_run = Boolean(load_default=False, metadata=about("Only say what would happen."))


class ExcludedOut(Schema):
    """A video that is no part of the table."""

    id = String(metadata=about("Opaque id of the video.", "5f0c3f9a1b2c4d5e"))
    name = String(metadata=about("Its name.", "interview 1.mp4"))
    reason = String(metadata=about("Why not.", "its analysis is running"))


class TableOut(Answer):
    items = List(Dict(), metadata=about("Rows of the table: one per video, person and window."))
    total = Integer(metadata=about("How many there are in all.", 2))
    limit = Integer(metadata=about("How many are shown at most.", 2))
    offset = Integer(metadata=about("How many come before the first shown.", 0))
    columns = List(String(), metadata=about("Names of the columns in order."))
    windows = List(String(), metadata=about("Names of event windows.", ["question 1"]))
    excluded = List(Nested(ExcludedOut), metadata=about("Videos without a finished analysis."))


class CompareOut(Answer):
    measure = String(metadata=about("What is compared.", "share"))
    measure_label = String(metadata=about("The same in words.", "share of measured time"))
    confidence = Float(metadata=about("Of the intervals.", 0.95))
    unit = String(metadata=about("What counts once: participant or video.", "participant"))
    least = Float(metadata=about("Seconds that must have been measured of each.", LEAST))
    smallest = Float(
        allow_none=True, metadata=about("Smallest difference of interest, in 0..1; null where none was declared.")
    )
    headline = String(metadata=about("How many differences are more than chance explains, over all of them."))
    plan = Nested(PlanOut, allow_none=True, metadata=about("The plan that was frozen; null where there is none."))
    departures = List(String(), metadata=about("Where this comparison departs from the plan."))
    groups = List(Dict(), metadata=about("Each group with its means, intervals and participants."))
    differences = List(Dict(), metadata=about("Each pair of groups, each expression: second minus first."))
    figure = Dict(metadata=about("The means as a plotly figure; `/study/compare/difference` has the differences."))
    table = List(Dict(), metadata=about("The figure's numbers, a row per group and expression."))
    method = String(metadata=about("How this is computed."))
    notes = List(String(), metadata=about("What a reader has to know of these data."))
    excluded = List(Nested(ExcludedOut), metadata=about("Videos that are not in it."))


class MethodsOut(Answer):
    text = String(metadata=about("A methods paragraph with versions, model cards, and what people changed by hand."))


class ImportIn(Schema):
    file = File(required=True, metadata=about("The spreadsheet, as CSV."))  # type: ignore[no-untyped-call]


class SheetErrorOut(Answer):
    line = Integer(metadata=about("Line of the file, from 1.", 3))
    detail = String(metadata=about("What is wrong."))


class UnmatchedOut(Answer):
    line = Integer(metadata=about("Line of the file, from 1.", 4))
    video = String(metadata=about("A name that no video has.", "interview 9.mp4"))


class ImportOut(Answer):
    kind = String(validate=OneOf(("labels", "windows")), metadata=about("What the file is about.", "labels"))
    matched = List(Dict(), metadata=about("Rows that were taken over, or would be."))
    unmatched = List(Nested(UnmatchedOut), metadata=about("Rows for which there is no video."))
    errors = List(Nested(SheetErrorOut), metadata=about("Rows that are wrong."))


class ModelChoiceOut(Schema):
    """A model that a setting of an analysis can name."""

    choice = String(required=True, metadata=about("What the setting takes.", "visagram"))
    setting = String(required=True, metadata=about("The setting; empty where there is nothing to choose.", "emotion"))
    name = String(required=True, metadata=about("The model's own name.", "visagram-emotion"))
    version = String(required=True, metadata=about("Version.", "0.1.0"))
    licence = String(required=True, metadata=about("Licence.", "MIT"))
    bytes = Integer(required=True, allow_none=True, metadata=about("Size of its weights.", 6573789))
    accuracy = Float(required=True, allow_none=True, metadata=about("Share of right answers.", 0.92))
    measured_on = String(required=True, metadata=about("On which faces.", "FER+ validation"))
    speed = String(required=True, metadata=about("How long it takes.", "0.9 ms a face"))
    cost = String(required=True, metadata=about("What it takes to use it.", "comes with Visagram"))
    available = Boolean(required=True, metadata=about("Whether it can be chosen here."))
    why = String(required=True, allow_none=True, metadata=about("Why it cannot, and what would change that."))


class ModelOut(ModelChoiceOut):
    task = String(required=True, metadata=about("What it does.", "expression"))
    sha256 = String(required=True, metadata=about("SHA-256 of its weights; empty where they are not here."))
    trained_on = String(metadata=about("What it learned from."))
    metrics = Dict(metadata=about("What was measured of it."))
    temperature = Float(metadata=about("Divides its logits.", 0.63))
    unsure_below = Raw(
        metadata=about("Posterior below which it is unsure, for all expressions or by expression.", 0.58)
    )
    prior = Dict(
        keys=String(), values=Float(), metadata=about("Shares of the expressions under which its posteriors hold.")
    )
    card = Dict(required=True, metadata=about("The whole card."))


class SettingOut(Answer):
    name = String(metadata=about("Name.", "sample_fps"))
    help = String(metadata=about("What it does."))
    type = String(
        validate=OneOf(("number", "integer", "text", "choice", "region", "switch")), metadata=about("Kind of value.")
    )
    default = Raw(allow_none=True, metadata=about("The server's default."))
    choices = List(String(), allow_none=True, metadata=about("Usual values."))
    minimum = Float(allow_none=True, metadata=about("Smallest value."))
    maximum = Float(allow_none=True, metadata=about("Largest value."))


class PresetOut(Answer):
    settings = Dict(metadata=about("What it sets."))
    label = String(metadata=about("Name.", "Fast"))
    help = String(metadata=about("When to choose it."))
    available = Boolean(metadata=about("Whether it can be chosen here."))
    why = String(allow_none=True, metadata=about("Why it cannot."))


class SettingsOut(Answer):
    items = List(Nested(SettingOut))
    total = Integer()
    limit = Integer()
    offset = Integer()
    presets = Dict(keys=String(), values=Nested(PresetOut), metadata=about("Sets of settings by name."))
    models = Dict(
        keys=String(), values=List(Nested(ModelChoiceOut)), metadata=about("The models that a setting can name.")
    )


class EntryOut(Answer):
    at = String(metadata=about("When.", format="date-time"))
    who = String(metadata=about("Who.", "local"))
    action = String(metadata=about("What was done.", "delete video"))
    subject = String(metadata=about("To what.", "interview 1.mp4"))
    detail = String(metadata=about("More about it."))


ModelPage = page_of(refer(ModelOut), "ModelPage")
LogPage = page_of(Nested(EntryOut), "LogPage")
