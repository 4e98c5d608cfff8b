"""Crops as networks want them: grey from colour and colour from grey, at the size of the network's input."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.errors import ModelError


def as_grey(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) luma of a crop in grey or BGR. Raises `ModelError` for an array that is neither."""
    return _checked(crop) if crop.ndim == 2 else np.asarray(cv2.cvtColor(_checked(crop), cv2.COLOR_BGR2GRAY), np.uint8)


def as_bgr(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) BGR of a crop in grey or BGR. Raises `ModelError` for an array that is neither."""
    return _checked(crop) if crop.ndim == 3 else np.asarray(cv2.cvtColor(_checked(crop), cv2.COLOR_GRAY2BGR), np.uint8)


def resized(crop: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """`side` by `side` pixels; shrinks by area, so that detail does not alias."""
    height, width = crop.shape[:2]
    if (height, width) == (side, side):
        return crop
    way = cv2.INTER_AREA if min(height, width) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (side, side), interpolation=way), np.uint8)


def _checked(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shape_holds = crop.ndim == 2 or (crop.ndim == 3 and crop.shape[2] == 3)
    if not shape_holds or crop.dtype != np.uint8 or not crop.size:
        raise ModelError(f"A face is (h, w) or (h, w, 3) uint8, not {crop.shape} {crop.dtype}.")
    return crop
