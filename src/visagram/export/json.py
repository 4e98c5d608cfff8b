"""The report, the overall statistics and each person's statistics as JSON; their schemas lie in `schema/`.

What is not known and a number that does not exist are `null`; NaN and Infinity, which are no JSON, never appear.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visagram.core.types import EXPRESSIONS, Person, Share
from visagram.export.notices import warning_json
from visagram.export.npy import shortest, usable_rows
from visagram.export.words import REASONS, storable
from visagram.files import replace_file

if TYPE_CHECKING:
    from visagram.report import Report

SCHEMA = "visagram.report"
SCHEMA_VERSION = "1.3"
LARGEST_REPORT = 256 << 20
"""Bytes: a larger file is none."""
SCHEMAS = ("report", "overall_statistics", "face_statistics")
VIDEO_ID, PROGRAM = "video_id", "visagram"


def write(report: Report, folder: Path) -> list[Path]:
    """Write the statistics and thumbnails, and `report.json` last: it names the others. Raises `OutputError`."""
    written = []
    for person in report.people:
        written.append(_write_json(folder / f"face_{person.id}_statistics.json", face_statistics(report, person)))
        if person.thumbnail:
            picture = folder / thumbnail_name(person.id)
            with replace_file(picture) as partial:
                partial.write_bytes(person.thumbnail)
            written.append(picture)
    written.append(_write_json(folder / "overall_statistics.json", overall_statistics(report)))
    written.append(_write_json(folder / "report.json", report_dict(report)))
    return written


def report_dict(report: Report) -> dict[str, Any]:
    """What `report.json` holds, in JSON types: everything but the observations. Times are in seconds."""
    return _object(
        {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            PROGRAM: report.version or None,
            "video": _video(report),
            "settings": report.settings,
            "models": report.models,
            "people": [_person(person) for person in report.people],
            "totals": _totals(report),
            "warnings": [warning_json(warning) for warning in report.warnings],
        }
    )


def overall_statistics(report: Report) -> dict[str, Any]:
    """What `overall_statistics.json` holds. `total_faces_detected` counts people, not boxes."""
    return _object(
        {
            VIDEO_ID: report.video_id,
            "total_frames_processed": report.totals.frames,
            "total_faces_detected": len(report.people),
            "faces": [person.id for person in report.people],
            "duration": report.totals.duration,
            "coverage": report.totals.coverage,
        }
    )


def face_statistics(report: Report, person: Person) -> dict[str, Any]:
    """What `face_<n>_statistics.json` holds. `total_frames_processed` counts the frames that voted, so that it is the
    sum of `emotion_counts` and the number of rows of the person's matrix."""
    rows = usable_rows(report.observations, person.id)
    example = dict(zip(EXPRESSIONS, shortest(rows.posterior[0]), strict=True)) if len(rows) else None
    return _object(
        {
            VIDEO_ID: report.video_id,
            "face_id": person.id,
            "total_frames_processed": person.frames_usable,
            "most_common_emotion": person.dominant,
            "emotion_counts": _by_expression(person.emotion_counts),
            "certain_counts": _by_expression(person.certain_counts),
            "average_confidences": _by_expression(person.mean_posterior),
            "probabilistic_embeddings_shape": [len(rows), len(EXPRESSIONS)],
            "embedding_example": example,
            "first_seen": person.first_seen,
            "last_seen": person.last_seen,
            "screen_time": person.screen_time,
            "shares": _shares(person.shares),
            "unsure": person.unsure,
            "unmeasured": _unmeasured(person),
            "segments": person.segments,
            "thumbnail": thumbnail_name(person.id) if person.thumbnail else None,
        }
    )


def dumps(value: Any) -> str:
    """JSON text with two spaces of indentation and a final newline; equal values give equal text."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def schema(name: str, version: str = SCHEMA_VERSION) -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12) of one of `SCHEMAS`; those since version 1.1 are kept."""
    text = resources.files("visagram.export").joinpath("schema", f"{name}-{version}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def thumbnail_name(person: int) -> str:
    return f"face_{person}.jpg"


def _write_json(path: Path, value: dict[str, Any]) -> Path:
    with replace_file(path) as partial:
        partial.write_text(dumps(value), "utf-8", newline="\n")
    return path


def _video(report: Report) -> dict[str, Any]:
    facts = {f.name: getattr(report.video, f.name) for f in dataclasses.fields(report.video)}
    facts |= {name: facts[name] or None for name in ("time_basis", "path", "sha256")}
    facts["stream"] = facts["stream"] if facts["stream"] >= 0 else None
    # A version that did not look at times did not look at shapes either.
    looked = facts["time_basis"] is not None
    facts["shapes"] = [dataclasses.asdict(shape) for shape in facts["shapes"]] if looked else None
    # A rational as a number for reading and as an exact text beside it: 29.97 is not 30000/1001.
    exact = {f"{name}_exact": f"{v.numerator}/{v.denominator}" for name, v in facts.items() if isinstance(v, Fraction)}
    return facts | {VIDEO_ID: report.video_id} | exact


def _person(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "tracks": person.tracks,
        "first_seen": person.first_seen,
        "last_seen": person.last_seen,
        "screen_time": person.screen_time,
        "frames_seen": person.frames_seen,
        "frames_usable": person.frames_usable,
        "most_common_emotion": person.dominant,
        "emotion_counts": _by_expression(person.emotion_counts),
        "certain_counts": _by_expression(person.certain_counts),
        "average_confidences": _by_expression(person.mean_posterior),
        "shares": _shares(person.shares),
        "measured": person.measured,
        "unsure": person.unsure,
        "unmeasured": _unmeasured(person),
        "segments": person.segments,
        "thumbnail": thumbnail_name(person.id) if person.thumbnail else None,
    }


def _totals(report: Report) -> dict[str, Any]:
    totals = {f.name: getattr(report.totals, f.name) for f in dataclasses.fields(report.totals)}
    return totals | {
        "emotion_counts": _by_expression(report.totals.emotion_counts),
        "certain_counts": _by_expression(report.totals.certain_counts),
        "shares": _shares(report.totals.shares),
    }


def _by_expression(values: Sequence[Any]) -> dict[str, Any]:
    """Values by expression; empty where nothing was measured."""
    return dict(zip(EXPRESSIONS, values, strict=True)) if values else {}


def _shares(shares: Sequence[Share]) -> dict[str, Any]:
    return _by_expression([dataclasses.asdict(share) for share in shares])


def _unmeasured(person: Person) -> dict[str, float]:
    order = [*REASONS, *sorted(set(person.unmeasured) - set(REASONS))]
    return {name: person.unmeasured[name] for name in order if name in person.unmeasured}


def _object(values: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(values)
    return plain


def _plain(value: Any) -> Any:
    """The value in JSON types."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(key)): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
