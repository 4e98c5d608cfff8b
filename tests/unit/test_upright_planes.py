"""Frames as a copy shows them: every sample of every plane."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from factories import video_facts
from visagram.core.types import Shape, VideoFacts
from visagram.media.upright import Look

UNSPECIFIED, LIMITED, FULL = 0, 1, 2
RANDOM = np.random.default_rng(3)


@dataclass
class Context:
    color_range: int = LIMITED
    colorspace: int = 2
    color_trc: int = 2
    color_primaries: int = 2


@dataclass
class Stream:
    codec_context: Context = field(default_factory=Context)


def facts_of(width: int, height: int, **other: object) -> VideoFacts:
    return dataclasses.replace(video_facts(), width=width, height=height, **other)  # type: ignore[arg-type]


def look_of(facts: VideoFacts, longest: int = 8192, **context: int) -> Look:
    return Look(facts, Stream(Context(**context)), longest)  # type: ignore[arg-type]


def shape(frame: int, width: int, height: int) -> Shape:
    return Shape(frame, 0.0, "yuv420p", width, height, width, height, 0, False)


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((640, 360), 640, (640, 360, 1.0)),
        ((640, 360), 8192, (640, 360, 1.0)),
        ((641, 360), 320, (320, 180, 320 / 641)),
        ((360, 640), 320, (180, 320, 0.5)),
        ((9000, 1), 1000, (1000, 1, 1 / 9)),
        ((1, 9000), 1000, (1, 1000, 1 / 9)),
    ],
)
def test_a_copy_is_no_longer_than_allowed(
    size: tuple[int, int], longest: int, expected: tuple[int, int, float]
) -> None:
    look = look_of(facts_of(*size), longest)
    assert (look.width, look.height) == expected[:2]
    assert look.scale == pytest.approx(expected[2])


@pytest.mark.parametrize(
    ("pixel_format", "context", "height", "expected"),
    [
        ("yuv420p", {}, 719, (False, 6, 2)),
        ("yuv420p", {}, 720, (False, 1, 2)),
        ("yuv420p", {"color_range": UNSPECIFIED}, 100, (False, 6, 2)),
        ("yuv420p", {"color_range": FULL, "colorspace": 9, "color_trc": 16}, 100, (True, 9, 16)),
        ("yuvj422p", {"colorspace": 1, "color_trc": 18}, 100, (True, 1, 18)),
        ("gray", {}, 100, (True, 6, 2)),
        ("gbrp", {"color_range": FULL, "colorspace": 0, "color_trc": 13}, 100, (False, 1, 1)),
        ("rgb24", {"colorspace": 9}, 1080, (False, 1, 1)),
        ("pal8", {"color_range": FULL}, 100, (False, 1, 1)),
    ],
)
def test_colours_are_those_of_the_original_and_where_it_does_not_say_those_of_its_size(
    pixel_format: str, context: dict[str, int], height: int, expected: tuple[bool, int, int]
) -> None:
    look = look_of(facts_of(100, height, pixel_format=pixel_format), **context)
    assert (look.full, look.matrix, look.transfer) == expected


@pytest.mark.parametrize(("full", "said"), [(True, FULL), (False, LIMITED)])
def test_the_copys_stream_has_the_copys_size_times_and_colours(full: bool, said: int) -> None:
    look = look_of(facts_of(65, 49), color_range=said, colorspace=9, color_trc=16, color_primaries=9)
    assert look.full == full
    with av.open(io.BytesIO(), "w", format="mp4") as target:
        stream: Any = look.add_stream(target, Fraction(25), Fraction(1, 1000), 3, {"crf": "30"})
        context = stream.codec_context
        assert (context.name, stream.width, stream.height, stream.pix_fmt) == ("libx264", 66, 50, "yuv420p")
        assert (context.time_base, context.thread_count, context.framerate) == (Fraction(1, 1000), 3, 25)
        assert (int(context.color_range), int(context.colorspace)) == (said, 9)
        assert (int(context.color_trc), int(context.color_primaries)) == (16, 9)
        assert context.options == {"crf": "30"}
    with av.open(io.BytesIO(), "w", format="mp4") as target:
        stream = look_of(facts_of(64, 48)).add_stream(target, Fraction(0), Fraction(1, 25), 1, {})
        assert (stream.width, stream.height, stream.codec_context.framerate) == (64, 48, 1)


def test_without_libx264_another_encoder_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with av.open(io.BytesIO(), "w", format="mp4") as target:
        stream: Any = look_of(facts_of(64, 48)).add_stream(target, Fraction(0), Fraction(1, 25), 1, {"crf": "30"})
        assert (stream.codec_context.name, stream.codec_context.options) == ("mpeg4", {"b": "8M"})


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((100, 80), (0, 0, 100, 80)),
        ((50, 80), (24, 0, 50, 80)),
        ((52, 40), (24, 20, 52, 40)),
        ((97, 77), (0, 0, 97, 77)),
        ((96, 76), (2, 2, 96, 76)),
        ((200, 300), (0, 0, 100, 80)),
        ((0, 0), (48, 38, 1, 1)),
    ],
)
def test_a_smaller_picture_lies_in_the_middle_on_even_pixels(
    size: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    look = look_of(facts_of(9, 9, shapes=(shape(0, 100, 20), shape(5, 10, 80))))
    assert (look.width, look.height) == (100, 80)
    assert look.place(facts_of(*size)) == expected


def test_places_are_those_of_the_smaller_copy() -> None:
    look = look_of(facts_of(9, 9, shapes=(shape(0, 400, 100), shape(5, 100, 200))), longest=100)
    assert (look.width, look.height) == (100, 50)
    assert look.place(facts_of(100, 200)) == (36, 0, 25, 50)
    assert look.place(facts_of(400, 100)) == (0, 12, 100, 25)


def noise(width: int, height: int, pixel_format: str = "yuv420p", color_range: int = LIMITED) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, pixel_format)
    for plane in frame.planes:
        plane.update(RANDOM.integers(30, 220, plane.buffer_size, np.uint8).tobytes())
    frame.color_range = color_range
    return frame


def planes_of(frame: av.VideoFrame) -> list[np.ndarray]:
    return [
        np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("size", [(16, 12), (15, 11), (15, 12), (16, 11), (1, 1)])
def test_frames_are_turned_and_odd_sides_get_one_line_more(
    size: tuple[int, int], mirrored: bool, rotation: int
) -> None:
    frame = noise(*size)
    shown = size if rotation % 180 == 0 else size[::-1]
    facts = facts_of(*shown, coded_width=size[0], coded_height=size[1], rotation=rotation, mirrored=mirrored)
    even, planes = look_of(facts).upright(frame, facts)
    assert (even.width, even.height) == (shown[0] + shown[0] % 2, shown[1] + shown[1] % 2)
    assert (even.format.name, int(even.color_range)) == ("yuv420p", LIMITED)
    for number, (plane, found, written) in enumerate(zip(planes_of(frame), planes, planes_of(even), strict=True)):
        turned = np.rot90(plane, rotation // 90)
        turned = turned[:, ::-1] if mirrored else turned
        wide, high = (even.width, even.height) if not number else (even.width // 2, even.height // 2)
        expected = np.pad(turned, ((0, high - turned.shape[0]), (0, wide - turned.shape[1])), "edge")
        assert np.array_equal(found, expected)
        assert np.array_equal(written, expected)


@pytest.mark.parametrize(("said", "black"), [(LIMITED, 16), (FULL, 0)])
@pytest.mark.parametrize("odd", [0, 1])
def test_a_picture_that_is_smaller_than_others_is_surrounded_by_black(said: int, black: int, odd: int) -> None:
    whole = facts_of(20, 16, shapes=(shape(0, 20 - odd, 16 - odd), shape(9, 10, 6)))
    frame = noise(10, 6, color_range=said)
    even, planes = look_of(whole, color_range=said).upright(frame, facts_of(10, 6))
    assert (even.width, even.height, int(even.color_range)) == (20, 16, said)
    # (20 - 10) // 4 * 2 to the right, (16 - 6) // 4 * 2 down.
    for number, (plane, found) in enumerate(zip(planes_of(frame), planes, strict=True)):
        expected = np.full(found.shape, 128 if number else black)
        left, top = (2, 2) if number else (4, 4)
        expected[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
        assert np.array_equal(found, expected)


def test_an_odd_picture_that_fills_its_cell_to_the_edge() -> None:
    whole = facts_of(20, 16, shapes=(shape(0, 19, 15), shape(9, 19, 7)))
    frame = noise(19, 7)
    _, (luma, blue, _) = look_of(whole).upright(frame, facts_of(19, 7))
    assert (luma[:4] == 16).all() and (luma[11:] == 16).all() and (luma[:, 19] == 16).all()
    assert np.array_equal(luma[4:11, :19], planes_of(frame)[0])
    assert np.array_equal(blue[2:6], planes_of(frame)[1])


def flat(
    pixel_format: str, values: tuple[int, ...], color_range: int, size: tuple[int, int] = (32, 16)
) -> av.VideoFrame:
    frame = av.VideoFrame(*size, pixel_format)
    for plane, value in zip(frame.planes, values, strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.color_range = color_range
    return frame


@pytest.mark.parametrize(
    ("pixel_format", "said", "values", "context", "expected"),
    [
        ("yuv420p", FULL, (255, 128, 128), LIMITED, (235, 128, 128)),
        ("yuv420p", LIMITED, (235, 128, 128), FULL, (255, 128, 128)),
        ("yuv420p", FULL, (0, 128, 128), LIMITED, (16, 128, 128)),
        ("yuvj420p", UNSPECIFIED, (200, 100, 150), FULL, (200, 100, 150)),
        ("yuv444p", LIMITED, (100, 90, 150), LIMITED, (100, 90, 150)),
        ("yuv422p", UNSPECIFIED, (100, 90, 150), LIMITED, (100, 90, 150)),
    ],
)
def test_greys_are_brought_into_the_copys_range(
    pixel_format: str, said: int, values: tuple[int, ...], context: int, expected: tuple[int, ...]
) -> None:
    facts = facts_of(32, 16, pixel_format="yuv420p")
    even, planes = look_of(facts, color_range=context).upright(flat(pixel_format, values, said), facts)
    assert int(even.color_range) == context
    for plane, value in zip(planes, expected, strict=True):
        assert np.abs(plane.astype(int) - value).max() <= 1


def test_red_green_and_blue_become_bt709_of_limited_range() -> None:
    facts = facts_of(32, 16, pixel_format="gbrp")
    for (green, blue, red), expected in (
        ((0, 0, 255), (63, 102, 240)),
        ((255, 0, 0), (173, 42, 26)),
        ((0, 255, 0), (32, 240, 118)),
        ((255, 255, 255), (235, 128, 128)),
    ):
        _, planes = look_of(facts).upright(flat("gbrp", (green, blue, red), UNSPECIFIED), facts)
        for plane, value in zip(planes, expected, strict=True):
            assert np.abs(plane.astype(int) - value).max() <= 2


def test_a_smaller_copy_is_scaled_and_then_turned() -> None:
    facts = facts_of(32, 64, coded_width=64, coded_height=32, rotation=90)
    frame = flat("yuv420p", (100, 128, 128), LIMITED, (64, 32))
    luma = np.full((32, frame.planes[0].line_size), 100, np.uint8)
    luma[:, 48:64] = 200
    frame.planes[0].update(luma.tobytes())
    even, (shown, _, _) = look_of(facts, longest=32).upright(frame, facts)
    assert (even.width, even.height) == (16, 32)
    # What was at the right is on top after a quarter turn to the left.
    assert np.abs(shown[:7].astype(int) - 200).max() <= 2
    assert np.abs(shown[10:].astype(int) - 100).max() <= 2
