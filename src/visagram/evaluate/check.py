"""Data for training and evaluation looked over: what is in it, what cannot be read, what two sets share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from visagram import __version__
from visagram.core.types import EXPRESSIONS, Progress
from visagram.evaluate.data import Labelled, read_every_split
from visagram.evaluate.duplicates import DISTANCE, LIKENESS, Pair, Prints, copies
from visagram.evaluate.faces import Batch, read_faces
from visagram.evaluate.marked import marked_pictures
from visagram.workers import Workers

SCHEMA = "visagram-data-check/1"
TRAINING = ("train", "training")
"""What splits to train on are called."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One photograph in two places. first, second: their names. labels: what each was labelled as."""

    first: str
    second: str
    distance: int
    likeness: float
    mirrored: bool
    labels: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Shared:
    """What two sets share. faces: pictures of the second that the first holds too."""

    first: str
    second: str
    faces: int
    copies: tuple[Copy, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One set. training: whether it is there to train on. repeated: pictures that resemble another of the same set.
    unreadable: name to reason. generated: names of files that are marked as generated."""

    name: str
    pictures: int
    counts: dict[str, int]
    judged: int
    repeated: int
    unreadable: dict[str, str]
    training: bool = False
    generated: tuple[str, ...] = ()

    @property
    def tests_on_generated(self) -> bool:
        """Whether it would measure a model on faces that do not exist."""
        return bool(self.generated) and not self.training


@dataclass(frozen=True, slots=True)
class Check:
    """good: nothing is shared, everything can be read, and nothing is tested on generated faces."""

    sets: tuple[Checked, ...]
    shared: tuple[Shared, ...]

    @property
    def good(self) -> bool:
        bad = any(each.unreadable or each.tests_on_generated for each in self.sets)
        return not bad and not any(each.copies for each in self.shared)


def check(
    paths: Sequence[Path], workers: Workers, *, skip: Sequence[str], distance: int = DISTANCE, progress: Progress
) -> Check:
    """Look over every split at `paths` and compare each with each. Raises `DataError` for data that is none.

    A split called so is there to train on, and of several paths the first where it has no splits.
    """
    sets = [data for path in paths for data in read_every_split(path, skip)]
    names = _distinct([data.name for data in sets])
    prints, checked = [], []
    for place, (name, data) in enumerate(zip(names, sets, strict=True)):
        training = data.split in TRAINING or (not data.split and place == 0 and len(sets) > 1)
        seen, unreadable = _read(data, workers, progress)
        prints.append(seen)
        inner = copies(seen, seen, distance)
        repeated = len({place for pair in inner for place in (pair.first, pair.second)})
        judged = int(data.votes.majority.sum()) if data.votes else len(data)
        checked.append(
            Checked(name, len(data), data.counts, judged, repeated, unreadable, training, marked_pictures(data))
        )
    shared = []
    for one, other in combinations(range(len(sets)), 2):
        found = copies(prints[one], prints[other], distance)
        pairs = tuple(_named(pair, sets[one], sets[other]) for pair in found)
        shared.append(Shared(names[one], names[other], len({pair.second for pair in found}), pairs))
    return Check(tuple(checked), tuple(shared))


def to_json(found: Check) -> dict[str, Any]:
    """Everything, each copy by name."""
    return {
        "good": found.good,
        "sets": [
            {
                "name": each.name,
                "pictures": each.pictures,
                "by_expression": each.counts,
                "judged": each.judged,
                "repeated_inside": each.repeated,
                "unreadable": each.unreadable,
                "training": each.training,
                "generated": list(each.generated),
            }
            for each in found.sets
        ],
        "shared": [
            {
                "first": each.first,
                "second": each.second,
                "faces_of_second": each.faces,
                "copies": [
                    {
                        "first": copy.first,
                        "second": copy.second,
                        "distance": copy.distance,
                        "likeness": round(copy.likeness, 4),
                        "mirrored": copy.mirrored,
                        "labels": list(copy.labels),
                    }
                    for copy in each.copies
                ],
            }
            for each in found.shared
        ],
        "least_likeness": LIKENESS,
        "schema": SCHEMA,
        "visagram": __version__,
    }


def _read(data: Labelled, workers: Workers, progress: Progress) -> tuple[Prints, dict[str, str]]:
    prints = Prints(len(data))

    def take(batch: Batch) -> None:
        prints.add(batch.index, batch.luma)

    # Whole pictures are compared: a copy is a copy whether or not the detector finds the face in it.
    faces = read_faces(data, workers, take, cropped=True, progress=progress)
    return prints, {data.where(index): reason for index, reason in faces.unreadable.items()}


def _named(pair: Pair, first: Labelled, second: Labelled) -> Copy:
    return Copy(
        first.where(pair.first),
        second.where(pair.second),
        pair.distance,
        pair.likeness,
        pair.mirrored,
        (EXPRESSIONS[first.labels[pair.first]], EXPRESSIONS[second.labels[pair.second]]),
    )


def _distinct(names: list[str]) -> list[str]:
    """Sets of one name told apart by number."""
    return [f"{name} ({k})" if names.count(name) > 1 else name for k, name in enumerate(names, 1)]
