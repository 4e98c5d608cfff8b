"""A whole comparison as it is handed out, each figure worked out again in the plainest way."""

from __future__ import annotations

from math import exp, gamma, log, sqrt
from statistics import mean, stdev, variance

import numpy as np
import pytest
from scipy import stats

from visagram.core.compare import Unit, compare, holm, mean_interval, method, to_json
from visagram.core.types import EXPRESSIONS

REST = 0.04


def shares(happy: float, sad: float = 0.1) -> tuple[float, ...]:
    """Angry, disgust, fear and surprise 0.04 each, in everybody; the rest is neutral."""
    return (REST, REST, REST, happy, sad, REST, 1 - 4 * REST - happy - sad)


def units(group: str, happy: dict[str, float], seconds: float = 60) -> list[Unit]:
    return [Unit(group, name, shares(share), seconds) for name, share in happy.items()]


def interval(values: list[float]) -> tuple[float, float]:
    """On the logit scale and back."""
    m = mean(values)
    half = stats.t.ppf(0.975, len(values) - 1) * stdev(values) / sqrt(len(values)) / (m * (1 - m))
    low, high = (1 / (1 + exp(-(log(m / (1 - m)) + each))) for each in (-half, half))
    return low, high


def hedges(freedom: float) -> float:
    return gamma(freedom / 2) / sqrt(freedom / 2) / gamma((freedom - 1) / 2)


CALM = {"ada": 0.1, "bob": 0.25, "cy": 0.3, "dee": 0.42}
FILM = {"bob": 0.35, "cy": 0.31, "dee": 0.6}
TALK = {"eve": 0.5, "fay": 0.2, "gus": 0.45}


def test_a_whole_comparison() -> None:
    found = to_json(compare([*units("calm", CALM), *units("film", FILM, 30), *units("talk", TALK)], "mean_posterior"))
    assert list(found) == [
        *("measure", "measure_label", "confidence", "unit", "least", "smallest", "groups", "differences"),
        *("headline", "notes", "method"),
    ]
    assert (found["unit"], found["least"], found["smallest"]) == ("participant", 2.0, None)
    assert (found["measure"], found["measure_label"]) == ("mean_posterior", "mean posterior")
    assert (found["confidence"], found["method"]) == (0.95, method())
    groups = found["groups"]
    assert [(g["name"], g["n"], g["measured"]) for g in groups] == [("calm", 4, 240), ("film", 3, 90), ("talk", 3, 180)]
    for group, people in zip(groups, (CALM, FILM, TALK), strict=True):
        assert [each["participant"] for each in group["participants"]] == list(people)
        for each, share in zip(group["participants"], people.values(), strict=True):
            assert list(each["values"]) == list(EXPRESSIONS)
            assert list(each["values"].values()) == pytest.approx(shares(share))
        assert [m["expression"] for m in group["means"]] == list(EXPRESSIONS)
        for m in group["means"]:
            k = EXPRESSIONS.index(m["expression"])
            values = [shares(share)[k] for share in people.values()]
            assert m["value"] == pytest.approx(mean(values))
            assert m["deviation"] == pytest.approx(stdev(values), abs=1e-12)
            if m["expression"] in ("happy", "neutral"):
                assert (m["low"], m["high"]) == pytest.approx(interval(values))
            else:
                # All alike: less than this share of everybody are not.
                alike = 0.025 ** (1 / len(people))
                assert (m["low"], m["high"]) == pytest.approx((alike * m["value"], alike * m["value"] + 1 - alike))
    assert [(d["first"], d["second"], d["expression"]) for d in found["differences"]] == [
        (*pair, name) for pair in (("calm", "film"), ("calm", "talk"), ("film", "talk")) for name in EXPRESSIONS
    ]
    assert found["notes"] == [
        "calm and film: 3 appear in both and 1 in one of them; all count (GEE).",
        "calm and film: too few participants for any difference to be told from chance, however large it is.",
        "calm and talk: too few participants for any difference to be told from chance, however large it is.",
        "film and talk: too few participants for any difference to be told from chance, however large it is.",
        "calm, film, talk: fewer than 30 participants, so the intervals of expressions below 5% are too narrow.",
    ]
    happy = {(d["first"], d["second"]): d for d in found["differences"] if d["expression"] == "happy"}
    angry = next(d for d in found["differences"] if d["expression"] == "angry")
    # Nobody differs, so there is nothing to test; bounds hold with half of the doubt each.
    four, three = 0.0125 ** (1 / 4), 0.0125 ** (1 / 3)
    most = three * 0.04 + 1 - three - four * 0.04
    least = three * 0.04 - (four * 0.04 + 1 - four)
    assert {name: value for name, value in angry.items() if value is not None} == {
        "first": "calm",
        "second": "film",
        "expression": "angry",
        "value": 0,
        "low": pytest.approx(least),
        "high": pytest.approx(most),
        "test": "",
        "n": [4, 3],
    }

    # Three of four are in both: the variance of a sum in which they count with both of their values.
    value = mean(FILM.values()) - mean(CALM.values())
    parts = {name: -(share - mean(CALM.values())) / sqrt(4 * 3) for name, share in CALM.items()}
    for name, share in FILM.items():
        parts[name] += (share - mean(FILM.values())) / sqrt(3 * 2)
    error = sqrt(sum(part**2 for part in parts.values()))
    crossed = happy["calm", "film"]
    assert (crossed["test"], crossed["n"], crossed["value"]) == ("GEE", [4, 3], pytest.approx(value))
    half = (crossed["high"] - crossed["low"]) / 2
    # Two to three degrees of freedom, as of three pairs and of four people.
    assert stats.t.ppf(0.975, 3) < half / error < stats.t.ppf(0.975, 2)
    assert (crossed["low"] + crossed["high"]) / 2 == pytest.approx(value)
    # Two of the seven expressions differ between people: happy and neutral, which mirror each other.
    assert crossed["p_holm"] == pytest.approx(min(1, 2 * crossed["p"]))

    one, other = list(CALM.values()), list(TALK.values())
    parts = variance(one) / 4, variance(other) / 3
    error, value = sqrt(sum(parts)), mean(other) - mean(one)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 2)
    half = stats.t.ppf(0.975, freedom) * error
    p = 2 * stats.t.sf(value / error, freedom)
    welch = happy["calm", "talk"]
    assert (welch["test"], welch["n"], welch["value"]) == ("Welch t", [4, 3], pytest.approx(value))
    assert (welch["low"], welch["high"]) == pytest.approx((value - half, value + half))
    assert (welch["p"], welch["p_holm"]) == pytest.approx((p, min(1, 2 * p)))
    pooled = sqrt((3 * variance(one) + 2 * variance(other)) / 5)
    assert welch["effect"] == pytest.approx(value / pooled * hedges(5))


def happy(first: dict[str, float], second: dict[str, float]) -> tuple[float | None, ...]:
    (found,) = (d for d in compare([*units("a", first), *units("b", second)]).differences if d.expression == "happy")
    return found.low, found.high, found.effect


def test_of_two_pairs_an_interval_reaches_no_further_than_shares_can_and_there_is_no_effect() -> None:
    low, high, effect = happy({"ada": 0.1, "bob": 0.4}, {"ada": 0.5, "bob": 0.2})
    told = compare([*units("a", {"ada": 0.1, "bob": 0.4}), *units("b", {"ada": 0.5, "bob": 0.2})]).notes
    assert "a and b: two pairs tell no effect size, whose correction needs more." in told
    assert (low, high, effect) == (-1, 1, None)
    low, high, effect = happy({"ada": 0.1, "bob": 0.4}, {"eve": 0.5, "fay": 0.3})
    assert effect == pytest.approx(0.15 / sqrt((0.045 + 0.02) / 2) * hedges(2))


def test_in_somebody_alone_nothing_differs() -> None:
    assert happy({"ada": 0.1}, {"eve": 0.5}) == (None, None, None)
    assert happy({"ada": 0.1, "bob": 0.2}, {"eve": 0.5}) == (None, None, None)
    low, high, effect = happy({"ada": 0.1, "bob": 0.1}, {"eve": 0.5, "fay": 0.5})
    alike = 0.0125**0.5
    assert (low, high) == pytest.approx((alike * 0.4 - (1 - alike), alike * 0.4 + (1 - alike)))
    assert effect is None


def people(count: int, low: float, high: float) -> list[Unit]:
    """So many participants with `low` and `high` of sad in turn."""
    return [Unit("a", f"p{k:02}", shares(0.3, (low, high)[k % 2]), 60) for k in range(count)]


@pytest.mark.parametrize(("count", "said"), [(1, False), (2, True), (29, True), (30, False)])
def test_too_few_for_rare_expressions_are_two_to_twenty_nine(count: int, said: bool) -> None:
    notes = [note for note in compare(people(count, 0.1, 0.1)).notes if "too narrow" in note]
    assert bool(notes) is said


@pytest.mark.parametrize(
    ("values", "said"),
    [((0.0, 0.06, 0.06), False), ((0.0, 0.04, 0.06), True), ((0.0, 0.0, 0.06), False), ((0.04, 0.3, 0.3), True)],
)
def test_rare_is_below_a_twentieth_but_more_than_never(values: tuple[float, ...], said: bool) -> None:
    every = (*values, *[(1 - sum(values)) / 4] * 4)
    notes = compare([Unit("a", name, every, 60) for name in ("ada", "bob")]).notes
    assert bool(notes) is said


@pytest.mark.parametrize(
    ("both", "first", "second", "test", "note"),
    [
        (2, 2, 2, "GEE", "2 appear in both and 4 in one of them; all count (GEE)"),
        (2, 2, 5, "GEE", "2 appear in both and 7 in one of them; all count (GEE)"),
        (1, 0, 3, "", ""),
        (2, 0, 0, "paired t", ""),
        (3, 3, 4, "GEE", "3 appear in both and 7 in one of them; all count (GEE)"),
        (0, 2, 2, "Welch t", ""),
    ],
)
def test_everybody_counts_whoever_appears_in_both(both: int, first: int, second: int, test: str, note: str) -> None:
    random = np.random.default_rng(both)
    names = [f"both{k}" for k in range(both)]
    one = {name: float(random.uniform(0.1, 0.6)) for name in [*names, *(f"one{k}" for k in range(first))]}
    other = {name: float(random.uniform(0.1, 0.6)) for name in [*names, *(f"other{k}" for k in range(second))]}
    found = compare([*units("a", one), *units("b", other)])
    assert {d.test for d in found.differences if d.expression == "happy"} == {test}
    assert [each for each in found.notes if "appear" in each] == ([f"a and b: {note}."] if note else [])


def test_what_was_not_measured_or_has_no_values_is_left_out() -> None:
    found = compare([*units("a", {"ada": 0.2}, 0), Unit("a", "bob", (), 50), *units("b", {"cy": 0.3}, 0.5)], least=0.5)
    assert [(g.name, g.participants, g.measured) for g in found.groups] == [("b", ("cy",), 0.5)]
    assert compare([]).groups == ()
    assert compare([]).measure == "share"


def test_intervals_of_means_by_hand() -> None:
    assert mean_interval(np.array([0.4])) is None
    alike = 0.025 ** (1 / 3)
    assert mean_interval(np.array([0.4, 0.4, 0.4])) == pytest.approx((alike * 0.4, alike * 0.4 + 1 - alike))
    assert mean_interval(np.array([0.4, 0.6])) == pytest.approx(interval([0.4, 0.6]))
    assert mean_interval(np.array([0.0, 0.0, 1.0])) == pytest.approx(interval([0.0, 0.0, 1.0]))
    assert mean_interval(np.array([0.01, 0.02, 0.04, 0.2])) == pytest.approx(interval([0.01, 0.02, 0.04, 0.2]))


def test_corrected_p_values_never_fall_and_stay_below_one() -> None:
    assert holm([0.2, 0.5, 0.9]) == pytest.approx([0.6, 1.0, 1.0])
    assert holm([0.012, 0.01]) == pytest.approx([0.02, 0.02])
    assert holm([0.0]) == [0.0]
    assert holm([0.4, 0.4]) == [0.8, 0.8]
