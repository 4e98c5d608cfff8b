"""One row per face per frame, as an Arrow table, a Parquet file or a CSV file.

A value that does not exist is null: the posteriors and the emotion of a face that was not usable, the reason of one
that was, the id of a video whose content is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.prior import Factors, reweighted
from visagram.core.types import EXPRESSIONS, Observations, Reason
from visagram.export.words import storable
from visagram.files import replace_file

if TYPE_CHECKING:
    import pyarrow as pa

    from visagram.report import Report

TABLE_VERSION = "1.1"
ROWS_AT_ONCE = 1 << 14
"""Rows of a row group of the Parquet file: few enough that a stretch of a long video is read without the rest."""
PARQUET = "observations.parquet"
VIDEO, VIDEO_ID = OF_VIDEO = ("video", "video_id")
"""The columns that are the same in every row. Tables of version 1.0 have no `video_id`."""
LANDMARKS = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
BOX = ("x", "y", "w", "h")
POSTERIOR = tuple(f"p_{name}" for name in EXPRESSIONS)
LANDMARK_COLUMNS = tuple(f"lm_{name}_{axis}" for name in LANDMARKS for axis in "xy")
REASON_LABELS = tuple(reason.label for reason in Reason if reason)
"""Index k holds the label of `Reason(k + 1)`."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def schema() -> pa.Schema:
    """The columns in order. Lengths are in pixels of the displayed picture, times in seconds.

    `video_id` names the video's content: the first 16 digits of its SHA-256, so that two files of one name stay apart.
    `span_s`, the time that a row stands for (until the next analysed frame), is last: weigh by it.
    """
    import pyarrow as pa

    words = pa.dictionary(pa.int8(), pa.string())
    kinds: dict[str, Any] = {VIDEO: words, VIDEO_ID: words, "frame": pa.int64(), "time_s": pa.float64()}
    kinds |= {"person": pa.int32(), "track": pa.int32()} | dict.fromkeys(BOX, pa.float32())
    kinds |= {"detection_score": pa.float32(), "detected": pa.bool_(), "usable": pa.bool_(), "reason": words}
    kinds |= {"quality": pa.float32()} | dict.fromkeys(POSTERIOR, pa.float32()) | {"emotion": words}
    kinds |= dict.fromkeys(LANDMARK_COLUMNS, pa.float32()) | {"span_s": pa.float64()}
    return pa.schema(list(kinds.items()), {"visagram.table": TABLE_VERSION})


def to_arrow(report: Report) -> pa.Table:
    """The whole table in memory."""
    import pyarrow as pa

    return pa.Table.from_batches(batches(report), schema())


def batches(report: Report, video: str | None = None) -> Iterator[pa.RecordBatch]:
    """The table in parts of `ROWS_AT_ONCE` rows. video: what to write in its column instead of the video's name."""
    name = storable(report.video.name) if video is None else video
    back = None if report.prior is None else 1 / report.prior
    for start in range(0, len(report.observations), ROWS_AT_ONCE):
        rows = report.observations[start : start + ROWS_AT_ONCE]
        stored = rows.with_columns(posterior=reweighted(rows.posterior, back))
        yield _batch(stored, name, report.video_id)


def write_parquet(report: Report, folder: Path) -> list[Path]:
    """Write `observations.parquet` (zstd). Raises `OutputError`."""
    import pyarrow.parquet as pq

    path = folder / PARQUET
    with replace_file(path) as partial, pq.ParquetWriter(partial, schema(), compression="zstd") as writer:
        for batch in batches(report):
            writer.write_batch(batch)
    return [path]


def from_arrow(found: pa.Table, prior: Factors | None = None) -> Observations:
    """The inverse of `to_arrow`. prior: that of the report. Raises `KeyError`, `ValueError` and Arrow's errors for what
    does not fit."""
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
    number = pc.index_in(reason, value_set=pa.array(REASON_LABELS))
    if number.null_count != reason.null_count:
        raise ValueError("the column 'reason' has an unknown reason")
    return Observations(
        frame=column("frame", pa.int64(), nulls=False),
        time=column("time_s", pa.float64(), nulls=False),
        span=column("span_s", pa.float64()),
        person=column("person", pa.int32(), nulls=False),
        track=column("track", pa.int32(), nulls=False),
        box=matrix(BOX),
        landmarks=matrix(LANDMARK_COLUMNS).reshape(-1, len(LANDMARKS), 2),
        score=column("detection_score", pa.float32()),
        detected=column("detected", pa.bool_(), nulls=False),
        reason=(number.fill_null(-1).to_numpy() + 1).astype(np.uint8),
        quality=column("quality", pa.float32()),
        posterior=reweighted(matrix(POSTERIOR), prior),
    )


def write_csv(report: Report, folder: Path) -> list[Path]:
    """Write `observations.csv`; an empty field is a null. Raises `OutputError`."""
    import pyarrow.csv as pa_csv

    path = folder / "observations.csv"
    video = neutral(storable(report.video.name))
    with replace_file(path) as partial, pa_csv.CSVWriter(partial, schema()) as writer:
        for batch in batches(report, video):
            writer.write_batch(batch)
    return [path]


def without_formulas(found: pa.Table) -> pa.Table:
    """A table whose texts a spreadsheet shows instead of running them, for CSV."""
    import pyarrow as pa

    for position, field in enumerate(found.schema):
        column = found.column(position)
        if pa.types.is_dictionary(field.type):
            chunks = [_renamed(chunk) for chunk in column.chunks]
            found = found.set_column(position, field, pa.chunked_array(chunks, field.type))
        elif pa.types.is_string(field.type):
            texts = [None if text is None else neutral(text) for text in column.to_pylist()]
            found = found.set_column(position, field, pa.array(texts, field.type))
    return found


def _renamed(chunk: pa.DictionaryArray) -> pa.DictionaryArray:
    import pyarrow as pa

    words = [None if text is None else neutral(text) for text in chunk.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(chunk.indices, pa.array(words, chunk.dictionary.type))


def neutral(text: str) -> str:
    """`text` such that a spreadsheet shows it instead of running it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def constant(text: str | None, rows: int) -> pa.Array:
    """A column of words that holds the same text in every row, null for None."""
    return _words(np.full(rows, -1 if text is None else 0, np.int8), () if text is None else (text,))


def _batch(rows: Observations, video: str, video_id: str | None) -> pa.RecordBatch:
    import pyarrow as pa

    arrays: list[pa.Array] = [constant(video, len(rows)), constant(video_id, len(rows))]
    arrays += [pa.array(rows.frame), pa.array(rows.time)]
    arrays += [pa.array(rows.person), pa.array(rows.track), *_columns(rows.box), *_columns(rows.score[:, None])]
    arrays += [pa.array(rows.detected), pa.array(rows.usable), _words(rows.reason.astype(np.int8) - 1, REASON_LABELS)]
    arrays += [*_columns(rows.quality[:, None]), *_columns(rows.posterior), _words(rows.emotion, EXPRESSIONS)]
    arrays += [*_columns(rows.landmarks.reshape(len(rows), -1)), pa.array(rows.span, from_pandas=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema())


def _columns(matrix: NDArray[np.float32]) -> list[pa.Array]:
    """Each column of (n, k); NaN becomes null."""
    import pyarrow as pa

    return [pa.array(np.ascontiguousarray(column), pa.float32(), from_pandas=True) for column in matrix.T]


def _words(index: NDArray[np.int8], words: tuple[str, ...]) -> pa.Array:
    """`words[index]`, null where the index is negative."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(index, pa.int8(), mask=index < 0), pa.array(words, pa.string()))
