"""What the pipeline asks of its parts. One contract suite in `tests/contract` runs over every implementation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import Faces, Frame

Crops = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
"""Faces cut out: (n, h, w) luma of one size, or a list of (h, w) luma and (h, w, 3) BGR crops of any size."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How a classifier wants faces to be cut out.

    aligned: (48, 48) luma with eyes, nose and mouth in the template's places, which the pipeline has anyway. Otherwise
    the face's box in colour at its own size, black beyond the picture. margin: added on each side, as a share of the
    box. square: the shorter side is widened to the longer. upright: turned until the eyes are level.
    """

    aligned: bool = True
    margin: float = 0.0
    square: bool = False
    upright: bool = False


ALIGNED = Framing()


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

    def close(self) -> None:
        """Let go of the network; may be called again. Raises `ModelError` in `detect` from then on."""
        ...


class FaceCropper(Protocol):
    """Cuts faces out of a frame."""

    def aligned(self, frame: Frame, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(n, 5, 2) landmarks to (n, 48, 48) full-range luma, eyes, nose and mouth in the template's places."""
        ...

    def boxes(self, frame: Frame, faces: Faces, framing: Framing) -> list[NDArray[np.uint8]]:
        """Each face as (h, w, 3) uint8 BGR as `framing` says, at its own size. Dear: converts the whole frame."""
        ...

    def portraits(self, frame: Frame, faces: Faces) -> NDArray[np.uint8]:
        """(n, 224, 224, 3) uint8 BGR: each face upright, as the embedding wants it. Dear: converts the whole frame."""
        ...

    def jpeg(self, portrait: NDArray[np.uint8]) -> bytes:
        """A portrait as a small JPEG."""
        ...


class EmotionClassifier(Protocol):
    """Crops to posteriors over the seven expressions. Threads may share one.

    framing: the crops that it wants; it takes others too, grey or in colour and of any size, as well as it can.
    """

    framing: Framing

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        """n crops to (n, 7), rows sum to 1; n may be 0."""
        ...

    def close(self) -> None:
        """Let go of the network; may be called again. Raises `ModelError` in `classify` from then on."""
        ...


class FaceEmbedder(Protocol):
    """Portraits to vectors whose cosine tells whether two are of one person."""

    threshold: float

    def embed(self, portraits: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 224, 224, 3) uint8 BGR to (n, d) float32 of unit length; n may be 0."""
        ...
