"""One pass over a file's packets: what the timeline is made from."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from visagram.core.segments import UNKNOWN
from visagram.core.types import Shape
from visagram.errors import TooLarge
from visagram.media.bitstream import Holds, Reader
from visagram.settings import Settings

Alive = Callable[[], None]

MAX_RATE = 1000
MOST_SHAPES = 1000
"""Changes of the picture that are followed; a file with more is damaged or means harm."""


@dataclass(frozen=True, slots=True)
class Packets:
    """The packets of one video stream in file order. Arrays are (n,); times in units of the stream's time base,
    `UNKNOWN` where a packet has none.

    holds: a `Holds`. discard: an edit list cuts the picture away. position: byte in the file, -1 where unknown.
    shapes: the picture's shapes, each with the number of the packet from which on it holds; empty where nothing could
    be decoded. refused: why this stream cannot be analysed, empty where it can.
    """

    stream: int
    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    duration: NDArray[np.int64]
    position: NDArray[np.int64]
    size: NDArray[np.int64]
    key: NDArray[np.bool_]
    discard: NDArray[np.bool_]
    holds: NDArray[np.int8]
    shapes: tuple[tuple[int, Shape], ...]
    refused: str = ""

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def pictures(self) -> int:
        """How many pictures there are."""
        return int(np.count_nonzero(self.holds == Holds.PICTURE))


def demux(container: InputContainer, streams: VideoStream | Sequence[Any]) -> Iterator[av.Packet[Any]]:
    """Packets until the file ends or is too damaged to go on."""
    packets = container.demux(streams)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def read_packets(
    container: InputContainer, streams: Sequence[VideoStream], path: Path, settings: Settings, alive: Alive
) -> list[Packets]:
    """The packets of each of the `streams`. alive: called for each packet. Raises `TooLarge`."""
    readers = {stream.index: _StreamReader(stream, path, settings) for stream in streams}
    only = readers[streams[0].index] if len(streams) == 1 else None
    for packet in demux(container, list(streams)):
        alive()
        # Not by `stream_index`: the last packet, which is empty, has 0 there.
        (only or readers[packet.stream.index]).take(packet)
    return [reader.result() for reader in readers.values()]


class _StreamReader:
    """Gathers what one stream's packets say."""

    def __init__(self, stream: VideoStream, path: Path, settings: Settings) -> None:
        self._stream, self._path, self._settings = stream, path, settings
        context = stream.codec_context
        self._headers = Reader(context.name, context.extradata)
        self._times = tuple(array("q") for _ in range(5))
        self._flags = tuple(array("b") for _ in range(3))
        self._shapes: list[tuple[int, Shape]] = []
        self._signature = b""
        self._aspect: Fraction | None = None
        self._refused = ""
        self._most = MAX_RATE * settings.max_duration

    def take(self, packet: av.Packet[Any]) -> None:
        number, length = len(self._times[0]), packet.size
        if not length:
            if not self._shapes:
                self._look(packet, number)
            return
        holds = self._headers.read(packet)
        if not self._shapes or self._headers.signature != self._signature:
            self._signature = self._headers.signature
            self._look(packet, number)
        pts, dts, duration, position, size = self._times
        pts.append(UNKNOWN if packet.pts is None else packet.pts)
        dts.append(UNKNOWN if packet.dts is None else packet.dts)
        duration.append(packet.duration or 0)
        position.append(-1 if packet.pos is None else packet.pos)
        size.append(length)
        key, discard, held = self._flags
        key.append(packet.is_keyframe)
        discard.append(packet.is_discard)
        held.append(holds)
        if number > self._most:
            raise TooLarge(f"{self._path} holds more frames than {MAX_RATE} a second for the whole of max_duration.")

    def result(self) -> Packets:
        pts, dts, duration, position, size = (np.array(values, np.int64) for values in self._times)
        key, discard, holds = (np.array(values, np.int8) for values in self._flags)
        known = (pts, dts, duration, position, size, key.astype(bool), discard.astype(bool), holds)
        return Packets(self._stream.index, *known, tuple(self._shapes), self._refused)

    def _look(self, packet: av.Packet[Any], number: int) -> None:
        """Note the picture's shape if it is another one from this packet on: headers can lie, and rotation may only be
        known from a picture."""
        frame = None if self._refused else self._decoded(packet)
        if frame is None:
            return
        if frame.width * frame.height > self._settings.max_pixels:
            if self._shapes:
                # One that grows beyond the limit later on is left out, and counts as damaged.
                return
            size = f"{frame.width}x{frame.height}"
            self._refused = f"{self._path} has frames of {size} pixels, more than max_pixels allows."
        coded = self._stream.codec_context.sample_aspect_ratio
        if not self._shapes:
            self._aspect = coded
        # The container's word comes first, but it knows of no change.
        shape = shape_of(frame, self._stream.sample_aspect_ratio if coded == self._aspect else coded)
        if not self._shapes or self._shapes[-1][1] != shape:
            self._shapes.append((0 if not self._shapes else number, shape))
        if len(self._shapes) > MOST_SHAPES:
            self._refused = f"{self._path} changes its picture more than {MOST_SHAPES} times: it may be damaged."

    def _decoded(self, packet: av.Packet[Any]) -> av.VideoFrame | None:
        """The first frame that the decoder gives for a packet. At the beginning it may need several packets; later on
        the one alone must do, as it is a key frame."""
        context = self._stream.codec_context
        try:
            frames = list(packet.decode())
            if self._shapes and packet.size:
                frames += context.decode(None)
                context.flush_buffers()
        except MemoryError:
            raise
        except av.error.FFmpegError:
            return None
        return next((frame for frame in reversed(frames) if isinstance(frame, av.VideoFrame)), None)


def shape_of(frame: av.VideoFrame, aspect: Fraction | None) -> Shape:
    """How a decoded frame is displayed. aspect: of its pixels. The place in the video is for the caller to fill in."""
    rotation, mirrored = _orientation(frame)
    if not aspect or not Fraction(1, 8) <= aspect <= 8:
        aspect = Fraction(1)
    width, height = max(1, round(frame.width * aspect)), frame.height
    if rotation % 180 == 90:
        width, height = height, width
    return Shape(0, 0.0, frame.format.name, width, height, frame.width, frame.height, rotation, mirrored)


def _orientation(picture: av.VideoFrame) -> tuple[int, bool]:
    """`Shape.rotation` and `mirrored` of a picture.

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
