"""Parts of a stored table: a stretch of time, a person, a page. Only the row groups that can hold them are read, one at
a time, so that a server holds little in memory however long the video is."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.prior import reweighted
from visagram.core.types import EXPRESSIONS, Observations
from visagram.errors import DataError, UsageError
from visagram.export import table
from visagram.export.npy import shortest
from visagram.export.stored import read_prior
from visagram.export.words import storable

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_KEYS = ["time_s", "span_s", "person"]
_PARTS: dict[str, tuple[str, ...]] = {
    "frame": ("frame",),
    "time": ("time_s",),
    "span": ("span_s",),
    "person": ("person",),
    "track": ("track",),
    "box": table.BOX,
    "score": ("detection_score",),
    "detected": ("detected",),
    "reason": ("reason",),
    "quality": ("quality",),
    "posterior": table.POSTERIOR,
    "emotion": ("emotion",),
}
ROW_COLUMNS = tuple(_PARTS)
"""The fields of a row of `observation_rows`."""


class _Slice(NamedTuple):
    """Rows with times in [start, end) seconds of one person, or everybody. shown: also rows from before that are still
    shown at `start`, which is what a player needs."""

    start: float | None = None
    end: float | None = None
    person: int | None = None
    shown: bool = False

    def possible(self, earliest: float, latest: float, longest: float) -> bool:
        """Whether rows with times from `earliest` to `latest`, each shown for `longest` at most, can be among them."""
        until = latest + longest if self.shown else latest
        return (self.start is None or until >= self.start) and (self.end is None or earliest < self.end)

    def certain(self, earliest: float, latest: float) -> bool:
        """Whether all rows with times from `earliest` to `latest` are among them."""
        inside = (self.start is None or earliest >= self.start) and (self.end is None or latest < self.end)
        return inside and self.person is None

    def mask(self, found: pa.Table) -> NDArray[np.bool_]:
        time = found.column("time_s").to_numpy()
        chosen = np.ones(len(time), bool)
        if self.start is not None:
            chosen &= time >= self.start
            if self.shown:
                chosen |= time + np.nan_to_num(found.column("span_s").to_numpy()) > self.start
        if self.end is not None:
            chosen &= time < self.end
        if self.person is not None:
            chosen &= found.column("person").to_numpy() == self.person
        return chosen


def count(folder: Path, start: float | None = None, end: float | None = None, person: int | None = None) -> int:
    """How many rows have times in [start, end) and are of one person, or everybody. Raises `DataError`."""
    chosen = _Slice(start, end, person)
    with _opened(folder) as groups:
        return sum(group.number(chosen) for group in groups if group.possible(chosen))


def read_observations(
    folder: Path,
    start: float | None = None,
    end: float | None = None,
    person: int | None = None,
    columns: Sequence[str] | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> pa.Table:
    """A page of the rows with times in [start, end) of one person, or everybody, in time order.

    columns: names out of `observations.parquet`, all of them if None. Raises `DataError`, or `UsageError` for a column
    that there is not.
    """
    names = table.schema().names if columns is None else list(columns)
    for name in names:
        _require(name, table.schema().names)
    return _together(folder, _Slice(start, end, person), names, offset, limit)


def rows_between(folder: Path, start: float, end: float, person: int | None = None) -> Observations:
    """The observations of one person, or everybody, that are shown between two times, in time order. Raises
    `DataError`."""
    found = _together(folder, _Slice(start, end, person, shown=True), table.schema().names)
    return table.from_arrow(found, read_prior(folder))


def boxes(folder: Path, start: float, end: float) -> dict[str, Any]:
    """What an overlay draws between two times, as columns: {start, end, time, span, person, box, posterior}.

    Rows in time order, the ones still shown at `start` included. time, span: seconds to the microsecond. box: x, y, w,
    h to a tenth of a pixel. posterior: seven whole numbers in 255ths, None where the face was not measured.
    """
    names = [*_KEYS, *table.BOX, *table.POSTERIOR]
    found = _together(folder, _Slice(start, end, shown=True), names)
    posterior = reweighted(_matrix(found, table.POSTERIOR), read_prior(folder))
    measured = np.isfinite(posterior[:, 0])
    scaled = np.round(np.where(measured[:, None], posterior, 0) * 255).astype(int).tolist()
    return {
        "start": start,
        "end": end,
        "time": np.round(found.column("time_s").to_numpy(), 6).tolist(),
        "span": np.round(np.nan_to_num(found.column("span_s").to_numpy()), 6).tolist(),
        "person": found.column("person").to_pylist(),
        "box": np.round(_matrix(found, table.BOX).astype(np.float64), 1).tolist(),
        "posterior": [row if seen else None for row, seen in zip(scaled, measured.tolist(), strict=True)],
    }


def observation_rows(
    folder: Path,
    start: float | None = None,
    end: float | None = None,
    person: int | None = None,
    columns: Sequence[str] | None = None,
    offset: int = 0,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """A page of the rows as JSON objects with the fields `columns` out of `ROW_COLUMNS`, all of them if None.

    box: [x, y, w, h]. posterior: {expression: probability}, None where the face was not measured; then emotion is None
    too, and otherwise the reason. `count` tells how many there are in total. Raises `DataError`, `UsageError`.
    """
    wanted = ROW_COLUMNS if columns is None else tuple(columns)
    for name in wanted:
        _require(name, ROW_COLUMNS)
    names = list(dict.fromkeys(column for name in wanted for column in _PARTS[name]))
    found = _together(folder, _Slice(start, end, person), names, offset, limit)
    values = {name: _json_column(found, name) for name in wanted}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def filtered_csv(
    folder: Path,
    start: float | None = None,
    end: float | None = None,
    person: int | None = None,
    video: str | None = None,
    video_id: str | None = None,
) -> Iterator[bytes]:
    """The chosen rows as `observations.csv` would hold them, part by part.

    video, video_id: what the columns of these names say, where not what is stored. Raises `DataError` as it is read.
    """
    import pyarrow.csv as pa_csv

    sink = _Outbox()
    with pa_csv.CSVWriter(sink, table.schema()) as writer:
        for part in _parts(folder, _Slice(start, end, person), table.schema().names):
            writer.write_table(table.without_formulas(_called(part, video, video_id)))
            yield sink.taken()
    yield sink.taken()


def filtered_parquet(
    folder: Path,
    start: float | None = None,
    end: float | None = None,
    person: int | None = None,
    video: str | None = None,
    video_id: str | None = None,
) -> Iterator[bytes]:
    """The chosen rows as `observations.parquet` would hold them, part by part.

    video, video_id: what the columns of these names say, where not what is stored. Raises `DataError` as it is read.
    """
    import pyarrow.parquet as pq

    sink = _Outbox()
    with pq.ParquetWriter(sink, table.schema(), compression="zstd") as writer:
        for part in _parts(folder, _Slice(start, end, person), table.schema().names):
            writer.write_table(_called(part, video, video_id))
            yield sink.taken()
    yield sink.taken()


def _called(part: pa.Table, video: str | None, video_id: str | None) -> pa.Table:
    """The rows with another name and id of their video."""
    for name, text in ((table.VIDEO, video), (table.VIDEO_ID, video_id)):
        if text is not None:
            part = part.set_column(
                part.schema.get_field_index(name), part.schema.field(name), table.constant(storable(text), len(part))
            )
    return part


class _Outbox(io.RawIOBase):
    """A file that is only written to, from whose start everything is taken away as it comes."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        self._waiting.append(bytes(data))
        self._position += len(self._waiting[-1])
        return len(self._waiting[-1])

    def taken(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)


class _Group(NamedTuple):
    """A row group of an open file. bounds: first and last time and the longest span, where the file tells."""

    file: pq.ParquetFile
    place: int
    bounds: tuple[float, float, float] | None

    def possible(self, chosen: _Slice) -> bool:
        return self.bounds is None or chosen.possible(*self.bounds)

    def number(self, chosen: _Slice) -> int:
        """Of chosen rows."""
        if self.bounds is not None and chosen.certain(*self.bounds[:2]):
            return int(self.file.metadata.row_group(self.place).num_rows)
        return int(chosen.mask(self.read(_KEYS)).sum())

    def read(self, columns: list[str]) -> pa.Table:
        """With nulls for the video's id where the table is from before there was one."""
        found = self.file.read_row_group(self.place, columns)
        if table.VIDEO_ID in columns and table.VIDEO_ID not in found.column_names:
            found = found.append_column(table.schema().field(table.VIDEO_ID), table.constant(None, len(found)))
        return found


@contextmanager
def _opened(folder: Path) -> Iterator[list[_Group]]:
    """The row groups of a folder's table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / table.PARQUET
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if not set(table.schema().names) - {table.VIDEO_ID} <= set(names):
                raise DataError(f"{path} does not hold the columns of a Visagram table. Analyse the video again.")
            time, span = (names.index(name) for name in _KEYS[:2])
            yield [_Group(file, k, _bounds(file, k, time, span)) for k in range(file.metadata.num_row_groups)]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error
    except pa.ArrowException as error:
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]}. Analyse the video again.") from error


def _bounds(file: pq.ParquetFile, group: int, time: int, span: int) -> tuple[float, float, float] | None:
    found = file.metadata.row_group(group)
    times, spans = (found.column(position).statistics for position in (time, span))
    if times is None or spans is None or not (times.has_min_max and spans.has_min_max):
        return None
    return times.min, times.max, max(spans.max, 0.0)


def _together(
    folder: Path, chosen: _Slice, columns: Sequence[str], offset: int = 0, limit: int | None = None
) -> pa.Table:
    import pyarrow as pa

    empty = table.schema().empty_table().select(list(columns))
    return pa.concat_tables([empty, *_parts(folder, chosen, columns, offset, limit)])


def _parts(
    folder: Path, chosen: _Slice, columns: Sequence[str], offset: int = 0, limit: int | None = None
) -> Iterator[pa.Table]:
    """The chosen rows without the first `offset` and with at most `limit`, a row group at a time."""
    wanted = list(dict.fromkeys([*columns, *_KEYS]))
    with _opened(folder) as groups:
        for group in groups:
            if limit is not None and limit <= 0:
                return
            if not group.possible(chosen):
                continue
            if offset:
                number = group.number(chosen)
                if number <= offset:
                    offset -= number
                    continue
            found = group.read(wanted)
            part = found.filter(chosen.mask(found)).select(list(columns)).slice(offset, limit)
            offset, limit = 0, None if limit is None else limit - len(part)
            if len(part):
                yield part.cast(table.schema().empty_table().select(list(columns)).schema)


def _json_column(found: pa.Table, name: str) -> list[Any]:
    columns = _PARTS[name]
    if name == "posterior":
        values = _matrix(found, columns)
        rows = [dict(zip(EXPRESSIONS, row, strict=True)) for row in shortest(values)]
        measured = np.isfinite(values[:, 0])
        return [row if seen else None for row, seen in zip(rows, measured.tolist(), strict=True)]
    if name == "box":
        return shortest(_matrix(found, columns))
    if name in ("score", "quality"):
        return shortest(_matrix(found, columns)[:, 0])
    values = found.column(columns[0]).to_pylist()
    return [None if value != value else value for value in values]


def _matrix(found: pa.Table, names: Sequence[str]) -> NDArray[np.float32]:
    return np.stack([found.column(name).to_numpy() for name in names], axis=1)


def _require(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UsageError(f"There is no column '{name[:40]}'; the columns are {', '.join(known)}.")
