"""A suite on disk: `suite.json`, `index.html`, and a folder with the evaluation of each set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visagram import __version__
from visagram.evaluate.files import as_text, dumps, save_texts
from visagram.evaluate.intervals import Estimate
from visagram.evaluate.json import to_json
from visagram.evaluate.page import page
from visagram.evaluate.suite import Part, Suite
from visagram.evaluate.suitepage import suite_page

SCHEMA = "visagram-suite/1"
FIGURES = ("accuracy", "macro_recall", "ece", "ece_debiased", "ece_perfect")


def dumps_suite(suite: Suite) -> str:
    """The text of `suite.json`."""
    sets = [_part(part, suite.folder(k)) for k, part in enumerate(suite.parts)]
    model = {"asked_for": suite.evaluation.name} | suite.evaluation.model
    return as_text({"model": model, "sets": sets, "seed": suite.seed, "schema": SCHEMA, "visagram": __version__})


def save_suite(suite: Suite, folder: Path) -> list[Path]:
    """Write everything into `folder`. All is made before the first file is written. Raises `OutputError`."""
    texts = {}
    for k, part in enumerate(suite.parts):
        texts[f"{suite.folder(k)}/evaluation.json"] = dumps(part.result)
        texts[f"{suite.folder(k)}/evaluation.html"] = page(part.result)
    return save_texts(texts | {"suite.json": dumps_suite(suite), "index.html": suite_page(suite)}, folder)


def _part(part: Part, folder: str) -> dict[str, Any]:
    """One set: what its evaluation says, as it stands there, and what a suite adds."""
    found = to_json(part.result)
    data = found["data"]
    return {
        "name": part.name,
        "folder": folder,
        **{name: data[name] for name in ("kind", "split", "rule", "pictures", "cropped_pictures", "left_out")},
        "clear_labels": part.clear,
        "faces_found": part.found,
        "faces": found["faces"],
        **{name: found[name] for name in FIGURES},
        "intervals": {name: found["intervals"][name] for name in ("accuracy", "macro_recall")},
        "answered": _share(part.answered),
        "right_of_answered": _share(part.right),
        "neutral_answers": _share(part.neutral),
        "recall": {
            name: {key: each[key] for key in ("faces", "recall", "recall_interval")}
            for name, each in found["per_class"].items()
        },
    }


def _share(found: Estimate | None) -> dict[str, float] | None:
    return None if found is None else found.to_json()
