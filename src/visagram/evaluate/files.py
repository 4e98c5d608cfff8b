"""An evaluation on disk: `evaluation.json` and `evaluation.html`, each whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visagram.evaluate.json import to_json
from visagram.evaluate.page import page
from visagram.evaluate.run import Result
from visagram.files import replace_file


def dumps(result: Result) -> str:
    """The text of `evaluation.json`."""
    return as_text(to_json(result))


def as_text(found: Mapping[str, Any]) -> str:
    """JSON for a file: the same every time."""
    return json.dumps(found, indent=2, allow_nan=False, ensure_ascii=True) + "\n"


def save(result: Result, folder: Path) -> list[Path]:
    """Write both files into `folder`. Both are made before the first is written. Raises `OutputError`."""
    return save_texts({"evaluation.json": dumps(result), "evaluation.html": page(result)}, folder)


def save_texts(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write each text to the file of its name below `folder`. Raises `OutputError`."""
    for name, text in texts.items():
        with replace_file(folder / name) as partial:
            partial.write_text(text, "utf-8", newline="\n")
    return [folder / name for name in texts]
