"""Observations of one person become statistics, with an uncertainty that knows that neighbouring frames look alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.certainty import Below, certainty
from visagram.core.types import EXPRESSIONS, NOT_DECODED, NOT_VISIBLE, Observations, Person, Reason, Share

RESAMPLES = 500
MAX_STEPS = 20_000
"""Longer series are averaged into this many steps first: neighbouring frames add no independent information."""
NUMBERS_AT_ONCE = 1 << 16
NORMAL_QUANTILE = 1.959963984540054
GAP_SECONDS = 0.5
"""A person unseen for longer starts a new visible segment."""


class Window(NamedTuple):
    """An event of interest, from `start` to `end` in seconds."""

    name: str
    start: float
    end: float


def person_statistics(
    id: int,
    seen: Observations,
    analysed: float,
    not_decoded: float,
    thumbnail: bytes,
    *,
    seed: int,
    unsure_below: Below,
) -> Person:
    """Statistics of one person. seen: their observations in time order, usable or not. analysed: seconds in total.
    unsure_below: see `certainty.unsure`.

    Of somebody who was never seen (which happens within an event window), the first and last time are NaN.
    """
    # Columns that count, not all of them: of somebody who is there for hours a copy of each row is heavy.
    usable = seen.usable
    emotion, span, posterior = seen.emotion[usable], seen.span[usable], seen.posterior[usable]
    counts = np.bincount(emotion, minlength=len(EXPRESSIONS))[: len(EXPRESSIONS)]
    sure = certainty(seen, unsure_below)
    measured = float(span.sum())
    unmeasured = {reason.label: float(seen.span[seen.reason == reason].sum()) for reason in list(Reason)[1:]}
    unmeasured[NOT_DECODED] = not_decoded
    unmeasured[NOT_VISIBLE] = max(0.0, analysed - measured - sum(unmeasured.values()))
    return Person(
        id=id,
        name=f"Person {id}",
        tracks=tuple(int(t) for t in np.unique(seen.track)),
        first_seen=float(seen.time[0]) if len(seen) else float("nan"),
        last_seen=float(seen.time[-1] + seen.span[-1]) if len(seen) else float("nan"),
        screen_time=float(seen.span.sum()),
        frames_seen=len(seen),
        frames_usable=len(span),
        emotion_counts=tuple(int(c) for c in counts),
        certain_counts=sure.counts,
        shares=shares_of(emotion, span, seed),
        mean_posterior=tuple(float(p) for p in posterior.mean(axis=0, dtype=np.float64)) if len(span) else (),
        measured=measured,
        unsure=sure.unsure,
        unmeasured=unmeasured,
        segments=visible_segments(seen),
        thumbnail=thumbnail,
    )


def window_statistics(
    id: int,
    seen: Observations,
    windows: Sequence[Window],
    analysed: tuple[float, float],
    *,
    seed: int,
    unsure_below: Below,
) -> tuple[Person, ...]:
    """Statistics of one person inside each window; the person's analysed time is the window's overlap with `analysed`.

    seen, seed, unsure_below: as in `person_statistics`. analysed: start and end of the analysed range in seconds. Time
    that did not decode counts as not visible: a result does not hold when that was.
    """
    found = []
    for window in windows:
        start, end = max(window.start, analysed[0]), min(window.end, analysed[1])
        inside, seconds = within(seen, start, end), max(0.0, end - start)
        found.append(person_statistics(id, inside, seconds, 0.0, b"", seed=seed, unsure_below=unsure_below))
    return tuple(found)


def within(rows: Observations, start: float, end: float) -> Observations:
    """The rows shown between `start` and `end` (seconds); a row that is shown across an edge counts for what lies
    inside, so that adjacent windows share out its time."""
    begin, stop = np.maximum(rows.time, start), np.minimum(rows.time + rows.span, end)
    # A still picture's row lasts no time at all.
    inside = (stop > begin) | ((rows.span == 0) & (rows.time >= start) & (rows.time < end))
    chosen = rows[inside]
    return chosen.with_columns(time=begin[inside], span=np.maximum(stop - begin, 0.0)[inside])


def analysed_range(start: float | None, duration: float) -> tuple[float, float]:
    """Start and end in seconds of what was analysed. start: the setting of that name. duration: analysed seconds."""
    begin = float(start or 0.0)
    return begin, begin + duration


def expression_shares(usable: Observations, seed: int) -> tuple[Share, ...]:
    """Share of measured time under each expression with its 95 % interval; empty when nothing was measured."""
    return shares_of(usable.emotion, usable.span, seed)


def shares_of(emotion: NDArray[np.int8], span: NDArray[np.float64], seed: int) -> tuple[Share, ...]:
    """`expression_shares` of faces that were measured. emotion: (n,) index of each one's expression. span: (n,)
    seconds."""
    if not len(emotion):
        return ()
    steps = len(emotion)
    if steps <= MAX_STEPS:
        indicators = (emotion[:, None] == np.arange(len(EXPRESSIONS))).astype(np.float64)
        return shares_with_intervals(indicators, span, seed)
    # One expression at a time, or the hours of a long video would need half a kilobyte a face.
    edges = _edges(steps)
    total = np.add.reduceat(span, edges)
    coarse = [np.add.reduceat(np.where(emotion == k, span, 0.0), edges) / total for k in range(len(EXPRESSIONS))]
    return shares_with_intervals(np.column_stack(coarse), total, seed)


def shares_with_intervals(
    indicators: NDArray[np.float64], weights: NDArray[np.float64], seed: int
) -> tuple[Share, ...]:
    """Weighted share of each column of a 0/1 series (n, k) with a 95 % interval for autocorrelated steps.

    The variance of each share comes from the circular block bootstrap (Politis & Romano 1992) with automatic block
    length (Politis & White 2004, doi 10.1081/ETR-120028836). It says how many independent frames the series is worth,
    and that number enters Wilson's score interval (1927) with Student's quantile for the number of blocks, which keeps
    its coverage near 0 and 1, where percentiles of the bootstrap collapse.
    """
    indicators, weights = _coarse(indicators, weights)
    steps = len(indicators)
    # Rows that last no time, a still picture's, count alike.
    weights = weights if weights.any() else np.ones(steps)
    values = weights @ indicators / weights.sum()
    # Told from the series: rounding leaves the mean of ones beside 1.
    varying = np.ptp(indicators, axis=0) > 1e-9
    values = np.where(varying, values, np.round(values))
    block = max(_block_lengths(indicators[:, varying]), default=max(1, round(np.sqrt(steps))))
    # Three times the length that minimises the variance's squared error: what matters for coverage is its bias, which
    # falls with the length, and Student's quantile pays for the fewer blocks.
    block = min(3 * block, max(1, steps // 5))
    variances = np.zeros(len(values))
    if varying.any():
        random = np.random.default_rng(seed)
        variances[varying] = _bootstrap_variances(indicators[:, varying], weights, values[varying], block, random)
        variances *= steps / (steps - block) if steps > block else 1.0
    quantile = _student_quantile(max(steps / block - 1, 2.0))
    spreads = values * (1 - values)
    worth = np.minimum(steps, spreads[varying] / np.maximum(variances[varying], 1e-12))
    # What never happened tells nothing of how long it would last: borrow from the liveliest expression.
    unseen = float(worth.max(initial=np.sqrt(steps)))
    shares = []
    for value, variance, varies in zip(values, variances, varying, strict=True):
        independent = min(float(steps), value * (1 - value) / max(variance, 1e-12)) if varies else unseen
        low, high = wilson(value, max(independent, 1.0), quantile if varies else NORMAL_QUANTILE)
        shares.append(Share(float(value), min(low, float(value)), max(high, float(value))))
    return tuple(shares)


def block_length(series: NDArray[np.float64]) -> int:
    """Automatic block length of the circular bootstrap for a series (n,) (Politis & White 2004, corrected 2009)."""
    return _block_lengths(series[:, None])[0]


def _block_lengths(series: NDArray[np.float64]) -> list[int]:
    """`block_length` of each column of (n, k)."""
    n = len(series)
    columns = np.ascontiguousarray(series.T)
    centred = columns - columns.mean(axis=1, keepdims=True)
    powers = [float(column @ column) / n for column in centred]
    if n < 8 or not powers:
        return [1] * len(powers)
    reach = min(n - 1, int(np.ceil(np.sqrt(n))) + max(5, int(np.ceil(np.sqrt(np.log10(n))))) + 2 * int(n ** (1 / 3)))
    reach = max(reach, min(n - 1, n // 4))
    size = 1 << (2 * n - 1).bit_length()
    spectra = np.fft.rfft(centred, size)
    covariances = np.fft.irfft(spectra * np.conj(spectra), size)[:, : reach + 1] / n
    return [_length(n, *found) if found[0] else 1 for found in zip(powers, covariances, strict=True)]


def _length(n: int, power: float, covariance: NDArray[np.float64]) -> int:
    """The block length from a series' variance and its covariances (reach + 1,) by lag."""
    reach = len(covariance) - 1
    # The first lag after which a run of correlations is insignificant.
    bound, run = 2 * np.sqrt(np.log10(n) / n), max(5, int(np.ceil(np.sqrt(np.log10(n)))))
    (large,) = np.nonzero(np.abs(covariance[1:] / power) >= bound)
    edges = np.concatenate([[-1], large, [reach]])
    (long,) = np.nonzero(np.diff(edges) > run)
    lag = int(edges[long[0]] if len(long) else edges[-2]) + 1
    window = min(2 * max(lag, 1), reach)
    lags = np.arange(1, window + 1)
    taper = np.clip(2 * (1 - lags / window), 0, 1)
    weighted = taper * covariance[1 : window + 1]
    long_run = covariance[0] + 2 * weighted.sum()
    slope = 2 * (lags * weighted).sum()
    if long_run <= 0 or slope <= 0:
        return 1
    length = (2 * slope**2 / (4 / 3 * long_run**2)) ** (1 / 3) * n ** (1 / 3)
    return int(np.clip(np.ceil(length), 1, max(1, n // 3)))


def wilson(value: float, count: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval of a share seen in `count` independent trials."""
    shrink = 1 + quantile**2 / count
    centre = (value + quantile**2 / (2 * count)) / shrink
    half = quantile / shrink * np.sqrt(value * (1 - value) / count + quantile**2 / (4 * count**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def visible_segments(seen: Observations) -> tuple[tuple[float, float], ...]:
    """(start, end) of each stretch in which observations follow each other without a gap, in seconds."""
    starts, ends = seen.time, seen.time + seen.span
    breaks = np.flatnonzero(starts[1:] - ends[:-1] > GAP_SECONDS) + 1
    return tuple((float(part[0]), float(stop[-1])) for part, stop in _split(starts, ends, breaks) if len(part))


def _split(
    starts: NDArray[np.float64], ends: NDArray[np.float64], breaks: NDArray[np.intp]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    return list(zip(np.split(starts, breaks), np.split(ends, breaks), strict=True))


def _coarse(
    indicators: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average neighbouring steps of very long series, weights kept."""
    steps = len(indicators)
    if steps <= MAX_STEPS:
        return indicators, weights
    edges = _edges(steps)
    total = np.add.reduceat(weights, edges)
    return np.add.reduceat(indicators * weights[:, None], edges) / total[:, None], total


def _edges(steps: int) -> NDArray[np.intp]:
    """Where each of `MAX_STEPS` steps begins."""
    return np.linspace(0, steps, MAX_STEPS + 1).astype(np.intp)[:-1]


def _bootstrap_variances(
    indicators: NDArray[np.float64],
    weights: NDArray[np.float64],
    values: NDArray[np.float64],
    block: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Variance (k,) of each weighted share over resamples of whole circular blocks."""
    steps, columns = indicators.shape
    # Residuals make the ratio estimator linear; running sums turn each block into one subtraction.
    residuals = weights[:, None] * (indicators - values) / weights.mean()
    wrapped = np.concatenate([residuals, residuals[:block]])
    running = np.concatenate([np.zeros((1, columns)), np.cumsum(wrapped, axis=0)])
    blocks = running[block : block + steps] - running[:steps]
    draws = max(1, round(steps / block))
    sums = np.empty((RESAMPLES, columns))
    # As many resamples at once as stay in the cache.
    some = max(1, NUMBERS_AT_ONCE // (draws * columns))
    for first in range(0, RESAMPLES, some):
        last = min(first + some, RESAMPLES)
        starts = random.integers(0, steps, (last - first, draws))
        np.take(blocks, starts.T, axis=0).sum(axis=0, out=sums[first:last])
    return np.asarray((sums / (draws * block)).var(axis=0))


def _student_quantile(freedom: float) -> float:
    """97.5 % quantile of Student's t by Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5), within 1 % from 2.5
    on."""
    z = NORMAL_QUANTILE
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))
