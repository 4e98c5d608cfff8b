"""The embedded network and the face embedding as one: a last layer on the features of both."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from sheets import draw
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.learn.committee import Committee
from visagram.learn.data import divide
from visagram.learn.draws import Draws
from visagram.learn.faceres import load_pretrained
from visagram.learn.network import ExpressionNetwork
from visagram.learn.recipes import RECIPES
from visagram.learn.train import train
from visagram.learn.views import WEIGHTS, views
from visagram.models.card import read_card
from visagram.models.catalog import quick_card
from visagram.models.emotion import OnnxClassifier

TINY = RECIPES["tiny"]
COMMITTEE = dataclasses.replace(RECIPES["committee"], side=64)


def quiet(*_):
    pass


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("committee") / "sheets"
    draw(folder)
    return folder


@pytest.fixture(scope="module")
def base(sheets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    train(sheets, folder, TINY, quiet)
    return folder


@pytest.fixture(scope="module")
def trained(sheets, base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    train(sheets, folder, COMMITTEE, quiet, start=base)
    return folder


def test_it_answers_better_than_the_network_that_it_is_fitted_around(sheets, base, trained):
    _, held_out = divide(sheets, None)
    right = [
        (
            OnnxClassifier(read_card("visagram-emotion", folder), threads=1).classify(held_out.luma).argmax(axis=1)
            == held_out.votes.labels
        ).mean()
        for folder in (base, trained)
    ]
    assert right[1] > max(right[0], 0.2)


def test_its_card_says_who_may_be_followed_under_which_prior_and_that_the_embedding_is_in_it(sheets, base, trained):
    card = read_card("visagram-emotion", trained)
    assert quick_card(card).name == "visagram-emotion" and quick_card(read_card("visagram-emotion", base)) is None
    assert [each["role"] for each in card.facts["teachers"]] == ["start"]
    assert any("VGGFace2" in each["name"] for each in card.facts["data"])
    faces, _ = divide(sheets, None)
    shares = faces.targets(3.0).mean(axis=0) ** (1 - COMMITTEE.lean)
    stated = [card.facts["prior"][name] for name in EXPRESSIONS]
    np.testing.assert_allclose(stated, shares / shares.sum(), atol=1e-5)


def test_it_sees_the_features_of_both(base):
    from visagram.learn.checkpoint import finished

    quick = finished(base).network
    assert isinstance(quick, ExpressionNetwork)
    network = Committee(COMMITTEE, quick).eval()
    load_pretrained(network.face)
    luma = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 1, 48, 48)).astype(np.float32))
    with torch.no_grad():
        looks = network.looks(luma)
        assert looks.shape == (2, 4096 + quick.head.in_features)
        torch.testing.assert_close(looks[:, 4096:], quick.embed(luma))
        # A grid says where something is: the mirror image has the same cells, left and right exchanged.
        cells = looks[:, :4096].view(2, 1024, 2, 2)
        assert not torch.allclose(cells[..., 0], cells[..., 1], atol=1e-3)


@pytest.mark.parametrize("more", [{"teachers": ["x"]}, {"also": object()}, {"generated": object()}, {}])
def test_it_learns_from_the_sheets_and_around_a_network_alone(sheets, base, tmp_path, more):
    with pytest.raises(DataError, match=r"--start|sheets alone"):
        train(sheets, tmp_path, COMMITTEE, quiet, **({"start": base} if more else {}), **more)


def test_views_show_the_same_faces_and_the_last_hides_a_part_of_each():
    random = np.random.default_rng(1)
    luma = random.integers(60, 190, (40, 6, 6)).astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    seen = list(views(luma, seed=0))
    assert len(seen) == len(WEIGHTS) and all(view.shape == luma.shape and view.dtype == np.uint8 for view in seen)
    np.testing.assert_array_equal(seen[0], luma)
    np.testing.assert_array_equal(seen[1], luma[:, :, ::-1])
    again = list(views(luma, seed=0))
    np.testing.assert_array_equal(seen[3], again[3])
    assert not np.array_equal(seen[3], list(views(luma, seed=1))[3])


def test_what_hides_a_face_covers_a_part_of_it_and_leaves_the_rest_as_it_was():
    from visagram.learn.degrade import occlude

    luma = torch.full((400, 1, 48, 48), 128.0)
    hidden = (occlude(luma, Draws(3)) != luma).float().mean(dim=(1, 2, 3))
    assert hidden.min() > 0.02 and hidden.max() < 0.75 and 0.15 < hidden.mean() < 0.4
    below = (occlude(luma, Draws(3)) != luma).float().mean(dim=(0, 1, 3))
    # Masks and hands are where the mouth is.
    assert below[38] > 2 * below[5]
