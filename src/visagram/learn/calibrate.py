"""Posteriors that mean what they say, judged on faces that they were not fitted to, and when to say "unsure"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.calibration import BINS, bin_of
from visagram.evaluate.metrics import risk_coverage

FOLDS = 10
RISK, NEUTRAL_RISK = 0.05, 0.0125
"""Shares of wrong answers that are accepted among those that are given, and among those that say neutral."""
CURVE, SUREST = 41, 0.05
"""Points of the risk-coverage curve, and the coverage at which it begins."""


def fit_temperature(logits: NDArray[np.floating[Any]], votes: NDArray[np.float64]) -> float:
    """The temperature of least cross-entropy with votes (n, 7), each counting once (Guo et al. 2017, arXiv 1706.04599),
    from a fine grid. posterior = softmax(logits / temperature)."""
    grid = np.exp(np.linspace(np.log(0.2), np.log(5), 240))
    losses = [log_loss(softmax64(logits / t), votes) for t in grid]
    return float(grid[int(np.argmin(losses))])


def cross_fitted(logits: NDArray[np.floating[Any]], votes: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """(n, 7) posteriors of which none comes from a temperature that was fitted to its own face.

    The faces are divided into `FOLDS`, each expression evenly.
    """
    posteriors = np.empty(logits.shape, np.float64)
    fold = divided(votes.argmax(axis=1), FOLDS, seed)
    for k in np.unique(fold):
        mine = fold == k
        posteriors[mine] = softmax64(logits[mine] / fit_temperature(logits[~mine], votes[~mine]))
    return posteriors


def divided(labels: NDArray[np.int64], parts: int, seed: int) -> NDArray[np.int64]:
    """(n,) 0..parts-1 at random, every label as evenly as its number allows."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    ranks = np.empty(len(labels), np.int64)
    ranks[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels))
    return ranks % min(parts, len(labels))


def calibrate(
    logits: NDArray[np.floating[Any]], votes: NDArray[np.float64], fitted_on: str
) -> tuple[float, NDArray[np.float64], dict[str, Any]]:
    """The temperature for all votes (n, 7); the cross-fitted posteriors (n, 7); and what they say, for the card: the
    calibration error against single votes, before and after.

    Votes and not majorities: what people disagree about is part of the world, and a temperature that was fitted without
    it is far too sure of faces from elsewhere. fitted_on: the faces, in words.
    """
    temperature, crossed = fit_temperature(logits, votes), cross_fitted(logits, votes)
    facts = {
        "kind": "temperature",
        "fitted_on": fitted_on,
        "cross_fitting": f"{FOLDS} parts",
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
    reverse."""
    best, right = posteriors.argmax(axis=1), posteriors.argmax(axis=1) == labels
    neutral, confidence = best == EXPRESSIONS.index("neutral"), posteriors.max(axis=1)
    usual = _lowest(confidence[~neutral], right[~neutral], RISK)
    strict = max(usual, _lowest(confidence[neutral], right[neutral], NEUTRAL_RISK))
    return {name: strict if name == "neutral" else usual for name in EXPRESSIONS}


def judge_thresholds(posteriors: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """What thresholds do, for the card.

    {risk, neutral_risk, unsure_below, coverage, accuracy, points}: unsure_below as `choose_thresholds` gives it;
    coverage and accuracy of the faces that are answered, each by thresholds that the other parts chose: on its own
    faces a threshold keeps the risk by construction. points: [threshold, coverage, accuracy] along the curve of one
    threshold for all, from all faces to the surest.
    """
    best, fold, answered = posteriors.argmax(axis=1), divided(labels, FOLDS, 0), np.zeros(len(labels), bool)
    for k in np.unique(fold):
        mine = fold == k
        chosen = choose_thresholds(posteriors[~mine], labels[~mine])
        limits = np.array([chosen[name] for name in EXPRESSIONS])
        answered[mine] = posteriors[mine].max(axis=1) >= limits[best[mine]]
    right = best == labels
    curve = risk_coverage(posteriors, labels)
    last, first = len(curve.risk) - 1, int(np.searchsorted(curve.coverage, SUREST))
    steps = np.unique(np.linspace(last, first, CURVE).astype(int))[::-1]
    points = np.stack([curve.threshold, curve.coverage, 1 - curve.risk], axis=1)[steps]
    return {
        "risk": RISK,
        "neutral_risk": NEUTRAL_RISK,
        "unsure_below": choose_thresholds(posteriors, labels),
        "coverage": round(float(answered.mean()), 4),
        "accuracy": round(float(right[answered].mean()), 4) if answered.any() else 0.0,
        "points": [[round(value, 4) for value in point] for point in points.tolist()],
    }


def _lowest(confidence: NDArray[np.float64], right: NDArray[np.bool_], risk: float) -> float:
    """The lowest threshold at which at most a share `risk` of the answers is wrong; 0 where all may be given, and that
    of the surest answer where none keeps it. Answers of one confidence are given together."""
    if not len(right) or 1 - right.mean() <= risk:
        return 0.0
    order = np.argsort(-confidence, kind="stable")
    given = np.arange(1, len(order) + 1)
    ends = np.append(np.diff(confidence[order]) < 0, True)
    kept = np.flatnonzero(ends & (np.cumsum(~right[order]) <= risk * given))
    at = int(kept[-1]) if len(kept) else 0
    # Rounded down, so that the face on the threshold stays answered.
    return float(np.floor(confidence[order][at] * 1e4) / 1e4)


def softmax64(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Rows to probabilities in double precision."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def log_loss(posteriors: NDArray[np.float64], votes: NDArray[np.float64]) -> float:
    """Mean negative logarithm of the posterior over all votes (n, 7)."""
    return float(-(votes * np.log(posteriors + 1e-12)).sum() / votes.sum())
