"""A card in the parts that people read, whatever of them it holds. `reading.py` makes them; terminal and page show
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from visagram.export.words import exact
from visagram.plots.diagrams import Bin

ROLES = {
    "expression": "Reads apparent expression",
    "detection": "Finds faces",
    "embedding": "Tells people apart",
    "generation": "Makes faces of people who do not exist",
}
ACCURACY = "Accuracy"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share 0..1 with its 95 % interval, where the card states one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def span(self) -> str:
        """The interval as '91.6 – 93.5 %', empty where there is none."""
        return "" if self.low is None or self.high is None else f"{self.low * 100:.1f} – {exact(self.high)}"

    def __str__(self) -> str:
        return exact(self.value)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure or an expression's recall. without_copies: on the faces of which the training data holds no copy."""

    name: str
    meaning: str
    all: Estimate
    without_copies: Estimate | None


@dataclass(frozen=True, slots=True)
class Measured:
    """On which faces, the figures over all of them, each expression's recall, and agreement with people's votes.

    published: whether they are its author's, on other faces than ours.
    """

    split: str
    faces: int | None
    figures: tuple[Figure, ...]
    recalls: tuple[Figure, ...]
    kl: float | None
    correlations: dict[str, float]
    published: bool = False

    @property
    def compared(self) -> bool:
        """Whether there are figures without copies."""
        return any(figure.without_copies for figure in (*self.figures, *self.recalls))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What happens where a face is unsure below these thresholds, in words: the share `coverage` of faces is answered,
    with `accuracy`."""

    below: str
    coverage: float
    accuracy: float

    @property
    def risk(self) -> float:
        return 1 - self.accuracy


@dataclass(frozen=True, slots=True)
class Point:
    """Of the risk-coverage curve: at `threshold` the share `coverage` of faces is answered, with `accuracy`."""

    threshold: float
    coverage: float
    accuracy: float

    @property
    def risk(self) -> float:
        return 1 - self.accuracy


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What was measured on faces of another kind than those that the model learned from. error: of calibration, and
    perfect: what a perfectly calibrated model shows of it uncorrected; None in cards that do not say. uncorrected: as
    counted. answered: share that it is not unsure of, and right: of those. recalls: by expression, those that the data
    hold."""

    HEADS: ClassVar[tuple[str, ...]] = (
        "faces of",
        "number",
        "accuracy",
        "mean recall",
        "calibration error",
        "uncorrected",
        "if perfect",
        "answered",
        "right of those",
    )

    EXPLAINED: ClassVar[str] = (
        "The calibration error is less what chance adds to it; uncorrected it is as counted. If perfect: what a "
        "perfectly calibrated model shows uncorrected on as many faces."
    )

    name: str
    what: str
    faces: int
    accuracy: Estimate
    macro_recall: Estimate
    error: Estimate | None
    uncorrected: Estimate
    perfect: Estimate | None
    answered: float | None
    right: float | None
    recalls: Mapping[str, float]

    @property
    def row(self) -> tuple[str, ...]:
        """In words, under `HEADS`."""
        found = (self.accuracy, self.macro_recall, self.error, self.uncorrected, self.perfect)
        estimates = (f"{each} ({each.span})" if each and each.span else str(each or "–") for each in found)
        sure = ("–" if each is None else exact(each) for each in (self.answered, self.right))
        return (self.name, f"{self.faces:,}", *estimates, *sure)

    @property
    def about(self) -> str:
        """What the faces are, and the recall of each expression."""
        recalls = ", ".join(f"{name} {exact(value)}" for name, value in self.recalls.items())
        return f"{self.name}: {self.what}. Recall: {recalls}."


@dataclass(frozen=True, slots=True)
class Data:
    """Something that the model learned from or was measured on."""

    name: str
    what: str
    terms: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A card, read. Texts are empty, lists empty and parts None where it says nothing.

    confusion: rows are labels, columns answers, in the order of `labels`. chosen: what happens at the threshold below
    which a face is unsure. calibration: sentences. steady: mean total variation of posteriors by change of the face,
    and in `changes` what that change is. speed: milliseconds by what takes them. more: all other facts.
    """

    name: str
    task: str
    version: str
    licence: str
    bytes: int | None
    sha256: str
    intended_use: str
    misuse: tuple[str, ...]
    apparent: str
    data: tuple[Data, ...]
    trained_on: str
    limits: tuple[str, ...]
    measured: Measured | None
    elsewhere: tuple[Elsewhere, ...]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[Bin, ...]
    curve: tuple[Point, ...]
    chosen: Chosen | None
    calibration: tuple[str, ...]
    steady: dict[str, float]
    changes: str
    speed: dict[str, float]
    speed_note: str
    more: dict[str, Any]

    @property
    def role(self) -> str:
        return ROLES.get(self.task, self.task.capitalize())

    @property
    def accuracy(self) -> Estimate | None:
        """The accuracy, where it was measured."""
        figures = self.measured.figures if self.measured else ()
        return next((figure.all for figure in figures if figure.name == ACCURACY), None)

    @property
    def published(self) -> bool:
        """Whether its figures are its author's."""
        return self.measured is not None and self.measured.published

    @property
    def fastest(self) -> str:
        """The first of its times, as '1.2 ms a face' or '4 s a frame'; empty where none is known."""
        for what, milliseconds in self.speed.items():
            return f"{duration(milliseconds)} {'a ' + what.removeprefix('one ') if what.startswith('one ') else what}"
        return ""


def duration(milliseconds: float) -> str:
    """1.23 as '1.2 ms', 4000 as '4 s'."""
    return f"{milliseconds / 1000:.2g} s" if milliseconds >= 1000 else f"{milliseconds:.3g} ms"
