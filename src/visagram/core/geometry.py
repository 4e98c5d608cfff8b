"""Boxes, overlaps and the five-point alignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CROP = 48
"""Side of an aligned face crop, pixels."""
SMALL = 64
"""Longer side in pixels up to which a picture is taken for a face that was cut out already, where nobody says."""

TEMPLATE = np.array([[15, 19], [33, 19], [24, 29], [17, 38], [31, 38]], np.float64)
"""Where the five landmarks lie in an aligned crop: the framing of FER2013's faces."""


def iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes (n, 4) and (m, 4) as (n, m) in 0..1."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    shared = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    areas = np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1)[None, :]
    union = np.maximum(areas - shared, np.finfo(np.float32).tiny)
    # Rounding of far-off coordinates may leave a box more than its own union.
    return np.asarray(np.minimum(shared / union, 1), np.float32)


def nms(boxes: NDArray[np.float32], scores: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
    """Indices of the boxes that survive greedy non-maximum suppression, best score first."""
    order = np.argsort(-scores, kind="stable")
    overlaps = iou(boxes[order], boxes[order])
    kept: list[int] = []
    dropped = np.zeros(len(order), bool)
    for position in range(len(order)):
        if not dropped[position]:
            kept.append(position)
            dropped |= overlaps[position] > threshold
    return order[kept]


def align(landmarks: NDArray[np.float32], template: NDArray[np.float64] = TEMPLATE) -> NDArray[np.float64]:
    """The similarities that carry `template` (5, 2) onto each face's landmarks (n, 5, 2), as (n, 2, 3).

    Least squares without reflection (Umeyama 1991, doi 10.1109/34.88573), in closed form with complex numbers. They map
    crop to picture, which is the direction a warp samples in.
    """
    points = landmarks[..., 0].astype(np.float64) + 1j * landmarks[..., 1]
    model = template[:, 0] + 1j * template[:, 1]
    centred = model - model.mean()
    turn = (np.conj(centred) * (points - points.mean(axis=-1, keepdims=True))).sum(axis=-1)
    turn /= (np.abs(centred) ** 2).sum()
    shift = points.mean(axis=-1) - turn * model.mean()
    rows = [np.stack([turn.real, -turn.imag, shift.real], -1), np.stack([turn.imag, turn.real, shift.imag], -1)]
    return np.stack(rows, axis=-2)


def compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Affine maps (…, 2, 3): first `inner`, then `outer`."""
    linear = outer[..., :2] @ inner[..., :2]
    shift = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, shift], axis=-1)


def apply(affine: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map points (…, k, 2) by affine maps (…, 2, 3)."""
    return np.asarray(points @ np.swapaxes(affine[..., :2], -1, -2) + affine[..., None, :, 2])


def scale_of(affine: NDArray[np.float64]) -> float:
    """How many pixels one pixel becomes, as the root of the area factor."""
    return float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))


def display_to_plane(
    width: int, height: int, plane_width: int, plane_height: int, rotation: int
) -> NDArray[np.float64]:
    """The affine map from the displayed picture (width x height) to a plane of another size and orientation.

    rotation: degrees, a multiple of 90, by which the plane is turned counter-clockwise for display (FFmpeg's
    convention). Pixel centres lie at whole numbers in both.
    """
    turns = {
        0: ((1, 0), (0, 1), (0, 0)),
        90: ((0, -1), (1, 0), (1, 0)),
        180: ((-1, 0), (0, -1), (1, 1)),
        270: ((0, 1), (-1, 0), (0, 1)),
    }
    row_x, row_y, shift = turns[rotation % 360]
    linear = np.array([row_x, row_y], np.float64)
    unit = np.concatenate([linear, np.array(shift, np.float64)[:, None]], axis=1)
    to_unit = np.array([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height]])
    from_unit = np.array([[plane_width, 0, -0.5], [0, plane_height, -0.5]], np.float64)
    return compose(from_unit, compose(unit, to_unit))
