"""Boxes and maps as worked out by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from visagram.core.geometry import CROP, TEMPLATE, align, apply, compose, display_to_plane, iou, nms, scale_of


def test_the_template_is_where_models_were_taught_to_expect_eyes_nose_and_mouth() -> None:
    assert CROP == 48
    assert TEMPLATE.tolist() == [[15, 19], [33, 19], [24, 29], [17, 38], [31, 38]]


def test_iou_of_several_boxes_that_lie_differently() -> None:
    one = np.float32([[10, 20, 8, 4], [0, 0, 6, 6], [100, 100, 2, 2]])
    other = np.float32([[12, 21, 8, 4], [3, 2, 3, 8], [10, 20, 8, 4], [100, 100, 4, 8]])
    expected = [
        [18 / 46, 0, 1, 0],  # 6 by 3 of 32 + 32 - 18
        [0, 12 / 48, 0, 0],  # 3 by 4 of 36 + 24 - 12
        [0, 0, 0, 4 / 32],  # all of the small one
    ]
    np.testing.assert_allclose(iou(one, other), expected, rtol=1e-6)
    np.testing.assert_allclose(iou(other, one), np.transpose(expected), rtol=1e-6)


def test_boxes_that_touch_or_lie_diagonally_apart_do_not_overlap() -> None:
    box = np.float32([[10, 10, 5, 5]])
    others = np.float32([[15, 10, 5, 5], [10, 15, 5, 5], [5, 5, 5, 5], [20, 20, 5, 5], [0, 0, 3, 3], [20, 0, 5, 5]])
    assert iou(box, others).tolist() == [[0] * 6]


def test_a_far_off_box_is_not_more_than_itself() -> None:
    # Its right edge has no place between two numbers of this size.
    far = np.float32([[16777214, 16777214, 1.3, 1.3]])
    assert 0 <= iou(far, far)[0, 0] <= 1


def test_boxes_that_overlap_exactly_as_much_as_they_may_both_stay() -> None:
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 5, 10], [50, 50, 4, 4]])
    scores = np.float32([0.5, 0.9, 0.7])
    assert nms(boxes, scores, 0.5).tolist() == [1, 2, 0]
    assert nms(boxes, scores, 0.49).tolist() == [1, 2]


def test_what_is_dropped_drops_nothing_itself() -> None:
    chain = np.float32([[0, 0, 10, 10], [4, 0, 10, 10], [8, 0, 10, 10], [12, 0, 10, 10]])
    assert nms(chain, np.float32([0.9, 0.8, 0.7, 0.6]), 0.3).tolist() == [0, 2]
    assert nms(chain, np.float32([0.6, 0.9, 0.9, 0.8]), 0.3).tolist() == [1, 3]
    assert nms(chain[[0, 0, 0]], np.float32([0.5, 0.5, 0.5]), 0.3).tolist() == [0]


def test_the_map_of_a_face_that_is_the_template_itself_changes_nothing() -> None:
    faces = np.stack([TEMPLATE, TEMPLATE * 2 + (5, -3), TEMPLATE @ np.array([[0, 1], [-1, 0]])]).astype(np.float32)
    expected = [
        [[1, 0, 0], [0, 1, 0]],
        [[2, 0, 5], [0, 2, -3]],
        [[0, -1, 0], [1, 0, 0]],
    ]
    np.testing.assert_allclose(align(faces), expected, atol=1e-9)


def test_the_map_of_a_face_that_fits_in_part_is_the_least_squares_one() -> None:
    template = np.array([[-1, 0], [1, 0], [0, 0], [0, -1], [0, 1]], np.float64)
    # Twice as wide, four times as high: three times as large fits best. The middle is at (10, 20).
    face = (template * (2, 4) + (10, 20))[None].astype(np.float32)
    np.testing.assert_allclose(align(face, template), [[[3, 0, 10], [0, 3, 20]]], atol=1e-9)
    moved = template + np.array([7, 0])
    np.testing.assert_allclose(align(face, moved), [[[3, 0, 10 - 21], [0, 3, 20]]], atol=1e-9)
    shifted = moved + np.array([0, 5])
    np.testing.assert_allclose(align(moved[None].astype(np.float32), shifted), [[[1, 0, 0], [0, 1, -5]]], atol=1e-9)


def test_maps_by_hand() -> None:
    outer = np.array([[2, 1, 10], [0, 3, -5]], np.float64)
    inner = np.array([[1, -1, 4], [2, 0, 6]], np.float64)
    assert apply(outer, np.array([[1, 2], [0, -1]])).tolist() == [[14, 1], [9, -8]]
    assert compose(outer, inner).tolist() == [[4, -2, 24], [6, 0, 13]]
    several = np.stack([outer, inner])
    assert compose(several, several[::-1]).tolist() == [[[4, -2, 24], [6, 0, 13]], [[2, -2, 19], [4, 2, 26]]]
    assert apply(several, np.array([[1, 2]])).tolist() == [[[14, 1]], [[3, 8]]]
    assert apply(several, np.array([[[1, 2]], [[0, 1]]])).tolist() == [[[14, 1]], [[3, 6]]]
    assert scale_of(outer) == pytest.approx(sqrt(6))
    assert scale_of(np.array([[0, 4, 9], [4, 0, 9]])) == pytest.approx(4)


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        # From 400 by 300 to 200 by 600: half as wide, twice as high; a pixel's middle stays in the middle.
        (0, [[0.5, 0, -0.25], [0, 2, 0.5]]),
        (180, [[-0.5, 0, 199.25], [0, -2, 598.5]]),
        (90, [[0, -2 / 3, 199.5 - 1 / 3], [1.5, 0, 0.25]]),
        (270, [[0, 2 / 3, -0.5 + 1 / 3], [-1.5, 0, 598.75]]),
    ],
)
def test_the_way_from_the_shown_picture_to_a_plane(rotation: int, expected: list[list[float]]) -> None:
    for turns in (-1, 0, 2):
        found = display_to_plane(400, 300, 200, 600, rotation + 360 * turns)
        np.testing.assert_allclose(found, expected, atol=1e-9)
