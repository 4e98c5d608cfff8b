"""Where a tracker expects faces, by the textbook's filter, and each limit from both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import make_faces
from visagram.core.tracking import LOST_SECONDS, Tracker, assign, iou_distance
from visagram.core.types import Faces

FACE = (100, 80, 60, 60)


class Expecting:
    """A distance that notes the boxes that the tracker expects; all of them are `apart`."""

    def __init__(self, apart: float = 0.0) -> None:
        self.apart = apart
        self.expected: list[NDArray[np.float32]] = []

    def __call__(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        self.expected.append(a)
        return np.full((len(a), len(b)), self.apart, np.float32)


def textbook(seen: Sequence[tuple[float, Sequence[float]]], until: float) -> list[float]:
    """Kalman's filter of middle, width and height under constant velocity. A face of height h strays by h / 20 in a
    thirtieth of a second, its velocity by h / 160, and so does what is measured; a new one by twice and by ten times as
    much."""
    first, (_, _, _, height) = seen[0]
    found = [np.array([value, 0.0]) for value in middle(seen[0][1])]
    spread = np.diag([(height / 10) ** 2, (height / 16) ** 2])
    now = first
    for time, box in [*seen[1:], (until, None)]:
        ticks = (time - now) * 30
        step = np.array([[1, ticks], [0, 1]])
        tall = found[3][0]
        found = [step @ value for value in found]
        spread = step @ spread @ step.T + ticks * np.diag([(tall / 20) ** 2, (tall / 160) ** 2])
        if box is not None:
            gain = spread @ [1, 0] / (spread[0, 0] + (box[3] / 20) ** 2)
            found = [value + gain * (there - value[0]) for value, there in zip(found, middle(box), strict=True)]
            spread = (np.eye(2) - np.outer(gain, [1, 0])) @ spread
        now = time
    x, y, w, h = (value[0] for value in found)
    w, h = max(w, 1.0), max(h, 1.0)
    return [x - w / 2, y - h / 2, w, h]


def middle(box: Sequence[float]) -> list[float]:
    x, y, w, h = box
    return [x + w / 2, y + h / 2, w, h]


WALK = [
    (5.0, (100, 80, 60, 90)),
    (5.04, (103, 80, 61, 92)),
    (5.2, (118, 77, 63, 92)),
    (5.3, (131, 70, 66, 97)),
    (6.1, (220, 40, 80, 120)),
    (6.14, (222, 42, 79, 118)),
]


def test_a_face_is_expected_where_the_textbooks_filter_has_it() -> None:
    distance = Expecting()
    tracker = Tracker(distance)
    for time, box in WALK:
        assert tracker.update(time, make_faces([box])).tolist() == [0]
    expected = [textbook(WALK[:k], WALK[k][0]) for k in range(1, len(WALK))]
    np.testing.assert_allclose(np.concatenate(distance.expected), expected, rtol=1e-5)


def test_a_face_that_shrinks_fast_is_still_expected_to_have_a_pixel() -> None:
    distance = Expecting()
    tracker = Tracker(distance)
    seen = [(k / 10, (100, 80, 60 - 9 * k, 90 - 9 * k)) for k in range(6)]
    for time, box in seen:
        tracker.update(time, make_faces([box]))
    for away in (0.9, 1.3):
        tracker.update(away, make_faces([seen[-1][1]], 0.0))
    assert [len(each) for each in distance.expected[:5]] == [1] * 5
    found = distance.expected[5][0]
    np.testing.assert_allclose(found, textbook(seen, 0.9), rtol=1e-4)
    assert (found[2], found[3] > 1) == (1, True)


def test_two_tracks_are_expected_each_where_it_goes() -> None:
    distance = Expecting(0.9)
    tracker = Tracker(distance)
    boxes = [(0, 0, 40, 40), (200, 100, 80, 80)]
    assert tracker.update(0.0, make_faces(boxes)).tolist() == [0, 1]
    # Too far from everybody, so that both are expected again where they were, and a third begins.
    assert tracker.update(0.5, make_faces([(400, 0, 30, 30)])).tolist() == [2]
    assert tracker.update(0.6, make_faces([(0, 0, 1, 1)])).tolist() == [3]
    np.testing.assert_allclose(distance.expected[0], boxes)
    np.testing.assert_allclose(distance.expected[1], [*boxes, (400, 0, 30, 30)])


@pytest.mark.parametrize(
    ("apart", "score", "found"),
    [
        *((0.84, 0.9, 0), (0.86, 0.9, 1)),
        *((0.84, 0.5, 0), (0.86, 0.5, -1)),
        *((0.49, 0.49, 0), (0.51, 0.49, -1), (0.84, 0.49, -1)),
        *((0.86, 0.6, 1), (0.86, 0.59, -1)),
    ],
)
def test_how_near_and_how_sure_a_face_must_be_to_go_on(apart: float, score: float, found: int) -> None:
    distance = Expecting()
    tracker = Tracker(distance)
    tracker.update(0.0, make_faces([FACE]))
    distance.apart = apart
    assert tracker.update(0.04, make_faces([FACE], score)).tolist() == [found]


@pytest.mark.parametrize(("score", "found"), [(0.6, 0), (0.59, -1)])
def test_a_track_begins_with_a_score_of_0_6(score: float, found: int) -> None:
    assert Tracker().update(0.0, make_faces([FACE], score)).tolist() == [found]


@pytest.mark.parametrize(("away", "found"), [(0.5, 0), (1.0, 0), (1.0625, 1), (1.5, 1)])
def test_a_track_that_was_not_seen_for_more_than_a_second_is_over(away: float, found: int) -> None:
    assert LOST_SECONDS == 1
    tracker = Tracker()
    tracker.update(2.0, make_faces([FACE]))
    tracker.update(2.0 + away, Faces.empty())
    assert tracker.update(2.125 + away, make_faces([FACE])).tolist() == [found]


def test_each_time_a_face_is_seen_its_second_begins_anew() -> None:
    tracker = Tracker()
    for time in (0.0, 0.9, 1.8):
        assert tracker.update(time, make_faces([FACE])).tolist() == [0]
    assert tracker.update(2.7, Faces.empty()).tolist() == []
    assert tracker.update(2.75, make_faces([FACE])).tolist() == [0]


def test_whoever_was_lost_and_is_found_again_may_be_continued_by_a_weak_face() -> None:
    tracker = Tracker()
    tracker.update(0.0, make_faces([FACE]))
    tracker.update(0.04, Faces.empty())
    assert tracker.update(0.08, make_faces([FACE], 0.4)).tolist() == [-1]
    assert tracker.update(0.12, make_faces([FACE])).tolist() == [0]
    assert tracker.update(0.16, make_faces([FACE], 0.4)).tolist() == [0]
    assert tracker.update(0.2, make_faces([FACE], 0.4)).tolist() == [0]


def test_weak_and_sure_faces_go_on_side_by_side_and_new_ones_get_the_next_numbers() -> None:
    boxes = [(0, 0, 50, 50), (100, 0, 50, 50), (200, 0, 50, 50), (300, 0, 50, 50)]
    tracker = Tracker()
    assert tracker.update(0.0, make_faces(boxes, [0.9, 0.55, 0.8, 0.3])).tolist() == [0, -1, 1, -1]
    assert tracker.update(0.04, make_faces(boxes[::-1], [0.9, 0.45, 0.95, 0.55])).tolist() == [2, 1, 3, 0]
    tracker.cut()
    assert tracker.update(0.08, make_faces(boxes[:2])).tolist() == [4, 5]


@pytest.mark.parametrize(
    ("distances", "gate", "pairs"),
    [
        ([[0.1, 0.9], [0.9, 0.2]], 0.5, [(0, 0), (1, 1)]),
        ([[0.9, 0.5], [0.9, 0.9]], 0.5, [(0, 1)]),
        ([[0.9, 0.51], [0.9, 0.9]], 0.5, []),
        # The nearest of all would leave the other row without one.
        ([[0.1, 0.2], [0.15, 0.9]], 0.5, [(0, 1), (1, 0)]),
        ([[0.1, 0.4], [0.2, 0.4]], 0.5, [(0, 0), (1, 1)]),
        # Two for one.
        ([[0.3], [0.2]], 0.5, [(1, 0)]),
        ([[0.3, 0.2]], 0.5, [(0, 1)]),
        # What is beyond the gate does not push out what is within it, however much it would save.
        ([[0.5, 0.0, 0.9], [0.0, 0.9, 0.9], [0.9, 0.9, 0.9]], 0.5, [(0, 1), (1, 0)]),
    ],
)
def test_pairs_as_one_would_choose_them(
    distances: list[list[float]], gate: float, pairs: list[tuple[int, int]]
) -> None:
    assert sorted(assign(np.float32(distances), gate)) == pairs


def test_the_distance_of_boxes_is_what_they_do_not_share() -> None:
    one, other = np.float32([[0, 0, 10, 10], [50, 0, 10, 10]]), np.float32([[0, 0, 10, 10], [5, 0, 10, 10]])
    np.testing.assert_allclose(iou_distance(one, other), [[0, 2 / 3], [1, 1]], atol=1e-6)
