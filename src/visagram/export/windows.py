"""Statistics of people inside event windows, out of a view folder."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Any

from visagram.core.certainty import unsure_below
from visagram.core.statistics import Window, analysed_range, window_statistics
from visagram.core.types import EXPRESSIONS, Person
from visagram.errors import DataError
from visagram.export.slices import rows_between
from visagram.export.stored import read_report_json

MOST = 2000
"""Windows whose statistics are remembered."""


class WindowStatistics:
    """What was seen of each person inside event windows, computed once per window.

    That is for good: a view folder never changes, people's edits make another one. Threads may share it.
    """

    def __init__(self, most: int = MOST) -> None:
        self._people = lru_cache(most)(_people)

    def people(self, folder: Path, window: Window) -> tuple[dict[str, Any], ...]:
        """Of each person of the report what `report.json` says of the whole video: id, name, screen_time, frames_seen,
        frames_usable, emotion_counts, certain_counts, average_confidences, shares, measured, unsure and unmeasured;
        and `analysed`, the seconds of the window that were.

        Only the rows of the window are read. Raises `DataError`.
        """
        return self._people(folder, window.start, window.end)


def _people(folder: Path, start: float, end: float) -> tuple[dict[str, Any], ...]:
    report = read_report_json(folder)
    try:
        names = {int(person["id"]): person["name"] for person in report["people"]}
        analysed = analysed_range(report["settings"].get("start"), float(report["totals"]["duration"]))
        seed, below = int(report["settings"].get("seed") or 0), unsure_below(report["models"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{folder / 'report.json'} is damaged ({error}). Analyse the video again.") from error
    seen, found = rows_between(folder, start, end), []
    seconds = max(0.0, min(end, analysed[1]) - max(start, analysed[0]))
    for id, name in names.items():
        theirs, whole = seen[seen.person == id], [Window("", start, end)]
        (person,) = window_statistics(id, theirs, whole, analysed, seed=seed, unsure_below=below)
        found.append(_as_json(person) | {"name": name, "analysed": seconds})
    return tuple(found)


def _as_json(person: Person) -> dict[str, Any]:
    def by_expression(values: tuple[Any, ...]) -> dict[str, Any]:
        return dict(zip(EXPRESSIONS, values, strict=bool(values)))

    kept = ("id", "screen_time", "measured", "unsure", "unmeasured", "frames_seen", "frames_usable")
    return {name: getattr(person, name) for name in kept} | {
        "emotion_counts": by_expression(person.emotion_counts),
        "certain_counts": by_expression(person.certain_counts),
        "average_confidences": by_expression(person.mean_posterior),
        "shares": by_expression(tuple(dataclasses.asdict(share) for share in person.shares)),
    }
