"""Posteriors that mean what they say, judged on faces that they were not fitted to, and when to say "unsure"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.calibration import BINS, bin_of
from visagram.evaluate.metrics import risk_coverage

FOLDS, SEED = 10, 0
RISK, NEUTRAL_RISK = 0.05, 0.0125
"""Shares of wrong answers that are accepted among those that are given, and among those that say neutral."""
CURVE, SUREST = 41, 0.05
"""Points of the risk-coverage curve, and the coverage at which it begins."""
TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5), 240)).round(6)
THRESHOLDS = np.arange(10_001) / 10_000
"""What a temperature and a threshold are chosen from: numbers that a card can state exactly."""
ROUNDING = 1e-6
"""By how much a posterior in single precision, as classifiers give it, may differ from ours in double precision."""


def fit_temperature(logits: NDArray[np.floating[Any]], votes: NDArray[np.float64]) -> float:
    """The temperature of least cross-entropy with votes (n, 7), each counting once (Guo et al. 2017, arXiv 1706.04599),
    from `TEMPERATURES`. posterior = softmax(logits / temperature)."""
    losses = [log_loss(softmax64(logits / t), votes) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def clipped(*temperatures: float) -> bool:
    """Whether any is the first or the last of `TEMPERATURES`: a better one may lie beyond."""
    return bool(np.isin(temperatures, TEMPERATURES[[0, -1]]).any())


def fold_temperatures(
    logits: NDArray[np.floating[Any]], votes: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n,) the fold of each face, and (folds,) the temperature that the faces of all others give."""
    fold = folds(len(logits), SEED)
    others = [fold != k for k in range(fold.max(initial=-1) + 1)]
    return fold, np.array([fit_temperature(logits[rest], votes[rest]) for rest in others])


def folds(faces: int, seed: int) -> NDArray[np.int64]:
    """(faces,) 0..`FOLDS` - 1 at random, all of a size. Not evened out by label: folds of equal shares would hide what
    it costs that the shares of the expressions are only known from a sample."""
    return np.random.default_rng(seed).permutation(faces) % min(FOLDS, max(faces, 1))


def calibrate(
    logits: NDArray[np.floating[Any]], votes: NDArray[np.float64], fitted_on: str
) -> tuple[float, NDArray[np.float64], dict[str, Any]]:
    """The temperature for all votes (n, 7); cross-fitted posteriors (n, 7), none from a temperature that was fitted to
    its own face; and what they say, for the card: the calibration error against single votes, before and after, and
    whether a temperature is at the end of those that were tried.

    Votes and not majorities: what people disagree about is part of the world, and a temperature that was fitted without
    it is far too sure of faces from elsewhere. fitted_on: the faces, in words.
    """
    temperature, (fold, temperatures) = fit_temperature(logits, votes), fold_temperatures(logits, votes)
    crossed = softmax64(logits / temperatures[fold, None])
    facts = {
        "kind": "temperature",
        "fitted_on": fitted_on,
        "cross_fitting": f"{FOLDS} parts at random",
        "temperature_clipped": clipped(temperature, *temperatures),
        "log_loss": round(log_loss(crossed, votes), 4),
        "ece_votes": round(calibration_error(crossed, votes), 4),
        "ece_votes_uncalibrated": round(calibration_error(softmax64(logits), votes), 4),
    }
    return temperature, crossed, facts


def calibration_error(posteriors: NDArray[np.float64], votes: NDArray[np.float64]) -> float:
    """How far the best posteriors lie from the share of votes for that answer, over bins of equal width (15)."""
    best = posteriors.argmax(axis=1)
    agreed = votes[np.arange(len(votes)), best] / votes.sum(axis=1)
    gaps = np.bincount(bin_of(posteriors.max(axis=1)), posteriors.max(axis=1) - agreed, BINS)
    return float(np.abs(gaps).sum() / len(votes))


def choose_thresholds(posteriors: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    """By expression, from which confidence on faces are answered, so that at most `RISK` of the answers are wrong, and
    at most `NEUTRAL_RISK` of those that say neutral: elsewhere expressions are read as neutral, hardly ever the
    reverse. On these faces that holds exactly, also for posteriors in single precision."""
    best, right = posteriors.argmax(axis=1), posteriors.argmax(axis=1) == labels
    neutral, confidence = best == EXPRESSIONS.index("neutral"), posteriors.max(axis=1)
    usual = _lowest(confidence[~neutral], right[~neutral], RISK)
    strict = _lowest(confidence[neutral], right[neutral], NEUTRAL_RISK, usual)
    return {name: strict if name == "neutral" else usual for name in EXPRESSIONS}


def judge_thresholds(
    logits: NDArray[np.floating[Any]],
    votes: NDArray[np.float64],
    clear: NDArray[np.bool_],
    labels: NDArray[np.int64],
) -> dict[str, Any]:
    """What thresholds do, for the card. votes (n, 7): what temperatures are fitted to. clear (n,): the faces that have
    a label. labels: of those, in their order.

    {risk, neutral_risk, unsure_below, coverage, accuracy, points}: unsure_below as `choose_thresholds` gives it at the
    temperature of all votes; coverage and accuracy of the faces that are answered, where temperature and thresholds
    come from the other folds alone: on its own faces a threshold keeps the risk by construction. points: [threshold,
    coverage, accuracy] along the curve of one threshold for all, at those temperatures, from all faces to the surest.
    """
    fold, temperatures = fold_temperatures(logits, votes)
    fold, some = fold[clear], logits[clear]
    answered = np.zeros(len(labels), bool)
    for k, temperature in enumerate(temperatures):
        posteriors, mine = softmax64(some / temperature), fold == k
        chosen = choose_thresholds(posteriors[~mine], labels[~mine])
        limits = np.array([chosen[name] for name in EXPRESSIONS])
        answered[mine] = (posteriors.max(axis=1) >= limits[posteriors.argmax(axis=1)])[mine]
    right = some.argmax(axis=1) == labels
    curve = risk_coverage(softmax64(some / temperatures[fold, None]), labels)
    last, first = len(curve.risk) - 1, int(np.searchsorted(curve.coverage, SUREST))
    steps = np.unique(np.linspace(last, first, CURVE).astype(int))[::-1]
    points = np.stack([curve.threshold, curve.coverage, 1 - curve.risk], axis=1)[steps]
    return {
        "risk": RISK,
        "neutral_risk": NEUTRAL_RISK,
        "unsure_below": choose_thresholds(softmax64(some / fit_temperature(logits, votes)), labels),
        "coverage": round(float(answered.mean()), 4),
        "accuracy": round(float(right[answered].mean()), 4) if answered.any() else 0.0,
        "points": [[round(value, 4) for value in point] for point in points.tolist()],
    }


def _lowest(confidence: NDArray[np.float64], right: NDArray[np.bool_], risk: float, least: float = 0.0) -> float:
    """The lowest of `THRESHOLDS` from `least` on at which at most a share `risk` of the answers is wrong, whichever way
    the faces within `ROUNDING` of it fall; 1 where there is none.

    Of thresholds that answer the same faces it is the highest, except that `least` stays where it will do; where none
    of the faces may be answered it lies right above them.
    """
    grid = THRESHOLDS[least <= THRESHOLDS]
    sure, doubted = np.sort(confidence[right]), np.sort(confidence[~right])
    # The worst case: at the threshold the wrong answers are given and the right ones are not.
    wrong = len(doubted) - np.searchsorted(doubted, grid - ROUNDING)
    given = wrong + len(sure) - np.searchsorted(sure, grid + ROUNDING)
    kept = np.flatnonzero(wrong / np.maximum(given, 1) <= risk)
    if not len(kept):
        return 1.0
    lowest = float(grid[kept[0]])
    answered = confidence[confidence >= lowest]
    if lowest == least or not len(answered):
        return lowest
    return max(lowest, float(grid[grid <= answered.min() - ROUNDING][-1]))


def softmax64(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Rows to probabilities in double precision."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def log_loss(posteriors: NDArray[np.float64], votes: NDArray[np.float64]) -> float:
    """Mean negative logarithm of the posterior over all votes (n, 7)."""
    return float(-(votes * np.log(posteriors + 1e-12)).sum() / votes.sum())
