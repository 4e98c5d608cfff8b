"""Each part of a face's quality as worked out by hand, and each limit from both sides."""

from __future__ import annotations

from math import cos, radians, sin, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from visagram.core.geometry import CROP, TEMPLATE
from visagram.core.quality import MAX_ROLL, frontality, judge, lies, outside_share, sharpness
from visagram.core.types import Reason

PICTURE = (1000, 800)
LEVEL = np.array([[-0.5, 0], [0.5, 0], [0, 0.55], [-0.4, 1], [0.4, 1]])
"""A face that looks straight at the camera: eyes one apart, the mouth one below them."""
SHARP = (np.indices((CROP, CROP)).sum(axis=0) % 2 * 255).astype(np.uint8)


def placed(points: NDArray[np.float64], size: float = 100.0, x: float = 500.0, y: float = 400.0) -> NDArray[np.float32]:
    return (points[None] * size + (x, y)).astype(np.float32)


def turned(points: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Clockwise as one sees it, where y points down."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return np.asarray(points @ np.array([[c, s], [-s, c]]))


def judged(
    box: tuple[float, float] = (100, 100),
    landmarks: NDArray[np.float32] | None = None,
    crop: NDArray[np.uint8] = SHARP,
    picture: tuple[int, int] = PICTURE,
) -> tuple[Reason, float]:
    boxes = np.float32([[0, 0, *box]])
    reasons, quality = judge(boxes, placed(LEVEL) if landmarks is None else landmarks, crop[None], picture)
    return Reason(reasons[0]), float(quality[0])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((200, 200), (Reason.NONE, 1.0)),
        ((96, 300), (Reason.NONE, 1.0)),
        ((48, 96), (Reason.NONE, 0.5)),
        ((96, 72), (Reason.NONE, 0.75)),
        ((24, 96), (Reason.NONE, 0.25)),
        ((23.75, 96), (Reason.TOO_SMALL, 23.75 / 96)),
        ((96, 12), (Reason.TOO_SMALL, 0.125)),
    ],
)
def test_quality_grows_with_the_shorter_side_up_to_96_pixels(
    box: tuple[float, float], expected: tuple[Reason, float]
) -> None:
    reason, quality = judged(box)
    assert (reason, quality) == (expected[0], pytest.approx(expected[1], abs=1e-5))


GRID = 47 / 8
"""Pixels between the points of a crop of 48 that are looked up in the picture, nine in a row."""


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (0, 0, 0),
        (-0.45, -0.45, 0),
        (-0.55, 0, 1 / 9),
        (0, -0.55, 1 / 9),
        (-0.55, -0.55, 17 / 81),
        (-0.55 - GRID, 0, 2 / 9),
        (0, -0.55 - 2 * GRID, 3 / 9),
        # The picture is 60 by 70: a crop that begins at 12 and 22 ends with its last pixels.
        (12.45, 22.45, 0),
        (12.55, 22, 1 / 9),
        (12, 22.55, 1 / 9),
        (12.55 + 3 * GRID, 22, 4 / 9),
        (12, 22.55 + 4 * GRID, 5 / 9),
        (12.55, 22.55 + GRID, 1 - 8 * 7 / 81),
        (60, 0, 1),
        (0, 70, 1),
        (-60, -70, 1),
    ],
)
def test_the_share_outside_the_picture_is_counted_in_points(x: float, y: float, expected: float) -> None:
    landmarks = (TEMPLATE[None] + (x, y)).astype(np.float32)
    assert outside_share(landmarks, (60, 70))[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "reason", "share"), [(-0.45, Reason.NONE, 0), (-0.55, Reason.CUT_OFF, 1 / 9), (-7, Reason.CUT_OFF, 2 / 9)]
)
def test_a_ninth_outside_is_too_much_and_is_taken_off(x: float, reason: Reason, share: float) -> None:
    level = judged((96, 96), (TEMPLATE[None] + (100, 100)).astype(np.float32))
    found = judged((96, 96), (TEMPLATE[None] + (x, 100)).astype(np.float32))
    assert level[0] == Reason.NONE
    assert found == (reason, pytest.approx(level[1] * (1 - share), abs=1e-6))


def test_faces_are_judged_each_for_itself() -> None:
    landmarks = np.concatenate([placed(LEVEL), placed(LEVEL, x=-500), placed(turned(LEVEL, 90)), placed(LEVEL)])
    boxes = np.float32([[0, 0, 96, 96]] * 3 + [[0, 0, 20, 20]])
    reasons, quality = judge(boxes, landmarks, np.stack([SHARP] * 4), PICTURE)
    assert reasons.tolist() == [Reason.NONE, Reason.CUT_OFF, Reason.LYING, Reason.TOO_SMALL]
    assert quality.tolist() == pytest.approx([1, 0, 1, 20 / 96], abs=1e-5)
    assert (reasons.dtype, quality.dtype) == (np.uint8, np.float32)


PROFILE = LEVEL + np.outer([0, 0, 1, 0, 0], [0.5, 0])
BLANK = np.full((CROP, CROP), 90, np.uint8)


def test_of_several_faults_the_first_of_size_border_lying_pose_and_blur_is_the_reason() -> None:
    lying, profile = placed(turned(PROFILE, 70)), placed(PROFILE)
    outside = placed(turned(PROFILE, 70), x=-40)
    assert judged((20, 20), outside, BLANK)[0] == Reason.TOO_SMALL
    assert judged((96, 96), outside, BLANK)[0] == Reason.CUT_OFF
    assert judged((96, 96), lying, BLANK)[0] == Reason.LYING
    assert judged((96, 96), profile, BLANK) == (Reason.TURNED, 0)
    assert judged((96, 96), crop=BLANK) == (Reason.BLURRED, 0)
    assert judged((96, 96)) == (Reason.NONE, pytest.approx(1, abs=1e-5))


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(0, False), (49, False), (-49, False), (51, True), (-51, True), (90, True), (-90, True), (180, True)],
)
@pytest.mark.parametrize("size", [0.5, 100.0])
def test_a_face_lies_beyond_fifty_degrees(degrees: float, expected: bool, size: float) -> None:
    assert MAX_ROLL == 50
    assert lies(placed(turned(LEVEL, degrees), size)).tolist() == [expected]


@pytest.mark.parametrize(
    ("eyes", "mouth", "expected"), [(80, 10, False), (80, 30, True), (10, 80, False), (30, 80, True), (-70, 70, False)]
)
def test_half_of_what_tells_a_tilt_are_the_eyes_and_half_is_the_way_down_to_the_mouth(
    eyes: float, mouth: float, expected: bool
) -> None:
    # However far the eyes are apart: their line and the way down count the same.
    for apart, length in ((1, 1), (0.3, 2), (2, 0.3)):
        across, down = turned(np.array([[apart / 2, 0]]), eyes)[0], turned(np.array([[0, length]]), mouth)[0]
        side = np.array([0.4, 0.1])
        face = np.stack([-across, across, down / 2, down - side, down + side])
        assert lies(placed(face)).tolist() == [expected]
        face[2] += (1.5, -2)
        assert lies(placed(face)).tolist() == [expected], "wherever the nose is"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # The nose beside the middle, in eye distances of which 0.42 are a profile.
        ({2: (0.105, 0)}, 0.75),
        ({2: (-0.21, 0)}, 0.5),
        ({2: (0.42, 0)}, 0.0),
        ({2: (0.63, 0)}, -0.5),
        # Eyes closer together than 0.8 of the way to the mouth; 0.42 are a profile.
        ({0: (0.1, 0), 1: (-0.1, 0)}, 1.0),
        ({0: (0.195, 0), 1: (-0.195, 0)}, 0.5),
        ({0: (0.29, 0), 1: (-0.29, 0)}, 0.0),
        # The mouth beside the eyes' middle counts 0.7 of that.
        ({3: (0.3, 0), 4: (0.3, 0)}, 0.5),
        # The nose along the way down: best at 0.55, nothing at 0.2 and 0.9.
        ({2: (0, 0.175)}, 0.5),
        ({2: (0, -0.175)}, 0.5),
        ({2: (0, -0.35)}, 0.0),
        ({2: (0, 0.7)}, -1.0),
        # Several at once: the worst counts.
        ({2: (0.21, 0.07)}, 0.5),
        ({2: (0.105, 0.28)}, 0.2),
    ],
)
@pytest.mark.parametrize("roll", [0, 30, -140])
def test_how_frontal_a_face_is(change: dict[int, tuple[float, float]], expected: float, roll: float) -> None:
    face = LEVEL.copy()
    for point, by in change.items():
        face[point] += by
    # The mouth moves the way down itself, which is then a little longer, and the nose no more on it.
    tolerance = 0.02 if 3 in change else 1e-4
    assert frontality(placed(turned(face, roll)))[0] == pytest.approx(expected, abs=tolerance)
    mirrored = turned(face * (-1, 1), roll)[[1, 0, 2, 4, 3]]
    assert frontality(placed(mirrored))[0] == pytest.approx(expected, abs=tolerance)


def test_frontality_is_a_factor_of_quality() -> None:
    half = LEVEL + np.outer([0, 0, 1, 0, 0], [0.21, 0])
    assert judged((96, 96), placed(half)) == (Reason.NONE, pytest.approx(0.5, abs=1e-4))
    assert judged((48, 96), placed(half)) == (Reason.NONE, pytest.approx(0.25, abs=1e-4))


def dotted(row: int, column: int, value: int = 200) -> NDArray[np.uint8]:
    crop = np.zeros((CROP, CROP), np.uint8)
    crop[row, column] = value
    return crop


@pytest.mark.parametrize(
    ("row", "column", "seen"),
    [(20, 30, 8), (0, 20, 1), (47, 20, 1), (20, 0, 1), (20, 47, 1), (0, 0, 0), (1, 1, 6), (46, 30, 7), (30, 1, 7)],
)
def test_a_dot_is_as_sharp_as_what_differs_from_its_four_neighbours(row: int, column: int, seen: int) -> None:
    # The dot itself differs by four times its value, each neighbour that is not on the edge by once.
    share = 1 / CROP**2
    deviation = 200 * sqrt(share * (1 - share))
    assert sharpness(dotted(row, column)[None])[0] == pytest.approx(seen * 200 / 46**2 / (deviation + 2), rel=1e-5)


def test_stripes_are_as_sharp_as_one_can_work_out() -> None:
    stripes = np.repeat(np.arange(CROP)[:, None] % 2 * 100, CROP, axis=1).astype(np.uint8)
    crops = np.stack([SHARP, stripes, stripes.T, BLANK])
    assert sharpness(crops).tolist() == pytest.approx([1020 / 129.5, 200 / 52, 200 / 52, 0], rel=1e-6)
    assert sharpness(crops).dtype == np.float64


def faint(sharp: float) -> NDArray[np.uint8]:
    """A crop of so much sharpness: a step that is wide and a few dots."""
    crop = np.zeros((CROP, CROP), np.uint8)
    crop[:, : CROP // 2] = 200
    places = [(row, column) for row in range(3, 45, 4) for column in (4, 8, 12, 16, 28, 32, 36, 40)]
    for row, column in places:
        if sharpness(crop[None])[0] >= sharp:
            break
        crop[row, column] = 100
    return crop


@pytest.mark.parametrize(("sharp", "reason"), [(0.11, Reason.BLURRED), (0.13, Reason.NONE), (0.25, Reason.NONE)])
def test_a_face_is_blurred_below_0_12_and_as_good_as_sharp_from_0_5(sharp: float, reason: Reason) -> None:
    crop = faint(sharp)
    found = float(sharpness(crop[None])[0])
    assert found == pytest.approx(sharp, abs=0.012)
    assert judged((96, 96), crop=crop) == (reason, pytest.approx(found / 0.5, abs=1e-5))
