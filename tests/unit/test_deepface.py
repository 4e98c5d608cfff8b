"""DeepFace behind our door gives what DeepFace itself gives: its real code, on its networks with random weights."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from fakes import make_frame
from visagram.core.stages import Framing
from visagram.core.types import EXPRESSIONS, Faces
from visagram.errors import ModelError
from visagram.media.crop import OpenCvCropper
from visagram.models.card import Card, open_session, read_card
from visagram.models.catalog import EMBEDDING, find, open_classifier
from weights import export_emotion, export_knowing_retinaface, export_retinaface

pytest.importorskip("deepface")

TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """DeepFace's home with networks of its own making, their weights drawn at random; it runs on ONNX from here on."""
    home = tmp_path_factory.mktemp("home")
    weights = home / ".deepface" / "weights"
    weights.mkdir(parents=True)
    export_emotion(weights / "facial_expression_model_weights.onnx")
    export_retinaface(weights / "retinaface.onnx")
    before = dict(os.environ)
    os.environ |= {"DEEPFACE_HOME": str(home), "DEEPFACE_LOG_LEVEL": "50"}
    yield home
    os.environ.clear()
    os.environ |= before


@pytest.fixture(scope="module")
def models(home) -> Path:
    return home / ".deepface" / "weights"


@pytest.fixture(scope="module")
def deepface(home, models):
    """The package, as its users import it."""
    open_classifier("deepface", 1, models)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from deepface import DeepFace
    return DeepFace


@pytest.fixture()
def fed(monkeypatch):
    """What reached a network of ONNX Runtime, and what left it, call by call."""
    import onnxruntime

    calls = []
    run = onnxruntime.InferenceSession.run

    def spy(self, names, feed, *more):
        answers = run(self, names, feed, *more)
        calls.append((next(iter(feed.values())).copy(), answers))
        return answers

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", spy)
    return calls


def _crops():
    rng = np.random.default_rng(0)
    for height, width in ((224, 224), (60, 48), (33, 90), (300, 251), (48, 48), (7, 9)):
        smooth = rng.integers(0, 256, (5, 5, 3)).astype(np.uint8)
        rows, columns = np.arange(height) * 5 // height, np.arange(width) * 5 // width
        noise = rng.integers(-20, 20, (height, width, 3))
        yield np.clip(smooth[rows[:, None], columns].astype(int) + noise, 0, 255).astype(np.uint8)


def _analyze(deepface, picture, detector):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return deepface.analyze(
            picture, actions=["emotion"], detector_backend=detector, enforce_detection=False, silent=True
        )


def _shares(answer):
    return np.array([answer["emotion"][name] for name in EXPRESSIONS]) / 100


@pytest.mark.parametrize("crop", list(_crops()), ids=lambda crop: "x".join(map(str, crop.shape[:2])))
def test_the_same_crop_reaches_and_leaves_the_expression_network_as_in_deepface(deepface, models, fed, crop):
    (theirs,) = _analyze(deepface, crop, "skip")
    (their_tensor, _), *_ = fed
    fed.clear()
    (ours,) = open_classifier("deepface", 1, models).classify([crop])
    ((our_tensor, _),) = fed
    assert our_tensor.shape == (1, 48, 48, 1)
    np.testing.assert_array_equal(our_tensor, their_tensor)
    np.testing.assert_allclose(ours, _shares(theirs), atol=TOLERANCE)
    assert EXPRESSIONS[int(ours.argmax())] == theirs["dominant_emotion"]


def test_a_batch_goes_through_the_network_in_one_run(models, fed):
    crops = list(_crops())
    posteriors = open_classifier("deepface", 1, models).classify(crops)
    assert [tensor.shape for tensor, _ in fed] == [(len(crops), 48, 48, 1)]
    assert posteriors.std(axis=0).max() > 0.01


def test_the_package_lists_its_labels_in_the_order_of_our_card(deepface, models):
    from deepface.models.demography.DemographyUtils import EMOTION_LABELS

    assert list(EMOTION_LABELS) == find("expression", "deepface").card(models).facts["labels"]


def _frame(height, width, seed=0):
    rng = np.random.default_rng(seed)
    smooth = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    shown = smooth[(np.arange(height) * 12 // height)[:, None], np.arange(width) * 16 // width]
    return make_frame(0, np.ascontiguousarray(shown[..., 1]), shown=np.ascontiguousarray(shown))


def test_the_same_picture_reaches_and_leaves_the_detector_as_in_deepface(deepface, models, fed):
    from visagram.models.deepface import DeepFaceRetinaFace, RetinaFaceNetwork

    # A flat picture, because its longer side bounds what the network has to do.
    frame = _frame(40, 300)
    _analyze(deepface, frame.picture(300, 40), "retinaface")
    their_tensor, their_answers = fed[0]
    fed.clear()
    card = find("detection", "deepface-retinaface").card(models)
    DeepFaceRetinaFace(RetinaFaceNetwork(card, threads=1), picture=(300, 40)).detect([frame])
    ((our_tensor, our_answers),) = fed
    assert our_tensor.shape == (1, 264, 1980, 3)
    np.testing.assert_array_equal(our_tensor, their_tensor)
    for ours, theirs in zip(our_answers, their_answers, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.fixture()
def knowing(deepface, tmp_path, monkeypatch):
    """DeepFace with a detector that finds red squares, and ours over the same file."""
    from deepface.modules import modeling

    from visagram.models.deepface import RetinaFaceNetwork

    file = export_knowing_retinaface(tmp_path / "retinaface.onnx")
    card = Card("deepface-retinaface", "detection", file, hashlib.sha256(file.read_bytes()).hexdigest(), {})
    network = RetinaFaceNetwork(card, threads=1)
    # Imported after ours, which chooses ONNX for both packages.
    from retinaface.model.retinaface_onnx_model import RetinaFace as Network

    theirs = modeling.build_model("face_detector", "retinaface")
    monkeypatch.setattr(theirs, "model", Network(open_session(card, threads=1)))
    return network


def _red(*corners):
    frame = _frame(240, 320, 3)
    shown = frame.picture(320, 240) // 2
    rng = np.random.default_rng(1)
    for x, y in corners:
        patch = shown[max(0, y) : y + 60, max(0, x) : x + 60]
        patch[...] = rng.integers(0, 12, patch.shape)
        patch[..., 2] = 255 - patch[..., 2]
    return make_frame(0, shown[..., 1], shown=shown)


@pytest.mark.parametrize("corners", [[(100, 80)], [(30, 30), (200, 130)], [(3, 3)], [(255, 175)], []])
def test_faces_are_where_deepface_finds_them(deepface, knowing, corners):
    from deepface.modules.detection import detect_faces

    from visagram.models.deepface import DeepFaceRetinaFace

    frame = _red(*corners)
    (ours,) = DeepFaceRetinaFace(knowing, picture=(320, 240)).detect([frame])
    theirs = [face.facial_area for face in detect_faces("retinaface", frame.picture(320, 240))]
    assert len(ours) == len(theirs) == len(corners)
    for box, points, score, area in zip(ours.boxes, ours.landmarks, ours.scores, theirs, strict=True):
        assert tuple(box) == (area.x, area.y, area.w, area.h)
        assert score == pytest.approx(area.confidence)
        named = (area.right_eye, area.left_eye, area.nose, area.mouth_right, area.mouth_left)
        np.testing.assert_array_equal(np.floor(points), named)


@pytest.mark.parametrize("corners", [[(100, 80)], [(30, 30), (200, 130)], [(3, 3)], [(255, 175)]])
def test_the_whole_way_from_picture_to_numbers_is_that_of_deepface(deepface, knowing, models, fed, corners):
    from visagram.models.deepface import DeepFaceRetinaFace

    frame, classifier = _red(*corners), open_classifier("deepface", 1, models)
    theirs = _analyze(deepface, frame.picture(320, 240), "retinaface")
    their_tensors = [tensor for tensor, _ in fed if tensor.shape[1] == 48]
    fed.clear()
    (faces,) = DeepFaceRetinaFace(knowing, picture=(320, 240)).detect([frame])
    ours = classifier.classify(_cropper().boxes(frame, faces, classifier.framing))
    np.testing.assert_array_equal(fed[-1][0], np.concatenate(their_tensors))
    np.testing.assert_allclose(ours, [_shares(answer) for answer in theirs], atol=TOLERANCE)


def _cropper():
    return OpenCvCropper(np.array(read_card(EMBEDDING).facts["input"]["template"], np.float64))


@pytest.mark.parametrize("angle", [-40, 0, 25])
def test_a_tilted_face_is_turned_as_deepface_turns_it(deepface, angle):
    from deepface.models.Detector import FacialAreaRegion
    from deepface.modules.detection import extract_face

    frame = _frame(240, 320, 5)
    radians = np.deg2rad(angle)
    middle, reach = np.array([150.3, 110.7]), np.array([np.cos(radians), np.sin(radians)]) * 20
    points = np.stack([middle - reach, middle + reach, middle, middle - reach, middle + reach])
    faces = Faces(np.array([[100, 60, 91, 112]], np.float32), points[None].astype(np.float32), np.ones(1, np.float32))
    eyes = [tuple(int(v) for v in np.floor(point)) for point in faces.landmarks[0, :2]]
    area = FacialAreaRegion(x=100, y=60, w=91, h=112, left_eye=eyes[1], right_eye=eyes[0])
    theirs = extract_face(area, frame.picture(320, 240), True, 0, 0, 0, "retinaface").img
    (ours,) = _cropper().boxes(frame, faces, Framing(aligned=False, upright=True))
    np.testing.assert_array_equal(ours, theirs)


def test_a_region_is_looked_at_alone_in_pixels_of_the_whole_picture(knowing):
    from visagram.models.deepface import DeepFaceRetinaFace

    frame = _red((30, 30), (200, 130))
    (whole,) = DeepFaceRetinaFace(knowing, picture=(320, 240)).detect([frame])
    region = (160, 100, 500, 500)
    (inside,) = DeepFaceRetinaFace(knowing, picture=(320, 240), region=region).detect([frame])
    assert len(whole) == 2
    # The network sees the region at another size, so squares of another size.
    assert all((faces.boxes[:, 0] >= 150).all() for faces in [inside])


def test_a_slow_detector_gives_a_sign_of_life_for_each_frame(knowing):
    from visagram.models.deepface import DeepFaceRetinaFace

    signs = []
    detector = DeepFaceRetinaFace(knowing, picture=(320, 240), alive=lambda: signs.append(1))
    detector.detect([_red((30, 30))] * 3)
    assert len(signs) == 3


@pytest.mark.parametrize("name", ["deepface", "deepface-retinaface"])
def test_a_file_of_another_network_is_refused(models, tmp_path, name):
    swapped = {"deepface": "retinaface.onnx", "deepface-retinaface": "facial_expression_model_weights.onnx"}
    task = "expression" if name == "deepface" else "detection"
    wanted = find(task, name).card(tmp_path).file
    wanted.write_bytes((models / swapped[name]).read_bytes())
    with pytest.raises(ModelError, match="which is not what"):
        if name == "deepface":
            open_classifier(name, 1, tmp_path)
        else:
            from visagram.models.deepface import RetinaFaceNetwork

            RetinaFaceNetwork(find(task, name).card(tmp_path), threads=1)


def test_importing_the_packages_leaves_the_filters_of_warnings_alone(deepface, models):
    before = list(warnings.filters)
    open_classifier("deepface", 1, models)
    assert list(warnings.filters) == before
