"""When two looks of the detector agree: faces may move by a share of their larger side."""

from __future__ import annotations

import dataclasses

import pytest

from fakes import make_faces
from visagram.core.schedule import STEADY_MOVE, agree


@pytest.mark.parametrize("box", [(100, 80, 40, 80), (100, 80, 80, 40)])
def test_a_landmark_may_move_by_a_share_of_the_larger_side(box: tuple[float, float, float, float]) -> None:
    before = make_faces([box])
    for share, steady in ((0.9, True), (1.1, False)):
        moved = before.landmarks.copy()
        moved[0, 4, 0] += share * STEADY_MOVE * 80
        assert agree(before, dataclasses.replace(before, landmarks=moved)) is steady


def test_weak_detections_in_other_places_are_not_one_that_moved() -> None:
    steady = [(100, 80, 60, 60)]
    before = make_faces([*steady, (10, 10, 30, 30)], [0.98, 0.4])
    after = make_faces([*steady, (250, 180, 30, 30)], [0.98, 0.4])
    assert agree(before, after) and agree(after, before)


def test_each_face_is_measured_by_its_own_size() -> None:
    before = make_faces([(20, 20, 40, 40), (120, 20, 120, 120)])
    moved = before.landmarks.copy()
    moved[1, :, 1] += 20  # little for the large face, too much for the small one
    assert agree(before, dataclasses.replace(before, landmarks=moved))
    moved = before.landmarks.copy()
    moved[0, :, 1] += 20
    assert not agree(before, dataclasses.replace(before, landmarks=moved))
