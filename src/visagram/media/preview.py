"""What an analysis is looking at just now: a small picture and the faces in it, about once a second."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from visagram.core.types import EXPRESSIONS, Frame, Observations
from visagram.media.still import encode_jpeg, scaled

EVERY = 1.0
"""Seconds between two previews."""
LONGEST_SIDE = 480
QUALITY = 75


class Preview:
    """Previews of one segment, the first at once."""

    def __init__(self) -> None:
        self._due = 0.0

    def of(self, frame: Frame, observations: Observations) -> tuple[dict[str, Any], bytes] | None:
        """Values and JPEG of a frame with its faces among `observations`; None while the last preview is fresh."""
        if time.monotonic() < self._due:
            return None
        self._due = time.monotonic() + EVERY
        rows = observations[observations.frame == frame.index]
        faces = [
            {
                "box": [round(float(side), 1) for side in rows.box[k]],
                "emotion": EXPRESSIONS[best] if best >= 0 else None,
                "probability": round(float(rows.posterior[k, best]), 4) if best >= 0 else 0.0,
            }
            for k, best in enumerate(rows.emotion.astype(np.int64).tolist())
        ]
        values = {
            "time": float(frame.time),
            "width": frame.size[0],
            "height": frame.size[1],
            "faces": faces,
        }
        small = scaled(frame.size, min(1.0, LONGEST_SIDE / max(frame.size)))
        return values, encode_jpeg(frame.picture(*small), QUALITY)
