"""The video again, with boxes, names and expression bars; sound and timing as they were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visagram.core.types import Observations, Progress, VideoFacts
from visagram.media.overlay import Overlay, mixing
from visagram.media.source import Source
from visagram.media.write import Style, write_mp4

LONGEST_SIDE = 8192
"""Pixels. Pictures that pixel shape stretches beyond what H.264 decoders take are made smaller."""
FITS_MP4 = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "alac"})
STYLE = Style("annotate", {"crf": "20", "preset": "veryfast"}, FITS_MP4, LONGEST_SIDE)
HOLD = 1e-4
"""Seconds of tolerance where times in floating point meet."""

if TYPE_CHECKING:
    from visagram.media.overlay import Planes
    from visagram.media.upright import Look


def annotate(
    source: Source, observations: Observations, names: dict[int, str], output: Path, progress: Progress
) -> None:
    """Write `source` with what was observed drawn in as H.264 and AAC (or the sound's own format) in MP4 to `output`.

    Every frame that decodes is there, upright, in square pixels and at its own time, which counts from the video's
    start. names: by person. Raises `InputError`, and `OutputError` for what the disk refuses.
    """
    write_mp4(source, output, STYLE, progress, _Drawing(source.facts, observations, names))


class _Drawing:
    """Draws observations, each until its span is over."""

    def __init__(self, facts: VideoFacts, observations: Observations, names: dict[int, str]) -> None:
        self._facts, self._names = facts, names
        self._rows = observations[np.argsort(observations.frame, kind="stable")]
        self._frames, first = np.unique(self._rows.frame, return_index=True)
        self._bounds = [*first.tolist(), len(self._rows)]

    def begin(self, look: Look) -> None:
        self._look = look
        self._overlay = Overlay(look.width, look.height, self._names, mixing(look.matrix, look.full, look.transfer))

    def paint(self, planes: Planes, number: int, seconds: float) -> None:
        faces = self._at(number, seconds)
        left, top, *_ = self._look.place(self._facts.at(number))
        box = faces.box * self._look.scale + np.array([left, top, 0, 0])
        self._overlay.draw(planes, faces.with_columns(box=box.astype(np.float32)))

    def _at(self, number: int, seconds: float) -> Observations:
        """The faces to draw on a frame."""
        found = int(np.searchsorted(self._frames, number, side="right")) - 1
        if found < 0:
            return self._rows[:0]
        rows = self._rows[self._bounds[found] : self._bounds[found + 1]]
        if self._frames[found] == number:
            return rows
        return rows[rows.time + rows.span > seconds + HOLD]
