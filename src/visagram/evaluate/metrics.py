"""How good posteriors are against labels and votes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.certainty import Below
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.evaluate.calibration import CalibrationError, calibration_error, reliability
from visagram.evaluate.intervals import LEVEL, Estimate, around, bootstrap, share, share_draws
from visagram.plots.diagrams import Bin

CLASSES = len(EXPRESSIONS)
TINY = 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One expression that is among the labels. precision: None where it was never answered. f1: 0..1."""

    expression: str
    faces: int
    recall: Estimate
    precision: float | None
    f1: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured on `faces` labelled faces. confusion: (7, 7), rows are labels and columns answers.

    classes: those with faces; macro recall is over these, answers may be any of the seven. nll: nats.
    """

    faces: int
    accuracy: Estimate
    macro_recall: Estimate
    macro_f1: Estimate
    ece: CalibrationError
    nll: Estimate
    brier: Estimate
    aurc: Estimate
    classes: tuple[ClassFigures, ...]
    confusion: NDArray[np.int64]
    reliability: tuple[Bin, ...]
    curve: Curve
    answers: Answers

    @property
    def macro_f1_classes(self) -> tuple[str, ...]:
        """What macro F1 is over: the expressions among labels or answers, as in scikit-learn's `f1_score`."""
        seen = np.flatnonzero(self.confusion.sum(axis=0) + self.confusion.sum(axis=1))
        return tuple(EXPRESSIONS[k] for k in seen)


@dataclass(frozen=True, slots=True)
class Curve:
    """Risk and coverage where only faces with at least `threshold` of posterior are answered (El-Yaniv and Wiener
    2010), from the surest face on: (k,) float64 each."""

    threshold: Floats
    coverage: Floats
    risk: Floats

    def at_risk(self, most: float) -> tuple[float, float, float] | None:
        """Threshold, coverage and risk of the largest coverage whose risk is at most `most`; None where there is
        none."""
        fine = np.flatnonzero(self.risk <= most)
        if not len(fine):
            return None
        last = int(fine[-1])
        return float(self.threshold[last]), float(self.coverage[last]), float(self.risk[last])


@dataclass(frozen=True, slots=True)
class Answers:
    """Of each face the best expression, its posterior, and whether it is the label's; (n,) each."""

    expression: NDArray[np.int64]
    posterior: Floats
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, posteriors: Floats, labels: NDArray[np.int64]) -> Answers:
        best = posteriors.argmax(axis=1)
        return cls(best, posteriors.max(axis=1), best == labels)

    def sure(self, below: Below) -> NDArray[np.bool_]:
        """(n,) whether a face is answered where it is unsure below these thresholds."""
        return self.posterior >= np.broadcast_to(np.asarray(below, np.float64), CLASSES)[self.expression]

    def above(self, below: Below) -> tuple[float, float | None]:
        """Coverage where a face is unsure below these thresholds, and the risk of the others; None where there are
        none."""
        sure = self.sure(below)
        return float(sure.mean()), float(1 - self.right[sure].mean()) if sure.any() else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Posteriors against the distribution of votes over the seven, on `faces` of which at least half of the votes went
    to them. kl: mean of KL(votes || posterior) in nats. pearson: of each expression's vote share and posterior."""

    faces: int
    kl: Estimate
    pearson: dict[str, Estimate]


def check_posteriors(posteriors: NDArray[np.floating], faces: int, name: str) -> Floats:
    """Posteriors (n, 7) in double precision whose rows sum to 1. Raises `DataError` for anything else."""
    rows = np.asarray(posteriors, np.float64)
    if rows.shape != (faces, CLASSES):
        raise DataError(f"The model {name} gave {rows.shape} posteriors for {faces} faces of {CLASSES} expressions.")
    if not np.isfinite(rows).all() or (rows < 0).any() or (np.abs(rows.sum(axis=1) - 1) > 1e-3).any():
        raise DataError(f"The model {name} gave posteriors that are not probabilities which sum to 1.")
    return rows / rows.sum(axis=1, keepdims=True) if faces else rows


def measure(posteriors: Floats, labels: NDArray[np.int64], seed: int) -> Figures:
    """All figures of posteriors (n, 7) against labels (n,); n is at least 1."""
    faces, confusion = len(labels), confusion_matrix(posteriors.argmax(axis=1), labels)
    present = np.flatnonzero(confusion.sum(axis=1))
    random = np.random.default_rng(seed)
    trials, hits = confusion.sum(axis=1), confusion.diagonal()
    recalls = {int(k): share(int(hits[k]), int(trials[k]), random) for k in present}
    macro = np.mean([share_draws(int(hits[k]), int(trials[k]), random) for k in present], axis=0)
    low, high = np.percentile(macro, LEVEL)
    recall = float(np.mean([recalls[int(k)].value for k in present]))
    resampled = _Resampled(posteriors, labels)
    draws, values = bootstrap(resampled, faces, seed), resampled(np.ones((1, faces)))[0]
    f1, nll, brier, aurc = (
        around(float(value), draws[:, k], 0.0, most)
        for k, (value, most) in enumerate(zip(values, (1, np.inf, 2, 1), strict=True))
    )
    return Figures(
        faces=faces,
        accuracy=share(int(hits.sum()), faces, random),
        macro_recall=Estimate(recall, min(float(low), recall), max(float(high), recall)),
        macro_f1=f1,
        ece=calibration_error(posteriors, labels, seed),
        nll=nll,
        brier=brier,
        aurc=aurc,
        classes=tuple(_class(int(k), confusion, recalls[int(k)]) for k in present),
        confusion=confusion,
        reliability=reliability(posteriors, labels),
        curve=risk_coverage(posteriors, labels),
        answers=Answers.of(posteriors, labels),
    )


def confusion_matrix(answers: NDArray[np.integer], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(7, 7) faces by label and answer, both (n,)."""
    counts = np.bincount(labels * CLASSES + answers, minlength=CLASSES**2)
    return counts.reshape(CLASSES, CLASSES).astype(np.int64)


def accuracy_and_macro_recall(answers: NDArray[np.integer], labels: NDArray[np.int64]) -> tuple[float, float]:
    """The shares of right answers (n,), over all faces and as the mean over the expressions that are among the labels
    (n,); n is at least 1."""
    confusion = confusion_matrix(answers, labels)
    hits, trials = confusion.diagonal(), confusion.sum(axis=1)
    present = trials > 0
    return float(hits.sum() / trials.sum()), float((hits[present] / trials[present]).mean())


def risk_coverage(posteriors: Floats, labels: NDArray[np.int64]) -> Curve:
    """One point per distinct confidence: equally sure faces are answered together or not at all."""
    confidence, errors = posteriors.max(axis=1), posteriors.argmax(axis=1) != labels
    order = np.argsort(-confidence, kind="stable")
    sure, wrong = confidence[order], np.cumsum(errors[order])
    ends = np.flatnonzero(np.append(np.diff(sure) < 0, True))
    answered = ends + 1
    return Curve(sure[ends], answered / len(labels), wrong[ends] / answered)


def agreement(posteriors: Floats, shares: Floats, seed: int) -> Agreement:
    """Posteriors (n, 7) against shares of votes (n, 7) that sum to 1; n is at least 1."""
    faces = len(shares)
    surprise = np.where(shares > 0, shares * np.log(np.maximum(shares, TINY) / np.maximum(posteriors, TINY)), 0)
    products = np.stack([posteriors, shares, posteriors**2, shares**2, posteriors * shares])
    columns = np.concatenate([surprise.sum(axis=1)[:, None], *products], axis=1)

    def statistic(weights: Floats) -> Floats:
        means = weights @ columns / weights.sum(axis=1, keepdims=True)
        x, y, xx, yy, xy = (means[:, 1 + k * CLASSES : 1 + (k + 1) * CLASSES] for k in range(5))
        spread = np.sqrt(np.maximum(xx - x * x, 0) * np.maximum(yy - y * y, 0))
        # Without spread there is nothing to correlate; rounding leaves a trace of it.
        related = np.where(spread > TINY, (xy - x * y) / np.where(spread > TINY, spread, 1), np.nan)
        return np.concatenate([means[:, :1], np.clip(related, -1, 1)], axis=1)

    draws, values = bootstrap(statistic, faces, seed), statistic(np.ones((1, faces)))[0]
    pearson = {
        name: around(float(values[1 + k]), draws[:, 1 + k], -1.0, 1.0)
        for k, name in enumerate(EXPRESSIONS)
        if np.isfinite(values[1 + k])
    }
    return Agreement(faces, around(float(values[0]), draws[:, 0], 0.0), pearson)


class _Resampled:
    """Macro-F1, log loss, Brier score and area under the risk-coverage curve, of weights (m, n): (m, 4)."""

    def __init__(self, posteriors: Floats, labels: NDArray[np.int64]) -> None:
        faces = len(labels)
        each = np.arange(faces)
        confidence, wrong = posteriors.max(axis=1), posteriors.argmax(axis=1) != labels
        truth, answer = np.zeros((faces, CLASSES)), np.zeros((faces, CLASSES))
        truth[each, labels] = 1
        answer[each, posteriors.argmax(axis=1)] = 1
        loss = -np.log(np.maximum(posteriors[each, labels], TINY))
        brier = ((posteriors - truth) ** 2).sum(axis=1)
        self._columns = np.concatenate([loss[:, None], brier[:, None], truth * answer, truth + answer], axis=1)
        self._order = np.argsort(-confidence, kind="stable")
        self._errors = _shared(confidence[self._order], wrong[self._order].astype(np.float64))

    def __call__(self, weights: Floats) -> Floats:
        total = weights.sum(axis=1, keepdims=True)
        loss, brier, counts = np.split(weights @ self._columns, [1, 2], axis=1)
        right, either = np.split(counts, 2, axis=1)
        # A class that is neither among a resample's labels nor its answers says nothing in it.
        f1 = np.where(either > 0, 2 * right / np.maximum(either, 1), np.nan)
        ordered = weights[:, self._order]
        risk = np.cumsum(ordered * self._errors, axis=1) / np.maximum(np.cumsum(ordered, axis=1), 1)
        return np.concatenate(
            [
                np.nanmean(f1, axis=1, keepdims=True),
                loss / total,
                brier / total,
                (ordered * risk).sum(axis=1, keepdims=True) / total,
            ],
            axis=1,
        )


def _shared(sure: Floats, errors: Floats) -> Floats:
    """Errors in order of confidence, equal for equally sure faces: their order is nobody's merit."""
    starts = np.flatnonzero(np.append(True, np.diff(sure) < 0))
    sizes = np.diff(np.append(starts, len(sure)))
    return np.asarray(np.repeat(np.add.reduceat(errors, starts) / sizes, sizes))


def _class(k: int, confusion: NDArray[np.int64], recall: Estimate) -> ClassFigures:
    hits, faces, answered = int(confusion[k, k]), int(confusion[k].sum()), int(confusion[:, k].sum())
    precision = hits / answered if answered else None
    return ClassFigures(EXPRESSIONS[k], faces, recall, precision, 2 * hits / (faces + answered))
