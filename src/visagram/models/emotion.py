"""An expression network in ONNX with a card, as `visagram train` writes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError
from visagram.models.catalog import Card, open_session

BATCH = 32
"""Faces per run: beyond it the activations leave the cache and nothing is gained."""


class OnnxClassifier:
    """`EmotionClassifier`: logits from the network, calibrated by the card's temperature, as posteriors."""

    def __init__(self, card: Card, *, threads: int) -> None:
        if tuple(card.facts.get("labels", ())) != EXPRESSIONS:
            raise ModelError(f"The card of {card.name} must list the labels {', '.join(EXPRESSIONS)} in this order.")
        self._session = open_session(card, threads)
        self._temperature = float(card.facts.get("temperature", 1.0))

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        posteriors = np.empty((len(crops), len(EXPRESSIONS)), np.float32)
        for start in range(0, len(crops), BATCH):
            luma = crops[start : start + BATCH, None].astype(np.float32)
            (logits,) = self._session.run(["logits"], {"luma": luma})
            posteriors[start : start + BATCH] = softmax(logits / self._temperature)
        return posteriors


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows to probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
