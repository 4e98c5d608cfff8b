"""One person's posteriors over equal bins of time: what a chart draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS, Observations

MAX_BINS = 1200
FINEST_BIN = 0.1
"""Seconds. Finer bins would show flicker between frames, not expressions."""


class Bins(NamedTuple):
    """One person over time. edges: (b + 1,) seconds. posterior: (b, 7), NaN where nothing was measured.
    seen: (b,) whether the person was in the picture, measured or not. unsure: (b,) whether more than half of the
    measured time was."""

    edges: NDArray[np.float64]
    posterior: NDArray[np.float64]
    seen: NDArray[np.bool_]
    unsure: NDArray[np.bool_]


def bin_person(rows: Observations, start: float, end: float, doubtful: NDArray[np.bool_]) -> Bins:
    """Posteriors averaged over equal bins from `start` to `end` (seconds), each row weighted by its span.

    doubtful: (n,) which rows are unsure, as `certainty.unsure` says of what was measured, which `rows` may show
    smoothed.
    """
    number = int(np.clip((end - start) / FINEST_BIN, 1, MAX_BINS))
    edges = np.linspace(start, end, number + 1)
    row, bin, seconds = _spread(rows, edges)
    usable = rows.usable[row]
    weight = np.bincount(bin[usable], seconds[usable], minlength=number)
    sums = np.zeros((number, len(EXPRESSIONS)))
    np.add.at(sums, bin[usable], rows.posterior[row[usable]] * seconds[usable, None])
    with np.errstate(invalid="ignore"):
        mean = sums / weight[:, None]
    doubt = np.bincount(bin, seconds * doubtful[row], minlength=number)
    return Bins(edges, mean, np.bincount(bin, minlength=number) > 0, 2 * doubt > weight)


def _spread(
    rows: Observations, edges: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Each row over the bins that its span touches: row (m,), bin (m,), seconds (m,). A row may stand for many bins
    (few frames a second), a bin for many rows (a long video)."""
    width = edges[1] - edges[0]
    start, end = rows.time, rows.time + np.maximum(rows.span, 1e-6)
    first = np.clip(((start - edges[0]) / width + 1e-6).astype(np.intp), 0, len(edges) - 2)
    last = np.clip(np.ceil((end - edges[0]) / width - 1e-6).astype(np.intp) - 1, first, len(edges) - 2)
    touched = last - first + 1
    row = np.repeat(np.arange(len(rows)), touched)
    bin = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(touched) - touched, touched)
    seconds = np.minimum(end[row], edges[bin + 1]) - np.maximum(start[row], edges[bin])
    return row, bin, np.maximum(seconds, 1e-9)


def runs(present: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, after) of each run of true values."""
    padded = np.concatenate([[False], present, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)
    return [(int(first), int(after)) for first, after in edges]
