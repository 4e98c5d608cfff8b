"""Each face as several cameras would have seen it: what a last layer is fitted to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from visagram.learn.augment import CALM, augment
from visagram.learn.degrade import occlude
from visagram.learn.draws import Draws

WEIGHTS = (1.0, 1.0, 1.0, 0.4)
"""How much each view counts: most faces hide behind nothing."""
BATCH = 1024


def views(luma: NDArray[np.uint8], seed: int) -> Iterator[NDArray[np.uint8]]:
    """(n, 48, 48) faces as one array of that shape for each of `WEIGHTS`: as they are; mirrored; with landmarks, light
    and wear that differ a little; and likewise behind a mask, a hand, glasses or a bar. What they show stays the same:
    how much less of it can be seen is for whoever learns to find out."""
    yield luma
    yield luma[:, :, ::-1]
    for covered in (False, True):
        seen = np.empty_like(luma)
        for start in range(0, len(luma), BATCH):
            draws = Draws(seed, int(covered), start)
            faces = torch.from_numpy(np.ascontiguousarray(luma[start : start + BATCH])).unsqueeze(1).float()
            faces = augment(occlude(faces, draws) if covered else faces, draws, CALM)
            seen[start : start + BATCH] = faces.squeeze(1).round().to(torch.uint8).numpy()
        yield seen
