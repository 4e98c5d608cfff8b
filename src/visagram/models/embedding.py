"""A face embedding in ONNX: which faces are of one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visagram.models.catalog import Card, open_session

BATCH = 4


class OnnxEmbedder:
    """`FaceEmbedder` over the embedded MobileNet."""

    def __init__(self, card: Card, *, threads: int) -> None:
        self.threshold = float(card.facts["threshold"])
        self._session = open_session(card, threads)
        self._input = str(card.facts["input"]["name"])
        self._size = int(self._session.get_outputs()[0].shape[-1])

    def embed(self, portraits: NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors = np.empty((len(portraits), self._size), np.float32)
        for start in range(0, len(portraits), BATCH):
            batch = portraits[start : start + BATCH].astype(np.float32)
            (vectors[start : start + BATCH],) = self._session.run(None, {self._input: batch})
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)
