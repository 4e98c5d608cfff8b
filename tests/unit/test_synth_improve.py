"""The whole loop on a few faces: from the weak expression to the decision, interrupted and resumed."""

from __future__ import annotations

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from generators import Portraits, portrait
from sheets import smiles
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import Conflict, DataError
from visagram.learn.also import read_also
from visagram.learn.recipes import RECIPES
from visagram.models.card import TEACHER
from visagram.models.promotion import current
from visagram.settings import Settings
from visagram.synth.collection import open_collection, read_collection
from visagram.synth.generator import Face
from visagram.synth.improve import FACES, PLAN, VERDICT, Improvement, Wishes
from visagram.synth.training import accepted_faces

SHORT = RECIPES["finetune"].lasting(2)


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    return smiles(tmp_path_factory.mktemp("improve") / "sheets")


def pass_over(sheets, work, said=None, **more):
    wishes = Wishes(ratio=1.0, recipe=SHORT, judge=TEACHER, **more)
    settings = Settings(models=str(work.parent / "models"))
    said = [] if said is None else said
    return Improvement(sheets, work, settings, wishes, lambda *_: None, said.append)


@pytest.fixture
def improvement(sheets, tmp_path):
    return lambda **more: pass_over(sheets, tmp_path / "work", **more)


class Killed(Exception):
    pass


class Tired(Portraits):
    """Makes `most` faces that look happy."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def generate(self, expression, count, seed, **more):
        for k, face in enumerate(super().generate(expression, count, seed, **more)):
            if expression == "happy" and k == self.most:
                raise Killed
            yield face


def faces_in(work):
    return {record.file: record.sha256 for record in read_collection(work / FACES)}


@pytest.fixture(scope="module")
def done(sheets, tmp_path_factory):
    """A pass that was interrupted and went on: its folder, the faces before and those that were asked for after that,
    what it found and said."""
    work = tmp_path_factory.mktemp("done") / "work"
    with pytest.raises(Killed):
        pass_over(sheets, work).run(Tired(2))
    before, said, generator = faces_in(work), [], Portraits()
    found = pass_over(sheets, work, said).run(generator)
    return SimpleNamespace(work=work, before=before, asked=generator.asked, found=found, said=said)


def test_it_goes_from_the_weak_expression_to_a_decision(done):
    plan = json.loads((done.work / PLAN).read_text())
    assert plan["model"] == current(done.work.parent / "models").sha256
    wanted = {need["expression"]: need["wanted"] for need in plan["needs"]}
    records = list(read_collection(done.work / FACES))
    assert "happy" in wanted and {r.expression for r in records} == set(wanted)
    # She only ever smiles: for anything else nothing would be accepted.
    assert {r.expression for r in records if r.accepted} == {"happy"}
    assert sum(r.accepted for r in records) <= wanted["happy"]
    card = json.loads((done.found.candidate.parent / "visagram-emotion.json").read_text())
    assert card["generated"]["by_expression"] == {"happy": sum(r.accepted for r in records)}
    verdict = json.loads((done.work / VERDICT).read_text())
    assert verdict["promote"] is done.found.verdict.promote is False
    assert verdict["reasons"] and {"comparison", "models"} <= set(verdict["first"])
    assert any("accepted" in text for text in done.said)


def test_an_interrupted_pass_goes_on_and_makes_nothing_twice(sheets, done):
    after = faces_in(done.work)
    assert done.before
    assert done.before.items() <= after.items() and len(done.asked) == len(after) - len(done.before)
    again = Portraits()
    pass_over(sheets, done.work).run(again)
    assert again.asked == []


def test_a_folder_of_another_plan_is_refused(improvement):
    with pytest.raises(Killed):
        improvement().run(Tired(0))
    with pytest.raises(Conflict, match="other wishes"):
        improvement(seed=1).run(Portraits())


def test_without_an_accepted_face_nothing_is_trained(improvement, tmp_path):
    class Noise(Portraits):
        def generate(self, expression, count, seed, **more):
            for face in super().generate(expression, count, seed, **more):
                noise = np.random.default_rng(face.seed).integers(0, 255, (CROP, CROP), np.uint8)
                yield Face(noise, face.number, face.seed)

    found = improvement().run(Noise())
    assert not found.verdict.promote and "No generated face was accepted" in found.verdict.reasons[0]
    assert not (tmp_path / "work" / "model").exists()


def table_of(folder, pictures, labels):
    folder.mkdir(parents=True)
    for k, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{k}.png"), picture)
    table = folder / "faces.csv"
    table.write_text("path,label\n" + "".join(f"{k}.png,{label}\n" for k, label in enumerate(labels)))
    return table


def test_each_further_set_is_compared_and_named_and_none_is_learned_from(sheets, tmp_path):
    """Of the faces to learn from beside the sheets a further set holds one too, cut out and a little darker."""
    large = [cv2.resize(portrait(k), (240, 240), interpolation=cv2.INTER_CUBIC) for k in (201, 202)]
    also = table_of(tmp_path / "also", large, ["fear", "sad"])
    cut_out = (read_also(also, lambda *_: None).faces.luma[0] * 0.9).astype(np.uint8)
    strangers = [portrait(k) for k in range(300, 320)]
    further = (
        table_of(tmp_path / "here", strangers, EXPRESSIONS[:4] * 5),
        table_of(tmp_path / "there", [cut_out, *strangers[1:]], EXPRESSIONS[:4] * 5),
    )
    said = []
    found = pass_over(sheets, tmp_path / "work", said, second=further, also=also).run(Portraits())
    verdict = json.loads((tmp_path / "work" / VERDICT).read_text())
    names = {place: verdict[place]["data"]["name"] for place in ("first", "second", "second-2")}
    assert names == {"first": "sheets, validation", "second": "faces.csv", "second-2": "faces.csv (2)"}
    for place, name in names.items():
        assert name in (tmp_path / "work" / place / "evaluation.html").read_text()
        assert f'on "{name}" (' in found.verdict.reasons[-1]
    assert "1 of 2 further faces are left out: the candidate is judged on them." in said
    card = json.loads((found.candidate.parent / "visagram-emotion.json").read_text())
    assert card["also"]["by_expression"] == {"sad": 1}


def test_only_accepted_faces_are_data_and_large_ones_are_cut_out(tmp_path):
    large = cv2.resize(portrait(1), (144, 144), interpolation=cv2.INTER_CUBIC)

    class Large(Portraits):
        def generate(self, expression, count, seed, **more):
            for face in super().generate(expression, count, seed, **more):
                yield Face(np.repeat(large[..., None], 3, axis=2), face.number, face.seed)

    from visagram.synth.generate import generate
    from visagram.synth.review import overrule

    generate(Large(), "happy", 3, 0, tmp_path, lambda *_: None)
    with pytest.raises(DataError, match="no accepted face"):
        accepted_faces(tmp_path)
    with open_collection(tmp_path) as faces:
        overrule(faces, ["happy-0-00001.png"], "accepted")
    found = accepted_faces(tmp_path)
    assert found.faces.luma.shape == (1, CROP, CROP)
    assert found.facts["by_expression"] == {"happy": 1} and found.facts["generators"][0]["name"] == "portraits"
    assert found.faces.votes.labels.tolist() == [EXPRESSIONS.index("happy")]
