"""The video again, with boxes, names and expression bars; sound and timing as they were."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from visagram.core.segments import Timeline
from visagram.core.types import Observations, Progress, VideoFacts
from visagram.errors import DecodeFailed, NoFrames, UnreadableInput
from visagram.files import output_error
from visagram.media.container import open_video
from visagram.media.overlay import Overlay, mixing
from visagram.media.sound import FITS_MP4, copy_sound, encode_sound
from visagram.media.upright import Look
from visagram.settings import Settings, cores

STAGE = "annotate"
FINEST_BASE, MICROSECOND = 10_000_000, Fraction(1, 1_000_000)
"""Time bases with a larger denominator overflow MP4's frame durations: microseconds then."""
MOST_THREADS = 8
HOLD = 1e-4
"""Seconds of tolerance where times in floating point meet."""

if TYPE_CHECKING:
    from visagram.media.sound import Sound

    Packet = av.Packet[Any]
    _Way = Callable[[OutputContainer, AudioStream, Fraction], Sound]


def annotate(
    path: Path,
    facts: VideoFacts,
    timeline: Timeline,
    observations: Observations,
    names: dict[int, str],
    output: Path,
    settings: Settings,
    progress: Progress,
) -> None:
    """Write `path` with what was observed drawn in as H.264 and AAC (or the sound's own format) in MP4 to `output`.

    Every frame that decodes is there, upright, in square pixels and at its own time, which counts from the video's
    start. names: by person. Raises `InputError`, and `OutputError` for what the disk refuses.
    """
    job = _Job(path, facts, timeline, observations, names, output, settings, progress)
    with open_video(path, settings) as (container, _):
        voice = container.streams.best("audio")
        codec = voice.codec_context.name if voice is not None else ""
    ways: list[_Way | None] = [encode_sound, None] if codec else [None]
    if codec in FITS_MP4:
        ways.insert(0, copy_sound)
    for way in ways:
        try:
            return job.run(way)
        except _Refused as error:
            # Some sound fits in only when it is encoded anew, and some not at all.
            if way is None:
                raise DecodeFailed(f"{path} could not be annotated ({error}): it may be damaged.") from error


class _Refused(Exception):
    """FFmpeg does not want it this way."""


@contextmanager
def _refusals() -> Iterator[None]:
    """What FFmpeg refuses, as `_Refused`; the disk's and the memory's refusals stay what they are."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except (av.error.FFmpegError, ValueError) as error:
        raise _Refused(getattr(error, "strerror", None) or str(error)) from error


class _Job:
    """What does not change between attempts."""

    def __init__(
        self,
        path: Path,
        facts: VideoFacts,
        timeline: Timeline,
        observations: Observations,
        names: dict[int, str],
        output: Path,
        settings: Settings,
        progress: Progress,
    ) -> None:
        self._path, self._facts, self._timeline, self._settings = path, facts, timeline, settings
        self._names, self._output, self._progress = names, output, progress
        self._observations = _Held(observations)
        self._clock = _Clock(timeline, facts.rate)
        self._threads = min(settings.processes or cores(), MOST_THREADS)
        self._done = 0

    def run(self, way: _Way | None) -> None:
        """Read, draw and write the whole video, with the sound treated in this `way`."""
        self._done = 0
        with open_video(self._path, self._settings) as (source, stream):
            voice = source.streams.best("audio") if way else None
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = self._threads
            look = Look(self._facts, stream)
            overlay = Overlay(look.width, look.height, self._names, mixing(look.matrix, look.full, look.transfer))
            with _created(self._output, self._clock.base, self._beat) as target:
                with _refusals():
                    video = look.add_stream(target, self._facts.rate, self._clock.base, self._threads)
                    start = self._timeline.origin * self._timeline.base
                    sound = way(target, voice, start) if way and isinstance(voice, AudioStream) else None
                    target.start_encoding()
                for packet in self._demux(source, [stream, voice] if sound else [stream]):
                    self._beat()
                    if sound and packet.stream is voice:
                        with _refusals():
                            target.mux(list(sound(packet)))
                        continue
                    for number, frame in self._decoded(packet):
                        drawn = self._drawn(number, frame, look, overlay)
                        with _refusals():
                            target.mux(self._clock.spans(video.encode(drawn)))
                with _refusals():
                    target.mux(self._clock.spans(video.encode(None)))
        if not self._done:
            raise NoFrames(f"{self._path} holds no frame that can be decoded: it may be cut short or damaged.")
        self._progress(STAGE, self._done, self._done)

    def _demux(self, container: InputContainer, streams: list[Any]) -> Iterator[Packet]:
        """Packets until the file ends or is too damaged to go on; at its end one of size 0 for each stream."""
        packets = container.demux(*streams)
        while True:
            try:
                yield next(packets)
            except (StopIteration, av.error.FFmpegError):
                return
            except OSError as error:
                raise UnreadableInput(f"{self._path} cannot be read to its end ({error.strerror}).") from error

    def _decoded(self, packet: Packet) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames of a packet that are whole and to be shown, with their numbers."""
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except av.error.FFmpegError:
            return
        for frame in frames:
            if not isinstance(frame, av.VideoFrame) or frame.is_corrupt:
                continue
            if frame.width * frame.height > self._settings.max_pixels:
                continue
            number = self._clock.number(frame.pts, self._done)
            if number is not None:
                yield number, frame
                self._done += 1

    def _drawn(self, number: int, frame: av.VideoFrame, look: Look, overlay: Overlay) -> av.VideoFrame:
        upright, planes = look.upright(frame)
        faces = self._observations.at(number, self._clock.seconds(number))
        if look.scale != 1:
            faces = faces.with_columns(box=(faces.box * look.scale).astype(np.float32))
        overlay.draw(planes, faces)
        upright.pts, upright.time_base = self._clock.pts(number), self._clock.base
        return upright

    def _beat(self) -> None:
        self._progress(STAGE, min(self._done, max(self._facts.frames - 1, 0)), self._facts.frames)


class _Clock:
    """When each frame is shown in the output, in units of `base` from the video's start: exactly as in the source."""

    def __init__(self, timeline: Timeline, rate: Fraction) -> None:
        self._timeline, self._rate = timeline, rate or Fraction(1)
        self._numbers = {int(pts): number for number, pts in enumerate(timeline.pts)}
        own = timeline.base if self._numbers else 1 / self._rate
        self.base = own if own.denominator <= FINEST_BASE else MICROSECOND
        shown = timeline.pts.tolist()
        if self._numbers and self.base != timeline.base:
            shown = [self.pts(number) for number in range(len(shown))]
        usual = max(1, round(1 / self._rate / self.base))
        after = [*shown[1:], max(round(timeline.seconds(timeline.end) / self.base), shown[-1] + 1)] if shown else []
        self._spans = defaultdict(lambda: usual, ((a, b - a) for a, b in zip(shown, after, strict=True)))
        self._last = -1

    def number(self, pts: int | None, count: int) -> int | None:
        """The number of a decoded frame, None if it is not to be shown. count: frames so far."""
        if not self._numbers:
            return count
        number = None if pts is None else self._numbers.get(pts - self._timeline.origin)
        if not count:
            self._last = -1
        if number is None or number <= self._last:
            return None
        self._last = number
        return number

    def seconds(self, number: int) -> float:
        return float(self._timeline.seconds(int(self._timeline.pts[number])) if self._numbers else number / self._rate)

    def pts(self, number: int) -> int:
        seconds = self._timeline.seconds(int(self._timeline.pts[number])) if self._numbers else number / self._rate
        return round(seconds / self.base)

    def spans(self, packets: Iterable[Packet]) -> list[Packet]:
        """Give encoded packets the time for which they are shown, which only the last one's length depends on."""
        timed = list(packets)
        for packet in timed:
            packet.duration = self._spans[packet.pts or 0]
        return timed


class _Held:
    """Observations by frame, each shown until its span is over."""

    def __init__(self, observations: Observations) -> None:
        self._rows = observations[np.argsort(observations.frame, kind="stable")]
        self._frames, first = np.unique(self._rows.frame, return_index=True)
        self._bounds = [*first.tolist(), len(self._rows)]

    def at(self, number: int, seconds: float) -> Observations:
        """The faces to draw on a frame."""
        found = int(np.searchsorted(self._frames, number, side="right")) - 1
        if found < 0:
            return self._rows[:0]
        rows = self._rows[self._bounds[found] : self._bounds[found + 1]]
        if self._frames[found] == number:
            return rows
        return rows[rows.time + rows.span > seconds + HOLD]


class _Written(io.FileIO):
    """The output, which tells that work goes on with each block: moving the index to the front takes long."""

    def __init__(self, path: Path, beat: Callable[[], None]) -> None:
        super().__init__(str(path), "wb+")
        self._beat = beat

    def write(self, block: Any) -> int:
        self._beat()
        rest = memoryview(block)
        while rest:
            rest = rest[super().write(rest) or 0 :]
        return len(block)


@contextmanager
def _created(path: Path, base: Fraction, beat: Callable[[], None]) -> Iterator[OutputContainer]:
    """An MP4 file to mux into, whose streams may start at any multiple of `base`. Raises `OutputError`."""
    ticks = base.denominator * max(1, math.ceil(1000 / base.denominator))
    options = {"movflags": "+faststart", "movie_timescale": str(ticks)}
    try:
        with _Written(path, beat) as file:
            target = av.open(file, "w", format="mp4", options=options)
            try:
                yield target
            except BaseException:
                with suppress(av.error.FFmpegError, OSError):
                    target.close()
                raise
            with _refusals():
                target.close()
    except OSError as error:
        raise output_error(path, error) from error
