"""Where the panels of an annotated video go: beside their faces, inside the picture, off each other's faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALLEST_ROW = 12
"""Pixels. Letters of a smaller row cannot be read."""
ROWS_PER_SIDE = 45
"""A row of text is this part of the picture's shorter side, so that it reads the same at every resolution."""
PANEL = (11.2, 9.2)
SMALL_PANEL = (7.2, 3.2)
"""Width and height of a panel with a bar for each expression, and of one with a single bar for all, in rows."""
CROWDED, FREE = 0.9, 0.5
"""Cost of what a panel hides from which all panels become small, and below which they grow again."""
GAP = 0.45
"""Between a face and its panel, in rows."""
GLIDE = 0.3
"""Share of the way to its place that a panel covers with each frame, so that it does not tremble with its face."""
_OWN, _FACE, _PANEL, _FAR = 1.5, 3.0, 4.0, 3.0
_KEPT = 0.35
"""Costs of covering the own face, another's, another panel, and of being far away; what staying on a side is worth."""


class Rect(NamedTuple):
    """Whole pixels of the picture."""

    x: int
    y: int
    width: int
    height: int


class _Seat(NamedTuple):
    side: int
    x: float
    y: float


def row_height(width: int, height: int) -> float:
    """Height of a row of text in a picture: legible, and so that a panel fits in."""
    row = max(SMALLEST_ROW, min(width, height) / ROWS_PER_SIDE)
    return float(max(0.5, min(row, (width - 2) / PANEL[0], (height - 2) / PANEL[1])))


class Seating:
    """Gives each track's panel a place, frame after frame. A panel changes sides only for a clearly better one.

    width, height: of the picture in pixels. row: height of a row of text in pixels. small: the panels last placed are
    small ones, because larger ones would have covered other faces or each other.
    """

    def __init__(self, width: int, height: int, row: float) -> None:
        self._picture = np.array([width, height], np.float64)
        self._row = row
        self._seats: dict[int, _Seat] = {}
        self.small = False

    def place(self, faces: NDArray[np.float32], which: Sequence[int], tracks: Sequence[int]) -> list[Rect]:
        """Panels for the faces `which` (m positions) with the track numbers `tracks` (m); all of `faces` (n, 4), boxes
        x, y, w, h in pixels, are kept free where that is possible. In the order of `which`, inside the picture."""
        bearable = FREE if self.small else CROWDED
        seats = self._seated(faces, which, tracks, PANEL, {} if self.small else self._seats, bearable)
        small = seats is None
        if seats is None:
            seats = self._seated(faces, which, tracks, SMALL_PANEL, self._seats if self.small else {}, np.inf) or {}
        self.small, self._seats = small, seats
        width, height = (int(side) for side in self._pixels(SMALL_PANEL if small else PANEL))
        return [Rect(round(seats[track].x), round(seats[track].y), width, height) for track in tracks]

    def _pixels(self, rows: tuple[float, float]) -> NDArray[np.float64]:
        return np.asarray(np.minimum(np.round(np.array(rows) * self._row), self._picture))

    def _seated(
        self,
        faces: NDArray[np.float32],
        which: Sequence[int],
        tracks: Sequence[int],
        rows: tuple[float, float],
        before: dict[int, _Seat],
        bearable: float,
    ) -> dict[int, _Seat] | None:
        """A seat for each track, one after the other; None where a panel hides more of faces and other panels than is
        `bearable`."""
        size = self._pixels(rows)
        boxes = faces.astype(np.float64)
        seats: dict[int, _Seat] = {}
        taken = np.empty((0, 4))
        for face, track in sorted(zip(which, tracks, strict=True), key=lambda pair: pair[1]):
            spots = self._spots(boxes[face], size)
            covered = _covered(spots, size, boxes)
            own = covered[:, face]
            conflicts = _FACE * (covered.sum(axis=1) - own) + _PANEL * _covered(spots, size, taken).sum(axis=1)
            costs = conflicts + _OWN * own + self._preferences(spots, size, boxes[face])
            last = before.get(track)
            if last is not None:
                costs[last.side] -= _KEPT
            side = int(np.argmin(costs))
            hidden = own[side] * min(1.0, float(np.prod(size)) / max(float(np.prod(boxes[face, 2:])), 1e-6))
            if conflicts[side] + _FACE * hidden > bearable:
                return None
            x, y = spots[side]
            if last is not None and last.side == side:
                x, y = last.x + GLIDE * (x - last.x), last.y + GLIDE * (y - last.y)
            seats[track] = _Seat(side, x, y)
            taken = np.concatenate([taken, [[x, y, *size]]])
        return seats

    def _spots(self, box: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
        """(k, 2) upper left corners to choose from, the best first, all inside the picture."""
        gap = GAP * self._row
        left, top = box[:2]
        right, bottom = box[:2] + box[2:]
        before, above = left - gap - size[0], top - gap - size[1]
        after, below = right + gap, bottom + gap
        level, middle, flush = bottom - size[1], (left + right - size[0]) / 2, right - size[0]
        beside = [(after, top), (before, top), (after, level), (before, level)]
        stacked = [(x, y) for y in (below, above) for x in (middle, left, flush)]
        far = self._picture - size - gap
        corners = [(gap, gap), (far[0], gap), (gap, far[1]), (far[0], far[1])]
        return np.asarray(np.clip(np.array(beside + stacked + corners), 0, self._picture - size))

    def _preferences(
        self, spots: NDArray[np.float64], size: NDArray[np.float64], box: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(k,) cost of each spot as such: near its face and early in the list is best."""
        away = np.hypot(*(spots + size / 2 - box[:2] - box[2:] / 2).T) / np.hypot(*self._picture)
        return np.asarray(0.02 * np.arange(len(spots)) + _FAR * away)


def _covered(spots: NDArray[np.float64], size: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, n) how much of the smaller of the two, panel or box, lies on the other: 0..1."""
    low = np.maximum(spots[:, None], boxes[:, :2])
    high = np.minimum(spots[:, None] + size, boxes[:, :2] + boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    return np.asarray(shared / np.clip(np.minimum(np.prod(size), np.prod(boxes[:, 2:], axis=1)), 1e-6, None))
