"""What `EmotionClassifier` asks, of every classifier of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from fakes import BrightnessClassifier
from visagram.compose import open_classifier
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError
from weights import write_linear, write_vit


def _folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue("tmp_path_factory").mktemp("own")


def _embedded(request: pytest.FixtureRequest) -> Callable[[], object]:
    return lambda: open_classifier("visagram", 1)


def _own(request: pytest.FixtureRequest) -> Callable[[], object]:
    file = write_linear(_folder(request) / "mine.onnx", labels=("happiness", "anger", *_others("happy", "angry")))
    return lambda: open_classifier(f"onnx:{file}", 1)


def _colour(request: pytest.FixtureRequest) -> Callable[[], object]:
    size = (3, 40, 40)
    told = {"name": "luma", "layout": "n,3,40,40", "dtype": "float32", "crop": "box", "colour": "rgb", "margin": 0.1}
    file = write_linear(
        _folder(request) / "colour.onnx", layout=size, gain=2, input=told | {"mean": [120, 110, 100], "std": [60]}
    )
    return lambda: open_classifier(f"onnx:{file}", 1)


def _deepface(request: pytest.FixtureRequest) -> Callable[[], object]:
    folder = request.getfixturevalue("deepface_models")
    return lambda: open_classifier("deepface", 1, folder)


def _huggingface(request: pytest.FixtureRequest) -> Callable[[], object]:
    pytest.importorskip("transformers")
    folder = write_vit(_folder(request) / "vit")
    return lambda: open_classifier(f"hf:{folder}", 1)


def _others(*names: str) -> list[str]:
    return [name for name in EXPRESSIONS if name not in names]


KINDS = {
    "brightness": lambda request: BrightnessClassifier,
    "embedded": _embedded,
    "own": _own,
    "own in colour": _colour,
    "deepface": _deepface,
    "hugging face": _huggingface,
}

GREY = np.random.default_rng(0).integers(0, 256, (70, CROP, CROP)).astype(np.uint8)
MIXED = [
    np.random.default_rng(k).integers(0, 256, shape).astype(np.uint8)
    for k, shape in enumerate(
        [(60, 50, 3), (48, 48), (33, 90), (224, 224, 3), (7, 5, 3), (1, 1), (48, 48, 3), (90, 33)]
    )
]


@pytest.fixture(scope="module", params=KINDS)
def make(request):
    """Opens a classifier."""
    return KINDS[request.param](request)


@pytest.fixture(scope="module")
def classifier(make):
    return make()


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 70])
def test_rows_are_posteriors(classifier, count):
    for crops in (GREY[:count], (MIXED * 9)[:count]):
        posteriors = classifier.classify(crops)
        assert posteriors.shape == (count, len(EXPRESSIONS))
        assert posteriors.dtype == np.float32
        assert ((posteriors >= 0) & (posteriors <= 1)).all()
        np.testing.assert_allclose(posteriors.sum(axis=1), 1, atol=1e-5)


def test_a_batch_is_classified_as_each_face_alone(classifier):
    for crops in (GREY[:40], MIXED):
        alone = np.concatenate([classifier.classify(crops[k : k + 1]) for k in range(len(crops))])
        np.testing.assert_allclose(classifier.classify(crops), alone, atol=1e-5)


def test_the_order_of_faces_is_the_order_of_rows(classifier):
    for crops in (GREY[:9], MIXED):
        np.testing.assert_allclose(classifier.classify(crops[::-1]), classifier.classify(crops)[::-1], atol=1e-5)
    assert np.ptp(classifier.classify(MIXED), axis=0).max() > 0.01, "different faces have different rows"


def test_the_same_faces_give_the_same_posteriors(make, classifier):
    again = make()
    for crops in (GREY, MIXED):
        np.testing.assert_array_equal(again.classify(crops), classifier.classify(crops))


def test_a_grey_face_is_the_same_in_three_channels(classifier):
    grey = [crop for crop in MIXED if crop.ndim == 2]
    three = [cv2.cvtColor(crop, cv2.COLOR_GRAY2BGR) for crop in grey]
    np.testing.assert_allclose(classifier.classify(three), classifier.classify(grey), atol=1e-3)


def test_black_white_and_flat_crops_are_no_trouble(classifier):
    flat = np.stack([np.full((CROP, CROP), level, np.uint8) for level in (0, 1, 2, 128, 255)])
    posteriors = classifier.classify(flat)
    assert np.isfinite(posteriors).all()
    np.testing.assert_allclose(posteriors.sum(axis=1), 1, atol=1e-5)


def test_crops_are_left_as_they_were(classifier):
    before = GREY.copy(), [crop.copy() for crop in MIXED]
    classifier.classify(GREY)
    classifier.classify(MIXED)
    np.testing.assert_array_equal(GREY, before[0])
    for crop, copy in zip(MIXED, before[1], strict=True):
        np.testing.assert_array_equal(crop, copy)


def test_threads_may_share_one(classifier):
    parts = [GREY[k : k + 10] for k in range(0, 60, 10)] * 3
    expected = [classifier.classify(part) for part in parts]
    with ThreadPoolExecutor(6) as pool:
        for ours, theirs in zip(pool.map(classifier.classify, parts), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_it_says_what_crops_it_wants(classifier):
    framing = classifier.framing
    assert framing.margin >= 0
    assert not framing.aligned or (framing.margin, framing.square, framing.upright) == (0, False, False)


def test_a_closed_one_says_so_and_can_be_closed_again(make, classifier):
    closed = make()
    closed.classify(GREY[:1])
    closed.close()
    closed.close()
    with pytest.raises(ModelError, match="closed"):
        closed.classify(GREY[:1])
    assert classifier.classify(GREY[:1]).shape == (1, 7)


@pytest.mark.parametrize(
    "crop", [np.zeros((48, 48, 4), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 5), np.uint8)]
)
def test_what_is_no_face_is_refused(request, make, classifier, crop):
    if isinstance(classifier, BrightnessClassifier):
        pytest.skip("a fake")
    with pytest.raises(ModelError, match="A face is"):
        classifier.classify([crop])
