"""Subtitles: each person's dominant apparent expression over time, as WebVTT."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS, Observations
from visagram.export.npy import usable_rows
from visagram.export.words import printable, storable
from visagram.files import replace_file

if TYPE_CHECKING:
    from visagram.report import Report

FLICKER = 0.2
"""Seconds. What lasts shorter cannot be read: a change of expression is ignored, a gap is bridged."""


class Cue(NamedTuple):
    """What one person shows from `start` to `end` (seconds)."""

    start: float
    end: float
    person: int
    expression: str


def write(report: Report, folder: Path) -> list[Path]:
    """Write `expressions.vtt`. Raises `OutputError`."""
    path = folder / "expressions.vtt"
    with replace_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write("WEBVTT\n\nNOTE Apparent facial expressions, estimated by Visagram.\n")
        names = {person.id: escape(printable(storable(person.name)), quote=False) for person in report.people}
        for cue in sorted(cues(report)):
            file.write(f"\n{_timestamp(cue.start)} --> {_timestamp(cue.end)}\n")
            file.write(f"<v {names[cue.person]}>{cue.expression}</v>\n")
    return [path]


def cues(report: Report) -> Iterator[Cue]:
    """The cues of each person in time order.

    Each usable frame gets the expression that holds most of the time within `FLICKER` seconds before and after it;
    equal neighbours merge; what still is shorter than `FLICKER` joins the cue before it. Cues end at gaps.
    """
    for person in report.people:
        rows = usable_rows(report.observations, person.id)
        for stretch in _stretches(rows):
            labels = _voted(stretch.time, stretch.span, stretch.emotion)
            for start, end, label in _merged(stretch.time, _ends(stretch), labels):
                # A still picture lasts no time, but a cue has to.
                yield Cue(start, max(end, start + 0.001), person.id, EXPRESSIONS[label])


def _ends(rows: Observations) -> NDArray[np.float64]:
    return np.asarray(rows.time + rows.span)


def _stretches(rows: Observations) -> Iterator[Observations]:
    """The rows between gaps."""
    gaps = np.flatnonzero(rows.time[1:] - _ends(rows)[:-1] >= FLICKER) + 1
    edges = [0, *gaps.tolist(), len(rows)]
    return (rows[start:end] for start, end in pairwise(edges) if end > start)


def _voted(time: NDArray[np.float64], span: NDArray[np.float64], emotion: NDArray[np.int8]) -> NDArray[np.intp]:
    """(n,) the expression with the most time around each row; the row's own on a tie."""
    votes = (emotion[:, None] == np.arange(len(EXPRESSIONS))) * np.maximum(span, 1e-6)[:, None]
    running = np.concatenate([np.zeros((1, len(EXPRESSIONS))), np.cumsum(votes, axis=0)])
    first = np.searchsorted(time, time - FLICKER, "left")
    after = np.searchsorted(time, time + FLICKER, "right")
    return np.asarray((running[after] - running[first] + votes * 1e-3).argmax(axis=1))


def _merged(
    start: NDArray[np.float64], end: NDArray[np.float64], label: NDArray[np.intp]
) -> list[tuple[float, float, int]]:
    """(start, end, label) of runs of equal labels in one stretch, none shorter than `FLICKER` unless the stretch is."""
    edges = [0, *(np.flatnonzero(np.diff(label)) + 1).tolist(), len(label)]
    merged: list[tuple[float, float, int]] = []
    for first, after in pairwise(edges):
        run = (float(start[first]), float(start[after]) if after < len(start) else float(end[-1]), int(label[first]))
        if merged and (run[2] == merged[-1][2] or run[1] - run[0] < FLICKER):
            merged[-1] = (merged[-1][0], run[1], merged[-1][2])
        elif merged and merged[-1][1] - merged[-1][0] < FLICKER:
            merged[-1] = (merged[-1][0], run[1], run[2])
        else:
            merged.append(run)
    return merged


def _timestamp(seconds: float) -> str:
    """Seconds as WebVTT writes them: 00:01:05.200."""
    whole, thousandths = divmod(round(max(seconds, 0.0) * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{thousandths:03}"
