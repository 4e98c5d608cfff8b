"""The view folder: a result as files that a page reads piece by piece, never as a whole.

It holds what the formats json and parquet write, and `tracks.npz`, `moments.json` and the tiles of the timeline.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from secrets import token_hex

import numpy as np

from visagram.core.edits import Edit, apply
from visagram.core.summary import Summary
from visagram.core.types import Observations, TrackSummary
from visagram.export import save, table
from visagram.export.slices import (
    ROW_COLUMNS,
    boxes,
    count,
    filtered_csv,
    filtered_parquet,
    observation_rows,
    read_observations,
    rows_between,
)
from visagram.export.stored import (
    MOMENTS,
    TILES,
    StoredTrack,
    open_tracks,
    read_moments,
    read_report_json,
    read_tile,
    summaries,
    tiles_index,
    write_moments,
    write_tiles,
    write_tracks,
)
from visagram.files import output_error
from visagram.report import Report, open_report

__all__ = [
    "ROW_COLUMNS",
    "StoredTrack",
    "boxes",
    "count",
    "filtered_csv",
    "filtered_parquet",
    "observation_rows",
    "open_tracks",
    "read_moments",
    "read_observations",
    "read_report_json",
    "read_tile",
    "rows_between",
    "tiles_index",
    "write_edited_view",
    "write_view",
]

_SAME_OBSERVATIONS = (table.PARQUET, MOMENTS, TILES)
"""What depends on the observations alone."""


def write_view(report: Report, tracks: Iterable[TrackSummary] | None, folder: Path) -> None:
    """Write a view folder. tracks: those of the analysis, or None to leave `tracks.npz` out. Raises `OutputError`."""
    report = dataclasses.replace(report, observations=_in_time_order(report.observations))
    save(report, folder, ["parquet", "json"])
    write_tiles(report, folder)
    write_moments(report, folder)
    if tracks is not None:
        write_tracks(report.observations, tracks, folder)


def write_edited_view(machine_folder: Path, edits: Sequence[Edit], folder: Path) -> Report:
    """Write the machine's view with people edited, and return its report.

    The whole folder is written beside `folder`, then takes its place; exports made of the old one go with it. Raises
    `UsageError` where an edit cannot be (then nothing changes), `DataError`, `OutputError`.
    """
    report = open_report(machine_folder)
    found = Summary(report.observations, report.people, report.totals, summaries(open_tracks(machine_folder)))
    seed = int(report.settings.get("seed") or 0)
    edited = apply(edits, found, seed=seed, unsure_below=report.unsure_below)
    shown = dataclasses.replace(report, people=edited.people, totals=edited.totals, observations=edited.observations)
    partial = _beside(folder)
    try:
        partial.mkdir(parents=True)
        if edited.observations is report.observations:
            save(shown, partial, ["json"])
            for name in _SAME_OBSERVATIONS:
                _link(machine_folder / name, partial / name)
        else:
            write_view(shown, None, partial)
        _take_place(partial, folder)
    except OSError as error:
        raise output_error(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return shown


def _in_time_order(rows: Observations) -> Observations:
    order = np.lexsort((rows.person, rows.frame, rows.time))
    return rows if (np.diff(order) == 1).all() else rows[order]


def _link(source: Path, target: Path) -> None:
    """Give files a second name; a copy where the file system has no links. Our files are replaced, never changed."""
    if source.is_dir():
        target.mkdir()
        for entry in source.iterdir():
            _link(entry, target / entry.name)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _take_place(partial: Path, folder: Path) -> None:
    """Put a finished folder where another may lie."""
    old = _beside(folder)
    if folder.exists():
        folder.replace(old)
    partial.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path) -> Path:
    """A name that nobody uses."""
    return folder.with_name(f".{folder.name}.{token_hex(8)}")
