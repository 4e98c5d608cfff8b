"""The difference of two groups against SciPy, Pingouin and enumeration."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from visagram.core.compare import Unit, compare
from visagram.core.difference import Two, bound, estimate, exchanged, least_p
from visagram.core.types import EXPRESSIONS


def drawn(n: int, m: int, both: int, seed: int, k: int = 3) -> Two:
    random = np.random.default_rng(seed)
    return Two(random.uniform(0, 1, (n, k)), random.uniform(0, 1, (m, k)), both)


@given(st.integers(2, 12), st.integers(0, 99))
def test_pairs_are_the_paired_t_test(n: int, seed: int) -> None:
    two = drawn(n, n, n, seed)
    found, book = estimate(two), stats.ttest_rel(two.other, two.one)
    np.testing.assert_allclose(found.value / found.error, book.statistic)
    np.testing.assert_allclose(found.freedom, n - 1)


@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 99))
def test_strangers_are_welchs_t_test(n: int, m: int, seed: int) -> None:
    two = drawn(n, m, 0, seed)
    found, book = estimate(two), stats.ttest_ind(two.other, two.one, equal_var=False)
    np.testing.assert_allclose(found.value / found.error, book.statistic)
    np.testing.assert_allclose(found.freedom, np.maximum(book.df, 1))


@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 9), st.integers(0, 99))
def test_degrees_of_freedom_are_those_of_the_whole_quadratic_form(n: int, m: int, both: int, seed: int) -> None:
    both = min(both, n, m)
    two = drawn(n, m, both, seed, k=1)
    a, b = (values - values.mean(axis=0) for values in (two.one, two.other))
    contrast = np.zeros((n + m - both, n + m))
    contrast[np.arange(n), np.arange(n)] = -1 / np.sqrt(n * (n - 1))
    contrast[[*range(both), *range(n, n + m - both)], n + np.arange(m)] = 1 / np.sqrt(m * (m - 1))
    centre = np.eye(n + m)
    centre[:n, :n] -= 1 / n
    centre[n:, n:] -= 1 / m
    form = centre @ contrast.T @ contrast @ centre
    spreads = np.repeat([float((a**2).sum()) / (n - 1), float((b**2).sum()) / (m - 1)], [n, m])
    covariance = np.diag(spreads)
    shared = np.clip(
        float((a[:both] * b[:both]).sum()) / max(both, 1), *(np.sqrt(spreads[0] * spreads[-1]) * np.array([-1, 1]))
    )
    covariance[np.arange(both), n + np.arange(both)] = covariance[n + np.arange(both), np.arange(both)] = shared
    product = form @ covariance
    assert estimate(two).error[0] ** 2 == pytest.approx(float(np.r_[a, b][:, 0] @ form @ np.r_[a, b][:, 0]))
    expected = n - 1 if both == n == m else max(1.0, np.trace(product) ** 2 / np.trace(product @ product))
    assert estimate(two).freedom[0] == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 9), st.integers(3, 9), st.booleans(), st.integers(0, 99))
def test_effects_and_equivalence_are_pingouins(n: int, m: int, paired: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    one, other = random.uniform(0.1, 0.5, n), random.uniform(0.2, 0.8, n if paired else m)

    def units(group: str, shares: NDArray[np.float64], name: str) -> list[Unit]:
        place = EXPRESSIONS.index("happy")
        rows = [[share if k == place else (1 - share) / 6 for k in range(7)] for share in shares.tolist()]
        return [Unit(group, f"{name}{k}", tuple(row), 9.0) for k, row in enumerate(rows)]

    found = compare([*units("a", one, "p"), *units("b", other, "p" if paired else "q")], smallest=0.2)
    happy = next(d for d in found.differences if d.expression == "happy")
    if not paired:
        # Pingouin corrects by Hedges' approximation, 1 - 3 / (4 n - 9); ours is exact.
        book = pingouin.compute_effsize(other, one, eftype="cohen") * (1 - 3 / (4 * (len(one) + len(other)) - 9))
        assert happy.effect == pytest.approx(book, rel=0.02)
        book = pingouin.ttest(other, one, correction=True)
        assert happy.p == pytest.approx(float(book["p_val" if "p_val" in book else "p-val"].iloc[0]))
    book = pingouin.tost(other, one, bound=0.2, paired=paired, correction=not paired)
    raw = float(book["pval" if "pval" in book else "p_val"].iloc[0])
    # Of seven corrected p values none is smaller than its own.
    assert happy.p_equivalent is not None and happy.p_equivalent >= min(1.0, raw) - 1e-9


def test_equivalence_of_one_that_differs_is_pingouins() -> None:
    one, other = np.array([0.3, 0.42, 0.31, 0.38, 0.36]), np.array([0.31, 0.41, 0.33, 0.37, 0.4])
    rows = [("a", one), ("b", other)]
    # Happy and neutral mirror each other, the others are never shown: the two that differ are corrected for each other.
    units = [
        Unit(group, f"p{k}", (0, 0, 0, share, 0, 0, 1 - share), 9.0)
        for group, shares in rows
        for k, share in enumerate(shares.tolist())
    ]
    found = next(d for d in compare(units, smallest=0.1).differences if d.expression == "happy")
    book = pingouin.tost(other, one, bound=0.1, paired=True)
    assert found.p_equivalent == pytest.approx(2 * float(book["pval" if "pval" in book else "p_val"].iloc[0]))


def test_exchanges_are_all_of_them_where_there_are_few() -> None:
    two = drawn(4, 5, 2, 3, k=2)
    alone, together, all_made = exchanged(two, 0)
    rest = np.concatenate([two.one[2:], two.other[2:]])
    counted = []
    for flips in product((False, True), repeat=2):
        for first in combinations(range(5), 2):
            others = [k for k in range(5) if k not in first]
            pairs = [(b, a) if flip else (a, b) for flip, a, b in zip(flips, two.one[:2], two.other[:2], strict=True)]
            one = np.array([*(a for a, _ in pairs), *rest[list(first)]])
            other = np.array([*(b for _, b in pairs), *rest[others]])
            found = estimate(Two(one, other, 2))
            counted.append(np.abs(found.value) / found.error)
    observed = estimate(two)
    least = np.abs(observed.value) / observed.error - 1e-9
    assert all_made and len(counted) == 40
    assert alone == pytest.approx((np.array(counted) >= least).mean(axis=0))
    assert together == pytest.approx([(np.max(counted, axis=1) >= each).mean() for each in least])


@pytest.mark.parametrize(("n", "m", "both"), [(5, 5, 5), (6, 4, 0), (9, 9, 9)])
def test_p_values_of_exchanges_are_scipys(n: int, m: int, both: int) -> None:
    two = drawn(n, m, both, 7, k=1)

    def statistic(x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        test = stats.ttest_rel(y, x, axis=axis) if both else stats.ttest_ind(y, x, axis=axis, equal_var=False)
        return np.abs(np.asarray(test.statistic))

    book = stats.permutation_test(
        (two.one[:, 0], two.other[:, 0]),
        statistic,
        permutation_type="samples" if both else "independent",
        vectorized=True,
        alternative="greater",
        n_resamples=np.inf,
    )
    assert exchanged(two, 0)[0][0] == pytest.approx(book.pvalue)


def test_no_difference_can_be_rarer_than_the_exchanges_allow() -> None:
    assert least_p(drawn(4, 4, 4, 0)) == 2 / 2**4
    assert least_p(drawn(3, 3, 0, 0)) == 2 / 20
    assert least_p(drawn(3, 4, 0, 0)) == 1 / 35
    assert least_p(drawn(30, 30, 30, 0)) == 1 / 10_000
    # Groups of other sizes cannot be exchanged whole: some exchanges are as far apart, or none.
    assert least_p(drawn(2, 22, 1, 0)) == 1 / 44
    found = Two(np.array([[0.0], [0.01]]), np.linspace(0.5, 1, 22)[:, None], 1)
    assert exchanged(found, 0)[0][0] >= least_p(found)
    assert least_p(drawn(600, 600, 0, 0, k=1)) == least_p(drawn(1100, 1100, 1100, 0, k=1)) == 1 / 10_000
    apart = Two(np.zeros((4, 1)), np.ones((4, 1)), 4)
    assert exchanged(apart, 0)[0][0] == least_p(apart)


@given(st.floats(0, 1), st.integers(2, 60))
def test_a_bound_holds_whatever_the_distribution_is(value: float, n: int) -> None:
    low, high = bound(value, n, 0.0, 1.0)
    assert 0 <= low <= value + 1e-12 and value - 1e-12 <= high <= 1
    # A share q of everybody alike and the rest at an end: n alike are drawn in 2.5 % of studies, and less for any less.
    alike = (value - low) / value if value > 0.01 else (high - value) / (1 - value)
    assert (1 - alike) ** n == pytest.approx(0.025, rel=1e-6)


def test_a_table_of_hand_made_data_is_a_mixed_models() -> None:
    """Where all are in both conditions, the difference and its error are those of a random intercept, too."""
    one, other = np.array([0.2, 0.3, 0.5, 0.4, 0.25, 0.6]), np.array([0.35, 0.3, 0.7, 0.55, 0.3, 0.65])
    long = pd.DataFrame({"y": [*one, *other], "c": [0] * 6 + [1] * 6, "p": [*range(6)] * 2})
    from statsmodels.regression.mixed_linear_model import MixedLM

    fit = MixedLM.from_formula("y ~ c", long, groups="p").fit(reml=True)
    found = estimate(Two(one[:, None], other[:, None], 6))
    assert found.value[0] == pytest.approx(fit.params["c"])
    assert found.error[0] == pytest.approx(fit.bse["c"], rel=1e-3)
