"""Which measured faces a model was unsure of, and how many it was not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS, Observations

UNSURE_BELOW = 0.5
"""A measured face whose best expression is less probable than this is unsure where the model's card names no threshold
that was chosen on data: all others together are likelier."""


class Certainty(NamedTuple):
    """counts: frames by most probable expression without the unsure ones. unsure: seconds of the unsure ones."""

    counts: tuple[int, ...]
    unsure: float


def certainty(rows: Observations, below: float) -> Certainty:
    """What of `rows` is certain. below: as in `unsure`."""
    usable = rows.usable
    doubtful = unsure(rows, below) & usable
    best = rows.emotion[usable & ~doubtful]
    counts = np.bincount(best, minlength=len(EXPRESSIONS))
    return Certainty(tuple(int(count) for count in counts), float(rows.span[doubtful].sum()))


def unsure(rows: Observations, below: float) -> NDArray[np.bool_]:
    """(n,) whether a face was measured, but no expression reached the probability `below`."""
    # NaN, which stands where nothing was measured, is below nothing.
    with np.errstate(invalid="ignore"):
        return np.asarray(rows.posterior.max(axis=1) < below)


def unsure_below(models: Iterable[Mapping[str, Any]]) -> float:
    """The threshold of the model that judged expressions, from what a report keeps of its models' cards;
    `UNSURE_BELOW` where its card has none."""
    judges = [model for model in models if model.get("task") == "expression"]
    found = [model["unsure_below"] for model in judges if model.get("unsure_below") is not None]
    return float(found[0]) if found else UNSURE_BELOW
