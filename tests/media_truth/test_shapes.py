"""A picture that changes its shape, rotation, pixel aspect or format on the way is read in its own shape."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from changing import Part, write_parts
from truth import Truth, check_everything

from visagram.media.source import Source
from visagram.media.strip import read_strip
from visagram.settings import Settings
from visagram.workers import Workers

Make = Callable[[Path], Truth]
CHANGES = frozenset({"picture_changes"})


def _truth(path: Path, parts: list[Part], **how: str) -> Truth:
    numbers = write_parts(path, parts, **how)
    sizes = [part.shown for part in parts for _ in range(part.count)]
    return Truth(path, numbers, [k / 25 for k in numbers], len(numbers) / 25, sizes=sizes, codes=CHANGES)


def a_call_in_vp8(folder: Path) -> Truth:
    return _truth(folder / "a.webm", [Part((128, 64), 20), Part((64, 128), 20)], codec="libvpx", container="webm")


def a_call_that_gets_sharper(folder: Path) -> Truth:
    parts = [Part((64, 48), 15), Part((128, 96), 15), Part((256, 192), 15)]
    return _truth(folder / "b.webm", parts, codec="libvpx", container="webm")


def a_call_in_vp9(folder: Path) -> Truth:
    return _truth(folder / "c.webm", [Part((128, 64), 20), Part((96, 96), 20)], codec="libvpx-vp9", container="webm")


def h264_in_a_transport_stream(folder: Path) -> Truth:
    return _truth(folder / "d.ts", [Part((128, 64), 20), Part((64, 96), 20), Part((128, 64), 20)], container="mpegts")


def motion_jpeg(folder: Path) -> Truth:
    parts = [Part((128, 64), 12, "yuvj420p"), Part((64, 64), 12, "yuvj420p")]
    return _truth(folder / "e.mkv", parts, codec="mjpeg", container="matroska")


def pixel_format_of_motion_jpeg(folder: Path) -> Truth:
    parts = [Part((128, 64), 12, "yuvj420p"), Part((128, 64), 12, "yuvj444p")]
    return _truth(folder / "f.mkv", parts, codec="mjpeg", container="matroska")


def pixel_format_of_h264(folder: Path) -> Truth:
    parts = [Part((128, 64), 20), Part((128, 64), 20, "yuv444p"), Part((128, 64), 10, "yuv420p10le")]
    return _truth(folder / "g.ts", parts, container="mpegts")


def turned(folder: Path) -> Truth:
    parts = [Part((128, 64), 20), Part((128, 64), 20, turned=90), Part((128, 64), 20)]
    return _truth(folder / "h.ts", parts, container="mpegts")


def turned_back(folder: Path) -> Truth:
    return _truth(folder / "i.ts", [Part((128, 64), 20, turned=270), Part((128, 64), 20)], container="mpegts")


def turned_upside_down(folder: Path) -> Truth:
    return _truth(folder / "j.ts", [Part((128, 64), 20), Part((128, 64), 20, turned=180)], container="mpegts")


def pixel_aspect_of_mpeg2(folder: Path) -> Truth:
    """A broadcast that goes from 4:3 to 16:9."""
    parts = [Part((120, 96), 20, aspect=Fraction(16, 15)), Part((120, 96), 20, aspect=Fraction(64, 45))]
    return _truth(folder / "k.ts", parts, codec="mpeg2video", container="mpegts")


def pixel_aspect_of_h264(folder: Path) -> Truth:
    parts = [Part((96, 64), 20), Part((96, 64), 20, aspect=Fraction(4, 3)), Part((96, 64), 20, aspect=Fraction(2, 3))]
    return _truth(folder / "l.ts", parts, container="mpegts")


def size_of_mpeg2(folder: Path) -> Truth:
    """Its decoder forgets the picture that it holds back unless it is asked for it before."""
    parts = [Part((128, 64), 20), Part((96, 96), 20)]
    return _truth(folder / "m.ts", parts, codec="mpeg2video", container="mpegts")


def size_of_mpeg4(folder: Path) -> Truth:
    return _truth(folder / "n.mkv", [Part((128, 64), 20), Part((96, 96), 20)], codec="mpeg4", container="matroska")


def size_of_hevc(folder: Path) -> Truth:
    options = {"x265-params": "log-level=none:bframes=0:repeat-headers=1:keyint=10"}
    parts = [Part((128, 64), 20, options=options), Part((96, 96), 20, options=options)]
    return _truth(folder / "o.ts", parts, codec="libx265", container="mpegts")


CASES = [
    size_of_mpeg2,
    size_of_mpeg4,
    size_of_hevc,
    a_call_in_vp8,
    a_call_that_gets_sharper,
    a_call_in_vp9,
    h264_in_a_transport_stream,
    motion_jpeg,
    pixel_format_of_motion_jpeg,
    pixel_format_of_h264,
    turned,
    turned_back,
    turned_upside_down,
    pixel_aspect_of_mpeg2,
    pixel_aspect_of_h264,
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_each_part_is_read_in_its_own_shape(make: Make, tmp_path: Path, workers: Workers) -> None:
    check_everything(make(tmp_path), workers, tmp_path)


def test_thumbnails_keep_the_shape_of_each_part(tmp_path: Path) -> None:
    truth = a_call_in_vp8(tmp_path)
    strip = read_strip(Source.probed(truth.path, Settings()))
    wide, tall = strip.thumbs[0], strip.thumbs[-1]
    side = strip.thumbs.shape[1]
    assert strip.thumbs.shape[2] == side
    # Black beside what does not fill the cell.
    assert wide[: side // 8].max() == 0 and wide[side // 2, side // 16].max() > 0
    assert tall[:, : side // 8].max() == 0 and tall[side // 16, side // 2].max() > 0


def test_one_shape_throughout_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    write_parts(path, [Part((128, 64), 20), Part((128, 64), 20, options={"qp": "30"})], container="mpegts")
    source = Source.probed(path, Settings())
    assert not source.facts.shapes and not source.warnings
