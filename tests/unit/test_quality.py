"""The real detector and cropper on the real face of the sample clip, made worse in one way at a time."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import visagram
from fakes import make_faces, make_frame
from visagram.core.geometry import CROP, apply
from visagram.core.quality import frontality, judge, outside_share, sharpness
from visagram.core.types import Reason
from visagram.media.crop import OpenCvCropper
from visagram.models.catalog import DETECTOR, EMBEDDING, open_session, read_card
from visagram.models.retinaface import RetinaFaceDetector, input_size

SAMPLE = Path(visagram.__file__).parent / "data" / "sample.mp4"


@pytest.fixture(scope="module")
def picture():
    """(300, 400, 3) BGR: the first frame."""
    with av.open(str(SAMPLE)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


@pytest.fixture(scope="module")
def face(picture):
    """The one face in it."""
    return _find(picture)


def _find(picture):
    height, width = picture.shape[:2]
    size = input_size((width, height), 16, "auto")
    detector = RetinaFaceDetector(open_session(read_card(DETECTOR), 1), picture=(width, height), size=size, region=None)
    (faces,) = detector.detect([_frame(picture)])
    return faces[faces.scores >= 0.6]


def _frame(picture):
    return make_frame(0, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), shown=picture)


def _judged(picture):
    """Reason and quality of the one face in the picture."""
    faces = _find(picture)
    assert len(faces) == 1
    cropper = OpenCvCropper(np.array(read_card(EMBEDDING).facts["input"]["template"], np.float64))
    crops = cropper.aligned(_frame(picture), faces.landmarks)
    reasons, quality = judge(faces.boxes, faces.landmarks, crops, picture.shape[1::-1])
    return Reason(reasons[0]), float(quality[0])


def _turned(picture, face, degrees):
    """The head turned about its vertical axis: an ellipsoid with a nose on it, painted back to front."""
    x, y, width, height = face.boxes[0].astype(float)
    nose = face.landmarks[0, 2]
    centre_x, centre_y = x + width / 2, y + height / 2
    fine = cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR)
    down, across = np.mgrid[0 : fine.shape[0], 0 : fine.shape[1]] / 3
    u, v = (across - centre_x) / (0.62 * width), (down - centre_y) / (0.75 * height)
    head = u**2 + v**2 < 1
    bump = np.exp(-(((across - nose[0]) / (0.12 * width)) ** 2) - ((down - nose[1]) / (0.2 * height)) ** 2)
    depth = (0.62 * width * np.sqrt(np.clip(1 - u**2 - v**2, 0, None)) + 0.25 * width * bump)[head]
    side, angle = (across[head] - centre_x), np.deg2rad(degrees)
    painted = np.full_like(picture, 128)
    order = np.argsort(depth * np.cos(angle) - side * np.sin(angle))
    column = centre_x + side * np.cos(angle) + depth * np.sin(angle)
    column = np.clip(np.round(column), 0, picture.shape[1] - 1).astype(int)[order]
    row = np.clip(np.round(down[head]), 0, picture.shape[0] - 1).astype(int)[order]
    painted[row, column] = fine[head][order]
    return painted


def test_the_face_as_it_is_can_be_used(picture):
    reason, quality = _judged(picture)
    assert reason is Reason.NONE
    assert quality > 0.3


@pytest.mark.parametrize("sigma", [6, 10])
def test_a_blurred_face_is_unusable_because_it_is_blurred(picture, sigma):
    assert _judged(cv2.GaussianBlur(picture, (0, 0), sigma))[0] is Reason.BLURRED


@pytest.mark.parametrize("scale", [0.2, 0.15])
def test_a_tiny_face_is_unusable_because_it_is_small(picture, scale):
    assert _judged(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))[0] is Reason.TOO_SMALL


@pytest.mark.parametrize("degrees", [55, 60, -55, -60])
def test_a_turned_face_is_unusable_because_it_is_turned(picture, face, degrees):
    assert _judged(_turned(picture, face, degrees))[0] is Reason.TURNED


def test_the_same_painting_of_a_face_that_is_not_turned_can_be_used(picture, face):
    assert _judged(_turned(picture, face, 0))[0] is Reason.NONE


@pytest.mark.parametrize("share", [0.3, 0.4])
@pytest.mark.parametrize("edge", ["left", "top"])
def test_a_face_cut_by_the_border_is_unusable_because_it_is_cut_off(picture, face, share, edge):
    x, y, width, height = face.boxes[0]
    part = picture[:, round(x + share * width) :] if edge == "left" else picture[round(y + share * height) :]
    assert _judged(np.ascontiguousarray(part))[0] is Reason.CUT_OFF


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_a_tilted_head_can_be_used(picture, face, degrees):
    x, y, width, height = face.boxes[0].astype(float)
    turn = cv2.getRotationMatrix2D((x + width / 2, y + height / 2), degrees, 1)
    tilted = cv2.warpAffine(picture, turn, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    assert _judged(tilted)[0] is Reason.NONE


def test_the_worse_the_face_the_lower_its_quality(picture, face):
    for worse in (
        [cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in (1, 3, 6)],
        [cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for scale in (0.7, 0.4, 0.25)],
        [_turned(picture, face, degrees) for degrees in (10, 30, 50)],
    ):
        qualities = [_judged(one)[1] for one in worse]
        assert qualities == sorted(qualities, reverse=True)


@given(st.floats(-np.pi, np.pi), st.floats(0.5, 4))
def test_roll_and_size_do_not_change_how_frontal_a_face_is(angle, scale):
    points = make_faces([(0, 0, 60, 60), (0, 0, 50, 66)]).landmarks
    points[1, 2] += (5, 2)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    np.testing.assert_allclose(frontality(apply(turn, points).astype(np.float32)), frontality(points), atol=1e-3)


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 1), st.floats(0, 60))
def test_light_and_contrast_hardly_change_how_sharp_a_crop_is(seed, gain, offset):
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).uniform(0, 255, (CROP, CROP)), (0, 0), 1.5)
    crop = 20 + 100 * (smooth - smooth.min()) / np.ptp(smooth)
    pair = np.stack([crop, crop * gain + offset]).round().astype(np.uint8)
    sharp, other = sharpness(pair)
    assert other == pytest.approx(sharp, rel=0.25)


def test_a_flat_crop_is_not_sharp():
    assert sharpness(np.full((1, CROP, CROP), 90, np.uint8))[0] == 0


@given(st.floats(-200, 500), st.floats(-200, 400))
def test_the_share_outside_the_picture_grows_from_none_to_all(x, y):
    (outside,) = outside_share(make_faces([(x, y, 60, 60)]).landmarks, (400, 300))
    assert 0 <= outside <= 1
    if 20 <= x <= 320 and 20 <= y <= 220:
        assert outside == 0
    if not -90 <= x <= 430 or not -90 <= y <= 330:
        assert outside == 1


def test_no_faces_get_no_reasons():
    empty = make_faces([])
    reasons, quality = judge(empty.boxes, empty.landmarks, np.empty((0, CROP, CROP), np.uint8), (400, 300))
    assert reasons.shape == quality.shape == (0,)
    assert reasons.dtype == np.uint8
    assert quality.dtype == np.float32


def test_a_face_whose_landmarks_fall_together_is_refused_and_not_a_crash():
    boxes = np.float32([[10, 10, 60, 60]])
    landmarks = np.full((1, 5, 2), 40, np.float32)
    reasons, quality = judge(boxes, landmarks, np.zeros((1, CROP, CROP), np.uint8), (400, 300))
    assert reasons[0] != Reason.NONE
    assert np.isfinite(quality).all()
