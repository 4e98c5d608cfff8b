"""What a view folder holds beside the files of the formats: tracks, tiles of the timeline, moments."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from visagram.core import tiles
from visagram.core.certainty import unsure
from visagram.core.moments import moments
from visagram.core.statistics import analysed_range
from visagram.core.types import Observations, TrackSummary
from visagram.errors import DataError
from visagram.export.json import dumps
from visagram.files import replace_file

if TYPE_CHECKING:
    from visagram.report import Report

CERTAINTY = ("certain_counts", "unsure")
"""What `report.json` says of people and totals since its version 1.1."""
TRACKS, MOMENTS, TILES = "tracks.npz", "moments.json", "tiles"
_TRACK_FIELDS = {
    "track": np.int64,
    "first_frame": np.int64,
    "last_frame": np.int64,
    "first_time": np.float64,
    "last_time": np.float64,
    "detections": np.int64,
    "best_score": np.float64,
    "best_quality": np.float64,
}


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """A track as the view folder keeps it: without its embedding, which would tell who somebody is.

    first_time, last_time: when its first face is shown and its last one's time is over, in seconds.
    """

    track: int
    first_frame: int
    last_frame: int
    first_time: float
    last_time: float
    detections: int
    best_score: float
    best_quality: float
    thumbnail: bytes


def write_tracks(rows: Observations, tracks: Iterable[TrackSummary], folder: Path) -> None:
    """Write `tracks.npz`. rows: the report's observations. Raises `OutputError`."""
    stored = [_stored(track, rows) for track in sorted(tracks, key=lambda track: track.track)]
    columns = {name: np.array([getattr(track, name) for track in stored], kind) for name, kind in _TRACK_FIELDS.items()}
    sizes = [0, *(len(track.thumbnail) for track in stored)]
    columns["thumbnails"] = np.frombuffer(b"".join(track.thumbnail for track in stored), np.uint8)
    columns["offsets"] = np.cumsum(sizes)
    with replace_file(folder / TRACKS) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **columns)


def open_tracks(folder: Path) -> list[StoredTrack]:
    """The tracks of a machine's view, by number. Raises `DataError`."""
    path = folder / TRACKS
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            columns = {name: stored[name].astype(kind).tolist() for name, kind in _TRACK_FIELDS.items()}
            pictures, offsets = stored["thumbnails"].tobytes(), stored["offsets"].tolist()
        columns["thumbnail"] = [pictures[first:after] for first, after in pairwise(offsets)]
        rows = zip(*columns.values(), strict=True)
        return [StoredTrack(**dict(zip(columns, row, strict=True))) for row in rows]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise DataError(f"{path} is damaged: {error}. Analyse the video again.") from error


def summaries(stored: Iterable[StoredTrack]) -> list[TrackSummary]:
    """The tracks as the analysis knew them, but for their embeddings."""
    return [
        TrackSummary(
            track=track.track,
            first_frame=track.first_frame,
            last_frame=track.last_frame,
            detections=track.detections,
            best_score=track.best_score,
            best_quality=track.best_quality,
            embedding=None,
            thumbnail=track.thumbnail,
        )
        for track in stored
    ]


def write_tiles(report: Report, folder: Path) -> None:
    """Write `tiles/`: one file per level, and `index.json`. Raises `OutputError`."""
    folder /= TILES
    rows = report.observations
    start, end = analysed_range(report.settings.get("start"), report.totals.duration)
    last = float((rows.time + rows.span).max()) if len(rows) else start
    # A still picture lasts no time; it gets one second, as in the figures.
    end = max(end, last) if max(end, last) > start else start + 1.0
    # Smoothing changes what is drawn, not what is known: a frame between two sure expressions is no less sure.
    doubtful = unsure(rows, report.unsure_below)
    built = tiles.pyramid(report.smoothed(), [person.id for person in report.people], start, end, doubtful)
    for level, lanes in enumerate(built.levels):
        with replace_file(folder / f"{level}.bin") as partial, partial.open("wb") as file:
            for number in range(lanes.shape[1]):
                file.write(built.tile(level, number))
    index = {
        "levels": [
            {"bin": tiles.bin_seconds(level), "tiles": lanes.shape[1]} for level, lanes in enumerate(built.levels)
        ],
        "bins_per_tile": tiles.BINS_PER_TILE,
        "start": start,
        "end": end,
        "people": list(built.people),
        "unsure_below": report.unsure_below,
    }
    _write_json(folder / "index.json", index)


def tiles_index(folder: Path) -> dict[str, Any]:
    """{levels: [{bin, tiles}], bins_per_tile, start, end, people, unsure_below}. Bin i of a level starts at
    `start + i * bin`, all in seconds. Raises `DataError`."""
    found: dict[str, Any] = _read_json(folder / TILES / "index.json", dict)
    return found


def read_tile(folder: Path, level: int, number: int) -> bytes | None:
    """The body of a tile as `core.tiles.Pyramid.tile` describes it, None where there is no such tile. Raises
    `DataError`."""
    index = tiles_index(folder)
    if not 0 <= level < len(index["levels"]) or not 0 <= number < index["levels"][level]["tiles"]:
        return None
    path, size = folder / TILES / f"{level}.bin", _tile_size(len(index["people"]))
    try:
        with path.open("rb") as file:
            file.seek(number * size)
            body = file.read(size)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error
    if len(body) != size:
        raise DataError(f"{path} is cut short. Analyse the video again.")
    return body


def write_moments(report: Report, folder: Path) -> None:
    """Write `moments.json`. Raises `OutputError`."""
    found = moments(report.observations, [person.id for person in report.people])
    _write_json(folder / MOMENTS, [dataclasses.asdict(moment) for moment in found])


def read_moments(
    folder: Path, person: int | None = None, emotion: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """{person, emotion, time, start, end, probability} of the strongest instants, most probable first and neutral ones
    last. Raises `DataError`."""
    found = [
        moment
        for moment in _read_json(folder / MOMENTS, list)
        if person in (None, moment["person"]) and emotion in (None, moment["emotion"])
    ]
    return found[:limit]


def read_report_json(folder: Path) -> dict[str, Any]:
    """What `report.json` holds; None stands for what an older version did not write. Raises `DataError`."""
    found: dict[str, Any] = _read_json(folder / "report.json", dict)
    people = found.get("people")
    for part in [*(people if isinstance(people, list) else ()), found.get("totals")]:
        if isinstance(part, dict):
            part.update({name: part.get(name) for name in CERTAINTY})
    return found


def _stored(track: TrackSummary, rows: Observations) -> StoredTrack:
    (mine,) = np.nonzero(rows.track == track.track)
    first = float(rows.time[mine[0]]) if len(mine) else float("nan")
    last = float(rows.time[mine[-1]] + rows.span[mine[-1]]) if len(mine) else float("nan")
    kept = {name: getattr(track, name) for name in _TRACK_FIELDS if name not in ("first_time", "last_time")}
    return StoredTrack(first_time=first, last_time=last, thumbnail=track.thumbnail, **kept)


def _tile_size(people: int) -> int:
    return people * tiles.BINS_PER_TILE * tiles.CELL


def _write_json(path: Path, value: Any) -> None:
    with replace_file(path) as partial:
        partial.write_text(dumps(value), "utf-8", newline="\n")


def _read_json(path: Path, kind: type) -> Any:
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}. Analyse the video again.") from error
    if not isinstance(found, kind):
        raise DataError(f"{path} is damaged. Analyse the video again.")
    return found
