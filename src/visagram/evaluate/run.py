"""Models measured on labelled pictures: read the data, decode, classify, compute."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.certainty import is_threshold, unsure_below
from visagram.core.types import EXPRESSIONS, Progress
from visagram.errors import DataError
from visagram.evaluate.compare import Comparison, compare
from visagram.evaluate.data import Labelled
from visagram.evaluate.duplicates import Prints, held_too
from visagram.evaluate.faces import Batch, Found, read_faces, refuse_unreadable
from visagram.evaluate.groups import GroupFigures, by_group
from visagram.evaluate.marked import refuse_marked
from visagram.evaluate.metrics import Agreement, Figures, Floats, agreement, measure
from visagram.evaluate.model import Model, Posteriors, open_model
from visagram.models import catalog
from visagram.settings import Settings, cores
from visagram.workers import Workers

RULE = "faces where one of the seven expressions has more than half of all votes"
EVERY = "every face"


@dataclass(frozen=True, slots=True)
class Copies:
    """Pictures that other data holds too. other: its name. pictures: how many."""

    other: str
    pictures: int


@dataclass(frozen=True, slots=True)
class Used:
    """What became of the data. pictures: in it; judged: counted in the figures. rule: which were. cropped: pictures
    taken as faces; in the others the detector looked for one. not_found: names of those in which it found none.
    several: pictures with more than one, of which the largest counts. copies: None where no other data was given.
    counts: judged faces by expression."""

    name: str
    kind: str
    split: str
    cropped: int
    pictures: int
    judged: int
    rule: str
    not_found: tuple[str, ...]
    several: int
    copies: Copies | None
    counts: dict[str, int]
    mapping: dict[str, str]
    skipped: dict[str, int]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model on the data. agreement: None without votes. groups: None without groups. model: what its card says."""

    name: str
    model: dict[str, Any]
    figures: Figures
    agreement: Agreement | None
    groups: tuple[GroupFigures, ...] | None

    @property
    def unsure_below(self) -> tuple[float, ...] | None:
        """(7,) the posteriors below which the card calls an answer unsure, None where it does not say."""
        below = self.model.get("unsure_below")
        if below is None or not is_threshold(below):
            return None
        return unsure_below([{"task": "expression", "unsure_below": below}])


@dataclass(frozen=True, slots=True)
class Result:
    """One or two models on the same faces; `comparison` where there are two. without: the same without copies of other
    data, None where there is none or nothing is left."""

    data: Used
    evaluations: tuple[Evaluation, ...]
    comparison: Comparison | None
    seed: int
    without: Result | None = None


@contextmanager
def open_models(names: Sequence[str], settings: Settings, *, looks: bool) -> Iterator[tuple[Model, ...]]:
    """The models of these names, fetched where they must be, and closed at the end. looks: whether the detector is
    needed too. Raises `UsageError`, `MissingExtra` and `ModelError`."""
    detector = settings.detector if looks else catalog.OURS
    opened: list[Model] = []
    try:
        for name in names:
            catalog.prepare(name, detector, settings.models_folder, offline=settings.offline)
            opened.append(open_model(name, cores(), settings.models_folder))
        yield tuple(opened)
    finally:
        for model in opened:
            model.classifier.close()


def evaluate(
    models: Sequence[Model],
    data: Labelled,
    workers: Workers,
    *,
    cropped: bool | None,
    seed: int,
    progress: Progress,
    unlike: Labelled | None = None,
) -> Result:
    """Measure one or two models on the same faces. Raises `DataError`.

    cropped: the pictures are faces already; None: each by its size, as in `read_faces`. unlike: other data; the figures
    come a second time without the faces that it holds too.
    """
    refuse_marked(data)
    answers, prints = Posteriors(models, len(data)), Prints(len(data))

    def take(batch: Batch) -> None:
        answers.take(batch)
        if unlike is not None:
            prints.add(batch.index, batch.luma)

    faces = read_faces(data, workers, take, cropped=cropped, progress=progress, framings=answers.framings)
    refuse_unreadable(data, faces)
    if not clear(data)[faces.found].any():
        raise DataError(f"{data.name} holds no face to judge ({_nothing(data, faces)}).")
    used, rows = _used(data, faces), answers.rows
    if unlike is None:
        return _result(models, data, rows, faces.found, used, seed)
    copied = copied_from(prints, unlike, workers, cropped=cropped, progress=progress)
    used = dataclasses.replace(used, copies=Copies(unlike.name, int(copied.sum())))
    whole, own = _result(models, data, rows, faces.found, used, seed), faces.found & ~copied
    if not clear(data)[own].any():
        return whole
    without = _result(models, data, rows, own, used, seed) if copied.any() else whole
    return dataclasses.replace(whole, without=without)


def clear(data: Labelled) -> NDArray[np.bool_]:
    """(n,) the pictures whose label is clear: by `RULE` where there are votes, else all."""
    return data.votes.majority if data.votes else np.ones(len(data), bool)


def _result(
    models: Sequence[Model], data: Labelled, rows: Sequence[Floats], usable: NDArray[np.bool_], used: Used, seed: int
) -> Result:
    """The figures on the usable faces (n,). rows: each model's posteriors (n, 7)."""
    judged = usable & clear(data)
    labels = data.labels[judged]
    numbers = np.bincount(labels, minlength=len(EXPRESSIONS))
    evaluations = []
    for model, posteriors in zip(models, rows, strict=True):
        opinion = None
        if data.votes is not None:
            informative = usable & data.votes.informative
            opinion = agreement(posteriors[informative], data.votes.shares[informative], seed)
        groups = None
        if data.groups is not None:
            groups = by_group(posteriors[judged], labels, np.array(data.groups)[judged].tolist(), seed)
        figures = measure(posteriors[judged], labels, seed)
        evaluations.append(Evaluation(model.name, model.facts, figures, opinion, groups))
    both = compare(rows[0][judged], rows[1][judged], labels, seed) if len(models) == 2 else None
    counts = {name: int(number) for name, number in zip(EXPRESSIONS, numbers, strict=True)}
    return Result(dataclasses.replace(used, judged=len(labels), counts=counts), tuple(evaluations), both, seed)


def _used(data: Labelled, faces: Found) -> Used:
    """What does not depend on which faces count."""
    return Used(
        name=data.name,
        kind=data.kind,
        split=data.split,
        cropped=faces.cropped,
        pictures=len(data),
        judged=0,
        rule=RULE if data.votes else EVERY,
        not_found=tuple(data.where(int(index)) for index in np.flatnonzero(~faces.found)),
        several=faces.several,
        copies=None,
        counts={},
        mapping=data.mapping,
        skipped=data.skipped,
    )


def copied_from(
    prints: Prints, other: Labelled, workers: Workers, *, cropped: bool | None, progress: Progress
) -> NDArray[np.bool_]:
    """(n,) which faces `other` holds too. Raises `DataError`."""
    known = Prints(len(other))
    seen = read_faces(
        other, workers, lambda batch: known.add(batch.index, batch.luma), cropped=cropped, progress=progress
    )
    refuse_unreadable(other, seen)
    return held_too(prints, known)


def _nothing(data: Labelled, faces: Found) -> str:
    if not faces.found.any():
        return f"the detector found none in {len(data)} pictures; cropped faces need --cropped"
    return "in none has one of the seven expressions more than half of all votes"
