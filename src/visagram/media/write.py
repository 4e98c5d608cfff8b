"""A video written anew as H.264 and AAC in MP4: upright, in square pixels, each frame at its own time, with its sound.

Every frame that decodes is there; damaged ones are left out. A `Painter` may draw on them.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from visagram.core.types import Progress
from visagram.errors import DecodeFailed, NoFrames, UnreadableInput
from visagram.files import output_error
from visagram.media.clock import Clock, SoundClock
from visagram.media.container import open_video
from visagram.media.numbering import Numbering, whole
from visagram.media.sound import copy_sound, encode_sound
from visagram.media.source import Source
from visagram.media.upright import Look
from visagram.settings import cores

MOST_THREADS = 8

if TYPE_CHECKING:
    from visagram.media.overlay import Planes
    from visagram.media.sound import Sound, Zero

    Packet = av.Packet[Any]
    _Way = Callable[[OutputContainer, AudioStream, Zero], Sound]


@dataclass(frozen=True, slots=True)
class Style:
    """How a copy is written. stage: its name for progress. encoding: options of libx264. copied: codecs whose sound is
    kept as it is; all other sound becomes AAC. longest: pixels of the longer side, more are scaled down. key_every:
    seconds between key frames, None leaves them to the encoder."""

    stage: str
    encoding: Mapping[str, str]
    copied: Collection[str]
    longest: int
    key_every: float | None = None


CLOSE = 1e-6
"""Seconds: sums of times are not exact."""


class Painter(Protocol):
    """Draws on the frames of a copy."""

    def begin(self, look: Look) -> None:
        """The copy begins, with pictures of this look; it may begin again."""

    def paint(self, planes: Planes, number: int, seconds: float) -> None:
        """Draw on the frame with this number in the source, shown at `seconds`."""


def write_mp4(source: Source, output: Path, style: Style, progress: Progress, painter: Painter | None = None) -> None:
    """Write a copy of `source` to `output`. Raises `InputError`, and `OutputError` for what the disk refuses."""
    job = _Job(source, output, style, progress, painter)
    with open_video(source.path, source.settings, source.facts.stream) as (container, _):
        voice = container.streams.best("audio")
        codec = voice.codec_context.name if voice is not None and voice.codec_context is not None else ""
    ways: list[_Way | None] = [encode_sound, None] if codec else [None]
    if codec in style.copied:
        ways.insert(0, copy_sound)
    for way in ways:
        try:
            return job.run(way)
        except _Refused as error:
            # Some sound fits in only when it is encoded anew, and some not at all.
            if way is None:
                raise DecodeFailed(f"{source.path} could not be copied ({error}): it may be damaged.") from error


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

    def __init__(self, source: Source, output: Path, style: Style, progress: Progress, painter: Painter | None) -> None:
        self._source, self._output, self._style = source, output, style
        self._progress, self._painter = progress, painter
        self._clock = Clock(source.timeline)
        self._numbering = Numbering(whole(source.timeline), source.facts, source.settings.max_pixels)
        self._threads = min(source.settings.processes or cores(), MOST_THREADS)
        self._done, self._key = 0, -math.inf

    def run(self, way: _Way | None) -> None:
        """Read, draw and write the whole video, with the sound treated in this `way`."""
        self._done, self._key = 0, -math.inf
        self._numbering.reset(sought=False)
        facts, timeline = self._source.facts, self._source.timeline
        with open_video(self._source.path, self._source.settings, facts.stream) as (container, stream):
            voice = container.streams.best("audio") if way else None
            stream.thread_type = "AUTO" if timeline.whole else "SLICE"
            stream.codec_context.thread_count = self._threads
            look = Look(facts, stream, self._style.longest)
            if self._painter:
                self._painter.begin(look)
            with _created(self._output, self._clock.base, self._beat) as target:
                with _refusals():
                    video = look.add_stream(target, facts.rate, self._clock.base, self._threads, self._style.encoding)
                    heard = SoundClock(timeline, stream.time_base or timeline.base)
                    sound = way(target, voice, heard.zero) if way and isinstance(voice, AudioStream) else None
                    target.start_encoding()
                read = self._demux(container, [stream, voice] if sound else [stream])
                for coded in self._clock.timed(self._coded(read, voice, sound, heard, video, target, look)):
                    with _refusals():
                        target.mux(coded)
        if not self._done:
            raise NoFrames(f"{self._source.path} holds no frame that can be decoded: it may be cut short or damaged.")
        self._progress(self._style.stage, self._done, self._done)

    def _coded(
        self,
        packets: Iterator[Packet],
        voice: object,
        sound: Sound | None,
        heard: SoundClock,
        video: VideoStream,
        target: OutputContainer,
        look: Look,
    ) -> Iterator[Packet]:
        """The copy's pictures, encoded; sound goes into the target on the way."""
        for packet in packets:
            self._beat()
            if sound and packet.stream is voice:
                with _refusals():
                    target.mux(list(sound(packet)))
                continue
            if packet.size:
                heard.passed(packet.pts)
            for number, frame in self._numbering.decoded(packet):
                self._done += 1
                drawn = self._drawn(number, frame, look)
                with _refusals():
                    coded = video.encode(drawn)
                yield from coded
        with _refusals():
            coded = video.encode(None)
        yield from coded

    def _demux(self, container: InputContainer, streams: list[Any]) -> Iterator[Packet]:
        """Packets until the file ends or is too damaged to go on; at its end one of size 0 for each stream."""
        packets = container.demux(*streams)
        while True:
            try:
                yield next(packets)
            except (StopIteration, av.error.FFmpegError):
                return
            except OSError as error:
                path = self._source.path
                raise UnreadableInput(f"{path} cannot be read to its end ({error.strerror}).") from error

    def _drawn(self, number: int, frame: av.VideoFrame, look: Look) -> av.VideoFrame:
        upright, planes = look.upright(frame, self._source.facts.at(number, (frame.width, frame.height)))
        seconds = self._clock.seconds(number)
        if self._painter:
            self._painter.paint(planes, number, seconds)
        if self._style.key_every is not None and seconds >= self._key + self._style.key_every - CLOSE:
            upright.pict_type, self._key = PictureType.I, seconds
        upright.pts, upright.time_base = self._clock.pts(number), self._clock.base
        return upright

    def _beat(self) -> None:
        frames = self._source.facts.frames
        self._progress(self._style.stage, min(self._done, max(frames - 1, 0)), frames)


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
