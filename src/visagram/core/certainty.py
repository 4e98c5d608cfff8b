"""Which measured faces a model was unsure of, and how many it was not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS, Observations

UNSURE_BELOW = 0.5
"""A measured face whose best expression is less probable than this is unsure where the model's card names no threshold
that was chosen on data: all others together are likelier."""


Below = float | Sequence[float]
"""The probability from which on a face is no longer unsure: one for all expressions, or one for each in their order."""


class Certainty(NamedTuple):
    """counts: frames by most probable expression without the unsure ones. unsure: seconds of the unsure ones."""

    counts: tuple[int, ...]
    unsure: float


def certainty(rows: Observations, below: Below, counted: NDArray[np.bool_] | None = None) -> Certainty:
    """What of `rows` is certain. below: as in `unsure`. counted: (n,) which of them count as frames, all if None."""
    usable = rows.usable
    doubtful = unsure(rows, below) & usable
    best = rows.emotion[usable & ~doubtful & (True if counted is None else counted)]
    counts = np.bincount(best, minlength=len(EXPRESSIONS))
    return Certainty(tuple(int(count) for count in counts), float(rows.span[doubtful].sum()))


def unsure(rows: Observations, below: Below) -> NDArray[np.bool_]:
    """(n,) whether a face was measured, but its best expression did not reach the probability `below`."""
    return doubtful(rows.posterior, below)


def doubtful(posterior: NDArray[np.floating[Any]], below: Below) -> NDArray[np.bool_]:
    """(n,) the same of posteriors (n, 7)."""
    limits = np.broadcast_to(np.asarray(below, np.float64), len(EXPRESSIONS))
    # NaN, which stands where nothing was measured, is below nothing.
    with np.errstate(invalid="ignore"):
        return np.asarray(posterior.max(axis=1) < limits[posterior.argmax(axis=1)])


def unsure_below(models: Iterable[Mapping[str, Any]]) -> tuple[float, ...]:
    """(7,) the thresholds of the model that judged expressions, from what a report keeps of its models' cards;
    `UNSURE_BELOW` where its card has none. A card states one for all, or one for each by its name."""
    judges = [model for model in models if model.get("task") == "expression"]
    found = [model["unsure_below"] for model in judges if model.get("unsure_below") is not None]
    stated = found[0] if found else UNSURE_BELOW
    if isinstance(stated, Mapping):
        return tuple(float(stated[name]) for name in EXPRESSIONS)
    return (float(stated),) * len(EXPRESSIONS)


def is_threshold(stated: Any) -> bool:
    """Whether that is what a card may state as `unsure_below`."""
    if isinstance(stated, Mapping):
        return set(stated) == set(EXPRESSIONS) and all(map(_is_share, stated.values()))
    return stated is None or _is_share(stated)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
