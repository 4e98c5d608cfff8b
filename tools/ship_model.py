"""Put a finished training run's model into the package: `python tools/ship_model.py RUN [NAME [EVALUATION ...]]`.

NAME is `visagram-emotion`, the default; `visagram-committee`, the model around it; `visagram-teacher`, by which
generated faces are judged; or `visagram-diffusion`, the generator. EVALUATION: folders that `visagram evaluate` wrote
of this model on faces from elsewhere, each as FOLDER=WHAT, in words for people; the card tells their figures.
`docs/models.md` is to be written again afterwards: `tools/document_models.py`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "src" / "visagram" / "models" / "data"
WRITTEN_AS = dict.fromkeys(("visagram-committee", "visagram-teacher"), "visagram-emotion")
"""Training gives every expression model the same name."""
SELDOM, MANY = 0.3, 200
"""A recall below is a failure that the card names, where it is measured on a set of as many faces."""
CORES: dict[int | None, str] = {1: "one", 2: "two", 4: "four", 8: "eight"}


def ship(run: Path, name: str, elsewhere: Sequence[str] = ()) -> None:
    """Copy weights and card, the card with its own name, the machine that its speed was measured on, and figures from
    elsewhere."""
    written = WRITTEN_AS.get(name, name)
    card = json.loads((run / f"{written}.json").read_text("utf-8"))
    ending = Path(card["file"]).suffix
    card |= {"name": name, "file": f"{name}{ending}"}
    if "speed" in card:
        card["speed"]["machine"] = f"{CORES.get(os.cpu_count(), os.cpu_count())}-core {_processor()}"
    if elsewhere:
        card["elsewhere"] = [_figures(*each.split("=", 1), card["sha256"]) for each in elsewhere]
        card["limits"] = [*_weak(card["elsewhere"]), *card["limits"]]
    shutil.copyfile(run / f"{written}{ending}", DATA / card["file"])
    (DATA / f"{name}.json").write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", "utf-8")
    if name == "visagram-emotion":
        shutil.copyfile(run / f"{name}.safetensors", DATA / f"{name}.safetensors")


def _weak(elsewhere: Sequence[dict[str, Any]]) -> list[str]:
    """Expressions of which hardly any face is found elsewhere, as sentences."""
    return [
        f"Of {each['what'].partition(',')[0]} it finds {100 * recall:.0f} % of those that are labelled {name}."
        for each in elsewhere
        if each["faces"] >= MANY
        for name, recall in each["recall"].items()
        if recall < SELDOM
    ]


def _figures(folder: str, what: str, sha256: str) -> dict[str, Any]:
    found = json.loads((Path(folder) / "evaluation.json").read_text("utf-8"))
    if found["model"]["sha256"] != sha256:
        raise SystemExit(f"{folder} is an evaluation of another model.")
    shares = ("accuracy", "macro_recall")
    return {
        "name": found["data"]["name"],
        "what": what,
        "faces": found["faces"],
        **{name: round(found[name], 4) for name in shares},
        "ece_15": round(found["ece"], 4),
        "ece_debiased": round(found["ece_debiased"], 4),
        "ece_perfect": {name: round(value, 4) for name, value in found["ece_perfect"].items()},
        "intervals": {name: [round(end, 4) for end in found["intervals"][name]] for name in shares},
        "recall": {name: round(each["recall"], 4) for name, each in found["per_class"].items()},
        "answered": round(found["unsure"]["coverage"], 4),
        "right": round(found["unsure"]["accuracy"], 4),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    ship(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "visagram-emotion", sys.argv[3:])
