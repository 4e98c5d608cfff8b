"""What `FaceDetector` asks, of every detector of the catalogue."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from parts import drawn_world, retinaface

from fakes import KnowingDetector, make_frame
from visagram.core.types import Faces, Frame
from visagram.errors import ModelError
from visagram.models.card import Card
from weights import export_knowing_retinaface


@dataclass(frozen=True)
class Kind:
    """make: opens one. frames: that show faces which it finds."""

    make: Callable[[], object]
    frames: list[Frame]


def _knowing(request: pytest.FixtureRequest) -> Kind:
    return Kind(lambda: KnowingDetector(drawn_world().faces), drawn_world().frames()[::13])


def _embedded(request: pytest.FixtureRequest) -> Kind:
    return Kind(retinaface, request.getfixturevalue("sample_frames")[::13])


def _deepface(request: pytest.FixtureRequest) -> Kind:
    pytest.importorskip("retinaface")
    from visagram.models.deepface import DeepFaceRetinaFace, RetinaFaceNetwork

    file: Path = request.getfixturevalue("tmp_path_factory").mktemp("knowing") / "retinaface.onnx"
    export_knowing_retinaface(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    card = Card("deepface-retinaface", "detection", file, digest, {})

    def make() -> DeepFaceRetinaFace:
        return DeepFaceRetinaFace(RetinaFaceNetwork(card, threads=1), picture=(320, 240))

    return Kind(make, [_red(0, [(100, 80)]), _red(1, [(30, 30), (200, 130)]), _red(2, [(250, 170)])])


def _red(index: int, corners: list[tuple[int, int]]) -> Frame:
    """Noise with red squares of 60 pixels, which are 128 in the network's input."""
    shown = np.repeat(np.random.default_rng(index).integers(0, 256, (240, 320, 1), np.uint8), 3, axis=2)
    for x, y in corners:
        shown[y : y + 60, x : x + 60] = (0, 0, 255)
    return make_frame(index, shown[..., 0], shown=shown)


KINDS = {"knowing": _knowing, "embedded": _embedded, "deepface": _deepface}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param](request)


@pytest.fixture(scope="module")
def detector(kind):
    return kind.make()


def test_each_frame_gets_its_faces(kind, detector):
    found = detector.detect(kind.frames)
    assert len(found) == len(kind.frames)
    for faces in found:
        assert len(faces) >= 1
        assert faces.boxes.shape == (len(faces), 4)
        assert faces.landmarks.shape == (len(faces), 5, 2)
        assert faces.boxes.dtype == faces.landmarks.dtype == faces.scores.dtype == np.float32
        assert ((faces.scores > 0) & (faces.scores <= 1)).all()
        assert (faces.boxes[:, 2:] > 0).all()


def test_landmarks_lie_in_the_box_in_their_order(kind, detector):
    for faces in detector.detect(kind.frames):
        right, left, nose, mouth_right, mouth_left = np.moveaxis(faces.landmarks, 1, 0)
        assert (right[:, 0] < nose[:, 0]).all()
        assert (nose[:, 0] < left[:, 0]).all()
        assert (mouth_right[:, 0] < mouth_left[:, 0]).all()
        assert (np.maximum(right[:, 1], left[:, 1]) < nose[:, 1]).all()
        assert (nose[:, 1] < np.minimum(mouth_right[:, 1], mouth_left[:, 1])).all()
        low, high = faces.boxes[:, None, :2], faces.boxes[:, None, :2] + faces.boxes[:, None, 2:]
        assert ((faces.landmarks >= low) & (faces.landmarks <= high)).all()


def test_a_batch_finds_what_single_frames_find(kind, detector):
    for together, frame in zip(detector.detect(kind.frames), kind.frames, strict=True):
        _same_faces(together, detector.detect([frame])[0], atol=0.01)


def test_the_same_frame_gives_the_same_faces(kind, detector):
    frames = kind.frames[:2]
    for ours, theirs in zip(kind.make().detect(frames), detector.detect(frames), strict=True):
        _same_faces(ours, theirs, atol=0)


def test_the_order_of_frames_is_the_order_of_faces(kind, detector):
    for ours, theirs in zip(detector.detect(kind.frames[::-1]), detector.detect(kind.frames)[::-1], strict=True):
        _same_faces(ours, theirs, atol=0.01)


def test_no_frames_have_no_faces(detector):
    assert detector.detect([]) == []


def test_it_says_how_small_a_face_it_finds(kind, detector):
    assert 0 <= detector.smallest < 60


def test_threads_may_share_one(kind, detector):
    # A decoded frame converts its colours with a converter that is not for threads.
    frames = [
        make_frame(frame.index, frame.luma, shown=frame.picture(*frame.luma.shape[::-1])) for frame in kind.frames
    ]
    expected = detector.detect(frames)
    with ThreadPoolExecutor(3) as pool:
        for ours, theirs in zip(pool.map(lambda f: detector.detect([f])[0], frames), expected, strict=True):
            _same_faces(ours, theirs, atol=0.01)


def test_a_closed_one_says_so_and_can_be_closed_again(kind):
    closed = kind.make()
    closed.close()
    closed.close()
    with pytest.raises(ModelError, match="closed"):
        closed.detect(kind.frames[:1])


def _same_faces(ours: Faces, theirs: Faces, atol: float) -> None:
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=atol)
    np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=atol)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=max(atol / 100, 0))
