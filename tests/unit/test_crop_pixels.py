"""Faces cut out of pictures, pixel by pixel."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from visagram.core.geometry import CROP, TEMPLATE
from visagram.core.stages import Framing
from visagram.core.types import Faces, Frame
from visagram.media.crop import PORTRAIT, THUMBNAIL, OpenCvCropper, full_range, warp

IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])
RANDOM = np.random.default_rng(7)
PICTURE = RANDOM.integers(0, 256, (60, 80, 3), np.uint8)


def frame_of(luma: np.ndarray, full: bool = True, picture: np.ndarray = PICTURE) -> Frame:
    height, width = picture.shape[:2]

    def shown(wide: int, high: int) -> np.ndarray:
        assert (wide, high) == (width, height), "at the picture's own size"
        return picture

    return Frame(0, Fraction(0), Fraction(1), luma, full, IDENTITY, shown, (width, height))


def test_limited_greys_are_widened_and_what_is_beyond_is_cut() -> None:
    greys = np.arange(256, dtype=np.uint8)
    wide = full_range(frame_of(greys, full=False), greys)
    expected = [min(255, max(0, round((grey - 16) * 255 / 219))) for grey in range(256)]
    assert wide.tolist() == expected
    assert (expected[16], expected[17], expected[126], expected[235]) == (0, 1, 128, 255)
    assert full_range(frame_of(greys), greys) is greys


# Warping.


def ramp(width: int, height: int, across: float, down: float, start: float = 20) -> np.ndarray:
    return np.round(start + across * np.arange(width) + down * np.arange(height)[:, None]).astype(np.uint8)


def test_without_shrinking_pixels_are_looked_up_and_the_edge_goes_on() -> None:
    luma = PICTURE[..., 0].copy()
    out = np.empty((20, 30), np.uint8)
    warp(luma, np.array([[1.0, 0, 5], [0, 1, 7]]), out)
    assert np.array_equal(out, luma[7:27, 5:35])
    warp(luma, np.array([[1.0, 0, -4], [0, 1, 50]]), out)
    rows, columns = np.clip(np.arange(20) + 50, 0, 59), np.clip(np.arange(30) - 4, 0, 79)
    assert np.array_equal(out, luma[np.ix_(rows, columns)])
    warp(luma, np.array([[0.5, 0, 10], [0, 0.5, 10]]), out)
    between = (luma[10, 10].astype(int) + luma[10, 11]) / 2
    assert (out[0, 0], out[0, 2], out[2, 0]) == (luma[10, 10], luma[10, 11], luma[11, 10])
    assert abs(out[0, 1] - between) <= 1


@pytest.mark.parametrize("scale", [1.5, 2.0, 3.3, 4.7])
@pytest.mark.parametrize("degrees", [0, 30, -70, 90])
def test_a_shrunk_picture_lies_exactly_where_it_should(scale: float, degrees: int) -> None:
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.array([100.4, 80.7])
    affine = np.concatenate([linear, (middle - linear @ [14.5, 9.5])[:, None]], axis=1)
    x, y = np.meshgrid(np.arange(30), np.arange(20))
    points = affine @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    inside = ((points > 12) & (points < [[188], [148]])).all(axis=0).reshape(20, 30)
    for across, down in ((1.0, 0.0), (0.0, 1.2), (0.5, 0.6)):
        out = np.empty((20, 30), np.uint8)
        warp(ramp(200, 160, across, down), affine, out)
        expected = (20 + across * points[0] + down * points[1]).reshape(20, 30)
        off = (out - expected)[inside]
        assert abs(off.mean()) < 0.3
        assert np.abs(off).max() < 1.6


def test_a_shrunk_pixel_is_the_mean_of_those_it_covers() -> None:
    luma = RANDOM.integers(0, 256, (96, 144), np.uint8)
    out = np.empty((12, 18), np.uint8)
    warp(luma, np.array([[8.0, 0, 3.5], [0, 8.0, 3.5]]), out)
    means = luma.reshape(12, 8, 18, 8).mean(axis=(1, 3))
    # The edge of the part that is looked at moves the grid by a part of a pixel.
    assert np.abs(out[2:-2, 2:-2] - means[2:-2, 2:-2]).mean() < 8
    assert np.abs(luma[3::8, 3::8].astype(float) - means).mean() > 40


def test_what_lies_far_from_a_face_does_not_matter() -> None:
    luma = RANDOM.integers(0, 256, (300, 400), np.uint8)
    affine = np.array([[3.0, 0, 120], [0, 3.0, 90]])
    one, other = np.empty((20, 30), np.uint8), np.empty((20, 30), np.uint8)
    warp(luma, affine, one)
    changed = np.zeros_like(luma)
    changed[86:154, 116:214] = luma[86:154, 116:214]
    warp(changed, affine, other)
    assert np.array_equal(one, other)


def test_a_face_beyond_the_picture_is_its_edge() -> None:
    luma = ramp(200, 160, 1.0, 0.0)
    out = np.empty((20, 30), np.uint8)
    for left, expected in ((-900, 20), (900, 219)):
        warp(luma, np.array([[3.0, 0, left], [0, 3.0, 40]]), out)
        assert (np.abs(out.astype(int) - expected) <= 2).all()
    warp(ramp(200, 160, 0.0, 1.0), np.array([[3.0, 0, 40], [0, 3.0, 900]]), out)
    assert (np.abs(out.astype(int) - 179) <= 2).all()


def test_aligned_faces_have_their_landmarks_in_the_templates_places() -> None:
    luma = ramp(300, 200, 0.5, 0.4)
    cropper = OpenCvCropper(TEMPLATE)
    places = np.stack([np.add(TEMPLATE, [40, 30]), np.add(TEMPLATE * 2, [100, 50])]).astype(np.float32)
    crops = cropper.aligned(frame_of(luma), places)
    assert (crops.shape, crops.dtype) == ((2, CROP, CROP), np.uint8)
    x, y = np.meshgrid(np.arange(CROP), np.arange(CROP))
    assert np.abs(crops[0] - (20 + 0.5 * (x + 40) + 0.4 * (y + 30))).max() < 1.1
    assert np.abs(crops[1] - (20 + 0.5 * (2 * x + 100) + 0.4 * (2 * y + 50))).max() < 1.6
    limited = cropper.aligned(frame_of(luma, full=False), places)
    assert np.array_equal(limited, full_range(frame_of(luma, full=False), crops))
    assert cropper.aligned(frame_of(luma), places[:0]).shape == (0, CROP, CROP)


def test_portraits_are_in_colour_and_small_ones_are_kept_as_jpeg() -> None:
    picture = np.dstack([ramp(300, 250, 0.5, 0), ramp(300, 250, 0, 0.5), ramp(300, 250, 0.3, 0.3)])
    template = TEMPLATE * 4 + 10
    places = np.add(template, [20, 10]).astype(np.float32)[None]
    faces = Faces(np.float32([[0, 0, 9, 9]]), places, np.float32([1]))
    cropper = OpenCvCropper(template)
    (portrait,) = cropper.portraits(frame_of(ramp(9, 9, 1, 1), picture=picture), faces)
    assert portrait.shape == (224, 224, 3) == (PORTRAIT, PORTRAIT, 3)
    assert np.abs(portrait.astype(int) - picture[10:234, 20:244]).max() <= 1
    stored = cv2.imdecode(np.frombuffer(cropper.jpeg(portrait), np.uint8), cv2.IMREAD_COLOR)
    assert stored.shape == (160, 160, 3) == (THUMBNAIL, THUMBNAIL, 3)
    small = cv2.resize(portrait, (160, 160), interpolation=cv2.INTER_AREA)
    assert np.abs(stored.astype(int) - small).max() <= 8
    noise = RANDOM.integers(0, 256, (PORTRAIT, PORTRAIT, 3), np.uint8)
    small = cv2.resize(noise, (160, 160), interpolation=cv2.INTER_AREA)
    assert cropper.jpeg(noise) == cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


# Boxes.


def part(x: int, y: int, width: int, height: int) -> np.ndarray:
    """Of `PICTURE`, black beyond it."""
    around = np.pad(PICTURE, ((500, 500), (500, 500), (0, 0)))
    return around[500 + y : 500 + y + height, 500 + x : 500 + x + width]


def cut(
    box: tuple[float, ...], framing: Framing, eyes: tuple[tuple[float, float], ...] = ((0, 0), (9, 0))
) -> np.ndarray:
    marks = np.zeros((1, 5, 2), np.float32)
    marks[0, :2] = eyes
    faces = Faces(np.float32([box]), marks, np.float32([1]))
    (found,) = OpenCvCropper(TEMPLATE).boxes(frame_of(PICTURE[..., 0]), faces, framing)
    return found


@pytest.mark.parametrize(
    ("box", "framing", "expected"),
    [
        ((10, 20, 30, 25), {}, (10, 20, 30, 25)),
        ((10.9, 20.2, 30.2, 25.9), {}, (10, 20, 31, 26)),
        ((-0.5, -7.5, 30, 25), {}, (-1, -8, 30, 25)),
        ((70, 50, 30, 25), {}, (70, 50, 30, 25)),
        ((90, 70, 5, 5), {}, (90, 70, 5, 5)),
        ((-40, -30, 5, 5), {}, (-40, -30, 5, 5)),
        ((10, 20, 0, 0), {}, (10, 20, 1, 1)),
        ((10, 20, 30, 20), {"margin": 0.1}, (7, 18, 36, 24)),
        ((10, 20, 30, 20), {"margin": 0.25}, (2, 15, 46, 30)),
        ((10, 20, 30, 20), {"square": True}, (10, 15, 30, 30)),
        ((10, 20, 20, 31), {"square": True}, (5, 20, 30, 31)),
        ((10, 20, 20, 30), {"square": True, "margin": 0.1}, (2, 17, 36, 36)),
        ((20, 10, 30, 20), {"square": True, "margin": 0.1}, (17, 2, 36, 36)),
        ((-500, 5, 1000, 20), {}, (-500, 5, 160, 20)),
        ((5, -300, 20, 1000), {}, (5, -300, 20, 120)),
        ((-500, 5, 160, 20), {}, (-500, 5, 160, 20)),
    ],
)
def test_a_box_is_cut_out_with_its_margin_and_black_beyond_the_picture(
    box: tuple[float, ...], framing: dict[str, float], expected: tuple[int, int, int, int]
) -> None:
    assert np.array_equal(cut(box, Framing(aligned=False, **framing)), part(*expected))  # type: ignore[arg-type]
    level = cut(box, Framing(aligned=False, upright=True, **framing))  # type: ignore[arg-type]
    assert np.array_equal(level, part(*expected)), "eyes that are level turn nothing"


def turned(x: int, y: int, width: int, height: int, degrees: float) -> np.ndarray:
    """A part with half its size around it, turned about its middle by OpenCV, without what is around."""
    beside, above = width // 2, height // 2
    around = part(x - beside, y - above, width + 2 * beside, height + 2 * above)
    matrix = cv2.getRotationMatrix2D(((width + 2 * beside) // 2, (height + 2 * above) // 2), degrees, 1)
    whole = cv2.warpAffine(around, matrix, (around.shape[1], around.shape[0]), flags=cv2.INTER_CUBIC)
    return whole[above : above + height, beside : beside + width]


@pytest.mark.parametrize(
    ("eyes", "degrees"),
    [
        (((20, 30), (30, 40)), 45.0),
        (((20.9, 30.9), (30.1, 20.2)), -45.0),
        (((20, 30), (40, 31.9)), np.degrees(np.arctan2(1, 20))),
        (((20, 30), (20, 40)), 90.0),
        (((30, 30), (20, 30)), 180.0),
    ],
)
@pytest.mark.parametrize("size", [(30, 24), (21, 17)])
def test_a_face_is_turned_until_its_eyes_are_level(
    eyes: tuple[tuple[float, float], ...], degrees: float, size: tuple[int, int]
) -> None:
    found = cut((15, 20, *size), Framing(aligned=False, upright=True), eyes)
    assert np.abs(found.astype(int) - turned(15, 20, *size, degrees)).max() <= 1


def test_no_faces_need_no_picture() -> None:
    def shown(wide: int, high: int) -> np.ndarray:
        raise AssertionError("nobody needs it")

    frame = Frame(0, Fraction(0), Fraction(1), PICTURE[..., 0], True, IDENTITY, shown, (80, 60))
    assert OpenCvCropper(TEMPLATE).boxes(frame, Faces.empty(), Framing(aligned=False)) == []
