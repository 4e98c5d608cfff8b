"""A still picture as a frame, and as the 48x48 luma that a picture of a single face already is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP, compose
from visagram.core.types import Frame, VideoFacts
from visagram.errors import NotAVideo
from visagram.media.crop import full_range, warp
from visagram.media.packets import Alive
from visagram.media.source import Source
from visagram.media.still import frame_at, scaled
from visagram.settings import Settings

LARGEST_FACE = 512
"""Longer side in pixels at which a picture of a single face is kept in colour; networks want half of that."""


def read_picture(path: Path, settings: Settings, alive: Alive = lambda: None) -> tuple[VideoFacts, Frame]:
    """The only frame of a picture's file. Raises `InputError`, also for a film."""
    source = Source.probed(path, settings, alive)
    if not source.facts.still:
        raise NotAVideo(f"{path} holds {source.facts.frames} frames: a single picture is wanted.")
    return source.facts, frame_at(source, 0.0, alive)


def whole_luma(frame: Frame) -> NDArray[np.uint8]:
    """The full-range luma as it is stored, (h, w) uint8."""
    return full_range(frame, np.ascontiguousarray(frame.luma))


def face_luma(facts: VideoFacts, frame: Frame) -> NDArray[np.uint8]:
    """The whole displayed picture as (48, 48) uint8 full-range luma; one of that size stays as it is."""
    scale = np.array([facts.width, facts.height]) / CROP
    resize = np.array([[scale[0], 0, (scale[0] - 1) / 2], [0, scale[1], (scale[1] - 1) / 2]])
    face = np.empty((CROP, CROP), np.uint8)
    warp(frame.luma, compose(frame.to_plane, resize), face)
    return full_range(frame, face)


def displayed(facts: VideoFacts, frame: Frame) -> NDArray[np.uint8]:
    """The displayed picture in colour, (h, w, 3) uint8 BGR, at most `LARGEST_FACE` pixels on its longer side."""
    scale = min(1.0, LARGEST_FACE / max(facts.width, facts.height))
    return frame.picture(*scaled((facts.width, facts.height), scale))
