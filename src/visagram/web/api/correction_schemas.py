"""What corrections take and answer."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, String
from apiflask.validators import OneOf

from visagram.core.types import EXPRESSIONS
from visagram.web.api.schemas import Answer, about, page_of, refer, seconds


class CorrectionIn(Schema):
    time = seconds("When the face is seen, in seconds.", required=True)
    expression = String(required=True, validate=OneOf(EXPRESSIONS), metadata=about("What it shows.", "neutral"))
    consent = Boolean(
        required=True,
        metadata=about("Whether whoever is shown agreed that the picture is kept and learned from.", True),
    )


class CorrectionOut(Answer):
    id = String(metadata=about("Id."))
    expression = String(metadata=about("What the face shows, as somebody said.", "neutral"))
    instead_of = String(metadata=about("What the model said; empty where it was not measured.", "angry"))
    at = String(metadata=about("When it was said."))
    who = String(metadata=about("Who said it.", "local"))
    url = String(metadata=about("Address of the picture."))


CorrectionPage = page_of(refer(CorrectionOut), "CorrectionPage")
