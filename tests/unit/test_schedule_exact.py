"""Limits of changes, cuts and agreement from both sides, and every look that a search makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import PICTURE, make_faces, make_frame
from visagram.core.schedule import ChangeMeter, agree, look
from visagram.core.types import Faces, Frame

FACE = (100, 80, 80, 60)


def measured(levels: Sequence[int], full_range: bool = True) -> tuple[list[int], list[int]]:
    """Numbers of the changed frames and of the cuts among grey frames of these levels."""
    frames = [
        make_frame(k, np.full((48, 64), level, np.uint8), full_range=full_range) for k, level in enumerate(levels)
    ]
    changed, cuts = ChangeMeter().measure(frames)
    assert (changed.shape, cuts.shape, changed.dtype, cuts.dtype) == (
        (len(frames),) * 1,
        (len(frames),) * 1,
        bool,
        bool,
    )
    return np.flatnonzero(changed).tolist(), np.flatnonzero(cuts).tolist()


@pytest.mark.parametrize(
    ("step", "found"), [(6, ([], [])), (7, ([2], [])), (18, ([2], [])), (19, ([2], [2])), (100, ([2], [2]))]
)
def test_after_rest_six_levels_are_no_change_and_eighteen_no_cut(step: int, found: tuple[list[int], list[int]]) -> None:
    assert measured([100, 100, 100 + step, 100 + step]) == found
    assert measured([100, 100, 100 - step, 100 - step]) == found


@pytest.mark.parametrize(("step", "found"), [(5, ([], [])), (6, ([2], [])), (15, ([2], [])), (16, ([2], [2]))])
def test_levels_of_limited_range_are_stretched(step: int, found: tuple[list[int], list[int]]) -> None:
    # 255 / 219 as far apart: 5.8, 7.0, 17.5, 18.6.
    assert measured([100, 100, 100 + step, 100 + step], full_range=False) == found


@pytest.mark.parametrize(
    ("step", "found"), [(25, ([], [])), (26, ([6], [])), (30, ([6], [])), (31, ([6], [6])), (36, ([6], [6]))]
)
def test_in_motion_a_change_is_two_and_a_half_times_the_usual_and_a_cut_three_times(
    step: int, found: tuple[list[int], list[int]]
) -> None:
    restless = [100, 110, 100, 110, 100, 110]
    changed, cuts = measured([*restless, 110 + step, 110 + step])
    assert ([k for k in changed if k > 1], cuts) == found


@pytest.mark.parametrize(
    ("rests", "moves", "step", "found"),
    [
        (20, 7, 25, []),  # of the last twelve, seven
        (20, 7, 26, [28]),
        (20, 5, 7, [26]),
        (20, 6, 12, []),  # six of each: half of ten
        (20, 6, 13, [27]),
        (4, 4, 12, []),  # eight are all there were
        (4, 4, 13, [9]),
    ],
)
def test_usual_is_the_median_of_the_last_twelve_steps(rests: int, moves: int, step: int, found: list[int]) -> None:
    levels = [100] * (rests + 1) + [110 if k % 2 == 0 else 100 for k in range(moves)]
    changed, _ = measured([*levels, levels[-1] + step])
    first_moves = [k for k in changed if k <= rests + moves]
    assert [k for k in changed if k not in first_moves] == found
    assert rests + 1 in first_moves


def grid() -> NDArray[np.bool_]:
    """Which pixels of 320 by 240 are looked at: every tenth of every seventh row, half a step from the edge."""
    seen = np.zeros(PICTURE[::-1], bool)
    seen[3::7, 5::10] = True
    return seen


def test_a_picture_is_compared_at_some_of_its_pixels() -> None:
    grey = np.full(PICTURE[::-1], 100, np.uint8)
    between, there = np.where(grid(), 100, 200).astype(np.uint8), np.where(grid(), 200, 100).astype(np.uint8)

    def cuts(*lumas: NDArray[np.uint8]) -> list[bool]:
        return ChangeMeter().measure([make_frame(k, luma) for k, luma in enumerate(lumas)])[1].tolist()

    assert cuts(grey, between, grey) == [False, False, False]
    assert cuts(grey, there, there) == [False, True, False]
    lower, right = there.copy(), there.copy()
    lower[:10], right[:, :10] = 100, 100
    assert cuts(grey, lower) == cuts(grey, right) == [False, True]
    # Of a small one at all of them.
    small = np.full((20, 30), 100, np.uint8)
    dots = small.copy()
    dots[1::2, 1::2] = 220
    assert cuts(small, dots) == [False, True]
    assert cuts(small, small.T) == [False, True]


class Detector:
    """Sees one face from frame `entrance` on. asked: the numbers of the frames of each call."""

    def __init__(self, entrance: int) -> None:
        self.entrance = entrance
        self.asked: list[list[int]] = []

    def detect(self, frames: Sequence[Frame]) -> list[Faces]:
        self.asked.append([frame.index for frame in frames])
        return [make_faces([FACE] if frame.index >= self.entrance else []) for frame in frames]


def search(
    entrance: int, wanted: Sequence[int], cuts: Sequence[int] = (), known: dict[int, Faces] | None = None
) -> tuple[list[list[int]], list[int]]:
    """Which frames were looked at call by call, and in which there are faces."""
    frames = [make_frame(k, np.zeros((48, 64), np.uint8)) for k in range(18)]
    detector, cut = Detector(entrance), np.isin(np.arange(18), cuts)
    found = look(frames, detector.detect, wanted, cut, known or {})
    assert sorted(found) == sorted({*(k for call in detector.asked for k in call), *(known or {})})
    return detector.asked, sorted(k for k, faces in found.items() if len(faces))


def test_where_looks_disagree_the_one_half_way_is_taken_until_neighbours_touch() -> None:
    assert search(5, [0, 8, 16]) == ([[0, 8, 16], [4], [6], [5]], [5, 6, 8, 16])
    assert search(16, [16, 0, 8]) == ([[0, 8, 16], [12], [14], [15]], [16])
    assert search(1, [0, 8]) == ([[0, 8], [4], [2], [1]], [1, 2, 4, 8])
    assert search(0, [0, 8, 17]) == ([[0, 8, 17]], [0, 8, 17])
    assert search(4, [3, 4]) == ([[3, 4]], [4])


def test_across_a_cut_nothing_is_looked_for() -> None:
    assert search(5, [0, 8], [5])[0] == [[0, 8]]
    assert search(5, [0, 8], [1])[0] == [[0, 8]]
    assert search(5, [0, 8], [8])[0] == [[0, 8]]
    assert search(5, [0, 8], [0, 9])[0] == [[0, 8], [4], [6], [5]]


def test_what_is_known_is_not_looked_at_again_but_compared() -> None:
    face = make_faces([FACE])
    assert search(5, [0, 8], known={0: face})[0] == [[8]]
    assert search(5, [0, 8], known={0: make_faces([])})[0] == [[8], [4], [6], [5]]
    assert search(5, [0, 8], known={0: face, 8: face})[0] == [[]]


def moved(faces: Faces, across: float, point: int = 4, axis: int = 0) -> Faces:
    landmarks = faces.landmarks.copy()
    landmarks[0, point, axis] += across
    return dataclasses.replace(faces, landmarks=landmarks)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("point", [0, 4])
@pytest.mark.parametrize(("across", "expected"), [(20, True), (-20, True), (20.25, False), (-20.25, False)])
def test_a_landmark_may_move_a_quarter_of_the_longer_side(across: float, expected: bool, point: int, axis: int) -> None:
    face = make_faces([FACE])
    assert agree(face, moved(face, across, point, axis)) is expected
    assert agree(moved(face, across, point, axis), face) is expected


@pytest.mark.parametrize(("width", "expected"), [(10, True), (9.75, False), (40, True), (41, False)])
def test_boxes_must_overlap_by_half(width: float, expected: bool) -> None:
    face = make_faces([(0, 0, 20, 10)])
    other = dataclasses.replace(face, boxes=np.float32([[0, 0, width, 10]]))
    assert agree(face, other) is expected
    assert agree(other, face) is expected


@pytest.mark.parametrize(("score", "expected"), [(0.5, False), (0.4375, True), (0.9, False)])
def test_a_face_that_one_look_alone_shows_counts_from_a_score_of_one_half(score: float, expected: bool) -> None:
    one, more = make_faces([FACE]), make_faces([FACE, (300, 10, 40, 40)], [0.98, score])
    assert agree(one, more) is expected
    assert agree(more, one) is expected
    assert agree(make_faces([]), make_faces([FACE], score)) is expected
    assert agree(make_faces([FACE], score), make_faces([])) is expected


def test_faces_are_compared_each_with_its_own() -> None:
    both = make_faces([FACE, (300, 10, 40, 40)])
    assert agree(both, both[np.array([1, 0])])
    assert not agree(both, moved(both[np.array([1, 0])], 12))
    assert agree(make_faces([]), make_faces([]))
    weak_first = make_faces([(300, 10, 40, 40), FACE], [0.4, 0.98])
    assert agree(weak_first, make_faces([FACE]))
    assert agree(make_faces([FACE]), weak_first)
