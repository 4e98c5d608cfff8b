"""Calibration and thresholds on made-up logits whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.evaluate.metrics import expected_calibration_error
from visagram.learn import calibrate as module
from visagram.learn.calibrate import (
    calibrate,
    choose_threshold,
    cross_fitted,
    divided,
    fit,
    fit_temperature,
    judge_threshold,
    log_loss,
    softmax64,
)
from visagram.learn.robust import total_variation, variations


def _drawn(count, seed=0, spread=2.0):
    """Logits, and labels that were drawn from their posteriors."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, spread, (count, 7))
    labels = np.array([random.choice(7, p=row) for row in softmax64(logits)])
    return logits, labels


def test_the_temperature_undoes_overconfidence():
    logits, labels = _drawn(4000)
    assert fit_temperature(2 * logits, labels) == pytest.approx(2, rel=0.1)
    assert fit_temperature(0.7 * logits, labels) == pytest.approx(0.7, rel=0.1)
    honest = expected_calibration_error(softmax64(logits), labels)
    assert honest < 0.03 < expected_calibration_error(softmax64(2 * logits), labels)


def test_vector_scaling_undoes_a_shift_that_a_temperature_cannot():
    logits, labels = _drawn(4000)
    shifted = logits + np.array([1.5, 0, 0, -1, 0, 0, 0.5])
    vector, plain = (fit(kind, shifted, labels).apply(shifted) for kind in ("vector", "temperature"))
    assert log_loss(vector, labels) < log_loss(plain, labels) - 0.05
    assert np.abs(vector - softmax64(logits)).mean() < 0.02


def test_the_kind_is_chosen_by_faces_it_was_not_fitted_to(monkeypatch):
    monkeypatch.setattr(module, "REPEATS", 2)
    logits, labels = _drawn(1500)
    shifted = logits + np.array([2.0, 0, 0, -2, 0, 0, 1])
    assert calibrate(shifted, labels, "faces")[0].kind == "vector"
    few, few_labels = _drawn(60, seed=3)
    _, _, facts = calibrate(1.5 * few, few_labels, "faces")
    assert facts["kind"] == min(facts["log_loss"], key=facts["log_loss"].get)


@pytest.mark.parametrize("kind", ["temperature", "vector"])
def test_no_face_is_judged_by_a_calibration_that_saw_it(kind):
    """A face whose label is absurd cannot pull its own posterior towards it."""
    logits, labels = _drawn(200)
    posteriors = cross_fitted(kind, logits, labels)
    part = divided(labels, module.FOLDS, 0)
    assert set(part) == set(range(module.FOLDS))
    for k in range(module.FOLDS):
        others = fit(kind, logits[part != k], labels[part != k])
        np.testing.assert_allclose(posteriors[part == k], others.apply(logits[part == k]), atol=1e-6)
    assert not np.allclose(posteriors, fit(kind, logits, labels).apply(logits), atol=1e-6)


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
    logits, labels = _drawn(1000)
    calibration, crossed, facts = calibrate(1.8 * logits, labels, "faces of a test")
    assert facts["fitted_on"] == "faces of a test"
    assert facts["ece_15"] < 0.05 < facts["ece_15_uncalibrated"]
    assert set(facts["log_loss"]) == {"temperature", "vector"}
    assert crossed.shape == (1000, 7)
    assert np.abs(crossed - calibration.apply(1.8 * logits)).mean() < 0.02


def test_the_threshold_is_the_lowest_that_keeps_the_risk():
    confidence = np.array([0.95, 0.9, 0.85, 0.8, 0.6, 0.5, 0.4, 0.3])
    right = np.array([1, 1, 1, 1, 1, 0, 1, 0], bool)
    posteriors = np.full((8, 7), 0.0)
    posteriors[:, 0] = confidence
    posteriors[:, 1:] = (1 - confidence[:, None]) / 6
    labels = np.where(right, 0, 3)
    found = choose_threshold(posteriors, labels, risk=0.05)
    assert found["unsure_below"] == 0.6
    assert found["coverage"] == pytest.approx(5 / 8, abs=1e-4)
    assert found["accuracy"] == 1.0
    lenient = choose_threshold(posteriors, labels, risk=0.15)
    assert lenient["unsure_below"] == 0.4
    assert lenient["accuracy"] == pytest.approx(6 / 7, abs=1e-4)
    assert choose_threshold(posteriors, labels, risk=0.25)["unsure_below"] == 0.0
    answered = posteriors.max(axis=1) >= found["unsure_below"]
    assert answered.mean() == pytest.approx(found["coverage"], abs=1e-4)


def test_a_threshold_is_judged_on_faces_that_did_not_choose_it():
    """Where a threshold only fits chance, its own faces flatter it: here confidence says nothing."""
    random = np.random.default_rng(0)
    confidence, right = random.uniform(0.5, 1, 400), random.random(400) < 0.9
    posteriors = np.zeros((400, 7))
    posteriors[:, 0], posteriors[:, 1] = confidence, 1 - confidence
    labels = np.where(right, 0, 1)
    chosen, judged = choose_threshold(posteriors, labels), judge_threshold(posteriors, labels)
    assert chosen["accuracy"] >= 0.95 > judged["accuracy"]
    logits, drawn = _drawn(3000)
    honest = softmax64(logits)
    chosen, judged = choose_threshold(honest, drawn), judge_threshold(honest, drawn)
    assert judged["accuracy"] == pytest.approx(chosen["accuracy"], abs=0.03)
    assert judged["coverage"] == pytest.approx(chosen["coverage"], abs=0.05)


def test_faces_of_one_confidence_are_answered_together():
    posteriors = np.tile([0.7, 0.3, 0, 0, 0, 0, 0], (10, 1))
    labels = np.array([0] * 9 + [1])
    found = choose_threshold(posteriors, labels, risk=0.05)
    assert (found["coverage"], found["accuracy"]) == (1.0, 0.9)


def test_where_nothing_keeps_the_risk_the_surest_faces_are_answered():
    posteriors = np.full((3, 7), 0.05)
    posteriors[[0, 1, 2], 0] = [0.9, 0.8, 0.7]
    found = choose_threshold(posteriors, np.array([3, 0, 0]), risk=0.05)
    assert (found["unsure_below"], found["coverage"]) == (0.0, 1.0)
    assert found["accuracy"] == pytest.approx(2 / 3, abs=1e-4)


def test_the_curve_runs_from_all_faces_to_the_surest():
    logits, labels = _drawn(2000)
    points = np.array(choose_threshold(softmax64(logits), labels)["points"])
    assert points[0, 1] == 1.0
    assert (np.diff(points[:, 0]) >= 0).all()
    assert (np.diff(points[:, 1]) < 0).all()
    assert points[-1, 2] > points[0, 2] + 0.1


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
