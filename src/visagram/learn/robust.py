"""How much posteriors change when a face is mirrored, moved by a pixel, scaled or darkened: they should hardly."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Classify = Callable[[NDArray[np.uint8]], NDArray[np.floating]]

SHIFT = 1.0
SCALE = 0.03
DARK = 0.6


def variations(luma: NDArray[np.uint8]) -> dict[str, list[NDArray[np.uint8]]]:
    """Each change by name, in its variants, of (n, 48, 48) faces."""
    middle = (luma.shape[1] - 1) / 2
    shifts = [(SHIFT, 0.0), (-SHIFT, 0.0), (0.0, SHIFT), (0.0, -SHIFT)]
    scales = [1 + SCALE, 1 - SCALE]
    return {
        "mirror": [np.ascontiguousarray(luma[:, :, ::-1])],
        "shift_1px": [_warped(luma, np.array([[1, 0, x], [0, 1, y]])) for x, y in shifts],
        "scale_3pct": [_warped(luma, np.array([[s, 0, middle * (1 - s)], [0, s, middle * (1 - s)]])) for s in scales],
        "darken": [np.round(luma * DARK).astype(np.uint8)],
    }


def total_variation(classify: Classify, luma: NDArray[np.uint8]) -> dict[str, float]:
    """Mean total variation 0..1 between the posteriors of each face before and after each change, and their `mean`.

    classify: (n, 48, 48) uint8 to (n, 7) posteriors.
    """
    before = classify(luma)
    found = {
        name: float(np.mean([np.abs(classify(changed) - before).sum(axis=1).mean() / 2 for changed in variants]))
        for name, variants in variations(luma).items()
    }
    return found | {"mean": float(np.mean(list(found.values())))}


def _warped(luma: NDArray[np.uint8], affine: NDArray[np.float64]) -> NDArray[np.uint8]:
    size = luma.shape[2], luma.shape[1]
    return np.stack(
        [cv2.warpAffine(face, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for face in luma]
    ).astype(np.uint8)
