"""Tests of significance, against other ways to compute them and against chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from visagram.evaluate.compare import compare, mcnemar
from visagram.evaluate.groups import by_group, stratified_p
from visagram.evaluate.metrics import measure


def answering(answers, confidence=0.9):
    rows = np.full((len(answers), 7), (1 - confidence) / 6)
    rows[np.arange(len(answers)), answers] = confidence
    return rows


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_test_of_a_fair_coin(first, second):
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)


def test_a_model_does_not_differ_from_itself():
    random = np.random.default_rng(0)
    labels, posteriors = random.integers(0, 7, 90), random.dirichlet(np.ones(7), 90)
    found = compare(posteriors, posteriors, labels, 0)
    assert (found.p, found.only_first, found.only_second) == (1.0, 0, 0)
    assert found.both + found.neither == 90
    for each in (found.accuracy, found.macro_recall, found.macro_f1, *found.recalls.values()):
        assert (each.low, each.value, each.high) == (0, 0, 0)
    assert found.ece == found.ece_debiased == 0


def test_discordant_faces_are_counted_and_differences_are_second_minus_first():
    labels = np.array([3] * 40 + [4] * 10)
    worse = labels.copy()
    worse[:12] = 4
    found = compare(answering(worse), answering(labels), labels, 0)
    assert (found.only_first, found.only_second, found.both, found.neither) == (0, 12, 38, 0)
    assert found.accuracy.value == pytest.approx(12 / 50)
    assert found.macro_recall.value == pytest.approx(12 / 40 / 2)
    assert found.accuracy.low > 0
    assert found.p == pytest.approx(2 * 0.5**12)


def test_differences_are_those_of_the_figures():
    random = np.random.default_rng(1)
    labels = random.choice([0, 2, 3, 6], 300, p=[0.1, 0.1, 0.4, 0.4])
    # Answers besides the labels' own expressions too.
    one, other = (random.dirichlet(np.ones(7), 300) + 0.4 * np.eye(7)[labels] for _ in range(2))
    one, other = (rows / rows.sum(axis=1, keepdims=True) for rows in (one, other))
    found, first, second = compare(one, other, labels, 0), measure(one, labels, 0), measure(other, labels, 0)
    assert "sad" in second.macro_f1_classes, "an expression that is answered and never a label counts in macro F1"
    for name in ("accuracy", "macro_recall", "macro_f1"):
        difference = getattr(second, name).value - getattr(first, name).value
        assert getattr(found, name).value == pytest.approx(difference), name
    assert found.ece == pytest.approx(second.ece.plug_in - first.ece.plug_in)
    assert found.ece_debiased == pytest.approx(second.ece.debiased - first.ece.debiased)
    recalls = [{each.expression: each.recall.value for each in figures.classes} for figures in (first, second)]
    assert list(found.recalls) == ["angry", "fear", "happy", "neutral"]
    for name, each in found.recalls.items():
        assert each.value == pytest.approx(recalls[1][name] - recalls[0][name])
        assert each.low <= each.value <= each.high


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0.1, 0.9))
def test_of_one_expression_the_group_test_is_fishers(seed, faces, chance):
    random = np.random.default_rng(seed)
    inside, hits = random.random(faces) < chance, random.random(faces) < 0.7
    table = [[int((a & b).sum()) for b in (hits, ~hits)] for a in (inside, ~inside)]
    p = stratified_p(inside, hits, np.zeros(faces, np.int64))
    assert (1.0 if p is None else p) == pytest.approx(fisher_exact(table).pvalue)


def test_a_group_with_more_of_an_easy_expression_has_no_advantage():
    labels = np.array([3] * 110 + [2] * 110)
    inside = np.array([True] * 100 + [False] * 10 + [True] * 10 + [False] * 100)
    hits = np.arange(220) % 10 < np.where(labels == 3, 10, 5)
    answers = np.where(hits, labels, 6)
    found = {g.name: g for g in by_group(answering(answers), labels, np.where(inside, "a", "b").tolist(), 0)}
    assert found["a"].figures.accuracy.value - found["b"].figures.accuracy.value > 0.3
    assert found["a"].figures.accuracy.value == pytest.approx(found["a"].expected)
    assert found["a"].p == pytest.approx(1)


def test_a_group_that_is_answered_worse_is_found():
    labels = np.tile(np.arange(7), 40)
    inside = np.arange(280) < 140
    answers = np.where(inside & (np.arange(280) % 3 == 0), (labels + 1) % 7, labels)
    (worse, better) = by_group(answering(answers), labels, np.where(inside, "a", "b").tolist(), 0)
    assert worse.p_holm is not None and worse.p_holm < 1e-6
    assert worse.figures.accuracy.high < better.figures.accuracy.low


def test_by_chance_alone_a_group_differs_in_at_most_one_of_twenty_data_sets():
    random = np.random.default_rng(0)
    strata = np.repeat([0, 1, 2], [60, 30, 10])
    found = [
        stratified_p(random.permutation(100) < 40, random.random(100) < np.array([0.9, 0.7, 0.4])[strata], strata)
        for _ in range(400)
    ]
    assert np.mean([p is not None and p < 0.05 for p in found]) <= 0.06


def test_a_single_group_has_nothing_to_be_compared_with():
    (only,) = by_group(answering([3, 3, 4]), np.array([3, 3, 3]), ["a", "a", "a"], 0)
    assert (only.p, only.p_holm, only.figures.faces) == (None, None, 3)
