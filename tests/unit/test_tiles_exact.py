"""The bytes of whole levels, row by row and bin by bin."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import make_rows
from visagram.core.tiles import (
    ABSENT,
    BINS_PER_TILE,
    CELL,
    FINEST,
    MEASURED,
    STEP,
    UNMEASURED,
    UNSURE,
    bin_seconds,
    pyramid,
    tile_bytes,
)
from visagram.core.types import Observations, Reason

FEAR, HAPPY = 2, 3


def test_the_layout_that_pages_rely_on() -> None:
    assert (FINEST, STEP, BINS_PER_TILE, CELL) == (0.1, 4, 256, 8)
    assert (ABSENT, UNMEASURED, MEASURED, UNSURE) == (0, 1, 2, 3)
    assert [bin_seconds(level) for level in range(4)] == pytest.approx([0.1, 0.4, 1.6, 6.4])
    cells = np.arange(2 * 3 * 8, dtype=np.uint8).reshape(2, 3, 8)
    assert list(tile_bytes(cells)) == [
        *(0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 7, 15, 23),
        *(24, 25, 26, 27, 28, 29, 30, 32, 33, 34, 35, 36, 37, 38, 40, 41, 42, 43, 44, 45, 46, 31, 39, 47),
    ]


@pytest.mark.parametrize(
    ("seconds", "tiles"),
    [
        (0.0, (1,)),
        (0.05, (1,)),
        (25.6, (1,)),
        (25.65, (2, 1)),
        (51.25, (3, 1)),
        (102.4, (4, 1)),
        (102.45, (5, 2, 1)),
        (409.6, (16, 4, 1)),
        (409.7, (17, 5, 2, 1)),
    ],
)
def test_levels_are_cut_into_tiles_until_one_holds_all(seconds: float, tiles: tuple[int, ...]) -> None:
    for people in ([1], [1, 4], []):
        found = pyramid(Observations.empty(), people, 7.0, 7.0 + seconds, np.zeros(0, bool))
        assert [level.shape for level in found.levels] == [(len(people), count, 256, 8) for count in tiles]
        assert not any(level.any() for level in found.levels)
        assert {level.dtype for level in found.levels} == {np.dtype(np.uint8)}
        assert (found.start, found.end, found.people) == (7.0, 7.0 + seconds, tuple(people))


def slowly(rows: Observations, doubtful: NDArray[np.bool_], low: float, high: float) -> tuple[NDArray[np.float64], int]:
    """Mean posterior in 255ths, and the state, of what is shown between two times."""
    # A row is over where the next begins.
    over = rows.time + np.maximum(rows.span, 1e-3)
    over[:-1] = np.maximum(np.minimum(over[:-1], rows.time[1:]), rows.time[:-1])
    shared = np.maximum(0.0, np.minimum(over, high) - np.maximum(rows.time, low))
    counts = shared * (rows.reason == 0)
    sums = counts @ np.nan_to_num(rows.posterior)
    measured, unsure, seen = counts.sum(), shared[doubtful].sum(), shared.sum()
    if seen * 10 <= 1e-6:
        return sums * 0, ABSENT
    if measured * 10 <= 1e-6:
        return sums * 0, UNMEASURED
    return sums / measured * 255, UNSURE if 2 * unsure > measured else MEASURED


def any_rows(person: int, seed: int, steps: int, longest: float) -> Observations:
    random = np.random.default_rng(seed)
    span = random.uniform(0.01, longest, steps)
    time = 2 + np.cumsum(span + random.choice([0, 0, 0, 0.25], steps)) - span
    # Some last longer than until the next.
    span = span * random.choice([1, 1, 1, 1.5], steps)
    rows = make_rows(range(steps), 0, reason=random.choice([0, 0, Reason.TURNED], steps))
    posterior = random.dirichlet(np.full(7, 0.4), steps).astype(np.float32)
    posterior[rows.reason > 0] = np.nan
    return rows.with_columns(time=time, span=span, posterior=posterior, person=np.full(steps, person, np.int32))


@pytest.mark.parametrize(("seed", "steps", "longest"), [(0, 150, 0.05), (1, 60, 0.4), (2, 150, 0.8), (3, 30, 9.0)])
def test_every_bin_of_every_level_is_the_mean_over_its_time(seed: int, steps: int, longest: float) -> None:
    parts = [any_rows(3, seed, steps, longest), any_rows(1, seed + 50, steps, longest)]
    rows = Observations.concatenate(parts)
    rows = rows[np.argsort(rows.time, kind="stable")]
    doubtful = (np.random.default_rng(seed).random(len(rows)) < 0.5) & rows.usable
    start, end = 1.5, float((rows.time + rows.span).max()) - 0.03
    found = pyramid(rows, [3, 1], start, end, doubtful)
    for level, lanes in enumerate(found.levels):
        width = 0.1 * 4**level
        for lane, person in zip(lanes, (3, 1), strict=True):
            mine = rows.person == person
            cells = lane.reshape(-1, 8)
            for k in range(len(cells)):
                low = start + k * width
                high = min(low + width, start + 0.1 * np.ceil((end - start) / 0.1 - 1e-6))
                mean, state = slowly(rows[mine], doubtful[mine], low, high)
                assert cells[k, 7] == state, (level, person, k)
                assert np.abs(cells[k, :7] - mean).max() <= 0.5 + 1e-6
            assert not cells[int(np.ceil((end - start) / width)) + 1 :].any()


def cells_of(rows: Observations, end: float, doubtful: list[bool] | None = None) -> NDArray[np.uint8]:
    mine = rows.with_columns(person=np.ones(len(rows), np.int32))
    marks = np.zeros(len(rows), bool) if doubtful is None else np.array(doubtful)
    return pyramid(mine, [1], 0.0, end, marks).levels[0][0, 0]


def test_rows_of_a_still_picture_last_a_thousandth_of_a_second() -> None:
    rows = make_rows([0, 1], 0, expression=[FEAR, HAPPY], span=[0.0, 0.05], rate=20)
    cells = cells_of(rows.with_columns(time=np.array([0.0, 0.001])), 0.3)
    assert cells[:2, 7].tolist() == [MEASURED, ABSENT]
    assert cells[0, FEAR] == round(255 * (0.7 * 0.001 + 0.05 * 0.05) / 0.051)
    assert cells[0, HAPPY] == round(255 * (0.05 * 0.001 + 0.7 * 0.05) / 0.051)
    unknown = cells_of(rows.with_columns(time=np.array([0.0, 0.15]), span=np.array([np.nan, 0.05])), 0.3)
    assert unknown[:3, 7].tolist() == [MEASURED, MEASURED, ABSENT]
    assert unknown[0, FEAR] == round(255 * 0.7)


@pytest.mark.parametrize(
    ("doubtful", "state"),
    [
        ([True, True, False, False], MEASURED),
        ([True, True, True, False], UNSURE),
        ([True, False, False, True], MEASURED),
    ],
)
def test_a_bin_is_unsure_where_more_than_half_of_its_measured_time_is(doubtful: list[bool], state: int) -> None:
    # Four rows of a quarter, the last of which was not measured and counts for nothing: doubt of two in three is more.
    rows = make_rows(range(4), 0, rate=40)
    assert cells_of(rows, 0.1, doubtful)[0, 7] == state
    hidden = make_rows(range(4), 0, rate=40, reason=[0, 0, Reason.TURNED, Reason.TURNED])
    assert cells_of(hidden, 0.1, [True, False, False, False])[0, 7] == MEASURED
    assert cells_of(hidden, 0.1, [True, True, False, False])[0, 7] == UNSURE


def test_bins_written_down() -> None:
    reasons = [0, 0, Reason.BLURRED, 0]
    rows = make_rows(range(4), 0, expression=[HAPPY, FEAR, 0, HAPPY], reason=reasons).with_columns(
        time=np.array([0.05, 0.125, 0.3, 0.65]), span=np.array([0.075, 0.05, 0.1, 0.35])
    )
    cells = cells_of(rows, 1.0)
    assert cells[:10, 7].tolist() == [2, 2, 0, 1, 0, 0, 2, 2, 2, 2]
    high, low = round(255 * 0.7), round(255 * 0.05)
    mixed = [round(255 * (0.7 * a + 0.05 * b)) for a, b in ((1 / 3, 2 / 3), (2 / 3, 1 / 3))]
    happy = [high, mixed[0], 0, 0, 0, 0, high, high, high, high]
    fear = [low, mixed[1], 0, 0, 0, 0, low, low, low, low]
    assert (cells[:10, HAPPY].tolist(), cells[:10, FEAR].tolist()) == (happy, fear)
    assert not cells[10:].any()


@pytest.mark.parametrize(("time", "seen"), [(-0.5, False), (-0.25, True), (0.95, True), (1.0, False), (5.0, False)])
def test_what_lies_before_and_after_is_left_out(time: float, seen: bool) -> None:
    rows = make_rows([0], 0, span=0.5 if time > -0.3 else 0.25).with_columns(time=np.array([time]))
    assert cells_of(rows, 1.0).any() == seen


@pytest.mark.parametrize(("end", "bins"), [(0.0, 1), (0.05, 1), (0.1, 1), (0.15, 2), (0.2, 2)])
def test_what_lies_beyond_the_last_bin_is_absent(end: float, bins: int) -> None:
    cells = cells_of(make_rows([0], 0, span=1.0), end)
    assert cells[:, 7].tolist() == [MEASURED] * bins + [ABSENT] * (256 - bins)
