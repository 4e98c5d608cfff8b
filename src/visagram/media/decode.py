"""Frames of a segment, decoded in a thread of their own through a bounded queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from visagram.core.geometry import display_to_plane
from visagram.core.segments import Segment, Timeline
from visagram.core.types import Frame, VideoFacts
from visagram.media.container import open_video
from visagram.media.probe import demux
from visagram.settings import Settings

FULL_RANGE = 2
"""AVCOL_RANGE_JPEG."""


class SegmentFrames:
    """The analysed frames of one segment, in presentation order. Iterate once; close (or use as a context) to end early.

    damaged: frames so far that did not decode. threads: FFmpeg's own; it changes speed only. depth: frames decoded ahead.
    Raises `InputError` while iterating where the file cannot be opened any more.
    """

    def __init__(
        self,
        path: Path,
        facts: VideoFacts,
        timeline: Timeline,
        segment: Segment,
        settings: Settings,
        *,
        threads: int,
        depth: int,
    ) -> None:
        self.damaged = 0
        self._path, self._facts, self._timeline, self._settings = path, facts, timeline, settings
        self._segment, self._threads = segment, threads
        self._positions = {int(pts): k for k, pts in enumerate(segment.pts)}
        self._queue: queue.Queue[tuple[av.VideoFrame, int] | BaseException | None] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._picture = _Picture(facts)
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield self._frame(*item)

    def close(self) -> None:
        """Stop decoding and wait for the thread."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue
        self._thread.join()

    def __enter__(self) -> SegmentFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            with open_video(self._path, self._settings) as (container, stream):
                stream.thread_type = "AUTO"
                stream.codec_context.thread_count = self._threads
                decoded = self._timed(container, stream) if self._positions else self._counted(container, stream)
                for item in decoded:
                    self._put(item)
                    if self._stopped.is_set():
                        return
            self._put(None)
        except BaseException as error:  # handed to the reader, whatever it is
            self._put(error)

    def _put(self, item: tuple[av.VideoFrame, int] | BaseException | None) -> None:
        while not self._stopped.is_set():
            try:
                return self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue

    def _timed(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[av.VideoFrame, int]]:
        """Frames that the segment names by timestamp, with their position in it."""
        segment, origin = self._segment, self._timeline.origin
        if segment.seek > 0:
            container.seek(segment.seek + origin, stream=stream)
        last = int(segment.pts[-1])
        found = 0
        for frame in self._decoded(container, stream):
            if frame.pts is None:
                continue
            pts = frame.pts - origin
            position = self._positions.get(pts)
            if position is not None:
                found += 1
                yield frame, position
            if pts >= last:
                break
        self.damaged = len(segment.pts) - found

    def _counted(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[av.VideoFrame, int]]:
        """All frames of a file without usable timestamps, numbered as they come."""
        low = Fraction(self._settings.start)
        high = Fraction(self._settings.end) if self._settings.end is not None else None
        step = Fraction(1) / Fraction(self._settings.sample_fps) if self._settings.sample_fps else None
        slot = -1
        for number, frame in enumerate(self._decoded(container, stream)):
            time = number / self._facts.rate
            if high is not None and time >= high:
                return
            if time < low or (step and int(time / step) == slot):
                continue
            slot = int(time / step) if step else slot
            yield frame, number

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        for packet in demux(container, stream):
            if self._stopped.is_set():
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                if frame.is_corrupt or frame.width * frame.height > self._settings.max_pixels:
                    self.damaged += 1
                else:
                    yield frame  # type: ignore[misc]

    def _frame(self, frame: av.VideoFrame, position: int) -> Frame:
        luma, full_range = luma_plane(frame)
        if self._positions:
            index, time = int(self._segment.frames[position]), self._timeline.seconds(int(self._segment.pts[position]))
            span = self._timeline.seconds(int(self._segment.spans[position]))
        else:
            step = max(1 / self._facts.rate, Fraction(1) / Fraction(self._settings.sample_fps or 1000))
            index, time, span = position, position / self._facts.rate, step
        facts = self._facts
        return Frame(
            index=index,
            time=time,
            span=span,
            luma=luma,
            full_range=full_range,
            to_plane=display_to_plane(facts.width, facts.height, luma.shape[1], luma.shape[0], frame.rotation),
            picture=lambda width, height: self._picture(frame, width, height),
        )


class _Picture:
    """The displayed picture in colour, scaled inside FFmpeg. One scaler, so that its tables are made once."""

    def __init__(self, facts: VideoFacts) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        turns = frame.rotation // 90 % 4
        if turns % 2:
            width, height = height, width
        small = self._reformatter.reformat(
            frame, width, height, "bgr24", interpolation=Interpolation.BILINEAR, threads=1
        )
        return np.ascontiguousarray(np.rot90(small.to_ndarray(), turns)) if turns else small.to_ndarray()


def luma_plane(frame: av.VideoFrame) -> tuple[NDArray[np.uint8], bool]:
    """The luma of a frame as (h, w) uint8, and whether it spans the full range.

    8-bit YUV and grey are views of the decoder's own memory; everything else is converted to full-range 8-bit grey. Of
    an interlaced frame only the upper field is taken: half the height, but one moment.
    """
    name = frame.format.name
    if name.startswith(("yuv", "nv", "gray")) and frame.format.components[0].bits == 8 and "yuyv" not in name:
        plane = frame.planes[0]
        luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
        full = name.startswith(("yuvj", "gray")) or frame.color_range == FULL_RANGE
    else:
        luma, full = frame.reformat(format="gray", threads=1).to_ndarray(), True
    return (luma[::2] if frame.interlaced_frame and frame.height > 1 else luma), full
