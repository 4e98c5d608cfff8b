"""The zoom pyramid: each level agrees with averaging the rows directly, and a tile's bytes are where a page looks."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fakes import make_rows
from visagram.core.certainty import UNSURE_BELOW, unsure
from visagram.core.tiles import (
    ABSENT,
    BINS_PER_TILE,
    MEASURED,
    UNMEASURED,
    UNSURE,
    Pyramid,
    bin_seconds,
    pyramid,
)
from visagram.core.types import EXPRESSIONS, Observations, Reason

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")


def person_rows(person: int, time: NDArray[np.float64], span: NDArray[np.float64], seed: int) -> Observations:
    random = np.random.default_rng(seed)
    posterior = random.dirichlet(np.full(7, 0.4), len(time)).astype(np.float32)
    reason = (random.random(len(time)) < 0.3).astype(np.uint8) * Reason.TURNED
    posterior[reason > 0] = np.nan
    rows = make_rows(range(len(time)), person)
    return rows.with_columns(
        time=time, span=span, person=np.full(len(time), person, np.int32), posterior=posterior, reason=reason
    )


def drawn(rows: Observations, people: Sequence[int], start: float, end: float, below: float = UNSURE_BELOW) -> Pyramid:
    return pyramid(rows, people, start, end, unsure(rows, below))


def directly(rows: Observations, low: float, high: float) -> tuple[NDArray[np.float64], set[int]]:
    """Mean posterior between two times by adding up overlaps one by one, and the states that rounding allows."""
    overlap = np.clip(np.minimum(rows.time + rows.span, high) - np.maximum(rows.time, low), 0, None)
    seen, usable = overlap.sum(), rows.usable
    weight = overlap[usable].sum()
    if weight <= 2e-6:
        return np.zeros(7), {ABSENT} if seen == 0 else {UNMEASURED} if seen > 2e-6 and weight == 0 else {0, 1, 2, 3}
    mean = (rows.posterior[usable].astype(np.float64) * overlap[usable, None]).sum(axis=0) / weight
    doubtful = overlap[usable][rows.posterior[usable].max(axis=1) < 0.5].sum() / weight
    return mean, {MEASURED, UNSURE} if abs(doubtful - 0.5) < 1e-6 else {UNSURE if doubtful > 0.5 else MEASURED}


@st.composite
def tables(draw: st.DrawFn) -> tuple[Observations, float, float]:
    start = draw(st.sampled_from([0.0, 3.7, 100.0]))
    parts = []
    for person in (1, 2):
        steps = draw(st.lists(st.sampled_from([0.001, 1 / 60, 0.04, 0.1, 0.33, 2.5, 40.0]), min_size=1, max_size=60))
        edges = start + draw(st.sampled_from([0.0, 0.05, 7.0])) + np.concatenate([[0], np.cumsum(steps)])
        kept = np.random.default_rng(len(steps)).random(len(steps)) < 0.8
        time, span = edges[:-1][kept], np.diff(edges)[kept]
        parts.append(person_rows(person, time, span, draw(st.integers(0, 1000))))
    rows = Observations.concatenate(parts)
    rows = rows[np.argsort(rows.time, kind="stable")]
    return rows, start, float((rows.time + rows.span).max(initial=start)) + draw(st.sampled_from([0.0, 0.03, 30.0]))


@settings(max_examples=40, deadline=None)
@given(tables())
def test_each_level_agrees_with_direct_averages(table: tuple[Observations, float, float]) -> None:
    rows, start, end = table
    built = drawn(rows, [1, 2], start, end)
    for level, lanes in enumerate(built.levels):
        width = bin_seconds(level)
        for lane, person in zip(lanes, (1, 2), strict=True):
            cells, mine = lane.reshape(-1, 8), rows[rows.person == person]
            for k in np.random.default_rng(level).choice(len(cells), min(25, len(cells)), replace=False):
                mean, states = directly(mine, start + k * width, start + (k + 1) * width)
                assert cells[k, 7] in states
                if cells[k, 7] in (MEASURED, UNSURE):
                    np.testing.assert_allclose(cells[k, :7], mean * 255, atol=0.51 + 0.01)
                else:
                    assert not cells[k, :7].any()


def test_levels_go_up_to_a_single_tile() -> None:
    rows = person_rows(1, np.arange(0, 7200, 0.5), np.full(14_400, 0.5), 0)
    built = drawn(rows, [1], 0.0, 7200.0)
    assert [level.shape for level in built.levels] == [(1, n, BINS_PER_TILE, 8) for n in (282, 71, 18, 5, 2, 1)]
    assert [round(bin_seconds(level), 3) for level in range(4)] == [0.1, 0.4, 1.6, 6.4]
    assert len(drawn(rows, [1], 0.0, 25.6).levels) == 1
    assert len(drawn(rows, [1], 0.0, 25.7).levels) == 2


def test_states_tell_absent_unmeasured_measured_and_unsure() -> None:
    reasons = [Reason.NONE] * 10 + [Reason.BLURRED] * 10
    rows = make_rows(range(20), 0, expression=HAPPY, reason=reasons, rate=10).with_columns(person=np.ones(20, np.int32))
    doubtful = rows.posterior.copy()
    doubtful[5:10] = 1 / 7
    states = drawn(rows.with_columns(posterior=doubtful), [1, 2], 0.0, 3.0).levels[0][:, 0, :30, 7]
    assert states[0].tolist() == [MEASURED] * 5 + [UNSURE] * 5 + [UNMEASURED] * 10 + [ABSENT] * 10
    assert not states[1].any()
    lenient = drawn(rows.with_columns(posterior=doubtful), [1], 0.0, 3.0, below=0.1).levels[0][:, 0, :30, 7]
    assert lenient[0].tolist() == [MEASURED] * 10 + [UNMEASURED] * 10 + [ABSENT] * 10


def test_a_bin_of_two_sure_expressions_is_not_unsure() -> None:
    rows = make_rows(range(40), 0, expression=[HAPPY] * 20 + [SAD] * 20, rate=10).with_columns(
        person=np.ones(40, np.int32)
    )
    cells = drawn(rows, [1], 0.0, 40.0).levels[1][0, 0]
    assert (cells[:10, 7] == MEASURED).all()
    built = drawn(rows, [1], 0.0, 1700.0)
    assert built.levels[-1][0, 0, 0, 7] == MEASURED
    assert built.levels[-1][0, 0, 0, [HAPPY, SAD]].tolist() == [96, 96]


def test_a_tile_is_each_persons_posteriors_and_then_states() -> None:
    rows = make_rows(range(300), 0, expression=HAPPY, rate=10).with_columns(person=np.full(300, 2, np.int32))
    built = drawn(rows, [1, 2], 0.0, 30.0)
    body = np.frombuffer(built.tile(0, 1), np.uint8)
    assert len(body) == 2 * BINS_PER_TILE * 8
    assert not body[: BINS_PER_TILE * 8].any()
    second = body[BINS_PER_TILE * 8 :]
    assert second[: BINS_PER_TILE * 7].reshape(BINS_PER_TILE, 7)[:44, HAPPY].tolist() == [178] * 44
    assert second[BINS_PER_TILE * 7 :].tolist() == [MEASURED] * 44 + [ABSENT] * 212


def test_a_still_picture_fills_its_first_bin() -> None:
    rows = make_rows([0], 0, expression=HAPPY, span=0.0).with_columns(person=np.ones(1, np.int32))
    cells = drawn(rows, [1], 0.0, 1.0).levels[0][0, 0]
    assert cells[:, 7].tolist() == [MEASURED] + [ABSENT] * 255
    assert cells[0, HAPPY] == 178


def test_nobody_has_tiles_without_lanes() -> None:
    built = drawn(Observations.empty(), [], 0.0, 100.0)
    assert [level.shape for level in built.levels] == [(0, 4, 256, 8), (0, 1, 256, 8)]
    assert built.tile(0, 3) == b""


def test_rows_outside_the_range_are_left_out() -> None:
    rows = make_rows(range(100), 0, rate=10).with_columns(person=np.ones(100, np.int32))
    cells = drawn(rows, [1], 2.0, 3.0).levels[0][0, 0]
    assert cells[:, 7].tolist() == [MEASURED] * 10 + [ABSENT] * 246


def test_long_tables_are_added_up_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = person_rows(1, np.arange(500) * 0.037, np.full(500, 0.037), 3)
    whole = drawn(rows, [1], 0.0, 18.5)
    monkeypatch.setattr("visagram.core.tiles.ROWS_AT_ONCE", 7)
    parts = drawn(rows, [1], 0.0, 18.5)
    for one, other in zip(whole.levels, parts.levels, strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
        assert (one[..., 7] == other[..., 7]).all()


@pytest.mark.slow
def test_two_hours_of_five_people_take_less_than_a_second_and_a_half() -> None:
    parts = [person_rows(p, np.arange(180_000) / 25, np.full(180_000, 0.04), p) for p in range(1, 6)]
    rows = Observations.concatenate(parts)
    rows = rows[np.argsort(rows.time, kind="stable")]
    began = time.process_time()
    built: Pyramid = drawn(rows, range(1, 6), 0.0, 7200.0)
    assert time.process_time() - began < 1.5
    assert sum(level.nbytes for level in built.levels) < 5_000_000
