"""Reads a saved result back. The folder may come from anybody: what is missing, damaged or contradictory is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from visagram.core.certainty import Below, Certainty, certainty, is_threshold, unsure_below
from visagram.core.prior import Factors, factors, is_prior
from visagram.core.smoothing import LONGEST
from visagram.core.types import Observations, Person, ResultWarning, Shape, Share, Totals, VideoFacts
from visagram.errors import DataError
from visagram.export import table
from visagram.export.json import LARGEST_REPORT, PROGRAM, SCHEMA, SCHEMA_VERSION, thumbnail_name
from visagram.export.notices import warning_of_text
from visagram.export.untrusted import Part
from visagram.report import Report

_LARGEST_THUMBNAIL = 16 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
UNKNOWN_STREAM = -1
"""The stream of a report that does not say which one was read."""


def read_report(folder: Path) -> Report:
    """The inverse of `save` with at least json and parquet. Raises `DataError` naming the file and what is wrong.

    What a report from before version 1.1 does not say of certainty is counted again. What one from before version 1.2
    does not say of the file stays unknown: `UNKNOWN_STREAM`, and empty texts; so does the version that analysed, in one
    from before version 1.3.
    """
    path = folder / "report.json"
    content = Part(str(path), _load(path))
    _check_version(content)
    settings, models = content.part("settings"), content.parts("models")
    if not 0 <= (settings.get("smooth", float, optional=True) or 0.0) <= LONGEST:
        settings.refuse(f"'smooth' is not between 0 and {LONGEST:.0f} seconds")
    for model in models:
        if not is_threshold(model.value.get("unsure_below")):
            model.refuse("'unsure_below' is no probability, nor one for each of the seven expressions")
    kept = tuple(model.value for model in models)
    rows = _observations(folder / "observations.parquet", _prior(settings, models))
    people = tuple(_person(part, folder, rows, unsure_below(kept)) for part in content.parts("people"))
    ids = {person.id for person in people}
    if len(ids) != len(people):
        content.refuse("two people have the same id")
    if not set(np.unique(rows.person).tolist()) <= ids | {0}:
        content.refuse("observations.parquet names a person who is not here; both must come from one analysis")
    return Report(
        video=_video(content.part("video")),
        settings=settings.value,
        models=kept,
        people=people,
        totals=_totals(content.part("totals"), rows, unsure_below(kept)),
        warnings=tuple(_warning(content, entry) for entry in content.get("warnings", list)),
        observations=rows,
        version=content.get(PROGRAM, str, optional=True) or "",
    )


def _load(path: Path) -> Any:
    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_REPORT + 1)
        if len(text) > LARGEST_REPORT:
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
        stream=UNKNOWN_STREAM if part.value.get("stream") is None else part.whole("stream"),
        time_basis=part.get("time_basis", str, optional=True) or "",
        shapes=tuple(_shape(shape) for shape in part.parts("shapes")) if part.value.get("shapes") is not None else (),
        path=part.get("path", str, optional=True) or "",
        sha256=_sha256(part),
    )


def _shape(part: Part) -> Shape:
    return Shape(
        frame=part.whole("frame"),
        time=part.get("time", float),
        pixel_format=part.get("pixel_format", str),
        width=part.whole("width"),
        height=part.whole("height"),
        coded_width=part.whole("coded_width"),
        coded_height=part.whole("coded_height"),
        rotation=part.get("rotation", int),
        mirrored=part.get("mirrored", bool),
    )


def _sha256(part: Part) -> str:
    value: str = part.get("sha256", str, optional=True) or ""
    if value and not _SHA256.fullmatch(value):
        part.refuse("'sha256' is not 64 hexadecimal digits")
    return value


def _warning(content: Part, entry: Any) -> ResultWarning:
    if isinstance(entry, str):
        return warning_of_text(entry)
    part = Part(f"{content.place} › warnings", entry)
    return ResultWarning(
        code=part.get("code", str),
        message=part.get("message", str),
        count=part.whole("count"),
        seconds=part.get("seconds", float, optional=True),
    )


def _person(part: Part, folder: Path, rows: Observations, below: Below) -> Person:
    id = part.whole("id")
    if not 0 < id < 1 << 31:
        part.refuse("'id' is not between 1 and 2147483647")
    times = {name: part.number(name) for name in ("first_seen", "last_seen", "screen_time", "measured")}
    unmeasured = part.part("unmeasured")
    sure = _written_certainty(part) or certainty(rows[rows.person == id], below)
    return Person(
        id=id,
        name=part.get("name", str),
        tracks=tuple(part.each("tracks", int)),
        frames_seen=part.whole("frames_seen"),
        frames_usable=part.whole("frames_usable"),
        emotion_counts=part.by_expression("emotion_counts", Part.whole),
        certain_counts=sure.counts,
        shares=_shares(part),
        mean_posterior=part.by_expression("average_confidences", Part.number),
        unsure=sure.unsure,
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
        low, high, least, most = (values.get(name, float, optional=True) for name in ("low", "high", "least", "most"))
        if (low is None) != (high is None) or (least is None) != (most is None):
            values.refuse("an interval has two ends")
        told = values.value.get("episodes") is not None
        return Share(values.number("value"), low, high, values.whole("episodes") if told else None, least, most)

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


def _written_certainty(part: Part) -> Certainty | None:
    """None where the version that wrote the report knew no certainty."""
    if part.value.get("certain_counts") is None:
        return None
    return Certainty(part.by_expression("certain_counts", Part.whole), part.number("unsure"))


def _totals(part: Part, rows: Observations, below: Below) -> Totals:
    sure = _written_certainty(part) or certainty(rows, below)
    return Totals(
        frames=part.whole("frames"),
        frames_damaged=part.whole("frames_damaged"),
        frames_with_faces=part.whole("frames_with_faces"),
        duration=part.number("duration"),
        coverage=part.number("coverage"),
        emotion_counts=part.by_expression("emotion_counts", Part.whole),
        certain_counts=sure.counts,
        shares=_shares(part),
        unsure=sure.unsure,
    )


def _prior(settings: Part, models: Sequence[Part]) -> Factors | None:
    """By what stored posteriors are multiplied."""
    for model in models:
        if not is_prior(model.value.get("prior")):
            model.refuse("'prior' is no share above 0 for each of the seven expressions")
    try:
        return factors(settings.value.get("prior"), [model.value for model in models])
    except ValueError as error:
        settings.refuse(f"'prior' cannot be used: {error}")


def _observations(path: Path, prior: Factors | None) -> Observations:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            names = [name for name in table.schema().names if name not in table.OF_VIDEO]
            found = pq.read_table(file, columns=names).combine_chunks()
    except pa.ArrowException as error:
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]}. Analyse the video again.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        rows = table.from_arrow(found, prior)
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} does not hold the columns of a Visagram table: {error}.") from error
    if not np.isfinite(rows.posterior[rows.usable]).all() or not np.isfinite(rows.time).all():
        raise DataError(f"{path} lacks the probabilities or the time of a usable face. Analyse the video again.")
    return rows


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error.strerror or error}); a result needs its json and parquet files.")
