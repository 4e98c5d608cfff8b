"""One writer per output format, in one dict."""

from __future__ import annotations

import json as stdlib_json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from visagram.errors import UsageError
from visagram.export import html, json, npy, table, vtt
from visagram.files import output_error

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


def save(report: Report, folder: Path, formats: Iterable[str] | None = None) -> list[Path]:
    """Write the report's files into `folder` (made if missing) and return their paths. formats: all `FORMATS` if None.

    Each file is replaced in one step. Where the folder already holds a report with more people, their files go, so that
    the folder never mixes two analyses. Raises `UsageError` for an unknown format, `OutputError`.
    """
    chosen = list(dict.fromkeys([formats] if isinstance(formats, str) else FORMATS if formats is None else formats))
    for name in chosen:
        if name == ANNOTATED:
            raise UsageError("The format 'mp4' needs the source video: use visagram.media.annotate, or --annotate.")
        if name not in FORMATS:
            raise UsageError(f"'{name}' is not a format; the formats are {', '.join(CHOICES)}.")
    before = _people_in(folder) if "json" in chosen else set()
    written = [path for name in chosen for path in FORMATS[name](report, folder)]
    for person in before - {person.id for person in report.people}:
        for ending in ("_statistics.json", ".jpg", "_embeddings.npy", "_embeddings.json"):
            _remove(folder / f"face_{person}{ending}")
    return written


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def _people_in(folder: Path) -> set[int]:
    """The people of the report that lies in `folder`; none where there is no report of ours, or a damaged one."""
    try:
        found = stdlib_json.loads((folder / "report.json").read_text("utf-8"))
        ids = [person["id"] for person in found["people"]] if found["schema"] == json.SCHEMA else []
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return set()
    return {id for id in ids if type(id) is int and id > 0}
