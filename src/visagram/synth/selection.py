"""Which generated faces may be trained on, each decision with its numbers.

In this order, because each test is only meaningful after the one before: the generator gave it; exactly one face;
quality; the intended expression, as a judge sees it that is not the model to be trained; no copy of a face that the
generator or the model learned from; no near-copy of a face accepted before; and no more of an expression than wanted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.stages import EmotionClassifier
from visagram.core.types import EXPRESSIONS, Progress
from visagram.errors import UsageError
from visagram.evaluate.data import splits_of
from visagram.evaluate.duplicates import Prints, likenesses, nearest
from visagram.learn.data import read_sheets
from visagram.models import catalog
from visagram.settings import Settings
from visagram.synth.collection import ACCEPTED, REJECTED, Collection, Record
from visagram.synth.finder import FaceFinder, Look
from visagram.synth.generate import REFUSED

BATCH = 64
CHUNK = 2400


@dataclass(frozen=True, slots=True)
class Limits:
    """What a face must reach.

    score: of the detector. sharpness, frontality: see `core.quality`. contrast: standard deviation of the crop, grey
    levels. agreement: the judge's posterior of the intended expression, which must also be its first choice. likeness:
    correlation at half resolution from which two pictures are one (see `evaluate.duplicates`).
    """

    score: float = 0.7
    sharpness: float = 0.12
    frontality: float = 0.0
    contrast: float = 12.0
    agreement: float = 0.5
    likeness: float = 0.93


@dataclass(frozen=True, slots=True)
class Decision:
    """scores: the numbers it was made by. reason: empty where accepted."""

    scores: Mapping[str, Any]
    reason: str

    @property
    def accepted(self) -> bool:
        return not self.reason


class Selection:
    """Decides about faces, one after the other.

    judge: a classifier of 48x48 luma other than the one to be trained. known: prints of all real faces that must not
    be copied, as they are and aligned. most: how many of each expression are accepted at most.
    """

    def __init__(
        self,
        judge: EmotionClassifier,
        finder: FaceFinder,
        known: Prints,
        *,
        most: Mapping[str, int] | None = None,
        limits: Limits = Limits(),
    ) -> None:
        self._judge, self._finder, self._known, self._limits = judge, finder, known, limits
        self._most = dict(most or {})
        self._accepted = dict.fromkeys(EXPRESSIONS, 0)
        self._own = Prints(0)

    def decide(self, pictures: Sequence[NDArray[np.uint8]], expressions: Sequence[str]) -> list[Decision]:
        """Pictures (h, w) uint8 luma and the expression that each was meant to show."""
        looks = self._finder.look(pictures)
        crops = np.stack([look.crop for look in looks])
        posteriors = self._judge.classify(crops)
        prints = Prints.of(crops)
        real, own = nearest(prints, self._known), nearest(prints, self._own)
        alike = likenesses(prints, prints)
        decisions, taken = [], list[int]()
        for k, (look, expression) in enumerate(zip(looks, expressions, strict=True)):
            twin = max([float(own[k]), *(float(alike[k, j]) for j in taken)])
            scores = _scores(look, posteriors[k], expression, float(real[k]), twin)
            reason = self._reason(look, scores, expression)
            if not reason:
                self._accepted[expression] += 1
                taken.append(k)
            decisions.append(Decision(scores, reason))
        self._own = self._own.joined(prints.select(taken))
        return decisions

    def keep(self, picture: NDArray[np.uint8], expression: str) -> None:
        """Count a face that a person accepted, so that no copy of it is accepted again."""
        (look,) = self._finder.look([picture])
        self._accepted[expression] += 1
        self._own = self._own.joined(Prints.of(look.crop[None]))

    def _reason(self, look: Look, scores: Mapping[str, Any], expression: str) -> str:
        limits = self._limits
        if look.faces == 0:
            return "no face found"
        if look.faces > 1:
            return f"{look.faces} faces found"
        if look.score < limits.score:
            return "hardly a face"
        if scores["contrast"] < limits.contrast:
            return "no contrast"
        if look.sharpness < limits.sharpness:
            return "blurred"
        if look.frontality <= limits.frontality:
            return "turned away"
        if scores["judged"] != expression:
            return f"looks {scores['judged']}"
        if scores["agreement"] < limits.agreement:
            return "expression unclear"
        if scores["nearest_real"] >= limits.likeness:
            return "copy of a real face"
        if scores["nearest_accepted"] >= limits.likeness:
            return "copy of another generated face"
        if self._accepted[expression] >= self._most.get(expression, len(EXPRESSIONS) << 40):
            return "enough of this expression"
        return ""


def known_faces(data: Path, progress: Progress) -> Prints:
    """Prints of all real faces in the sheets of `data`, as they are and as a generator has seen them: aligned."""
    parts = read_sheets(data, *splits_of(data))
    luma = np.concatenate([part.luma for part in parts])
    finder, prints = FaceFinder(), Prints.of(luma)
    for start in range(0, len(luma), CHUNK):
        looks = finder.look(list(luma[start : start + CHUNK]))
        found = [look.crop for look in looks if look.faces]
        prints = prints.joined(Prints.of(np.stack(found))) if found else prints
        progress("align", min(start + CHUNK, len(luma)), len(luma))
    return prints


def open_judge(name: str, settings: Settings) -> EmotionClassifier:
    """A classifier of 48x48 luma by its name in the catalogue. Raises `UsageError`, also for one that has learned from
    generated faces, `MissingExtra`, `ModelError`."""
    if catalog.find(catalog.EXPRESSION, name).card(settings.models_folder).facts.get("generated"):
        raise UsageError(
            f"{name} has learned from generated faces, so that it cannot judge them: choose another model."
        )
    catalog.prepare(name, catalog.OURS, settings.models_folder, offline=settings.offline)
    return catalog.open_classifier(name, 1, settings.models_folder)


def select(faces: Collection, selection: Selection, progress: Progress) -> None:
    """Decide about every face of a collection, in its order; what people said stays. Raises `DataError`."""
    for record in faces:
        if record.review == ACCEPTED:
            selection.keep(faces.picture(record), record.expression)
    waiting = [r for r in faces if not r.reason.startswith(REFUSED)]
    done = 0
    for part in _parts(waiting):
        decisions = selection.decide([faces.picture(r) for r in part], [r.expression for r in part])
        for record, found in zip(part, decisions, strict=True):
            decision = ACCEPTED if found.accepted else REJECTED
            faces.put(dataclasses.replace(record, scores=dict(found.scores), decision=decision, reason=found.reason))
        done += len(part)
        progress("select", done, len(waiting))


def _parts(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]


def _scores(look: Look, posterior: NDArray[np.float32], expression: str, real: float, own: float) -> dict[str, Any]:
    return {
        "faces": look.faces,
        "score": round(look.score, 4),
        "sharpness": round(look.sharpness, 4),
        "frontality": round(look.frontality, 4),
        "contrast": round(float(look.crop.std()), 2),
        "judged": EXPRESSIONS[int(posterior.argmax())],
        "agreement": round(float(posterior[EXPRESSIONS.index(expression)]), 4),
        "posterior": [round(float(p), 4) for p in posterior],
        "nearest_real": round(real, 4),
        "nearest_accepted": round(own, 4),
    }
