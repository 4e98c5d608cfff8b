"""The instants at which each person's apparent expressions looked strongest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.rows import rows_of_each
from visagram.core.statistics import GAP_SECONDS
from visagram.core.types import EXPRESSIONS, Observations

SMOOTHING = 0.2
"""Seconds before and after an instant over which its posterior is averaged: a single frame is no moment."""
APART = 3.0
"""Seconds between two moments of one expression, at least."""
SHORTEST = 0.2
"""Seconds. What lasts shorter cannot be seen; it only counts where a person shows nothing longer at all."""
DECENT_QUALITY = 0.08
"""Faces below are measured, but a picture of them would not convince anybody of what they show."""
MOST = 20
"""Moments of one expression of one person."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An expression at its strongest. time: of the frame, in seconds. start, end: the stretch around it in which the
    expression stays the most probable one. probability: its smoothed posterior at that time."""

    person: int
    emotion: str
    time: float
    start: float
    end: float
    probability: float


def moments(rows: Observations, people: Sequence[int], most: int = MOST) -> list[Moment]:
    """At most `most` moments of each expression of each person; rows in time order.

    A moment is a local maximum of the posterior averaged over `SMOOTHING` seconds to both sides, in a stretch in which
    the expression is the best one, without a gap. The most probable come first, neutral ones after all others.
    """
    decent = rows.usable & (rows.quality >= DECENT_QUALITY)
    each = zip(people, rows_of_each(rows.person, people), strict=True)
    found = [moment for person, mine in each for moment in _of_person(rows, person, mine[decent[mine]], most)]
    return sorted(found, key=lambda m: (m.emotion == "neutral", -m.probability, m.time, m.person, m.emotion))


def _of_person(rows: Observations, person: int, mine: NDArray[np.intp], most: int) -> Iterator[Moment]:
    """mine: the rows of that person that count."""
    if not len(mine):
        return
    time, span = rows.time[mine], rows.span[mine]
    smooth = _smoothed(time, span, rows.posterior[mine])
    best = smooth.argmax(axis=1)
    strength = smooth[np.arange(len(best)), best]
    # Stretches of one best expression without a gap.
    edges = np.flatnonzero((np.diff(best) != 0) | (time[1:] - (time + span)[:-1] > GAP_SECONDS)) + 1
    first, last = np.concatenate([[0], edges]), np.concatenate([edges, [len(best)]]) - 1
    start, end = time[first], (time + span)[last]
    lasting = end - start >= SHORTEST
    stretch = np.repeat(np.arange(len(first)), last - first + 1)
    peaks = _peaks(time, strength, stretch)
    if lasting.any():
        peaks = peaks[lasting[stretch[peaks]]]
    for k, name in enumerate(EXPRESSIONS):
        for peak in _apart(time, strength, peaks[best[peaks] == k], most):
            there = stretch[peak]
            yield Moment(
                person, name, float(time[peak]), float(start[there]), float(end[there]), round(float(strength[peak]), 6)
            )


def _smoothed(
    time: NDArray[np.float64], span: NDArray[np.float64], posterior: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(n, 7) mean over the rows within `SMOOTHING` seconds, weighted by their spans."""
    weight = np.maximum(span, 1e-6)
    first, after = np.searchsorted(time, [time - SMOOTHING - 1e-9, time + SMOOTHING + 1e-9])

    def around(values: NDArray[np.float64]) -> NDArray[np.float64]:
        running = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(running[after] - running[first])

    total = around(weight)
    # One expression after the other: somebody may be there for hours.
    return np.stack([around(column * weight) / total for column in posterior.T], axis=1)


def _peaks(time: NDArray[np.float64], strength: NDArray[np.float64], stretch: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions of the local maxima of each stretch, one at most in each slot of `APART` seconds."""
    same = np.diff(stretch) == 0
    rises = np.concatenate([[True], ~same | (np.diff(strength) > 0)])
    falls = np.concatenate([~same | (np.diff(strength) <= 0), [True]])
    (tops,) = np.nonzero(rises & falls)
    slot = np.floor((time[tops] - time[0]) / APART).astype(np.intp)
    order = np.lexsort((tops, -strength[tops], slot, stretch[tops]))
    tops, slot = tops[order], slot[order]
    new = np.concatenate([[True], (np.diff(slot) != 0) | (np.diff(stretch[tops]) != 0)])
    return np.asarray(tops[new])


def _apart(
    time: NDArray[np.float64], strength: NDArray[np.float64], peaks: NDArray[np.intp], most: int
) -> Iterator[int]:
    """The strongest peaks that are `APART` seconds from each other."""
    left = peaks[np.lexsort((time[peaks], -strength[peaks]))]
    while len(left) and most:
        yield int(left[0])
        left = left[np.abs(time[left] - time[left[0]]) >= APART]
        most -= 1
