"""Warnings of a result as `report.json` holds them, and as older versions wrote them: as texts."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from visagram.core.types import ResultWarning

NOTE = "note"
"""The code of a text that is none of those that version 0.1.0 wrote."""

_DAMAGED = re.compile(r"(\d{1,12}) damaged frames? skipped;.*")
_LOST = re.compile(r"(\d{1,12}\.\d) s to (\d{1,12}\.\d) s could not be decoded \(.*")
_NO_FACE = "No face was found."


def warning_json(warning: ResultWarning) -> dict[str, Any]:
    """{code, message, count, seconds}."""
    return dataclasses.asdict(warning)


def warning_of_text(text: str) -> ResultWarning:
    """A warning out of a report from before version 1.2, which held sentences alone."""
    if found := _DAMAGED.fullmatch(text):
        return ResultWarning("damaged_frames", text, int(found[1]))
    if found := _LOST.fullmatch(text):
        return ResultWarning("segment_lost", text, seconds=round(max(0.0, float(found[2]) - float(found[1])), 1))
    return ResultWarning("no_face" if text.startswith(_NO_FACE) else NOTE, text)
