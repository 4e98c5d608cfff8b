"""What is in a file, and when each of its frames is shown, without decoding it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from visagram.core.segments import Timeline
from visagram.core.types import VideoFacts
from visagram.errors import NoFrames, TooLarge
from visagram.media.container import open_video
from visagram.settings import Settings

STILLS = {"jpeg_pipe", "png_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe"}
DEFAULT_RATE = Fraction(25)
MAX_PLAUSIBLE_STEP = 3600
"""Seconds between two frames beyond which a timestamp is taken to be damaged."""


def probe(path: Path, settings: Settings) -> tuple[VideoFacts, Timeline]:
    """Facts and timeline of a video. Raises `InputError`."""
    with open_video(path, settings) as (container, stream):
        picture = _first_picture(container, stream, path, settings)
        still = container.format.name in STILLS
        if not still:
            container.seek(0)
        pts, keys, last_span, packets = _packets(container, stream)
        base = stream.time_base or 1 / DEFAULT_RATE
        rate = _rate(stream)
        origin = _origin(container, stream, base)
        kept = _plausible(pts - origin, base)
        timeline = _timeline(kept, keys - origin, last_span, base, rate, origin)
        frames = len(timeline.pts) or packets
        if timeline.seconds(timeline.end) > settings.max_duration:
            raise TooLarge(f"{path} lasts longer than the {settings.max_duration:.0f} s of the setting max_duration.")
        width, height = _display_size(picture, stream)
        facts = VideoFacts(
            name=path.name,
            bytes=path.stat().st_size,
            container=container.format.name,
            codec=stream.codec_context.name,
            pixel_format=picture.format.name,
            width=width,
            height=height,
            coded_width=picture.width,
            coded_height=picture.height,
            rotation=picture.rotation % 360,
            frames=frames,
            duration=timeline.seconds(timeline.end) if len(timeline.pts) else frames / rate,
            rate=rate,
            variable_rate=_varies(timeline),
            has_audio=bool(container.streams.audio),
            still=still or frames == 1,
        )
        return facts, timeline


def _first_picture(
    container: InputContainer, stream: VideoStream, path: Path, settings: Settings
) -> av.VideoFrame:
    """The first frame that decodes: headers can lie, and rotation may only be known here."""
    for packet in demux(container, stream):
        try:
            for frame in packet.decode():
                if frame.width * frame.height > settings.max_pixels:
                    raise TooLarge(
                        f"{path} has frames of {frame.width}x{frame.height} pixels, more than max_pixels allows."
                    )
                return frame  # type: ignore[return-value]
        except av.error.FFmpegError:
            continue
    raise NoFrames(f"{path} holds no frame that can be decoded: it may be cut short or damaged.")


def demux(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """Packets until the file ends or is too damaged to go on."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def _packets(
    container: InputContainer, stream: VideoStream
) -> tuple[NDArray[np.int64], NDArray[np.int64], int, int]:
    """Presentation timestamps in order (empty where some are missing), key frames, last duration, number of packets."""
    pts: list[int] = []
    keys: list[int] = []
    last_span, packets, missing = 0, 0, False
    for packet in demux(container, stream):
        if not packet.size:
            continue
        if packet.is_keyframe and packet.pts is not None:
            keys.append(packet.pts)
        # An edit list cuts frames away that only serve to decode others.
        if packet.is_discard:
            continue
        packets += 1
        if packet.pts is None:
            missing = True
            continue
        pts.append(packet.pts)
        last_span = packet.duration or last_span
    ordered = np.unique(np.array([] if missing else pts, np.int64))
    # Equal timestamps cannot tell frames apart.
    if len(ordered) != len(pts):
        ordered = ordered[:0]
    return ordered, np.unique(np.array(keys, np.int64)), last_span, packets


def _origin(container: InputContainer, stream: VideoStream, base: Fraction) -> int:
    """The player's zero, in units of `base`: the earliest start of any stream."""
    own = stream.start_time or 0
    if container.start_time is None:
        return own
    start = Fraction(container.start_time, av.time_base)
    # The container rounds to microseconds; where the video itself starts first its own number is exact.
    return own if abs(own * base - start) < Fraction(1, 1000) else round(start / base)


def _plausible(pts: NDArray[np.int64], base: Fraction) -> NDArray[np.int64]:
    """Without what lies before the start or behind an absurd jump (a damaged index)."""
    pts = pts[pts >= 0]
    jumps = np.flatnonzero(np.diff(pts) * float(base) > MAX_PLAUSIBLE_STEP)
    return pts[: jumps[0] + 1] if len(jumps) else pts


def _timeline(
    pts: NDArray[np.int64], keys: NDArray[np.int64], last_span: int, base: Fraction, rate: Fraction, origin: int
) -> Timeline:
    if not len(pts):
        return Timeline(base, pts, keys[:0], 0, origin)
    usual = int(np.median(np.diff(pts))) if len(pts) > 1 else max(1, round(1 / rate / base))
    span = last_span if 0 < last_span <= 4 * usual else usual
    return Timeline(base, pts, keys[(keys <= pts[-1])], int(pts[-1]) + span, origin)


def _rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return Fraction(rate) if rate and 0 < rate <= 1000 else DEFAULT_RATE


def _varies(timeline: Timeline) -> bool:
    """Whether steps between frames differ by more than rounding to the time base."""
    steps = np.diff(timeline.pts)
    return bool(len(steps) and (steps.max() - steps.min()) > max(2, 0.05 * float(np.median(steps))))


def _display_size(picture: av.VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height as a player shows them: pixel shape and rotation applied."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, 8) <= aspect <= 8:
        aspect = Fraction(1)
    width, height = max(1, round(picture.width * aspect)), picture.height
    return (height, width) if picture.rotation % 180 == 90 else (width, height)
