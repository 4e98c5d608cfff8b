"""Posteriors refined by the generator: which expression would explain this face best?

The flow knows how noise becomes a face of each expression. Asked to undo the same noise once for each of them, it errs
least for the one that the face shows (a diffusion classifier, Li et al. 2023, arXiv 2303.16203). Its errors, as
log-likelihoods up to a factor, are added to the logarithms of the classifier's posteriors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from visagram.core.geometry import CROP
from visagram.core.stages import ALIGNED, Crops, EmotionClassifier
from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError
from visagram.models.card import Card
from visagram.models.crops import as_grey, resized
from visagram.synth.embedded import Networks, class_errors, embedded_card

DRAWS = 12
"""Pairs of time and noise on which the flow is tried."""
BATCH = 16
CLASSES = len(EXPRESSIONS)


@dataclass(frozen=True, slots=True)
class Gain:
    """What refining does on faces held out: accuracy and negative log-likelihood before and after, with a weight that
    was fitted to the other half of them; the weight of all; milliseconds a face with one thread."""

    weight: float
    accuracy_before: float
    accuracy: float
    nll_before: float
    nll: float
    face_ms: float

    def facts(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 4) for name in self.__dataclass_fields__}


class Explainer:
    """Errors of the embedded flow for each expression. card: of the generator. Raises `ModelError`."""

    def __init__(self, card: Card | None = None, *, threads: int = 1) -> None:
        self._networks = Networks(card or embedded_card(), threads=threads)

    def errors(self, luma: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(n, 48, 48) aligned faces to (n, 7) mean squared errors of the velocity, without each face's mean."""
        networks, found = self._networks, np.empty((len(luma), CLASSES))
        for start in range(0, len(luma), BATCH):
            latents = networks.encoded(luma[start : start + BATCH])
            found[start : start + BATCH] = class_errors(networks, latents, DRAWS)
        return np.asarray(found - found.mean(axis=1, keepdims=True))


class RefinedClassifier:
    """`EmotionClassifier` over another one and an `Explainer`. weight: of the errors; from the generator's card."""

    framing = ALIGNED

    def __init__(self, classifier: EmotionClassifier, explainer: Explainer, weight: float) -> None:
        if not classifier.framing.aligned:
            raise ModelError("Only a model that reads aligned faces can be refined: choose visagram or your own.")
        self._classifier, self._explainer, self._weight = classifier, explainer, weight

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        posteriors = self._classifier.classify(crops)
        if not len(crops):
            return posteriors
        luma = np.stack([resized(as_grey(crop), CROP) for crop in crops])
        return refined(posteriors, self._explainer.errors(luma), self._weight).astype(np.float32)

    def close(self) -> None:
        self._classifier.close()


def refine(classifier: EmotionClassifier, threads: int) -> RefinedClassifier:
    """A classifier refined by the embedded generator, with the weight of its card. Raises `ModelError`."""
    card = embedded_card()
    measured: Mapping[str, Any] = card.facts.get("refine", {})
    if "weight" not in measured:
        raise ModelError(f"The card of {card.name} does not say how much its word counts: it cannot refine.")
    return RefinedClassifier(classifier, Explainer(card, threads=threads), float(measured["weight"]))


def refined(posteriors: NDArray[np.floating], errors: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """(n, 7) posteriors times the likelihoods that errors (n, 7) stand for."""
    logits = np.log(np.maximum(posteriors.astype(np.float64), 1e-9)) - weight * errors
    spread = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(spread / spread.sum(axis=1, keepdims=True))


def gain(
    posteriors: NDArray[np.floating], errors: NDArray[np.float64], labels: NDArray[np.int64], face_ms: float
) -> Gain:
    """What refining gains on labelled faces (n,), each half with the weight that the other one wants."""
    halves = np.random.default_rng(0).permutation(len(labels)) % 2
    after = np.empty((len(labels), CLASSES))
    for half in (0, 1):
        mine, other = halves == half, halves != half
        after[mine] = refined(posteriors[mine], errors[mine], _best(posteriors[other], errors[other], labels[other]))
    before = posteriors.astype(np.float64)
    return Gain(
        weight=_best(posteriors, errors, labels),
        accuracy_before=float((before.argmax(axis=1) == labels).mean()),
        accuracy=float((after.argmax(axis=1) == labels).mean()),
        nll_before=_nll(before, labels),
        nll=_nll(after, labels),
        face_ms=face_ms,
    )


def _best(posteriors: NDArray[np.floating], errors: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The weight at least 0 with the greatest likelihood of the labels."""
    most = 4 / max(float(errors.std()), 1e-9)
    found = minimize_scalar(
        lambda weight: _nll(refined(posteriors, errors, weight), labels), bounds=(0.0, most), method="bounded"
    )
    return float(found.x)


def _nll(posteriors: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    return float(-np.log(np.maximum(posteriors[np.arange(len(labels)), labels], 1e-12)).mean())
