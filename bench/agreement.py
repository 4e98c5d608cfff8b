"""What skipping frames and shrinking the detector's input costs in truth: against looking at every frame at full
size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visagram import Settings, analyze
from visagram.core.geometry import iou


@dataclass(frozen=True, slots=True)
class Agreement:
    """found: share of the reference's faces that overlap one of ours (IoU >= 0.5). same: share of the faces usable in
    both that get the same expression; None where there is none."""

    clip: str
    faces: int
    found: float | None
    same: float | None
    people: int
    people_reference: int


def agreement(clip: Path) -> Agreement:
    """Compare the default settings with the reference on one clip."""
    ours, reference = analyze(clip), analyze(clip, Settings(detect_every=1, detect_size="full"))
    a, b = ours.observations, reference.observations
    found, both, same = 0, 0, 0
    for row in range(len(b)):
        near = np.flatnonzero(a.frame == b.frame[row])
        overlaps = iou(b.box[[row]], a.box[near])[0]
        if not len(near) or overlaps.max() < 0.5:
            continue
        found += 1
        match = near[overlaps.argmax()]
        if a.usable[match] and b.usable[row]:
            both += 1
            same += int(a.emotion[match] == b.emotion[row])
    return Agreement(
        clip.name,
        len(b),
        found / len(b) if len(b) else None,
        same / both if both else None,
        len(ours.people),
        len(reference.people),
    )
