"""One model on several sets of labelled pictures, where a face that is not found is one that is not answered."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visagram.core.types import EXPRESSIONS
from visagram.errors import UsageError
from visagram.evaluate import data as labelled
from visagram.evaluate.data import Labelled
from visagram.evaluate.intervals import Estimate, share
from visagram.evaluate.run import Evaluation, Result, clear

LONGEST = 60
"""Characters of a set's name in that of its folder."""


@dataclass(frozen=True, slots=True)
class Part:
    """The model on one set. result: the evaluation by itself. clear: pictures whose label is clear.

    answered: of those, the share in which a face was found and is not unsure by the model's card. right: of the
    answered, the share that is as labelled, None where none is answered. Both are None where the card names no
    threshold. neutral: of the faces that count, the share whose most probable expression is neutral.
    """

    result: Result
    clear: int
    answered: Estimate | None
    right: Estimate | None
    neutral: Estimate

    @property
    def name(self) -> str:
        return self.result.data.name

    @property
    def evaluation(self) -> Evaluation:
        return self.result.evaluations[0]

    @property
    def found(self) -> int:
        """Pictures with a face, cropped ones included."""
        return self.result.data.pictures - len(self.result.data.not_found)


@dataclass(frozen=True, slots=True)
class Suite:
    """One model on all sets, in the order in which they were given; at least one. by_size: each picture was taken as a
    cropped face or looked at by its size; else all were taken."""

    parts: tuple[Part, ...]
    by_size: bool

    @property
    def evaluation(self) -> Evaluation:
        """Of the first set; what it says of the model holds for all."""
        return self.parts[0].evaluation

    @property
    def seed(self) -> int:
        return self.parts[0].result.seed

    def folder(self, number: int) -> str:
        """Of the evaluation of the set with this number from 0 on. The number keeps it apart from all others."""
        name = re.sub(r"[^\w.-]+", "-", self.parts[number].name)[:LONGEST].strip("-.")
        return f"{number + 1}-{name}" if name else f"{number + 1}"


def read_suite(
    paths: Sequence[Path],
    unpacked: Callable[[Path], Path] = lambda path: path,
    *,
    split: str | None = None,
    group: str | None = None,
    skip: Sequence[str] = (),
) -> list[Labelled]:
    """The labelled pictures at each path, all under different names.

    unpacked: where the data of a path lies. split: of the sets that are divided into splits; others are taken whole.
    group and skip: as in `data.read`. Raises `DataError` and `UsageError`, also for what is given twice.
    """
    sets: list[Labelled] = []
    whole = True
    for k, path in enumerate(paths):
        if path.resolve() in [other.resolve() for other in paths[:k]]:
            raise UsageError(f"{path} is given twice: a set is measured once.")
        place = unpacked(path)
        divided = labelled.splits_of(place) != [""]
        whole = whole and not divided
        found = labelled.read(place, split=split if divided else None, group=group, skip=skip)
        sets.append(dataclasses.replace(found, name=_unlike(found.name, [each.name for each in sets])))
    if split is not None and whole:
        raise UsageError(f"There is no split '{split}': none of the sets is divided into splits.")
    return sets


def suite_of(sets: Sequence[Labelled], results: Sequence[Result], *, by_size: bool) -> Suite:
    """The evaluations of one model on these sets, each with its own, put together."""
    return Suite(tuple(_part(data, result) for data, result in zip(sets, results, strict=True)), by_size)


def _part(data: Labelled, result: Result) -> Part:
    (found,) = result.evaluations
    answers, random, pictures = found.figures.answers, np.random.default_rng(result.seed), int(clear(data).sum())
    neutral = int((answers.expression == EXPRESSIONS.index("neutral")).sum())
    part = Part(result, pictures, None, None, share(neutral, found.figures.faces, random))
    if found.unsure_below is None:
        return part
    sure = answers.sure(found.unsure_below)
    number, hits = int(sure.sum()), int(answers.right[sure].sum())
    right = share(hits, number, random) if number else None
    return dataclasses.replace(part, answered=share(number, pictures, random), right=right)


def _unlike(name: str, others: Sequence[str]) -> str:
    """The name, with a number where another set has it."""
    number, found = 1, name
    while found in others:
        number += 1
        found = f"{name} ({number})"
    return found
