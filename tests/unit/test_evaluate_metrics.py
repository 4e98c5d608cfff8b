"""Figures against labels and votes: right in cases worked out by hand, with intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.evaluate.calibration import (
    debiased_calibration_error,
    expected_calibration_error,
    reliability,
)
from visagram.evaluate.intervals import around, share
from visagram.evaluate.metrics import (
    Answers,
    accuracy_and_macro_recall,
    agreement,
    check_posteriors,
    measure,
    risk_coverage,
)

ANGRY, DISGUST, HAPPY = 0, 1, 3


def sure(answers, confidence=1.0):
    """Posteriors that answer `answers` with `confidence`, the rest shared out."""
    answers = np.asarray(answers)
    confidence = np.broadcast_to(confidence, answers.shape)
    rows = np.repeat((1 - confidence)[:, None] / 6, 7, axis=1)
    rows[np.arange(len(answers)), answers] = confidence
    return rows


@st.composite
def judged(draw):
    faces = draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = random.integers(0, draw(st.integers(1, 7)), faces)
    return random.dirichlet(np.full(7, draw(st.sampled_from((0.1, 1.0, 10.0)))), faces), labels


def estimates(figures):
    names = ("accuracy", "macro_recall", "macro_f1", "nll", "brier", "aurc")
    return [getattr(figures, name) for name in names] + [each.recall for each in figures.classes]


def test_figures_worked_out_by_hand():
    labels = np.array([ANGRY, ANGRY, ANGRY, ANGRY, HAPPY, HAPPY])
    found = measure(sure([ANGRY, ANGRY, ANGRY, HAPPY, HAPPY, DISGUST], 0.8), labels, 0)
    assert found.accuracy.value == pytest.approx(4 / 6)
    assert found.macro_recall.value == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert [each.f1 for each in found.classes] == pytest.approx([6 / 7, 1 / 2])
    # Disgust was answered and is among no labels: scikit-learn's f1_score(average="macro") counts it with 0.
    assert found.macro_f1.value == pytest.approx((6 / 7 + 1 / 2 + 0) / 3)
    assert found.macro_f1_classes == ("angry", "disgust", "happy")
    assert [each.precision for each in found.classes] == [1.0, 0.5]
    assert found.ece.plug_in == pytest.approx(0.8 - 4 / 6)
    assert found.confusion[ANGRY].tolist() == [3, 0, 0, 1, 0, 0, 0]
    assert found.confusion.sum() == 6
    answers = np.array([ANGRY, ANGRY, ANGRY, HAPPY, HAPPY, DISGUST])
    assert accuracy_and_macro_recall(answers, labels) == (found.accuracy.value, found.macro_recall.value)
    assert found.nll.value == pytest.approx(-(4 * np.log(0.8) + 2 * np.log(0.2 / 6)) / 6)


def test_a_class_that_was_never_answered_has_no_precision():
    (angry, happy) = measure(sure([HAPPY, HAPPY]), np.array([ANGRY, HAPPY]), 0).classes
    assert (angry.precision, angry.recall.value, angry.f1) == (None, 0.0, 0.0)
    assert happy.precision == 0.5


def test_calibration_error_weighs_each_bin_by_its_faces():
    labels = np.array([HAPPY, HAPPY, ANGRY, ANGRY])
    posteriors = sure([HAPPY, HAPPY, HAPPY, ANGRY], np.array([0.95, 0.95, 0.5, 0.5]))
    assert expected_calibration_error(posteriors, labels) == pytest.approx(0.5 * 0.05 + 0.5 * 0.0)
    assert [(b.faces, b.accuracy) for b in reliability(posteriors, labels)] == [(2, 0.5), (2, 1.0)]


def test_full_certainty_lies_in_the_last_bin():
    (only,) = reliability(sure([HAPPY], 1.0), np.array([HAPPY]))
    assert (only.low, only.high) == pytest.approx((14 / 15, 1.0))


def test_surest_faces_are_answered_first_and_equally_sure_ones_together():
    labels = np.array([HAPPY, ANGRY, HAPPY, HAPPY])
    curve = risk_coverage(sure([HAPPY] * 4, np.array([0.9, 0.8, 0.8, 0.6])), labels)
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 1 / 4])
    assert curve.at_risk(0.01) == pytest.approx((0.9, 0.25, 0.0))
    assert curve.at_risk(0.3) == pytest.approx((0.6, 1.0, 0.25))


def test_a_cards_threshold_says_which_faces_are_answered():
    found = Answers.of(sure([HAPPY] * 3, np.array([0.9, 0.7, 0.5])), np.array([HAPPY, ANGRY, HAPPY]))
    assert found.above(0.95) == (0.0, None)
    assert found.above(0.7) == pytest.approx((2 / 3, 0.5))
    assert found.above(0.0) == pytest.approx((1.0, 1 / 3))


def test_a_card_may_be_stricter_about_one_expression():
    found = Answers.of(sure([HAPPY, ANGRY], np.array([0.7, 0.7])), np.array([HAPPY, HAPPY]))
    below = [0.8 if k == ANGRY else 0.6 for k in range(7)]
    assert found.above(below) == (0.5, 0.0)
    assert found.above([0.6] * 7) == (1.0, 0.5)


def test_no_threshold_reaches_a_risk_that_even_the_surest_face_misses():
    assert risk_coverage(sure([HAPPY], 0.9), np.array([ANGRY])).at_risk(0.5) is None


def test_the_order_of_equally_sure_faces_does_not_change_the_area():
    labels = np.array([HAPPY, ANGRY, HAPPY, ANGRY, HAPPY])
    areas = [
        measure(sure([HAPPY] * 5, 0.7), labels[order], 0).aurc.value for order in ([0, 1, 2, 3, 4], [1, 3, 0, 2, 4])
    ]
    assert areas == pytest.approx([0.4, 0.4])


@given(judged())
def test_every_figure_lies_in_its_interval_and_is_possible(case):
    found = measure(*case, 0)
    for each in estimates(found):
        assert 0 <= each.low <= each.value <= each.high
    assert max(each.high for each in (found.accuracy, found.macro_recall, found.macro_f1)) <= 1
    assert found.ece.plug_in == pytest.approx(expected_calibration_error(*case))
    assert found.ece.debiased == pytest.approx(debiased_calibration_error(*case))
    assert 0 <= found.ece.debiased <= found.ece.plug_in <= 1
    assert 0 <= found.ece.perfect.low <= found.ece.perfect.high <= 1 >= found.ece.perfect.mean >= 0
    assert found.accuracy.value == pytest.approx(1 - found.curve.risk[-1])
    assert found.curve.coverage[-1] == 1
    assert (np.diff(found.curve.coverage) > 0).all()
    assert sum(b.faces for b in found.reliability) == found.faces == found.confusion.sum()


def test_the_same_seed_gives_the_same_figures():
    random = np.random.default_rng(1)
    case = random.dirichlet(np.ones(7), 50), random.integers(0, 7, 50)
    assert estimates(measure(*case, 3)) == estimates(measure(*case, 3))
    assert estimates(measure(*case, 3)) != estimates(measure(*case, 4))


@pytest.mark.parametrize(("faces", "chance"), [(13, 0.5), (13, 0.9), (40, 0.75), (300, 0.96)])
def test_intervals_of_shares_hold_the_truth_as_often_as_they_say(faces, chance):
    random = np.random.default_rng(0)
    hits = random.binomial(faces, chance, 400)
    intervals = {int(hit): share(int(hit), faces, random) for hit in np.unique(hits)}
    covered = np.mean([intervals[int(hit)].low <= chance <= intervals[int(hit)].high for hit in hits])
    assert covered >= 0.92


def test_few_faces_that_were_all_hit_do_not_make_an_exact_figure():
    found = share(3, 3, np.random.default_rng(0))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.6


def test_an_interval_without_resamples_is_the_figure_itself():
    found = around(0.5, np.array([np.nan, np.nan]))
    assert (found.low, found.high) == (0.5, 0.5)


def test_posteriors_like_the_votes_agree_with_them():
    shares = np.random.default_rng(0).dirichlet(np.ones(7), 60)
    found = agreement(shares, shares, 0)
    assert found.kl.value == pytest.approx(0, abs=1e-12)
    assert set(found.pearson) == set(EXPRESSIONS)
    assert all(each.value == pytest.approx(1) for each in found.pearson.values())


def test_agreement_is_numpys_correlation_and_the_divergence_by_definition():
    random = np.random.default_rng(4)
    posteriors, shares = random.dirichlet(np.ones(7), 80), random.dirichlet(np.ones(7), 80)
    found = agreement(posteriors, shares, 0)
    assert found.kl.value == pytest.approx((shares * np.log(shares / posteriors)).sum(axis=1).mean())
    for k, name in enumerate(EXPRESSIONS):
        assert found.pearson[name].value == pytest.approx(np.corrcoef(posteriors[:, k], shares[:, k])[0, 1])


def test_an_expression_that_nobody_voted_for_has_no_correlation():
    shares = np.tile([0.5, 0, 0, 0.5, 0, 0, 0], (9, 1))
    found = agreement(np.random.default_rng(0).dirichlet(np.ones(7), 9), shares, 0)
    assert not found.pearson


@pytest.mark.parametrize(
    "rows", [np.full((2, 7), np.nan), np.full((2, 7), 0.5), np.eye(7)[:2] * 2 - np.eye(7)[2:4], np.full((2, 6), 1 / 6)]
)
def test_a_model_that_gives_no_probabilities_is_refused_by_name(rows):
    with pytest.raises(DataError, match="odd"):
        check_posteriors(rows, 2, "odd")


@given(st.integers(1, 80), st.integers(2, 7), st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_figures_are_scikit_learns(faces: int, kinds: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, kinds, faces)
    posteriors = random.dirichlet(np.ones(7), faces)
    found, answers = measure(posteriors, labels, 0), posteriors.argmax(axis=1)
    assert found.accuracy.value == pytest.approx(sklearn.metrics.accuracy_score(labels, answers))
    present = np.unique(labels)
    recall = sklearn.metrics.recall_score(labels, answers, labels=present, average="macro", zero_division=0)
    assert found.macro_recall.value == pytest.approx(recall)
    assert found.macro_f1.value == pytest.approx(sklearn.metrics.f1_score(labels, answers, average="macro"))
    assert found.nll.value == pytest.approx(sklearn.metrics.log_loss(labels, posteriors, labels=range(7)))
    truth = np.eye(7)[labels]
    assert found.brier.value == pytest.approx(((posteriors - truth) ** 2).sum(axis=1).mean())
    confusion = sklearn.metrics.confusion_matrix(labels, answers, labels=range(7))
    np.testing.assert_array_equal(found.confusion, confusion)
