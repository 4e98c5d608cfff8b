"""Reads a saved result back. The folder may come from anybody: what is missing, damaged or contradictory is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS, Observations, Person, Share, Totals, VideoFacts
from visagram.errors import DataError
from visagram.export import table
from visagram.export.json import SCHEMA, SCHEMA_VERSION, thumbnail_name
from visagram.report import Report

if TYPE_CHECKING:
    import pyarrow as pa

_RATIONAL = re.compile(r"\d{1,24}/0*[1-9]\d{0,23}")
_LARGEST_REPORT = 256 << 20
_LARGEST_THUMBNAIL = 16 << 20


def read_report(folder: Path) -> Report:
    """The inverse of `save` with at least json and parquet. Raises `DataError` naming the file and what is wrong in it."""
    path = folder / "report.json"
    content = _Part(str(path), _load(path))
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


class _Part:
    """A JSON object from outside; every access checks the type and knows where it is for the error's text."""

    def __init__(self, place: str, value: Any) -> None:
        self.place = place
        self.value: dict[str, Any] = value
        if not isinstance(value, dict):
            self.refuse("an object is expected here")

    def refuse(self, what: str) -> NoReturn:
        raise DataError(f"{self.place}: {what}. Analyse the video again.")

    def get(self, name: str, kind: type, *, optional: bool = False) -> Any:
        """A field of exactly this type; a whole number may stand for a float, but true is no number."""
        value = self.value.get(name)
        if optional and value is None:
            return None
        if kind is float and type(value) is int and abs(value) < 1 << 63:
            return float(value)
        if type(value) is not kind:
            self.refuse(f"'{name}' is missing or not of type {kind.__name__}")
        return value

    def number(self, name: str) -> float:
        """A float; null is what JSON holds for NaN."""
        value = self.get(name, float, optional=True)
        return float("nan") if value is None else float(value)

    def whole(self, name: str) -> int:
        value: int = self.get(name, int)
        return value if 0 <= value < 1 << 63 else self.refuse(f"'{name}' is {str(value)[:20]}")

    def part(self, name: str) -> _Part:
        return _Part(f"{self.place} › {name}", self.value.get(name))

    def mapping(self, name: str) -> dict[str, Any]:
        return self.part(name).value

    def parts(self, name: str) -> list[_Part]:
        entries = self.get(name, list)
        return [_Part(f"{self.place} › {name}[{index}]", entry) for index, entry in enumerate(entries)]

    def each(self, name: str, kind: type) -> list[Any]:
        entries: list[Any] = self.get(name, list)
        if any(type(entry) is not kind for entry in entries):
            self.refuse(f"'{name}' holds something other than {kind.__name__}")
        return entries

    def by_expression(self, name: str, read: Callable[[_Part, str], Any]) -> tuple[Any, ...]:
        """One value per expression, or none at all."""
        part = self.part(name)
        if part.value and set(part.value) != set(EXPRESSIONS):
            part.refuse("exactly the seven expressions are expected here")
        return tuple(read(part, expression) for expression in EXPRESSIONS) if part.value else ()

    def rational(self, name: str) -> Fraction:
        text = self.get(f"{name}_exact", str)
        # Checked before it is parsed: Fraction would also take '1e999999999' and never come back.
        if not _RATIONAL.fullmatch(text):
            self.refuse(f"'{name}_exact' is not a rational number such as 30000/1001")
        return Fraction(text)


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


def _check_version(content: _Part) -> None:
    if content.value.get("schema") != SCHEMA:
        content.refuse(f"this is not a {SCHEMA}")
    version = content.get("schema_version", str)
    if not re.fullmatch(r"\d{1,4}\.\d{1,4}", version):
        content.refuse(f"the schema version {version[:20]!r} is damaged")
    if int(version.split(".")[0]) > int(SCHEMA_VERSION.split(".")[0]):
        raise DataError(
            f"{content.place} has the schema version {version}, and this Visagram reads up to {SCHEMA_VERSION}: update it."
        )


def _video(part: _Part) -> VideoFacts:
    texts = {name: part.get(name, str) for name in ("name", "container", "codec", "pixel_format")}
    sizes = {name: part.whole(name) for name in ("bytes", "width", "height", "coded_width", "coded_height", "frames")}
    flags = {name: part.get(name, bool) for name in ("variable_rate", "has_audio", "still")}
    times = {"duration": part.rational("duration"), "rate": part.rational("rate")}
    return VideoFacts(rotation=part.get("rotation", int), **texts, **sizes, **flags, **times)


def _person(part: _Part, folder: Path) -> Person:
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
        emotion_counts=part.by_expression("emotion_counts", _Part.whole),
        shares=_shares(part),
        mean_posterior=part.by_expression("average_confidences", _Part.number),
        unmeasured={reason: unmeasured.number(reason) for reason in unmeasured.value},
        segments=tuple(_segment(part, pair) for pair in part.each("segments", list)),
        thumbnail=_thumbnail(part, folder, id),
        **times,
    )


def _segment(part: _Part, pair: list[Any]) -> tuple[float, float]:
    if len(pair) != 2 or any(type(value) not in (int, float) for value in pair):
        part.refuse("'segments' holds something other than pairs of seconds")
    return float(pair[0]), float(pair[1])


def _shares(part: _Part) -> tuple[Share, ...]:
    def share(shares: _Part, expression: str) -> Share:
        values = shares.part(expression)
        return Share(values.number("value"), values.number("low"), values.number("high"))

    return part.by_expression("shares", share)


def _thumbnail(part: _Part, folder: Path, id: int) -> bytes:
    name = part.get("thumbnail", str, optional=True)
    if name is None:
        return b""
    if name != thumbnail_name(id):  # never a path that the file chose
        part.refuse(f"'thumbnail' is not {thumbnail_name(id)}")
    path = folder / name
    try:
        with path.open("rb") as file:
            picture = file.read(_LARGEST_THUMBNAIL)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not picture.startswith(b"\xff\xd8"):
        raise DataError(f"{path} is not a JPEG picture. Analyse the video again.")
    return picture


def _totals(part: _Part) -> Totals:
    return Totals(
        frames=part.whole("frames"),
        frames_damaged=part.whole("frames_damaged"),
        frames_with_faces=part.whole("frames_with_faces"),
        duration=part.number("duration"),
        coverage=part.number("coverage"),
        emotion_counts=part.by_expression("emotion_counts", _Part.whole),
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
        rows = _rows(found)
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} does not hold the columns of a Visagram table: {error}.") from error
    if not set(np.unique(rows.person).tolist()) <= people | {0}:
        raise DataError(f"{path} names a person whom report.json does not know. Both must come from one analysis.")
    if not np.isfinite(rows.posterior[rows.usable]).all() or not np.isfinite(rows.time).all():
        raise DataError(f"{path} lacks the probabilities or the time of a usable face. Analyse the video again.")
    return rows


def _rows(found: pa.Table) -> Observations:
    """The table's columns as arrays. Raises `KeyError`, `ValueError` and Arrow's errors for what does not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def column(name: str, kind: Any, *, nulls: bool = True) -> NDArray[Any]:
        values = found.column(name).cast(kind)
        if values.null_count and not nulls:
            raise ValueError(f"the column '{name}' has empty fields")
        array: NDArray[Any] = values.to_numpy()
        return array.astype(kind.to_pandas_dtype())

    def matrix(names: tuple[str, ...]) -> NDArray[np.float32]:
        return np.stack([column(name, pa.float32()) for name in names], axis=1)

    reason = found.column("reason").cast(pa.string())
    number = pc.index_in(reason, value_set=pa.array(table.REASON_LABELS))
    if number.null_count != reason.null_count:
        raise ValueError("the column 'reason' has an unknown reason")
    return Observations(
        frame=column("frame", pa.int64(), nulls=False),
        time=column("time_s", pa.float64(), nulls=False),
        span=column("span_s", pa.float32()),
        person=column("person", pa.int32(), nulls=False),
        track=column("track", pa.int32(), nulls=False),
        box=matrix(table.BOX),
        landmarks=matrix(table.LANDMARK_COLUMNS).reshape(-1, len(table.LANDMARKS), 2),
        score=column("detection_score", pa.float32()),
        detected=column("detected", pa.bool_(), nulls=False),
        reason=(number.fill_null(-1).to_numpy() + 1).astype(np.uint8),
        quality=column("quality", pa.float32()),
        posterior=matrix(table.POSTERIOR),
    )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read ({error.strerror or error}); a result needs its json and parquet files.")
