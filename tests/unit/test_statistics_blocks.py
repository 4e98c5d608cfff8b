"""The variance behind an interval, by the book; and in which stretches somebody was visible."""

from __future__ import annotations

from statistics import mean

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import t as student

from fakes import make_rows
from visagram.core.statistics import GAP_SECONDS, block_length, shares_with_intervals, visible_segments, wilson, within

SEEDS = range(30)
MANY = np.full(2, 10**6)
"""So many episodes that the interval is the bootstrap's."""


def by_the_book(series: NDArray[np.float64]) -> tuple[float, float]:
    """The interval of a share from all circular blocks instead of drawn ones.

    The mean is taken out of the very series that the blocks come from, so their variance is too small by the share of
    a block in it (Politis & Romano 1992 count blocks as if there were infinitely many).
    """
    steps = len(series)
    block = min(3 * block_length(series), steps // 5)
    around = np.concatenate([series, series[:block]])
    blocks = np.convolve(around, np.ones(block) / block, mode="valid")[:steps]
    variance = float(blocks.var()) * block / steps * steps / (steps - block)
    value = float(series.mean())
    return wilson(value, value * (1 - value) / variance, float(student.ppf(0.975, steps / block - 1)))


@pytest.mark.parametrize(("steps", "run"), [(100, 10), (200, 20), (60, 5)])
def test_the_variance_of_few_blocks_is_corrected_for_its_bias(steps: int, run: int) -> None:
    lengths = np.random.default_rng(steps).integers(run // 2, 2 * run, 40)
    series = np.repeat(np.arange(40) % 2, lengths)[:steps].astype(np.float64)
    assert 3 * block_length(series) > steps // 5, "the blocks are as long as they may be, which is where bias matters"
    low, high = by_the_book(series)
    found = [shares_with_intervals(np.stack([series, 1 - series], 1), np.ones(steps), MANY, seed)[0] for seed in SEEDS]
    # Drawn blocks stray by a few percent from all of them, and less on average; without the correction 8 % are missing.
    assert mean(share.high - share.low for share in found) == pytest.approx(high - low, rel=0.03)


@pytest.mark.parametrize("likeness", [0.3, 0.7, 0.9])
def test_the_block_length_is_the_best_one_for_a_series_whose_best_one_is_known(likeness: float) -> None:
    """A first-order autoregression has it in closed form (Politis & White 2004, equation 10, corrected 2009)."""
    steps, random = 4000, np.random.default_rng(0)
    best = (1.5 * (2 * likeness / (1 - likeness**2)) ** 2) ** (1 / 3) * steps ** (1 / 3)
    found = []
    for _ in range(12):
        shocks = random.normal(size=steps + 200)
        series = lfilter([1.0], [1.0, -likeness], shocks)[200:]
        found.append(block_length(series))
    assert mean(found) == pytest.approx(best, rel=0.2)


def test_a_series_whose_neighbours_differ_needs_no_blocks() -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        assert block_length(lfilter([1.0], [1.0, 0.5], random.normal(size=1000))) == 1


def test_of_rows_that_last_no_time_only_those_inside_a_window_count() -> None:
    rows = make_rows([0, 1, 2, 3], 0, span=0.0, rate=1)
    assert within(rows, 1.0, 3.0)[0].time.tolist() == [1.0, 2.0]
    assert within(rows, 1.5, 1.6)[0].time.tolist() == []
    lasting, begun = within(make_rows([0, 1, 2, 3], 0, span=1.0, rate=1), 0.25, 2.5)
    assert begun.tolist() == [False, True, True]
    assert (lasting.time.tolist(), lasting.span.tolist()) == ([0.25, 1.0, 2.0], [0.75, 1.0, 0.5])


def test_somebody_is_visible_for_as_long_as_each_row_lasts() -> None:
    # A frame every two seconds, each standing for two: there is no gap, though rows begin far apart.
    np.testing.assert_allclose(visible_segments(make_rows(range(0, 500, 50), 0, span=2.0)), [(0, 20)])


def test_a_gap_is_counted_from_where_a_row_ends() -> None:
    span = 1.0
    rows = make_rows([0, 1, 2, 3], 0, span=span).with_columns(
        time=np.array([0.0, 1.0, 2.0 + GAP_SECONDS - 0.1, 3.5 + GAP_SECONDS + 0.1])
    )
    np.testing.assert_allclose(visible_segments(rows), [(0, 3.4), (4.1, 5.1)])
