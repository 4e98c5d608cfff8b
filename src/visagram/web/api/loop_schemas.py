"""What the loop takes and answers."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Float, Integer, List, Nested, String
from apiflask.validators import OneOf, Range

from visagram.web.api.schemas import STATES, Answer, about, page_of, refer
from visagram.web.api.studio_schemas import MakingError


class PassIn(Schema):
    ratio = Float(
        load_default=0.5,
        validate=Range(0, 1, min_inclusive=False),
        metadata=about("Generated faces to each real one of a rare or weak expression.", 0.5),
    )
    seed = Integer(load_default=0, validate=Range(0, 2**53), metadata=about("Seed of every random draw.", 0))


class NeedOut(Answer):
    expression = String(metadata=about("Expression.", "disgust"))
    real = Integer(metadata=about("Training faces of it."))
    recall = Float(metadata=about("Recall on faces held out."))
    low = Float(metadata=about("Lower end of the 95 % interval."))
    high = Float(metadata=about("Upper end."))
    rare = Boolean(metadata=about("Whether there are few training faces of it."))
    weak = Boolean(metadata=about("Whether it is recognised worse than most."))
    wanted = Integer(metadata=about("Generated faces wanted."))


class FigureOut(Answer):
    name = String(metadata=about("Figure.", "accuracy"))
    before = Float(metadata=about("Of the model that was in force."))
    after = Float(metadata=about("Of the candidate."))
    change = Float(metadata=about("Candidate minus model."))
    low = Float(allow_none=True, metadata=about("Lower end of the change's 95 % interval, null where there is none."))
    high = Float(allow_none=True, metadata=about("Upper end."))


class SetOut(Answer):
    name = String(metadata=about("Faces on which both were compared."))
    faces = Integer(metadata=about("How many."))
    url = String(metadata=about("Address of the page with all figures."))
    figures = List(Nested(FigureOut), metadata=about("What changed."))


class EffectChangeOut(Answer):
    before = String(metadata=about("Most probable apparent expression by the model in force.", "neutral"))
    after = String(metadata=about("By the candidate.", "angry"))
    faces = Integer(metadata=about("Faces of which this is so."))


class EffectOut(Answer):
    name = String(metadata=about("Name of the video."))
    faces = Integer(metadata=about("Measured faces that both models looked at, evenly chosen."))
    changed = Integer(metadata=about("Of these, faces with another most probable apparent expression."))
    changes = List(Nested(EffectChangeOut), metadata=about("The most frequent changes."))
    unsure = Integer(metadata=about("Faces that would become unsure."))
    sure = Integer(metadata=about("Faces that would cease to be unsure."))
    left_out = String(allow_none=True, metadata=about("Why the video was not looked at."))


class OutcomeOut(Answer):
    promote = Boolean(metadata=about("Whether the candidate is better on the first set and not worse on any other."))
    reasons = List(String(), metadata=about("For and against, as sentences."))
    candidate = String(allow_none=True, metadata=about("SHA-256 of the candidate, if there is one."))
    in_force = Boolean(metadata=about("Whether it is the model in force."))
    needs = List(Nested(NeedOut), metadata=about("Expressions that wanted faces, the weakest first."))
    videos = List(
        Nested(EffectOut),
        allow_none=True,
        metadata=about(
            "What the candidate would change on the newest analysed videos; null where there is no candidate, and for "
            "passes of a version before 0.2."
        ),
    )
    sets = List(
        Nested(SetOut), metadata=about("The comparisons, the first set's first; none where there is no candidate.")
    )


class PassOut(Answer):
    id = String(metadata=about("Id."))
    created = String(metadata=about("When it was asked for."))
    ratio = Float(metadata=about("Generated faces to each real one."))
    seed = Integer(metadata=about("Seed."))
    state = String(validate=OneOf(STATES), metadata=about("State."))
    completed = Integer(metadata=about("How far the current step is."))
    total = Integer(metadata=about("Of how much; 0 while unknown."))
    said = String(metadata=about("What happened last, as a sentence."))
    error = Nested(MakingError, allow_none=True, metadata=about("Why it failed."))
    outcome = Nested(OutcomeOut, allow_none=True, metadata=about("What it found, once it is done."))


class PromotionOut(Answer):
    sha256 = String(metadata=about("Of the model's file."))
    at = String(metadata=about("When."))
    reason = String(metadata=about("Why."))


class InForceOut(Answer):
    sha256 = String(metadata=about("SHA-256 of the model's file."))
    version = String(metadata=about("Version on its card."))
    trained_on = String(metadata=about("What it learned from."))
    promotions = List(
        Nested(PromotionOut), metadata=about("Those in force, oldest first; none for the embedded model.")
    )
    available = Boolean(metadata=about("Whether a pass can be started here."))
    why = String(allow_none=True, metadata=about("Why not."))


PassPage = page_of(refer(PassOut), "PassPage")
