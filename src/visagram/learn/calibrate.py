"""Posteriors that mean what they say, judged on faces that they were not fitted to, and when to say "unsure"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from visagram.evaluate.metrics import expected_calibration_error, risk_coverage

FOLDS = 10
REPEATS = 5
"""Cross-fitting is repeated with other divisions, so that the figures do not hang on one."""
RISK = 0.05
"""Share of wrong answers that is accepted among those that are given."""
CURVE, SUREST = 41, 0.05
"""Points of the risk-coverage curve, and the coverage at which it begins."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """posterior = softmax(scale * logits / temperature + bias). scale, bias: (7,) float64; 1 and 0 for plain
    temperature scaling."""

    kind: str
    temperature: float
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]

    def apply(self, logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(n, 7) logits to (n, 7) posteriors."""
        return softmax64(self.scale * logits.astype(np.float64) / self.temperature + self.bias)


def fit(kind: str, logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Calibration:
    """kind: 'temperature' or 'vector' (both Guo et al. 2017, arXiv 1706.04599). logits: (n, 7). labels: (n,)."""
    temperature = fit_temperature(logits, labels)
    classes = logits.shape[1]
    plain = Calibration("temperature", temperature, np.ones(classes), np.zeros(classes))
    return plain if kind == "temperature" else _fit_vector(logits, labels, plain)


def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """The temperature of least cross-entropy with the labels, from a fine grid."""
    grid = np.exp(np.linspace(np.log(0.2), np.log(3), 200))
    losses = [log_loss(softmax64(logits / t), labels) for t in grid]
    return float(grid[int(np.argmin(losses))])


def _fit_vector(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], plain: Calibration) -> Calibration:
    """A factor and a summand per expression, held near those of the temperature: the rarest have a dozen faces."""
    values = logits.astype(np.float64) / plain.temperature
    wanted = np.eye(values.shape[1])[labels]
    classes, pull = values.shape[1], 2.0 / len(labels)

    def loss(packed: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, bias = packed[:classes], packed[classes:]
        posteriors = softmax64(scale * values + bias)
        gap = (posteriors - wanted) / len(labels)
        away = np.concatenate([scale - 1, bias])
        gradient = np.concatenate([(gap * values).sum(axis=0), gap.sum(axis=0)])
        return log_loss(posteriors, labels) + pull * float(away @ away), gradient + 2 * pull * away

    found = minimize(loss, np.concatenate([plain.scale, plain.bias]), jac=True, method="L-BFGS-B")
    return Calibration("vector", plain.temperature, found.x[:classes], found.x[classes:])


def cross_fitted(
    kind: str, logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], seed: int = 0
) -> NDArray[np.float64]:
    """(n, 7) posteriors of which none comes from a calibration that was fitted to its own face.

    The faces are divided into `FOLDS`, each expression evenly.
    """
    posteriors = np.empty(logits.shape, np.float64)
    fold = divided(labels, FOLDS, seed)
    for k in np.unique(fold):
        mine = fold == k
        posteriors[mine] = fit(kind, logits[~mine], labels[~mine]).apply(logits[mine])
    return posteriors


def divided(labels: NDArray[np.int64], parts: int, seed: int) -> NDArray[np.int64]:
    """(n,) 0..parts-1 at random, every label as evenly as its number allows."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    ranks = np.empty(len(labels), np.int64)
    ranks[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels))
    return ranks % min(parts, len(labels))


def calibrate(
    logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], fitted_on: str
) -> tuple[Calibration, NDArray[np.float64], dict[str, Any]]:
    """The better kind by cross-fitted log loss, fitted to all faces; the cross-fitted posteriors (n, 7); and what they
    say, for the card: `ece_15`, `log_loss` of each kind, and the risk-coverage curve with the threshold for `RISK`.

    fitted_on: the faces, in words.
    """
    judged = {
        kind: [cross_fitted(kind, logits, labels, seed) for seed in range(REPEATS)]
        for kind in ("temperature", "vector")
    }
    losses = {kind: float(np.mean([log_loss(p, labels) for p in several])) for kind, several in judged.items()}
    kind = min(losses, key=lambda name: losses[name])
    chosen = fit(kind, logits, labels)
    posteriors = np.mean(judged[kind], axis=0)
    facts = {
        "kind": kind,
        "fitted_on": fitted_on,
        "cross_fitting": f"{FOLDS} parts, {REPEATS} times",
        "scale": [round(float(v), 6) for v in chosen.scale],
        "bias": [round(float(v), 6) for v in chosen.bias],
        "log_loss": {name: round(loss, 4) for name, loss in losses.items()},
        "ece_15": round(expected_calibration_error(posteriors, labels), 4),
        "ece_15_uncalibrated": round(expected_calibration_error(softmax64(logits), labels), 4),
        "risk_coverage": choose_threshold(posteriors, labels) | judge_threshold(posteriors, labels),
    }
    return chosen, posteriors, facts


def choose_threshold(posteriors: NDArray[np.float64], labels: NDArray[np.int64], risk: float = RISK) -> dict[str, Any]:
    """From which confidence on faces are answered, so that at most a share `risk` of the answers is wrong.

    {risk, unsure_below, coverage, accuracy, points}: at the threshold `unsure_below` the share `coverage` of the faces
    is answered, with `accuracy`; it is the lowest that keeps the risk, 0 where all may be answered, and that of least
    risk where none keeps it. points: [threshold, coverage, accuracy] along the curve, from all faces to the surest.
    """
    curve = risk_coverage(posteriors, labels)
    last, kept = len(curve.risk) - 1, np.flatnonzero(curve.risk <= risk)
    at = int(kept[-1]) if len(kept) else int(np.argmin(curve.risk))
    first = int(np.searchsorted(curve.coverage, SUREST))
    steps = np.unique(np.linspace(last, first, CURVE).astype(int))[::-1]
    points = np.stack([curve.threshold, curve.coverage, 1 - curve.risk], axis=1)[steps]
    return {
        "risk": risk,
        # Rounded down, so that the face on the threshold stays answered.
        "unsure_below": 0.0 if at == last else float(np.floor(curve.threshold[at] * 1e4) / 1e4),
        "coverage": round(float(curve.coverage[at]), 4),
        "accuracy": round(float(1 - curve.risk[at]), 4),
        "points": [[round(value, 4) for value in point] for point in points.tolist()],
    }


def judge_threshold(posteriors: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    """Coverage and accuracy of the faces that are answered, each at the threshold that the other parts chose: on its
    own faces a threshold keeps the risk by construction."""
    fold, answered = divided(labels, FOLDS, 0), np.zeros(len(labels), bool)
    for k in np.unique(fold):
        mine = fold == k
        below = choose_threshold(posteriors[~mine], labels[~mine])["unsure_below"] if not mine.all() else 0.0
        answered[mine] = posteriors[mine].max(axis=1) >= below
    right = posteriors.argmax(axis=1) == labels
    accuracy = right[answered].mean() if answered.any() else 0.0
    return {"coverage": round(float(answered.mean()), 4), "accuracy": round(float(accuracy), 4)}


def softmax64(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Rows to probabilities in double precision."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def log_loss(posteriors: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean negative logarithm of the label's posterior."""
    return float(-np.log(posteriors[np.arange(len(labels)), labels] + 1e-12).mean())
