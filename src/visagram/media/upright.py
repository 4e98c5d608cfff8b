"""Frames as a copy of a video shows them: upright, in square pixels, 8-bit YUV 4:2:0 with colours tagged."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from visagram.core.types import VideoFacts
from visagram.media.overlay import Planes

FALLBACKS = ("h264", "mpeg4")
"""Encoders to take where FFmpeg was built without libx264, the first there is."""
BT709, BT601, UNSPECIFIED = 1, 6, 2
"""AVColorSpace; in the transfer characteristics and primaries 1 is BT.709 as well."""


class Look:
    """The output's size and colours, and frames brought into them: where the picture changes its shape, each part in
    its own shape in the middle.

    full: luma spans 0..255. matrix, transfer: AVColorSpace and AVColorTransferCharacteristic of the output, never
    unspecified for the matrix. scale: from the displayed picture to the output, so that no side is longer than
    `longest` pixels.
    """

    def __init__(self, facts: VideoFacts, stream: VideoStream, longest: int) -> None:
        canvas = facts.canvas
        self.scale = min(1.0, longest / max(canvas))
        self.width = max(1, round(canvas[0] * self.scale))
        self.height = max(1, round(canvas[1] * self.scale))
        context = stream.codec_context
        self._coded = _has_luma(facts.pixel_format)
        self.full = self._coded and _is_full(facts.pixel_format, int(context.color_range))
        tags = (int(context.colorspace), int(context.color_trc), int(context.color_primaries))
        self._tags = tags if self._coded else (BT709, BT709, BT709)
        # By the original's size: a smaller copy has its colours.
        guessed = BT709 if canvas[1] >= 720 else BT601
        self.matrix = guessed if self._tags[0] == UNSPECIFIED else self._tags[0]
        self.transfer = self._tags[1]
        self._reformatter = VideoReformatter()

    def add_stream(
        self, target: OutputContainer, rate: Fraction, base: Fraction, threads: int, encoding: Mapping[str, str]
    ) -> VideoStream:
        """A stream for frames of this look. encoding: options of libx264."""
        if "libx264" in av.codecs_available:
            video: Any = target.add_stream("libx264", rate=rate or 1, options=dict(encoding))
        else:
            encoder = next(name for name in FALLBACKS if name in av.codecs_available)
            video = target.add_stream(encoder, rate=rate or 1, options={"b": "8M"})
        context = video.codec_context
        video.width, video.height, video.pix_fmt = self.width + self.width % 2, self.height + self.height % 2, "yuv420p"
        video.time_base = context.time_base = base
        context.thread_count = threads
        context.color_range = ColorRange.JPEG if self.full else ColorRange.MPEG
        context.colorspace, (_, context.color_trc, context.color_primaries) = self.matrix, self._tags
        return video  # type: ignore[no-any-return]

    def place(self, facts: VideoFacts) -> tuple[int, int, int, int]:
        """Where a picture of this shape lies in the output: left, top, width and height in its pixels."""
        width = max(1, min(round(facts.width * self.scale), self.width))
        height = max(1, min(round(facts.height * self.scale), self.height))
        # On even pixels, where colours have a pixel of their own.
        return (self.width - width) // 4 * 2, (self.height - height) // 4 * 2, width, height

    def upright(self, frame: av.VideoFrame, facts: VideoFacts) -> tuple[av.VideoFrame, Planes]:
        """A new frame in the output's size, range and format, turned for display, and its planes to draw on. facts:
        with the frame's own shape."""
        turns = facts.rotation // 90
        left, top, across, down = self.place(facts)
        width, height = (down, across) if turns % 2 else (across, down)
        full = _is_full(frame.format.name, int(frame.color_range))
        source = frame
        if (
            frame.format.name not in ("yuv420p", "yuvj420p")
            or (frame.width, frame.height) != (width, height)
            or full != self.full
        ):
            source = self._reformatter.reformat(
                frame,
                width,
                height,
                "yuv420p",
                dst_colorspace=None if self._coded else BT709,
                src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG if self.full else ColorRange.MPEG,
                interpolation=Interpolation.BICUBIC,
            )
        even = av.VideoFrame(self.width + self.width % 2, self.height + self.height % 2, "yuv420p")
        even.color_range = ColorRange.JPEG if self.full else ColorRange.MPEG
        fills = self._black() if (across, down) != (self.width, self.height) else None
        for number, (plane, into) in enumerate(zip(_planes(source), _planes(even), strict=True)):
            turned = np.rot90(plane, turns)
            turned = turned[:, ::-1] if facts.mirrored else turned
            rows, columns = turned.shape
            y, x = (top, left) if not number else (top // 2, left // 2)
            if fills:
                into[:] = fills[min(number, 1)]
                rows, columns = min(rows, into.shape[0] - y), min(columns, into.shape[1] - x)
            into[y : y + rows, x : x + columns] = turned[:rows, :columns]
            if not fills:
                # An odd side is one pixel short of an even one: the last line once more.
                into[rows:, :columns] = into[rows - 1, :columns]
                into[:, columns:] = into[:, columns - 1 : columns]
        luma, blue, red = _planes(even)
        return even, (luma, blue, red)

    def _black(self) -> tuple[int, int]:
        """Luma and chroma of black."""
        return (0 if self.full else 16), 128


def _planes(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """Views of the planes, without the padding of their lines."""
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]  # type: ignore[call-overload]
        for plane in frame.planes
    ]


def _has_luma(pixel_format: str) -> bool:
    """Not made of red, green and blue or of a palette."""
    return not (VideoFormat(pixel_format, 16, 16).is_rgb or VideoFormat(pixel_format, 16, 16).has_palette)


def _is_full(pixel_format: str, color_range: int) -> bool:
    return pixel_format.startswith(("yuvj", "gray")) or color_range == ColorRange.JPEG
