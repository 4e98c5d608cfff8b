"""Tables of labelled pictures: `path,label` or columns of votes; and the index of sprite sheets."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visagram.core.labels import OTHERS, expression_of, mapped
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, UsageError
from visagram.evaluate.data import SHEETS, Labelled, Votes, check_groups, inside

MOST_BYTES = 256 << 20
MOST_VOTES = 1e6
PREFIX = "votes_"
Row = dict[str, str]


def splits(index: Path) -> list[str]:
    """The values of the column `split` in order of appearance, [''] where there is none."""
    columns, rows = _rows(index)
    return list(dict.fromkeys(row["split"] for row in rows)) if "split" in columns else [""]


def read(path: Path, split: str, group: str | None, skip: Sequence[str]) -> Labelled:
    """A table with the column `path`, relative to its folder, and `label` or vote columns. Raises `DataError`."""
    columns, rows = _chosen(path, split)
    if "path" not in columns:
        raise DataError(f"{path} has no column 'path' (it has {', '.join(columns)}).")
    seven, others = vote_columns(columns)
    skipped: dict[str, int] = {}
    mapping: dict[str, str] = {}
    votes = None
    if seven:
        votes = _votes(rows, seven, others, path)
        labels = votes.labels
    elif "label" in columns:
        mapping = mapped([row["label"] for row in rows], f"{path}, column label", skip)
        skipped = dict(Counter(row["label"] for row in rows if row["label"] not in mapping))
        rows = [row for row in rows if row["label"] in mapping]
        labels = np.array([EXPRESSIONS.index(mapping[row["label"]]) for row in rows], np.int64)
    else:
        raise DataError(f"{path} has neither a column 'label' nor one of votes for each of the seven expressions.")
    if not rows:
        raise DataError(f"{path} holds no pictures besides those left out.")
    root = path.parent
    pictures = tuple(inside(root, row["path"], f"{path}, line {row[_LINE]},") for row in rows)
    name = f"{path.name}, {split}" if split else path.name
    groups = _groups(columns, rows, group, path)
    return Labelled(name, "table", split, root, pictures, labels, votes, None, groups, mapping, skipped)


def read_sheets(folder: Path, split: str, group: str | None, _skip: Sequence[str]) -> Labelled:
    """Sprite sheets of 48x48 faces with `labels.csv`: split, sheet, row, column and votes. Raises `DataError`."""
    index = folder / SHEETS
    columns, rows = _chosen(index, split)
    seven, others = vote_columns(columns)
    missing = [name for name in ("sheet", "row", "column") if name not in columns]
    missing += [f"{PREFIX}{name}" for name in EXPRESSIONS if name not in _by_expression(columns)]
    if missing:
        raise DataError(f"{index} lacks the columns {', '.join(missing)}: give the folder with the sprite sheets.")
    votes = _votes(rows, seven, others, index)
    if FIRST in columns:
        votes = Votes(votes.seven, votes.others, np.array([_first(row[FIRST]) for row in rows], np.int64))
    cells = np.array([[_count(row, "row", index), _count(row, "column", index)] for row in rows], np.int64)
    sheets = {row["sheet"]: row[_LINE] for row in rows}
    names = {sheet: inside(folder, sheet, f"{index}, line {line},") for sheet, line in sheets.items()}
    pictures = tuple(names[row["sheet"]] for row in rows)
    name = f"{folder.resolve().name}, {split}" if split else folder.resolve().name
    groups = _groups(columns, rows, group, index)
    return Labelled(name, "sheets", split, folder, pictures, votes.labels, votes, cells, groups)


def vote_columns(columns: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The column of votes of each expression, empty unless all seven are there; and those of votes for others.

    Columns are named `votes_<label>` or `<label>`, in any case, by any name of the expression.
    """
    seven = _by_expression(columns)
    if set(seven) != set(EXPRESSIONS):
        return {}, ()
    return seven, tuple(name for name in columns if _plain(name) in OTHERS)


def _by_expression(columns: Sequence[str]) -> dict[str, str]:
    return {expression: name for name in columns if (expression := expression_of(_plain(name)))}


def _plain(name: str) -> str:
    return name.strip().casefold().removeprefix(PREFIX)


FIRST = "fer2013_label"
"""The column of the label that a face had before it was voted on."""
_LINE = "\0line"
"""A key that no column has: the line that a row begins in."""


def _chosen(index: Path, split: str) -> tuple[list[str], list[Row]]:
    """The columns, and the rows of one split; `split` is '' where there are none."""
    columns, rows = _rows(index)
    if "split" in columns:
        rows = [row for row in rows if row["split"] == split]
    elif split:
        raise DataError(f"{index} lacks the column split.")
    if not rows:
        raise DataError(f"{index} has no rows of the split '{split}'.")
    return columns, rows


def _rows(index: Path) -> tuple[list[str], list[Row]]:
    """The columns and the rows of a table, every cell a text. Raises `DataError`."""
    try:
        if index.stat().st_size > MOST_BYTES:
            raise DataError(f"{index} is larger than {MOST_BYTES >> 20} MiB, which no table of labels is.")
        with index.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            columns = next(reader, [])
            rows = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(columns):
                    wanted = f"has {len(cells)} cells where the header has {len(columns)}"
                    raise DataError(f"{index}, line {reader.line_num}, {wanted}.")
                rows.append(dict(zip(columns, cells, strict=True)) | {_LINE: str(reader.line_num)})
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{index} cannot be read as a table ({error}).") from error
    except OSError as error:
        raise DataError(f"{index} cannot be read ({error.strerror}).") from error
    if len(set(columns)) != len(columns):
        raise DataError(f"{index} has two columns of one name: {', '.join(columns)}.")
    if not rows:
        raise DataError(f"{index} holds no rows.")
    return columns, rows


def _votes(rows: list[Row], seven: dict[str, str], others: Sequence[str], index: Path) -> Votes:
    counted = np.array([[_vote(row, seven[name], index) for name in EXPRESSIONS] for row in rows], np.float64)
    beside = np.array([sum(_vote(row, name, index) for name in others) for row in rows], np.float64)
    empty = np.flatnonzero(counted.sum(axis=1) + beside == 0)
    if len(empty):
        raise DataError(f"{index}, line {rows[int(empty[0])][_LINE]}, has no votes at all.")
    return Votes(counted, beside)


def _first(label: str) -> int:
    """The index of an expression by any of its names, -1 for anything else."""
    expression = expression_of(label) if label else None
    return -1 if expression is None else EXPRESSIONS.index(expression)


def _vote(row: Row, name: str, index: Path) -> float:
    try:
        value = float(row[name])
    except ValueError:
        value = math.nan
    if not 0 <= value <= MOST_VOTES:
        raise DataError(f"{index}, line {row[_LINE]}, holds {row[name][:40]!r} in the column {name}: no vote count.")
    return value


def _count(row: Row, name: str, index: Path) -> int:
    text = row[name]
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise DataError(f"{index}, line {row[_LINE]}, holds {text[:40]!r} in the column {name}: no whole number.")
    return int(text)


def _groups(columns: Sequence[str], rows: list[Row], group: str | None, index: Path) -> tuple[str, ...] | None:
    if group is not None and group not in columns:
        raise UsageError(f"{index} has no column '{group}' to group by (it has {', '.join(columns)}).")
    column = group or "group"
    if column not in columns:
        return None
    return check_groups([row[column] for row in rows], [row[_LINE] for row in rows], column, index)
