"""What is in a file, and when each of its pictures is shown, without decoding it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from visagram.core.segments import UNKNOWN, Probed, Timeline
from visagram.core.types import ResultWarning, Shape, VideoFacts
from visagram.errors import NoFrames, TooLarge
from visagram.media.container import check_limits, open_container, video_streams
from visagram.media.ending import Declared, cut_off, declared, is_cut, is_left
from visagram.media.packets import MAX_RATE, Alive, Packets, read_packets
from visagram.media.stamps import Clock, is_reordered
from visagram.media.streams import choose
from visagram.media.timeline import build
from visagram.media.transport import discontinuities
from visagram.settings import Settings

DEFAULT_RATE = Fraction(25)
UNTIMED = frozenset(
    {"h264", "hevc", "vvc", "m4v", "mpegvideo", "mjpeg", "vc1", "obu", "h261", "h263", "dirac", "cavsvideo"}
)
"""Streams without a container: FFmpeg counts their pictures at a rate of its own choice."""
FINE = 10
"""Ticks a step from which on a time base is so fine that rounding to it does not matter."""
MPEG = ("mpegts", "mpeg")


def probe(path: Path, settings: Settings, alive: Alive = lambda: None) -> Probed:
    """Facts and timeline of a video. alive: called for each packet that is read. Raises `InputError`, and `UsageError`
    for a stream that is not there."""
    with open_container(path, settings) as container:
        streams = video_streams(container, path)
        claims = {stream.index: (stream.width or 0, stream.height or 0) for stream in streams}
        found = read_packets(container, streams, path, settings, alive)
        stream, packets, chosen = choose(streams, found, settings.stream, path)
        if packets.refused:
            raise TooLarge(packets.refused)
        check_limits(container, claims[stream.index], path, settings)
        if not packets.shapes:
            raise NoFrames(
                f"{path} holds no frame that can be decoded: it may be cut short, damaged or of an absurd size."
            )
        said = declared(container, stream)
        cut = is_cut(path, container.format.name) or is_left(path, stream, packets, said, container.format.name)
        clock = _clock(container, stream, packets, path, alive)
        clock = dataclasses.replace(clock, end=None if cut else _end(said, stream, packets, clock))
        built = build(packets, clock)
        timeline = dataclasses.replace(built.timeline, whole=not cut)
        duration = timeline.seconds(timeline.end)
        if duration > settings.max_duration:
            raise TooLarge(f"{path} lasts longer than the {settings.max_duration:.0f} s of the setting max_duration.")
        shapes = tuple(_shapes(packets, timeline))
        first = shapes[0] if shapes else packets.shapes[0][1]
        frames = len(timeline.pts)
        facts = VideoFacts(
            name=path.name,
            bytes=path.stat().st_size,
            container=container.format.name,
            codec=stream.codec_context.name,
            pixel_format=first.pixel_format,
            width=first.width,
            height=first.height,
            coded_width=first.coded_width,
            coded_height=first.coded_height,
            rotation=first.rotation,
            mirrored=first.mirrored,
            frames=frames,
            duration=duration,
            rate=_mean_rate(clock, timeline),
            variable_rate=_varies(timeline),
            has_audio=bool(container.streams.audio),
            still=frames == 1,
            stream=stream.index,
            time_basis=built.basis,
            shapes=shapes if len(shapes) > 1 else (),
        )
        missing = cut_off(said, frames, float(duration), float(facts.rate)) if cut else None
        found_out = (missing, _changes(facts))
        warnings = (*chosen, *built.warnings, *(warning for warning in found_out if warning is not None))
        return Probed(facts, timeline, warnings)


def _clock(container: InputContainer, stream: VideoStream, packets: Packets, path: Path, alive: Alive) -> Clock:
    """What the container and the stream say about time, but for the end."""
    name, context = container.format.name, stream.codec_context
    base = stream.time_base or 1 / DEFAULT_RATE
    untimed = name in UNTIMED
    # Of a broadcast's pictures without times FFmpeg guesses the rate.
    guesses = untimed or (name in MPEG and not (packets.pts != UNKNOWN).any())
    rate, stated = _own_rate(stream) if guesses else (_rate(stream), True)
    if untimed:
        base = 1 / rate
    origin, own = _origin(container, stream, base)
    marked = np.zeros(len(packets), bool)
    if name == "mpegts" and len(packets):
        places = discontinuities(path, stream.id, alive)
        after = np.searchsorted(np.maximum.accumulate(packets.position), places)
        marked[after[(after > 0) & (after < len(marked))]] = True
    return Clock(
        base=base,
        rate=rate,
        stated=stated,
        reordered=bool(context.has_b_frames) or (context.codec.reorder and is_reordered(packets)),
        delay=int(context.reorder_depth),
        counted=untimed,
        slots=name == "avi",
        by_byte=name == "mpegts",
        wraps=name in MPEG and base.denominator == 90_000,
        origin=origin,
        own_origin=own,
        end=None,
        end_first=name.startswith("matroska"),
        marked=marked,
    )


def _end(said: Declared, stream: VideoStream, packets: Packets, clock: Clock) -> int | None:
    """The stamp at which the stream ends by its own word."""
    if said.own is None:
        return None
    length, known = round(Fraction(said.own) / clock.base), packets.pts[packets.pts != UNKNOWN]
    # What Matroska says is the end itself, with some writers, and the length from the start with others.
    ends_there = clock.end_first and len(known) and length > int(known.max())
    return length + (0 if ends_there else stream.start_time or 0)


def _origin(container: InputContainer, stream: VideoStream, base: Fraction) -> tuple[int, bool]:
    """The player's zero, in units of `base`: the earliest start of any stream; and whether that is this stream's."""
    own = stream.start_time or 0
    if container.start_time is None:
        return own, True
    start = Fraction(container.start_time, av.time_base)
    # The container rounds to microseconds; where the video itself starts first its own number is exact.
    return (own, True) if abs(own * base - start) < Fraction(1, 1000) else (round(start / base), False)


def _rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return Fraction(rate) if rate and 0 < rate <= MAX_RATE else DEFAULT_RATE


def _own_rate(stream: VideoStream) -> tuple[Fraction, bool]:
    """Pictures a second of a stream without a container by its own headers, and whether those say one."""
    said = stream.codec_context.framerate
    if said and 0 < said <= MAX_RATE:
        return Fraction(said), True
    # MPEG-4 counts in fine ticks; FFmpeg has read some pictures' times.
    guessed = stream.guessed_rate
    if said and guessed and 0 < guessed <= MAX_RATE:
        return Fraction(guessed), True
    return DEFAULT_RATE, False


def _mean_rate(clock: Clock, timeline: Timeline) -> Fraction:
    """The container's rate where the timeline bears it out, else frames a second as they come."""
    if len(timeline.pts) < 2:
        return clock.rate
    usual = float(np.median(np.diff(timeline.pts)) * timeline.base)
    if 0.5 < usual * float(clock.rate) < 2:
        return clock.rate
    return Fraction(len(timeline.pts) - 1) / timeline.seconds(int(timeline.pts[-1] - timeline.pts[0]))


def _varies(timeline: Timeline) -> bool:
    """Whether steps between frames differ by more than rounding to the time base."""
    steps = np.diff(timeline.pts)
    if not len(steps):
        return False
    usual = float(np.median(steps))
    # Where a step has few ticks, one more or less is no rounding.
    return bool(steps.max() - steps.min() > max(2 if usual >= FINE else 0, 0.05 * usual))


def _shapes(packets: Packets, timeline: Timeline) -> Iterator[Shape]:
    """The picture's shapes with the frames from which on they hold, equal neighbours and unseen ones left out."""
    last: Shape | None = None
    numbers = timeline.packets
    for packet, shape in packets.shapes:
        after = np.flatnonzero(numbers >= packet) if len(numbers) else np.arange(packet, len(timeline.pts))
        if not len(after):
            continue
        frame = int(after[0])
        placed = dataclasses.replace(shape, frame=frame, time=float(timeline.seconds(int(timeline.pts[frame]))))
        if last is None or dataclasses.replace(last, frame=0, time=0.0) != shape:
            last = placed
            yield placed


def _changes(facts: VideoFacts) -> ResultWarning | None:
    """A warning where the picture changes."""
    if not facts.shapes:
        return None
    shown = ", ".join(f"{shape.width}x{shape.height} from {shape.time:.2f} s" for shape in facts.shapes[:5])
    more = len(facts.shapes) - 5
    message = (
        f"The picture changes its shape or coding on the way ({shown}{f' and {more} more' if more > 0 else ''}): each "
        "part was analysed in its own shape."
    )
    return ResultWarning("picture_changes", message, len(facts.shapes) - 1)
