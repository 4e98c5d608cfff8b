"""Whether a candidate takes the place of the model in force."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from visagram.evaluate.compare import Comparison
from visagram.evaluate.intervals import Estimate
from visagram.export.words import listed

WORSE = 0.01
"""Accuracy and mean recall that a candidate may lose at most, at the lower end of the interval; calibration error that
it may gain."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """reasons: for and against, as sentences; all that speak against come first."""

    promote: bool
    reasons: tuple[str, ...]


class Judged(NamedTuple):
    """Both models on one set of real faces. data: its name."""

    data: str
    found: Comparison


def decide(first: Judged, further: Sequence[Judged], wanted: Sequence[str]) -> Verdict:
    """Compare a candidate with the model in force (candidate minus model) on sets of real faces.

    first: where it must be better: macro F1, or the mean recall of the expressions that were `wanted`, must gain with
    an interval above 0, and accuracy, by McNemar's test too, mean recall and calibration must not be worse. further:
    on none of these may they be worse either. No more than two figures may speak for it: of many, one always gains by
    chance.
    """
    against, gains = [], []
    for name, gain in _gains(first.found, wanted):
        if gain.low > 0:
            gains.append(f'On "{first.data}" {name} gains {_points(gain)}.')
    if not gains:
        best = max(_gains(first.found, wanted), key=lambda each: each[1].value)
        against.append(f'On "{first.data}" nothing surely gains; the most is {best[0]}, {_points(best[1])}.')
    for data, found in (first, *further):
        against += [f'On "{data}" {text}' for text in _losses(found)]
    changes = [
        f'by {_points(found.accuracy)} on "{data}" (McNemar p = {found.p:.3f})' for data, found in (first, *further)
    ]
    return Verdict(not against, (*against, *gains, f"Accuracy changes {listed(changes)}."))


def _gains(found: Comparison, wanted: Sequence[str]) -> list[tuple[str, Estimate]]:
    named = [name for name in wanted if name in found.recalls]
    gains = [("macro F1", found.macro_f1)]
    if named:
        gains.append((f"recall of {listed(named)}", _mean([found.recalls[name] for name in named])))
    return gains


def _mean(recalls: Sequence[Estimate]) -> Estimate:
    """Of figures over different faces, which are independent."""
    value = sum(each.value for each in recalls) / len(recalls)
    below = math.hypot(*(each.value - each.low for each in recalls)) / len(recalls)
    above = math.hypot(*(each.high - each.value for each in recalls)) / len(recalls)
    return Estimate(value, value - below, value + above)


def _losses(found: Comparison) -> list[str]:
    """What got worse, beyond what chance and the margin allow."""
    losses = []
    if found.p < 0.05 and found.only_first > found.only_second:
        losses.append(
            f"it is right on {found.only_second} faces that the model misses, and misses {found.only_first} that the "
            f"model gets (McNemar p = {found.p:.3f})."
        )
    for name, change in (("accuracy", found.accuracy), ("mean recall", found.macro_recall)):
        if change.high < 0 or change.value < -WORSE:
            losses.append(f"{name} changes by {_points(change)}.")
    if found.ece_debiased > WORSE:
        losses.append(f"the calibration error grows by {100 * found.ece_debiased:.1f} points.")
    return losses


def _points(found: Estimate) -> str:
    return f"{100 * found.value:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
