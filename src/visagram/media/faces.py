"""Faces of single frames, cut out again as an analysis cuts them out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP
from visagram.core.segments import Segment, Timeline, segment
from visagram.media.crop import aligned
from visagram.media.packets import Alive
from visagram.media.source import Source
from visagram.media.still import open_segment


def faces_at(
    source: Source, frames: NDArray[np.int64], landmarks: NDArray[np.float32], alive: Alive = lambda: None
) -> NDArray[np.uint8]:
    """(m, 48, 48) full-range luma of the faces with these landmarks (n, 5, 2) in the frames with these numbers (n), by
    frame, without those whose frames do not decode. Raises `InputError`."""
    crops = [np.empty((0, CROP, CROP), np.uint8)]
    for stretch in _stretches(source.timeline, np.unique(frames[frames < len(source.timeline.pts)])):
        with open_segment(source, stretch, alive) as shown:
            crops += [aligned(frame, landmarks[frames == frame.index]) for frame in shown]
    return np.concatenate(crops)


def _stretches(timeline: Timeline, frames: NDArray[np.int64]) -> Iterator[Segment]:
    """The frames, rising, those together that are reached from the same place in the file: nothing is decoded twice."""

    def stretch(numbers: NDArray[np.int64]) -> Segment:
        return segment(timeline, numbers, np.zeros_like(numbers), len(numbers))

    for _, near in groupby(frames.tolist(), lambda number: stretch(np.array([number])).seek):
        yield stretch(np.array(list(near)))
