"""Is a face good enough to vote, and if not, why not?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP, align, apply
from visagram.core.types import Reason

MIN_SIDE = 24.0
"""Faces whose shorter side has fewer pixels carry too little detail: half of what the classifier looks at."""
MAX_OUTSIDE = 0.1
"""Largest share of the aligned crop that may lie outside the picture."""
MAX_YAW = 0.42
"""Largest offset of the nose from the eyes' middle, in eye distances; a profile reaches 0.5 and more."""
MIN_EYES = 0.42
"""Smallest eye distance in units of the distance from eyes to mouth; frontal faces have 0.8 to 1.1."""
PITCH_RANGE = (0.2, 0.9)
"""Where the nose lies between eyes (0) and mouth (1); about 0.55 when level."""
MAX_ROLL = 50.0
"""Degrees by which a face may be tilted as its landmarks have it. They overstate a tilt of 40 by some degrees; faces on
their side are given 55 to 120."""
MIN_SHARPNESS = 0.12
"""Least mean absolute Laplacian of the aligned crop, in units of its standard deviation."""

_GRID = np.stack(np.meshgrid(np.linspace(0, CROP - 1, 9), np.linspace(0, CROP - 1, 9)), -1).reshape(-1, 2)


def judge(
    boxes: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    crops: NDArray[np.uint8],
    picture: tuple[int, int],
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Reasons (n,) as `Reason` values and quality (n,) in 0..1.

    boxes (n, 4), landmarks (n, 5, 2) in picture pixels; crops (n, 48, 48) aligned luma; picture: (width, height). The
    first failing test in the order size, border, lying, pose, blur gives the reason: each later one is only meaningful
    after it.
    """
    if not len(boxes):
        return np.empty(0, np.uint8), np.empty(0, np.float32)
    side = boxes[:, 2:].min(axis=1)
    outside = outside_share(landmarks, picture)
    frontal = frontality(landmarks)
    sharp = sharpness(crops)
    reasons = np.select(
        [side < MIN_SIDE, outside > MAX_OUTSIDE, lies(landmarks), frontal <= 0, sharp < MIN_SHARPNESS],
        [Reason.TOO_SMALL, Reason.CUT_OFF, Reason.LYING, Reason.TURNED, Reason.BLURRED],
        Reason.NONE,
    )
    quality = (
        np.clip(side / 96, 0, 1) * (1 - np.clip(outside, 0, 1)) * np.clip(frontal, 0, 1) * np.clip(sharp / 0.5, 0, 1)
    )
    return reasons.astype(np.uint8), quality.astype(np.float32)


def outside_share(landmarks: NDArray[np.float32], picture: tuple[int, int]) -> NDArray[np.float64]:
    """(n,) share of each aligned crop that lies outside the picture (width, height)."""
    points = apply(align(landmarks), _GRID)
    width, height = picture
    inside = (points >= -0.5).all(axis=-1) & (points[..., 0] <= width - 0.5) & (points[..., 1] <= height - 0.5)
    return np.asarray(1 - inside.mean(axis=-1))


def lies(landmarks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n,) whether a face lies on its side or stands on its head: the detector was taught upright faces, and where it
    finds others their landmarks cannot be relied on."""
    points = landmarks.astype(np.float64)
    across = points[:, 1] - points[:, 0]
    down = points[:, 3:].mean(axis=1) - points[:, :2].mean(axis=1)
    # Both say where the face's right is; of a turned one the eyes alone say little, as they lie close together.
    sides = [across, np.stack([down[:, 1], -down[:, 0]], axis=1)]
    right = sum(side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-6) for side in sides)
    roll = np.degrees(np.arctan2(right[:, 1], right[:, 0]))
    return np.asarray(np.abs(roll) > MAX_ROLL)


def frontality(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) 1 for a face that looks at the camera, 0 and below at the limits of yaw and pitch; roll does not matter."""
    right, left, nose = (landmarks[:, k].astype(np.float64) for k in range(3))
    mouth = landmarks[:, 3:].astype(np.float64).mean(axis=1)
    middle, across = (right + left) / 2, left - right
    apart = np.maximum(np.linalg.norm(across, axis=1), 1e-6)
    down = mouth - middle
    length = np.maximum(np.linalg.norm(down, axis=1), 1e-6)
    # Along and across the face's own axes, so that a tilted head is not a turned one.
    yaw = np.abs(((nose - middle) * across).sum(axis=1)) / apart**2
    skew = np.abs((down * across).sum(axis=1)) / apart**2
    pitch = ((nose - middle) * down).sum(axis=1) / length**2
    low, high = PITCH_RANGE
    level = np.minimum(pitch - low, high - pitch) / ((high - low) / 2)
    facing = 1 - np.maximum(yaw, skew * 0.7) / MAX_YAW
    open_eyes = (apart / length - MIN_EYES) / (0.8 - MIN_EYES)
    return np.asarray(np.minimum(np.minimum(facing, open_eyes), np.minimum(level, 1)))


def sharpness(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n,) mean absolute Laplacian over the standard deviation of each (48, 48) crop; contrast and light cancel out."""
    x = crops.astype(np.float32)
    laplacian = 4 * x[:, 1:-1, 1:-1] - x[:, :-2, 1:-1] - x[:, 2:, 1:-1] - x[:, 1:-1, :-2] - x[:, 1:-1, 2:]
    deviation = x.std(axis=(1, 2))
    return np.asarray(np.abs(laplacian).mean(axis=(1, 2)) / (deviation + 2.0), np.float64)
