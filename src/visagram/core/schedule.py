"""Which frames the detector looks at: every few, and more where something happens.

Between two looks that agree, faces are interpolated, which follows smooth motion better than prediction can. Where two
looks do not agree (a face came, went or moved far) or the picture changed, the frame half-way is looked at too, and so
on until neighbours agree or touch: an entrance, an exit or a cut is found to the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import iou
from visagram.core.tracking import assign
from visagram.core.types import Faces, Frame

STEADY_OVERLAP = 0.5
STEADY_MOVE = 0.25
"""Faces agree when boxes overlap this much and no landmark moved further than this share of the face's size."""

PRESENT = 0.5
"""Score from which a face that only one of two looks shows makes them disagree; weaker ones come and go like noise."""

CUT_LEVEL = 18.0
CUT_RATIO = 3.0
"""A cut changes the picture by this many grey levels on average, and this many times more than the frames before."""
CHANGE_LEVEL = 6.0
CHANGE_RATIO = 2.5
"""The same for a change that is worth a look: a flash, a wipe, something that passes before the camera."""
MEMORY = 12


class ChangeMeter:
    """Tells from a coarse grid of luma samples where the picture changed and where the scene was cut."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None
        self._recent: list[float] = []

    def measure(self, frames: Sequence[Frame]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) whether each frame differs from the one before (changed), and by a whole scene (cut)."""
        changed, cut = np.zeros(len(frames), bool), np.zeros(len(frames), bool)
        for position, frame in enumerate(frames):
            grid = _grid(frame)
            if self._last is not None:
                resized = grid.shape != self._last.shape
                step = float(np.abs(grid - self._last).mean()) if not resized else 255.0
                usual = float(np.median(self._recent)) if self._recent else 0.0
                changed[position] = step > CHANGE_LEVEL and step > CHANGE_RATIO * usual
                cut[position] = step > CUT_LEVEL and step > CUT_RATIO * usual
                self._recent = [*self._recent[1 - MEMORY :], step]
            self._last = grid
        return changed | cut, cut


def look(
    frames: Sequence[Frame],
    detect: Callable[[Sequence[Frame]], list[Faces]],
    wanted: Sequence[int],
    cuts: NDArray[np.bool_],
    known: dict[int, Faces],
) -> dict[int, Faces]:
    """Faces by position for every frame that was looked at: the `wanted`, and those between looks that disagree.

    known: looks from before. cuts: (n,) frames that start a scene; nothing is compared across them.
    """
    found = dict(known)
    pending = sorted(set(wanted) - set(found))
    while True:
        found |= zip(pending, detect([frames[p] for p in pending]), strict=True)
        looked = sorted(found)
        pending = [
            (a + b) // 2
            for a, b in pairwise(looked)
            if b - a > 1 and not cuts[a + 1 : b + 1].any() and not agree(found[a], found[b])
        ]
        if not pending:
            return found


def agree(a: Faces, b: Faces) -> bool:
    """Whether two looks show the same faces in about the same places, so that those between follow from them."""
    overlaps = iou(a.boxes, b.boxes)
    pairs = assign(1 - overlaps, 1 - STEADY_OVERLAP)
    for faces, side in ((a, 0), (b, 1)):
        paired = {pair[side] for pair in pairs}
        if any(k not in paired for k in np.flatnonzero(faces.scores >= PRESENT)):
            return False
    for row, column in pairs:
        size = float(a.boxes[row, 2:].max())
        move = np.abs(a.landmarks[row] - b.landmarks[column]).max()
        if move > STEADY_MOVE * size:
            return False
    return True


def _grid(frame: Frame) -> NDArray[np.float32]:
    """About 32 x 32 luma samples, in full-range grey levels."""
    height, width = frame.luma.shape
    grid = frame.luma[height // 64 :: max(1, height // 32), width // 64 :: max(1, width // 32)].astype(np.float32)
    return grid if frame.full_range else (grid - 16) * np.float32(255 / 219)
