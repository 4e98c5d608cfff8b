"""What a view folder holds beside the files of the formats: tracks, tiles of the timeline, moments."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from visagram.core import tiles
from visagram.core.certainty import unsure
from visagram.core.moments import moments
from visagram.core.prior import Factors, factors
from visagram.core.rows import rows_of_each
from visagram.core.smoothing import smoothed
from visagram.core.statistics import analysed_range
from visagram.core.types import EXPRESSIONS, Observations, TrackSummary
from visagram.errors import DataError
from visagram.export.json import PROGRAM, SCHEMA_VERSION, VIDEO_ID, dumps
from visagram.export.notices import warning_json, warning_of_text
from visagram.files import replace_file

if TYPE_CHECKING:
    from visagram.report import Report

CERTAINTY = ("certain_counts", "unsure")
"""What `report.json` says of people and totals since its version 1.1."""
OF_FILE = ("stream", "time_basis", "shapes", "path", "sha256", VIDEO_ID)
"""What `report.json` says of the video since its version 1.2, in which warnings are objects and no longer texts."""
OF_SHARE = ("episodes", "least", "most")
"""What it says of a share since its version 1.3."""
_OLDER = ("1.0", "1.1", "1.2")
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
    known = sorted(tracks, key=lambda track: track.track)
    first, last = _times(rows, [track.track for track in known])
    seen = {"first_time": first, "last_time": last}
    columns = {
        name: np.asarray(seen[name] if name in seen else [getattr(track, name) for track in known], kind)
        for name, kind in _TRACK_FIELDS.items()
    }
    sizes = [0, *(len(track.thumbnail) for track in known)]
    columns["thumbnails"] = np.frombuffer(b"".join(track.thumbnail for track in known), np.uint8)
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
    people = [person.id for person in report.people]
    nobody = tiles.pyramid(rows[:0], (), start, end, np.empty(0, bool))
    with ExitStack() as stack:
        files = [
            stack.enter_context(stack.enter_context(replace_file(folder / f"{level}.bin")).open("wb"))
            for level in range(len(nobody.levels))
        ]
        # One person at a time: everybody's lanes and smoothed posteriors at once would be as large as the table.
        for place, (person, mine) in enumerate(zip(people, rows_of_each(rows.person, people), strict=True)):
            # Smoothing changes what is drawn, not what is known: a frame between two sure expressions is no less sure.
            own = rows[mine]
            doubtful = unsure(own, report.unsure_below)
            built = tiles.pyramid(smoothed(own, report.smooth), [person], start, end, doubtful)
            for level, file in enumerate(files):
                for number in range(built.levels[level].shape[1]):
                    file.seek(number * _tile_size(len(people)) + place * _tile_size(1))
                    file.write(built.tile(level, number))
    index = {
        "levels": [
            {"bin": tiles.bin_seconds(level), "tiles": lanes.shape[1]} for level, lanes in enumerate(nobody.levels)
        ],
        "bins_per_tile": tiles.BINS_PER_TILE,
        "start": start,
        "end": end,
        "people": people,
        "unsure_below": dict(zip(EXPRESSIONS, report.unsure_below, strict=True)),
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
    """What `report.json` holds, one of an older version in today's form; None stands for what that did not write.

    Raises `DataError`.
    """
    found: dict[str, Any] = _read_json(folder / "report.json", dict)
    people, warnings = found.get("people"), found.get("warnings")
    for part in [*(people if isinstance(people, list) else ()), found.get("totals")]:
        if isinstance(part, dict):
            part.update({name: part.get(name) for name in CERTAINTY})
            complete_shares(part)
    if isinstance(video := found.get("video"), dict):
        video.update({name: video.get(name) for name in OF_FILE})
    if isinstance(warnings, list):
        found["warnings"] = [warning_json(warning_of_text(w)) if isinstance(w, str) else w for w in warnings]
    if found.get("schema_version") in _OLDER:
        found |= {"schema_version": SCHEMA_VERSION, PROGRAM: None}
    return found


def complete_shares(part: dict[str, Any]) -> None:
    """Bring the `shares` of a person, of totals or of a file of statistics into today's form; None stands for what
    their version did not write."""
    shares = part.get("shares")
    for share in shares.values() if isinstance(shares, dict) else ():
        if isinstance(share, dict):
            share.update({name: share.get(name) for name in OF_SHARE})


def read_prior(folder: Path) -> Factors | None:
    """By what the posteriors of a folder's table are multiplied, as `Report.prior`. Raises `DataError`."""
    path = folder / "report.json"
    try:
        return _read_prior(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error


@lru_cache(maxsize=64)
def _read_prior(path: Path, _changed: int) -> Factors | None:
    found = _read_json(path, dict)
    settings, models = found.get("settings"), found.get("models")
    try:
        return factors(settings.get("prior"), models) if settings and models else None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} does not hold a prior that can be used: {error}.") from error


def _times(rows: Observations, tracks: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When each track's first face is shown and its last one's time is over, NaN where it has none. rows: in time
    order."""
    times = np.full((2, len(tracks)), np.nan)
    for place, mine in enumerate(rows_of_each(rows.track, tracks)):
        if len(mine):
            times[:, place] = rows.time[mine[0]], rows.time[mine[-1]] + rows.span[mine[-1]]
    return times[0], times[1]


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
