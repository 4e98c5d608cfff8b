"""Every figure of a person to the digit: intervals by a slow and simple computation of the same definition, and whole
results written down."""

from __future__ import annotations

import dataclasses
from math import ceil, log10, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import make_rows
from visagram.core.statistics import (
    GAP_SECONDS,
    Window,
    analysed_range,
    block_length,
    episodes,
    person_statistics,
    shares_of,
    shares_with_intervals,
    visible_segments,
    wilson,
    window_statistics,
    within,
)
from visagram.core.types import EXPRESSIONS, Observations, Person, Reason

Floats = NDArray[np.float64]
MAX_STEPS, RESAMPLES = 20_000, 500
MANY = np.full(8, 10**6)
"""So many episodes that the interval is the bootstrap's."""
HAPPY, SAD, NEUTRAL = (EXPRESSIONS.index(name) for name in ("happy", "sad", "neutral"))


def slow_block_length(series: Floats) -> int:
    """Politis & White (2004) lag by lag: twice the first lag after which five correlations are insignificant, a
    flat-topped window of that width, and the length that balances bias and variance."""
    n = len(series)
    centred = series - series.mean()
    if n < 8 or not centred.any():
        return 1
    reach = min(n - 1, ceil(sqrt(n)) + 5 + 2 * int(n ** (1 / 3)))
    reach = max(reach, n // 4)
    covariances = [sum(centred[k:] * centred[: n - k]) / n for k in range(reach + 1)]
    small = [abs(c / covariances[0]) < 2 * sqrt(log10(n) / n) for c in covariances]
    ends = [m for m in range(reach - 4) if all(small[m + 1 : m + 6])]
    lag = ends[0] if ends else max(k for k in range(reach + 1) if not small[k])
    window = min(2 * max(lag, 1), reach)
    long_run, slope = covariances[0], 0.0
    for k in range(1, window + 1):
        weight = min(1.0, 2 * (1 - k / window))
        long_run += 2 * weight * covariances[k]
        slope += 2 * weight * k * covariances[k]
    if long_run <= 0 or slope <= 0:
        return 1
    return min(max(ceil((1.5 * (slope / long_run) ** 2 * n) ** (1 / 3)), 1), max(1, n // 3))


def students(freedom: float) -> float:
    """Abramowitz & Stegun 26.7.5 at 97.5 %, whose polynomials are these numbers there."""
    return 1.9599640 + 2.3722712 / freedom + 2.8224986 / freedom**2 + 2.5558497 / freedom**3


def slow_intervals(indicators: Floats, weights: Floats, seed: int) -> list[tuple[float, float, float]]:
    """(value, low, high) of each column, one resample and one block after the other."""
    n, columns = indicators.shape
    random = np.random.default_rng(seed)
    varying = [k for k in range(columns) if len(set(indicators[:, k])) > 1]
    block = max((slow_block_length(indicators[:, k]) for k in varying), default=max(1, round(sqrt(n))))
    block = min(3 * block, max(1, n // 5))
    values = [float(sum(weights * indicators[:, k]) / sum(weights)) for k in range(columns)]
    draws = max(1, round(n / block))
    variances = dict.fromkeys(varying, 0.0)
    if varying:
        starts = random.integers(0, n, (RESAMPLES, draws))
        places = (starts[:, :, None] + np.arange(block)) % n
        for k in varying:
            residuals = weights * (indicators[:, k] - values[k]) / weights.mean()
            means = np.array([residuals[each].mean() for each in places])
            variances[k] = float(np.mean((means - means.mean()) ** 2)) * (n / (n - block) if n > block else 1.0)
    found = []
    for k in varying:
        worth = min(n, values[k] * (1 - values[k]) / max(variances[k], 1e-12))
        low, high = wilson(values[k], max(worth, 1.0), students(max(n / block - 1, 2.0)))
        found.append((values[k], min(low, values[k]), max(high, values[k])))
    return found


def states(steps: int, dwell: float, kinds: int, seed: int) -> NDArray[np.intp]:
    """(n,) one of so many states in each step, each for about `dwell` steps."""
    random = np.random.default_rng(seed)
    changes = np.cumsum(random.random(steps) < 1 / dwell)
    return random.integers(0, kinds, steps + 1)[changes]


SERIES = [
    *((steps, dwell, 2 + steps % 4, steps) for steps in (1, 2, 3, 5, 7, 8, 9, 10, 14, 15, 16, 20) for dwell in (1, 4)),
    *((steps, dwell, 2 + steps % 5, steps) for steps in (30, 61, 88, 97, 120) for dwell in (1.2, 3, 9, 30)),
    (250, 1, 3, 1),
    (250, 12, 7, 2),
    (400, 60, 4, 3),
]


@pytest.mark.parametrize(("steps", "dwell", "kinds", "seed"), SERIES)
def test_the_intervals_are_those_of_one_block_after_the_other(steps: int, dwell: float, kinds: int, seed: int) -> None:
    indicators = np.eye(kinds + 1)[states(steps, dwell, kinds, seed)]
    weights = np.random.default_rng(seed + 1).uniform(0.5, 2, steps)
    shares = shares_with_intervals(indicators, weights, MANY[: kinds + 1], seed)
    found = [(share.value, share.low, share.high) for share in shares if share.low is not None]
    wanted = slow_intervals(indicators, weights, seed)
    np.testing.assert_allclose(np.reshape(found, (-1, 3)), np.reshape(wanted, (-1, 3)), rtol=2e-7, atol=1e-12)


LENGTHS = [
    *(states(steps, dwell, 2, 7 * steps + k) for steps in range(6, 40) for k, dwell in enumerate((1, 2, 5, 12))),
    *(states(steps, dwell, 2, steps + k) for steps in (60, 90, 100, 150, 240) for k, dwell in enumerate((3, 10, 40))),
    *(np.arange(steps) // run % 2 for steps in (8, 25, 77, 160) for run in (1, 2, 3, 7, 20)),
    *(np.arange(steps) for steps in (7, 8, 9, 30, 200)),
    *(np.arange(steps) % 12 == 0 for steps in (40, 130)),
    *(np.sin(np.arange(steps) / 4) for steps in (30, 90, 200)),
    # Four correlations in a row are insignificant, which is one too few.
    *(np.array(list(map(int, bits))) for bits in ("0110001100011", "0100101111100000111111000")),
]


def test_block_lengths_are_those_of_the_paper() -> None:
    found = [block_length(np.asarray(series, np.float64)) for series in LENGTHS]
    assert found == [slow_block_length(np.asarray(series, np.float64)) for series in LENGTHS]
    assert {1, 2, 3, 5, 8} <= set(found)


@pytest.mark.parametrize(
    ("value", "count", "quantile", "expected"),
    [
        (0.5, 4.0, 2.0, (0.5 - sqrt(1 / 8), 0.5 + sqrt(1 / 8))),
        (0.25, 1.0, 1.0, (0.375 - sqrt(0.4375) / 2, 0.375 + sqrt(0.4375) / 2)),
        (0.0, 3.0, 1.0, (0.0, 0.25)),
        (1.0, 3.0, 1.0, (0.75, 1.0)),
    ],
)
def test_wilsons_interval_as_worked_out_by_hand(
    value: float, count: float, quantile: float, expected: tuple[float, float]
) -> None:
    assert wilson(value, count, quantile) == pytest.approx(expected, abs=1e-12)


def test_rows_that_last_no_time_count_alike() -> None:
    """A still picture's row has no span, and a window may hold nothing else."""
    found = shares_of(np.array([0, 0, 1, 0], np.int8), np.zeros(4), 0)
    assert [share.value for share in found] == [0.75, 0.25, 0, 0, 0, 0, 0]
    assert all(share.low is share.high is None for share in found)


@pytest.mark.parametrize("more", [0, 1, 10_000])
def test_a_series_of_more_than_so_many_steps_is_averaged_into_them(more: int) -> None:
    steps = MAX_STEPS + more
    series = states(steps, 40, 3, more)
    weights = np.random.default_rng(9).uniform(1, 2, steps)
    # The step that each row falls into, by counting.
    step = np.searchsorted([k * steps // MAX_STEPS for k in range(1, MAX_STEPS + 1)], np.arange(steps), "right")
    total = np.bincount(step, weights)
    rows = [np.bincount(step, weights * (series == k)) / total for k in range(3)]
    assert len(total) == MAX_STEPS
    seen = episodes(series.astype(np.int8), weights)
    averaged = shares_with_intervals(np.stack(rows, axis=1), total, seen[:3], 4)
    whole = shares_of(series.astype(np.int8), weights, 4)
    for ours, theirs in zip(whole, averaged, strict=False):
        assert dataclasses.astuple(ours)[:4] == pytest.approx(dataclasses.astuple(theirs)[:4], rel=1e-9)
    assert len(whole) == 7


def somebody() -> Observations:
    """Ten rows from 2 s on, of 0.25 to 1 s, with a gap of a second before the last two."""
    reasons = [0, 0, 0, Reason.BLURRED, 0, Reason.TURNED, Reason.TURNED, 0, 0, Reason.LYING]
    rows = make_rows(range(10), 4, expression=[HAPPY, HAPPY, SAD, 0, SAD, 0, 0, NEUTRAL, HAPPY, 0], reason=reasons)
    posterior = rows.posterior.copy()
    posterior[2] = [0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1]
    return rows.with_columns(
        time=np.array([2, 2.25, 2.5, 3, 4, 5, 5.25, 5.5, 7.0, 7.5]),
        span=np.array([0.25, 0.25, 0.5, 1, 1, 0.25, 0.25, 0.5, 0.5, 0.25]),
        posterior=posterior,
        track=np.array([4, 4, 4, 4, 4, 4, 4, 4, 9, 9], np.int32),
    )


UNMEASURED = {"too_small": 0.0, "blurred": 1.0, "turned": 0.5, "cut_off": 0.0, "lying": 0.25}


def plain(person: Person) -> Person:
    """Without what other tests are about."""
    return dataclasses.replace(person, shares=(), mean_posterior=())


def test_everything_that_is_said_of_a_person() -> None:
    rows = somebody()
    found = person_statistics(3, rows, 12.0, 0.75, b"picture", seed=1, unsure_below=0.5)
    assert plain(found) == Person(
        id=3,
        name="Person 3",
        tracks=(4, 9),
        first_seen=2.0,
        last_seen=7.75,
        screen_time=4.75,
        frames_seen=10,
        frames_usable=6,
        emotion_counts=(0, 0, 0, 3, 2, 0, 1),
        certain_counts=(0, 0, 0, 3, 1, 0, 1),
        shares=(),
        mean_posterior=(),
        measured=3.0,
        unsure=0.5,
        unmeasured={**UNMEASURED, "not_decoded": 0.75, "not_visible": 6.5},
        segments=((2.0, 6.0), (7.0, 7.75)),
        thumbnail=b"picture",
    )
    voted = rows[rows.usable]
    shares = shares_of(voted.emotion, voted.span, 1)
    assert [dataclasses.astuple(share)[:4] for share in found.shares] == [dataclasses.astuple(s)[:4] for s in shares]
    # Of 4.75 s in the picture 1.75 s were not measured.
    assert [share.least for share in found.shares] == pytest.approx([share.value * 3 / 4.75 for share in shares])
    assert [share.most for share in found.shares] == pytest.approx(
        [(share.value * 3 + 1.75) / 4.75 for share in shares]
    )
    assert [share.value for share in found.shares] == pytest.approx([0, 0, 0, 1 / 3, 0.5, 0, 1 / 6])
    # Of 3 s: half a second with 0.4 and 0.1, the rest with 0.7 and 0.05.
    other = 0.5 * 0.1 + 2.5 * 0.05
    happy = 0.5 * 0.1 + 1.0 * 0.7 + 1.5 * 0.05
    sad = 0.5 * 0.4 + 1.0 * 0.7 + 1.5 * 0.05
    neutral = 0.5 * 0.1 + 0.5 * 0.7 + 2.0 * 0.05
    assert found.mean_posterior == pytest.approx(
        [each / 3 for each in (other, other, other, happy, sad, other, neutral)]
    )


def test_nothing_is_said_of_somebody_who_was_not_there() -> None:
    found = person_statistics(2, Observations.empty(), 4.0, 0.5, b"", seed=0, unsure_below=0.5)
    assert np.isnan([found.first_seen, found.last_seen]).all()
    assert dataclasses.replace(found, first_seen=0, last_seen=0) == Person(
        *(2, "Person 2", (), 0, 0, 0.0, 0, 0, (0,) * 7, (0,) * 7, (), (), 0.0, 0.0),
        unmeasured={**dict.fromkeys(UNMEASURED, 0.0), "not_decoded": 0.5, "not_visible": 3.5},
        segments=(),
        thumbnail=b"",
    )


def test_time_out_of_sight_is_never_below_nothing() -> None:
    found = person_statistics(1, somebody(), 2.0, 0.0, b"", seed=0, unsure_below=0.5)
    assert (found.unmeasured["not_visible"], found.measured) == (0.0, 3.0)


def test_each_window_has_the_statistics_of_what_lies_inside_it_and_the_analysed_time() -> None:
    windows = [Window("early", 0.0, 2.5), Window("across", 2.75, 5.125), Window("late", 7.25, 99.0), Window("no", 8, 7)]
    found = window_statistics(1, somebody(), windows, (1.0, 10.0), seed=2, unsure_below=0.5)
    assert [plain(person) for person in found[:3]] == [
        Person(
            *(1, "Person 1", (4,), 2.0, 2.5, 0.5, 2, 2, (0, 0, 0, 2, 0, 0, 0), (0, 0, 0, 2, 0, 0, 0), (), (), 0.5, 0.0),
            unmeasured={**dict.fromkeys(UNMEASURED, 0.0), "not_decoded": 0.0, "not_visible": 1.0},
            segments=((2.0, 2.5),),
        ),
        Person(
            *(1, "Person 1", (4,), 2.75, 5.125, 2.375, 3, 1, (0, 0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 1, 0, 0), (), ()),
            *(1.25, 0.25),
            unmeasured={**dict.fromkeys(UNMEASURED, 0.0), "blurred": 1.0, "turned": 0.125}
            | {"not_decoded": 0.0, "not_visible": 0.0},
            segments=((2.75, 5.125),),
        ),
        Person(
            *(1, "Person 1", (9,), 7.25, 7.75, 0.5, 1, 0, (0,) * 7, (0,) * 7, (), (), 0.25),
            0.0,
            unmeasured={**dict.fromkeys(UNMEASURED, 0.0), "lying": 0.25, "not_decoded": 0.0, "not_visible": 2.25},
            segments=((7.25, 7.75),),
        ),
    ]
    assert [share.value for share in found[0].shares] == [0, 0, 0, 1, 0, 0, 0]
    (nowhere,) = found[3:]
    assert (nowhere.frames_seen, nowhere.measured, sum(nowhere.unmeasured.values())) == (0, 0.0, 0.0)


def test_a_window_ends_before_the_row_that_begins_where_it_ends() -> None:
    rows = make_rows(range(4), 0, rate=1, span=1.0)
    assert (within(rows, 1.0, 3.0)[0].time.tolist(), within(rows, 1.0, 3.0)[0].span.tolist()) == (
        [1.0, 2.0],
        [1.0, 1.0],
    )
    points = make_rows(range(4), 0, rate=1, span=0.0)
    assert (within(points, 1.0, 3.0)[0].time.tolist(), within(points, 1.0, 3.0)[0].span.tolist()) == (
        [1.0, 2.0],
        [0.0, 0.0],
    )
    mixed = make_rows(range(4), 0, rate=1, span=[1.0, 0.0, 0.5, 1.0])
    assert within(mixed, 0.5, 2.25)[0].time.tolist() == [0.5, 1.0, 2.0]
    assert within(mixed, 0.5, 2.25)[0].span.tolist() == [0.5, 0.0, 0.25]
    assert within(mixed, 0.5, 2.25)[0].frame.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("start", "duration", "expected"), [(None, 4.0, (0.0, 4.0)), (0.0, 2.0, (0.0, 2.0)), (1.5, 2.0, (1.5, 3.5))]
)
def test_the_analysed_range_begins_at_the_setting(
    start: float | None, duration: float, expected: tuple[float, float]
) -> None:
    assert analysed_range(start, duration) == expected


def test_a_gap_of_exactly_half_a_second_is_none() -> None:
    rows = make_rows(range(3), 0, span=1.0).with_columns(time=np.array([0.0, 1.0 + GAP_SECONDS, 3.0625]))
    assert GAP_SECONDS == 0.5
    assert visible_segments(rows) == ((0.0, 2.5), (3.0625, 4.0625))
    assert visible_segments(Observations.empty()) == ()
