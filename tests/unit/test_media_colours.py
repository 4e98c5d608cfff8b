"""Copies look like their originals: the same colours and greys in every coding, tagged or not, for a player.

A player decodes by the tags of the copy, and where one is missing it guesses as browsers do: BT.709 from 720 lines on,
BT.601 below. What the original's colours are is known from how it was written here, with matrices out of the standards.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from factories import observations, report_of
from media_factory import FULL, LIMITED, write_clip
from visagram.core.types import EXPRESSIONS
from visagram.plots import PALETTE
from visagram.settings import Settings
from visagram.workers import Workers

BT709, BT601, UNTAGGED = 1, 6, 2
WEIGHTS = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114)}
"""Kr and Kb: ITU-R BT.709-6, item 3.2; BT.601-7, item 2.5.1."""
COLOURS = np.array(
    [
        [230, 30, 40],
        [30, 200, 60],
        [40, 50, 220],
        [220, 200, 40],
        [200, 60, 200],
        [250, 250, 250],
        [8, 8, 8],
        [128] * 3,
    ],
    np.float64,
)
"""RGB of vertical stripes."""
HAPPY = EXPRESSIONS.index("happy")


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(Settings(processes=1)) as pool:
        yield pool


def yuv(rgb: np.ndarray, matrix: int, full: bool) -> np.ndarray:
    """(…, 3) Y'CbCr of R'G'B' in 0..255, not rounded."""
    kr, kb = WEIGHTS[matrix]
    r, g, b = (rgb[..., k] / 255 for k in range(3))
    y = kr * r + (1 - kr - kb) * g + kb * b
    blue, red = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    scale, offset, spread = (255, 0, 255) if full else (219, 16, 224)
    return np.stack([y * scale + offset, blue * spread + 128, red * spread + 128], axis=-1)


def rgb(planes: np.ndarray, matrix: int, full: bool) -> np.ndarray:
    """The inverse of `yuv`, clipped."""
    kr, kb = WEIGHTS[matrix]
    scale, offset, spread = (255, 0, 255) if full else (219, 16, 224)
    y = (planes[..., 0] - offset) / scale
    blue, red = ((planes[..., k] - 128) / spread for k in (1, 2))
    r, b = y + 2 * (1 - kr) * red, y + 2 * (1 - kb) * blue
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.stack([r, g, b], axis=-1) * 255, 0, 255)


def striped(
    path: Path,
    size: tuple[int, int],
    *,
    matrix: int,
    color_range: int,
    tag: int | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """A clip of the `COLOURS` as stripes. tag: of the matrix in the file, by default the one it was written with."""
    width, height = size
    stripes = yuv(COLOURS, matrix, color_range == FULL)
    frame = av.VideoFrame(width, height, pixel_format)
    for k, plane in enumerate(frame.planes):
        filled = np.zeros((plane.height, plane.line_size), np.uint8)
        filled[:, : plane.width] = np.round(stripes[np.arange(plane.width) * len(COLOURS) // plane.width, k])
        plane.update(filled.tobytes())
    frame.color_range, frame.colorspace = color_range, matrix if tag is None else tag
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        context = stream.codec_context
        context.time_base, context.color_range, context.colorspace = (
            Fraction(1, 25),
            frame.color_range,
            frame.colorspace,
        )
        for number in range(5):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def seen(video: Path) -> tuple[np.ndarray, av.VideoFrame]:
    """(h, w, 3) RGB of the last frame as a player shows it, and the frame."""
    with av.open(str(video)) as container:
        context = container.streams.video[0].codec_context
        tag, full = int(context.colorspace), int(context.color_range) == FULL
        *_, frame = container.decode(video=0)
    assert frame.format.name in ("yuv420p", "yuvj420p")
    matrix = {BT709: BT709, 5: BT601, BT601: BT601}.get(tag, BT709 if frame.height >= 720 else BT601)
    planes = [np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, : p.width] for p in frame.planes]
    wide = [plane if k == 0 else plane.repeat(2, 0).repeat(2, 1) for k, plane in enumerate(planes)]
    height, width = planes[0].shape
    together = np.stack([plane[:height, :width] for plane in wide], axis=-1).astype(np.float64)
    return rgb(together, matrix, full), frame


def stripes_of(picture: np.ndarray) -> np.ndarray:
    """(8, 3) the colour in the middle of each stripe."""
    height, width, _ = picture.shape
    step = width / len(COLOURS)
    middles = [round((k + 0.5) * step) for k in range(len(COLOURS))]
    return np.stack([picture[height // 4 : 3 * height // 4, x - 3 : x + 4].mean(axis=(0, 1)) for x in middles])


def copied(video: Path, workers: Workers) -> Path:
    output = video.with_name("proxy.mp4")
    workers.derive_proxy(video, output, lambda *_: None)
    return output


SIZES = [(320, 240), (1280, 720), (720, 1280)]
HUGE = (2880, 800)
"""Larger than copies are: what comes out of it has fewer than 720 lines."""


@pytest.mark.parametrize("color_range", [LIMITED, FULL], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT601, BT709], ids=["BT.601", "BT.709"])
@pytest.mark.parametrize("size", [*SIZES, HUGE], ids=str)
def test_a_copy_for_playback_has_the_colours_of_a_tagged_original(
    tmp_path: Path, workers: Workers, size: tuple[int, int], matrix: int, color_range: int
) -> None:
    video = striped(tmp_path / "film.mkv", size, matrix=matrix, color_range=color_range)
    picture, frame = seen(copied(video, workers))
    assert np.abs(stripes_of(picture) - COLOURS).max() < 7
    assert int(frame.color_range) == color_range, "none of 256 greys is lost on the way"


@pytest.mark.parametrize("color_range", [LIMITED, FULL], ids=["limited", "full"])
@pytest.mark.parametrize("size", [*SIZES, HUGE], ids=str)
def test_where_no_tag_says_it_the_copy_is_shown_as_the_original_would_be(
    tmp_path: Path, workers: Workers, size: tuple[int, int], color_range: int
) -> None:
    meant = BT709 if size[1] >= 720 else BT601
    video = striped(tmp_path / "film.mkv", size, matrix=meant, color_range=color_range, tag=UNTAGGED)
    picture, _ = seen(copied(video, workers))
    assert np.abs(stripes_of(picture) - COLOURS).max() < 7


@pytest.mark.parametrize(("codec", "pixel_format"), [("mjpeg", "yuvj420p"), ("mjpeg", "yuvj422p"), ("ffv1", "yuv444p")])
def test_other_codings_of_full_range_keep_black_and_white(
    tmp_path: Path, workers: Workers, codec: str, pixel_format: str
) -> None:
    options = {"qmin": "1", "qmax": "2"} if codec == "mjpeg" else {}
    video = striped(
        tmp_path / "film.mkv",
        (320, 240),
        matrix=BT601,
        color_range=FULL,
        pixel_format=pixel_format,
        codec=codec,
        options=options,
    )
    picture, _ = seen(copied(video, workers))
    assert np.abs(stripes_of(picture) - COLOURS).max() < 8


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)], ids=str)
def test_red_green_and_blue_become_what_they_were(tmp_path: Path, workers: Workers, size: tuple[int, int]) -> None:
    row = COLOURS[np.arange(size[0]) * len(COLOURS) // size[0]].astype(np.uint8)
    frames = [av.VideoFrame.from_ndarray(np.tile(row, (size[1], 1, 1)), "rgb24") for _ in range(3)]
    options = {"qp": "0", "preset": "ultrafast"}
    video = write_clip(tmp_path / "film.mkv", frames, codec="libx264rgb", pixel_format="rgb24", options=options)
    picture, frame = seen(copied(video, workers))
    assert int(frame.colorspace) == BT709
    assert np.abs(stripes_of(picture) - COLOURS).max() < 7


@pytest.mark.parametrize("tag", [None, UNTAGGED], ids=["tagged", "untagged"])
@pytest.mark.parametrize("color_range", [LIMITED, FULL], ids=["limited", "full"])
@pytest.mark.parametrize(("size", "matrix"), [((640, 360), BT601), ((1280, 720), BT709)], ids=str)
def test_what_is_drawn_into_a_video_is_in_the_palettes_colours(
    tmp_path: Path, workers: Workers, size: tuple[int, int], matrix: int, color_range: int, tag: int | None
) -> None:
    video = striped(tmp_path / "film.mkv", size, matrix=matrix, color_range=color_range, tag=tag)
    facts = workers.probe(video)[0]
    width, height = size
    box = np.array([[width * 0.2, height * 0.3, width * 0.2, height * 0.4]], np.float32)
    rows = observations(1, [0], [HAPPY]).with_columns(box=box, span=np.array([1.0]))
    output = tmp_path / "annotated.mp4"
    workers.annotate(video, report_of(rows, facts), output, lambda *_: None)
    picture, _ = seen(output)
    value = int(PALETTE["happy"][1:], 16)
    wanted = np.array([value >> 16, value >> 8 & 255, value & 255])
    x, y, _, h = box[0]
    edge = picture[round(float(y + h / 2)) - 6 : round(float(y + h / 2)) + 6, round(float(x)) - 4 : round(float(x)) + 5]
    assert np.abs(edge - wanted).max(axis=2).min() < 12
    assert np.abs(stripes_of(picture)[5:] - COLOURS[5:]).max() < 7, "the picture itself stays as it was"
