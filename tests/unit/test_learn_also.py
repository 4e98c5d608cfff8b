"""Real faces to learn from beside the sheets, as somebody collected them."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from generators import portrait
from learning import TINY, quiet
from sheets import draw
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.evaluate.data import Votes
from visagram.learn.also import VOTES, read_also
from visagram.learn.checkpoint import CHECKPOINT, Checkpoint
from visagram.learn.data import Faces48, divide
from visagram.learn.origin import Added
from visagram.learn.train import train
from visagram.synth.marking import write_png


def write_face(path, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(portrait(seed), (240, 240), interpolation=cv2.INTER_CUBIC))


def test_faces_are_cut_out_and_those_without_one_left_out(tmp_path):
    write_face(tmp_path / "happy" / "a.png")
    write_face(tmp_path / "sad" / "b.png", 2)
    cv2.imwrite(str(tmp_path / "sad" / "nobody.png"), np.full((200, 200), 120, np.uint8))
    found = read_also(tmp_path, quiet)
    assert found.faces.luma.shape == (2, CROP, CROP)
    assert found.facts["by_expression"] == {"happy": 1, "sad": 1} and found.facts["faces"] == 2
    assert found.faces.votes.seven.sum(axis=1).tolist() == [VOTES, VOTES]


def test_generated_faces_are_no_real_ones(tmp_path):
    (tmp_path / "happy").mkdir()
    write_png(portrait(1), tmp_path / "happy" / "a.png", "somebody", "happy")
    with pytest.raises(DataError, match="marked as generated"):
        read_also(tmp_path, quiet)


def test_pictures_without_any_face_are_refused(tmp_path):
    (tmp_path / "happy").mkdir()
    cv2.imwrite(str(tmp_path / "happy" / "nobody.png"), np.full((200, 200), 120, np.uint8))
    with pytest.raises(DataError, match="no picture in which a face is found"):
        read_also(tmp_path, quiet)


def test_they_are_learned_from_unless_they_are_judged_on(tmp_path):
    sheets = tmp_path / "sheets"
    draw(sheets)
    faces, held_out = divide(sheets, None)
    mine = Faces48(np.stack([portrait(1), held_out.luma[0]]), Votes(np.eye(len(EXPRESSIONS))[:2], np.zeros(2)))
    path = train(sheets, tmp_path / "run", TINY, quiet, also=Added(mine, {"name": "mine", "faces": 2}))
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["also"]["faces"] == 1 and f"{len(faces)} faces" in card["trained_on"]
    stored = Checkpoint.load(tmp_path / "run" / CHECKPOINT)
    kept = mine.select(np.array([True, False]))
    assert stored.data == faces.joined(kept).digest() != faces.digest()
