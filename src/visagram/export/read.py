"""Reads a saved result back. The folder may come from anybody: what is missing, damaged or contradictory is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from visagram.core.types import Observations, Person, Share, Totals, VideoFacts
from visagram.errors import DataError
from visagram.export import table
from visagram.export.json import SCHEMA, SCHEMA_VERSION, thumbnail_name
from visagram.export.untrusted import Part
from visagram.report import Report

if TYPE_CHECKING:
    pass

_LARGEST_REPORT = 256 << 20
_LARGEST_THUMBNAIL = 16 << 20


def read_report(folder: Path) -> Report:
    """The inverse of `save` with at least json and parquet. Raises `DataError` naming the file and what is wrong."""
    path = folder / "report.json"
    content = Part(str(path), _load(path))
    _check_version(content)
    people = tuple(_person(part, folder) for part in content.parts("people"))
    if len({person.id for person in people}) != len(people):
        content.refuse("two people have the same id")
    return Report(
        video=_video(content.part("video")),
        settings=content.mapping("settings"),
        models=tuple(model.value for model in content.parts("models")),
        people=people,
        totals=_totals(content.part("totals")),
        warnings=tuple(content.each("warnings", str)),
        observations=_observations(folder / "observations.parquet", {person.id for person in people}),
    )


def _load(path: Path) -> Any:
    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_REPORT + 1)
        if len(text) > _LARGEST_REPORT:
            raise DataError(f"{path} is larger than any report.")
        return json.loads(text.decode("utf-8"), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}. Analyse the video again.") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _check_version(content: Part) -> None:
    if content.value.get("schema") != SCHEMA:
        content.refuse(f"this is not a {SCHEMA}")
    version = content.get("schema_version", str)
    if not re.fullmatch(r"\d{1,4}\.\d{1,4}", version):
        content.refuse(f"the schema version {version[:20]!r} is damaged")
    if int(version.split(".")[0]) > int(SCHEMA_VERSION.split(".")[0]):
        raise DataError(
            f"{content.place} has the schema version {version}; this Visagram reads up to {SCHEMA_VERSION}. Update it."
        )


def _video(part: Part) -> VideoFacts:
    return VideoFacts(
        name=part.get("name", str),
        bytes=part.whole("bytes"),
        container=part.get("container", str),
        codec=part.get("codec", str),
        pixel_format=part.get("pixel_format", str),
        width=part.whole("width"),
        height=part.whole("height"),
        coded_width=part.whole("coded_width"),
        coded_height=part.whole("coded_height"),
        rotation=part.get("rotation", int),
        mirrored=part.get("mirrored", bool),
        frames=part.whole("frames"),
        duration=part.rational("duration"),
        rate=part.rational("rate"),
        variable_rate=part.get("variable_rate", bool),
        has_audio=part.get("has_audio", bool),
        still=part.get("still", bool),
    )


def _person(part: Part, folder: Path) -> Person:
    id = part.whole("id")
    if not 0 < id < 1 << 31:
        part.refuse("'id' is not between 1 and 2147483647")
    times = {name: part.number(name) for name in ("first_seen", "last_seen", "screen_time", "measured")}
    unmeasured = part.part("unmeasured")
    return Person(
        id=id,
        name=part.get("name", str),
        tracks=tuple(part.each("tracks", int)),
        frames_seen=part.whole("frames_seen"),
        frames_usable=part.whole("frames_usable"),
        emotion_counts=part.by_expression("emotion_counts", Part.whole),
        shares=_shares(part),
        mean_posterior=part.by_expression("average_confidences", Part.number),
        unmeasured={reason: unmeasured.number(reason) for reason in unmeasured.value},
        segments=tuple(_segment(part, pair) for pair in part.each("segments", list)),
        thumbnail=_thumbnail(part, folder, id),
        **times,
    )


def _segment(part: Part, pair: list[Any]) -> tuple[float, float]:
    if len(pair) != 2 or any(type(value) not in (int, float) for value in pair):
        part.refuse("'segments' holds something other than pairs of seconds")
    return float(pair[0]), float(pair[1])


def _shares(part: Part) -> tuple[Share, ...]:
    def share(shares: Part, expression: str) -> Share:
        values = shares.part(expression)
        return Share(values.number("value"), values.number("low"), values.number("high"))

    return part.by_expression("shares", share)


def _thumbnail(part: Part, folder: Path, id: int) -> bytes:
    name = part.get("thumbnail", str, optional=True)
    if name is None:
        return b""
    if name != thumbnail_name(id):  # never a path that the file chose
        part.refuse(f"'thumbnail' is not {thumbnail_name(id)}")
    path = folder / name
    try:
        with path.open("rb") as file:
            picture: bytes = file.read(_LARGEST_THUMBNAIL)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not picture.startswith(b"\xff\xd8"):
        raise DataError(f"{path} is not a JPEG picture. Analyse the video again.")
    return picture


def _totals(part: Part) -> Totals:
    return Totals(
        frames=part.whole("frames"),
        frames_damaged=part.whole("frames_damaged"),
        frames_with_faces=part.whole("frames_with_faces"),
        duration=part.number("duration"),
        coverage=part.number("coverage"),
        emotion_counts=part.by_expression("emotion_counts", Part.whole),
        shares=_shares(part),
    )


def _observations(path: Path, people: set[int]) -> Observations:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            found = pq.read_table(file, columns=table.schema().names[1:]).combine_chunks()
    except pa.ArrowException as error:
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]}. Analyse the video again.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        rows = table.from_arrow(found)
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} does not hold the columns of a Visagram table: {error}.") from error
    if not set(np.unique(rows.person).tolist()) <= people | {0}:
        raise DataError(f"{path} names a person whom report.json does not know. Both must come from one analysis.")
    if not np.isfinite(rows.posterior[rows.usable]).all() or not np.isfinite(rows.time).all():
        raise DataError(f"{path} lacks the probabilities or the time of a usable face. Analyse the video again.")
    return rows


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error.strerror or error}); a result needs its json and parquet files.")
