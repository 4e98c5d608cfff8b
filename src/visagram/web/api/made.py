"""Files of a result that are made when somebody asks for them: written once, whole or not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from filelock import FileLock

from visagram.jobs.storage import Storage, size_of
from visagram.web.api import writers
from visagram.web.api.answers import tag_of
from visagram.web.api.found import Result
from visagram.web.api.writers import WHOLE, Selection

_KEPT = 2
"""Generations of exports that are kept: somebody may still be loading one of the last but one."""


class Export(NamedTuple):
    """A format: the file's name, its media type, what it holds, what writes it, whether it can be of a part, and what
    makes that part bit by bit, so that it need not be written first."""

    name: str
    kind: str
    what: str
    write: Callable[[Result, Selection, Path], None]
    cut: bool = False
    stream: Callable[[Result, Selection], Iterator[bytes]] | None = None


EXPORTS = {
    "csv": Export(
        "observations.csv",
        "text/csv",
        "One row per face per frame, for spreadsheets",
        writers.write_csv,
        cut=True,
        stream=writers.stream_csv,
    ),
    "parquet": Export(
        "observations.parquet",
        "application/vnd.apache.parquet",
        "One row per face per frame, for pandas, R and other programs",
        writers.write_parquet,
        cut=True,
        stream=writers.stream_parquet,
    ),
    "json": Export(
        "report.json", "application/json", "Everything but the observations, for programs", writers.write_json
    ),
    "html": Export("report.html", "text/html", "The report as one page that needs nothing else", writers.write_html),
    "vtt": Export(
        "expressions.vtt", "text/vtt", "Subtitles with each person's apparent expression", writers.write_vtt, cut=True
    ),
    "npy": Export(
        "posteriors.zip",
        "application/zip",
        "Each person's probabilities as NumPy matrices",
        writers.write_posteriors,
        cut=True,
    ),
    "statistics": Export(
        "statistics.zip", "application/zip", "Statistics overall and per person, as JSON", writers.write_statistics
    ),
}


class Made:
    """The exports of results, in the folder of the analysis; they go with it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, result: Result, format: str) -> Path:
        """The file of an export, made now if it is not there. Of several that ask at a time, one makes it.

        Raises `DataError`, `OutputError`.
        """
        path = self._path(result, format)
        if path.exists():
            return path
        self._storage.reserve(0)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent.parent / ".exports.lock"):
            if not path.exists():
                with self._storage.temporary() as folder:
                    EXPORTS[format].write(result, WHOLE, folder / path.name)
                    (folder / path.name).replace(path)
                self._forget_older(path.parent)
        return path

    def cut(self, result: Result, format: str, chosen: Selection) -> BinaryIO:
        """The same of a stretch of time or a person, as an open file that is gone when it is closed."""
        self._storage.reserve(0)
        with self._storage.temporary() as folder:
            path = folder / EXPORTS[format].name
            EXPORTS[format].write(result, chosen, path)
            return path.open("rb")

    def size(self, result: Result, format: str) -> int | None:
        """Bytes of an export, None where it is not made yet."""
        path = self._path(result, format)
        return size_of(path) if path.exists() else None

    def _path(self, result: Result, format: str) -> Path:
        # The video's name is in the files too.
        generation = f"exports-{result.revision}-{tag_of(result.name)}"
        return self._storage.edits(result.analysis) / generation / EXPORTS[format].name

    def _forget_older(self, folder: Path) -> None:
        others = [path for path in folder.parent.glob("exports-*") if path != folder]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[_KEPT - 1 :]:
            shutil.rmtree(path, ignore_errors=True)
