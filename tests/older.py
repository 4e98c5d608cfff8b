"""Results in the form that older versions wrote, made out of new ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

OF_FILE = ("stream", "time_basis", "shapes", "path", "sha256", "video_id")
"""What version 1.2 of the form says of the video and no version before it did."""


OF_SHARE = ("episodes", "least", "most")
"""What version 1.3 says of a share and no version before it did."""


def age(folder: Path, version: str) -> Path:
    """Turn the files json and parquet of a folder into those of version 1.0, 1.1 or 1.2 of the form."""
    path = folder / "report.json"
    report = json.loads(path.read_text("utf-8")) | {"schema_version": version}
    del report["visagram"]
    parts = [*report["people"], report["totals"]]
    _age_shares(parts)
    for statistics in folder.glob("face_*_statistics.json"):
        values = json.loads(statistics.read_text("utf-8"))
        _age_shares([values])
        statistics.write_text(json.dumps(values), "utf-8")
    if version == "1.2":
        path.write_text(json.dumps(report), "utf-8")
        return folder
    report["warnings"] = [warning["message"] for warning in report["warnings"]]
    for name in OF_FILE:
        del report["video"][name]
    for part in parts if version == "1.0" else []:
        del part["certain_counts"], part["unsure"]
    path.write_text(json.dumps(report), "utf-8")
    for statistics in folder.glob("*_statistics.json"):
        values = json.loads(statistics.read_text("utf-8"))
        del values["video_id"]
        statistics.write_text(json.dumps(values), "utf-8")
    table = folder / "observations.parquet"
    pq.write_table(pq.read_table(table).drop_columns(["video_id"]), table, compression="zstd")
    return folder


def _age_shares(parts: list[dict[str, Any]]) -> None:
    """Each share had an interval then, wherever it came from."""
    for share in (share for part in parts for share in part["shares"].values()):
        share |= {end: share["value"] for end in ("low", "high") if share[end] is None}
        for name in OF_SHARE:
            del share[name]
