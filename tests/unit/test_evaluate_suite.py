"""One model on several sets: a face that is not found is not answered, and no set goes under."""

from __future__ import annotations

import dataclasses
import json
import re

import cv2
import numpy as np
import pytest

from visagram.core.geometry import CROP, SMALL
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, UsageError
from visagram.evaluate.model import Model, open_model
from visagram.evaluate.run import evaluate
from visagram.evaluate.suite import read_suite, suite_of
from visagram.evaluate.suitefiles import dumps_suite, save_suite
from visagram.evaluate.suitepage import suite_page
from visagram.evaluate.text import suite_summary
from visagram.models.catalog import EMOTION, read_card
from visagram.settings import Settings
from visagram.worker.pictures import Pictures
from visagram.workers import Seen

FACES = 24
HIDDEN = (1, 4, 5)
"""Pictures in which no face is found."""


class Eyes:
    """Workers that read small pictures and find no face in the hidden ones."""

    def pictures(self, folder, names, look, framings=()):
        for k, name in enumerate(names):
            face = cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)
            yield k, Seen(None, (), 0, "") if k in HIDDEN else Seen(face, (), 1, "", look == "by size")


@pytest.fixture(scope="module")
def model():
    opened = open_model("visagram", 1, Settings().models_folder)
    yield opened
    opened.classifier.close()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of drawn faces with votes; of the first two nobody's majority."""
    folder = tmp_path_factory.mktemp("suite")
    random = np.random.default_rng(0)
    lines = [f"path,{','.join(EXPRESSIONS)},nf"]
    for k in range(FACES):
        noise = cv2.resize(random.random((7, 7)), (CROP, CROP), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{k}.png"), np.clip(noise * 200 + 20, 0, 255).astype(np.uint8))
        votes = np.bincount([k % 7], minlength=7) * 5
        lines.append(f"{k}.png,{','.join(map(str, votes))},{9 * (k < 2)}")
    (folder / "faces.csv").write_text("\n".join(lines))
    return folder / "faces.csv"


@pytest.fixture
def folders(tmp_path):
    """Makes class folders below a name; nothing is decoded by the readers."""

    def make(name, *splits):
        for split in splits or ("",):
            (tmp_path / name / split / "happy").mkdir(parents=True)
            (tmp_path / name / split / "happy" / "1.png").write_bytes(b"x")
        return tmp_path / name

    return make


def measured(model, table, **facts):
    sets = read_suite([table])
    told = dataclasses.replace(model, facts=model.facts | facts)
    return suite_of(
        sets, [evaluate([told], each, Eyes(), cropped=None, seed=0, progress=_quiet) for each in sets], by_size=True
    )


def _quiet(*_):
    pass


# --- Figures ---------------------------------------------------------------------------------------------------------


def test_a_face_that_is_not_found_is_one_that_is_not_answered(model: Model, table) -> None:
    (found,) = json.loads(dumps_suite(measured(model, table)))["sets"]
    seen = np.array([k for k in range(2, FACES) if k not in HIDDEN])
    crops = np.stack([cv2.imread(str(table.parent / f"{k}.png"), cv2.IMREAD_GRAYSCALE) for k in seen])
    posteriors = model.classifier.classify(crops)
    below = read_card(EMOTION).facts["unsure_below"]
    limits = np.array([below[name] for name in EXPRESSIONS]) if isinstance(below, dict) else np.full(7, below)
    answers = posteriors.argmax(axis=1)
    right, sure = answers == seen % 7, posteriors.max(axis=1) >= limits[answers]
    assert 0 < sure.sum() < len(seen), "some are answered"
    assert (found["pictures"], found["clear_labels"], found["faces_found"]) == (FACES, FACES - 2, FACES - len(HIDDEN))
    assert found["faces"] == len(seen) == FACES - 2 - 2, "one hidden face has no clear label"
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["answered"]["value"] == pytest.approx(sure.sum() / (FACES - 2))
    assert found["right_of_answered"]["value"] == pytest.approx(right[sure].mean())
    assert found["neutral_answers"]["value"] == pytest.approx((answers == EXPRESSIONS.index("neutral")).mean())
    for name in ("answered", "right_of_answered", "neutral_answers"):
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"] > found[name]["low"], name


def test_what_a_set_has_in_the_suite_stands_in_its_own_evaluation(model: Model, table, tmp_path) -> None:
    save_suite(measured(model, table), tmp_path)
    (found,) = json.loads((tmp_path / "suite.json").read_text())["sets"]
    own = json.loads((tmp_path / found["folder"] / "evaluation.json").read_text())
    for name in ("accuracy", "macro_recall", "ece", "ece_debiased", "ece_perfect"):
        assert found[name] == own[name]
    for name in ("accuracy", "macro_recall"):
        assert found["intervals"][name] == own["intervals"][name]
    assert "ece" not in own["intervals"]
    assert {name: each["recall"] for name, each in found["recall"].items()} == {
        name: each["recall"] for name, each in own["per_class"].items()
    }
    assert own["data"]["cropped_pictures"] == found["cropped_pictures"] == FACES - len(HIDDEN)


def test_without_a_threshold_nothing_is_said_of_answers(model: Model, table) -> None:
    suite = measured(model, table, unsure_below=None)
    (found,) = json.loads(dumps_suite(suite))["sets"]
    assert found["answered"] is found["right_of_answered"] is None
    assert "does not say which answers are unsure" in suite_page(suite)
    assert suite_summary(suite).splitlines()[1].split()[-3:-2] == ["–"]


def test_where_no_answer_is_sure_none_is_right(model: Model, table) -> None:
    (part,) = measured(model, table, unsure_below=1.0).parts
    assert (part.answered.value, part.right) == (0, None)


@pytest.mark.parametrize(
    ("width", "height", "taken"), [(SMALL, 20, True), (20, SMALL + 1, False), (SMALL + 1, 20, False)]
)
def test_a_picture_is_a_face_by_its_longer_side(tmp_path, width, height, taken) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((height, width, 3), 90, np.uint8))

    def looked(threads):
        raise LookupError

    eyes = Pictures(Settings(), "by size", [], looked, lambda: None)
    if not taken:
        with pytest.raises(LookupError):
            eyes.seen(tmp_path / "a.png")
        return
    said, arrays = eyes.seen(tmp_path / "a.png")
    assert said == {"faces": 1, "error": "", "cropped": True}
    assert arrays["luma"].shape == (CROP, CROP)


# --- Page ------------------------------------------------------------------------------------------------------------


def test_every_row_of_the_page_names_its_data_and_foreign_names_stay_text(model: Model, table) -> None:
    (part,) = measured(model, table).parts
    data = dataclasses.replace(part.result.data, name="<script>alert(1)</script>\x1b")
    other = dataclasses.replace(part, result=dataclasses.replace(part.result, data=data))
    suite = dataclasses.replace(measured(model, table), parts=(part, other))
    text = suite_page(suite)
    assert "<script" not in text and "\x1b" not in text + suite_summary(suite)
    for caption in ("Sets, with 95 % intervals in %", "Recall by expression"):
        rows = text.split(f"<caption>{caption}</caption>")[1].split("</table>")[0].split("<tbody>")[1]
        assert re.findall(r'<th scope="row">(.*?)</th>', rows)[0] == "faces.csv", caption
        assert rows.count("<tr>") == 2
    assert re.findall(r'href="(.*?)"', text) == [f"{suite.folder(k)}/evaluation.html" for k in range(2)]
    assert "The detector found no face in 3 pictures" in text
    assert len(suite_summary(suite).splitlines()) == 3


# --- Sets ------------------------------------------------------------------------------------------------------------


def test_sets_of_one_name_are_told_apart(folders) -> None:
    sets = read_suite([folders("a/faces"), folders("b/faces"), folders("c/faces"), folders("faces (2)")])
    names = [each.name for each in sets]
    assert names[:3] == ["faces", "faces (2)", "faces (3)"]
    assert len(set(names)) == 4


def test_folders_have_names_that_are_safe_and_differ(model: Model, table) -> None:
    suite = measured(model, table)
    (part,) = suite.parts

    def called(name):
        data = dataclasses.replace(part.result.data, name=name)
        return dataclasses.replace(part, result=dataclasses.replace(part.result, data=data))

    names = ("a, ../../b", "...", "x" * 300, "Faces", "faces")
    suite = dataclasses.replace(suite, parts=tuple(map(called, names)))
    found = [suite.folder(k) for k in range(len(names))]
    assert found == ["1-a-..-..-b", "2", f"3-{'x' * 60}", "4-Faces", "5-faces"]


def test_a_set_that_is_given_twice_is_refused(folders) -> None:
    folder = folders("faces")
    with pytest.raises(UsageError, match="given twice"):
        read_suite([folder, folder / ".." / "faces"])


def test_a_split_is_taken_of_the_sets_that_have_it(folders) -> None:
    whole, divided = folders("whole"), folders("divided", "train", "val", "test")
    assert [each.name for each in read_suite([whole, divided], split="val")] == ["whole", "divided, val"]
    with pytest.raises(UsageError, match="choose one with --split"):
        read_suite([whole, divided])
    with pytest.raises(UsageError, match="has no split 'other'"):
        read_suite([whole, divided], split="other")
    with pytest.raises(UsageError, match="none of the sets is divided"):
        read_suite([whole], split="val")


def test_one_set_that_cannot_be_read_ends_the_suite(folders, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no class folders"):
        read_suite([folders("faces"), tmp_path / "empty"])
    with pytest.raises(DataError, match="nowhere does not exist"):
        read_suite([folders("more"), tmp_path / "nowhere"])
