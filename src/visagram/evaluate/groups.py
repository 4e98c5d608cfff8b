"""Whether a model is right as often in one group of faces as in the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.compare import holm
from visagram.core.types import EXPRESSIONS
from visagram.evaluate.metrics import Figures, Floats, measure

METHOD = (
    "Each group is compared with all other faces. The test asks whether its faces are answered rightly as often as the "
    "others' of the same expression, so that a group with more of an easy expression has no advantage: the exact "
    "conditional test for stratified 2x2 tables (Mantel and Haenszel 1959), two-sided. P values are corrected for the "
    "number of groups (Holm 1979)."
)


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """figures: of its faces. expected: the accuracy they would have if each expression were answered as in all faces.
    p: None where every face or no face is in the group, or all answers are alike."""

    name: str
    figures: Figures
    expected: float
    p: float | None
    p_holm: float | None


def by_group(
    posteriors: Floats, labels: NDArray[np.int64], groups: Sequence[str], seed: int
) -> tuple[GroupFigures, ...]:
    """Figures of each group, in alphabetical order."""
    names = np.array(groups)
    hits = posteriors.argmax(axis=1) == labels
    found = [_one(name, names == name, posteriors, labels, hits, seed) for name in sorted(set(groups))]
    corrected = holm([group.p for group in found])
    return tuple(dataclasses.replace(group, p_holm=p) for group, p in zip(found, corrected, strict=True))


def stratified_p(inside: NDArray[np.bool_], hits: NDArray[np.bool_], strata: NDArray[np.int64]) -> float | None:
    """Two-sided p value that faces (n,) `inside` a group are hit as often as the others of their stratum.

    Given how many of a stratum are in the group and how many are hit, the group's hits are hypergeometric; their sum
    over the strata is the statistic, and everything at most as probable as what was seen counts against chance.
    """
    from scipy.stats import hypergeom

    chances, offset = np.ones(1), 0
    for stratum in np.unique(strata):
        own = strata == stratum
        total, right, drawn = int(own.sum()), int(hits[own].sum()), int(inside[own].sum())
        low, high = max(0, drawn + right - total), min(drawn, right)
        chances = np.convolve(chances, hypergeom.pmf(np.arange(low, high + 1), total, right, drawn))
        offset += low
    if len(chances) == 1:
        return None
    seen = chances[int(hits[inside].sum()) - offset]
    # Equal chances differ by rounding.
    return float(min(1.0, chances[chances <= seen * (1 + 1e-7)].sum()))


def _one(
    name: str,
    inside: NDArray[np.bool_],
    posteriors: Floats,
    labels: NDArray[np.int64],
    hits: NDArray[np.bool_],
    seed: int,
) -> GroupFigures:
    own = labels[inside]
    rates = np.array([hits[labels == k].mean() if (labels == k).any() else 0.0 for k in range(len(EXPRESSIONS))])
    return GroupFigures(
        name=name,
        figures=measure(posteriors[inside], own, seed),
        expected=float(rates[own].mean()),
        p=stratified_p(inside, hits, labels),
        p_holm=None,
    )
