"""Faces cut out of frames with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP, align, compose, scale_of
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
        crops = np.empty((len(landmarks), CROP, CROP), np.uint8)
        for crop, affine in zip(crops, compose(frame.to_plane, align(landmarks)), strict=True):
            _warp(frame.luma, affine, crop)
        return crops if frame.full_range else np.take(_TO_FULL, crops)

    def portraits(self, frame: Frame, faces: Faces) -> NDArray[np.uint8]:
        picture = frame.picture(*_display_size(frame))
        portraits = np.empty((len(faces), PORTRAIT, PORTRAIT, 3), np.uint8)
        for portrait, affine in zip(portraits, align(faces.landmarks, self._template), strict=True):
            _warp(picture, affine, portrait)
        return portraits

    def jpeg(self, portrait: NDArray[np.uint8]) -> bytes:
        small = cv2.resize(portrait, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _display_size(frame: Frame) -> tuple[int, int]:
    """Width and height of the displayed picture, from the map to the plane."""
    height, width = frame.luma.shape
    column_x, column_y = np.abs(frame.to_plane[:, 0]), np.abs(frame.to_plane[:, 1])
    across = column_x @ (1 / np.array([width, height]))
    down = column_y @ (1 / np.array([width, height]))
    return round(1 / float(across)), round(1 / float(down))


def _warp(image: NDArray[np.uint8], affine: NDArray[np.float64], out: NDArray[np.uint8]) -> None:
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
