"""Everybody's posteriors over time at every zoom: levels of bins, each four times as wide as the one below, cut into
tiles of a fixed number of bins, so that a page loads what it draws and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS, Observations

FINEST = 0.1
"""Seconds of a bin on level 0. Finer bins would show flicker between frames, not expressions."""
STEP = 4
"""Bins of a level that make one of the next."""
BINS_PER_TILE = 256
ABSENT, UNMEASURED, MEASURED, UNSURE = range(4)
"""What a bin's state says: not in the picture; in it, but not measured; measured; measured, but unsure."""
CELL = len(EXPRESSIONS) + 1
"""Bytes of a bin: the mean posterior, then the state."""

ROWS_AT_ONCE = 1 << 16
_LEAST = 1e-6  # seconds: less of a row in a bin is rounding
_STILL = 1e-3  # seconds that a row of a still picture, which lasts no time, counts for
_MEASURED, _UNSURE, _SEEN = len(EXPRESSIONS), len(EXPRESSIONS) + 1, len(EXPRESSIONS) + 2


@dataclass(frozen=True, slots=True)
class Pyramid:
    """start, end: seconds; bin i of level l reaches from start + i * FINEST * STEP**l on. people: whose lanes there
    are, in order. levels: (people, tiles, BINS_PER_TILE, CELL) uint8 each; what lies beyond `end` is absent."""

    start: float
    end: float
    people: tuple[int, ...]
    levels: tuple[NDArray[np.uint8], ...]

    def tile(self, level: int, number: int) -> bytes:
        """For each person (256, 7) mean posteriors in 255ths, 0 where nothing was measured, then (256,) states."""
        return tile_bytes(self.levels[level][:, number])


def bin_seconds(level: int) -> float:
    return float(FINEST * STEP**level)


def tile_bytes(cells: NDArray[np.uint8]) -> bytes:
    """(people, BINS_PER_TILE, CELL) as the body of a tile."""
    lanes = [lane[:, :-1].tobytes() + lane[:, -1].tobytes() for lane in cells]
    return b"".join(lanes)


def pyramid(
    rows: Observations, people: Sequence[int], start: float, end: float, doubtful: NDArray[np.bool_]
) -> Pyramid:
    """The levels up to the first that is a single tile.

    rows: in time order. Within a bin each row weighs with the time that it is shown there. A bin is measured where any
    of its time was, and unsure where more than half of its measured time was. doubtful: (n,) which rows are unsure, as
    `certainty.unsure` says of what was measured, which `rows` may show smoothed.
    """
    finest = max(1, int(np.ceil((end - start) / FINEST - 1e-6)))
    lanes = [list(_lane(rows, person, start, finest, doubtful)) for person in people]
    depth = len(list(_sizes(finest)))
    empty = [np.zeros((0, _tiles(size), BINS_PER_TILE, CELL), np.uint8) for size in _sizes(finest)]
    levels = [np.stack([lane[level] for lane in lanes]) if lanes else empty[level] for level in range(depth)]
    return Pyramid(start, end, tuple(people), tuple(levels))


def _sizes(finest: int) -> Iterator[int]:
    """Number of bins of each level."""
    size = finest
    yield size
    while size > BINS_PER_TILE:
        size = -(-size // STEP)
        yield size


def _tiles(size: int) -> int:
    return -(-size // BINS_PER_TILE)


def _lane(
    rows: Observations, person: int, start: float, finest: int, doubtful: NDArray[np.bool_]
) -> Iterator[NDArray[np.uint8]]:
    """(tiles, BINS_PER_TILE, CELL) of one person on each level."""
    sums = _integrals(rows, np.flatnonzero(rows.person == person), start, finest, doubtful)
    for size in _sizes(finest):
        if size < len(sums):
            padded = np.pad(sums, ((0, size * STEP - len(sums)), (0, 0)))
            sums = padded.reshape(size, STEP, -1).sum(axis=1)
        cells = np.zeros((_tiles(size) * BINS_PER_TILE, CELL), np.uint8)
        cells[:size] = _cells(sums)
        yield cells.reshape(-1, BINS_PER_TILE, CELL)


def _cells(sums: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(b, CELL) from the sums over each bin."""
    measured = sums[:, _MEASURED] > _LEAST
    state = np.where(sums[:, _SEEN] > _LEAST, UNMEASURED, ABSENT)
    state = np.where(measured, np.where(2 * sums[:, _UNSURE] > sums[:, _MEASURED], UNSURE, MEASURED), state)
    mean = sums[:, : len(EXPRESSIONS)] / np.where(measured, sums[:, _MEASURED], np.inf)[:, None]
    return np.concatenate([np.round(np.clip(mean, 0, 1) * 255), state[:, None]], axis=1).astype(np.uint8)


def _integrals(
    rows: Observations, mine: NDArray[np.intp], start: float, finest: int, doubtful: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(finest, 10) over each bin of level 0: posterior times seconds, then measured, unsure and seen seconds."""
    sums = np.zeros((finest, _SEEN + 1))
    for first in range(0, len(mine), ROWS_AT_ONCE):
        # One row more, because a row ends where the next begins at the latest.
        chosen = mine[first : first + ROWS_AT_ONCE + 1]
        part = rows[chosen]
        begin = (part.time - start) / FINEST
        stop = begin + np.maximum(np.nan_to_num(part.span), _STILL) / FINEST
        stop[:-1] = np.maximum(np.minimum(stop[:-1], begin[1:]), begin[:-1])
        values = np.column_stack([np.nan_to_num(part.posterior), part.usable, doubtful[chosen], np.ones(len(part))])
        some = slice(0, ROWS_AT_ONCE)
        _integrate(sums, begin[some], stop[some], values[some].astype(np.float64) * FINEST)
    return sums


def _integrate(
    sums: NDArray[np.float64], begin: NDArray[np.float64], stop: NDArray[np.float64], values: NDArray[np.float64]
) -> None:
    """Add to each bin, one unit wide, the integral of what is `values` from `begin` to `stop` of each row."""
    low = int(np.clip(np.floor(begin[0]), 0, len(sums)))
    high = int(np.clip(np.ceil(stop.max()), low, len(sums)))
    if low == high:
        return
    # The integral up to each edge: that of the rows before, and the part of the row that the edge cuts.
    area = values * (stop - begin)[:, None]
    before = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(area, axis=0)])
    edges = np.arange(low, high + 1, dtype=np.float64)
    row = np.searchsorted(begin, edges, "right") - 1
    cut = np.maximum(row, 0)
    inside = np.clip(edges - begin[cut], 0, (stop - begin)[cut])
    until = before[cut] + values[cut] * inside[:, None]
    sums[low:high] += np.diff(until, axis=0)
