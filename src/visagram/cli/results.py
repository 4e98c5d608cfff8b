"""Where `visagram analyze` puts its results: a folder of its own for each content and set of settings."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from visagram.errors import OutputError
from visagram.files import output_error

if TYPE_CHECKING:
    from visagram.export import Place
    from visagram.report import Report
    from visagram.screen import Screen
    from visagram.workers import Workers

_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{kind}{n}" for kind in ("COM", "LPT") for n in range(1, 10))}


class Results:
    """The results of one call. formats: those to write, None for all but the annotated video. overwrite: whether other
    results that have a folder's name are replaced; never those of this call."""

    def __init__(self, parent: Path, formats: list[str] | None, *, overwrite: bool) -> None:
        self._parent, self._overwrite = parent, overwrite
        self._formats = formats
        self._done: set[Path] = set()

    def save(self, report: Report, path: Path, workers: Workers, screen: Screen) -> Place:
        """Write what was found in the video at `path`. Raises `OutputError`, and what `Workers.annotate` raises."""
        from visagram.export import ANNOTATED, FORMATS, add
        from visagram.export.formats import ANNOTATED_FILE

        formats = [*FORMATS] if self._formats is None else [each for each in self._formats if each != ANNOTATED]
        annotate = ANNOTATED in (self._formats or ())
        if annotate and "json" not in formats:
            # Without a report the files themselves must show whose folder it is, this one included.
            with self._annotated(report, path, workers, screen) as video:
                return self._save(report, path, formats, screen, video)
        place = self._save(report, path, formats, screen)
        # One that was there and fits no more is renewed, as everything else is.
        if annotate or (place.renewed and ANNOTATED_FILE in place.gone):
            with self._annotated(report, path, workers, screen) as video:
                add(report, place.folder, video)
        return place

    def _save(
        self, report: Report, path: Path, formats: list[str], screen: Screen, annotated: Path | None = None
    ) -> Place:
        from visagram.export import save_apart

        screen.progress("write", 0, 1)
        place = save_apart(
            report,
            self._parent,
            folder_name(path),
            formats,
            annotated=annotated,
            overwrite=self._overwrite,
            keep=self._done,
        )
        self._done.add(place.folder)
        screen.progress("write", 1, 1)
        return place

    @contextlib.contextmanager
    def _annotated(self, report: Report, path: Path, workers: Workers, screen: Screen) -> Iterator[Path]:
        """The annotated video, beside the folder that it is for."""
        try:
            self._parent.mkdir(parents=True, exist_ok=True)
            made = tempfile.TemporaryDirectory(prefix=".annotated-", dir=self._parent)
        except OSError as error:
            raise output_error(self._parent, error) from error
        with made as folder:
            video = Path(folder) / "annotated.mp4"
            try:
                workers.annotate(path, report, video, screen.progress)
            except OutputError as error:
                raise type(error)(str(error).replace(str(video.parent), str(self._parent))) from error
            yield video


def sentence(place: Place, parent: Path, path: Path) -> str:
    """Where a result is, and why not in the folder where one would look."""
    if not place.why:
        return f"Results in {place.folder}{os.sep}"
    plain = parent / folder_name(path)
    return f"Results in {place.folder}{os.sep}, because {plain} {place.why} (--overwrite replaces it)."


def folder_name(path: Path) -> str:
    """The video's name without its ending, as every disk takes it."""
    safe = "".join("_" if c in '<>:"/\\|?*' or not c.isprintable() else c for c in path.stem).strip(" .")[:100]
    if not safe:
        return "video"
    # Windows keeps these names, with any ending, for devices.
    return f"video_{safe}" if safe.split(".")[0].upper() in _DEVICES else safe
