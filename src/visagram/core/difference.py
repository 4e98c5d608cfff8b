"""The difference of two groups of which participants appear in one or in both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
DRAWS = 9_999
"""Exchanges drawn where there are more than so many; else each is made."""
AT_ONCE = 500
NOTHING = 1e-12
"""Rounding leaves a trace of spread where all are equal."""


class Two(NamedTuple):
    """Values in 0..1 of two groups, one: (n, k), other: (m, k); who is in both comes first in both, in one order.
    both: how many these are."""

    one: Floats
    other: Floats
    both: int

    @property
    def paired(self) -> bool:
        return self.both == len(self.one) == len(self.other)


class Estimated(NamedTuple):
    """Of each of k columns: other minus one, its standard error and degrees of freedom."""

    value: Floats
    error: Floats
    freedom: Floats


def estimate(two: Two) -> Estimated:
    """The difference of the means with a standard error that knows who is in both; each group has two members at least.

    Generalised estimating equations with an independent working correlation (Liang & Zeger 1986), participants as
    clusters, and the bias-reduced variance CR2 (Bell & McCaffrey 2002). Where all are in both it is the paired t test,
    where nobody is Welch's. Degrees of freedom by Satterthwaite's approximation with the variances and the covariance
    that were found; exactly n - 1 and Welch's in these two cases.
    """
    one, other = (values - values.mean(axis=0) for values in (two.one, two.other))
    of_one, of_other = (1 / np.sqrt(len(values) * (len(values) - 1)) for values in (one, other))
    shares = np.concatenate([-one * of_one, other[two.both :] * of_other])
    shares[: two.both] += other[: two.both] * of_other
    error = np.sqrt((shares**2).sum(axis=0))
    return Estimated(two.other.mean(axis=0) - two.one.mean(axis=0), error, _freedom(one, other, two.both))


def _freedom(one: Floats, other: Floats, both: int) -> Floats:
    """(k,) twice the squared mean over the variance of the quadratic form that the squared error is.

    Its matrix and the covariance are constant within four kinds of values, each group's of who is in both and of who is
    not: sums of a matrix of ones and, where kinds go together, one of unit, so that 4 by 4 numbers of each do.
    """
    n, m = len(one), len(other)
    sizes = np.diag([both, n - both, both, m - both]).astype(np.float64)
    parts = 1 / (n * (n - 1)), 1 / (m * (m - 1))
    unit = np.diag([parts[0], parts[0], parts[1], parts[1]])
    unit[0, 2] = unit[2, 0] = -np.sqrt(parts[0] * parts[1])
    ones = np.zeros((4, 4))
    ones[:2, :2], ones[2:, 2:] = -1 / n, -1 / m
    centre = (np.eye(4), ones)

    def times(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        return a[0] @ b[0], a[0] @ b[1] + a[1] @ b[0] + a[1] @ sizes @ b[1]

    def trace(a: tuple[Floats, Floats]) -> float:
        return float(np.diag(sizes) @ (np.diag(a[0]) + np.diag(a[1])))

    form = times(times(centre, (unit, np.zeros((4, 4)))), centre)
    found = []
    for a, b in zip(one.T, other.T, strict=True):
        spreads = a @ a / (n - 1), b @ b / (m - 1)
        limit = np.sqrt(spreads[0] * spreads[1])
        covariance = np.diag([spreads[0], spreads[0], spreads[1], spreads[1]])
        covariance[0, 2] = covariance[2, 0] = np.clip(a[:both] @ b[:both] / max(both, 1), -limit, limit)
        product = times(form, (covariance, np.zeros((4, 4))))
        below = trace(times(product, product))
        found.append(max(1.0, trace(product) ** 2 / below if below > 0 else 0.0))
    return np.array(found)


def exchanged(two: Two, seed: int) -> tuple[Floats, Floats, bool]:
    """How rare these differences are where the groups do not differ at all: p of each column (k,) alone and over all
    columns together, and whether every exchange was made.

    Who is in both has their two values exchanged or not (sign flips); the others are dealt to the groups anew. The
    statistic is the difference over its error, for all columns the largest of them (Westfall & Young 1993): p is then
    the chance that any column of a set without differences stands out so much.
    """
    found = _statistic(two.one[None], two.other[None], two.both)[0]
    alone, together, number = np.zeros(len(found)), np.zeros(len(found)), 0
    dealt, all_made = _deals(two, seed)
    for swap, order in dealt:
        one, other = _dealt(two, swap, order)
        statistic = _statistic(one, other, two.both)
        # Equal statistics of other orders differ by rounding.
        least = found * (1 - 1e-9)
        alone += (statistic >= least).sum(axis=0)
        together += (statistic.max(axis=1)[:, None] >= least).sum(axis=0)
        number += len(statistic)
    if not all_made:
        # What was found is one of the exchanges.
        alone, together, number = alone + 1, together + 1, number + 1
    return alone / number, together / number, all_made


def least_p(two: Two) -> float:
    """The smallest p that `exchanged` can give. Groups of one size can be exchanged whole, which is as far apart."""
    return 1 / min(_number(two) // (2 if len(two.one) == len(two.other) else 1), DRAWS + 1)


def _number(two: Two) -> int:
    """Of different exchanges."""
    alone = len(two.one) - two.both
    return int(2**two.both) * comb(alone + len(two.other) - two.both, alone)


def _deals(two: Two, seed: int) -> tuple[Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]], bool]:
    """Exchanges as parts: (d, both) whether a pair is exchanged, and (d, rest) the order in which the rest is dealt."""
    alone, rest = len(two.one) - two.both, len(two.one) + len(two.other) - 2 * two.both
    if _number(two) <= DRAWS:
        swaps = np.array(list(product([False, True], repeat=two.both)), bool).reshape(2**two.both, two.both)
        chosen = [[*first, *(k for k in range(rest) if k not in first)] for first in combinations(range(rest), alone)]
        orders = np.array(chosen, np.intp).reshape(len(chosen), rest)
        both = np.repeat(swaps, len(orders), axis=0), np.tile(orders, (len(swaps), 1))
        return ((both[0][k : k + AT_ONCE], both[1][k : k + AT_ONCE]) for k in range(0, len(both[0]), AT_ONCE)), True
    random = np.random.default_rng(seed)

    def drawn() -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
        for first in range(0, DRAWS, AT_ONCE):
            count = min(AT_ONCE, DRAWS - first)
            yield random.random((count, two.both)) < 0.5, random.random((count, rest)).argsort(axis=1)

    return drawn(), False


def _dealt(two: Two, swap: NDArray[np.bool_], order: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """(d, n, k) and (d, m, k) after these exchanges."""
    both, alone = two.both, len(two.one) - two.both
    mine, theirs = two.one[:both], two.other[:both]
    change = swap[:, :, None]
    rest = np.concatenate([two.one[both:], two.other[both:]])[order]
    one = np.concatenate([np.where(change, theirs, mine), rest[:, :alone]], axis=1)
    other = np.concatenate([np.where(change, mine, theirs), rest[:, alone:]], axis=1)
    return one, other


def _statistic(one: Floats, other: Floats, both: int) -> Floats:
    """(d, k) size of the difference over its standard error; infinite where there is a difference and no spread."""
    (n, m), means = (one.shape[1], other.shape[1]), (one.mean(axis=1), other.mean(axis=1))
    shares = (one - means[0][:, None]) / -np.sqrt(n * (n - 1))
    theirs = (other - means[1][:, None]) / np.sqrt(m * (m - 1))
    shares[:, :both] += theirs[:, :both]
    error = np.sqrt((shares**2).sum(axis=1) + (theirs[:, both:] ** 2).sum(axis=1))
    size = np.abs(means[1] - means[0])
    spread = error > NOTHING
    return np.where(spread, size / np.where(spread, error, 1), np.where(size > NOTHING, np.inf, 0.0))


def bound(value: float, n: int, least: float, most: float, doubt: float = 1 - CONFIDENCE) -> tuple[float, float]:
    """Bounds of a mean of which n values between `least` and `most` were all alike, with `doubt` to be wrong.

    If a share of less than q = (doubt / 2) ** (1 / n) of everybody were alike, n alike were rarer than that; what the
    others show is unknown.
    """
    alike = (doubt / 2) ** (1 / n)
    return alike * value + (1 - alike) * least, alike * value + (1 - alike) * most
