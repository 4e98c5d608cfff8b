"""What the expression model costs per face, and how well it reads faces with known labels."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.processes import visagram
from visagram.models.catalog import EMOTION, read_card
from visagram.models.emotion import OnnxClassifier

ROUNDS = 200
BATCHES = (1, 16)


def cost() -> dict[str, Any]:
    """Milliseconds per face with one thread, fastest and median run, and the size of the file."""
    card = read_card(EMOTION)
    classifier = OnnxClassifier(card, threads=1)
    found: dict[str, Any] = {"model": f"{card.name} {card.facts['version']}", "mb": card.file.stat().st_size / 1e6}
    random = np.random.default_rng(0)
    for count in BATCHES:
        crops = random.integers(0, 256, (count, 48, 48), np.uint8)
        times = [_milliseconds(classifier, crops) / count for _ in range(ROUNDS)]
        found |= {f"batch_{count}_ms": min(times), f"batch_{count}_median_ms": median(times)}
    return found


def accuracy(data: Path) -> dict[str, Any]:
    """The head of what `visagram evaluate` says about the faces in `data`."""
    run = visagram("evaluate", "--data", str(data), "--json", "--quiet")
    figures = json.loads(run.output)
    return {"data": data.name} | {key: figures[key] for key in ("accuracy", "macro_recall", "ece")}


def _milliseconds(classifier: OnnxClassifier, crops: np.ndarray[Any, np.dtype[np.uint8]]) -> float:
    began = time.perf_counter()
    classifier.classify(crops)
    return (time.perf_counter() - began) * 1e3
