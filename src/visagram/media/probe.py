"""What is in a file, and when each of its frames is shown, without decoding it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

Alive = Callable[[], None]

DEFAULT_RATE = Fraction(25)
MAX_RATE = 1000
MAX_PLAUSIBLE_STEP = 3600
"""Seconds between two frames beyond which a timestamp is taken to be damaged."""


def probe(path: Path, settings: Settings, alive: Alive = lambda: None) -> tuple[VideoFacts, Timeline]:
    """Facts and timeline of a video. alive: called for each packet that is read. Raises `InputError`."""
    with open_video(path, settings) as (container, stream):
        found = _read(container, stream, path, settings, alive)
        picture, pts = found.picture, found.pts
        base = stream.time_base or 1 / DEFAULT_RATE
        rate = _rate(stream)
        if _counts_only(container, stream):
            pts = pts[:0]
        origin = _origin(container, stream, base)
        timeline = _timeline(_plausible(pts - origin, base), found.keys - origin, found.last_span, base, rate, origin)
        frames = len(timeline.pts) or found.packets
        if timeline.seconds(timeline.end) > settings.max_duration:
            raise TooLarge(f"{path} lasts longer than the {settings.max_duration:.0f} s of the setting max_duration.")
        rotation, mirrored = _orientation(picture)
        width, height = _display_size(picture, stream, rotation)
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
            rotation=rotation,
            mirrored=mirrored,
            frames=frames,
            duration=timeline.seconds(timeline.end) if len(timeline.pts) else frames / rate,
            rate=rate,
            variable_rate=_varies(timeline),
            has_audio=bool(container.streams.audio),
            still=frames == 1,
        )
        return facts, timeline


@dataclass(frozen=True, slots=True)
class _Found:
    """One pass over the packets: the first picture, timestamps in order (empty where they cannot name frames), key
    frames."""

    picture: av.VideoFrame
    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    last_span: int
    packets: int


def _read(container: InputContainer, stream: VideoStream, path: Path, settings: Settings, alive: Alive) -> _Found:
    picture: av.VideoFrame | None = None
    pts, keys = array("q"), array("q")
    last_span, packets, usable, before = 0, 0, True, None
    most = MAX_RATE * settings.max_duration
    for packet in demux(container, stream):
        alive()
        picture = picture or _picture_in(packet, path, settings)
        if not packet.size:
            continue
        if packet.is_keyframe and packet.pts is not None:
            keys.append(packet.pts)
        # Time that runs backwards: several recordings in one file.
        if before is not None and packet.dts is not None and packet.dts < before:
            usable = False
        before = packet.dts if packet.dts is not None else before
        # An edit list cuts frames away that only serve to decode others.
        if packet.is_discard:
            continue
        packets += 1
        if packets > most:
            raise TooLarge(f"{path} holds more frames than {MAX_RATE} a second for the whole of max_duration.")
        if packet.pts is None:
            usable = False
            continue
        pts.append(packet.pts)
        last_span = packet.duration or last_span
    if picture is None:
        raise NoFrames(f"{path} holds no frame that can be decoded: it may be cut short, damaged or of an absurd size.")
    ordered = np.unique(np.array(pts if usable else (), np.int64))
    # Equal timestamps cannot tell frames apart.
    if len(ordered) != len(pts):
        ordered = ordered[:0]
    return _Found(picture, ordered, np.unique(np.array(keys, np.int64)), last_span, packets)


def _picture_in(packet: av.Packet[VideoStream], path: Path, settings: Settings) -> av.VideoFrame | None:
    """The first frame of a packet: headers can lie, and rotation may only be known here."""
    try:
        frame = next(iter(packet.decode()), None)
    except MemoryError:
        raise
    except av.error.FFmpegError:
        return None
    if frame is not None and frame.width * frame.height > settings.max_pixels:
        raise TooLarge(f"{path} has frames of {frame.width}x{frame.height} pixels, more than max_pixels allows.")
    return frame


def demux(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """Packets until the file ends or is too damaged to go on."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def _counts_only(container: InputContainer, stream: VideoStream) -> bool:
    """AVI numbers frames as they are stored; where they are shown in another order those are no presentation times."""
    return container.format.name == "avi" and bool(stream.codec_context.has_b_frames)


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
    return Fraction(rate) if rate and 0 < rate <= MAX_RATE else DEFAULT_RATE


def _varies(timeline: Timeline) -> bool:
    """Whether steps between frames differ by more than rounding to the time base."""
    steps = np.diff(timeline.pts)
    return bool(len(steps) and (steps.max() - steps.min()) > max(2, 0.05 * float(np.median(steps))))


def _display_size(picture: av.VideoFrame, stream: VideoStream, rotation: int) -> tuple[int, int]:
    """Width and height as a player shows them: pixel shape and rotation applied."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, 8) <= aspect <= 8:
        aspect = Fraction(1)
    width, height = max(1, round(picture.width * aspect)), picture.height
    return (height, width) if rotation % 180 == 90 else (width, height)


def _orientation(picture: av.VideoFrame) -> tuple[int, bool]:
    """`VideoFacts.rotation` and `mirrored` of a picture.

    Found out here once and not from each frame: PyAV ties a frame and its side data into a cycle, and one frame that
    waits for the garbage collector keeps the decoder's whole pool of pictures.
    """
    try:
        matrix = picture.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV does not know every kind of side data (Exif, for one) and then gives none of it.
        return round(picture.rotation / 90) * 90 % 360, False
    if matrix is None:
        return 0, False
    # FFmpeg's layout: x' = a x + c y, y' = b x + d y, with y downwards.
    memory = memoryview(matrix)  # type: ignore[arg-type]
    a, b, _, c, d, *_ = np.frombuffer(memory, np.int32).astype(float).tolist()
    mirrored = a * d - b * c < 0
    return round(-np.degrees(np.arctan2(b, -a if mirrored else a)) / 90) * 90 % 360, mirrored
