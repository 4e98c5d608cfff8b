"""Moments by a slow and simple search, and each limit from both sides."""

from __future__ import annotations

import numpy as np
import pytest

from fakes import make_rows
from visagram.core.moments import Moment, moments
from visagram.core.types import EXPRESSIONS, Observations, Reason

HAPPY, SAD, NEUTRAL = (EXPRESSIONS.index(name) for name in ("happy", "sad", "neutral"))


def slowly(rows: Observations, person: int, most: int) -> list[Moment]:
    """The docstrings, one row after the other."""
    kept = [k for k in range(len(rows)) if rows.person[k] == person and not rows.reason[k] and rows.quality[k] >= 0.08]
    time, span = rows.time[kept].tolist(), rows.span[kept].tolist()
    smooth = []
    for at in time:
        near = [j for j, other in enumerate(time) if abs(other - at) <= 0.2 + 1e-9]
        weights = [max(span[j], 1e-6) for j in near]
        parts = [rows.posterior[kept[j]].astype(np.float64) * w for j, w in zip(near, weights, strict=True)]
        smooth.append(sum(parts) / sum(weights))
    best = [int(np.argmax(row)) for row in smooth]
    strength = [float(row.max()) for row in smooth]
    stretches: list[list[int]] = []
    for k in range(len(kept)):
        if k and best[k] == best[k - 1] and time[k] - (time[k - 1] + span[k - 1]) <= 0.5:
            stretches[-1].append(k)
        else:
            stretches.append([k])
    lasting = [s for s in stretches if time[s[-1]] + span[s[-1]] - time[s[0]] >= 0.2] or stretches
    peaks: dict[int, list[tuple[float, float, list[int]]]] = {}
    for stretch in lasting:
        slots: dict[int, list[int]] = {}
        for place, k in enumerate(stretch):
            rises = place == 0 or strength[k] > strength[k - 1]
            falls = place == len(stretch) - 1 or strength[k + 1] <= strength[k]
            if rises and falls:
                slots.setdefault(int((time[k] - time[0]) // 3.0), []).append(k)
        for tops in slots.values():
            top = max(tops, key=lambda k: strength[k])
            peaks.setdefault(best[top], []).append((-strength[top], time[top], stretch))
    found = []
    for emotion, tops in peaks.items():
        taken: list[float] = []
        for strong, at, stretch in sorted(tops):
            if len(taken) < most and all(abs(at - other) >= 3.0 for other in taken):
                taken.append(at)
                end = time[stretch[-1]] + span[stretch[-1]]
                found.append(Moment(person, EXPRESSIONS[emotion], at, time[stretch[0]], end, round(-strong, 6)))
    return found


def ordered(found: list[Moment]) -> list[Moment]:
    return sorted(found, key=lambda m: (m.emotion == "neutral", -m.probability, m.time, m.person, m.emotion))


def any_rows(seed: int, rate: float, count: int = 150) -> Observations:
    """Two people's rows of all kinds: held, hidden, poor, away for a while, and flickering."""
    random = np.random.default_rng(seed)
    parts = []
    for person in (1, 2):
        posterior = random.dirichlet(np.full(7, 0.5), count)[np.sort(random.integers(0, count, count))]
        posterior = 0.9 * posterior + 0.1 * random.dirichlet(np.ones(7), count)
        span = random.choice([1 / rate, 1 / rate, 0.5 / rate, 0.0], count)
        time = np.cumsum(span + random.choice([0, 0, 0, 0.3, 0.7], count, p=[0.3, 0.3, 0.3, 0.05, 0.05])) - span
        rows = make_rows(range(count), 0, reason=random.choice([0, 0, 0, Reason.TURNED], count))
        posterior[rows.reason > 0] = np.nan
        parts.append(
            rows.with_columns(
                time=np.round(time * 1024) / 1024,
                span=span,
                person=np.full(count, person, np.int32),
                posterior=posterior.astype(np.float32),
                quality=random.choice([0.05, 0.09, 0.5], count, p=[0.1, 0.1, 0.8]).astype(np.float32),
            )
        )
    rows = Observations.concatenate(parts)
    return rows[np.argsort(rows.time, kind="stable")]


@pytest.mark.parametrize("rate", [0.5, 4.0, 25.0])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [1, 3, 20])
def test_moments_are_those_of_a_slow_search(seed: int, rate: float, most: int) -> None:
    rows = any_rows(seed, rate)
    found = moments(rows, [1, 2], most)
    expected = ordered(slowly(rows, 1, most) + slowly(rows, 2, most))
    assert [(m.person, m.emotion, m.time) for m in found] == [(m.person, m.emotion, m.time) for m in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.start, ours.end) == pytest.approx((theirs.start, theirs.end), abs=1e-9)
        assert ours.probability == pytest.approx(theirs.probability, abs=2e-6)


def quarters(strength: list[float], labels: list[int] | int = HAPPY) -> Observations:
    """A row every quarter of a second, so that each is smoothed with nobody else; its best expression so strong."""
    rows = make_rows(range(len(strength)), 0, rate=4)
    posterior = np.repeat((1 - np.array(strength))[:, None] / 6, 7, axis=1)
    posterior[np.arange(len(strength)), labels] = strength
    return rows.with_columns(posterior=posterior.astype(np.float32), person=np.ones(len(strength), np.int32))


def times(rows: Observations, most: int = 20) -> list[tuple[str, float]]:
    return [(m.emotion, m.time) for m in moments(rows, [1], most)]


@pytest.mark.parametrize(("second", "found"), [(11, [0.0]), (12, [0.0, 3.0]), (13, [0.0, 3.25])])
def test_two_moments_are_three_seconds_apart_or_more(second: int, found: list[float]) -> None:
    strength = [0.5] * 20
    strength[0], strength[second] = 0.9, 0.8
    assert [time for _, time in times(quarters(strength)) if time <= 3.25] == found


@pytest.mark.parametrize(("first", "found"), [(11, [6.5, 2.75]), (12, [6.5])])
def test_of_three_seconds_counted_from_the_first_row_only_the_strongest_peak_is_looked_at(
    first: int, found: list[float]
) -> None:
    # From 3 seconds on 5.5 is the strongest, which lies too near to 6.5.
    strength = [0.5] * 28
    strength[first], strength[22], strength[26] = 0.7, 0.8, 0.9
    assert [time for _, time in times(quarters(strength)) if time > 1] == found


def test_of_a_plateau_the_first_instant_is_the_moment() -> None:
    assert times(quarters([0.5, 0.75, 0.75, 0.75, 0.625])) == [("happy", 0.25)]
    assert times(quarters([0.75, 0.75, 0.5])) == [("happy", 0.0)]
    assert times(quarters([0.5, 0.625, 0.75])) == [("happy", 0.5)]


def test_where_the_best_expression_changes_there_are_peaks_on_both_sides() -> None:
    labels = [HAPPY] * 4 + [SAD] * 4 + [NEUTRAL] * 4
    found = moments(quarters([0.5, 0.6, 0.7, 0.8, 0.9, 0.8, 0.7, 0.6, 0.95, 0.5, 0.5, 0.5], labels), [1])
    assert [(m.emotion, m.time, m.start, m.end) for m in found] == [
        ("sad", 1.0, 1.0, 2.0),
        ("happy", 0.75, 0.0, 1.0),
        ("neutral", 2.0, 2.0, 3.0),
    ]
    assert [m.probability for m in found] == [0.9, 0.8, 0.95]


@pytest.mark.parametrize(("pause", "stretches"), [(0.5, [(0.0, 1.5)]), (0.53125, [(0.0, 0.5), (1.03125, 1.53125)])])
def test_a_pause_of_more_than_half_a_second_ends_a_stretch(pause: float, stretches: list[tuple[float, float]]) -> None:
    rows = quarters([0.75, 0.5, 0.5, 0.5])
    rows = rows.with_columns(time=rows.time + np.where(np.arange(4) < 2, 0, pause))
    assert sorted({(m.start, m.end) for m in moments(rows, [1])}) == stretches[:1]
    far = rows.with_columns(time=rows.time + np.where(np.arange(4) < 2, 0, 8))
    assert [(m.start, m.end) for m in moments(far, [1])] == [(0.0, 0.5), (8.5 + pause, 9.0 + pause)]


@pytest.mark.parametrize(("span", "found"), [(0.21875, ["sad", "happy"]), (0.1875, ["happy"])])
def test_what_lasts_a_fifth_of_a_second_can_be_seen(span: float, found: list[str]) -> None:
    rows = quarters([0.5, 0.5, 0.9, 0.5, 0.5], [HAPPY, HAPPY, SAD, HAPPY, HAPPY])
    rows = rows.with_columns(span=np.where(np.arange(5) == 2, span, rows.span))
    assert [m.emotion for m in moments(rows, [1])] == found


@pytest.mark.parametrize(("quality", "found"), [(0.09, "sad"), (0.07, "happy")])
def test_a_moment_has_a_quality_of_0_08(quality: float, found: str) -> None:
    rows = quarters([0.5, 0.9, 0.5], [HAPPY, SAD, HAPPY])
    assert times(rows.with_columns(quality=np.float32([0.5, quality, 0.5])))[0][0] == found


@pytest.mark.parametrize(("apart", "expected"), [(0.1875, (0.0, 0.766667)), (0.21875, (0.21875, 0.9))])
def test_neighbours_within_a_fifth_of_a_second_count_by_how_long_they_last(
    apart: float, expected: tuple[float, float]
) -> None:
    # The middle one lasts twice as long as each other, so with it the first comes to (0.5 + 2 * 0.9) / 3, and the
    # middle one with both to 0.7.
    rows = quarters([0.5, 0.9, 0.5]).with_columns(
        time=np.array([0, apart, 2 * apart]), span=np.array([1 / 32, 1 / 16, 1 / 32])
    )
    (found,) = moments(rows, [1])
    assert (found.time, found.probability) == expected


def test_by_default_there_are_twenty_of_an_expression_at_most() -> None:
    rows = quarters([0.9 if k % 16 == 8 else 0.5 for k in range(16 * 25)])
    assert len(moments(rows, [1])) == 20
    assert len(moments(rows, [1], 30)) == 25
