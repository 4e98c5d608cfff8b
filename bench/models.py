"""What each model that ships costs, and how well the expression model reads faces with known labels."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.processes import visagram
from visagram.core.types import Frame
from visagram.models.catalog import COMMITTEE, DETECTOR, EMBEDDING, EMOTION, open_session, read_card
from visagram.models.embedding import OnnxEmbedder
from visagram.models.emotion import OnnxClassifier
from visagram.models.retinaface import RetinaFaceDetector

ROUNDS = 100
BATCHES = (1, 16)
PICTURE = (640, 360)
"""Width and height of the pictures that the detector looks at, in full."""


def cost() -> list[dict[str, Any]]:
    """Of each model the size of its file and milliseconds with one thread, alone and each of 16; fastest runs."""
    return list(_costs())


def _costs() -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (16, 48, 48), np.uint8)
    for name in (COMMITTEE, EMOTION):
        yield _row(name, "a face", OnnxClassifier(read_card(name), threads=1).classify, faces)
    session = open_session(read_card(DETECTOR), 1)
    detector = RetinaFaceDetector(session, picture=PICTURE, size=PICTURE)
    frames = [_frame(random.integers(0, 256, (PICTURE[1], PICTURE[0], 3), np.uint8)) for _ in range(16)]
    yield _row(DETECTOR, "a frame of {}x{}".format(*PICTURE), detector.detect, frames)
    portraits = random.integers(0, 256, (16, 224, 224, 3), np.uint8)
    yield _row(EMBEDDING, "a face", OnnxEmbedder(read_card(EMBEDDING), threads=1).embed, portraits)


def accuracy(data: Path) -> dict[str, Any]:
    """The head of what `visagram evaluate` says about the faces in `data`."""
    run = visagram("evaluate", "--data", str(data), "--json", "--quiet")
    figures = json.loads(run.output)
    return {"data": data.name} | {key: figures[key] for key in ("accuracy", "macro_recall", "ece")}


def _row(name: str, what: str, work: Callable[[Any], object], inputs: Any) -> dict[str, Any]:
    card = read_card(name)
    found: dict[str, Any] = {"model": name, "mb": card.file.stat().st_size / 1e6, "what": what}
    for count in BATCHES:
        # About as long for the slow ones as for the fast.
        rounds = ROUNDS if name == EMOTION else ROUNDS // 10
        found[f"batch_{count}_ms"] = min(_milliseconds(work, inputs[:count]) for _ in range(rounds)) / count
    return found


def _milliseconds(work: Callable[[Any], object], inputs: Any) -> float:
    began = time.perf_counter()
    work(inputs)
    return (time.perf_counter() - began) * 1e3


def _frame(picture: NDArray[np.uint8]) -> Frame:
    nothing = Fraction(0)
    return Frame(0, nothing, nothing, picture[..., 0], True, np.eye(2, 3), lambda _width, _height: picture)
