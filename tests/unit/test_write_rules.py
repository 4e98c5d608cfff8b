"""A copy of a video: what is told on the way, what a painter sees, key frames, sizes and clocks."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import media_factory as media
from factories import observations
from visagram.core.types import Observations
from visagram.media.annotate import annotate
from visagram.media.overlay import Planes
from visagram.media.source import Source
from visagram.media.upright import Look
from visagram.media.write import Style, write_mp4
from visagram.settings import Settings

SETTINGS = Settings(processes=1)
FAST = {"crf": "12", "preset": "ultrafast"}


def style(key_every: float | None = None, longest: int = 8192, **encoding: str) -> Style:
    return Style("copy", FAST | encoding, frozenset({"aac"}), longest, key_every)


def quiet(stage: str, done: int, total: int) -> None:
    pass


def film(path: Path, count: int = 20, **how: object) -> Source:
    return Source.probed(media.write_clip(path, media.numbered(64, 48, count), **how), SETTINGS)  # type: ignore[arg-type]


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def grey_of(frame: av.VideoFrame) -> np.ndarray:
    return np.frombuffer(bytes(frame.planes[0]), np.uint8).reshape(-1, frame.planes[0].line_size)[:, : frame.width]


@pytest.mark.parametrize("count", [1, 2, 20])
def test_progress_counts_frames_and_is_at_its_end_when_all_is_written(tmp_path: Path, count: int) -> None:
    told: list[tuple[str, int, int]] = []
    source = film(tmp_path / "a.mkv", count)
    write_mp4(source, tmp_path / "b.mp4", style(), lambda *each: told.append(each))
    assert {(stage, total) for stage, _, total in told} == {("copy", count)}
    done = [number for _, number, _ in told]
    assert done == sorted(done)
    assert set(done) == set(range(count + 1))
    assert done.count(count) == 1, "only when all is written"
    assert [media.read_number(grey_of(frame)) for frame in frames_of(tmp_path / "b.mp4")] == list(range(count))


class Marks:
    """Whitens a corner, and remembers what it saw."""

    def __init__(self) -> None:
        self.looks: list[tuple[int, int]] = []
        self.seen: list[tuple[int, float]] = []

    def begin(self, look: Look) -> None:
        self.looks.append((look.width, look.height))
        self.seen = []

    def paint(self, planes: Planes, number: int, seconds: float) -> None:
        self.seen.append((number, round(seconds, 6)))
        planes[0][24:, :8] = 235 if number % 2 else 16


def test_a_painter_draws_on_each_frame_at_its_time(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", 6, pts=[0, 40, 80, 120, 300, 340], time_base=Fraction(1, 1000))
    painter = Marks()
    write_mp4(source, tmp_path / "b.mp4", style(), quiet, painter)
    assert painter.looks == [(64, 48)]
    assert painter.seen == list(enumerate([0.0, 0.04, 0.08, 0.12, 0.3, 0.34]))
    corners = [grey_of(frame)[30:44, 1:6].mean() > 120 for frame in frames_of(tmp_path / "b.mp4")]
    assert corners == [False, True] * 3


@pytest.mark.parametrize(
    ("every", "keys"),
    [(0.5, list(range(0, 40, 4))), (0.51, list(range(0, 40, 5))), (4.875, [0, 39]), (5.0, [0]), (None, [0])],
)
def test_key_frames_come_as_often_as_the_style_says(tmp_path: Path, every: float | None, keys: list[int]) -> None:
    source = film(tmp_path / "a.mkv", 40, rate=8, options={"bf": "0"})
    write_mp4(source, tmp_path / "b.mp4", style(every, **{"sc_threshold": "0", "forced-idr": "1", "g": "500"}), quiet)
    with av.open(str(tmp_path / "b.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [k for k, packet in enumerate(sorted(packets, key=lambda p: p.pts)) if packet.is_keyframe] == keys


@pytest.mark.parametrize(("longest", "size"), [(64, (64, 48)), (32, (32, 24)), (8192, (64, 48))])
def test_a_copy_is_made_smaller_where_its_style_says_so(tmp_path: Path, longest: int, size: tuple[int, int]) -> None:
    write_mp4(film(tmp_path / "a.mkv", 2), tmp_path / "b.mp4", style(longest=longest), quiet)
    assert {(frame.width, frame.height) for frame in frames_of(tmp_path / "b.mp4")} == {size}


@pytest.mark.parametrize(
    ("name", "rate", "ticks"), [("a.h264", 25, 1000), ("a.h264", 24, 1008), ("a.mkv", 25, 1000), ("a.mp4", 25, 12800)]
)
def test_the_clock_of_the_file_is_a_multiple_of_the_timelines(tmp_path: Path, name: str, rate: int, ticks: int) -> None:
    write_mp4(film(tmp_path / name, 3, rate=rate, options={"bf": "0"}), tmp_path / "b.mp4", style(), quiet)
    content = (tmp_path / "b.mp4").read_bytes()
    at = content.index(b"mvhd") + 4
    assert struct.unpack(">I", content[at + 12 : at + 16])[0] == ticks
    assert content.index(b"moov") < content.index(b"mdat"), "the index comes first"


@pytest.mark.parametrize(("codec", "name"), [("mp3", "aac"), (None, None)])
def test_sound_that_the_style_does_not_copy_becomes_aac(tmp_path: Path, codec: str | None, name: str | None) -> None:
    write_mp4(film(tmp_path / "a.mkv", 20, sound=codec is not None), tmp_path / "b.mp4", style(), quiet)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ([name] if name else [])


# What was observed.


def drawn(tmp_path: Path, rows: Observations, count: int = 12) -> list[bool]:
    """By frame whether anything is drawn around the face."""
    grey = np.full((96, 128), 120, np.uint8)
    path = media.write_clip(tmp_path / "a.mkv", [grey] * count, options={"qp": "0"})
    annotate(Source.probed(path, SETTINGS), rows, {1: "Ada"}, tmp_path / "b.mp4", quiet)
    # The left side of the box, which lies at 80, away from caption and panel.
    sides = [grey_of(frame)[10:40, 76:84].astype(int) for frame in frames_of(tmp_path / "b.mp4")]
    return [bool(np.abs(side - 120).max() > 20) for side in sides]


@pytest.mark.parametrize(
    ("frames", "span", "shown"),
    [
        ([0, 1, 2], 0.04, [0, 1, 2]),
        ([3], 0.04, [3]),
        ([3], 0.12, [3, 4, 5]),
        ([3], 0.1201, [3, 4, 5]),
        ([3], 0.1202, [3, 4, 5, 6]),
        ([3], 0.0, [3]),
        ([3, 7], 0.08, [3, 4, 7, 8]),
        ([3, 5], 9.0, [3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ([], 0.04, []),
        ([7, 3], 0.04, [3, 7]),
    ],
)
def test_a_face_is_drawn_until_its_span_is_over(
    tmp_path: Path, frames: list[int], span: float, shown: list[int]
) -> None:
    rows = observations(1, frames, [3] * len(frames)) if frames else Observations.empty()
    count = len(rows)
    rows = rows.with_columns(
        box=np.tile(np.float32([80, 5, 40, 60]), (count, 1)), time=np.array(frames) * 0.04, span=np.full(count, span)
    )
    assert [k for k, there in enumerate(drawn(tmp_path, rows)) if there] == shown


def test_boxes_lie_where_the_picture_lies(tmp_path: Path) -> None:
    parts = [media.write_clip(tmp_path / f"{k}.h264", [np.full(size[::-1], 120, np.uint8)] * 5, options={"qp": "0"})
             for k, size in enumerate([(128, 96), (64, 48)])]  # fmt: skip
    (tmp_path / "a.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    rows = observations(1, [0, 7], [3, 3])
    rows = rows.with_columns(
        box=np.float32([[80, 5, 40, 60], [44, 10, 15, 30]]), time=np.array([0, 7 / 25]), span=np.full(2, 0.04)
    )
    source = Source.probed(tmp_path / "a.h264", SETTINGS)
    annotate(source, rows, {}, tmp_path / "b.mp4", quiet)
    frames = frames_of(tmp_path / "b.mp4")
    # The small pictures lie (128 - 64) // 4 * 2 to the right and (96 - 48) // 4 * 2 down.
    for number, x, lines in ((0, 80, slice(20, 50)), (7, 32 + 44, slice(24 + 15, 24 + 35))):
        # The middle of the side is the brightest.
        columns = grey_of(frames[number])[lines, x - 5 : x + 6].mean(axis=0)
        assert columns.argmax() == 5
