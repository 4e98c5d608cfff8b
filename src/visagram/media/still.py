"""The picture that a video displays at a given time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.core.segments import Segment, segment
from visagram.core.types import Frame
from visagram.errors import NoFrames, UsageError
from visagram.media.decode import SegmentFrames
from visagram.media.packets import Alive
from visagram.media.source import Source
from visagram.settings import cores

MOST_THREADS = 4
QUALITY = 85
EARLY = Fraction(1, 10_000)
"""Seconds before a frame's time from which on it is meant: times travel as rounded decimals."""


def still(
    source: Source, time: float, width: int, box: Sequence[float] | None = None, alive: Alive = lambda: None
) -> bytes:
    """The displayed picture at `time` in seconds as JPEG, at most `width` pixels wide. Raises `InputError`.

    box: x, y, w, h in its pixels: only this part, as far as it lies in the picture; one beside it shows the whole.
    """
    frame = frame_at(source, time, alive)
    left, top, right, bottom = _inside(frame.size, box) if box is not None else (0.0, 0.0, 1.0, 1.0)
    scale = min(1.0, max(1, width) / ((right - left) * frame.size[0]))
    picture = frame.picture(*scaled(frame.size, scale))
    height, width = picture.shape[:2]
    first, last = (math.floor(top * height), math.floor(left * width)), (round(bottom * height), round(right * width))
    return encode_jpeg(picture[first[0] : max(first[0] + 1, last[0]), first[1] : max(first[1] + 1, last[1])])


def _inside(size: tuple[int, int], box: Sequence[float]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what a picture of this width and height holds of a box, as shares of them."""
    x, y, w, h = (float(value) for value in box)
    if not all(map(math.isfinite, (x, y, w, h))):
        raise UsageError("A box is four numbers x, y, w, h.")
    left, right = max(0.0, x / size[0]), min(1.0, (x + w) / size[0])
    top, bottom = max(0.0, y / size[1]), min(1.0, (y + h) / size[1])
    return (left, top, right, bottom) if left < right and top < bottom else (0.0, 0.0, 1.0, 1.0)


def scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height times `scale`, at least one pixel."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def encode_jpeg(picture: NDArray[np.uint8], quality: int = QUALITY) -> bytes:
    """A picture (h, w, 3) uint8 BGR as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def frame_at(source: Source, time: float, alive: Alive = lambda: None) -> Frame:
    """The frame shown at `time` in seconds, or the nearest that decodes; the first or last for times outside.

    Raises `InputError`, and `UsageError` for what is no time.
    """
    if not math.isfinite(time):
        raise UsageError(f"{time} is not a time: give seconds from the video's start.")
    frame = next(_near(source, time, alive), None)
    if frame is None:
        raise NoFrames(f"{source.path} holds no frame that can be decoded: it may be cut short or damaged.")
    return frame


def _near(source: Source, time: float, alive: Alive) -> Iterator[Frame]:
    """The wanted frame, then others in its place."""
    timeline = source.timeline
    position = math.floor((Fraction(max(0.0, time)) + EARLY) / timeline.base)
    number = max(0, int(np.searchsorted(timeline.pts, position, side="right")) - 1)
    before = timeline.keys[(timeline.keys <= timeline.pts[number]) & (timeline.keys >= 0)]
    first = int(np.searchsorted(timeline.pts, before[-1])) if len(before) and timeline.seekable else 0
    # Of many frames the last one is wanted, and no other is kept.
    yield from deque(_frames(source, range(first, number + 1), alive), maxlen=1)
    yield from _frames(source, range(number + 1, len(timeline.pts)), alive)
    yield from deque(_frames(source, range(number + 1), alive), maxlen=1)


def _frames(source: Source, which: range, alive: Alive) -> Iterator[Frame]:
    """The frames with these numbers that decode."""
    if not len(which):
        return
    numbers = np.array(which, np.int64)
    with open_segment(source, segment(source.timeline, numbers, np.zeros_like(numbers), len(numbers)), alive) as frames:
        yield from frames


def open_segment(source: Source, segment: Segment, alive: Alive) -> SegmentFrames:
    """The frames of a stretch, decoded by as many threads as one picture is worth."""
    return SegmentFrames(
        source.path,
        source.facts,
        source.timeline,
        segment,
        source.settings,
        threads=min(cores(), MOST_THREADS),
        depth=1,
        alive=alive,
    )
