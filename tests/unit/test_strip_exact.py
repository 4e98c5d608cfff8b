"""Sheets and posters cell by cell, stills pixel by pixel, previews value by value."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import media_factory as media
from factories import observations
from visagram.core.types import Frame, Observations, Reason
from visagram.media import preview
from visagram.media import strip as strips
from visagram.media.preview import Preview
from visagram.media.source import Source
from visagram.media.still import encode_jpeg, frame_at, scaled, still
from visagram.media.strip import Strip, poster, read_strip
from visagram.settings import Settings

SETTINGS = Settings(processes=1)


def strip_of(levels: list[float], times: list[float] | None = None) -> Strip:
    """Thumbnails of 4x3 pixels, each of one grey."""
    thumbs = np.empty((len(levels), 3, 4, 3), np.uint8)
    for thumb, level in zip(thumbs, levels, strict=True):
        thumb[:] = int(level)
        thumb.reshape(-1)[: round(level % 1 * 36)] += 1
    return Strip(0.5, thumbs, np.array(times or np.arange(len(levels)) * 0.5))


@pytest.mark.parametrize(
    ("count", "rows"), [(1, 1), (10, 1), (11, 2), (100, 10), (101, 6), (120, 6), (121, 7), (200, 10), (201, 7)]
)
def test_sheets_are_about_equally_full(count: int, rows: int) -> None:
    strip = strip_of([k % 200 + 30 for k in range(count)])
    assert strip.rows == rows
    assert strip.facts() == {"width": 4, "height": 3, "columns": 10, "rows": rows, "interval": 0.5, "count": count}
    sheets = list(strip.sheets)
    assert len(sheets) == -(-count // (10 * rows))
    for number, content in enumerate(sheets):
        sheet = np.zeros((rows * 3, 40, 3), np.uint8)
        for k in range(10 * rows):
            place = number * 10 * rows + k
            if place < count:
                sheet[k // 10 * 3 : k // 10 * 3 + 3, k % 10 * 4 : k % 10 * 4 + 4] = strip.thumbs[place]
        assert content == cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Twenty numbered frames, two a second, of 160x96 pixels."""
    path = tmp_path_factory.mktemp("strip") / "a.mkv"
    return Source.probed(media.write_clip(path, media.numbered(160, 96, 20), rate=2, options={"qp": "0"}), SETTINGS)


def number_of(content: bytes) -> int:
    return media.read_number(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., 1])


@pytest.mark.parametrize(
    ("bright", "shown"),
    [
        ([2], 2), ([2, 3], 2), ([5, 9], 5), ([1, 19], 19), ([0, 1], 1), ([0], 0), ([], 2), (range(20), 2),
    ],
)  # fmt: skip
def test_the_poster_is_sought_from_a_tenth_on_and_then_backwards(film: Source, bright: list[int], shown: int) -> None:
    strip = strip_of([25 if k in bright else 24 for k in range(20)])
    assert number_of(poster(film, strip)) == shown


def test_what_is_a_little_brighter_than_black_is_no_black(film: Source) -> None:
    assert number_of(poster(film, strip_of([24] * 4 + [24.1] + [200] * 15))) == 4
    assert number_of(poster(film, strip_of([23.9] * 3 + [200] * 3))) == 3
    assert number_of(poster(film, strip_of([200] * 20), time=4.5)) == 9
    assert number_of(poster(film, strip_of([200] * 9))) == 0
    assert number_of(poster(film, strip_of([200] * 10))) == 1


def numbers(strip: Strip) -> list[int]:
    return [media.read_number(thumb[..., 1]) for thumb in strip.thumbs]


@pytest.mark.parametrize(
    ("count", "rate", "interval", "thumbs"),
    [(1, 25, 0.5, 1), (12, 25, 0.5, 1), (13, 25, 0.5, 2), (25, 25, 0.5, 2), (26, 25, 0.5, 3), (20, 2, 0.5, 20),
     (16, Fraction(1, 5), 80 / 150, 150)],
)  # fmt: skip
def test_a_thumbnail_stands_for_half_a_second_or_a_150th(
    tmp_path: Path, count: int, rate: Fraction, interval: float, thumbs: int
) -> None:
    path = media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, count), rate=rate, options={"g": "1"})
    strip = read_strip(Source.probed(path, SETTINGS))
    assert strip.interval == pytest.approx(interval)
    assert len(strip.thumbs) == thumbs
    assert strip.facts()["width"] == 160 and strip.facts()["height"] == 120


@pytest.mark.parametrize(("more", "exact"), [(0, True), (-1, False)])
def test_what_may_be_decoded_in_full_is_counted_in_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int, exact: bool
) -> None:
    path = media.write_clip(tmp_path / "a.mp4", media.numbered(96, 64, 100), options={"g": "60", "sc_threshold": "0"})
    source = Source.probed(path, SETTINGS)
    monkeypatch.setattr(strips, "AFFORDABLE", 100 * 96 * 64 + more)
    found = numbers(read_strip(source))
    assert len(found) == 8
    assert len(set(found)) == (8 if exact else 2), found


@pytest.mark.parametrize(
    ("count", "gap", "exact"), [(104, 25, False), (125, 25, False), (100, 25, True), (100, 40, True)]
)
def test_where_nearly_all_moments_have_a_key_frame_near_those_are_enough(
    tmp_path: Path, count: int, gap: int, exact: bool
) -> None:
    # One moment of ten may be further than half a second from the next key frame, but not one of eight.
    options = {"g": str(gap), "sc_threshold": "0"}
    path = media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, count), options=options)
    strip = read_strip(Source.probed(path, SETTINGS))
    assert (set(numbers(strip)) <= set(range(0, count, gap))) == (not exact)


@pytest.mark.parametrize(("most", "shown"), [(192 * 128, {0, 10}), (192 * 128 - 1, {0})])
def test_a_picture_that_grows_too_large_has_no_thumbnail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, shown: set[int]
) -> None:
    monkeypatch.setattr(strips, "AFFORDABLE", 0)
    pictures = media.numbered(64, 48, 10), [media.grey(192, 128, number) for number in range(10, 20)]
    parts = [media.write_clip(tmp_path / f"{k}.h264", each, rate=2, options={"bf": "0", "sc_threshold": "0"})
             for k, each in enumerate(pictures)]  # fmt: skip
    (tmp_path / "a.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    strip = read_strip(Source.probed(tmp_path / "a.h264", Settings(processes=1, max_pixels=most)))
    seen = set()
    for thumb in strip.thumbs:
        columns = np.flatnonzero(thumb.max(axis=(0, 2)) > 40)
        rows = np.flatnonzero(thumb.max(axis=(1, 2)) > 40)
        seen.add(media.read_number(thumb[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, 1]))
    assert len(seen) == len(shown)


# Stills.


def expected(film: Source, size: tuple[int, int], rows: slice, columns: slice) -> bytes:
    picture = frame_at(film, 1.0).picture(*size)[rows, columns]
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


ALL = slice(None)


@pytest.mark.parametrize(
    ("width", "box", "size", "rows", "columns"),
    [
        (500, None, (160, 96), ALL, ALL),
        (160, None, (160, 96), ALL, ALL),
        (80, None, (80, 48), ALL, ALL),
        (0, None, (1, 1), ALL, ALL),
        (-5, None, (1, 1), ALL, ALL),
        (80, (40, 24, 60, 36), (160, 96), slice(24, 60), slice(40, 100)),
        (30, (40, 24, 60, 36), (80, 48), slice(12, 30), slice(20, 50)),
        (500, (-20, -20, 60, 60), (160, 96), slice(0, 40), slice(0, 40)),
        (500, (120, 70, 60, 60), (160, 96), slice(70, 96), slice(120, 160)),
        (20, (120, 70, 60, 60), (80, 48), slice(35, 48), slice(60, 80)),
        (500, (10.2, 20.2, 0.1, 0.1), (160, 96), slice(20, 21), slice(10, 11)),
        (500, (160, 0, 10, 10), (160, 96), ALL, ALL),
        (500, (0, 96, 10, 10), (160, 96), ALL, ALL),
        (500, (-10, 0, 10, 10), (160, 96), ALL, ALL),
        (500, (0, -10, 10, 10), (160, 96), ALL, ALL),
        (500, (10, 10, 0, 10), (160, 96), ALL, ALL),
        (500, (10, 10, 10, 0), (160, 96), ALL, ALL),
    ],
)
def test_a_part_of_a_picture_is_cut_out_to_the_pixel(
    film: Source, width: int, box: tuple[float, ...] | None, size: tuple[int, int], rows: slice, columns: slice
) -> None:
    assert still(film, 1.0, width, box) == expected(film, size, rows, columns)


def test_sizes_are_rounded_and_never_nothing() -> None:
    assert [scaled((100, 50), scale) for scale in (0.5, 0.255, 0.001)] == [(50, 25), (26, 13), (1, 1)]
    picture = np.random.default_rng(1).integers(0, 255, (20, 20, 3), np.uint8)
    assert encode_jpeg(picture, 40) == cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1].tobytes()


@pytest.mark.parametrize(("time", "number"), [(0.4998, 0), (0.49991, 1), (0.5, 1), (-3.0, 0), (99.0, 19), (9.4, 18)])
def test_a_frame_is_meant_from_a_tenth_of_a_millisecond_before_it(film: Source, time: float, number: int) -> None:
    assert media.read_number(frame_at(film, time).luma) == number


# Previews.


def frame_of(width: int, height: int, asked: list[tuple[int, int]]) -> Frame:
    def shown(wide: int, high: int) -> np.ndarray:
        asked.append((wide, high))
        return np.full((high, wide, 3), 90, np.uint8)

    return Frame(
        30, Fraction(6, 5), Fraction(1, 25), np.zeros((2, 2), np.uint8), True, np.eye(2, 3), shown, (width, height)
    )


def test_a_preview_has_the_faces_of_its_frame_about_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(preview, "time", SimpleNamespace(monotonic=lambda: now[0]))
    rows = Observations.concatenate(
        [observations(1, [29, 30], [3, 3]), observations(2, [30], [-int(Reason.TURNED)]), observations(3, [31], [1])]
    )
    asked: list[tuple[int, int]] = []
    frame, previews = frame_of(960, 540, asked), Preview()
    values, content = previews.of(frame, rows) or ({}, b"")
    boxes = [[round(float(side), 1) for side in rows.box[k]] for k in (1, 2)]
    assert values == {
        "time": 1.2,
        "width": 960,
        "height": 540,
        "faces": [
            {"box": boxes[0], "emotion": "happy", "probability": 0.76},
            {"box": boxes[1], "emotion": None, "probability": 0.0},
        ],
    }
    assert asked == [(480, 270)]
    picture = np.full((270, 480, 3), 90, np.uint8)
    assert content == cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()
    for moment, fresh in ((1000.0, False), (1000.99, False), (1001.0, True), (1001.99, False), (1002.0, True)):
        now[0] = moment
        assert (previews.of(frame, rows) is not None) == fresh


@pytest.mark.parametrize(
    ("size", "small"),
    [((480, 100), (480, 100)), ((100, 300), (100, 300)), ((961, 20), (480, 10)), ((270, 960), (135, 480))],
)
def test_a_preview_is_at_most_480_pixels_long(size: tuple[int, int], small: tuple[int, int]) -> None:
    asked: list[tuple[int, int]] = []
    assert Preview().of(frame_of(*size, asked), Observations.empty()) is not None
    assert asked == [small]
