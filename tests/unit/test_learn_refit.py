"""The last layer fitted anew: what the features allow under other labels and another prior."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
import torch

from sheets import draw
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.evaluate.data import Votes
from visagram.learn.data import Faces48, divide
from visagram.learn.recipes import RECIPES
from visagram.learn.refit import features, fitted
from visagram.learn.train import train
from visagram.models.card import read_card
from visagram.models.emotion import OnnxClassifier

TINY = RECIPES["tiny"]
REFIT = dataclasses.replace(TINY, name="refit", epochs=0, calm_epochs=0, refit=True)


def quiet(*_):
    pass


def test_a_label_that_somebody_agrees_with_counts_as_more_votes():
    seven = np.array(
        [[4, 0, 0, 0, 0, 0, 4], [0, 0, 0, 0, 0, 0, 8], [1, 0, 0, 0, 0, 0, 7], [0, 6, 0, 0, 0, 0, 0]], float
    )
    votes = Votes(seven, np.zeros(4), np.array([0, 0, 0, -1]))
    faces = Faces48(np.zeros((4, 48, 48), np.uint8), votes)
    found = faces.targets(first=4)
    assert found[0] == pytest.approx([8 / 12, 0, 0, 0, 0, 0, 4 / 12])
    # Nobody agrees with the second one's; of the third the lone vote is a slip, but it bears the label out.
    assert found[1] == pytest.approx([0, 0, 0, 0, 0, 0, 1])
    assert found[2] == pytest.approx([4 / 11, 0, 0, 0, 0, 0, 7 / 11])
    assert found[3] == pytest.approx([0, 1, 0, 0, 0, 0, 0])
    assert faces.targets()[0] == pytest.approx([0.5, 0, 0, 0, 0, 0, 0.5])
    assert Faces48(faces.luma, Votes(seven, np.zeros(4))).digest() != faces.digest()
    assert faces.select(np.array([3, 0])).joined(faces).votes.first.tolist() == [-1, 0, 0, 0, 0, -1]


def test_a_flatter_prior_moves_answers_towards_the_rare():
    """Two expressions whose features overlap, one nine times as frequent."""
    random = np.random.default_rng(0)
    wanted = np.repeat([6, 0], [900, 100])
    given = torch.from_numpy(random.normal(0, 1, (1000, 1)) + 1.5 * (wanted == 0)[:, None])
    targets = torch.from_numpy(np.eye(7)[wanted])
    answers = {}
    for lean in (0.0, 0.5, 1.0):
        weight, bias = fitted(given, targets, lean=lean, decay=0.0)
        answers[lean] = int(((given @ weight + bias)[:, 0] > (given @ weight + bias)[:, 6]).sum())
    assert 20 < answers[0.0] < answers[0.5] < answers[1.0] and answers[1.0] > 150
    # Even priors: as many of each are answered wrongly.
    weight, bias = fitted(given, targets, lean=1.0, decay=0.0)
    angry = ((given @ weight + bias)[:, 0] > (given @ weight + bias)[:, 6]).numpy()
    assert angry[wanted == 0].mean() == pytest.approx(1 - angry[wanted == 6].mean(), abs=0.1)


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    """Faces whose older label is the expression after the one that people see, for every second one of them."""
    folder = tmp_path_factory.mktemp("refit") / "sheets"
    rows = draw(folder)
    for number, row in enumerate(rows):
        row["fer2013_label"] = EXPRESSIONS[number % 7] if number % 2 else ""
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def base(sheets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    train(sheets, folder, TINY, quiet)
    return folder


def test_the_sheets_bring_the_label_that_a_face_had_before(sheets):
    faces, _ = divide(sheets, None)
    known = faces.votes.first >= 0
    assert 20 < known.sum() < len(faces) - 20
    assert (faces.votes.first[known] == faces.votes.labels[known]).all()


def test_the_features_stay_and_the_last_layer_is_another(sheets, base, tmp_path):
    from visagram.learn.checkpoint import finished

    model = train(sheets, tmp_path, REFIT, quiet, start=base)
    old, new = finished(base).network, finished(tmp_path).network
    luma = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    np.testing.assert_allclose(features(old, luma, quiet), features(new, luma, quiet), atol=1e-5)
    assert not torch.allclose(old.head.weight, new.head.weight)
    faces, _ = divide(sheets, None)
    right = [
        (
            OnnxClassifier(read_card("visagram-emotion", folder), threads=1).classify(faces.luma).argmax(axis=1)
            == faces.votes.labels
        ).mean()
        for folder in (base, tmp_path)
    ]
    assert right[1] > right[0] and model.is_file()


def test_without_a_trained_network_there_is_nothing_to_fit_to(sheets, tmp_path):
    with pytest.raises(DataError, match="--start"):
        train(sheets, tmp_path, REFIT, quiet)
