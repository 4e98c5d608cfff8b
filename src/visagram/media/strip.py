"""Small pictures of a whole video: sheets of thumbnails for its seek bar, and a poster.

Where key frames are close enough together only they are decoded; a short video without them is decoded in full. A long
one without them shows the nearest key frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from visagram.errors import NoFrames
from visagram.media.container import open_video
from visagram.media.decode import Picture
from visagram.media.numbering import Numbering, whole
from visagram.media.packets import Alive, demux
from visagram.media.source import Source
from visagram.media.still import encode_jpeg, frame_at, scaled
from visagram.settings import cores

MOST, SHORTEST = 150, 0.5
"""Thumbnails of a video, and seconds from one to the next."""
WIDTH, TALLEST = 160, 320
COLUMNS, ROWS = 10, 10
QUALITY = 75
FEW = 0.1
"""Share of thumbnails that may be further from their moment than one interval, while others are exact."""
AFFORDABLE = 6_000_000_000
"""Pixels that may be decoded in full: some seconds' work."""
POSTER_SIDE, POSTER_AT = 480, 0.1
BLACK = 24
"""Mean grey level up to which a picture is nearly black."""
MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class Strip:
    """Thumbnails at equal intervals. thumbs: (n, height, width, 3) uint8 BGR. times: (n,) float64, seconds at which
    each was taken."""

    interval: float
    thumbs: NDArray[np.uint8]
    times: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """Rows of a sheet; sheets are about equally full."""
        sheets = math.ceil(len(self.thumbs) / (COLUMNS * ROWS))
        return math.ceil(len(self.thumbs) / sheets / COLUMNS)

    @property
    def sheets(self) -> Iterator[bytes]:
        """JPEG pictures of the same size, filled row by row; cells after the last thumbnail are black."""
        count, height, width, _ = self.thumbs.shape
        cells = self.rows * COLUMNS
        for first in range(0, count, cells):
            sheet = np.zeros((cells, height, width, 3), np.uint8)
            sheet[: min(cells, count - first)] = self.thumbs[first : first + cells]
            rows = sheet.reshape(self.rows, COLUMNS, height, width, 3).swapaxes(1, 2)
            yield encode_jpeg(rows.reshape(self.rows * height, COLUMNS * width, 3), QUALITY)

    def facts(self) -> dict[str, Any]:
        """Sizes in pixels, sheets in cells, the interval in seconds."""
        count, height, width, _ = self.thumbs.shape
        sizes = {"width": width, "height": height, "columns": COLUMNS, "rows": self.rows}
        return sizes | {"interval": self.interval, "count": count}


def read_strip(source: Source, alive: Alive = lambda: None) -> Strip:
    """Read the thumbnails of a video. Raises `InputError`."""
    facts = source.facts
    duration = float(facts.duration)
    interval = max(SHORTEST, duration / MOST)
    count = min(MOST, max(1, math.ceil(duration / interval - 1e-6)))
    wanted = np.minimum((np.arange(count) + 0.5) * interval, duration)
    canvas = facts.canvas
    reader = _Reader(source, scaled(canvas, min(WIDTH / canvas[0], TALLEST / canvas[1])), alive)
    timeline = source.timeline
    keys = np.flatnonzero(np.isin(timeline.keys, timeline.pts)) if timeline.seekable else np.empty(0, np.intp)
    seconds = (timeline.keys[keys] * float(timeline.base)).astype(np.float64)
    near = _nearest(seconds, wanted) if len(keys) else None
    affordable = facts.frames * facts.coded_width * facts.coded_height <= AFFORDABLE
    taken: dict[float, NDArray[np.uint8]] = {}
    if near is not None:
        far = np.abs(seconds[near] - wanted) > interval
        if not affordable or far.mean() <= FEW:
            taken = reader.keys(keys[np.unique(near)])
    elif not affordable:
        taken = reader.straight(wanted, keys_only=True)
    taken = taken or reader.straight(wanted, keys_only=False)
    if not taken:
        raise NoFrames(f"{source.path} holds no frame that can be decoded: it may be cut short or damaged.")
    times = np.array(sorted(taken))
    times = times[_nearest(times, wanted)]
    return Strip(interval, np.stack([taken[float(time)] for time in times]), times)


def poster(source: Source, strip: Strip, time: float | None = None, alive: Alive = lambda: None) -> bytes:
    """JPEG of the picture at `time` in seconds, by default of the first that is not nearly black after a tenth."""
    if time is None:
        start = int(len(strip.thumbs) * POSTER_AT)
        bright = strip.thumbs.mean(axis=(1, 2, 3)) > BLACK
        order = [*range(start, len(bright)), *range(start - 1, -1, -1)]
        time = float(strip.times[next((k for k in order if bright[k]), start)])
    frame = frame_at(source, time, alive)
    return encode_jpeg(frame.picture(*scaled(frame.size, min(1.0, POSTER_SIDE / max(frame.size)))))


def _nearest(sorted_times: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.intp]:
    """(n,) which of the times is nearest to each wanted one."""
    after = np.clip(np.searchsorted(sorted_times, wanted), 1, max(1, len(sorted_times) - 1))
    after = np.minimum(after, len(sorted_times) - 1)
    before = np.maximum(after - 1, 0)
    closer = wanted - sorted_times[before] <= sorted_times[after] - wanted
    return np.where(closer, before, after)


class _Reader:
    """Takes thumbnails by time in seconds, each in its own shape in the middle of its cell."""

    def __init__(self, source: Source, size: tuple[int, int], alive: Alive) -> None:
        self._source, self._size, self._alive = source, size, alive
        self._picture = Picture()

    def keys(self, which: NDArray[np.intp]) -> dict[float, NDArray[np.uint8]]:
        """Of the key frames with these places in the timeline's list, by seeking to each."""
        timeline = self._source.timeline
        taken: dict[float, NDArray[np.uint8]] = {}
        with self._opened() as (container, stream):
            stream.thread_type = "SLICE"
            for key in which.tolist():
                packet = self._sought(container, stream, timeline.marks[timeline.key_packets[key]])
                frame = self._alone(packet) if packet else None
                if frame is not None:
                    pts = int(timeline.keys[key])
                    taken[float(timeline.seconds(pts))] = self._thumb(frame, int(np.searchsorted(timeline.pts, pts)))
        return taken

    def straight(self, wanted: NDArray[np.float64], *, keys_only: bool) -> dict[float, NDArray[np.uint8]]:
        """The first frames at or after the `wanted` times, in one pass. keys_only: of key frames alone."""
        timeline = self._source.timeline
        taken: dict[float, NDArray[np.uint8]] = {}
        due = 0
        with self._opened() as (container, stream):
            stream.thread_type = "AUTO" if timeline.whole else "SLICE"
            stream.codec_context.thread_count = min(cores(), MOST_THREADS)
            for number, frame in self._keys(container, stream) if keys_only else self._all(container, stream):
                time = float(timeline.seconds(int(timeline.pts[number])))
                if not taken or (due < len(wanted) and time >= wanted[due]):
                    taken[time] = self._thumb(frame, number)
                    due = int(np.searchsorted(wanted, time, side="right"))
        return taken

    def _opened(self) -> AbstractContextManager[tuple[InputContainer, VideoStream]]:
        return open_video(self._source.path, self._source.settings, self._source.facts.stream)

    def _thumb(self, frame: av.VideoFrame, number: int) -> NDArray[np.uint8]:
        facts = self._source.facts.at(number, (frame.width, frame.height))
        scale = min(self._size[0] / facts.width, self._size[1] / facts.height)
        width, height = scaled((facts.width, facts.height), scale)
        width, height = min(width, self._size[0]), min(height, self._size[1])
        cell = np.zeros((self._size[1], self._size[0], 3), np.uint8)
        left, top = (self._size[0] - width) // 2, (self._size[1] - height) // 2
        cell[top : top + height, left : left + width] = self._picture(frame, facts, width, height)
        return cell

    def _sought(
        self, container: InputContainer, stream: VideoStream, mark: NDArray[np.int64]
    ) -> av.Packet[VideoStream] | None:
        """The packet with this mark, None where a seek does not lead to it."""
        place, size, stamp = (int(value) for value in mark[:3])
        by_byte = self._source.timeline.by_byte
        try:
            if by_byte:
                container.seek(place, any_frame=True, unsupported_byte_offset=True)
            else:
                container.seek(stamp, stream=stream)
        except av.error.FFmpegError:
            return None
        for packet in demux(container, stream):
            self._alive()
            if by_byte:
                return packet if (packet.pos, packet.size) == (place, size) else None
            if packet.pts is not None and packet.is_keyframe and packet.pts >= stamp:
                return packet if packet.pts == stamp else None
        return None

    def _alone(self, packet: av.Packet[VideoStream]) -> av.VideoFrame | None:
        """The frame of a packet that needs no other."""
        context = packet.stream.codec_context
        try:
            frames = [*context.decode(packet), *context.decode(None)]
        except MemoryError:
            raise
        except av.error.FFmpegError:
            frames = []
        context.flush_buffers()
        return next((frame for frame in frames if self._fits(frame)), None)

    def _all(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, av.VideoFrame]]:
        source = self._source
        numbering = Numbering(whole(source.timeline), source.facts, source.settings.max_pixels)
        for packet in demux(container, stream):
            self._alive()
            yield from numbering.decoded(packet)

    def _keys(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, av.VideoFrame]]:
        timeline = self._source.timeline
        numbers = np.searchsorted(timeline.pts, timeline.keys).tolist()
        places = {int(packet): number for packet, number in zip(timeline.key_packets, numbers, strict=True)}
        count = 0
        for packet in demux(container, stream):
            self._alive()
            if not packet.size:
                continue
            if count in places and (frame := self._alone(packet)) is not None:
                yield min(places[count], len(timeline.pts) - 1), frame
            count += 1

    def _fits(self, frame: av.VideoFrame) -> bool:
        return not frame.is_corrupt and frame.width * frame.height <= self._source.settings.max_pixels
