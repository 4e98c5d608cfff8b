"""Who is one person and who is not, at the limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fakes import make_track
from visagram.core.identity import SHARED_FRAMES, group_people


@pytest.mark.parametrize(("shared", "groups"), [(3, [[0, 1]]), (4, [[0], [1]])])
def test_up_to_three_frames_side_by_side_are_a_double_detection(shared: int, groups: list[list[int]]) -> None:
    assert SHARED_FRAMES == 3
    tracks = [make_track(0, 0, 50), make_track(1, 50 - shared, 99)]
    assert group_people(tracks, np.array([[0, shared], [shared, 0]]), 0.6) == groups


@pytest.mark.parametrize(("threshold", "groups"), [(0.5, [[0, 1]]), (0.53125, [[0], [1]])])
def test_two_who_are_exactly_as_alike_as_one_person_must_be_are_one(threshold: float, groups: list[list[int]]) -> None:
    vectors = np.float32([[1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]])
    tracks = [dataclasses.replace(make_track(k), embedding=vector) for k, vector in enumerate(vectors)]
    assert group_people(tracks, np.zeros((2, 2), int), threshold) == groups
