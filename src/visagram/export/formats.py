"""One writer per output format, in one dict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from visagram.errors import UsageError
from visagram.export import html, json, npy, table, vtt

if TYPE_CHECKING:
    from visagram.report import Report

Writer = Callable[["Report", Path], list[Path]]

FORMATS: dict[str, Writer] = {
    "json": json.write,
    "csv": table.write_csv,
    "parquet": table.write_parquet,
    "npy": npy.write,
    "html": html.write,
    "vtt": vtt.write,
}
ANNOTATED = "mp4"
"""The format that needs the source video as well, and so is written elsewhere (`visagram.media.annotate`)."""
CHOICES = (*FORMATS, ANNOTATED)

REPORT, ANNOTATED_FILE = "report.json", "annotated.mp4"
_FILES = {
    REPORT: "json",
    "overall_statistics.json": "json",
    "observations.csv": "csv",
    table.PARQUET: "parquet",
    "report.html": "html",
    "expressions.vtt": "vtt",
    ANNOTATED_FILE: ANNOTATED,
}
_OF_PERSON = re.compile(r"face_([1-9]\d{0,9})(_statistics\.json|_embeddings\.(?:npy|json)|\.jpg)")


def checked(formats: Iterable[str] | None) -> list[str]:
    """The formats to write, each once; all `FORMATS` if None. Raises `UsageError` for one that does not exist."""
    chosen = list(dict.fromkeys([formats] if isinstance(formats, str) else FORMATS if formats is None else formats))
    for name in chosen:
        if name == ANNOTATED:
            raise UsageError("The format 'mp4' needs the source video: use visagram.media.annotate, or --annotate.")
        if name not in FORMATS:
            raise UsageError(f"'{name}' is not a format; the formats are {', '.join(CHOICES)}.")
    return chosen


def format_of(name: str, people: Iterable[int]) -> str | None:
    """The format that a file of a result belongs to by its name; None for what is no file of ours.

    people: those of the result. `face_7.jpg` is a picture of anybody's unless there is a person 7.
    """
    found = _OF_PERSON.fullmatch(name)
    if found is None:
        return _FILES.get(name)
    if found[2] == ".jpg" and int(found[1]) not in set(people):
        return None
    return "npy" if "embeddings" in found[2] else "json"
