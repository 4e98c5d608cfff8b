"""Spreadsheets that people import: who is in which video, and when what happened.

Whatever is wrong with one is said with its line; the lines that are right still count.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from visagram.core.edits import clean_name

LARGEST = 4 << 20
"""Characters."""
MOST_ROWS = 20_000
MOST_ERRORS = 50

_DELIMITERS = ",;\t"
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:[.,]\d{1,9})?)")
_SECONDS = re.compile(r"\d{1,9}(?:[.,]\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a sheet says about a video. None where it has no such column, so that what is known stays; empty where the
    field is empty. line: in the file, from 1."""

    line: int
    video: str
    participant: str | None
    condition: str | None
    tags: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class WindowRow:
    """An event window of a video, in seconds."""

    line: int
    video: str
    window: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SheetError:
    """What is wrong in a line, as a sentence."""

    line: int
    detail: str


Row = TypeVar("Row", Assignment, WindowRow)


@dataclass(frozen=True, slots=True)
class Sheet(Generic[Row]):
    """The rows that make sense and what is wrong with the others, each in the order of lines."""

    rows: tuple[Row, ...]
    errors: tuple[SheetError, ...]


def parse_assignments(text: str | bytes) -> Sheet[Assignment]:
    """A table with the columns video, participant, condition and tags (separated by ';'), of which video must be there.

    Comma, semicolon or tab separate fields; quotes, line ends and a byte order mark may be as any spreadsheet writes
    them. A video comes once. Never raises: a file that is no table is one error.
    """
    return _parse(text, ("video",), ("participant", "condition", "tags"), _assignment)


def parse_windows(text: str | bytes) -> Sheet[WindowRow]:
    """A table with the columns video, window, start and end; times as seconds (12.5) or clock times (1:02.5).

    Otherwise as `parse_assignments`; a video may have many windows.
    """
    return _parse(text, ("video", "window", "start", "end"), (), _window)


class _Wrong(Exception):
    """A sentence about a line."""


def _assignment(line: int, fields: Mapping[str, str], seen: dict[str, int]) -> Assignment:
    video = fields["video"]
    if video in seen:
        raise _Wrong(f"The video '{_short(video)}' is in line {seen[video]} already.")
    seen[video] = line
    tags = fields.get("tags")
    split = None if tags is None else tuple(dict.fromkeys(tag for t in tags.split(";") if (tag := clean_name(t))))
    return Assignment(line, video, _cleaned(fields.get("participant")), _cleaned(fields.get("condition")), split)


def _window(line: int, fields: Mapping[str, str], _seen: dict[str, int]) -> WindowRow:
    name = clean_name(fields["window"])
    if not name:
        raise _Wrong("The window has no name.")
    start, end = (_seconds(column, fields[column]) for column in ("start", "end"))
    if start >= end:
        raise _Wrong(f"The window '{_short(name)}' ends at {end:g} s, which is not after its start at {start:g} s.")
    return WindowRow(line, fields["video"], name, start, end)


def _parse(
    content: str | bytes,
    needed: Sequence[str],
    optional: Sequence[str],
    make: Callable[[int, Mapping[str, str], dict[str, int]], Row],
) -> Sheet[Row]:
    rows: list[Row] = []
    errors: list[SheetError] = []
    seen: dict[str, int] = {}
    line = 1
    try:
        records = _records(_text(content))
        line, header = next(records, (1, []))
        columns = _columns(header, needed, optional)
        for line, record in records:
            try:
                rows.append(make(line, _fields(record, columns, needed), seen))
            except _Wrong as error:
                errors.append(SheetError(line, str(error)))
            if len(errors) >= MOST_ERRORS:
                raise _Wrong("There are too many errors; the rest was not read.")
            if len(rows) > MOST_ROWS:
                rows.pop()
                raise _Wrong(f"There are more than {MOST_ROWS:,} rows; the rest was not read.")
    except _Wrong as error:
        errors.append(SheetError(line, str(error)))
    except _Malformed as error:
        errors.append(SheetError(error.line, str(error)))
    return Sheet(tuple(rows), tuple(errors))


class _Malformed(Exception):
    """Quotes that do not fit; nothing after them can be trusted."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"The quotes do not fit ({what}); nothing from here on was read.")
        self.line = line


def _text(content: str | bytes) -> str:
    if len(content) > LARGEST:
        raise _Wrong(f"The file is larger than {LARGEST >> 20} MB; a table of videos is not.")
    text = content if isinstance(content, str) else _decoded(content)
    if "\0" in text:
        raise _Wrong("The file is not text: save it as CSV, encoded as UTF-8.")
    return text.removeprefix("\ufeff")


def _decoded(content: bytes) -> str:
    """Spreadsheets write UTF-8, UTF-16 with a byte order mark, or the code page of Western Europe."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _Wrong("The file is not text: save it as CSV, encoded as UTF-8.")


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line at which it starts, fields) of each record that is not blank."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _Malformed(line, str(error)) from error
        if any(field.strip() for field in record):
            yield line, record


def _columns(header: Sequence[str], needed: Sequence[str], optional: Sequence[str]) -> list[str]:
    """The names of the columns in order."""
    names = [field.strip().casefold() for field in header]
    # A spreadsheet may leave empty columns at the end.
    while names and not names[-1]:
        names.pop()
    known = [*needed, *optional]
    listed = ", ".join(known)
    if not names:
        raise _Wrong(f"The file is empty; its first line must name the columns {listed}.")
    for name in names:
        if name not in known:
            raise _Wrong(f"The column '{_short(name)}' is not known; the columns are {listed}.")
        if names.count(name) > 1:
            raise _Wrong(f"The column '{name}' is there more than once.")
    missing = [name for name in needed if name not in names]
    if missing:
        raise _Wrong(f"The column '{missing[0]}' is missing; the columns are {listed}.")
    return names


def _fields(record: Sequence[str], columns: Sequence[str], needed: Sequence[str]) -> dict[str, str]:
    fields = [field.strip() for field in record]
    if any(fields[len(columns) :]):
        raise _Wrong(f"There are {len(fields)} fields for {len(columns)} columns.")
    found = dict(zip(columns, fields + [""] * len(columns), strict=False))
    for name in needed:
        if not found[name]:
            raise _Wrong(f"The field '{name}' is empty.")
    return found


def _seconds(column: str, text: str) -> float:
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in clock.groups())
        if seconds < 60:
            return hours * 3600 + minutes * 60 + seconds
    elif _SECONDS.fullmatch(text):
        value = float(text.replace(",", "."))
        if math.isfinite(value):
            return value
    raise _Wrong(f"'{_short(text)}' in the column '{column}' is not a time such as 12.5 or 1:02.5.")


def _cleaned(text: str | None) -> str | None:
    return None if text is None else clean_name(text)


def _short(text: str) -> str:
    return clean_name(text)[:40]
