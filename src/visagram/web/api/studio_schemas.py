"""What the studio takes and answers."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Float, Integer, List, Nested, String
from apiflask.validators import OneOf, Range

from visagram.core.types import EXPRESSIONS
from visagram.jobs.studio import MOST_COUNT
from visagram.models.card import GENERATOR
from visagram.web.api.schemas import STATES, Answer, Paging, about, page_of, refer

REVIEWS = ("accept", "reject", "undo")


class ExpressionCount(Answer):
    expression = String(metadata=about("Expression.", "disgust"))
    faces = Integer(metadata=about("Generated faces of it."))
    accepted = Integer(metadata=about("Of these, those that may be trained on."))


class StudioOut(Answer):
    generators = List(String(), metadata=about("What can make faces here.", [GENERATOR]))
    expressions = List(Nested(ExpressionCount), metadata=about("What there is of each expression."))


class MakingIn(Schema):
    expression = String(required=True, validate=OneOf(EXPRESSIONS), metadata=about("Expression to show.", "disgust"))
    count = Integer(load_default=16, validate=Range(1, MOST_COUNT), metadata=about("Faces of this seed.", 16))
    seed = Integer(load_default=0, validate=Range(0, 2**53), metadata=about("The same seed gives the same faces.", 7))
    generator = String(
        load_default=GENERATOR, metadata=about("What makes them: one of those that the studio names.", GENERATOR)
    )
    guidance = Float(
        load_default=None,
        allow_none=True,
        validate=Range(0, 20),
        metadata=about("How strongly the expression is insisted on; without it the generator's own.", 2.0),
    )


class MakingError(Answer):
    code = String(metadata=about("Code of the error.", "model"))
    detail = String(metadata=about("What happened, and what to do."))


class MakingOut(Answer):
    id = String(metadata=about("Id."))
    created = String(metadata=about("When it was asked for."))
    expression = String(metadata=about("Expression."))
    count = Integer(metadata=about("Faces asked for."))
    seed = Integer(metadata=about("Seed."))
    guidance = Float(allow_none=True, metadata=about("Guidance, if not the generator's own."))
    generator = String(metadata=about("Generator.", "visagram-diffusion"))
    state = String(validate=OneOf(STATES), metadata=about("State."))
    completed = Integer(metadata=about("Faces made so far."))
    total = Integer(metadata=about("Faces to make; 0 while unknown."))
    error = Nested(MakingError, allow_none=True, metadata=about("Why it failed."))


class FacesQuery(Paging):
    expression = String(load_default="", validate=OneOf(("", *EXPRESSIONS)), metadata=about("Only of this expression."))
    accepted = Boolean(load_default=None, metadata=about("Only accepted, or only rejected ones."))


class FaceOut(Answer):
    file = String(metadata=about("Its name, by which it is judged.", "disgust/disgust-7-00003.png"))
    expression = String(metadata=about("Expression that was asked for."))
    seed = Integer(metadata=about("Seed that was asked for."))
    number = Integer(metadata=about("Its place under the seed."))
    url = String(metadata=about("Address of the picture."))
    accepted = Boolean(metadata=about("Whether it may be trained on: a person's word, else the selection's."))
    decision = String(metadata=about("What the selection decided; empty before."))
    reason = String(metadata=about("Why it was rejected."))
    review = String(metadata=about("What a person said; empty for nothing."))
    agreement = Float(allow_none=True, metadata=about("The judge's posterior of the expression that was asked for."))


class ReviewIn(Schema):
    review = String(required=True, validate=OneOf(REVIEWS), metadata=about("What is to be noted.", "reject"))


MakingPage = page_of(refer(MakingOut), "MakingPage")
FacePage = page_of(Nested(FaceOut), "FacePage")
