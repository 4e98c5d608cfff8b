"""Faces cut out of frames with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP, align, compose, scale_of
from visagram.core.stages import Framing
from visagram.core.types import Faces, Frame

PORTRAIT = 224
THUMBNAIL = 160

_TO_FULL = np.clip(np.round((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)


class OpenCvCropper:
    """`FaceCropper` over `cv2.warpAffine`, straight from the luma plane.

    portrait_template: (5, 2) where the landmarks lie in a portrait, from the embedding's card.
    """

    def __init__(self, portrait_template: NDArray[np.float64]) -> None:
        self._template = portrait_template

    def aligned(self, frame: Frame, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        return aligned(frame, landmarks)

    def boxes(self, frame: Frame, faces: Faces, framing: Framing) -> list[NDArray[np.uint8]]:
        if not len(faces):
            return []
        picture = frame.picture(*frame.size)
        return [
            _box_crop(picture, box, eyes, framing)
            for box, eyes in zip(faces.boxes, faces.landmarks[:, :2], strict=True)
        ]

    def portraits(self, frame: Frame, faces: Faces) -> NDArray[np.uint8]:
        picture = frame.picture(*frame.size)
        portraits = np.empty((len(faces), PORTRAIT, PORTRAIT, 3), np.uint8)
        for portrait, affine in zip(portraits, align(faces.landmarks, self._template), strict=True):
            warp(picture, affine, portrait)
        return portraits

    def jpeg(self, portrait: NDArray[np.uint8]) -> bytes:
        small = cv2.resize(portrait, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def aligned(frame: Frame, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(n, 5, 2) landmarks to (n, 48, 48) full-range luma, eyes, nose and mouth in the template's places."""
    crops = np.empty((len(landmarks), CROP, CROP), np.uint8)
    for crop, affine in zip(crops, compose(frame.to_plane, align(landmarks)), strict=True):
        warp(frame.luma, affine, crop)
    return full_range(frame, crops)


def full_range(frame: Frame, luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma out of a frame, widened to 0..255 where the frame's does not span it."""
    return luma if frame.full_range else np.take(_TO_FULL, luma)


def _box_crop(
    picture: NDArray[np.uint8], box: NDArray[np.float32], eyes: NDArray[np.float32], framing: Framing
) -> NDArray[np.uint8]:
    """A face's box as `framing` wants it. eyes: (2, 2), from left to right.

    Rounding and turning are DeepFace's own, to the pixel, so that its network sees here what it sees there: the box
    widened by half its size on each side is turned around its middle, and the box cut out of that.
    """
    x, y, right, bottom = (int(edge) for edge in np.floor([*box[:2], *(box[:2] + box[2:])]))
    width, height = max(1, right - x), max(1, bottom - y)
    wider = round(framing.margin * width), round(framing.margin * height)
    if framing.square:
        longer = max(width + 2 * wider[0], height + 2 * wider[1])
        wider = (longer - width) // 2, (longer - height) // 2
    x, y, width, height = x - wider[0], y - wider[1], width + 2 * wider[0], height + 2 * wider[1]
    # No face is much larger than its picture; a detector's mistake must not cost memory without bound.
    width, height = min(width, 2 * picture.shape[1]), min(height, 2 * picture.shape[0])
    if not framing.upright:
        return _cut(picture, x, y, width, height)
    beside, above = width // 2, height // 2
    around = _cut(picture, x - beside, y - above, width + 2 * beside, height + 2 * above)
    across, down = np.floor(eyes[1]).astype(float) - np.floor(eyes[0])
    turn = cv2.getRotationMatrix2D(
        (around.shape[1] // 2, around.shape[0] // 2), float(np.degrees(np.arctan2(down, across))), 1.0
    )
    turned = cv2.warpAffine(around, turn, around.shape[1::-1], flags=cv2.INTER_CUBIC)
    return np.asarray(turned[above : above + height, beside : beside + width], np.uint8)


def _cut(picture: NDArray[np.uint8], x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
    """A part of the picture, black where it lies beyond."""
    part = np.zeros((height, width, 3), np.uint8)
    left, top = max(0, x), max(0, y)
    inside = picture[top : max(top, y + height), left : max(left, x + width)]
    part[top - y : top - y + inside.shape[0], left - x : left - x + inside.shape[1]] = inside
    return part


def warp(image: NDArray[np.uint8], affine: NDArray[np.float64], out: NDArray[np.uint8]) -> None:
    """Sample `image` at `affine` of each pixel of `out`; shrinks by area first, so that detail does not alias."""
    scale = scale_of(affine)
    if scale > 1:
        image, affine = _shrunk(image, affine, out.shape[1], out.shape[0], scale)
    cv2.warpAffine(
        image,
        affine,
        (out.shape[1], out.shape[0]),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _shrunk(
    image: NDArray[np.uint8], affine: NDArray[np.float64], width: int, height: int, scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the image that the warp sees, at the size of the output, and the map into it.

    By the exact factor, not a whole one: a face that grows slowly must not change its look at a step.
    """
    limit = np.array(image.shape[1::-1])
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ affine[:, :2].T + affine[:, 2]
    margin = int(np.ceil(scale)) + 1
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, limit - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + margin, low + 1, limit)
    size = np.maximum(np.round((high - low) / scale), 1).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]]
    small = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    ratio = size / (high - low)
    into = np.array([[ratio[0], 0, (0.5 - low[0]) * ratio[0] - 0.5], [0, ratio[1], (0.5 - low[1]) * ratio[1] - 0.5]])
    return np.asarray(small, np.uint8), compose(into, affine)
