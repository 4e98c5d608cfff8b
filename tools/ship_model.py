"""Put a finished training run's model into the package: `python tools/ship_model.py RUN [NAME [EVALUATION ...]]`, or
measure one that is there again: `python tools/ship_model.py --again NAME SHEETS [EVALUATION ...]`.

NAME is `visagram-emotion`, the default; `visagram-committee`, the model around it; `visagram-teacher`, by which
generated faces are judged; or `visagram-diffusion`, the generator. EVALUATION: folders that `visagram evaluate` wrote
of this model on faces from elsewhere, each as FOLDER=WHAT, in words for people; the card tells their figures. With
`--again` FOLDER alone keeps the words of the set of that name. SHEETS: the folder with the FER+ sprite sheets. Nothing
is trained: the file answers, and what the card states of its temperature, thresholds and figures is computed from that.
`docs/models.md` is to be written again afterwards: `tools/document_models.py`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
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
        card["elsewhere"] = [_figures(*each.split("=", 1), card["sha256"], {}) for each in elsewhere]
        card["limits"] = [*_weak(card["elsewhere"]), *card["limits"]]
    shutil.copyfile(run / f"{written}{ending}", DATA / card["file"])
    _write(card)
    if name == "visagram-emotion":
        shutil.copyfile(run / f"{name}.safetensors", DATA / f"{name}.safetensors")


def again(name: str, sheets: Path, elsewhere: Sequence[str] = ()) -> None:
    """Measure a model that ships anew and write that into its card; all that was not measured stays. Figures from
    elsewhere depend on the thresholds, so they are to be evaluated after a first call, and given to a second."""
    # Imported here: shipping needs nothing of them.
    from visagram.learn.card import judge
    from visagram.learn.data import divide
    from visagram.models.card import read_card
    from visagram.models.emotion import OnnxClassifier

    known = read_card(name, DATA)
    card = dict(known.facts)
    if card.get("calibration", {}).get("kind") != "temperature" or card["recipe"]["fold"] is not None:
        raise SystemExit(f"{name} is calibrated or judged in a way that only its training run can measure again.")
    faces, held_out = divide(sheets, None)
    split = card["metrics"]["split"].partition(", ")[0]
    card |= judge(OnnxClassifier(known, threads=1).logits, faces, held_out, split)
    if elsewhere:
        before = card.get("elsewhere", [])
        words = {each["name"]: each["what"] for each in before}
        kept = [sentence for sentence in card["limits"] if sentence not in _weak(before)]
        card["elsewhere"] = [_figures(*each.partition("=")[::2], card["sha256"], words) for each in elsewhere]
        card["limits"] = [*_weak(card["elsewhere"]), *kept]
    elif card.get("elsewhere"):
        print("The figures from elsewhere are still those of before: evaluate, and give the folders to --again.")
    _write(card)


def _write(card: dict[str, Any]) -> None:
    (DATA / f"{card['name']}.json").write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", "utf-8")


def _weak(elsewhere: Sequence[dict[str, Any]]) -> list[str]:
    """Expressions of which hardly any face is found elsewhere, as sentences."""
    return [
        f"Of {each['what'].partition(',')[0]} it finds {100 * recall:.0f} % of those that are labelled {name}."
        for each in elsewhere
        if each["faces"] >= MANY
        for name, recall in each["recall"].items()
        if recall < SELDOM
    ]


def _figures(folder: str, what: str, sha256: str, words: Mapping[str, str]) -> dict[str, Any]:
    """words: what each set is, by its name, for those of which `what` is empty."""
    found = json.loads((Path(folder) / "evaluation.json").read_text("utf-8"))
    if found["model"]["sha256"] != sha256:
        raise SystemExit(f"{folder} is an evaluation of another model.")
    shares = ("accuracy", "macro_recall")
    return {
        "name": found["data"]["name"],
        "what": what or words[found["data"]["name"]],
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
    if sys.argv[1] == "--again":
        again(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    else:
        ship(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "visagram-emotion", sys.argv[3:])
