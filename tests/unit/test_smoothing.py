"""The filter behind a smoothed timeline: a weighted mean in time, within what belongs together."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fakes import make_rows
from visagram.core import smoothing
from visagram.core.smoothing import LONGEST, REACH, WIDTH, smoothed
from visagram.core.statistics import GAP_SECONDS
from visagram.core.types import COLUMNS, EXPRESSIONS, Observations, Reason

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")
TOLERANCE = 2e-6


def table(
    spans: NDArray[np.float64], pauses: NDArray[np.float64], hidden: NDArray[np.bool_], seed: int = 0
) -> Observations:
    """One person's rows, each after a pause, with any posteriors."""
    starts = np.cumsum(pauses) + np.cumsum(spans) - spans
    posterior = np.random.default_rng(seed).dirichlet(np.full(7, 0.3), len(spans)).astype(np.float32)
    posterior[hidden] = np.nan
    rows = make_rows(range(len(spans)), 0, reason=np.where(hidden, Reason.TURNED, Reason.NONE).tolist())
    return rows.with_columns(
        time=starts, span=spans, person=np.ones(len(spans), np.int32), posterior=posterior.astype(np.float32)
    )


@st.composite
def tables(draw: st.DrawFn) -> Observations:
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from([0.0, 1 / 60, 0.04, 0.1, 1.3]),
                st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.2, 0.49, 0.7, 30.0]),
                st.sampled_from([False, False, False, True]),
            ),
            min_size=1,
            max_size=80,
        )
    )
    spans, pauses, hidden = (np.array(column) for column in zip(*steps, strict=True))
    # No sum of these is as long as a gap must be, so that rounding does not decide what is one.
    return table(spans * 1.0101525, pauses * 1.0101525, hidden, draw(st.integers(0, 99)))


seconds = st.one_of(st.sampled_from([0.05, 0.5, 2.0, LONGEST]), st.floats(0.001, LONGEST))


def directly(rows: Observations, width: float) -> NDArray[np.float64]:
    """The sum over all pairs, as the docstring has it."""
    middle = rows.time + rows.span / 2
    apart = (middle[:, None] - middle) / (width / WIDTH)
    weight = np.exp(-(apart**2) / 2) * (np.abs(apart) <= REACH) * rows.span
    return weight @ rows.posterior / weight.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("width", [0.05, 0.2, 0.5, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("rate", [10, 25, 60])
def test_it_is_the_weighted_mean_over_time(rate: int, width: float) -> None:
    rows = table(np.full(900, 1 / rate), np.zeros(900), np.zeros(900, bool))
    steps = np.eye(7, dtype=np.float32)[np.random.default_rng(1).integers(0, 7, 45).repeat(20)]
    for each in (rows, rows.with_columns(posterior=steps)):
        np.testing.assert_allclose(smoothed(each, width).posterior, directly(each, width), atol=0.006)


def test_frames_that_are_shown_longer_weigh_more() -> None:
    spans = np.random.default_rng(0).choice([1 / 60, 1 / 30, 0.1, 0.4], 600)
    rows = table(spans, np.zeros(600), np.zeros(600, bool))
    for width in (0.05, 0.5, 2.0, 10.0):
        np.testing.assert_allclose(smoothed(rows, width).posterior, directly(rows, width), atol=0.015)


def test_the_width_is_that_at_half_of_the_height() -> None:
    """One happy frame among sad ones, smoothed over a second, is half as high half a second away."""
    rows = make_rows(range(201), 0, expression=[SAD] * 100 + [HAPPY] + [SAD] * 100)
    bump = smoothed(rows, 1.0).posterior[:, HAPPY] - 0.05
    assert bump.argmax() == 100
    assert bump[100 + 12] > bump[100] / 2 > bump[100 + 13]


@given(tables())
def test_over_no_time_nothing_changes(rows: Observations) -> None:
    assert smoothed(rows, 0.0) is rows


@settings(deadline=None)
@given(tables(), seconds)
def test_each_posterior_stays_one_and_between_what_was_measured(rows: Observations, width: float) -> None:
    found = smoothed(rows, width)
    for name in COLUMNS:
        if name != "posterior":
            assert getattr(found, name) is getattr(rows, name)
    assert found.posterior.dtype == np.float32
    assert np.isnan(found.posterior[~rows.usable]).all(), "what was not measured stays unmeasured"
    drawn, measured = found.posterior[rows.usable], rows.posterior[rows.usable]
    np.testing.assert_allclose(drawn.sum(axis=1), 1, atol=1e-5)
    if len(measured):
        assert (drawn >= measured.min(axis=0) - TOLERANCE).all() and (drawn <= measured.max(axis=0) + TOLERANCE).all()


@settings(deadline=None)
@given(tables(), seconds)
def test_what_does_not_change_stays(rows: Observations, width: float) -> None:
    steady = np.where(rows.usable[:, None], rows.posterior[rows.usable][:1], np.nan) if rows.usable.any() else None
    if steady is not None:
        constant = rows.with_columns(posterior=steady.astype(np.float32))
        np.testing.assert_allclose(smoothed(constant, width).posterior, constant.posterior, atol=TOLERANCE)


@settings(deadline=None)
@given(tables(), seconds)
def test_time_may_run_backwards(rows: Observations, width: float) -> None:
    end = float((rows.time + rows.span).max())
    mirrored = rows[np.arange(len(rows))[::-1]]
    mirrored = mirrored.with_columns(time=end - (mirrored.time + mirrored.span))
    np.testing.assert_allclose(smoothed(mirrored, width).posterior[::-1], smoothed(rows, width).posterior, atol=1e-4)


@settings(deadline=None)
@given(tables(), tables(), seconds, st.sampled_from(["gap", "track", "person"]))
def test_gaps_tracks_and_people_are_apart(one: Observations, other: Observations, width: float, what: str) -> None:
    pause = GAP_SECONDS + 0.01 if what == "gap" else 0.0
    other = other.with_columns(time=other.time - other.time[0] + float((one.time + one.span).max()) + pause)
    if what != "gap":
        other = other.with_columns(**{what: np.full(len(other), 7, np.int32)})
    both = smoothed(Observations.concatenate([one, other]), width).posterior
    alone = [smoothed(one, width).posterior, smoothed(other, width).posterior]
    np.testing.assert_allclose(both, np.concatenate(alone), atol=1e-4)


def test_unmeasured_time_is_a_gap() -> None:
    hidden = np.zeros(75, bool)
    hidden[25:50] = True
    rows = make_rows(range(75), 0, expression=[HAPPY] * 50 + [SAD] * 25, reason=(hidden * Reason.BLURRED).tolist())
    found = smoothed(rows, 10.0).posterior
    np.testing.assert_allclose(found[:25], rows.posterior[:25], atol=TOLERANCE)
    np.testing.assert_allclose(found[50:], rows.posterior[50:], atol=TOLERANCE)


@settings(deadline=None)
@given(tables(), seconds, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows: Observations, width: float, random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    tied = np.diff(rows.time[rows.usable]) == 0
    if not tied.any():
        found = smoothed(rows[np.array(order)], width).posterior
        np.testing.assert_allclose(found, smoothed(rows, width).posterior[order], atol=TOLERANCE)


def test_long_tables_are_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = np.random.default_rng(2).random(2000) < 0.1
    rows = table(np.full(2000, 0.04), np.zeros(2000), hidden)
    for width in (0.1, 1.0, 10.0):
        whole = smoothed(rows, width).posterior
        monkeypatch.setattr(smoothing, "NODES_AT_ONCE", 13)
        np.testing.assert_allclose(smoothed(rows, width).posterior, whole, atol=TOLERANCE)
        monkeypatch.undo()


def test_nobody_and_nothing_measured_stay_as_they_are() -> None:
    assert len(smoothed(Observations.empty(), 1.0)) == 0
    hidden = make_rows(range(5), 0, reason=Reason.TURNED)
    assert np.isnan(smoothed(hidden, 1.0).posterior).all()


def hours() -> Observations:
    """Two hours of five people at 30 frames a second: 1,080,000 rows."""
    number, people = 216_000, 5
    frames = np.repeat(np.arange(number), people)
    person = np.tile(np.arange(1, people + 1, dtype=np.int32), number)
    (row,) = (make_rows([0], 0),)
    columns = {name: np.repeat(getattr(row, name), len(frames), axis=0) for name in COLUMNS}
    posterior = np.random.default_rng(0).random((len(frames), 7), np.float32)
    posterior /= posterior.sum(axis=1, keepdims=True)
    columns |= {"frame": frames, "time": frames / 30, "span": np.full(len(frames), 1 / 30), "posterior": posterior}
    return Observations(**columns | {"person": person, "track": person})


@pytest.mark.slow
def test_two_hours_of_five_people_take_a_second_and_little_memory() -> None:
    rows = hours()
    for width in (0.2, 1.0, 10.0):
        began = time.process_time()
        smoothed(rows, width)
        assert time.process_time() - began < 1.5
    tracemalloc.start()
    smoothed(rows, 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * rows.posterior.nbytes
