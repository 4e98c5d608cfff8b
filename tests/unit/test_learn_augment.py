"""Augmentation: what it may change and what not, on drawn faces and by the sums it must keep."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from visagram.core.geometry import CROP, TEMPLATE, align
from visagram.learn import balance
from visagram.learn.augment import CALM, STRONG, augment, landmark_noise, mix
from visagram.learn.degrade import BLOCK, LUMINANCE, compress, cosine_basis
from visagram.learn.draws import Draws


@pytest.fixture
def faces():
    """Smooth patterns, so that what is noise is known."""
    random = np.random.default_rng(0).integers(0, 256, (40, CROP, CROP)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(face, (0, 0), 3) for face in random])
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * 255
    return torch.from_numpy(smooth.astype(np.float32)).unsqueeze(1)


@pytest.mark.parametrize("strength", [STRONG, CALM])
def test_augmentation_keeps_range_and_shape_and_repeats_with_its_seeds(faces, strength):
    first = augment(faces, Draws(5, 1), strength)
    assert first.shape == faces.shape
    assert first.dtype == torch.float32
    assert first.min() >= 0
    assert first.max() <= 255
    assert torch.equal(first, augment(faces, Draws(5, 1), strength))
    assert not torch.equal(first, augment(faces, Draws(5, 2), strength))


def test_the_faces_that_go_in_stay_as_they_are(faces):
    before = faces.clone()
    augment(faces, Draws(0), STRONG)
    mix(faces, [torch.ones(40, 7)], Draws(0), 0.5, 0.5)
    assert torch.equal(faces, before)


def test_gentle_augmentation_changes_faces_less(faces):
    strong, calm = ((augment(faces, Draws(1), s) - faces).abs().mean() for s in (STRONG, CALM))
    assert 0 < calm < strong


def test_streams_of_draws_differ_by_each_seed_and_their_order():
    first = [Draws(*seeds).uniform(4, 0, 1).tolist() for seeds in ((0, 1), (1, 0), (0, 0), (0, 1, 0), (10**9, 1))]
    assert len({tuple(values) for values in first}) == len(first)


def test_landmark_noise_moves_the_crop_as_the_alignment_would():
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 2, (20, 5, 2)).astype(np.float32))
    linear, shift = landmark_noise(noise)
    affine = align((TEMPLATE + noise.numpy()).astype(np.float32))
    points = np.random.default_rng(1).uniform(0, CROP - 1, (6, 2))
    middle = (CROP - 1) / 2
    ours = (points - middle) @ linear.numpy().transpose(0, 2, 1) + shift.numpy()[:, None] + middle
    theirs = points @ affine[:, :, :2].transpose(0, 2, 1) + affine[:, None, :, 2]
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_without_noise_the_alignment_stays():
    linear, shift = landmark_noise(torch.zeros(2, 5, 2))
    assert torch.allclose(linear, torch.eye(2).expand(2, 2, 2), atol=1e-6)
    assert shift.abs().max() < 1e-5


def test_the_cosine_transform_is_orthonormal_and_that_of_jpeg():
    basis = cosine_basis()
    assert torch.allclose(basis @ basis.T, torch.eye(BLOCK), atol=1e-6)
    block = np.random.default_rng(0).normal(0, 50, (BLOCK, BLOCK)).astype(np.float32)
    np.testing.assert_allclose((basis @ torch.from_numpy(block) @ basis.T).numpy(), cv2.dct(block), atol=1e-3)


@pytest.mark.parametrize("quality", [15, 40, 75, 95])
def test_compression_does_what_a_jpeg_encoder_does(faces, quality):
    ours = compress(faces, torch.full((40,), float(quality)))[:, 0].round().numpy()
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    for face, mine in zip(faces[:, 0].round().numpy().astype(np.uint8), ours, strict=True):
        theirs = cv2.imdecode(cv2.imencode(".jpg", face, flags)[1], cv2.IMREAD_GRAYSCALE).astype(np.float32)
        assert np.abs(theirs - mine).mean() < 0.25 * np.abs(theirs - face).mean() + 0.5
    assert len(LUMINANCE) == BLOCK


def test_worse_quality_changes_more(faces):
    changes = [float((compress(faces, torch.full((40,), q)) - faces).abs().mean()) for q in (10.0, 30.0, 60.0, 90.0)]
    assert changes == sorted(changes, reverse=True)


def test_mixing_mixes_all_targets_by_the_area_or_weight_that_it_takes():
    luma = torch.arange(30, dtype=torch.float32).view(30, 1, 1, 1).expand(30, 1, CROP, CROP)
    own = torch.eye(30)
    for blend, patch in ((1.0, 0.0), (0.0, 1.0)):
        mixed, (first, second) = mix(luma, [own, own * 2], Draws(3), blend, patch)
        assert torch.allclose(mixed.mean(dim=(1, 2, 3)), first @ torch.arange(30, dtype=torch.float32), atol=1e-4)
        assert torch.allclose(first.sum(dim=1), torch.ones(30), atol=1e-5)
        assert torch.allclose(second, first * 2, atol=1e-5)
        assert (first.diagonal() >= 0.5 - 1e-2).all()
        assert (first.diagonal() < 1).any()
    untouched, (same,) = mix(luma, [own], Draws(3), 0.0, 0.0)
    assert torch.equal(untouched, luma)
    assert torch.equal(same, own)


@pytest.fixture
def votes():
    """500 faces of a common expression, 20 of a rare one."""
    labels = torch.tensor([3] * 500 + [1] * 20)
    return torch.nn.functional.one_hot(labels, 7).float()


def test_faces_as_they_come_weigh_the_same(votes):
    assert torch.allclose(balance.face_weights(votes, 0.0), torch.ones(520, dtype=torch.float64))
    assert balance.prior_shift(votes, balance.face_weights(votes, 0.0)).abs().max() < 1e-6


def test_rare_expressions_weigh_by_the_root_of_their_rarity_up_to_a_limit(votes):
    root = balance.face_weights(votes, 0.5)
    assert float(root[-1] / root[0]) == pytest.approx(5.0, rel=0.01)
    for rare in (0.5, 1.0):
        weights = balance.face_weights(votes, rare)
        assert float(weights.mean()) == pytest.approx(1)
        assert float(weights.max()) <= balance.MOST * 1.001


def test_the_shift_is_what_turns_the_drawn_shares_back(votes):
    weights = balance.face_weights(votes, 0.5)
    shift = balance.prior_shift(votes, weights)
    drawn = (votes * weights.float().view(-1, 1)).mean(dim=0)
    assert torch.allclose(drawn[[1, 3]] * torch.exp(-shift[[1, 3]]), votes.mean(dim=0)[[1, 3]], atol=1e-5)


def test_an_epoch_draws_each_face_as_often_as_its_weight_says(votes):
    weights = balance.face_weights(votes, 0.5)
    counts = torch.bincount(balance.order(weights, Draws(1)), minlength=520)
    assert counts.sum() == 520
    assert ((counts - weights).abs() < 1).all()
    even = balance.order(torch.ones(520, dtype=torch.float64), Draws(1))
    assert sorted(even.tolist()) == list(range(520))
    assert even.tolist() != list(range(520))
    assert torch.equal(even, balance.order(torch.ones(520, dtype=torch.float64), Draws(1)))
