"""The filter with its cells, one row after the other, and its limits from both sides."""

from __future__ import annotations

from math import copysign, exp, floor

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import make_rows
from visagram.core.smoothing import LONGEST, smoothed
from visagram.core.types import EXPRESSIONS, Observations, Reason

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")
HALF_HEIGHT = 2.3548200450309493
"""Standard deviations between the two places where a Gaussian is half as high as in its middle."""


def slowly(rows: Observations, seconds: float) -> NDArray[np.float64]:
    """Rows within an eighth of a standard deviation are one node, the first and the last of a stretch each its own;
    nodes within 3.5 standard deviations are averaged; between nodes lie straight lines."""
    sigma = seconds / HALF_HEIGHT
    found = rows.posterior.astype(np.float64)
    for stretch in stretches(rows):
        middle = [float(rows.time[k] + rows.span[k] / 2) for k in stretch]
        weight = [max(float(rows.span[k]), 1e-6) for k in stretch]
        centre = (middle[0] + middle[-1]) / 2
        cells = [copysign(floor(abs(m - centre) / sigma * 8 + 0.5 + 1e-6), m - centre) for m in middle]
        nodes: list[list[int]] = []
        for place in range(len(stretch)):
            alone = place in (0, 1, len(stretch) - 1)
            if alone or cells[place] != cells[place - 1]:
                nodes.append([])
            nodes[-1].append(place)
        total = [sum(weight[p] for p in node) for node in nodes]
        where = [sum(weight[p] * middle[p] for p in node) / t for node, t in zip(nodes, total, strict=True)]
        own = [
            np.sum([weight[p] * rows.posterior[stretch[p]].astype(np.float64) for p in node], axis=0) for node in nodes
        ]
        means = []
        for at in where:
            shares = [exp(-(((x - at) / sigma) ** 2) / 2) * (abs(x - at) / sigma <= 3.5) for x in where]
            weighed = np.sum([s * o for s, o in zip(shares, own, strict=True)], axis=0)
            means.append(weighed / sum(s * t for s, t in zip(shares, total, strict=True)))
        for number, node in enumerate(nodes):
            for place in node:
                away = middle[place] - where[number]
                beside = number + (1 if away > 0 else -1)
                value = means[number]
                if abs(away) > 1e-9:
                    share = away / (where[beside] - where[number])
                    value = value * (1 - share) + means[beside] * share
                found[stretch[place]] = value
    return found


def stretches(rows: Observations) -> list[list[int]]:
    """Usable rows of one person and track without a gap, in order of their middles."""
    usable = [k for k in range(len(rows)) if rows.reason[k] == 0]
    usable.sort(key=lambda k: (rows.person[k], rows.track[k], rows.time[k] + rows.span[k] / 2))
    found: list[list[int]] = []
    for k in usable:
        before = found[-1][-1] if found else k
        same = (rows.person[before], rows.track[before]) == (rows.person[k], rows.track[k])
        gap = rows.time[k] - (rows.time[before] + max(rows.span[before], 1e-6))
        if found and same and gap <= 0.5:
            found[-1].append(k)
        else:
            found.append([k])
    return found


def any_rows(seed: int, longest: float, count: int = 90) -> Observations:
    random = np.random.default_rng(seed)
    span = random.uniform(0.01, longest, count)
    time = np.cumsum(span + random.choice([0, 0.2, 0.7], count, p=[0.9, 0.07, 0.03])) - span
    rows = make_rows(range(count), 0, reason=random.choice([0, Reason.TURNED], count, p=[0.9, 0.1]))
    posterior = random.dirichlet(np.full(7, 0.3), count).astype(np.float32)
    posterior[rows.reason > 0] = np.nan
    rows = rows.with_columns(
        time=time,
        span=span * random.choice([1, 0], count, p=[0.95, 0.05]),
        person=np.sort(random.integers(1, 3, count)).astype(np.int32),
        track=np.sort(random.integers(0, 4, count)).astype(np.int32),
        posterior=posterior,
    )
    return rows[random.permutation(count)]


@pytest.mark.parametrize("width", [0.02, 0.1, 0.5, 2.0, 10.0])
@pytest.mark.parametrize(("seed", "longest"), [(0, 0.04), (1, 0.2), (2, 0.2), (3, 0.04), (4, 1.0)])
def test_every_row_is_what_a_slow_filter_makes_of_it(seed: int, longest: float, width: float) -> None:
    rows = any_rows(seed, longest)
    np.testing.assert_allclose(smoothed(rows, width).posterior, slowly(rows, width), atol=2e-6)


def test_a_row_on_the_edge_of_two_cells_belongs_to_the_outer_one() -> None:
    # A cell is as long as two rows, so that every other row lies on an edge.
    random = np.random.default_rng(0)
    rows = make_rows(range(61), 0).with_columns(posterior=random.dirichlet(np.ones(7), 61).astype(np.float32))
    width = 16 / 25 * HALF_HEIGHT
    np.testing.assert_allclose(smoothed(rows, width).posterior, slowly(rows, width), atol=2e-6)


def test_a_filter_of_less_than_a_millisecond_changes_nothing() -> None:
    rows = make_rows(range(6), 0, rate=4096, expression=[HAPPY, SAD] * 3)
    assert smoothed(rows, 0.0009) is rows
    assert smoothed(rows, 0.0015) is not rows
    np.testing.assert_allclose(smoothed(rows, 0.0015).posterior, slowly(rows, 0.0015), atol=2e-6)
    assert LONGEST == 10


@pytest.mark.parametrize(("pause", "joined"), [(0.5, True), (0.53125, False)])
def test_half_a_second_without_anybody_is_bridged(pause: float, joined: bool) -> None:
    rows = make_rows(range(4), 0, rate=4, expression=[HAPPY, HAPPY, SAD, SAD])
    rows = rows.with_columns(time=rows.time + np.where(np.arange(4) < 2, 0, pause))
    found = smoothed(rows, 5.0).posterior[:, HAPPY].tolist()
    assert (found == pytest.approx([0.7, 0.7, 0.05, 0.05])) is not joined
    np.testing.assert_allclose(found, slowly(rows, 5.0)[:, HAPPY], atol=2e-6)


@pytest.mark.parametrize(("apart", "seen"), [(3.4, True), (3.6, False)])
def test_rows_beyond_three_and_a_half_standard_deviations_have_no_weight(apart: float, seen: bool) -> None:
    sigma = 0.125
    span = apart * sigma
    rows = make_rows(range(2), 0, expression=[HAPPY, SAD], span=span).with_columns(time=np.array([0, span]))
    found = float(smoothed(rows, sigma * HALF_HEIGHT).posterior[0, HAPPY])
    weight = exp(-(apart**2) / 2) if seen else 0.0
    assert found == pytest.approx((0.7 + 0.05 * weight) / (1 + weight), abs=1e-7)
    assert (found < 0.7 - 1e-4) == seen
