"""Faces found in small grey pictures that show little else, and aligned the way the expression network wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP, align, scale_of
from visagram.core.quality import frontality, outside_share, sharpness
from visagram.core.types import Faces, Frame
from visagram.models.card import DETECTOR, open_session, read_card
from visagram.models.retinaface import RetinaFaceDetector

ENLARGED = 128
"""Side at which a picture that is all face is shown to the detector: of 400 faces of 48 pixels it finds 99.3 % at 128,
97 % at 96, and no more at 192, which takes twice as long."""
SURE = 0.5
BATCH = 24


@dataclass(frozen=True, slots=True)
class Look:
    """What the detector finds in one picture. faces: how many. score: of the largest, 0 where there is none. Of that
    one: landmarks (5, 2) in pixels, crop (48, 48) aligned luma, sharpness, frontality (1 looks at the camera), outside
    (share of the crop beyond the picture), scale (pixels of the picture to one of the crop), angle in degrees."""

    faces: int
    score: float
    landmarks: NDArray[np.float32]
    crop: NDArray[np.uint8]
    sharpness: float
    frontality: float
    outside: float
    scale: float
    angle: float


NOTHING = Look(0, 0.0, np.zeros((5, 2), np.float32), np.zeros((CROP, CROP), np.uint8), 0.0, -1.0, 1.0, 0.0, 0.0)


class FaceFinder:
    """RetinaFace over enlarged pictures, one thread or more."""

    def __init__(self, threads: int = 1) -> None:
        self._session = open_session(read_card(DETECTOR), threads)
        self._detectors: dict[tuple[int, int], RetinaFaceDetector] = {}

    def look(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Look]:
        """Pictures (h, w) uint8 luma of any sizes."""
        found = []
        for start in range(0, len(pictures), BATCH):
            part = pictures[start : start + BATCH]
            if len({picture.shape for picture in part}) == 1:
                faces = self._detector(part[0]).detect([_frame(picture) for picture in part])
            else:
                faces = [self._detector(picture).detect([_frame(picture)])[0] for picture in part]
            found += [_look(picture, each) for picture, each in zip(part, faces, strict=True)]
        return found

    def _detector(self, picture: NDArray[np.uint8]) -> RetinaFaceDetector:
        height, width = picture.shape
        if (width, height) not in self._detectors:
            longer = max(height, width)
            size = (max(32, round(width * ENLARGED / longer)), max(32, round(height * ENLARGED / longer)))
            self._detectors[width, height] = RetinaFaceDetector(self._session, picture=(width, height), size=size)
        return self._detectors[width, height]


def aligned(picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(48, 48) crop of (h, w) luma. What lies beyond the picture is its mirror image, which looks like a face's
    surroundings where a repeated edge would look like stripes."""
    (affine,) = align(landmarks[None])
    flags = cv2.INTER_AREA if scale_of(affine) > 2 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.warpAffine(
            picture, affine, (CROP, CROP), flags=flags | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101
        ),
        np.uint8,
    )


def _look(picture: NDArray[np.uint8], faces: Faces) -> Look:
    faces = faces[faces.scores >= SURE]
    if not len(faces):
        return NOTHING
    largest = int(np.argmax(faces.boxes[:, 2] * faces.boxes[:, 3]))
    landmarks = faces.landmarks[largest]
    (affine,) = align(landmarks[None])
    crop = aligned(picture, landmarks)
    return Look(
        faces=len(faces),
        score=float(faces.scores[largest]),
        landmarks=landmarks,
        crop=crop,
        sharpness=float(sharpness(crop[None])[0]),
        frontality=float(frontality(landmarks[None])[0]),
        outside=float(outside_share(landmarks[None], (picture.shape[1], picture.shape[0]))[0]),
        scale=scale_of(affine),
        angle=float(np.degrees(np.arctan2(affine[1, 0], affine[0, 0]))),
    )


def _frame(luma: NDArray[np.uint8]) -> Frame:
    def picture(width: int, height: int) -> NDArray[np.uint8]:
        shrinks = width * height < luma.size
        sized = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        return np.asarray(cv2.cvtColor(sized, cv2.COLOR_GRAY2BGR), np.uint8)

    return Frame(0, Fraction(0), Fraction(1), luma, True, np.eye(2, 3), picture, luma.shape[::-1])
