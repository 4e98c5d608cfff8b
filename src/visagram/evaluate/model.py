"""The models that can be measured: whatever the catalogue opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visagram.core.stages import EmotionClassifier, Framing
from visagram.evaluate.faces import Batch
from visagram.evaluate.metrics import CLASSES, Floats, check_posteriors
from visagram.models import catalog


@dataclass(frozen=True, slots=True)
class Model:
    """name: as it was asked for, without the folders of a file. facts: what its card says, for the report."""

    name: str
    facts: dict[str, Any]
    classifier: EmotionClassifier


def open_model(name: str, threads: int, folder: Path) -> Model:
    """The model of that name, ready to run. folder: of fetched models. Raises `UsageError`, `MissingExtra` and
    `ModelError`."""
    classifier = catalog.open_classifier(name, threads, folder)
    return Model(shown(name), catalog.find(catalog.EXPRESSION, name).card(folder).for_report(), classifier)


class Posteriors:
    """Collects what models say of faces that come in batches. rows: of each model, (faces, 7) float64, NaN where no
    face came."""

    def __init__(self, models: Sequence[Model], faces: int) -> None:
        self._models = models
        self.framings = tuple(dict.fromkeys(framing for model in models if not (framing := _framing(model)).aligned))
        self.rows = [np.full((faces, CLASSES), np.nan) for _ in models]

    def take(self, batch: Batch) -> None:
        """Raises `DataError` where a model's answer is none."""
        for model, rows in zip(self._models, self.rows, strict=True):
            rows[batch.index] = self._answer(model, batch)

    def _answer(self, model: Model, batch: Batch) -> Floats:
        framing = _framing(model)
        crops = batch.luma if framing.aligned else batch.boxes[self.framings.index(framing)]
        return check_posteriors(model.classifier.classify(crops), len(batch.index), model.name)


def _framing(model: Model) -> Framing:
    return model.classifier.framing


def shown(name: str) -> str:
    """A model's name for a page that may be given away: without the folders that its file lies in."""
    kind, sign, rest = name.partition(":")
    local = kind == "onnx" or rest.startswith((".", "/", "~")) or Path(rest).exists()
    return f"{kind}:{Path(rest).name}" if sign and local else name
