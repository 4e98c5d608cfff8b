"""AVI with empty places in its index keeps its time; raw streams take the rate that they say themselves."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from fields import HEIGHT, WIDTH, h264_frame, h264_headers, pictures
from truth import Truth, check_everything

from media_factory import numbered, write_clip
from visagram.workers import Workers

Make = Callable[[Path], Truth]
NTSC = Fraction(30000, 1001)


def _avi(path: Path, kept: list[int], count: int, options: dict[str, str], *, codec: str = "mpeg4") -> Truth:
    """A capture in which only the places `kept` out of `count` hold a picture; FFmpeg writes the others empty."""
    write_clip(
        path,
        [numbered(96, 64, count)[k] for k in kept],
        codec=codec,
        rate=25,
        pts=kept,
        time_base=Fraction(1, 25),
        options=options,
    )
    assert _places(path) >= kept[-1] + 1
    return Truth(path, kept, [Fraction(k, 25) for k in kept], Fraction(kept[-1] + 1, 25))


def _places(path: Path) -> int:
    """Entries in the index."""
    content = path.read_bytes()
    at = content.index(b"idx1")
    return struct.unpack("<I", content[at + 4 : at + 8])[0] // 16


def holes(folder: Path) -> Truth:
    return _avi(folder / "a.avi", [k for k in range(60) if k < 20 or k % 2 == 0 or k > 44], 60, {"bf": "0", "g": "12"})


def holes_with_pictures_reordered(folder: Path) -> Truth:
    """The last gap is far enough from the end that the encoder's delay does not meet it."""
    return _avi(folder / "b.avi", [k for k in range(60) if k < 20 or k % 2 == 0 or k > 44], 60, {"bf": "2", "g": "12"})


def holes_of_a_second(folder: Path) -> Truth:
    return _avi(folder / "c.avi", [*range(10), *range(35, 50), *range(75, 90)], 90, {"bf": "0", "g": "10"})


def holes_in_motion_jpeg(folder: Path) -> Truth:
    path, kept = folder / "d.avi", [k for k in range(40) if k % 3 != 1]
    frames = [numbered(96, 64, 40)[k] for k in kept]
    write_clip(path, frames, codec="mjpeg", pixel_format="yuvj420p", color_range=2, pts=kept, time_base=Fraction(1, 25))
    first = kept[0]
    return Truth(path, kept, [Fraction(k - first, 25) for k in kept], Fraction(kept[-1] + 1 - first, 25))


def holes_at_the_end(folder: Path) -> Truth:
    """The stream's header says that it goes on longer than its last picture."""
    truth = _avi(folder / "e.avi", list(range(30)), 30, {"bf": "0", "g": "12"})
    content = bytearray(truth.path.read_bytes())
    at = content.index(b"strh") + 8 + 32
    assert struct.unpack("<I", content[at : at + 4])[0] == 30
    content[at : at + 4] = struct.pack("<I", 80)
    truth.path.write_bytes(content)
    return Truth(truth.path, truth.numbers, truth.times, Fraction(80, 25))


def _raw(path: Path, codec: str, rate: Fraction, options: dict[str, str], container: str) -> Truth:
    write_clip(path, numbered(96, 64, 48), codec=codec, rate=rate, options=options, container=container)
    return Truth(path, range(48), [k / rate for k in range(48)], 48 / rate)


def raw_h264(folder: Path) -> Truth:
    return _raw(folder / "a.h264", "libx264", NTSC, {"bf": "0"}, "h264")


def raw_h264_reordered(folder: Path) -> Truth:
    return _raw(folder / "b.264", "libx264", Fraction(50), {"bf": "3", "g": "12"}, "h264")


def raw_hevc(folder: Path) -> Truth:
    return _raw(folder / "c.hevc", "libx265", Fraction(24000, 1001), {"x265-params": "log-level=none"}, "hevc")


def raw_mpeg4(folder: Path) -> Truth:
    return _raw(folder / "d.m4v", "mpeg4", NTSC, {"bf": "2", "g": "12"}, "m4v")


def raw_mpeg2(folder: Path) -> Truth:
    return _raw(folder / "e.m2v", "mpeg2video", Fraction(50), {"bf": "2", "g": "12"}, "mpeg2video")


def raw_mpeg1(folder: Path) -> Truth:
    return _raw(folder / "f.m1v", "mpeg1video", Fraction(30), {"bf": "2", "g": "12"}, "mpeg1video")


CASES = [
    holes,
    holes_with_pictures_reordered,
    holes_of_a_second,
    holes_in_motion_jpeg,
    holes_at_the_end,
    raw_h264,
    raw_h264_reordered,
    raw_hevc,
    raw_mpeg4,
    raw_mpeg2,
    raw_mpeg1,
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_every_picture_is_at_its_place(make: Make, tmp_path: Path, workers: Workers) -> None:
    check_everything(make(tmp_path), workers, tmp_path)


def _silent_h264(folder: Path) -> Path:
    """Parameter sets that say nothing of a rate."""
    path = folder / "silent.h264"
    frames = [h264_headers(None, fields=False) + h264_frame(luma, k) for k, luma in enumerate(pictures(20))]
    path.write_bytes(b"".join(frames))
    return path


def _motion_jpeg(folder: Path) -> Path:
    options = {"color_range": 2, "pixel_format": "yuvj420p"}
    return write_clip(
        folder / "silent.mjpeg", numbered(WIDTH, HEIGHT, 20), codec="mjpeg", rate=30, container="mjpeg", **options
    )


def _av1(folder: Path) -> Path:
    options = {"preset": "12"}
    frames = numbered(WIDTH, HEIGHT, 20)
    return write_clip(folder / "silent.obu", frames, codec="libsvtav1", rate=30, container="obu", options=options)


@pytest.mark.parametrize("make", [_silent_h264, _motion_jpeg, _av1], ids=lambda make: make.__name__.strip("_"))
def test_where_nothing_says_a_rate_25_is_assumed_and_said(
    make: Callable[[Path], Path], tmp_path: Path, workers: Workers
) -> None:
    times = [k / 25 for k in range(20)]
    truth = Truth(
        make(tmp_path),
        range(20),
        times,
        0.8,
        sizes=((WIDTH, HEIGHT),),
        basis="guessed",
        codes=frozenset({"rate_guessed"}),
    )
    check_everything(truth, workers, tmp_path)
