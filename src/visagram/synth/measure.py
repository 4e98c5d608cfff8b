"""How good a generator is: do its faces show what they should, are they faces, are they new, and are they many?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.core.stages import EmotionClassifier
from visagram.core.types import EXPRESSIONS, Progress
from visagram.evaluate.duplicates import LIKENESS, Prints, nearest
from visagram.evaluate.intervals import Estimate, share
from visagram.learn.data import Faces48
from visagram.models.card import EMBEDDING, read_card
from visagram.models.embedding import OnnxEmbedder
from visagram.synth.finder import FaceFinder
from visagram.synth.generator import Generator

EACH = 64
"""Faces of each expression that are looked at."""
PAIRED = 64
"""Real faces of an expression whose variety is compared."""
CHUNK = 64


@dataclass(frozen=True, slots=True)
class Measured:
    """agreement: share of faces whose intended expression is the judge's first choice, all and by expression. real: the
    same of real faces that were held out, whose label is what most people called them. unchosen: the same of generated
    faces as they come, without choosing among candidates. found:
    share in which RetinaFace finds a face. nearest: quantiles of the likeness to the most alike real training face, of
    generated faces and of real ones that were held out. copies: generated faces beyond `LIKENESS`. variety: mean
    distance (1 - cosine of the face embedding) of two faces of an expression, as a share of that of real ones."""

    faces: int
    agreement: Estimate
    by_expression: Mapping[str, float]
    real: Mapping[str, float]
    unchosen: Estimate
    found: Estimate
    nearest_generated: tuple[float, float, float]
    nearest_real: tuple[float, float, float]
    copies: int
    variety: Mapping[str, float]

    def facts(self) -> dict[str, Any]:
        """As a card keeps it."""
        quantiles = ("median", "99 %", "greatest")
        return {
            "faces": self.faces,
            "agreement": _rounded(self.agreement),
            "agreement_by_expression": {name: round(value, 3) for name, value in self.by_expression.items()},
            "agreement_of_real_faces": {name: round(value, 3) for name, value in self.real.items()},
            "agreement_unchosen": _rounded(self.unchosen),
            "found": _rounded(self.found),
            "likeness_to_training_faces": {
                "generated": dict(zip(quantiles, self.nearest_generated, strict=True)),
                "real_held_out": dict(zip(quantiles, self.nearest_real, strict=True)),
                "copies": self.copies,
                "copy_from": LIKENESS,
            },
            "variety": {name: round(value, 3) for name, value in self.variety.items()},
        }


def measure(
    generator: Generator,
    unchosen: Generator,
    judge: EmotionClassifier,
    training: Faces48,
    held_out: Faces48,
    progress: Progress,
    *,
    each: int = EACH,
    seed: int = 0,
) -> Measured:
    """Make `each` faces of every expression and look at them.

    unchosen: the same generator, which does not choose among candidates. judge: of 48x48 luma, never trained on
    generated faces, and nobody who chose. training, held_out: aligned real faces, of which only the first were learned
    from.
    """
    images, labels = _generated(generator, each, seed, progress)
    looks = FaceFinder().look(list(images))
    hits, random = judge.classify(images).argmax(axis=1) == labels, np.random.default_rng(seed)
    plain, _ = _generated(unchosen, each, seed, progress)
    clear = held_out.select(held_out.votes.majority)
    known = Prints.of(training.luma)
    generated, real = nearest(Prints.of(images), known), nearest(Prints.of(held_out.luma), known)
    return Measured(
        faces=len(images),
        agreement=share(int(hits.sum()), len(hits), random),
        by_expression=_agreed(judge, images, labels),
        real=_agreed(judge, clear.luma, clear.votes.labels),
        unchosen=share(int((judge.classify(plain).argmax(axis=1) == labels).sum()), len(labels), random),
        found=share(sum(look.faces > 0 for look in looks), len(looks), random),
        nearest_generated=_quantiles(generated),
        nearest_real=_quantiles(real),
        copies=int((generated >= LIKENESS).sum()),
        variety=_variety(images, labels, training, random),
    )


def _agreed(judge: EmotionClassifier, luma: NDArray[np.uint8], labels: NDArray[np.int64]) -> dict[str, float]:
    """By expression, the share of faces that show it whose first choice it is; those that there are."""
    hits = judge.classify(luma).argmax(axis=1) == labels
    return {name: float(hits[labels == k].mean()) for k, name in enumerate(EXPRESSIONS) if (labels == k).any()}


def _generated(
    generator: Generator, each: int, seed: int, progress: Progress
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = []
    for expression in EXPRESSIONS:
        for face in generator.generate(expression, each, seed):
            images.append(face.image)
            progress("measure", len(images), each * len(EXPRESSIONS))
    return np.stack(images), np.repeat(np.arange(len(EXPRESSIONS)), each)


def _variety(
    images: NDArray[np.uint8], labels: NDArray[np.int64], training: Faces48, random: np.random.Generator
) -> dict[str, float]:
    """Mean distance of two generated faces of an expression as a share of that of two real ones, by expression."""
    distance, found = distances(), {}
    real_labels = np.where(training.votes.majority, training.votes.labels, -1)
    for k, name in enumerate(EXPRESSIONS):
        mine = np.flatnonzero(real_labels == k)
        chosen = random.permutation(mine)[:PAIRED]
        if len(chosen) > 1:
            found[name] = distance(images[labels == k]) / distance(training.luma[chosen])
    return found


def distances() -> Callable[[NDArray[np.uint8]], float]:
    """The mean distance of pairs among aligned faces (n, 48, 48): 1 - cosine of the face embedding."""
    card = read_card(EMBEDDING)
    embedder, side = OnnxEmbedder(card, threads=1), int(card.facts["input"]["size"][0])

    def mean_distance(luma: NDArray[np.uint8]) -> float:
        vectors = np.concatenate(
            [embedder.embed(_portraits(luma[at : at + CHUNK], side)) for at in range(0, len(luma), CHUNK)]
        )
        n = len(vectors)
        alike = float((vectors @ vectors.T).sum() - (vectors * vectors).sum())
        return 1 - alike / (n * (n - 1))

    return mean_distance


def _portraits(luma: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(n, side, side, 3), the framing of the expression network enlarged: the same for both sides of a comparison."""
    enlarged = [cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC) for face in luma]
    return np.repeat(np.stack(enlarged)[..., None], 3, axis=3).astype(np.uint8)


def _quantiles(values: NDArray[np.float32]) -> tuple[float, float, float]:
    median, most, greatest = np.quantile(values, [0.5, 0.99, 1.0])
    return round(float(median), 3), round(float(most), 3), round(float(greatest), 3)


def _rounded(found: Estimate) -> dict[str, float]:
    return {name: round(value, 4) for name, value in found.to_json().items()}
