"""Quality is a share: what there is of size, picture, frontal view and sharpness, multiplied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import PICTURE, make_faces
from visagram.core.geometry import CROP
from visagram.core.quality import frontality, judge
from visagram.core.types import Faces, Reason

SHARP = np.indices((CROP, CROP)).sum(axis=0).astype(np.uint8) % 2 * 255


def judged(faces: Faces, picture: tuple[int, int] = (1000, 1000)) -> tuple[list[int], list[float]]:
    reasons, quality = judge(faces.boxes, faces.landmarks, np.repeat(SHARP[None], len(faces), axis=0), picture)
    return reasons.tolist(), quality.tolist()


def test_a_large_sharp_frontal_face_in_the_middle_has_the_best_quality_there_is() -> None:
    faces = make_faces([(300, 300, 200, 200), (300, 300, 96, 96), (300, 300, 48, 48)])
    reasons, (large, enough, half) = judged(faces)
    assert reasons == [Reason.NONE] * 3
    assert large == pytest.approx(enough, rel=1e-3)
    assert large == pytest.approx(2 * half, rel=1e-3)
    assert 0.75 < large <= 1


@pytest.mark.parametrize("size", [40.0, 120.0])
@pytest.mark.parametrize(("shift", "expected"), [(0.0, 1.0), (0.15, 0.75), (0.3, 0.5), (-0.3, 0.5), (0.6, 0.0)])
def test_a_mouth_that_is_not_below_the_eyes_tells_of_a_turned_head(size: float, shift: float, expected: float) -> None:
    # Eyes and mouth corners at (-0.5, 0), (0.5, 0) and (-0.4, 1), (0.4, 1), the nose half-way: as level as can be.
    face = np.array([[-0.5, 0], [0.5, 0], [0, 0.55], [-0.4 + shift, 1], [0.4 + shift, 1]])
    assert frontality((face[None] * size + 200).astype(np.float32))[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("nose", "expected"), [(0.55, 1.0), (0.2, 0.0), (0.9, 0.0), (0.375, 0.5), (0.725, 0.5)])
def test_a_nose_near_the_eyes_or_the_mouth_tells_of_a_nod(nose: float, expected: float) -> None:
    face = np.array([[-0.5, 0], [0.5, 0], [0, nose], [-0.4, 1], [0.4, 1]])
    assert frontality((face[None] * 80 + 200).astype(np.float32))[0] == pytest.approx(expected, abs=1e-4)


def test_what_lies_outside_the_picture_is_taken_off() -> None:
    inside, over = judged(make_faces([(300, 300, 200, 200), (-40, 300, 200, 200)]))[1]
    assert 0 < over < 0.95 * inside


@given(st.floats(-300, 400), st.floats(-300, 300), st.floats(1, 500), st.integers(0, 2**32 - 1))
def test_quality_is_never_below_nothing_nor_above_everything(x: float, y: float, side: float, seed: int) -> None:
    faces = make_faces([(x, y, side, side)])
    crops = np.random.default_rng(seed).integers(0, 256, (1, CROP, CROP), np.uint8)
    _, quality = judge(faces.boxes, faces.landmarks, crops, PICTURE)
    assert 0 <= quality[0] <= 1
