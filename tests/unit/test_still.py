"""The picture at a time is the one that a player shows then."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import media_factory as media
from visagram.errors import NoFrames, UsageError
from visagram.media.source import Source
from visagram.media.still import frame_at, still
from visagram.settings import Settings

SETTINGS = Settings(processes=1)
PTS = np.cumsum([300, *np.random.default_rng(3).integers(11, 300, 59)]).tolist()


def number_at(source: Source, time: float) -> int:
    return media.read_number(frame_at(source, time).luma)


def picture(content: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Frames at uneven times, in another order than they are shown, with few key frames, beginning late."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    frames = media.numbered(160, 96, 60)
    media.write_clip(path, frames, pts=PTS, time_base=Fraction(1, 1000), options={"g": "25", "bf": "3"})
    return Source.probed(path, SETTINGS)


@given(st.floats(-1, 12))
def test_it_is_the_last_frame_that_began_before(film: Source, time: float) -> None:
    starts = film.timeline.pts * float(film.timeline.base)
    expected = max(0, int(np.searchsorted(starts, time + 1e-4, side="right")) - 1)
    assert number_at(film, time) == expected


def test_a_frame_s_own_time_rounded_as_text_gives_that_frame(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    source = Source.probed(media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, 40), rate=rate), SETTINGS)
    for number in range(40):
        assert number_at(source, float(f"{float(number / rate):.4f}")) == number


@pytest.mark.parametrize("name", ["film.h264", "film.avi"])
def test_without_timestamps_frames_are_counted(tmp_path: Path, name: str) -> None:
    container, codec = ("h264", "libx264") if name.endswith("h264") else ("avi", "mpeg4")
    options = {"bf": "0" if container == "h264" else "2"}
    video = media.write_clip(
        tmp_path / name, media.numbered(160, 96, 30), container=container, codec=codec, options=options
    )
    source = Source.probed(video, SETTINGS)
    for number in (0, 7, 29):
        assert number_at(source, float(number / source.facts.rate)) == number
    assert number_at(source, 1e6) == 29


def test_it_is_upright_and_at_most_as_wide_as_asked(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", [media.marker(160, 96)] * 3, options={"crf": "10"})
    media.turn(video, 90)
    source = Source.probed(video, SETTINGS)
    large, small = picture(still(source, 0, 640)), picture(still(source, 0, 48))
    assert large.shape[:2] == (160, 96)
    assert small.shape[:2] == (80, 48)
    assert (np.abs(large[..., 0].astype(int) - np.rot90(media.marker(160, 96), -1)) > 60).mean() < 0.02


def test_a_part_is_cut_out_before_it_is_made_smaller(tmp_path: Path) -> None:
    frame = np.full((400, 640), 30, np.uint8)
    frame[100:200, 320:480] = 220
    video = media.write_clip(tmp_path / "film.mp4", [frame] * 3, options={"crf": "10"})
    source = Source.probed(video, SETTINGS)
    whole, half = (picture(still(source, 0, width, (320, 100, 160, 100))) for width in (640, 80))
    assert (whole.shape, half.shape) == ((100, 160, 3), (50, 80, 3))
    for part in (whole, half):
        assert (part[4:-4, 4:-4] > 180).all()


def test_a_part_ends_where_the_picture_does(tmp_path: Path) -> None:
    source = Source.probed(media.write_clip(tmp_path / "film.mp4", media.numbered(160, 96, 3)), SETTINGS)
    assert picture(still(source, 0, 640, (120, -20, 100, 60))).shape[:2] == (40, 40)
    assert picture(still(source, 0, 640, (500, 0, 10, 10))).shape[:2] == (96, 160)
    with pytest.raises(UsageError):
        still(source, 0, 640, (0, 0, float("nan"), 1))


@settings(max_examples=60)
@given(*[st.floats(-300, 300)] * 4, st.integers(1, 640))
def test_any_part_is_a_picture_no_wider_than_asked(
    film: Source, x: float, y: float, w: float, h: float, width: int
) -> None:
    height, found = picture(still(film, 1.0, width, (x, y, w, h))).shape[:2]
    assert 1 <= found <= min(width + 1, 160) and 1 <= height <= 96


def test_the_limits_of_an_analysis_do_not_count(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", media.numbered(160, 96, 30))
    source = Source.probed(video, Settings(start=1.0, end=1.1, sample_fps=2))
    assert number_at(source, 0.4) == 10


def test_a_damaged_moment_shows_its_neighbour(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.ts", media.numbered(160, 96, 60), options={"g": "10"})
    video.write_bytes(media.flip_bits(video.read_bytes(), 5, 30, 5000))
    source = Source.probed(video, SETTINGS)
    for time in np.linspace(0, 2.4, 13):
        assert picture(still(source, float(time), 160)).shape == (96, 160, 3)


def test_without_a_frame_there_is_an_error(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", media.numbered(64, 48, 5))
    source = Source.probed(video, SETTINGS)
    media.hollow(video)
    with pytest.raises(NoFrames):
        still(source, 0, 100)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_time_is_refused(film: Source, time: float) -> None:
    with pytest.raises(UsageError):
        still(film, time, 100)


def test_a_photograph_is_a_video_of_one_frame(tmp_path: Path) -> None:
    frame = media.yuv(media.grey(160, 96, 7), "yuvj420p", media.FULL)
    options = {"codec": "mjpeg", "pixel_format": "yuvj420p", "container": "image2", "color_range": media.FULL}
    source = Source.probed(media.write_clip(tmp_path / "face.jpg", [frame], **options), SETTINGS)
    assert media.read_number(picture(still(source, 3.0, 160))[..., 0]) == 7
