"""The posteriors of each person's usable frames as one matrix, for whoever computes with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS, Observations
from visagram.files import replace_file

if TYPE_CHECKING:
    from visagram.report import Report

LINE = "],\n    ["
"""What separates two vectors."""


def write(report: Report, folder: Path) -> list[Path]:
    """Write `face_<n>_embeddings.npy` and `.json` for each person. Raises `OutputError`."""
    written: list[Path] = []
    for person in report.people:
        rows = usable_rows(report.observations, person.id)
        matrix = folder / f"face_{person.id}_embeddings.npy"
        with replace_file(matrix) as partial, partial.open("wb") as binary:
            np.save(binary, np.ascontiguousarray(rows.posterior, np.float32), allow_pickle=False)
        named = folder / f"face_{person.id}_embeddings.json"
        with replace_file(named) as partial, partial.open("w", encoding="utf-8", newline="\n") as text:
            _write_named(text, report.video_id, person.id, rows)
        written += [matrix, named]
    return written


def usable_rows(observations: Observations, person: int) -> Observations:
    """The person's observations that voted, in time order."""
    rows = observations[(observations.person == person) & observations.usable]
    return rows[np.argsort(rows.frame, kind="stable")]


def shortest(values: NDArray[np.float32]) -> list[Any]:
    """float32 values as the shortest decimals that still name them: 0.1, not 0.10000000149011612."""
    # Arrow writes and reads decimals five times as fast as numpy.
    import pyarrow as pa

    decimals = pa.array(np.asarray(values, np.float32).ravel()).cast(pa.string()).cast(pa.float64())
    shaped: list[Any] = decimals.to_numpy().reshape(values.shape).tolist()
    return shaped


def _write_named(file: TextIO, video_id: str | None, person: int, rows: Observations) -> None:
    """One vector a line, written as it goes: hours of video stay out of memory, and a person can read it."""
    head = {
        "video_id": video_id,
        "face_id": person,
        "names": EXPRESSIONS,
        "shape": [len(rows), len(EXPRESSIONS)],
        "frames": rows.frame.tolist(),
        "times": rows.time.tolist(),
    }
    file.write("{\n")
    for name, value in head.items():
        file.write(f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)},\n")
    file.write('  "vectors": [')
    for start in range(0, len(rows), 4096):
        vectors = json.dumps(shortest(rows.posterior[start : start + 4096]), allow_nan=False)
        file.write(f"{',' if start else ''}\n    {vectors[1:-1].replace('], [', LINE)}")
    file.write("\n  ]\n}\n" if len(rows) else "]\n}\n")
