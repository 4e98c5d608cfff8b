"""Two models on the same faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.evaluate.intervals import Estimate, around, bootstrap
from visagram.evaluate.metrics import BINS, Floats

METHOD = (
    "McNemar's exact test (1947) on the faces that exactly one of the two models answers rightly: if both were equally "
    "good, each would be right on half of those. Differences are second minus first; their intervals come from the "
    "bootstrap over the same faces for both."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts of faces: both right, only_first, only_second, both wrong. p: of McNemar's exact test, two-sided.
    Differences are second minus first."""

    faces: int
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float
    accuracy: Estimate
    macro_recall: Estimate
    ece: Estimate


def compare(first: Floats, second: Floats, labels: NDArray[np.int64], seed: int) -> Comparison:
    """Posteriors (n, 7) of two models against labels (n,)."""
    one, other = first.argmax(axis=1) == labels, second.argmax(axis=1) == labels
    only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
    statistic = _Differences(first, second, labels)
    draws, values = bootstrap(statistic, len(labels), seed), statistic(np.ones((1, len(labels))))[0]
    accuracy, recall, ece = (around(float(value), draws[:, k], -1.0, 1.0) for k, value in enumerate(values))
    return Comparison(
        faces=len(labels),
        both=int((one & other).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~one & ~other).sum()),
        p=mcnemar(only_first, only_second),
        accuracy=accuracy,
        macro_recall=recall,
        ece=ece,
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p value of the exact test: a fair coin for each discordant face."""
    from scipy.stats import binom

    discordant = only_first + only_second
    if not discordant:
        return 1.0
    return float(min(1.0, 2 * binom.cdf(min(only_first, only_second), discordant, 0.5)))


class _Differences:
    """Differences in accuracy, macro recall and calibration error, of weights (m, n): (m, 3)."""

    def __init__(self, first: Floats, second: Floats, labels: NDArray[np.int64]) -> None:
        present = np.unique(labels)
        member = (labels[:, None] == present).astype(np.float64)
        self._member = member
        self._hits, self._gaps = [], []
        for posteriors in (first, second):
            confidence = posteriors.max(axis=1)
            hits = (posteriors.argmax(axis=1) == labels).astype(np.float64)
            which = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
            self._hits.append(member * hits[:, None])
            self._gaps.append((which[:, None] == np.arange(BINS)) * (hits - confidence)[:, None])

    def __call__(self, weights: Floats) -> Floats:
        total, faces = weights.sum(axis=1, keepdims=True), weights @ self._member
        sums = [weights @ hits for hits in self._hits]
        accuracy = (sums[1] - sums[0]).sum(axis=1, keepdims=True) / total
        # A class that a resample does not hold says nothing in it.
        recall = np.where(faces > 0, (sums[1] - sums[0]) / np.maximum(faces, 1), np.nan)
        errors = [np.abs(weights @ gaps).sum(axis=1, keepdims=True) / total for gaps in self._gaps]
        return np.concatenate([accuracy, np.nanmean(recall, axis=1, keepdims=True), errors[1] - errors[0]], axis=1)
