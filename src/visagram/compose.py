"""The composition root: settings and a video's facts in, a pipeline with its models out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from visagram.core.pipeline import Stages, Stretch
from visagram.core.segments import Segment, Timeline
from visagram.core.types import VideoFacts
from visagram.media.crop import OpenCvCropper
from visagram.media.decode import SegmentFrames
from visagram.media.probe import Alive
from visagram.models.catalog import DETECTOR, EMBEDDING, EMOTION, open_session, read_card
from visagram.models.embedding import OnnxEmbedder
from visagram.models.emotion import OnnxClassifier
from visagram.models.retinaface import RetinaFaceDetector, default_min_face, input_size
from visagram.settings import Settings

LOOKS_PER_SECOND = 3.5
"""How often the detector looks when nothing happens; between looks faces move little."""
MOST_SKIPPED = 8
FRAMES_MEMORY = 112 << 20
"""Bytes of decoded frames that one round of the pipeline, and the queue before it, may each hold."""
LONGEST_ROUND = 32
COARSER = (1, 2, 4)
"""Looks find faces from this many times the smallest wanted on; each step costs a quarter of the one before."""
LARGEST_STILL = 1920
"""Longer side at which a photograph is looked at."""


class Models:
    """The networks of one worker process, each opened once."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        embedding = read_card(EMBEDDING)
        self._detector = open_session(read_card(DETECTOR), threads)
        self._classifier = OnnxClassifier(read_card(EMOTION), threads=threads)
        self._embedder = OnnxEmbedder(embedding, threads=threads)
        self._cropper = OpenCvCropper(np.array(embedding.facts["input"]["template"], np.float64))

    def stages(self, facts: VideoFacts, settings: Settings) -> Stages:
        picture = (facts.width, facts.height)
        detectors = tuple(
            RetinaFaceDetector(self._detector, picture=picture, size=size, region=settings.region)
            for size in detector_sizes(facts, settings)
        )
        return Stages(detectors, self._cropper, self._classifier, self._embedder)


def open_frames(
    path: Path, facts: VideoFacts, timeline: Timeline, segment: Segment, settings: Settings, threads: int, alive: Alive
) -> SegmentFrames:
    """The decoder of a segment."""
    return SegmentFrames(
        path, facts, timeline, segment, settings, threads=threads, depth=round_length(facts), alive=alive
    )


def open_stretch(frames: Any, models: Models, facts: VideoFacts, settings: Settings) -> Stretch:
    """The pipeline over a segment's frames."""
    return Stretch(
        frames,
        models.stages(facts, settings),
        picture=(facts.width, facts.height),
        every=settings.detect_every or look_distance(facts, settings),
        batch=round_length(facts),
    )


def detector_sizes(facts: VideoFacts, settings: Settings) -> list[tuple[int, int]]:
    """Width and height of the detector's input, from the closest look to the coarsest."""
    picture, size = (facts.width, facts.height), settings.detect_size
    if size == "auto" and settings.min_face is None and facts.still:
        # A single picture is looked at once, so it can be looked at in full.
        size = str(min(max(picture), LARGEST_STILL))
    min_face = settings.min_face or default_min_face(facts.height)
    times = (1,) if size != "auto" or settings.detect_every == 1 else COARSER
    return [input_size(picture, min_face * k, size) for k in times]


def look_distance(facts: VideoFacts, settings: Settings) -> int:
    """Frames from one look of the detector to the next, from how many frames a second are analysed."""
    rate = float(facts.rate) if settings.sample_fps is None else min(settings.sample_fps, float(facts.rate))
    rate /= settings.frame_interval
    return int(np.clip(round(rate / LOOKS_PER_SECOND), 1, MOST_SKIPPED))


def round_length(facts: VideoFacts) -> int:
    """Frames that a round holds: as many as its memory allows."""
    # Three bytes for two pixels in the usual format, six for one in the largest.
    usual = facts.pixel_format in ("yuv420p", "yuvj420p", "nv12")
    frame_bytes = facts.coded_width * facts.coded_height * (1.5 if usual else 6)
    return int(np.clip(FRAMES_MEMORY / max(frame_bytes, 1), 2, LONGEST_ROUND))
