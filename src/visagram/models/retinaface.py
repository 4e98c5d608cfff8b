"""RetinaFace with a MobileNet-0.25 backbone (Deng et al. 2020, doi 10.1109/CVPR42600.2020.00525)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import nms
from visagram.core.types import Faces, Frame
from visagram.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime

MEAN_BGR = np.array([104, 117, 127], np.float32)
LEVELS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
"""Stride and anchor sizes of each feature map, in input pixels."""
VARIANCES = (0.1, 0.2)
LEAST_SCORE = 0.3
"""Weaker detections do not help even the tracker's second association."""
OVERLAP = 0.4
SMALLEST = 26.0
"""Longer side in input pixels of the smallest faces it finds reliably: of 16 faces of four people it found all from 28
pixels, 15 at 26 and 24, 12 at 22 and 3 at 20."""
LARGEST_SCALE = 3.0
PIXELS_PER_RUN = 400_000
"""Batches beyond this size take memory and gain no speed."""


class RetinaFaceDetector:
    """`FaceDetector`. size: (width, height) of the network's input for the whole displayed picture. region: x, y, w, h
    in displayed pixels to look at, None for everything. picture: (width, height) of the displayed picture."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        *,
        picture: tuple[int, int],
        size: tuple[int, int],
        region: tuple[int, int, int, int] | None = None,
    ) -> None:
        self.smallest = SMALLEST * picture[1] / size[1]
        self._session: onnxruntime.InferenceSession | None = session
        self._size = size
        self._scale = np.array([picture[0] / size[0], picture[1] / size[1]], np.float32)
        self._window = _window(region, picture, size)

    def detect(self, frames: Sequence[Frame]) -> list[Faces]:
        per_run = max(1, PIXELS_PER_RUN // (self._window[2] * self._window[3]))
        runs = [self._run(frames[start : start + per_run]) for start in range(0, len(frames), per_run)]
        return [faces for run in runs for faces in run]

    def close(self) -> None:
        self._session = None

    def _run(self, frames: Sequence[Frame]) -> list[Faces]:
        if (session := self._session) is None:
            raise ModelError("The detector was closed.")
        x, y, w, h = self._window
        blob = np.empty((len(frames), 3, h, w), np.float32)
        for row, frame in zip(blob, frames, strict=True):
            picture = frame.picture(*self._size)[y : y + h, x : x + w]
            np.subtract(picture.transpose(2, 0, 1), MEAN_BGR[:, None, None], out=row)
        loc, conf, landmarks = session.run(["loc", "conf", "landmarks"], {"input": blob})
        anchors = anchor_boxes(h, w)
        return [self._faces(loc[k], conf[k], landmarks[k], anchors) for k in range(len(frames))]

    def _faces(
        self,
        loc: NDArray[np.float32],
        conf: NDArray[np.float32],
        landmarks: NDArray[np.float32],
        anchors: NDArray[np.float32],
    ) -> Faces:
        likely = np.flatnonzero(conf[:, 1] >= LEAST_SCORE)
        if not len(likely):
            return Faces.empty()
        scores, anchors = conf[likely, 1], anchors[likely]
        centres = anchors[:, :2] + loc[likely, :2] * VARIANCES[0] * anchors[:, 2:]
        sizes = anchors[:, 2:] * np.exp(loc[likely, 2:] * VARIANCES[1])
        boxes = np.concatenate([centres - sizes / 2, sizes], axis=1)
        points = landmarks[likely].reshape(-1, 5, 2)
        points = anchors[:, None, :2] + points * VARIANCES[0] * anchors[:, None, 2:]
        kept = nms(boxes, scores, OVERLAP)
        shift = np.array(self._window[:2], np.float32)
        boxes, points = boxes[kept], points[kept]
        boxes[:, :2] += shift
        boxes *= np.tile(self._scale, 2)
        points = (points + shift) * self._scale
        # The network's coordinates have pixel corners at whole numbers, ours have pixel centres.
        return Faces(boxes.astype(np.float32), (points - 0.5).astype(np.float32), scores[kept].astype(np.float32))


def input_size(picture: tuple[int, int], min_face: int, size: str) -> tuple[int, int]:
    """Input (width, height) that shows faces of `min_face` pixels large enough, or of the longer side `size`.

    picture: (width, height) of the displayed picture. Never larger than three times the picture.
    """
    width, height = picture
    if size == "full":
        scale = 1.0
    elif size == "auto":
        scale = min(SMALLEST / min_face, LARGEST_SCALE)
    else:
        scale = min(int(size) / max(width, height), LARGEST_SCALE)
    return max(32, round(width * scale)), max(32, round(height * scale))


def default_min_face(height: int) -> int:
    """40 pixels at 1080p, in proportion elsewhere, but not below 20, which is too small to classify."""
    return max(20, round(40 * height / 1080))


@lru_cache(maxsize=8)
def anchor_boxes(height: int, width: int) -> NDArray[np.float32]:
    """(n, 4) centre x, centre y, width, height of all anchors of an input, in input pixels."""
    levels = []
    for stride, sizes in LEVELS:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x, size = np.meshgrid(np.arange(rows), np.arange(columns), np.array(sizes), indexing="ij")
        levels.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, size, size], -1).reshape(-1, 4))
    return np.concatenate(levels).astype(np.float32)


def _window(
    region: tuple[int, int, int, int] | None, picture: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The region in input pixels, at least one stride of the coarsest map wide."""
    if region is None:
        return 0, 0, *size
    ratio = np.array([size[0] / picture[0], size[1] / picture[1]])
    low = np.clip((np.array(region[:2]) * ratio).round().astype(int), 0, np.array(size) - 32)
    high = np.clip(((np.array(region[:2]) + np.array(region[2:])) * ratio).round().astype(int), low + 32, size)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
