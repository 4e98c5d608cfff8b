"""What requests about the results of an analysis may hold."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import DelimitedList, Integer, List, String
from apiflask.validators import Length, OneOf, Range
from marshmallow import ValidationError, validates_schema

from visagram.core.types import EXPRESSIONS
from visagram.export.view import ROW_COLUMNS
from visagram.web.api.schemas import about, not_given, person_number, seconds, storable

MOST_BOX_SECONDS = 600


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
    person = person_number("Only the surroundings of this person's face.", load_default=not_given)


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
