"""Observations of one person become statistics, with an uncertainty that knows that neighbouring frames look alike."""

from __future__ import annotations

import dataclasses
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
FEWEST = 5
"""Episodes from which an interval is told: below, none that is short enough to be of use holds what it promises."""
BRIEF = 0.2
"""Seconds: a shorter interruption is a model's doubt more often than a face's change."""
TOGETHER = 1.0
"""Seconds within which several people may react to the same thing."""
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
    counted: NDArray[np.bool_] | None = None,
) -> Person:
    """Statistics of one person. seen: their observations in time order, usable or not. analysed: seconds in total.
    unsure_below: see `certainty.unsure`. counted: (n,) which of them count as frames, all if None.

    Of somebody who was never seen (which happens within an event window), the first and last time are NaN.
    """
    # Columns that count, not all of them: of somebody who is there for hours a copy of each row is heavy.
    usable = seen.usable
    emotion, span, posterior = seen.emotion[usable], seen.span[usable], seen.posterior[usable]
    counted = np.ones(len(seen), bool) if counted is None else counted
    counts = np.bincount(seen.emotion[usable & counted], minlength=len(EXPRESSIONS))[: len(EXPRESSIONS)]
    sure = certainty(seen, unsure_below, counted)
    measured, visible = float(span.sum()), float(seen.span.sum())
    unmeasured = {reason.label: float(seen.span[seen.reason == reason].sum()) for reason in list(Reason)[1:]}
    unmeasured[NOT_DECODED] = not_decoded
    unmeasured[NOT_VISIBLE] = max(0.0, analysed - measured - sum(unmeasured.values()))
    return Person(
        id=id,
        name=f"Person {id}",
        tracks=tuple(int(t) for t in np.unique(seen.track)),
        first_seen=float(seen.time[0]) if len(seen) else float("nan"),
        last_seen=float(seen.time[-1] + seen.span[-1]) if len(seen) else float("nan"),
        screen_time=visible,
        frames_seen=int(counted.sum()),
        frames_usable=int(counts.sum()),
        emotion_counts=tuple(int(c) for c in counts),
        certain_counts=sure.counts,
        shares=at_worst(shares_of(emotion, span, seed), measured, visible),
        mean_posterior=_mean(posterior, span),
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
        (inside, begun), seconds = within(seen, start, end), max(0.0, end - start)
        of_person = (id, inside, seconds, 0.0, b"")
        found.append(person_statistics(*of_person, seed=seed, unsure_below=unsure_below, counted=begun))
    return tuple(found)


def within(rows: Observations, start: float, end: float) -> tuple[Observations, NDArray[np.bool_]]:
    """The rows shown between `start` and `end` (seconds), and (n,) which of these begin there. A row that is shown
    across an edge counts for what lies inside, so that adjacent windows share out its time; as a frame it belongs to
    the window in which it begins."""
    begin, stop = np.maximum(rows.time, start), np.minimum(rows.time + rows.span, end)
    # A still picture's row lasts no time at all.
    inside = (stop > begin) | ((rows.span == 0) & (rows.time >= start) & (rows.time < end))
    cut = rows[inside].with_columns(time=begin[inside], span=np.maximum(stop - begin, 0.0)[inside])
    return cut, rows.time[inside] >= start


def analysed_range(start: float | None, duration: float) -> tuple[float, float]:
    """Start and end in seconds of what was analysed. start: the setting of that name. duration: analysed seconds."""
    begin = float(start or 0.0)
    return begin, begin + duration


def at_worst(shares: tuple[Share, ...], measured: float, visible: float) -> tuple[Share, ...]:
    """The shares with what they would be of all `visible` seconds, had the rest of it shown each never or always."""
    if visible <= 0:
        return shares
    # Rounded: a sum of spans in another order is another number.
    part = min(1.0, round(measured / visible, 12))
    return tuple(
        dataclasses.replace(share, least=share.value * part, most=min(1.0, share.value * part + 1 - part))
        for share in shares
    )


def _mean(posterior: NDArray[np.float32], span: NDArray[np.float64]) -> tuple[float, ...]:
    """Mean (7,) of posteriors (n, 7) over the time that each was shown; empty when there are none."""
    if not len(span):
        return ()
    # A still picture's faces count alike. The sum in double precision, but no copy of the posteriors in it.
    weights = span if span.any() else np.ones(len(span))
    total = np.einsum("i,ij->j", weights, posterior, dtype=np.float64, casting="same_kind")
    return tuple(float(p) for p in total / weights.sum())


def shares_of(emotion: NDArray[np.int8], span: NDArray[np.float64], seed: int) -> tuple[Share, ...]:
    """Share of one person's measured time under each expression; empty when nothing was measured.

    emotion: (n,) index of each measured face's expression, in time order. span: (n,) seconds.
    """
    if not len(emotion):
        return ()
    return _shares(np.arange(len(emotion)), emotion, span, episodes(emotion, span), seed)


def shares_of_all(
    frame: NDArray[np.int64],
    time: NDArray[np.float64],
    person: NDArray[np.int32],
    emotion: NDArray[np.int8],
    span: NDArray[np.float64],
    seed: int,
) -> tuple[Share, ...]:
    """Share of everybody's measured time under each expression; empty when nothing was measured.

    frame, time, person, emotion, span: (n,) of each measured face, by frame. Faces of one frame are no series: each
    frame's seconds are summed over its people first. People who are in the picture together may react to one thing:
    episodes of an expression that begin within `TOGETHER` of each other count once.
    """
    if not len(emotion):
        return ()
    number = np.cumsum(np.diff(frame, prepend=frame[0]) != 0)
    order = np.argsort(person, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(person[order])) + 1)
    begun = np.concatenate([rows[_onsets(emotion[rows], span[rows])] for rows in parts])
    begun = begun[np.argsort(time[begun], kind="stable")]
    each = [begun[emotion[begun] == k] for k in range(len(EXPRESSIONS))]
    seen = np.array([_apart(time[mine], person[mine]) for mine in each])
    return _shares(number, emotion, span, seen, seed)


def _apart(times: NDArray[np.float64], people: NDArray[np.int32]) -> int:
    """How many of these times (n,), in order, count where one of another person within `TOGETHER` of the last that
    counted does not."""
    count, last, whose = 0, -np.inf, -1
    for time, person in zip(times.tolist(), people.tolist(), strict=True):
        if person == whose or time - last > TOGETHER:
            count, last, whose = count + 1, time, person
    return count


def episodes(emotion: NDArray[np.int8], span: NDArray[np.float64]) -> NDArray[np.int64]:
    """(7,) how often one person began to show each expression. emotion: (n,) of measured faces in time order, n at
    least 1. span: (n,) seconds. Less than `BRIEF` of something else does not end an episode."""
    return np.bincount(emotion[_onsets(emotion, span)], minlength=len(EXPRESSIONS)).astype(np.int64)


def _onsets(emotion: NDArray[np.int8], span: NDArray[np.float64]) -> NDArray[np.intp]:
    """Where an episode begins, of any expression."""
    first = np.flatnonzero(np.diff(emotion, prepend=-1))
    shown = emotion[first]
    ends = np.cumsum(np.add.reduceat(span, first))
    begins = np.append(0.0, ends[:-1])
    kept = []
    for k in np.unique(shown):
        (mine,) = np.nonzero(shown == k)
        # Rounding: a pause of five frames of 0.04 s is one of 0.2 s.
        paused = np.append(True, begins[mine[1:]] - ends[mine[:-1]] >= BRIEF - 1e-6)
        kept.append(first[mine[paused]])
    return np.concatenate(kept)


def _shares(
    step: NDArray[np.int64],
    emotion: NDArray[np.int8],
    span: NDArray[np.float64],
    seen: NDArray[np.int64],
    seed: int,
) -> tuple[Share, ...]:
    """step: (n,) number of each face's frame, from 0 and ascending. seen: (7,) episodes."""
    if not span.any():
        # A still picture's faces count alike; one instant has no long run that an interval could be about.
        counts = np.bincount(emotion, minlength=len(EXPRESSIONS))
        return tuple(Share(float(n / len(emotion)), None, None, int(k)) for n, k in zip(counts, seen, strict=True))
    steps = int(step[-1]) + 1
    if steps > MAX_STEPS:
        step, steps = ((step + 1) * MAX_STEPS - 1) // steps, MAX_STEPS
    cells = step * len(EXPRESSIONS) + emotion
    seconds = np.bincount(cells, span, steps * len(EXPRESSIONS)).reshape(steps, -1)
    total = seconds.sum(axis=1)
    lasting = total > 0
    return shares_with_intervals(seconds[lasting] / total[lasting, None], total[lasting], seen, seed)


def shares_with_intervals(
    indicators: NDArray[np.float64], weights: NDArray[np.float64], seen: NDArray[np.int64], seed: int
) -> tuple[Share, ...]:
    """Weighted share of each column of a series (n, k) in 0..1, with a 95 % interval for the share in the long run of
    footage like this, from which this is a sample of autocorrelated steps. seen: (k,) episodes of each column.

    The wider of two intervals. One comes from the circular block bootstrap (Politis & Romano 1992) with automatic block
    length (Politis & White 2004, doi 10.1081/ETR-120028836): its variance says how many independent frames the series
    is worth, and that number enters Wilson's score interval (1927) with Student's quantile for the number of blocks.
    The other is of an alternating renewal process whose stretches are of exponential length: then the logit of a share
    that was seen in n episodes has a variance of 2 / n (Cox 1962, Renewal Theory, ch. 7). It holds where a bootstrap of
    a few blocks collapses, and the bootstrap holds where stretches differ more in length.

    No interval where fewer than `FEWEST` episodes were seen, and where nothing ever changed: no method tells one from
    data that hold hardly any change.
    """
    values = weights @ indicators / weights.sum()
    # Told from the series: rounding leaves the mean of ones beside 1.
    varying = np.ptp(indicators, axis=0) > 1e-9
    values = np.where(varying, values, np.round(values))
    known = varying & (seen >= FEWEST)
    bounds = np.full((len(values), 2), np.nan)
    if known.any():
        bounds[varying] = _bootstrap_intervals(indicators[:, varying], weights, values[varying], seed)
        mine, count = values[known], seen[known]
        half = np.array([_student_quantile(n - 1.0) for n in count]) * np.sqrt(2 / count)
        # tanh, because it does not overflow.
        renewal = 0.5 * (1 + np.tanh((np.log(mine / (1 - mine)) + half * [[-1.0], [1.0]]) / 2))
        bounds[known, 0] = np.minimum(np.minimum(bounds[known, 0], renewal[0]), mine)
        bounds[known, 1] = np.maximum(np.maximum(bounds[known, 1], renewal[1]), mine)
    told = zip(bounds.tolist(), known, strict=True)
    ends = [(low, high) if has_one else (None, None) for (low, high), has_one in told]
    return tuple(
        Share(float(value), low, high, int(count)) for value, (low, high), count in zip(values, ends, seen, strict=True)
    )


def _bootstrap_intervals(
    indicators: NDArray[np.float64], weights: NDArray[np.float64], values: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """(k, 2) bounds of the weighted shares (k,) of columns (n, k) that all vary."""
    steps = len(indicators)
    # Three times the length that minimises the variance's squared error: what matters for coverage is its bias, which
    # falls with the length, and Student's quantile pays for the fewer blocks.
    block = min(3 * max(_block_lengths(indicators)), max(1, steps // 5))
    variances = _bootstrap_variances(indicators, weights, values, block, np.random.default_rng(seed))
    variances *= steps / (steps - block) if steps > block else 1.0
    quantile = _student_quantile(max(steps / block - 1, 2.0))
    worth = np.clip(values * (1 - values) / np.maximum(variances, 1e-12), 1.0, steps)
    return np.array([wilson(value, count, quantile) for value, count in zip(values, worth, strict=True)])


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
    """97.5 % quantile of Student's t by Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5), within 1 % from 3
    on."""
    z = NORMAL_QUANTILE
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))
