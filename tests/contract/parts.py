"""What several contract suites run on: the sample clip, a drawn film, and the embedded detector."""

from __future__ import annotations

from pathlib import Path

import visagram
from fakes import Actor, World, still
from visagram.core.segments import plan
from visagram.media.decode import SegmentFrames
from visagram.media.probe import probe
from visagram.models.catalog import DETECTOR, open_session, read_card
from visagram.models.retinaface import RetinaFaceDetector, input_size
from visagram.settings import Settings

SAMPLE = Path(visagram.__file__).parent / "data" / "sample.mp4"
FRAMES = 40


def open_sample(settings: Settings | None = None) -> SegmentFrames:
    """The first segment of the sample clip."""
    settings = settings or Settings(end=FRAMES / 25)
    facts, timeline, _ = probe(SAMPLE, settings)
    segment = plan(timeline, settings.start, settings.end, settings.sample_fps)[0]
    return SegmentFrames(SAMPLE, facts, timeline, segment, settings, threads=1, depth=8)


def drawn_world() -> World:
    return World(FRAMES, [Actor(still(100, 80)), Actor(still(20, 20, 40), range(10, 30))])


def retinaface(region: tuple[int, int, int, int] | None = None) -> RetinaFaceDetector:
    size = input_size((400, 300), 20, "auto")
    return RetinaFaceDetector(open_session(read_card(DETECTOR), 1), picture=(400, 300), size=size, region=region)
