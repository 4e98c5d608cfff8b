"""The clips that the benchmark measures on: the sample clip and renderings of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from visagram.cli import SAMPLE

SIZES = ((640, 360), (1280, 720), (1920, 1080))
KEY_FRAME_SECONDS = 2
"""Distance of key frames in the renderings: what cameras and streaming services use."""


def render(folder: Path, width: int, height: int, repeats: int) -> Path:
    """The sample clip at another size, scaled to fit on black, played `repeats` times; made once per folder."""
    path = folder / f"sample-{width}x{height}-x{repeats}.mp4"
    if path.exists():
        return path
    partial = path.with_suffix(".part.mp4")
    with av.open(str(partial), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "21"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 25 * KEY_FRAME_SECONDS
        number = 0
        for _ in range(repeats):
            with av.open(str(SAMPLE)) as source:
                for frame in source.decode(video=0):
                    fitted = _fitted(frame, width, height)
                    fitted.pts, fitted.time_base = number, Fraction(1, 25)
                    number += 1
                    output.mux(stream.encode(fitted))
        output.mux(stream.encode(None))
    partial.rename(path)
    return path


def _fitted(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    scale = min(width / frame.width, height / frame.height)
    w, h = round(frame.width * scale) // 2 * 2, round(frame.height * scale) // 2 * 2
    canvas = np.zeros((height, width, 3), np.uint8)
    x, y = (width - w) // 2, (height - h) // 2
    canvas[y : y + h, x : x + w] = frame.reformat(w, h, "bgr24", interpolation="BICUBIC").to_ndarray()
    return av.VideoFrame.from_ndarray(canvas, "bgr24")
