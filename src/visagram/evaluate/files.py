"""An evaluation on disk: `evaluation.json` and `evaluation.html`, each whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

from visagram.evaluate.json import to_json
from visagram.evaluate.page import page
from visagram.evaluate.run import Result
from visagram.files import replace_file


def dumps(result: Result) -> str:
    """The text of `evaluation.json`."""
    return json.dumps(to_json(result), indent=2, allow_nan=False, ensure_ascii=True) + "\n"


def save(result: Result, folder: Path) -> list[Path]:
    """Write both files into `folder`. Both are made before the first is written. Raises `OutputError`."""
    texts = {"evaluation.json": dumps(result), "evaluation.html": page(result)}
    for name, text in texts.items():
        with replace_file(folder / name) as partial:
            partial.write_text(text, "utf-8", newline="\n")
    return [folder / name for name in texts]
