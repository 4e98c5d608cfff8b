"""What the pipeline asks of its parts. One contract suite in `tests/contract` runs over every implementation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import Faces, Frame


class FrameSource(Protocol):
    """Frames of one stretch of a video in presentation order; `damaged` counts those that did not decode."""

    damaged: int

    def __iter__(self) -> Iterator[Frame]: ...


class FaceDetector(Protocol):
    """Finds faces with five landmarks, in pixels of the displayed picture.

    smallest: longer side of the smallest faces that it finds reliably, in the same pixels.
    """

    smallest: float

    def detect(self, frames: Sequence[Frame]) -> list[Faces]:
        """One `Faces` per frame; an empty one where there is no face."""
        ...


class FaceCropper(Protocol):
    """Cuts faces out of a frame."""

    def aligned(self, frame: Frame, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(n, 5, 2) landmarks to (n, 48, 48) full-range luma, eyes, nose and mouth in the template's places."""
        ...

    def portraits(self, frame: Frame, faces: Faces) -> NDArray[np.uint8]:
        """(n, 224, 224, 3) uint8 BGR: each face upright, as the embedding wants it. Dear: converts the whole frame."""
        ...

    def jpeg(self, portrait: NDArray[np.uint8]) -> bytes:
        """A portrait as a small JPEG."""
        ...


class EmotionClassifier(Protocol):
    """Aligned luma crops to posteriors over the seven expressions."""

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 48, 48) to (n, 7), rows sum to 1; n may be 0."""
        ...


class FaceEmbedder(Protocol):
    """Portraits to vectors whose cosine tells whether two are of one person."""

    threshold: float

    def embed(self, portraits: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 224, 224, 3) uint8 BGR to (n, d) float32 of unit length; n may be 0."""
        ...
