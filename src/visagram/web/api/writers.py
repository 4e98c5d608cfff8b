"""One writer per format of export, over `visagram.export`. Tables are read and written in parts, so that a server holds
little in memory however long the video is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from visagram.errors import DataError
from visagram.export import html, npy, view, vtt
from visagram.export.json import VIDEO_ID, dumps
from visagram.export.stored import complete_shares
from visagram.export.words import storable
from visagram.files import replace_file
from visagram.report import Report, open_report, video_id
from visagram.web.api.found import Result


class Selection(NamedTuple):
    """Observations with times in [start, end) seconds of one person, or of everybody."""

    start: float | None = None
    end: float | None = None
    person: int | None = None

    def of(self, report: Report) -> Report:
        """The report with these observations and people; its statistics stay those of the whole."""
        rows = report.observations
        kept = np.ones(len(rows), bool)
        if self.start is not None:
            kept &= rows.time >= self.start
        if self.end is not None:
            kept &= rows.time < self.end
        if self.person is not None:
            kept &= rows.person == self.person
        people = tuple(person for person in report.people if self.person in (None, person.id))
        return dataclasses.replace(report, people=people, observations=rows[kept])


WHOLE = Selection()


def named_report(result: Result) -> Report:
    """The report with its video's name in the library and the hash of its bytes. Raises `DataError`."""
    report = open_report(result.folder)
    facts = dataclasses.replace(report.video, name=result.name, path="", sha256=result.sha256)
    return dataclasses.replace(report, video=facts)


def named_report_json(result: Result) -> dict[str, Any]:
    """What `report.json` holds, with its video's name in the library and the hash of its bytes. Raises `DataError`."""
    report = view.read_report_json(result.folder)
    # Versions before 0.2 did not write the hash; where the bytes lie on the server is nobody's business.
    known = {"name": storable(result.name), "path": None, "sha256": result.sha256, VIDEO_ID: video_id(result.sha256)}
    report["video"].update(known)
    return report


def stream_csv(result: Result, chosen: Selection) -> Iterator[bytes]:
    return view.filtered_csv(result.folder, *chosen, video=result.name, video_id=video_id(result.sha256))


def stream_parquet(result: Result, chosen: Selection) -> Iterator[bytes]:
    return view.filtered_parquet(result.folder, *chosen, video=result.name, video_id=video_id(result.sha256))


def write_csv(result: Result, chosen: Selection, path: Path) -> None:
    _write(stream_csv(result, chosen), path)


def write_parquet(result: Result, chosen: Selection, path: Path) -> None:
    _write(stream_parquet(result, chosen), path)


def write_json(result: Result, _chosen: Selection, path: Path) -> None:
    with replace_file(path) as partial:
        partial.write_text(dumps(named_report_json(result)), "utf-8", newline="\n")


def write_html(result: Result, _chosen: Selection, path: Path) -> None:
    _moved(html.write(named_report(result), path.parent), path)


def write_vtt(result: Result, chosen: Selection, path: Path) -> None:
    _moved(vtt.write(chosen.of(named_report(result)), path.parent), path)


def write_posteriors(result: Result, chosen: Selection, path: Path) -> None:
    written = npy.write(chosen.of(named_report(result)), path.parent)
    _zip(((file.name, file.read_bytes()) for file in written), path)


def write_statistics(result: Result, _chosen: Selection, path: Path) -> None:
    files = sorted(result.folder.glob("*_statistics.json"))
    _zip(((file.name, dumps(read_statistics(file, result.sha256)).encode()) for file in files), path)


def read_statistics(path: Path, sha256: str) -> dict[str, Any]:
    """What a file of statistics holds, with the id of its video. Raises `DataError`."""
    try:
        found = dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {error}. Analyse the video again.") from error
    found.pop(VIDEO_ID, None)
    complete_shares(found)
    return {VIDEO_ID: video_id(sha256), **found}


def _write(parts: Iterable[bytes], path: Path) -> None:
    with replace_file(path) as partial, partial.open("wb") as file:
        file.writelines(parts)


def _moved(written: list[Path], path: Path) -> None:
    (file,) = written
    file.replace(path)


def _zip(files: Iterable[tuple[str, bytes]], path: Path) -> None:
    """Names with contents in one ZIP, the same bytes each time."""
    with replace_file(path) as partial, ZipFile(partial, "w", ZIP_DEFLATED) as archive:
        for name, content in files:
            # Decimals and floats get hardly smaller with more effort, which takes three times as long.
            entry = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, content, ZIP_DEFLATED, compresslevel=1)
