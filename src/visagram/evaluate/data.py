"""Labelled pictures: sprite sheets with votes, a folder of class folders, or a table. Nothing is decoded here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, UsageError

MOST_GROUPS = 50
TRAIN = "train"
SHEETS = "labels.csv"
"""What makes a folder one of sprite sheets."""


@dataclass(frozen=True, slots=True)
class Votes:
    """What several people said of each face. seven: (n, 7) float64 in the order of `EXPRESSIONS`, counts or shares.
    others: (n,) float64, for everything else (contempt, "unknown", "not a face"). first: (n,) int64, the single label
    that a face had before anybody voted, as an index in `EXPRESSIONS`; -1 where there is none."""

    seven: NDArray[np.float64]
    others: NDArray[np.float64]
    first: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        if not len(self.first):
            object.__setattr__(self, "first", np.full(len(self.seven), -1))

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Votes:
        return Votes(self.seven[which], self.others[which], self.first[which])

    def joined(self, more: Votes) -> Votes:
        pairs = ((getattr(self, name), getattr(more, name)) for name in ("seven", "others", "first"))
        return Votes(*(np.concatenate(pair) for pair in pairs))

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) index of the expression with the most votes, the first of equals."""
        return np.asarray(self.seven.argmax(axis=1))

    @property
    def majority(self) -> NDArray[np.bool_]:
        """(n,) whether one of the seven has more than half of all votes, those for something else included."""
        return np.asarray(self.seven.max(axis=1) > (self.seven.sum(axis=1) + self.others) / 2)

    @property
    def informative(self) -> NDArray[np.bool_]:
        """(n,) whether at least half of the votes went to the seven expressions."""
        total = self.seven.sum(axis=1)
        return np.asarray((total > 0) & (total >= self.others))

    @property
    def shares(self) -> NDArray[np.float64]:
        """(n, 7) the distribution of the votes over the seven; rows without any are NaN."""
        total = self.seven.sum(axis=1, keepdims=True)
        return np.asarray(self.seven / np.where(total > 0, total, np.nan))


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures with what people said of them.

    name: for people to read. kind: 'sheets', 'folders' or 'table'. root: the folder that `pictures` (n names, relative)
    lie in. labels: (n,) int64 index in `EXPRESSIONS`. votes: None where each face has one label. cells: (n, 2) int64,
    row and column in a sheet of 48x48 faces, None where each picture is its own file. groups: n names, None where the
    data has none. mapping: each foreign label to ours. skipped: pictures left out by label.
    """

    name: str
    kind: str
    split: str
    root: Path
    pictures: tuple[str, ...]
    labels: NDArray[np.int64]
    votes: Votes | None = None
    cells: NDArray[np.int64] | None = None
    groups: tuple[str, ...] | None = None
    mapping: dict[str, str] = dataclasses.field(default_factory=dict)
    skipped: dict[str, int] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pictures)

    def where(self, index: int) -> str:
        """How a message names a picture."""
        if self.cells is None:
            return self.pictures[index]
        row, column = self.cells[index]
        return f"{self.pictures[index]}, row {row}, column {column}"

    @property
    def counts(self) -> dict[str, int]:
        """Pictures by expression."""
        found = np.bincount(self.labels, minlength=len(EXPRESSIONS))
        return {name: int(found[k]) for k, name in enumerate(EXPRESSIONS)}


def read(path: Path, *, split: str | None = None, group: str | None = None, skip: Sequence[str] = ()) -> Labelled:
    """Labelled pictures at `path`; `split` may be left out where there is only one besides the training split.

    group: the column that names each face's group, by default `group` where a table has one. skip: labels to leave out.
    Raises `DataError` and `UsageError` that say what does not fit, and where.
    """
    name = choose_split(splits_of(path), split, path)
    return _reader(path)(path, name, group, skip)


def read_training(path: Path, skip: Sequence[str] = ()) -> Labelled:
    """The labelled pictures to train on: the training split at `path`, or all of it where it has no splits."""
    known = splits_of(path)
    name = TRAIN if TRAIN in known else known[0]
    if name != TRAIN and len(known) > 1:
        raise UsageError(f"{path} holds the splits {', '.join(known)}, and none of them is called {TRAIN}.")
    return _reader(path)(path, name, None, skip)


def read_every_split(path: Path, skip: Sequence[str] = ()) -> list[Labelled]:
    """The labelled pictures of each split at `path`."""
    return [_reader(path)(path, name, None, skip) for name in splits_of(path)]


def splits_of(path: Path) -> list[str]:
    """The names of the splits at `path`, [''] where it has none."""
    from visagram.evaluate import folders, tables

    if _is_folders(path):
        return folders.splits(path)
    return tables.splits(path / SHEETS if path.is_dir() else path)


def choose_split(known: list[str], wanted: str | None, path: Path) -> str:
    """The wanted split, or the only one that is not for training."""
    if wanted is not None:
        if wanted not in known:
            held = f"its splits are {', '.join(known)}" if known != [""] else "it is not divided into splits"
            raise UsageError(f"{path} has no split '{wanted}': {held}.")
        return wanted
    left = [name for name in known if name != TRAIN]
    if len(left) != 1:
        raise UsageError(f"{path} holds the splits {', '.join(known)}: choose one with --split.")
    return left[0]


def check_groups(groups: Sequence[str], lines: Sequence[str], column: str, where: Path) -> tuple[str, ...]:
    """lines: of the table, one for each face. Raises `DataError` where a column does not divide the faces into a few
    groups."""
    distinct = set(groups)
    if len(distinct) > MOST_GROUPS:
        raise DataError(
            f"{where}: the column {column} has {len(distinct)} different values; groups are at most {MOST_GROUPS}."
        )
    if "" in distinct:
        raise DataError(f"{where}: the column {column} is empty in line {lines[list(groups).index('')]}.")
    return tuple(groups)


def inside(root: Path, name: str, where: str) -> str:
    """The name of a file below `root`, relative to it. Raises `DataError` for what lies outside or behind a link."""
    try:
        real_root = root.resolve()
        given = Path(name)
        plain = given.relative_to(root) if given.is_absolute() and given.is_relative_to(root) else given
        if not name or plain.is_absolute() or ".." in plain.parts:
            raise DataError(f"{where} names {name!r}, which is not a file below {root}.")
        real = (real_root / plain).resolve()
        if real != real_root / plain:
            raise DataError(f"{where} names {name!r}, which is reached through a symbolic link: copy the file itself.")
        if not real.is_file():
            raise DataError(f"{where} names {name!r}, which is missing or not a file.")
    except (OSError, ValueError) as error:
        raise DataError(f"{where} names {name!r}, which cannot be a file ({error}).") from error
    return plain.as_posix()


def _reader(path: Path) -> Callable[[Path, str, str | None, Sequence[str]], Labelled]:
    """The function that reads this kind of data."""
    from visagram.evaluate import folders, tables

    if _is_folders(path):
        return folders.read
    return tables.read_sheets if path.is_dir() else tables.read


def _is_folders(path: Path) -> bool:
    try:
        if not path.exists():
            raise DataError(f"{path} does not exist: give a folder or a CSV table.")
        return path.is_dir() and not (path / SHEETS).exists()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
