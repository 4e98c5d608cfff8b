"""The faces that a generator learns from: found, upright, of one framing, with the votes they got."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visagram.core.types import EXPRESSIONS, Progress
from visagram.errors import DataError
from visagram.evaluate.data import TRAIN
from visagram.learn.data import Faces48, read_sheets
from visagram.synth.finder import FaceFinder, Look

LEAST_SCORE = 0.9
MOST_ANGLE = 25.0
"""Degrees that a face may be turned in its picture: to set it upright, corners are made up that were never seen."""
MOST_OUTSIDE = 0.25
"""Share of the aligned crop that may be made up."""
SCALES = (0.65, 1.45)
CHUNK = 240


def read_aligned(data: Path, split: str, progress: Progress) -> Faces48:
    """The faces of a split of the sheets in `data` that can be aligned. Raises `DataError`."""
    (faces,) = read_sheets(data, split)
    faces = faces.select(faces.votes.informative)
    looks = look_at(faces, progress)
    keep = np.array([_is_upright(look) for look in looks], bool)
    found = Faces48(np.stack([look.crop for look in looks])[keep], faces.votes[keep])
    absent = np.flatnonzero(np.bincount(found.votes.labels, minlength=len(EXPRESSIONS)) == 0)
    if len(absent) and split == TRAIN:
        names = ", ".join(EXPRESSIONS[k] for k in absent)
        raise DataError(f"{data} holds no face of {names} that can be aligned: a generator learns all seven.")
    return found


def look_at(faces: Faces48, progress: Progress, threads: int = 1) -> Sequence[Look]:
    """What the detector finds in each."""
    finder, looks = FaceFinder(threads), list[Look]()
    for start in range(0, len(faces), CHUNK):
        looks += finder.look(list(faces.luma[start : start + CHUNK]))
        progress("align", len(looks), len(faces))
    return looks


def _is_upright(look: Look) -> bool:
    return (
        look.score > LEAST_SCORE
        and abs(look.angle) < MOST_ANGLE
        and look.outside < MOST_OUTSIDE
        and SCALES[0] < look.scale < SCALES[1]
    )
