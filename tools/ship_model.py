"""Put a finished training run's model into the package: `python tools/ship_model.py RUN [NAME]`.

NAME is `visagram-emotion`, the default; `visagram-teacher`, by which generated faces are judged; or
`visagram-diffusion`, the generator. `docs/models.md` is to be written again afterwards: `tools/document_models.py`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "src" / "visagram" / "models" / "data"
WRITTEN_AS = {"visagram-teacher": "visagram-emotion"}
"""Training gives every expression model the same name."""
CORES: dict[int | None, str] = {1: "one", 2: "two", 4: "four", 8: "eight"}


def ship(run: Path, name: str) -> None:
    """Copy weights and card, the card with its own name and the machine that its speed was measured on."""
    written = WRITTEN_AS.get(name, name)
    card = json.loads((run / f"{written}.json").read_text("utf-8"))
    ending = Path(card["file"]).suffix
    card |= {"name": name, "file": f"{name}{ending}"}
    if "speed" in card:
        card["speed"]["machine"] = f"{CORES.get(os.cpu_count(), os.cpu_count())}-core {_processor()}"
    shutil.copyfile(run / f"{written}{ending}", DATA / card["file"])
    (DATA / f"{name}.json").write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", "utf-8")
    if name == "visagram-emotion":
        shutil.copyfile(run / f"{name}.safetensors", DATA / f"{name}.safetensors")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    ship(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "visagram-emotion")
