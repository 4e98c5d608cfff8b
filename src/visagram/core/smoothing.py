"""Posteriors smoothed over time, for drawing: a chart that flickers less. No number is ever computed from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.statistics import GAP_SECONDS
from visagram.core.types import EXPRESSIONS, Observations

LONGEST = 10.0
"""Seconds. Wider filters would draw moods, not expressions."""
WIDTH = 2 * np.sqrt(2 * np.log(2))
"""Full width at half maximum of a Gaussian, in standard deviations."""
REACH = 3.5
"""Standard deviations beyond which a row has no weight."""
CELL = 1 / 8
"""Standard deviations within which rows are averaged before they are weighed: this bounds the cost of a row whatever
the width, and changes probabilities by less than a percentage point."""
NODES_AT_ONCE = 1 << 13

_APART = 100.0  # seconds between stretches on the common axis: more than any filter reaches
_LEAST = 1e-6  # seconds that a row weighs at least: those of still pictures last no time
_TIE = 1e-6  # cells: so close to an edge is on it, whatever rounding says
_NARROWEST = 1e-3  # seconds: a filter below reaches no other row


class _Series(NamedTuple):
    """The usable rows in the order of person, track and time, and those of each cell as one node.

    row: (n,) place in the table. weight: (n,) seconds. x: (n,) middle of each row in seconds, on an axis on which
    stretches are far apart. node_x: (m,) the weighted mean of its rows. first: (m + 1,) each node's first row.
    """

    row: NDArray[np.intp]
    weight: NDArray[np.float64]
    x: NDArray[np.float64]
    node_x: NDArray[np.float64]
    first: NDArray[np.intp]


def smoothed(rows: Observations, seconds: float) -> Observations:
    """The same rows, each posterior the weighted mean over those around it, which sums to 1 again.

    A centred filter: the Gaussian kernel regression of Nadaraya (1964) and Watson (1964). The weight of a row is its
    span times a Gaussian of the time between the middles of the two rows, whose full width at half maximum is
    `seconds`, from 0 (nothing changes) to `LONGEST`. Only usable rows of one person and track count, and none beyond a
    time of more than `GAP_SECONDS` without any; cuts start tracks. Unusable rows stay as they are.
    """
    if seconds < _NARROWEST or not rows.usable.any():
        return rows
    sigma = seconds / WIDTH
    series = _series(rows, CELL * sigma)
    posterior = rows.posterior.copy()
    for first in range(0, len(series.node_x), NODES_AT_ONCE):
        after = min(first + NODES_AT_ONCE, len(series.node_x))
        some = slice(series.first[first], series.first[after])
        posterior[series.row[some]] = _between(series, first, after, rows.posterior, sigma)
    return rows.with_columns(posterior=posterior)


def _series(rows: Observations, cell: float) -> _Series:
    """cell: seconds. Cells are laid out from the middle of each stretch, so that time may run backwards; its first and
    its last row have one alone, so that every row lies between two nodes."""
    (row,) = np.nonzero(rows.usable)
    middle = rows.time[row] + np.nan_to_num(rows.span[row]) / 2
    order = np.lexsort((middle, rows.track[row], rows.person[row]))
    row, middle = row[order], middle[order]
    weight, begin = np.maximum(np.nan_to_num(rows.span[row]), _LEAST), rows.time[row]
    other = (np.diff(rows.person[row]) != 0) | (np.diff(rows.track[row]) != 0)
    new = np.concatenate([[True], other | (begin[1:] - (begin + weight)[:-1] > GAP_SECONDS)])
    stretch = np.cumsum(new) - 1
    (start,) = np.nonzero(new)
    last = np.append(start[1:], len(new)) - 1
    half = (middle[last] - middle[start]) / 2
    from_centre = middle - (middle[start] + half)[stretch]
    x = from_centre + (np.cumsum(2 * half + _APART) - half)[stretch]
    number = np.sign(from_centre) * np.floor(np.abs(from_centre) / cell + 0.5 + _TIE)
    edges = new | (np.diff(number, prepend=np.nan) != 0)
    edges[last] = True
    edges[np.minimum(start + 1, last)] = True
    (first,) = np.nonzero(edges)
    node_x = np.add.reduceat(weight * x, first) / np.add.reduceat(weight, first)
    return _Series(row, weight, x, node_x, np.append(first, len(x)))


def _between(
    series: _Series, first: int, after: int, posterior: NDArray[np.float32], sigma: float
) -> NDArray[np.float64]:
    """(r, 7) at the rows of the nodes from `first` to before `after`: linear between neighbouring nodes."""
    x, node_x = series.x[series.first[first] : series.first[after]], series.node_x
    # One more on both sides to go to, and what their filter reaches.
    low, high = max(first - 1, 0), min(after + 1, len(node_x))
    begin = int(np.searchsorted(node_x, node_x[low] - REACH * sigma))
    end = int(np.searchsorted(node_x, node_x[high - 1] + REACH * sigma, "right"))
    some = slice(series.first[begin], series.first[end])
    sums = np.empty((len(EXPRESSIONS) + 1, some.stop - some.start))
    sums[-1] = series.weight[some]
    np.multiply(posterior[series.row[some]].T, series.weight[some], out=sums[:-1])
    sums = np.add.reduceat(sums, series.first[begin:end] - some.start, axis=1)
    known = _weighed(node_x[begin:end], sums, sigma)
    own = np.repeat(np.arange(first, after), np.diff(series.first[first : after + 1]))
    away = x - node_x[own]
    beside = np.clip(own + np.where(away < 0, -1, 1), low, high - 1)
    apart = node_x[beside] - node_x[own]
    share = np.clip(away / np.where(apart == 0, 1.0, apart), 0.0, 1.0)[:, None]
    return np.asarray(known[own - begin] * (1 - share) + known[beside - begin] * share)


def _weighed(x: NDArray[np.float64], sums: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """(m, 7) the weighted mean around each of `x`. sums: (8, m) posteriors times weight, and weight."""
    total = sums.copy()
    for step in range(1, len(x)):
        between = (x[step:] - x[:-step]) / sigma
        near = between <= REACH
        if not near.any():
            break
        strength = np.exp(-0.5 * between**2) * near
        total[:, step:] += strength * sums[:, :-step]
        total[:, :-step] += strength * sums[:, step:]
    return np.asarray((total[:-1] / total[-1]).T)
