"""What was written, and whether every way through the program tells the same."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from patching import box

import visagram.core.segments as segments
from media_factory import Read, read, read_number
from visagram.analysis import Analysis
from visagram.core.types import Frame
from visagram.media.source import Source
from visagram.media.still import frame_at
from visagram.settings import Settings
from visagram.workers import Workers

CLOSE = 0.0011
"""Seconds by which a time may be off where a container counts in milliseconds."""


@dataclass(frozen=True)
class Truth:
    """A file and what is in it, known from how it was written.

    numbers: painted on the pictures in the order shown. times: of each, in seconds from the video's start. duration: in
    seconds. sizes: width and height of each picture as displayed; one for all of them. basis: what the times rest on.
    codes: of the warnings that must be there, and no others.
    """

    path: Path
    numbers: Sequence[int]
    times: Sequence[float | Fraction]
    duration: float | Fraction
    sizes: Sequence[tuple[int, int]] = ((96, 64),)
    basis: str = "exact"
    codes: frozenset[str] = frozenset()
    settings: Settings = field(default_factory=Settings)
    close: float = CLOSE

    @property
    def shown(self) -> list[tuple[int, int]]:
        return list(self.sizes) if len(self.sizes) > 1 else [self.sizes[0]] * len(self.numbers)


def check_reading(truth: Truth) -> Read:
    """Probe and decode, in one go and cut into segments as small as they get."""
    for straight in (True, False):
        video = read(truth.path, truth.settings, straight=straight)
        _check_frames(truth, video)
        assert video.facts.frames == len(truth.numbers)
        assert float(video.facts.duration) == near(truth.duration, truth)
        assert video.facts.time_basis == truth.basis
        assert {warning.code for warning in video.warnings} == truth.codes
        assert (video.facts.width, video.facts.height) == truth.shown[0]
    shortest, segments.SHORTEST = segments.SHORTEST, 0.2
    try:
        _check_frames(truth, read(truth.path, truth.settings))
    finally:
        segments.SHORTEST = shortest
    return video


def displayed_number(frame: Frame) -> int:
    """What is painted on a frame, as it is displayed."""
    return read_number(frame.picture(*frame.size)[:, :, 1])


def near(value: float | Fraction, truth: Truth) -> Any:
    return pytest.approx(float(value), abs=truth.close)


def _check_frames(truth: Truth, video: Read) -> None:
    assert [displayed_number(frame) for frame in video.frames] == list(truth.numbers)
    assert [frame.index for frame in video.frames] == list(range(len(truth.numbers)))
    assert [float(time) for time in video.times] == near_all(truth.times, truth)
    assert all(a < b for a, b in pairwise(video.times))
    spans = np.diff([*map(float, truth.times), float(truth.duration)])
    assert [float(frame.span) for frame in video.frames] == near_all(spans, truth)
    assert [frame.size for frame in video.frames] == truth.shown
    assert video.damaged == 0


def near_all(values: Sequence[float | Fraction], truth: Truth) -> Any:
    return pytest.approx([float(value) for value in values], abs=2 * truth.close)


def check_everything(truth: Truth, workers: Workers, folder: Path) -> None:
    """All of `check_reading`, and the report, stills, the annotated video and the copy for playback."""
    check_reading(truth)
    if truth.settings != workers.settings:
        with Workers(truth.settings) as others:
            return _check_products(truth, others, folder)
    _check_products(truth, workers, folder)


def _check_products(truth: Truth, workers: Workers, folder: Path) -> None:
    report = Analysis(truth.path, truth.settings, workers=workers).report()
    assert report.totals.frames == len(truth.numbers)
    assert report.totals.duration == near(float(truth.duration), truth)
    assert {warning.code for warning in report.warnings} - {"no_face"} == truth.codes
    assert report.to_dict()["video"]["time_basis"] == truth.basis
    source = Source.probed(truth.path, truth.settings)
    for number in sorted({0, len(truth.numbers) // 2, len(truth.numbers) - 1}):
        frame = frame_at(source, float(truth.times[number]) + 1e-3)
        assert displayed_number(frame) == truth.numbers[number]
        assert frame.size == truth.shown[number]
    for copy, write in (("annotated.mp4", _annotated), ("copy.mp4", _copied)):
        write(truth, report, workers, folder / copy)
        check_copy(truth, folder / copy)


def _annotated(truth: Truth, report: Any, workers: Workers, path: Path) -> None:
    workers.annotate(truth.path, report, path, lambda *_: None)


def _copied(truth: Truth, report: Any, workers: Workers, path: Path) -> None:
    workers.derive_proxy(truth.path, path, lambda *_: None)


def check_copy(truth: Truth, path: Path) -> None:
    """Each picture in its own shape in the middle, at its own time, and the last as long as it was."""
    across, down = (max(size[k] for size in truth.shown) for k in (0, 1))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (across + across % 2, down + down % 2)
        frames = list(container.decode(stream))
    assert len(frames) == len(truth.numbers)
    for frame, number, time, (width, height) in zip(frames, truth.numbers, truth.times, truth.shown, strict=True):
        assert frame.time == near(time, truth)
        luma = frame.to_ndarray()[: frame.height, : frame.width]
        left, top = (across - width) // 4 * 2, (down - height) // 4 * 2
        assert read_number(luma[top : top + height, left : left + width]) == number
    # What players go by: the track's header, which its edit list makes exact.
    content = path.read_bytes()
    movie, track = box(content, b"moov", b"mvhd")[0], box(content, b"moov", b"trak", b"tkhd")[0]
    (scale,), (length,) = struct.unpack_from(">I", content, movie + 12), struct.unpack_from(">I", content, track + 20)
    assert length / scale == near(truth.duration, truth)
