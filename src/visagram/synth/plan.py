"""Which expressions a model is weak at or has seen little of, and how many faces of each would help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from visagram.core.types import EXPRESSIONS
from visagram.errors import UsageError
from visagram.evaluate.metrics import Figures

RARE = 0.5
"""Of an even share of the training faces, below which an expression is rare."""
MOST_RATIO = 1.0
"""Generated faces of an expression to each real one at most: beyond it a model learns the generator."""


@dataclass(frozen=True, slots=True)
class Need:
    """An expression that wants faces. real: training faces of it. recall, low, high: on the faces held out, with the
    95 % interval. wanted: generated faces."""

    expression: str
    real: int
    recall: float
    low: float
    high: float
    rare: bool
    weak: bool
    wanted: int

    def __str__(self) -> str:
        why = " and ".join([*(["rare"] if self.rare else []), *(["weak"] if self.weak else [])])
        return (
            f"{self.expression}: {why}, {self.real:,} real faces, recall {self.recall:.1%} ({self.low:.1%} to "
            f"{self.high:.1%}); {self.wanted:,} generated faces wanted"
        )


def plan(figures: Figures, counts: Mapping[str, int], ratio: float) -> list[Need]:
    """What is wanted, the weakest first. figures: on faces held out. counts: training faces by expression. ratio:
    generated faces to each real one.

    Rare is an expression with less than half of an even share of the training faces; weak is one whose recall lies
    below the mean of all, with an interval that ends below the accuracy. Raises `UsageError`.
    """
    if not 0 < ratio <= MOST_RATIO:
        raise UsageError(f"The ratio is {ratio}; it must be above 0 and at most {MOST_RATIO:.0f}.")
    even = sum(counts.values()) / len(EXPRESSIONS)
    needs = []
    for each in figures.classes:
        real = counts.get(each.expression, 0)
        rare = real < RARE * even
        weak = each.recall.value < figures.macro_recall.value and each.recall.high < figures.accuracy.value
        if rare or weak:
            wanted = max(1, round(ratio * real))
            recall = each.recall
            needs.append(Need(each.expression, real, recall.value, recall.low, recall.high, rare, weak, wanted))
    return sorted(needs, key=lambda need: need.recall)


def to_json(needs: list[Need]) -> list[dict[str, Any]]:
    return [asdict(need) for need in needs]
