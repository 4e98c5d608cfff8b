"""Frames of a segment, decoded in a thread of their own through a bounded queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
from visagram.media.numbering import Numbering
from visagram.media.packets import Alive, demux
from visagram.settings import Settings

FULL_RANGE = 2
"""AVCOL_RANGE_JPEG."""
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Rounds alike for every pixel format, so that twins of a clip in other codings give the same picture."""
BYTES_PER_SECOND = 2_000_000
"""Of a stream in which places are sought by byte: more than broadcasts have."""
SEEK_BACK = (0, 1, 10)
"""Seconds before the wanted key frame from which decoding is tried in turn."""


class SegmentFrames:
    """The analysed frames of one segment, in presentation order. Iterate once; close (or use as a context) to end
    early.

    damaged: frames that did not decode, known at the end. threads: FFmpeg's own; it changes speed only. depth: frames
    decoded ahead. alive: called by the decoding thread for each packet. Raises `InputError` while iterating where the
    file cannot be opened any more.
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
        self._queue: queue.Queue[tuple[av.VideoFrame, int] | BaseException | None] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._picture = Picture()
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
            for item in self._pictures():
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

    def _pictures(self) -> Iterator[tuple[av.VideoFrame, int]]:
        """The wanted pictures that decode, with their position in the segment."""
        segment, last = self._segment, len(self._segment.pts) - 1
        missing = set(range(segment.core))
        numbering = Numbering(segment, self._facts, self._settings.max_pixels)
        for frame, position in self._entered(numbering):
            missing.discard(position)
            yield frame, position
            if position == last:
                break
        if not self._stopped.is_set():
            self.damaged = len(missing)

    def _entered(self, numbering: Numbering) -> Iterator[tuple[av.VideoFrame, int]]:
        """Pictures from the segment's first on.

        Where a container seeks by decoding time, or a key frame needs what comes before it, the first is not among
        them; then from further back. Where no seek leads to a packet that is known, from the file's beginning.
        """
        if self._segment.seek is not None:
            with self._opened() as (container, stream):
                found: tuple[av.VideoFrame, int] | None = None
                frames: Iterator[tuple[av.VideoFrame, int]] = iter(())
                for back in SEEK_BACK:
                    numbering.reset(sought=True)
                    try:
                        self._seek(container, stream, self._segment.seek, back)
                    except av.error.FFmpegError:
                        break
                    frames = self._numbered(container, stream, numbering)
                    found = next(frames, None)
                    if found is not None and found[1] == 0:
                        break
                if found is not None:
                    yield found
                    yield from frames
                if not numbering.is_lost:
                    return
        numbering.reset(sought=False)
        with self._opened() as (container, stream):
            yield from self._numbered(container, stream, numbering)

    def _seek(self, container: InputContainer, stream: VideoStream, place: int, back: float) -> None:
        """Go to a key frame, or so many seconds before it."""
        if self._segment.by_byte:
            place = max(0, place - round(back * BYTES_PER_SECOND))
            container.seek(place, any_frame=True, unsupported_byte_offset=True)
        else:
            container.seek(place - round(back / self._ticks), stream=stream)

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        with open_video(self._path, self._settings, self._facts.stream) as (container, stream):
            stream.thread_type = "AUTO" if self._timeline.whole else "SLICE"
            stream.codec_context.thread_count = self._threads
            self._ticks = float(stream.time_base or 1)
            yield container, stream

    def _numbered(
        self, container: InputContainer, stream: VideoStream, numbering: Numbering
    ) -> Iterator[tuple[av.VideoFrame, int]]:
        for packet in demux(container, stream):
            self._alive()
            if self._stopped.is_set():
                return
            for position, frame in numbering.decoded(packet):
                yield frame, position

    def _frame(self, frame: av.VideoFrame, position: int) -> Frame:
        segment, timeline = self._segment, self._timeline
        index = int(segment.frames[position])
        facts = self._facts.at(index, (frame.width, frame.height))
        luma, full_range = luma_plane(frame)
        return Frame(
            index=index,
            time=timeline.seconds(int(segment.pts[position])),
            span=timeline.seconds(int(segment.spans[position])),
            luma=luma,
            full_range=full_range,
            to_plane=_to_plane(facts, luma),
            picture=lambda width, height: self._picture(frame, facts, width, height),
            size=(facts.width, facts.height),
        )


class Picture:
    """The displayed picture in colour, scaled inside FFmpeg. One scaler, so that its tables are made once."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame, facts: VideoFacts, width: int, height: int) -> NDArray[np.uint8]:
        """facts: of the frame's own shape. width, height: of the picture that is returned."""
        turns = facts.rotation // 90
        if turns % 2:
            width, height = height, width
        # Without scaling the exact way is ten times slower and gains nothing.
        how = Interpolation.BILINEAR if (width, height) == (frame.width, frame.height) else EXACT
        small = self._reformatter.reformat(frame, width, height, "bgr24", interpolation=how, threads=1)
        shown = np.rot90(small.to_ndarray(), turns)
        return np.ascontiguousarray(shown[:, ::-1] if facts.mirrored else shown)


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
