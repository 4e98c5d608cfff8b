"""95 % intervals by resampling faces. Faces of a set are taken to be independent of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = (2.5, 97.5)
"""Percentiles of a 95 % interval."""
DRAWS, SHARE_DRAWS = 1000, 10_000
"""Resamples of whole sets, and of counts, which are cheap."""
CELLS = 4_000_000
"""Weights held at a time."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; `low <= value <= high`."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


def weights(faces: int, seed: int, draws: int = DRAWS) -> Iterator[NDArray[np.float64]]:
    """How often each face was drawn in each resample with replacement (Efron 1979): parts (m, faces) of `draws` rows.

    The same seed draws the same faces, so that two models can be compared on the same resamples.
    """
    random = np.random.default_rng(seed)
    rows = max(1, min(draws, CELLS // max(faces, 1)))
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        drawn = random.integers(0, faces, (count, faces)) + np.arange(count)[:, None] * faces
        yield np.bincount(drawn.ravel(), minlength=count * faces).reshape(count, faces).astype(np.float64)


def bootstrap(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], faces: int, seed: int
) -> NDArray[np.float64]:
    """`statistic` of weights (m, faces) as (m, k), over all resamples: (DRAWS, k)."""
    return np.concatenate([statistic(part) for part in weights(faces, seed)])


def around(value: float, draws: NDArray[np.float64], least: float = -np.inf, most: float = np.inf) -> Estimate:
    """The interval of a figure from its resampled values (n,), moved by their bias.

    Figures such as a calibration error are larger in a resample than in the data, because a resample repeats faces;
    plain percentiles would lie above the figure itself. least, most: bounds of what the figure can be.
    """
    known = draws[np.isfinite(draws)]
    if not len(known) or not np.isfinite(value):
        return Estimate(value, value, value)
    low, high = np.percentile(known, LEVEL) + (value - known.mean())
    low, high = float(np.clip(low, least, most)), float(np.clip(high, least, most))
    return Estimate(value, min(low, value), max(high, value))


def share_draws(hits: int, trials: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(SHARE_DRAWS,) values of a share under the Bayesian bootstrap (Rubin 1981) with half a hit and half a miss added
    (Jeffreys), so that of few faces that were all hit not all resamples say 100 %."""
    return random.beta(hits + 0.5, trials - hits + 0.5, SHARE_DRAWS)


def share(hits: int, trials: int, random: np.random.Generator) -> Estimate:
    """A share of `trials` with its interval (Brown, Cai and DasGupta 2001, doi 10.1214/ss/1009213286)."""
    value = hits / trials
    low, high = np.percentile(share_draws(hits, trials, random), LEVEL)
    return Estimate(value, min(float(low), value) if hits else 0.0, max(float(high), value) if hits < trials else 1.0)
