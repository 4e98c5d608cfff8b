"""Two models on the same faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.calibration import debiased_calibration_error, expected_calibration_error
from visagram.evaluate.intervals import Estimate, around, bootstrap
from visagram.evaluate.metrics import Floats

METHOD = (
    "McNemar's exact test (1947) on the faces that exactly one of the two models answers rightly: if both were equally "
    "good, each would be right on half of those. Differences are second minus first; their intervals come from the "
    "bootstrap over the same faces for both."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts of faces: both right, only_first, only_second, both wrong. p: of McNemar's exact test, two-sided.
    Differences are second minus first; ece: of the plug-in calibration errors, ece_debiased: of the debiased ones;
    recalls: by expression, of those among the labels."""

    faces: int
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float
    accuracy: Estimate
    macro_recall: Estimate
    macro_f1: Estimate
    ece: float
    ece_debiased: float
    recalls: Mapping[str, Estimate]


def compare(first: Floats, second: Floats, labels: NDArray[np.int64], seed: int) -> Comparison:
    """Posteriors (n, 7) of two models against labels (n,)."""
    one, other = first.argmax(axis=1) == labels, second.argmax(axis=1) == labels
    only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
    statistic = _Differences(first, second, labels)
    draws, values = bootstrap(statistic, len(labels), seed), statistic(np.ones((1, len(labels))))[0]
    accuracy, recall, f1, *recalls = (around(float(v), draws[:, k], -1.0, 1.0) for k, v in enumerate(values))
    present = [EXPRESSIONS[k] for k in np.unique(labels)]
    return Comparison(
        faces=len(labels),
        both=int((one & other).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~one & ~other).sum()),
        p=mcnemar(only_first, only_second),
        accuracy=accuracy,
        macro_recall=recall,
        macro_f1=f1,
        ece=expected_calibration_error(second, labels) - expected_calibration_error(first, labels),
        ece_debiased=debiased_calibration_error(second, labels) - debiased_calibration_error(first, labels),
        recalls=dict(zip(present, recalls, strict=True)),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p value of the exact test: a fair coin for each discordant face."""
    from scipy.stats import binom

    discordant = only_first + only_second
    if not discordant:
        return 1.0
    return float(min(1.0, 2 * binom.cdf(min(only_first, only_second), discordant, 0.5)))


class _Differences:
    """Differences in accuracy, macro recall, macro F1 and each expression's recall, of weights (m, n): (m, 3 +
    expressions among the labels)."""

    def __init__(self, first: Floats, second: Floats, labels: NDArray[np.int64]) -> None:
        every = np.arange(len(EXPRESSIONS))
        self._present, self._member = np.unique(labels), (labels[:, None] == every).astype(np.float64)
        answers = [(posteriors.argmax(axis=1)[:, None] == every).astype(np.float64) for posteriors in (first, second)]
        self._pairs = [(self._member * answered, self._member + answered) for answered in answers]

    def __call__(self, weights: Floats) -> Floats:
        total, faces = weights.sum(axis=1, keepdims=True), weights @ self._member
        sums = [(weights @ hits, weights @ either) for hits, either in self._pairs]
        gained = sums[1][0] - sums[0][0]
        # A class that a resample does not hold says nothing in it.
        recall = np.where(faces > 0, gained / np.maximum(faces, 1), np.nan)[:, self._present]
        f1 = [np.where(either > 0, 2 * hits / np.maximum(either, 1), np.nan) for hits, either in sums]
        macro, one, other = (np.nanmean(each, axis=1, keepdims=True) for each in (recall, *f1))
        return np.concatenate([gained.sum(axis=1, keepdims=True) / total, macro, other - one, recall], axis=1)
