"""Calibration errors of models whose true error is known: what chance adds is taken off, and told beside."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visagram.evaluate.calibration import (
    calibration_error,
    debiased_calibration_error,
    expected_calibration_error,
)

FACES, MODELS = 2000, 200
HAPPY, SAD = 3, 4


def answered(confidence, right):
    """Posteriors that say happy with this confidence (n,), and labels that agree where `right`."""
    rows = np.repeat((1 - confidence)[:, None] / 6, 7, axis=1)
    rows[:, HAPPY] = confidence
    return rows, np.where(right, HAPPY, SAD)


def drawn(random, too_sure, faces=FACES):
    """A model with confidences from 0.3 to 1 that is right by `too_sure` less often than it says."""
    confidence = 0.3 + 0.7 * random.beta(3, 1, faces)
    return answered(confidence, random.random(faces) < confidence - too_sure)


def errors(too_sure):
    """(models, 2) plug-in and debiased."""
    random = np.random.default_rng(0)
    cases = [drawn(random, too_sure) for _ in range(MODELS)]
    return np.array([[expected_calibration_error(*case), debiased_calibration_error(*case)] for case in cases])


def test_of_a_perfect_model_two_fifths_of_what_chance_adds_are_taken_off():
    counted, debiased = errors(0.0).mean(axis=0)
    assert 0.015 < counted < 0.022, "though the truth is 0"
    # In theory 2 - sqrt(2) of it stay.
    assert debiased / counted == pytest.approx(2 - math.sqrt(2), abs=0.05)


@pytest.mark.parametrize("truth", [0.03, 0.05, 0.1])
def test_of_a_model_that_is_too_sure_the_true_error_is_found(truth):
    counted, debiased = errors(truth).mean(axis=0)
    assert debiased == pytest.approx(truth, abs=0.002)
    assert counted > debiased
    if truth < 0.05:
        assert counted > truth + 0.003


def test_the_plug_in_error_of_a_perfect_model_lies_in_the_range_of_a_perfect_model():
    random = np.random.default_rng(1)
    found = [calibration_error(*drawn(random, 0.0, 500), seed=k) for k in range(MODELS)]
    inside = [each.perfect.low <= each.plug_in <= each.perfect.high for each in found]
    # 95 %, give or take three standard errors of 200 models.
    assert np.mean(inside) == pytest.approx(0.95, abs=0.046)
    assert np.mean([each.perfect.mean for each in found]) == pytest.approx(
        np.mean([e.plug_in for e in found]), rel=0.05
    )


def test_the_plug_in_error_of_a_model_that_is_too_sure_lies_above_that_range():
    found = calibration_error(*drawn(np.random.default_rng(2), 0.08), seed=0)
    assert found.plug_in > found.perfect.high > found.perfect.mean


def test_the_bias_is_the_mean_of_normal_resamples():
    """The closed form against resamples, with a bin in which all are right."""
    posteriors, labels = answered(np.repeat([0.55, 0.72, 0.97], [40, 60, 50]), np.arange(150) % 3 > 0)
    labels[100:] = HAPPY
    random, plug_in = np.random.default_rng(0), expected_calibration_error(posteriors, labels)
    resampled = np.zeros(200_000)
    for confidence, faces in ((0.55, 40), (0.72, 60), (0.97, 50)):
        right = (labels == HAPPY)[posteriors[:, HAPPY] == confidence]
        share = (right.sum() + 0.5) / (faces + 1)
        accuracy = random.normal(right.mean(), math.sqrt(share * (1 - share) / faces), len(resampled))
        resampled += faces / 150 * np.abs(accuracy - confidence)
    wanted = plug_in - (resampled.mean() - plug_in)
    assert debiased_calibration_error(posteriors, labels) == pytest.approx(wanted, abs=2e-4)


def test_the_smallest_sets_have_errors_too():
    found = calibration_error(*answered(np.array([0.9]), np.array([True])), seed=0)
    assert found.plug_in == pytest.approx(0.1)
    assert (found.debiased, found.perfect.low, found.perfect.high) == pytest.approx((0, 0.1, 0.9))
    certain = calibration_error(*answered(np.ones(20), np.ones(20, bool)), seed=0)
    assert (certain.plug_in, certain.debiased) == (0, 0)
    assert (certain.perfect.low, certain.perfect.mean, certain.perfect.high) == (0, 0, 0)
