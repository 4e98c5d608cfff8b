"""Bins of a chart, row by row and bin by bin."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import make_rows
from visagram.core.bins import Bins, bin_person, runs
from visagram.core.types import Observations, Reason


def slowly(rows: Observations, edges: NDArray[np.float64], doubtful: NDArray[np.bool_]) -> Bins:
    """What each row shares with each bin, one after the other."""
    count = len(edges) - 1
    mean, seen, unsure = np.full((count, 7), np.nan), np.zeros(count, bool), np.zeros(count, bool)
    for k in range(count):
        sums, weight, doubt = np.zeros(7), 0.0, 0.0
        for row in range(len(rows)):
            start, end = rows.time[row], rows.time[row] + rows.span[row]
            shared = min(end, edges[k + 1]) - max(start, edges[k])
            if shared > 1e-5:
                seen[k] = True
                if rows.reason[row] == 0:
                    sums, weight = sums + rows.posterior[row] * shared, weight + shared
                    doubt += shared * doubtful[row]
        mean[k] = sums / weight if weight else np.nan
        unsure[k] = 2 * doubt > weight * (1 + 1e-9)
    return Bins(edges, mean, seen, unsure)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("longest", [0.05, 0.3, 2.0])
def test_each_row_counts_in_each_bin_for_what_lies_there(seed: int, longest: float) -> None:
    random = np.random.default_rng(seed)
    span = random.uniform(0.01, longest, 60)
    start = 3.0
    time = start + np.cumsum(span + random.choice([0, 0, 0.2], 60)) - span
    rows = make_rows(range(60), 0, reason=random.choice([0, 0, Reason.TURNED], 60))
    posterior = random.dirichlet(np.full(7, 0.4), 60).astype(np.float32)
    posterior[rows.reason > 0] = np.nan
    rows = rows.with_columns(time=time, span=span, posterior=posterior)
    doubtful = (random.random(60) < 0.5) & rows.usable
    end = float(time[-1] + span[-1])
    found = bin_person(rows, start, end, doubtful)
    expected = slowly(rows, np.linspace(start, end, int((end - start) / 0.1) + 1), doubtful)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_chart_written_down() -> None:
    rows = make_rows(range(3), 0, expression=[3, 4, 0], reason=[0, 0, Reason.TURNED]).with_columns(
        time=np.array([0, 0.15, 0.4]), span=np.array([0.15, 0.05, 0.1])
    )
    found = bin_person(rows, 0.0, 0.8, np.array([False, True, False]))
    assert found.edges.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert found.seen.tolist() == [True, True, False, False, True, False, False, False]
    assert found.posterior[0].tolist() == pytest.approx([0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05])
    assert found.posterior[1].tolist() == pytest.approx([0.05, 0.05, 0.05, 0.375, 0.375, 0.05, 0.05])
    assert np.isnan(found.posterior[2:]).all()


def test_a_row_that_lasts_no_time_fills_its_bin() -> None:
    still = make_rows([0], 0, span=0.0).with_columns(time=np.array([5.0]))
    found = bin_person(still, 5.0, 5.0625, np.ones(1, bool))
    assert found.edges.tolist() == [5.0, 5.0625]
    assert (found.seen.tolist(), found.unsure.tolist()) == ([True], [True])
    assert found.posterior[0].tolist() == pytest.approx([0.05] * 6 + [0.7])


@pytest.mark.parametrize(
    ("seconds", "bins"), [(0.0625, 1), (0.125, 1), (0.25, 2), (0.9375, 9), (64, 640), (119.96875, 1199), (3600, 1200)]
)
def test_a_bin_lasts_a_tenth_of_a_second_or_there_are_1200(seconds: float, bins: int) -> None:
    rows = make_rows([0], 0)
    found = bin_person(rows, 0.0, seconds, np.zeros(1, bool))
    assert found.posterior.shape == (bins, 7)
    assert (len(found.seen), len(found.unsure)) == (bins, bins)
    assert found.edges.tolist() == pytest.approx(np.linspace(0, seconds, bins + 1).tolist())


@pytest.mark.parametrize(("doubted", "unsure"), [([True, False, False], False), ([True, True, False], True)])
def test_a_bin_is_unsure_when_more_than_half_of_what_was_measured_is(doubted: list[bool], unsure: bool) -> None:
    rows = make_rows(range(3), 0).with_columns(time=np.array([0, 0.03125, 0.046875]), span=np.array([2, 1, 1]) / 64)
    # The first lasts as long as the others together.
    found = bin_person(rows, 0.0, 0.0625, np.array(doubted))
    assert found.unsure.tolist() == [unsure]


def test_rows_outside_count_for_next_to_nothing() -> None:
    rows = make_rows(range(4), 0, expression=[0, 1, 2, 3]).with_columns(
        time=np.array([0.0, 1.0, 1.5, 9.0]), span=np.array([0.5, 0.5, 0.5, 0.5])
    )
    found = bin_person(rows, 1.0, 2.0, np.zeros(4, bool))
    assert found.seen.tolist() == [True] * 10
    expected = np.full((10, 7), 0.05)
    expected[:5, 1] = expected[5:, 2] = 0.7
    np.testing.assert_allclose(found.posterior, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ("", []),
        ("0", []),
        ("1", [(0, 1)]),
        ("0110", [(1, 3)]),
        ("1101", [(0, 2), (3, 4)]),
        ("10101", [(0, 1), (2, 3), (4, 5)]),
        ("111", [(0, 3)]),
    ],
)
def test_runs_are_where_something_is(present: str, expected: list[tuple[int, int]]) -> None:
    assert runs(np.array([each == "1" for each in present], bool)) == expected
