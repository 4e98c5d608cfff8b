"""Thumbnails for the seek bar and the poster: the right moments, cheaply."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import media_factory as media
from visagram.errors import NoFrames
from visagram.media import strip as strips
from visagram.media.source import Source
from visagram.media.strip import Strip, poster, read_strip
from visagram.settings import Settings

SETTINGS = Settings(processes=1)


def source_of(path: Path, count: int, size: tuple[int, int] = (160, 96), **options: object) -> Source:
    return Source.probed(media.write_clip(path, media.numbered(*size, count), **options), SETTINGS)


def numbers(strip: Strip) -> list[int]:
    return [media.read_number(thumb[..., 1]) for thumb in strip.thumbs]


def shapes(strip: Strip) -> set[tuple[int, ...]]:
    return {cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR).shape for sheet in strip.sheets}


def test_a_short_video_without_key_frames_is_shown_every_half_second(tmp_path: Path) -> None:
    strip = read_strip(source_of(tmp_path / "a.mp4", 100, options={"g": "500"}))
    assert strip.facts() == {"width": 160, "height": 96, "columns": 10, "rows": 1, "interval": 0.5, "count": 8}
    assert strip.times == pytest.approx(0.25 + 0.5 * np.arange(8), abs=0.041)
    assert numbers(strip) == [round(float(moment) * 25) for moment in strip.times]


def test_a_long_video_is_shown_by_its_key_frames_alone(tmp_path: Path) -> None:
    options = {"g": "5", "preset": "ultrafast"}
    source = source_of(tmp_path / "a.mp4", 400, (64, 48), rate=Fraction(1, 2), options=options)
    strip = read_strip(source)
    facts = strip.facts()
    assert facts["count"] == 150
    assert facts["interval"] == pytest.approx(800 / 150)
    keys = source.timeline.keys * float(source.timeline.base)
    assert set(strip.times) <= set(keys)
    middles = (np.arange(150) + 0.5) * facts["interval"]
    nearest = np.abs(keys[:, None] - middles).min(axis=0)
    assert np.abs(strip.times - middles) == pytest.approx(nearest)
    assert numbers(strip) == [round(moment / 2) % 256 for moment in strip.times]
    assert facts["rows"] == 8
    assert shapes(strip) == {(8 * facts["height"], 1600, 3)}


def test_each_thumbnail_lies_in_the_cell_of_its_number(tmp_path: Path) -> None:
    # 120 thumbnails, so that there are two sheets and both have cells that stay black.
    strip = read_strip(source_of(tmp_path / "a.mp4", 240, rate=4, options={"g": "1", "preset": "ultrafast"}))
    facts = strip.facts()
    assert (facts["count"], facts["columns"], facts["rows"]) == (120, 10, 6)
    sheets = [cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR) for sheet in strip.sheets]
    cells = [
        sheet[
            row * facts["height"] : (row + 1) * facts["height"], column * facts["width"] : (column + 1) * facts["width"]
        ]
        for sheet in sheets
        for row in range(facts["rows"])
        for column in range(facts["columns"])
    ]
    assert [media.read_number(cell[..., 1]) for cell in cells[:120]] == numbers(strip)
    shown = np.array(numbers(strip)) / 4
    starts = np.arange(120) * facts["interval"]
    assert ((starts <= shown) & (shown < starts + facts["interval"])).all(), "each shows a moment of its own interval"


def test_cells_after_the_last_thumbnail_are_black(tmp_path: Path) -> None:
    strip = read_strip(source_of(tmp_path / "a.mp4", 225, options={"g": "10", "preset": "ultrafast"}))
    facts = strip.facts()
    assert (facts["count"], facts["rows"]) == (18, 2)
    (sheet,) = [cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR) for sheet in strip.sheets]
    last, used = sheet[facts["height"] :], 8 * facts["width"]
    assert last[:, : used - 8].max() > 100
    assert last[:, used + 8 :].max() < 10


def test_a_long_video_with_few_key_frames_shows_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "AFFORDABLE", 0)
    strip = read_strip(source_of(tmp_path / "a.mp4", 100, options={"g": "40"}))
    assert numbers(strip) == [0, 0, 40, 40, 40, 80, 80, 80]


@pytest.mark.parametrize("affordable", [True, False])
def test_without_timestamps_frames_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, affordable: bool
) -> None:
    if not affordable:
        monkeypatch.setattr(strips, "AFFORDABLE", 0)
    options = {"bf": "0", "g": "10"}
    source = source_of(tmp_path / "a.h264", 100, container="h264", options=options, rate=25)
    strip = read_strip(source)
    rate = float(source.facts.rate)
    assert numbers(strip) == [round(float(moment) * rate) for moment in strip.times]
    step = 1 / rate if affordable else 10 / rate
    middles = np.minimum((np.arange(len(strip.times)) + 0.5) * strip.interval, 99 / rate)
    assert np.abs(strip.times - middles).max() <= step + 1e-6


def test_thumbnails_are_upright_and_never_towers(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "a.mp4", [media.marker(160, 96)] * 3, options={"crf": "10"})
    turned = read_strip(Source.probed(media.turn(video, 90), SETTINGS))
    assert turned.thumbs.shape == (1, 267, 160, 3)
    expected = cv2.resize(np.rot90(media.marker(160, 96), -1), (160, 267))
    assert (np.abs(turned.thumbs[0, ..., 0].astype(int) - expected) > 60).mean() < 0.03
    tower = read_strip(source_of(tmp_path / "tower.mkv", 2, (16, 640)))
    assert tower.thumbs.shape[1:3] == (320, 8)


def test_the_poster_is_the_first_bright_picture_after_a_tenth(tmp_path: Path) -> None:
    dark, bright = np.full((96, 160), 17, np.uint8), media.grey(160, 96, 255)
    video = media.write_clip(tmp_path / "a.mp4", [bright] * 10 + [dark] * 60 + [bright] * 130, options={"g": "25"})
    source = Source.probed(video, SETTINGS)
    strip = read_strip(source)

    def level(content: bytes) -> float:
        return float(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).mean())

    assert level(poster(source, strip)) > 100
    assert level(poster(source, strip, 1.0)) < 10
    black = Source.probed(media.write_clip(tmp_path / "b.mp4", [dark] * 30), SETTINGS)
    assert level(poster(black, read_strip(black))) < 10


def test_the_poster_is_at_most_480_pixels_long(tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.mp4", 3, (320, 1280))
    content = poster(source, read_strip(source))
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape == (480, 120, 3)


def test_damage_costs_only_the_pictures_that_it_hit(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "a.ts", media.numbered(160, 96, 100), options={"g": "10"})
    video.write_bytes(media.flip_bits(video.read_bytes(), 7, 30, 5000))
    strip = read_strip(Source.probed(video, SETTINGS))
    assert len(set(numbers(strip))) > 3


def test_without_a_frame_there_is_an_error(tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.mp4", 5, (64, 48))
    media.hollow(source.path)
    with pytest.raises(NoFrames):
        read_strip(source)


def test_two_hours_take_seconds(tmp_path: Path) -> None:
    video = media.loop_sample(tmp_path / "long.mp4", 236)
    source = Source.probed(video, SETTINGS)
    assert source.facts.duration > 7000
    start = time.monotonic()
    strip = read_strip(source)
    poster(source, strip)
    assert time.monotonic() - start < 100
    assert len(strip.thumbs) == 150
