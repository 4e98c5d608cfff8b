"""Selection, with the detector and the judge that ship: what must not be trained on is rejected, and says why."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from skimage import data as pictures

from generators import Drawing
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, UsageError
from visagram.evaluate.duplicates import Prints
from visagram.models.card import EMOTION, TEACHER, read_card
from visagram.models.emotion import OnnxClassifier
from visagram.settings import Settings
from visagram.synth.collection import ACCEPTED, REJECTED, open_collection, read_collection
from visagram.synth.finder import FaceFinder, aligned
from visagram.synth.generate import generate
from visagram.synth.review import overrule, page, summary
from visagram.synth.selection import Limits, Selection, open_judge, select

NOBODY = Prints(0)


@pytest.fixture(scope="module")
def smile():
    """The crop of a smiling woman: 96 pixels wide, grey."""
    grey = cv2.cvtColor(pictures.astronaut(), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey[60:200, 160:300], (96, 96), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def judge():
    return OnnxClassifier(read_card(TEACHER), threads=1)


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


@pytest.fixture
def selection(judge, finder):
    return Selection(judge, finder, NOBODY)


def test_a_judge_that_learned_from_generated_faces_is_refused(tmp_path, monkeypatch):
    card = dataclasses.replace(read_card(EMOTION), facts=read_card(EMOTION).facts | {"generated": {"faces": 5}})
    monkeypatch.setattr("visagram.models.promotion.read_card", lambda *_: card)
    with pytest.raises(UsageError, match="learned from generated faces"):
        open_judge("visagram", Settings(models=str(tmp_path)))


def _prints(luma):
    (look,) = FaceFinder().look([luma])
    return Prints.of(look.crop[None])


def test_a_face_that_shows_what_it_should_is_accepted_with_its_numbers(selection, smile):
    (found,) = selection.decide([smile], ["happy"])
    assert found.accepted
    assert found.scores["faces"] == 1 and found.scores["judged"] == "happy"
    assert found.scores["agreement"] > 0.5 and len(found.scores["posterior"]) == len(EXPRESSIONS)


def test_the_wrong_expression_is_rejected(selection, smile):
    (found,) = selection.decide([smile], ["disgust"])
    assert found.reason == "looks happy"


def test_noise_a_plain_picture_and_a_pattern_are_rejected(selection):
    random = np.random.default_rng(0)
    noise = random.integers(0, 255, (48, 48), np.uint8)
    plain = np.full((48, 48), 128, np.uint8)
    stripes = np.tile(np.array([0, 255], np.uint8).repeat(4), (48, 6))
    assert [d.reason for d in selection.decide([noise, plain, stripes], ["happy"] * 3)] == ["no face found"] * 3


def test_two_faces_in_one_picture_are_rejected(selection, smile):
    (found,) = selection.decide([np.concatenate([smile, smile], axis=1)], ["happy"])
    assert found.reason == "2 faces found"


def test_a_blurred_face_is_rejected(selection, smile):
    (found,) = selection.decide([cv2.GaussianBlur(smile, (0, 0), 5)], ["happy"])
    assert found.reason in ("blurred", "no face found", "hardly a face", "no contrast")


@pytest.mark.parametrize(
    "change",
    [
        np.copy,
        lambda face: face[:, ::-1],
        lambda face: np.clip(face * 0.8 + 20, 0, 255).astype(np.uint8),
        lambda face: cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE),
        lambda face: cv2.resize(face[2:94, 2:94], (96, 96)),
    ],
    ids=["same", "mirrored", "exposed", "compressed", "cropped"],
)
def test_a_planted_copy_of_a_real_face_is_rejected(judge, finder, smile, change):
    selection = Selection(judge, finder, _prints(smile))
    (found,) = selection.decide([np.ascontiguousarray(change(smile))], ["happy"])
    assert found.reason == "copy of a real face"
    assert found.scores["nearest_real"] > 0.93


def test_the_same_face_twice_is_accepted_once_in_one_batch_and_in_two(selection, smile):
    assert [d.reason for d in selection.decide([smile, smile], ["happy"] * 2)] == ["", "copy of another generated face"]
    assert [d.reason for d in selection.decide([smile], ["happy"])] == ["copy of another generated face"]


def test_no_more_than_wanted_are_accepted(judge, finder, smile):
    selection = Selection(judge, finder, NOBODY, most={"happy": 0})
    assert selection.decide([smile], ["happy"])[0].reason == "enough of this expression"


def test_a_limit_that_is_higher_rejects_more(judge, finder, smile):
    selection = Selection(judge, finder, NOBODY, limits=Limits(agreement=1.0))
    assert selection.decide([smile], ["happy"])[0].reason == "expression unclear"


def test_a_turned_face_is_set_upright_in_its_crop(finder, smile):
    turned = cv2.warpAffine(smile, cv2.getRotationMatrix2D((48, 48), 15, 1), (96, 96), borderMode=cv2.BORDER_REFLECT)
    straight, leaning = finder.look([smile, turned])
    assert abs(straight.angle - leaning.angle) == pytest.approx(15, abs=4)
    alike = np.corrcoef(straight.crop[8:40, 8:40].ravel(), leaning.crop[8:40, 8:40].ravel())[0, 1]
    assert alike > 0.9
    np.testing.assert_array_equal(aligned(smile, straight.landmarks), straight.crop)


class Planted(Drawing):
    """Noise, but a given face at one number."""

    def __init__(self, face, number) -> None:
        super().__init__()
        self._face, self._number = face, number

    def generate(self, expression, count, seed, **more):
        for face in super().generate(expression, count, seed, **more):
            yield face if face.number != self._number else face.__class__(self._face, face.number, face.seed)


@pytest.fixture
def folder(tmp_path, smile):
    generate(Planted(smile, 2), "happy", 4, 0, tmp_path, lambda *_: None)
    return tmp_path


def test_decisions_stand_in_the_manifest_and_a_person_overrules_them(folder, selection):
    with open_collection(folder) as faces:
        overrule(faces, ["happy-0-00001.png"], ACCEPTED)
    with open_collection(folder) as faces:
        select(faces, selection, lambda *_: None)
    records = list(read_collection(folder))
    assert [r.decision for r in records] == [REJECTED, REJECTED, ACCEPTED, REJECTED]
    assert [r.accepted for r in records] == [False, True, True, False]
    assert records[0].reason == "no face found" and records[0].scores["faces"] == 0
    with open_collection(folder) as faces:
        overrule(faces, ["happy/happy-0-00001.png"], "")
        overrule(faces, ["happy-0-00002.png"], REJECTED)
    assert not any(r.accepted for r in read_collection(folder))


def test_a_face_that_is_not_there_cannot_be_judged(folder):
    with open_collection(folder) as faces, pytest.raises(UsageError, match="There is no face"):
        overrule(faces, ["../../etc/passwd"], ACCEPTED)


def test_the_page_shows_both_kinds_with_reasons_and_nothing_from_elsewhere(folder, selection):
    with open_collection(folder) as faces:
        select(faces, selection, lambda *_: None)
    faces = read_collection(folder)
    html = page(faces)
    assert html.count("<img ") == 4 and html.count("data:image/png;base64,") >= 4
    assert "no face found" in html and "1 accepted" in html and "3 rejected" in html
    assert "http://" not in html.replace("http://www.w3.org/", "") and "<script" not in html
    assert "happy         1 accepted,     3 rejected" in summary(faces)


def test_an_image_that_was_exchanged_stops_the_selection(folder, selection):
    (folder / "happy" / "happy-0-00000.png").write_bytes(b"\x89PNG no")
    with pytest.raises(DataError, match="not the image"), open_collection(folder) as faces:
        select(faces, selection, lambda *_: None)
