"""Names of files that people save: none that any system would take for something else than a file."""

from __future__ import annotations

import unicodedata
from pathlib import PurePath

_LONGEST = 120
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{k}" for port in ("COM", "LPT") for k in range(10))}
"""Devices of Windows, whatever ending follows."""


def safe_name(name: str) -> str:
    """`name` with what file systems refuse or shells expand replaced; endings stay."""
    path = PurePath(unicodedata.normalize("NFC", name).replace("/", "_").replace("\\", "_"))
    stem, ending = _safe(path.stem)[:_LONGEST].strip(" ."), _safe(path.suffix)[:12].rstrip(" .")
    return f"{_no_device(stem)}{ending}"


def file_name(video: str, name: str) -> str:
    """What a file made of a video is called, such as 'interview_report.html'."""
    stem = PurePath(safe_name(video)).stem
    return f"{stem}_{name}"


def _safe(text: str) -> str:
    return "".join(c if c.isalnum() or c in " -_.()" or unicodedata.combining(c) else "_" for c in text)


def _no_device(stem: str) -> str:
    return f"_{stem}" if stem.split(".")[0].upper().strip() in _RESERVED else stem or "video"
