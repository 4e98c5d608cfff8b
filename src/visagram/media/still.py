"""The picture that a video displays at a given time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.core.segments import Segment
from visagram.core.types import Frame, VideoFacts
from visagram.errors import NoFrames, UsageError
from visagram.media.decode import SegmentFrames
from visagram.media.probe import Alive
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
    facts = source.facts
    left, top, right, bottom = _inside(facts, box) if box is not None else (0.0, 0.0, 1.0, 1.0)
    scale = min(1.0, max(1, width) / ((right - left) * facts.width))
    picture = frame_at(source, time, alive).picture(*scaled(facts, scale))
    height, width = picture.shape[:2]
    first, last = (math.floor(top * height), math.floor(left * width)), (round(bottom * height), round(right * width))
    return encode_jpeg(picture[first[0] : max(first[0] + 1, last[0]), first[1] : max(first[1] + 1, last[1])])


def _inside(facts: VideoFacts, box: Sequence[float]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what the picture holds of a box, as shares of its width and height."""
    x, y, w, h = (float(value) for value in box)
    if not all(map(math.isfinite, (x, y, w, h))):
        raise UsageError("A box is four numbers x, y, w, h.")
    left, right = max(0.0, x / facts.width), min(1.0, (x + w) / facts.width)
    top, bottom = max(0.0, y / facts.height), min(1.0, (y + h) / facts.height)
    return (left, top, right, bottom) if left < right and top < bottom else (0.0, 0.0, 1.0, 1.0)


def scaled(facts: VideoFacts, scale: float) -> tuple[int, int]:
    """Width and height of the displayed picture times `scale`."""
    return max(1, round(facts.width * scale)), max(1, round(facts.height * scale))


def encode_jpeg(picture: NDArray[np.uint8], quality: int = QUALITY) -> bytes:
    """A picture (h, w, 3) uint8 BGR as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def frame_at(source: Source, time: float, alive: Alive = lambda: None) -> Frame:
    """The frame shown at `time` in seconds, or the nearest that decodes; the first or last for times outside.

    Raises `InputError`, and `UsageError` for what is no time.
    """
    if not math.isfinite(time):
        raise UsageError(f"{time} is not a time: give seconds from the video's start.")
    looked = _counted(source, time, alive) if not len(source.timeline.pts) else _timed(source, time, alive)
    frame = next(looked, None)
    if frame is None:
        raise NoFrames(f"{source.path} holds no frame that can be decoded: it may be cut short or damaged.")
    return frame


def _timed(source: Source, time: float, alive: Alive) -> Iterator[Frame]:
    """The wanted frame by its timestamp, then others in its place."""
    timeline = source.timeline
    position = math.floor((Fraction(max(0.0, time)) + EARLY) / timeline.base)
    number = max(0, int(np.searchsorted(timeline.pts, position, side="right")) - 1)
    before = timeline.keys[(timeline.keys <= timeline.pts[number]) & (timeline.keys >= 0)]
    key = int(before[-1]) if len(before) else 0
    first = int(np.searchsorted(timeline.pts, key))
    yield from list(_frames(source, slice(first, number + 1), key, alive))[-1:]
    yield from _frames(source, slice(number + 1, None), key, alive)
    yield from list(_frames(source, slice(0, number + 1), 0, alive))[-1:]


def _frames(source: Source, which: slice, seek: int, alive: Alive) -> Iterator[Frame]:
    """The frames with these numbers that decode."""
    pts = source.timeline.pts[which]
    if not len(pts):
        return
    numbers = np.arange(len(source.timeline.pts))[which]
    segment = Segment(0, pts, numbers, np.zeros_like(pts), len(pts), seek)
    with _opened(source, segment, alive) as frames:
        yield from frames


def _counted(source: Source, time: float, alive: Alive) -> Iterator[Frame]:
    """The wanted frame by counting, for there is nothing to seek by; then the first."""
    rate, last = source.facts.rate, source.facts.frames - 1
    number = min(max(0, math.floor((Fraction(time) + EARLY) * rate)), last)
    nothing = source.timeline.pts[:0]
    for start in (float((number - Fraction(1, 2)) / rate), 0.0):
        settings = dataclasses.replace(
            source.settings, start=max(0.0, start), end=None, sample_fps=None, frame_interval=1
        )
        counting = dataclasses.replace(source, settings=settings)
        with _opened(counting, Segment(0, nothing, nothing, nothing, 0, 0), alive) as frames:
            yield from frames


def _opened(source: Source, segment: Segment, alive: Alive) -> SegmentFrames:
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
