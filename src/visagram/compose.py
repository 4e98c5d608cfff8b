"""The composition root: settings and a video's facts in, a pipeline with its models out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from visagram.core.pipeline import Stages, Stretch
from visagram.core.segments import Segment, Timeline
from visagram.core.stages import EmotionClassifier, FaceDetector
from visagram.core.types import Frame, VideoFacts
from visagram.media.crop import OpenCvCropper
from visagram.media.decode import SegmentFrames
from visagram.media.packets import Alive
from visagram.models import catalog
from visagram.models.catalog import EMBEDDING, read_card
from visagram.models.embedding import OnnxEmbedder
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


Detectors = Callable[[VideoFacts, Settings], tuple[FaceDetector, ...]]
"""The detectors for a video, from the closest look to the coarsest, over networks that are open."""


class Models:
    """The networks of one worker process, each opened once.

    settings: say which and where. alive: called now and then by those that take long. Raises `ModelError`.
    """

    def __init__(self, threads: int, settings: Settings | None = None, alive: Alive = lambda: None) -> None:
        settings = settings or Settings()
        self.threads, self._chosen = threads, _chosen(settings)
        embedding = read_card(EMBEDDING)
        self._detectors = open_detectors(settings.detector, threads, settings.models_folder, alive)
        self._classifier = open_classifier(settings.emotion, threads, settings.models_folder, alive)
        self._quick = catalog.open_quick(settings.emotion, threads, settings.models_folder)
        if settings.refine:
            # Imported here: few ask for it.
            from visagram.synth.refine import refine

            self._classifier, self._quick = refine(self._classifier, threads), None
        self._embedder = OnnxEmbedder(embedding, threads=threads)
        self._cropper = OpenCvCropper(np.array(embedding.facts["input"]["template"], np.float64))

    def fit(self, threads: int, settings: Settings) -> bool:
        """Whether these are the models that the settings ask for."""
        return (self.threads, self._chosen) == (threads, _chosen(settings))

    def stages(self, facts: VideoFacts, settings: Settings) -> Stages:
        # The reference follows nothing: it is asked about every face.
        quick = None if settings.detect_every == 1 else self._quick
        return Stages(self._detectors(facts, settings), self._cropper, self._classifier, self._embedder, quick)


def _chosen(settings: Settings) -> tuple[str, str, bool, Path]:
    return settings.emotion, settings.detector, settings.refine, settings.models_folder


def open_classifier(
    name: str, threads: int, folder: Path | None = None, alive: Alive = lambda: None
) -> EmotionClassifier:
    """A classifier of the catalogue. folder: of fetched models, the user's by default. It fetches nothing:
    `visagram.models.catalog.prepare` does. Raises `UsageError`, `MissingExtra`, `ModelError`."""
    return catalog.open_classifier(name, threads, folder or Settings().models_folder, alive)


def open_detectors(name: str, threads: int, folder: Path | None = None, alive: Alive = lambda: None) -> Detectors:
    """A detector of the catalogue, its network open. Otherwise as `open_classifier`."""
    card = catalog.find(catalog.DETECTION, name).card(folder or Settings().models_folder)
    if name == catalog.OURS:
        session = catalog.open_session(card, threads)

        def ours(facts: VideoFacts, settings: Settings) -> tuple[FaceDetector, ...]:
            picture = (facts.width, facts.height)
            sizes = detector_sizes(facts, settings)
            return tuple(
                RetinaFaceDetector(session, picture=picture, size=size, region=settings.region) for size in sizes
            )

        return ours
    # Imported here: it needs the extra.
    from visagram.models.deepface import DeepFaceRetinaFace, RetinaFaceNetwork

    network = RetinaFaceNetwork(card, threads=threads)

    def deepface(facts: VideoFacts, settings: Settings) -> tuple[FaceDetector, ...]:
        picture = (facts.width, facts.height)
        return (DeepFaceRetinaFace(network, picture=picture, region=settings.region, alive=alive),)

    return deepface


def open_frames(
    path: Path, facts: VideoFacts, timeline: Timeline, segment: Segment, settings: Settings, threads: int, alive: Alive
) -> SegmentFrames:
    """The decoder of a segment."""
    return SegmentFrames(
        path, facts, timeline, segment, settings, threads=threads, depth=round_length(facts), alive=alive
    )


def open_stretch(frames: Any, models: Models, facts: VideoFacts, settings: Settings) -> Stretch:
    """The pipeline over a segment's frames."""

    def stages(frame: Frame) -> Stages:
        shape = facts.at(frame.index)
        if (shape.width, shape.height) != frame.size:
            shape = dataclasses.replace(shape, width=frame.size[0], height=frame.size[1])
        return models.stages(shape, settings)

    return Stretch(
        frames,
        stages,
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
    shapes = facts.shapes or (facts,)
    frame_bytes = max(shape.coded_width * shape.coded_height for shape in shapes) * (1.5 if usual else 6)
    return int(np.clip(FRAMES_MEMORY / max(frame_bytes, 1), 2, LONGEST_ROUND))
