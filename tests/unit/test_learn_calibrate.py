"""Calibration and thresholds on made-up logits whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.learn.calibrate import (
    FOLDS,
    calibrate,
    calibration_error,
    choose_thresholds,
    cross_fitted,
    divided,
    fit_temperature,
    judge_thresholds,
    log_loss,
    softmax64,
)
from visagram.learn.robust import total_variation, variations

NEUTRAL = EXPRESSIONS.index("neutral")


def _drawn(count, seed=0, spread=2.0):
    """Logits, and ten votes each that were drawn from their posteriors."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, spread, (count, 7))
    votes = np.array([random.multinomial(10, row) for row in softmax64(logits)], np.float64)
    return logits, votes


def test_the_temperature_undoes_overconfidence():
    logits, votes = _drawn(2000)
    assert fit_temperature(2 * logits, votes) == pytest.approx(2, rel=0.05)
    assert fit_temperature(0.7 * logits, votes) == pytest.approx(0.7, rel=0.05)
    assert calibration_error(softmax64(logits), votes) < 0.02 < calibration_error(softmax64(2 * logits), votes)


def test_every_vote_counts_and_not_the_majority_alone():
    """Where six of ten people agree, a model that is sure of it is too sure."""
    logits = np.zeros((100, 7))
    logits[:, 0] = 6.0
    votes = np.zeros((100, 7))
    votes[:, 0], votes[:, 1] = 6, 4
    temperature = fit_temperature(logits, votes)
    assert softmax64(logits / temperature)[0, 0] == pytest.approx(0.6, abs=0.02)
    assert calibration_error(softmax64(logits), votes) == pytest.approx(softmax64(logits)[0, 0] - 0.6)


def test_the_loss_is_of_single_votes():
    posteriors = np.array([[0.5, 0.5, 0, 0, 0, 0, 0], [0.25, 0.75, 0, 0, 0, 0, 0]])
    votes = np.array([[1, 1, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0]], float)
    assert log_loss(posteriors, votes) == pytest.approx(-(2 * np.log(0.5) + 2 * np.log(0.25)) / 4)


def test_no_face_is_judged_by_a_temperature_that_saw_it():
    logits, votes = _drawn(200)
    posteriors = cross_fitted(logits, votes)
    part = divided(votes.argmax(axis=1), FOLDS, 0)
    assert set(part) == set(range(FOLDS))
    for k in range(FOLDS):
        others = fit_temperature(logits[part != k], votes[part != k])
        np.testing.assert_allclose(posteriors[part == k], softmax64(logits[part == k] / others), atol=1e-9)


def test_every_part_gets_its_share_of_every_label():
    labels = np.repeat([0, 1, 2], [100, 13, 20])
    parts = divided(labels, 10, seed=1)
    for label, count in enumerate([100, 13, 20]):
        sizes = np.bincount(parts[labels == label], minlength=10)
        assert sizes.sum() == count
        assert np.ptp(sizes) <= 1
    assert divided(labels, 10, 1).tolist() == parts.tolist() != divided(labels, 10, 2).tolist()
    assert sorted(divided(np.array([0, 0, 1]), 10, 0)) == [0, 1, 2]


def test_calibrated_figures_are_in_the_facts():
    logits, votes = _drawn(1000)
    temperature, crossed, facts = calibrate(1.8 * logits, votes, "faces of a test")
    assert temperature == pytest.approx(1.8, rel=0.05) and facts["fitted_on"] == "faces of a test"
    assert facts["ece_votes"] < 0.02 < facts["ece_votes_uncalibrated"]
    assert facts["log_loss"] == pytest.approx(log_loss(crossed, votes), abs=1e-4)
    assert np.abs(crossed - softmax64(1.8 * logits / temperature)).max() < 0.05


def _answers(confidence, right, expression=0):
    """Posteriors that answer one expression, and labels that agree where they should."""
    posteriors = np.zeros((len(confidence), 7))
    other = (expression + 1) % 7
    posteriors[:, expression], posteriors[:, other] = confidence, 0
    return posteriors, np.where(right, expression, other)


def test_the_threshold_is_the_lowest_that_keeps_the_risk():
    confidence = np.linspace(0.99, 0.5, 50)
    right = np.ones(50, bool)
    right[[20, 40, 41, 42]] = False
    found = choose_thresholds(*_answers(confidence, right))
    # 1 of 40 is wrong, 2 of 41 are 4.9 %, 3 of 42 are 7 %.
    assert found["angry"] == pytest.approx(confidence[40], abs=1e-4)
    assert set(found) == set(EXPRESSIONS)
    judged = judge_thresholds(*_answers(confidence, right))
    assert judged["unsure_below"] == found and judged["risk"] == 0.05


def test_thresholds_are_judged_on_faces_that_did_not_choose_them():
    """Where a threshold only fits chance, its own faces flatter it: here confidence says nothing."""
    random = np.random.default_rng(0)
    posteriors, labels = _answers(random.uniform(0.5, 1, 400), random.random(400) < 0.9)
    limit, judged = choose_thresholds(posteriors, labels)["angry"], judge_thresholds(posteriors, labels)
    flattering = (labels[posteriors[:, 0] >= limit] == 0).mean()
    assert flattering >= 0.95 > judged["accuracy"]


def test_neutral_is_answered_more_strictly():
    confidence = np.linspace(0.99, 0.5, 200)
    right = np.ones(200, bool)
    right[[150, 151, 190]] = False
    posteriors, labels = _answers(confidence, right, NEUTRAL)
    more, their_labels = _answers(confidence, right)
    found = choose_thresholds(np.concatenate([posteriors, more]), np.concatenate([labels, their_labels]))
    # Of 3 in 200 wrong answers all may be given of other expressions; of neutral, one in eighty.
    assert found["happy"] == 0.0
    assert found["neutral"] == pytest.approx(confidence[189], abs=1e-4)


def test_neutral_is_never_answered_more_freely_than_the_others():
    confidence, right = np.linspace(0.99, 0.5, 40), np.arange(40) % 4 > 0
    posteriors, labels = _answers(confidence, ~right)
    neutral, true = _answers(np.full(40, 0.6), np.ones(40, bool), NEUTRAL)
    found = choose_thresholds(np.concatenate([posteriors, neutral]), np.concatenate([labels, true]))
    assert found["neutral"] == found["sad"] > 0.9


def test_faces_of_one_confidence_are_answered_together():
    found = choose_thresholds(*_answers(np.array([0.9] * 30 + [0.7] * 10), np.arange(40) % 10 > 0))
    assert found["angry"] == 0.9


def test_the_curve_runs_from_all_faces_to_the_surest():
    logits, votes = _drawn(500)
    points = np.array(judge_thresholds(softmax64(logits), votes.argmax(axis=1))["points"])
    assert points[0, 1] == 1.0 and points[-1, 1] == pytest.approx(0.05, abs=0.01)
    assert (np.diff(points[:, 0]) > 0).all() and (np.diff(points[:, 1]) < 0).all()


def test_a_change_that_does_nothing_to_the_posterior_counts_nothing():
    luma = np.random.default_rng(0).integers(0, 256, (6, CROP, CROP)).astype(np.uint8)
    even = total_variation(lambda x: np.full((len(x), 7), 1 / 7), luma)
    assert set(even) == {*variations(luma), "mean"}
    assert max(even.values()) == 0


def test_a_left_and_right_reader_is_upset_by_a_mirror_only():
    ramp = np.tile(np.linspace(0, 200, CROP, dtype=np.uint8), (3, CROP, 1))

    def classify(luma):
        right = luma[:, :, CROP // 2 :].mean(axis=(1, 2)) > luma[:, :, : CROP // 2].mean(axis=(1, 2))
        return np.eye(len(EXPRESSIONS))[right.astype(int)]

    found = total_variation(classify, ramp)
    assert found["mirror"] == 1.0
    assert found["shift_1px"] == found["scale_3pct"] == found["darken"] == 0.0
    assert found["mean"] == 0.25
