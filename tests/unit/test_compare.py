"""Conditions compared: known answers, simulated coverage, and what is not said of too few participants."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.genmod.generalized_estimating_equations import GEE

from visagram.core.compare import Comparison, Difference, Mean, Unit, compare, holm, mean_interval, to_json
from visagram.core.difference import Two, estimate
from visagram.core.types import EXPRESSIONS

HAPPY, NEUTRAL = EXPRESSIONS.index("happy"), EXPRESSIONS.index("neutral")


def values(happy: float) -> tuple[float, ...]:
    return tuple(happy if k == HAPPY else 1 - happy if k == NEUTRAL else 0.0 for k in range(7))


def units(group: str, shares: list[float] | NDArray[np.float64], names: str = "p", seconds: float = 60.0) -> list[Unit]:
    return [Unit(group, f"{names}{k:03}", values(float(share)), seconds) for k, share in enumerate(shares)]


def happy(found: Comparison, group: int = 0) -> Mean:
    return found.groups[group].means[HAPPY]


def difference(found: Comparison) -> Difference:
    return next(d for d in found.differences if d.expression == "happy")


def test_a_participants_parts_are_averaged_by_measured_time_first() -> None:
    found = compare(
        [
            Unit("film", "ada", values(0.2), 30.0),
            Unit("film", "ada", values(0.8), 10.0),
            Unit("film", "ada", values(1.0), 0.0),
            Unit("film", "bob", values(0.5), 900.0),
        ]
    )
    (group,) = found.groups
    assert (group.participants, group.n, group.measured) == (("ada", "bob"), 2, 940.0)
    assert [row[HAPPY] for row in group.values] == pytest.approx([0.35, 0.5])
    assert happy(found).value == pytest.approx(0.425)
    assert happy(found).deviation == pytest.approx(np.std([0.35, 0.5], ddof=1))


def test_copies_of_a_participants_videos_add_no_certainty() -> None:
    once = units("film", [0.2, 0.4, 0.5, 0.9])
    assert compare(once).groups[0].means == compare(once * 3).groups[0].means


def test_one_participant_has_no_interval_and_the_comparison_says_so() -> None:
    found = compare(units("film", [0.4]) + units("call", [0.1, 0.3], "q"))
    assert (happy(found).value, happy(found).low, happy(found).high, happy(found).deviation) == (0.4, None, None, None)
    assert found.notes[0] == "film: one participant, so there is no interval."
    lonely = difference(found)
    assert (lonely.low, lonely.p, lonely.p_holm, lonely.effect, lonely.test) == (None, None, None, None, "")
    assert lonely.value == pytest.approx(-0.2)


def test_an_expression_that_is_the_same_in_everybody_has_bounds() -> None:
    found = compare(units("film", [0.0, 0.0, 0.0]) + units("call", [0.0, 0.0, 0.0], "q"))
    assert (happy(found).value, happy(found).low) == (0.0, 0.0)
    # If 71 % of everybody showed it, three who do not were seen in 2.5 %.
    assert happy(found).high == pytest.approx(1 - 0.025 ** (1 / 3))
    same = difference(found)
    assert (same.p, same.test) == (None, "")
    assert (same.low, same.high) == pytest.approx((0.0125 ** (1 / 3) - 1, 1 - 0.0125 ** (1 / 3)))


def test_nothing_against_all_is_an_exact_test_with_a_bound() -> None:
    found = compare(units("calm", [0.0] * 8) + units("stress", [1.0] * 8))
    each = difference(found)
    # Of 256 sign flips two are as far apart.
    assert (each.test, each.value, each.p, each.p_family, each.effect) == ("exact", 1.0, 2 / 256, 2 / 256, None)
    alike = 0.025 ** (1 / 8)
    assert (each.low, each.high) == pytest.approx((2 * alike - 1, 1.0))
    others = difference(compare(units("calm", [0.0] * 4) + units("stress", [1.0] * 4, "q")))
    assert (others.test, others.p) == ("exact", 2 / 70)


def test_welch_is_the_textbooks() -> None:
    one, other = [0.1, 0.25, 0.3, 0.42], [0.3, 0.5, 0.45, 0.6, 0.9]
    found = difference(compare(units("a", one) + units("b", other, "q")))
    book = stats.ttest_ind(other, one, equal_var=False)
    interval = book.confidence_interval()
    assert (found.test, found.n) == ("Welch t", (4, 5))
    assert (found.p, found.low, found.high) == pytest.approx((book.pvalue, interval.low, interval.high))
    pooled = math.sqrt((3 * np.var(one, ddof=1) + 4 * np.var(other, ddof=1)) / 7)
    # J(7) = 0.888, Hedges 1981, table 1.
    assert found.effect == pytest.approx((np.mean(other) - np.mean(one)) / pooled * 0.888, rel=1e-3)


def test_the_same_participants_in_both_are_paired() -> None:
    one, other = np.array([0.1, 0.25, 0.3, 0.42]), np.array([0.2, 0.3, 0.45, 0.5])
    found = difference(compare(units("a", one) + units("b", other)))
    book = stats.ttest_rel(other, one)
    interval = book.confidence_interval()
    assert (found.test, found.n) == ("paired t", (4,))
    assert (found.p, found.low, found.high) == pytest.approx((book.pvalue, interval.low, interval.high))
    scale = (one.std(ddof=1) + other.std(ddof=1)) / 2
    assert found.effect == pytest.approx((other - one).mean() / scale * 0.7236, rel=1e-3)


def test_nobody_is_thrown_away_where_some_are_in_both() -> None:
    one, few = np.random.default_rng(0).uniform(0.1, 0.6, 40), np.random.default_rng(1).uniform(0.2, 0.7, 2)
    found = compare(units("a", one) + units("b", [*few, 0.4, 0.5][:2]) + units("b", [0.4, 0.5], "q"))
    each = difference(found)
    assert (each.test, each.n) == ("GEE", (40, 4))
    assert each.value == pytest.approx(happy(found, 1).value - happy(found, 0).value)
    assert any(note == "a and b: 2 appear in both and 40 in one of them; all count (GEE)." for note in found.notes)


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 8), st.integers(0, 5), st.integers(0, 5), st.integers(0, 999))
def test_the_error_is_that_of_generalised_estimating_equations(both: int, one: int, other: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.uniform(0.1, 0.9, both + one), random.uniform(0.1, 0.9, both + other)
    found = estimate(Two(first[:, None], second[:, None], both))
    outcome = np.concatenate([first, second])
    group = np.repeat([0.0, 1.0], [len(first), len(second)])
    person = np.concatenate([np.arange(len(first)), np.arange(both), 100 + np.arange(other)])
    order = np.argsort(person, kind="stable")
    model = GEE(outcome[order], np.stack([np.ones(len(group)), group], 1)[order], person[order])
    fit = model.fit(cov_type="bias_reduced")
    assert found.value[0] == pytest.approx(fit.params[1])
    # Mancl and DeRouen's correction is (I - H)^-1 where CR2's is its square root: it is never smaller, and nearly it.
    robust = model.fit(cov_type="robust").bse[1]
    assert robust < found.error[0] <= fit.bse[1] * (1 + 1e-9)
    assert found.error[0] ** 2 == pytest.approx(robust * fit.bse[1], rel=0.05)


def test_without_a_difference_the_smallest_family_wise_p_is_small_as_often_as_it_says() -> None:
    random, hits, runs = np.random.default_rng(0), 0, 100
    for _ in range(runs):
        parts = [[Unit(g, f"p{k}", tuple(random.dirichlet(np.ones(7))), 60) for k in range(7)] for g in "abc"]
        found = compare([unit for part in parts for unit in part])
        hits += any(d.p_family is not None and d.p_family < 0.05 for d in found.differences)
    # Of 100 studies 5 are expected, and more than 10 in one of a hundred tries.
    assert hits <= 10


def test_the_headline_says_over_what_it_is_corrected() -> None:
    low, high = [0.1, 0.12, 0.09, 0.13, 0.1, 0.11, 0.1], [0.6, 0.7, 0.65, 0.6, 0.62, 0.7, 0.66]
    far = compare(units("a", low) + units("b", high))
    assert far.headline == (
        "2 of the 2 differences of this comparison are more than chance explains, over all of them together "
        "(family-wise p below 0.05; participants exchanged)."
    )
    near = compare(units("a", [0.1, 0.2, 0.3, 0.4]) + units("b", [0.2, 0.1, 0.4, 0.3]))
    assert near.headline.startswith("None of the 2 differences of this comparison is more than chance explains")
    assert compare(units("a", [0.1])).headline == "No difference can be judged."


def test_who_was_measured_too_briefly_is_left_out_and_named() -> None:
    brief = Unit("a", "zoe", values(1.0), 1.0)
    found = compare([*units("a", [0.1, 0.2, 0.3]), brief, *units("b", [0.2, 0.4], "q")])
    assert found.groups[0].n == 3
    assert found.notes[0] == "a: 1 participant measured for less than 2 s left out (zoe)."
    assert compare([brief, *units("a", [0.1])], least=1.0).groups[0].n == 2
    # Two short videos are long enough together, and a picture lasts no time at all.
    assert compare([Unit("a", "zoe", values(1.0), 2.0), Unit("a", "zoe", values(0.5), 2.0)]).groups[0].n == 1
    assert compare([Unit("a", "zoe", values(1.0), 1.0, still=True)]).groups[0].n == 1


def test_equivalence_is_two_one_sided_tests_corrected_for_all() -> None:
    one, other = [0.3, 0.42, 0.31, 0.38, 0.36, 0.4], [0.31, 0.41, 0.33, 0.37, 0.36, 0.42]
    found = compare(units("a", one) + units("b", other), smallest=0.1)
    gains = np.subtract(other, one)
    lower = stats.ttest_1samp(gains, -0.1, alternative="greater").pvalue
    upper = stats.ttest_1samp(gains, 0.1, alternative="less").pvalue
    assert difference(found).p_equivalent == pytest.approx(2 * max(lower, upper), rel=1e-6)
    assert compare(units("a", one) + units("b", other)).differences[0].p_equivalent is None
    assert "equivalence within 10 percentage points" in found.method and "equivalence" not in compare([]).method


def test_only_a_group_of_one_is_said_to_have_no_interval() -> None:
    found = compare(units("a", [0.1, 0.2, 0.3]) + units("b", [0.2], "q"))
    assert [note for note in found.notes if "no interval" in note] == ["b: one participant, so there is no interval."]


def test_every_pair_of_groups_is_compared() -> None:
    found = compare(units("a", [0.1, 0.2]) + units("b", [0.2, 0.4], "q") + units("c", [0.5, 0.4], "r"))
    assert {(d.first, d.second) for d in found.differences} == {("a", "b"), ("a", "c"), ("b", "c")}
    assert len(found.differences) == 21


def test_rare_expressions_of_few_participants_come_with_a_warning() -> None:
    assert any("too narrow" in note for note in compare(units("a", [0.0, 0.0, 0.02, 0.1])).notes)
    assert not any("too narrow" in note for note in compare(units("a", [0.0, 0.0, 0.02, 0.1] * 8)).notes)
    assert not any("too narrow" in note for note in compare(units("a", [0.5, 0.6, 0.7])).notes)


def test_holm_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([None, 0.02, None, 0.5]) == [None, 0.04, None, 0.5]
    assert holm([]) == []


@given(st.lists(st.none() | st.floats(0, 1), max_size=8))
def test_corrected_p_values_are_larger_and_in_the_same_order(p: list[float | None]) -> None:
    corrected = holm(p)
    assert [c is None for c in corrected] == [v is None for v in p]
    known = [(v, c) for v, c in zip(p, corrected, strict=True) if v is not None and c is not None]
    assert all(v <= c <= 1 for v, c in known)
    assert all(c <= d for (v, c), (w, d) in itertools.permutations(known, 2) if v < w)


shares = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@settings(deadline=None)
@given(shares, shares, st.booleans())
def test_whatever_is_compared_numbers_are_in_their_ranges(one: list[float], other: list[float], same: bool) -> None:
    found = compare(units("a", one) + units("b", other, "p" if same else "q"))
    for group in found.groups:
        for mean in group.means:
            assert 0 <= mean.value <= 1
            if mean.low is not None and mean.high is not None:
                assert 0 <= mean.low <= mean.value <= mean.high <= 1
    for d in found.differences:
        if d.low is not None and d.high is not None and d.p is not None and d.p_holm is not None and d.test != "exact":
            assert -1 <= d.low <= d.value <= d.high <= 1
            assert 0 <= d.p <= d.p_holm <= 1
            # The interval and the test agree on whether zero is possible.
            assert (d.low > 0 or d.high < 0) == (d.p < 0.05) or abs(d.p - 0.05) < 1e-6
    assert json.loads(json.dumps(to_json(found), allow_nan=False)) == to_json(found)


@settings(deadline=None)
@given(shares, shares)
def test_exchanging_the_groups_changes_the_sign_alone(one: list[float], other: list[float]) -> None:
    there = difference(compare(units("a", one) + units("b", other, "q")))
    back = difference(compare(units("b", other, "q") + units("a", one)))
    assert there.value == pytest.approx(-back.value)
    assert (there.p is None) == (back.p is None)
    if there.p is not None and there.low is not None and back.high is not None:
        assert there.p == pytest.approx(back.p)
        assert there.low == pytest.approx(-back.high)


def test_the_order_of_rows_does_not_matter() -> None:
    one = units("a", [0.1, 0.5, 0.3]) + units("b", [0.2, 0.7, 0.4])
    assert compare(one).groups[0].means == compare(one[:3][::-1] + one[3:][::-1]).groups[0].means


def coverage(mean: float, spread: float, n: int, runs: int) -> float:
    """How often the interval of a group of n holds the true mean of a beta distribution."""
    random = np.random.default_rng(n)
    drawn = random.beta(mean * spread, (1 - mean) * spread, (runs, n))
    hits = [interval[0] <= mean <= interval[1] for row in drawn if (interval := mean_interval(row))]
    return sum(hits) / runs


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    assert 0.91 <= coverage(0.3, 4, 8, 500) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 10, 20, 30])
@pytest.mark.parametrize(
    ("mean", "spread", "least"),
    [
        *((0.5, spread, 0.93) for spread in (1.5, 4, 15)),
        *((0.3, spread, 0.93) for spread in (1.5, 4, 15)),
        *((0.1, spread, least) for spread, least in ((1.5, 0.82), (4, 0.90), (15, 0.92))),
    ],
)
def test_intervals_of_means_cover_from_5_to_30_participants(mean: float, spread: float, least: float, n: int) -> None:
    covered = coverage(mean, spread, n, 2000)
    assert least <= covered <= 0.985
    random = np.random.default_rng(n)
    drawn = random.beta(mean * spread, (1 - mean) * spread, (2000, n))
    half = stats.t.ppf(0.975, n - 1) * drawn.std(axis=1, ddof=1) / np.sqrt(n)
    plain = (np.abs(drawn.mean(axis=1) - mean) <= half).mean()
    assert covered >= plain - 0.01, "the plain t interval would do"


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False], ids=["paired", "Welch"])
@pytest.mark.parametrize("n", [5, 10, 20, 30])
@pytest.mark.parametrize(("one", "other"), [(0.2, 0.2), (0.1, 0.3), (0.3, 0.6)])
def test_intervals_of_differences_cover_from_5_to_30_participants(one: float, other: float, n: int, same: bool) -> None:
    random = np.random.default_rng(n)
    hits = 0
    for _ in range(400):
        # Those who show much in one condition show much in the other: ranks are shared in part.
        common = random.normal(size=n)
        ranks = [stats.norm.cdf(0.7 * common * same + np.sqrt(1 - 0.49 * same) * random.normal(size=n)) for _ in "ab"]
        drawn = [stats.beta.ppf(rank, mean * 4, (1 - mean) * 4) for rank, mean in zip(ranks, (one, other), strict=True)]
        found = difference(compare(units("a", drawn[0]) + units("b", drawn[1], "p" if same else "q")))
        assert found.low is not None and found.high is not None
        hits += found.low <= other - one <= found.high
    assert 0.90 <= hits / 400 <= 0.99


who = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 7), st.floats(0, 1), st.floats(0, 9)), max_size=24)


@settings(deadline=None, max_examples=40)
@given(who, st.floats(0, 6))
def test_whatever_is_compared_every_sentence_is_true(parts: list[tuple[str, int, float, float]], least: float) -> None:
    found = compare([Unit(g, f"p{p}", values(share), s) for g, p, share, s in parts], least=least)
    time: dict[tuple[str, str], float] = {}
    for group, person, _, seconds in parts:
        time[group, f"p{person}"] = time.get((group, f"p{person}"), 0.0) + seconds
    left_out = {key for key, seconds in time.items() if 0 < seconds < least - 1e-9}
    kept = {(group.name, person) for group in found.groups for person in group.participants}
    assert kept == {key for key, seconds in time.items() if seconds > 0} - left_out
    said = [note for note in found.notes if "left out" in note]
    assert len(said) == len({group for group, _ in left_out})
    for note in said:
        group, _, rest = note.partition(": ")
        number = sum(name == group for name, _ in left_out)
        assert rest.startswith(f"{number} participant{'' if number == 1 else 's'} measured for less than {least:g} s")
    for first, second in itertools.combinations(found.groups, 2):
        both = len(set(first.participants) & set(second.participants))
        crossed = both and not both == first.n == second.n and min(first.n, second.n) > 1
        alone = first.n + second.n - 2 * both
        text = f"{first.name} and {second.name}: {both} appear in both and {alone} in one of them; all count (GEE)."
        assert (text in found.notes) == bool(crossed)
        tests = {d.test for d in found.differences if (d.first, d.second) == (first.name, second.name)}
        usual = "paired t" if both == first.n == second.n else "GEE" if both else "Welch t"
        assert tests <= {"", "exact", usual}
    judged = [d.p_family for d in found.differences if d.p_family is not None]
    if judged:
        number = sum(p < 0.05 for p in judged)
        assert found.headline.startswith(f"{number or 'None'} of the {len(judged)} difference")


def test_a_comparison_that_errs_more_often_than_it_says_says_so() -> None:
    random = np.random.default_rng(0)
    few = compare(units("a", random.uniform(0.2, 0.6, 12)) + units("b", random.uniform(0.2, 0.6, 4), "q"))
    assert any("much fewer participants in one of them" in note for note in few.notes)
    assert not any("much fewer" in note for note in compare(units("a", [0.2, 0.3]) + units("b", [0.2, 0.4], "q")).notes)
    apart = compare(units("a", [0.3, 0.31, 0.32, 0.3]) + units("b", [0.1, 0.9, 0.5, 0.3], "q"))
    assert any("differ much more in one of them" in note for note in apart.notes)
    pairs = compare(units("a", [0.3, 0.31, 0.32, 0.3]) + units("b", [0.1, 0.9, 0.5, 0.3]))
    assert not any("differ much more" in note for note in pairs.notes), "pairs are exchanged within"


def test_rare_expressions_of_few_are_not_said_to_be_equal() -> None:
    rare = compare(units("a", [0.01, 0.02, 0.0, 0.03]) + units("b", [0.02, 0.0, 0.03, 0.01]), smallest=0.1)
    assert difference(rare).p_equivalent is None
    assert "a and b: too rare or too much alike to be tested for equivalence: happy." in rare.notes
    common = compare(units("a", [0.31, 0.32, 0.3, 0.33]) + units("b", [0.32, 0.3, 0.33, 0.31]), smallest=0.1)
    assert difference(common).p_equivalent is not None


def test_values_that_are_no_numbers_are_named() -> None:
    found = compare([*units("a", [0.1, 0.2]), Unit("a", "zoe", (math.nan,) * 7, 9.0)])
    assert found.groups[0].n == 2 and found.notes[0] == "Values that are no numbers left out (zoe)."
