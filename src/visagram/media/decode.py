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

from visagram.core.geometry import compose, display_to_plane
from visagram.core.segments import Segment, Timeline
from visagram.core.types import Frame, VideoFacts
from visagram.media.container import open_video
from visagram.media.probe import Alive, demux
from visagram.settings import Settings

FULL_RANGE = 2
"""AVCOL_RANGE_JPEG."""
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Rounds alike for every pixel format, so that twins of a clip in other codings give the same picture."""
SEEK_BACK = (0, 1, 10)
"""Seconds before the wanted key frame from which decoding is tried in turn."""


class SegmentFrames:
    """The analysed frames of one segment, in presentation order. Iterate once; close (or use as a context) to end
    early.

    damaged: frames so far that did not decode. threads: FFmpeg's own; it changes speed only. depth: frames decoded
    ahead. alive: called by the decoding thread for each packet. Raises `InputError` while iterating where the file
    cannot be opened any more.
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
        alive: Alive = lambda: None,
    ) -> None:
        self.damaged = 0
        self._alive = alive
        self._path, self._facts, self._timeline, self._settings = path, facts, timeline, settings
        self._segment, self._threads = segment, threads
        self._positions = {int(pts): k for k, pts in enumerate(segment.pts)}
        self._queue: queue.Queue[tuple[av.VideoFrame, int] | BaseException | None] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._picture = Picture(facts)
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
        last = int(segment.pts[-1])
        missing = set(range(segment.core))
        for frame in self._from_seek(container, stream):
            pts = frame.pts - origin  # type: ignore[operator]
            position = self._positions.get(pts)
            if position is not None:
                missing.discard(position)
                yield frame, position
            if pts >= last:
                break
        self.damaged = len(missing)

    def _from_seek(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Frames from the segment's first on, or from a little before it.

        Where a container seeks by decoding time, or a key frame needs what comes before it, the first frame is not
        among them; then from further back.
        """
        first = int(self._segment.pts[0]) + self._timeline.origin
        target = self._segment.seek + self._timeline.origin
        frames: Iterator[av.VideoFrame] = iter(())
        frame: av.VideoFrame | None = None
        for back in SEEK_BACK if self._segment.seek > 0 else (None,):
            if back is not None:
                try:
                    container.seek(target - round(back / self._timeline.base), stream=stream)
                except av.error.FFmpegError:
                    break
            frames = (f for f in self._decoded(container, stream) if f.pts is not None)
            frame = next((f for f in frames if f.pts >= first), None)  # type: ignore[operator]
            if frame is not None and frame.pts == first:
                break
        if frame is not None:
            yield frame
        yield from frames

    def _counted(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[av.VideoFrame, int]]:
        """All frames of a file without usable timestamps, numbered as they come."""
        low = _exactly(self._settings.start)
        high = _exactly(self._settings.end) if self._settings.end is not None else None
        step = 1 / _exactly(self._settings.sample_fps) if self._settings.sample_fps else None
        slot, chosen = -1, 0
        for number, frame in enumerate(self._decoded(container, stream)):
            time = number / self._facts.rate
            if high is not None and time >= high:
                return
            if time < low or (step and int(time / step) == slot):
                continue
            slot = int(time / step) if step else slot
            if chosen % self._settings.frame_interval == 0:
                yield frame, number
            chosen += 1

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        for packet in demux(container, stream):
            self._alive()
            if self._stopped.is_set():
                return
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                if not isinstance(frame, av.VideoFrame):
                    continue
                if frame.is_corrupt or frame.width * frame.height > self._settings.max_pixels:
                    self.damaged += 1
                else:
                    yield frame

    def _frame(self, frame: av.VideoFrame, position: int) -> Frame:
        luma, full_range = luma_plane(frame)
        if self._positions:
            index, time = int(self._segment.frames[position]), self._timeline.seconds(int(self._segment.pts[position]))
            span = self._timeline.seconds(int(self._segment.spans[position]))
        else:
            step = max(1 / self._facts.rate, 1 / _exactly(self._settings.sample_fps or 1000))
            step *= self._settings.frame_interval
            index, time, span = position, position / self._facts.rate, step
        facts = self._facts
        return Frame(
            index=index,
            time=time,
            span=span,
            luma=luma,
            full_range=full_range,
            to_plane=_to_plane(facts, luma),
            picture=lambda width, height: self._picture(frame, width, height),
        )


def _exactly(seconds: float) -> Fraction:
    """The decimal number that a person wrote, not its nearest binary one."""
    return Fraction(repr(float(seconds)))


class Picture:
    """The displayed picture in colour, scaled inside FFmpeg. One scaler, so that its tables are made once."""

    def __init__(self, facts: VideoFacts) -> None:
        self._reformatter = VideoReformatter()
        self._rotation, self._mirrored = facts.rotation, facts.mirrored

    def __call__(self, frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        turns = self._rotation // 90
        if turns % 2:
            width, height = height, width
        # Without scaling the exact way is ten times slower and gains nothing.
        how = Interpolation.BILINEAR if (width, height) == (frame.width, frame.height) else EXACT
        small = self._reformatter.reformat(frame, width, height, "bgr24", interpolation=how, threads=1)
        shown = np.rot90(small.to_ndarray(), turns)
        return np.ascontiguousarray(shown[:, ::-1] if self._mirrored else shown)


def _to_plane(facts: VideoFacts, luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    affine = display_to_plane(facts.width, facts.height, luma.shape[1], luma.shape[0], facts.rotation)
    return compose(affine, np.array([[-1.0, 0, facts.width - 1], [0, 1, 0]])) if facts.mirrored else affine


def luma_plane(frame: av.VideoFrame) -> tuple[NDArray[np.uint8], bool]:
    """The luma of a frame as (h, w) uint8, and whether it spans the full range.

    8-bit YUV and grey are views of the decoder's own memory; everything else is converted to full-range 8-bit grey. Of
    an interlaced frame only the upper field is taken: half the height, but one moment.
    """
    name = frame.format.name
    plane = frame.planes[0]
    planar = name.startswith(("yuv", "nv", "gray")) and "yuyv" not in name and frame.format.components[0].bits == 8
    # A picture stored bottom up has a negative line size.
    if planar and plane.line_size >= frame.width:
        memory = memoryview(plane)
        luma = np.frombuffer(memory, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
        full = name.startswith(("yuvj", "gray")) or frame.color_range == FULL_RANGE
    else:
        luma, full = np.asarray(frame.reformat(format="gray", threads=1).to_ndarray(), np.uint8), True
    return (luma[::2] if frame.interlaced_frame and frame.height > 1 else luma), full
