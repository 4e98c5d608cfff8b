"""Conditions of a study compared, for the small numbers of participants that studies of faces have.

The unit is the participant: frames, people and videos of one participant are not independent, so they are averaged
first, and only the spread between participants enters an interval or a test.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.difference import CONFIDENCE, NOTHING, Estimated, Two, bound, estimate, exchanged, least_p
from visagram.core.types import EXPRESSIONS

MEASURES = {"share": "share of measured time", "mean_posterior": "mean posterior"}
LEAST = 2.0
"""Seconds that must have been measured of a participant in a group: one second must not count like ten minutes."""
LEVEL = 0.05
RARE, FEW = 0.05, 30
"""Below this mean, and with fewer participants than this, the interval of a mean is known to be too narrow, and a
difference is said to be small too often."""
LOPSIDED, SPREAD = 3.0, 2.0
"""Ratios of sizes, and of deviations, from which on a comparison of two groups errs more often than it says."""
NAMED = 5
"""Participants that a note names."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What was measured of one participant in one group, or of a part of it (a video, a window).

    values: one per expression, in 0..1. measured: seconds, the part's weight. still: a picture, which lasts no time;
    then `measured` only says how much it counts.
    """

    group: str
    participant: str
    values: tuple[float, ...]
    measured: float
    still: bool = False


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean over the participants of a group with its 95 % interval; both bounds are None for one participant. Where all
    have the same value they are bounds and no interval (`difference.bound`). deviation: standard deviation between
    participants."""

    expression: str
    value: float
    low: float | None
    high: float | None
    deviation: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """participants: in alphabetical order. values: (participants, 7) each one's measure. measured: seconds."""

    name: str
    participants: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    means: tuple[Mean, ...]
    measured: float

    @property
    def n(self) -> int:
        return len(self.participants)


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of `second` minus that of `first`: the difference of the means of both groups. What cannot be computed is
    None.

    test: 'paired t' (all are in both), 'Welch t' (nobody is), 'GEE' (some are), 'exact' (no spread at all) or '' (too
    few participants). n: participants of each group, or pairs. effect: Hedges' g, in standard deviations. p_holm: `p`
    corrected for the seven expressions of the pair. p_family: by exchanges instead of a distribution, corrected for
    all differences of the comparison. p_equivalent: that the difference is as large as the declared smallest one or
    larger (two one-sided tests), corrected for all of them; None where none was declared.
    """

    first: str
    second: str
    expression: str
    value: float
    low: float | None
    high: float | None
    effect: float | None
    p: float | None
    p_holm: float | None
    p_family: float | None
    p_equivalent: float | None
    test: str
    n: tuple[int, ...]

    @property
    def turned(self) -> Difference:
        """Of `first` minus `second`."""
        low, high = (None if end is None else -end for end in (self.high, self.low))
        effect = None if self.effect is None else -self.effect
        return dataclasses.replace(
            self,
            first=self.second,
            second=self.first,
            value=-self.value,
            low=low,
            high=high,
            effect=effect,
            n=self.n[::-1],
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """groups: in the order in which they first came. differences: each pair of groups, each expression. notes: what a
    reader has to know of these data. unit: 'participant' or 'video'. least: seconds; whoever was measured for less is
    not in it. smallest: the smallest difference of interest that was declared, in 0..1."""

    measure: str
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    unit: str = "participant"
    least: float = LEAST
    smallest: float | None = None

    @property
    def headline(self) -> str:
        """How many of the differences are more than chance explains, in one sentence that says over what that is."""
        judged = [each for each in self.differences if each.p_family is not None]
        if not judged:
            return "No difference can be judged."
        found = sum(each.p_family < LEVEL for each in judged if each.p_family is not None)
        number = f"{len(judged)} difference{'s' if len(judged) > 1 else ''}"
        return (
            f"{found or 'None'} of the {number} of this comparison {'are' if found > 1 else 'is'} more than chance "
            f"explains, over all of them together (family-wise p below {LEVEL}; {self.unit}s exchanged)."
        )

    @property
    def method(self) -> str:
        return method(self.unit, self.least, self.smallest)


def method(unit: str = "participant", least: float = LEAST, smallest: float | None = None) -> str:
    """How a comparison is computed, for a paper."""
    if unit == "participant":
        whole = (
            "The unit is the participant: several videos of one participant in a condition were averaged first, "
            "weighted by measured time; where several people were seen in a participant's video, the one named like "
            "the participant or else the one measured longest is the participant. A video without a participant "
            "counts as one, with all its people."
        )
    else:
        whole = (
            "Participants were compared with each other, so the unit is the video: the people in a video were averaged "
            "first, weighted by measured time. What is said holds for these participants: the videos of one are no "
            "sample of people."
        )
    text = (
        f"{whole} Only {unit}s with at least {least:g} s of measured time in a condition count. Means are over "
        f"{unit}s; their 95 % intervals are t intervals on the logit scale (delta method; Korn and Graubard 1998), "
        "which stay within 0 and 100 %. Each difference is the difference of these means. Its standard error comes "
        f"from generalised estimating equations with an independent working correlation, {unit}s as clusters and the "
        "bias-reduced variance CR2 (Liang and Zeger 1986; Bell and McCaffrey 2002), with Satterthwaite's degrees of "
        f"freedom: the paired t test where all {unit}s appear in both conditions, Welch's t test where none does. 95 "
        "% intervals belong to these tests, cut off at 100 points. Where the difference is the same in all pairs, or "
        f"no two {unit}s of a group differ, bounds that hold for any distribution stand in their place, and the test "
        "is by exchanges. Effect sizes are Hedges' g (with the mean of both standard deviations for pairs, the "
        "pooled one otherwise; Lakens 2013). P values are given by themselves, corrected for the seven expressions "
        "of a pair (Holm 1979), and family-wise over all differences of the comparison: by exchanging conditions "
        f"within and between {unit}s, the largest statistic of the seven expressions (Westfall and Young 1993), times "
        "the number of pairs of conditions. That tests whether conditions can be exchanged, spread included: where "
        "they spread differently, as short videos in one and long ones in another do, it is too small. The seven "
        f"shares of a {unit} add up to one, so their differences are not independent of each other."
    )
    if smallest is not None:
        text += (
            f" Differences were tested for equivalence within {100 * smallest:g} percentage points, which was declared "
            "beforehand (two one-sided tests, Schuirmann 1987; corrected for all differences, Holm 1979)."
        )
    return text


def compare(
    units: Iterable[Unit],
    measure: str = "share",
    *,
    unit: str = "participant",
    least: float = LEAST,
    smallest: float | None = None,
    contrasts: Sequence[tuple[str, str]] = (),
    seed: int = 0,
) -> Comparison:
    """Every group's mean of each expression, and every pair of groups' difference. measure: a key of `MEASURES`. least,
    smallest: as in `Comparison`. contrasts: only these pairs, by name; all where there are none. seed: of the exchanges
    where there are too many to make them all.

    The interval of a mean m with standard error s is logit(m) -+ t * s / (m * (1 - m)), transformed back: for n from 5
    to 30 and shares spread as a beta distribution with a concentration of 1.5 to 15 around 10 % to 50 % it holds the
    truth in 82 % of studies and more, where the plain t interval falls to 73 % and leaves the range of shares. Rare
    expressions of few participants stay too narrow with every method that knows nothing but the data; `notes` says so.
    """
    groups, notes = _groups(units, unit, least)
    notes += [f"{g.name}: one {unit}, so there is no interval." for g in groups if g.n == 1]
    by_name = {group.name: group for group in groups}
    planned = [(by_name[a], by_name[b]) for a, b in contrasts if a in by_name and b in by_name]
    pairs, differences = planned if contrasts else list(combinations(groups, 2)), []
    for first, second in pairs:
        found, note = _differences(first, second, len(pairs), unit, smallest, seed)
        differences += found
        notes += note
    equivalent = holm([each.p_equivalent for each in differences])
    differences = [dataclasses.replace(d, p_equivalent=p) for d, p in zip(differences, equivalent, strict=True)]
    rare = [g.name for g in groups if 1 < g.n < FEW and any(0 < m.value < RARE for m in g.means)]
    if rare:
        notes.append(
            f"{', '.join(rare)}: fewer than {FEW} {unit}s, so the intervals of expressions below "
            f"{RARE:.0%} are too narrow."
        )
    return Comparison(measure, tuple(groups), tuple(differences), tuple(notes), unit, least, smallest)


def to_json(comparison: Comparison) -> dict[str, Any]:
    """{measure, measure_label, confidence, unit, least, smallest, groups, differences, headline, notes, method} in JSON
    types."""
    groups = []
    for group in comparison.groups:
        values = [dict(zip(EXPRESSIONS, row, strict=True)) for row in group.values]
        people = [{"participant": p, "values": v} for p, v in zip(group.participants, values, strict=True)]
        means = [dataclasses.asdict(mean) for mean in group.means]
        head = {"name": group.name, "n": group.n, "measured": group.measured}
        groups.append(head | {"means": means, "participants": people})
    return {
        "measure": comparison.measure,
        "measure_label": MEASURES[comparison.measure],
        "confidence": CONFIDENCE,
        "unit": comparison.unit,
        "least": comparison.least,
        "smallest": comparison.smallest,
        "groups": groups,
        "differences": [dataclasses.asdict(d) | {"n": list(d.n)} for d in comparison.differences],
        "headline": comparison.headline,
        "notes": list(comparison.notes),
        "method": comparison.method,
    }


def mean_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """95 % interval of the mean of shares (n,) in 0..1, or bounds where they do not differ; None for one."""
    from scipy.stats import t

    n, mean = len(values), float(values.mean())
    if n < 2:
        return None
    if np.ptp(values) < NOTHING:
        return bound(mean, n, 0.0, 1.0)
    error = float(values.std(ddof=1)) / np.sqrt(n)
    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error / (mean * (1 - mean))
    logit = np.log(mean / (1 - mean))
    # tanh, because it does not overflow.
    low, high = (float(0.5 * (1 + np.tanh((logit + side * half) / 2))) for side in (-1, 1))
    return min(low, mean), max(high, mean)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """P values corrected for their number by Holm's method (1979); None stays None and does not count."""
    known = sorted((value, k) for k, value in enumerate(p) if value is not None)
    corrected: list[float | None] = [None] * len(p)
    largest = 0.0
    for rank, (value, k) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - rank)))
        corrected[k] = largest
    return corrected


def _groups(units: Iterable[Unit], unit: str, least: float) -> tuple[list[Group], list[str]]:
    """Groups of those who were measured for long enough, and notes on those who were not."""
    parts: dict[str, dict[str, list[Unit]]] = {}
    broken: set[str] = set()
    for each in units:
        if each.measured > 0 and each.values and np.isfinite(each.values).all():
            parts.setdefault(each.group, {}).setdefault(each.participant, []).append(each)
        elif each.measured > 0 and each.values:
            broken.add(each.participant)
    groups: list[Group] = []
    notes = [f"Values that are no numbers left out ({', '.join(sorted(broken)[:NAMED])})."] if broken else []
    for name, people in parts.items():
        short = sorted(p for p, theirs in people.items() if not _long(theirs, least))
        if short:
            who = ", ".join(short[:NAMED]) + (f" and {len(short) - NAMED} more" if len(short) > NAMED else "")
            some = f"1 {unit}" if len(short) == 1 else f"{len(short)} {unit}s"
            notes.append(f"{name}: {some} measured for less than {least:g} s left out ({who}).")
        kept = {p: theirs for p, theirs in people.items() if p not in short}
        if kept:
            groups.append(_group(name, kept))
    return groups, notes


def _long(units: Sequence[Unit], least: float) -> bool:
    return any(each.still for each in units) or sum(each.measured for each in units) >= least - 1e-9


def _group(name: str, people: dict[str, list[Unit]]) -> Group:
    order = sorted(people)
    rows = [np.average([u.values for u in people[p]], axis=0, weights=[u.measured for u in people[p]]) for p in order]
    values = np.clip(np.array(rows, np.float64), 0.0, 1.0)
    seconds = sum(each.measured for units in people.values() for each in units)
    means = []
    for k, expression in enumerate(EXPRESSIONS):
        low, high = mean_interval(values[:, k]) or (None, None)
        deviation = float(values[:, k].std(ddof=1)) if len(values) > 1 else None
        means.append(Mean(expression, float(values[:, k].mean()), low, high, deviation))
    return Group(name, tuple(order), tuple(tuple(row) for row in values.tolist()), tuple(means), seconds)


def _two(first: Group, second: Group) -> Two:
    both = sorted(set(first.participants) & set(second.participants))
    ordered = []
    for group in (first, second):
        rows = dict(zip(group.participants, group.values, strict=True))
        ordered.append(np.array([rows[p] for p in [*both, *sorted(rows.keys() - set(both))]]))
    return Two(ordered[0], ordered[1], len(both))


def _differences(
    first: Group, second: Group, pairs: int, unit: str, smallest: float | None, seed: int
) -> tuple[list[Difference], list[str]]:
    """Those of one of so many pairs of groups, and what is to say of it. p values of equivalence are not corrected
    yet."""
    two, name = _two(first, second), f"{first.name} and {second.name}"
    n = (first.n,) if two.paired else (first.n, second.n)
    values = [other.value - one.value for one, other in zip(first.means, second.means, strict=True)]
    plain = [
        Difference(first.name, second.name, expression, value, None, None, None, None, None, None, None, "", n)
        for expression, value in zip(EXPRESSIONS, values, strict=True)
    ]
    if min(n) < 2:
        return plain, []
    notes = []
    if two.both and not two.paired:
        alone = first.n + second.n - 2 * two.both
        notes.append(f"{name}: {two.both} appear in both and {alone} in one of them; all count (GEE).")
    if two.paired and first.n == 2:
        notes.append(f"{name}: two pairs tell no effect size, whose correction needs more.")
    sizes = sorted((first.n, second.n))
    if not two.paired and sizes[1] >= LOPSIDED * sizes[0]:
        notes.append(
            f"{name}: much fewer {unit}s in one of them, so the intervals of differences and p (Holm) err more often "
            "than they say. The family-wise p does not, where both spread alike."
        )
    if not two.paired and _spread_apart(first, second):
        notes.append(
            f"{name}: {unit}s differ much more in one of them, so a small p, the family-wise one too, may be of the "
            "spread and not of the mean."
        )
    if pairs * least_p(two) >= LEVEL:
        notes.append(f"{name}: too few {unit}s for any difference to be told from chance, however large it is.")
    tests, (alone_p, together, _) = estimate(two), exchanged(two, seed)
    found = []
    for k, each in enumerate(plain):
        one, other = two.one[:, k], two.other[:, k]
        if tests.error[k] > NOTHING:
            each = _tested(each, one, other, float(tests.error[k]), float(tests.freedom[k]), two)
            if smallest is not None and not _rare(first, second, k):
                each = dataclasses.replace(each, p_equivalent=_equivalence(each.value, smallest, tests, k))
        else:
            low, high = _bounds(one, other, two.paired)
            each = dataclasses.replace(each, low=low, high=high)
            if abs(each.value) > NOTHING:
                each = dataclasses.replace(each, p=float(alone_p[k]), test="exact")
        judged = bool(each.test)
        found.append(dataclasses.replace(each, p_family=min(1.0, pairs * float(together[k])) if judged else None))
    untested = [d.expression for d in found if d.test and d.p_equivalent is None]
    if smallest is not None and untested:
        notes.append(f"{name}: too rare or too much alike to be tested for equivalence: {', '.join(untested)}.")
    corrected = holm([d.p for d in found])
    return [dataclasses.replace(d, p_holm=p) for d, p in zip(found, corrected, strict=True)], notes


def _tested(
    plain: Difference,
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    error: float,
    freedom: float,
    two: Two,
) -> Difference:
    from scipy.stats import t

    half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    spreads, sizes = (one.var(ddof=1), other.var(ddof=1)), (len(one), len(other))
    if two.paired:
        scale, weight = float(np.sqrt(spreads[0]) + np.sqrt(spreads[1])) / 2, sizes[0] - 1.0
    else:
        weight = sum(sizes) - 2.0
        scale = float(np.sqrt(sum((n - 1) * spread for n, spread in zip(sizes, spreads, strict=True)) / weight))
    return dataclasses.replace(
        plain,
        low=max(-1.0, plain.value - half),
        high=min(1.0, plain.value + half),
        effect=plain.value / scale * _small_sample(weight) if scale > NOTHING and weight > 1 else None,
        p=float(2 * t.sf(abs(plain.value) / error, freedom)),
        test="paired t" if two.paired else "GEE" if two.both else "Welch t",
    )


def _bounds(one: NDArray[np.float64], other: NDArray[np.float64], paired: bool) -> tuple[float, float]:
    """Bounds of the difference where nobody differs."""
    if paired:
        return bound(float(other.mean() - one.mean()), len(one), -1.0, 1.0)
    # Each with half of the doubt, so that both hold.
    doubt = (1 - CONFIDENCE) / 2
    (low, high), (least, most) = (bound(float(v.mean()), len(v), 0.0, 1.0, doubt) for v in (one, other))
    return least - high, most - low


def _spread_apart(first: Group, second: Group) -> bool:
    """Whether the deviations of an expression that is not rare in both are far apart."""
    for one, other in zip(first.means, second.means, strict=True):
        if max(one.value, other.value) >= RARE and one.deviation is not None and other.deviation is not None:
            low, high = sorted((one.deviation, other.deviation))
            if high > SPREAD * low and high > NOTHING:
                return True
    return False


def _rare(first: Group, second: Group, k: int) -> bool:
    """Whether an expression is so rare among so few that two one-sided tests say "equal" too often."""
    return any(group.n < FEW and group.means[k].value < RARE for group in (first, second))


def _equivalence(value: float, smallest: float, tests: Estimated, k: int) -> float:
    """P of two one-sided tests (Schuirmann 1987)."""
    from scipy.stats import t

    return float(t.sf((smallest - abs(value)) / tests.error[k], tests.freedom[k]))


def _small_sample(freedom: float) -> float:
    """Hedges' correction of a standardised difference for few participants (1981), exact form. freedom: above 1."""
    from scipy.special import gammaln

    return float(np.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / np.sqrt(freedom / 2))
