"""What an analysis is looking at just now: a small picture and the faces in it, about once a second."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from visagram.core.types import EXPRESSIONS, Frame, Observations, VideoFacts
from visagram.media.still import encode_jpeg, scaled

EVERY = 1.0
"""Seconds between two previews."""
LONGEST_SIDE = 480
QUALITY = 75


class Preview:
    """Previews of one segment, the first at once."""

    def __init__(self, facts: VideoFacts) -> None:
        self._facts = facts
        self._size = scaled(facts, min(1.0, LONGEST_SIDE / max(facts.width, facts.height)))
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
            "width": self._facts.width,
            "height": self._facts.height,
            "faces": faces,
        }
        return values, encode_jpeg(frame.picture(*self._size), QUALITY)
