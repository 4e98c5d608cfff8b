"""Hand-written stand-ins for the parts in `core/stages.py`: a drawn world in which every answer is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP, TEMPLATE, align, apply, compose, display_to_plane
from visagram.core.pipeline import Stages
from visagram.core.segments import Segment, SegmentResult, Timeline
from visagram.core.stages import ALIGNED, Crops, Framing
from visagram.core.types import Faces, Frame, Observations, TrackSummary
from visagram.errors import ModelError

RATE = 25
PICTURE = (320, 240)
LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.34, 0.82], [0.66, 0.82]], np.float32)
"""Where a frontal face has its landmarks, in units of its box."""
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "01" * 64 + "ffc0000b080001000101011100"
    "ffc40014000100000000000000000000000000000009ffc40014100100000000000000000000000000000000"
    "ffda0008010100003f0054dfffd9"
)
"""The smallest picture there is: one grey pixel."""


def make_faces(boxes: Sequence[Sequence[float]], scores: Sequence[float] | float = 0.98) -> Faces:
    """Frontal faces in boxes x, y, w, h."""
    if not len(boxes):
        return Faces.empty()
    box = np.array(boxes, np.float32)
    points = box[:, None, :2] + LANDMARKS * box[:, None, 2:]
    return Faces(box, points, np.broadcast_to(np.float32(scores), len(box)).copy())


@dataclass(frozen=True)
class Actor:
    """Somebody who is in the picture during `frames`. where: time in seconds to the box x, y, w, h."""

    where: Callable[[float], tuple[float, float, float, float]]
    frames: range = range(1_000_000)
    score: float = 0.98


def still(x: float, y: float, side: float = 60.0) -> Callable[[float], tuple[float, float, float, float]]:
    return lambda time: (x, y, side, side)


def moving(
    x: float, y: float, across: float, down: float = 0.0, side: float = 60.0
) -> Callable[[float], tuple[float, float, float, float]]:
    """At a constant velocity in pixels per second."""
    return lambda time: (x + across * time, y + down * time, side, side)


@dataclass(frozen=True)
class World:
    """A film of `length` frames. cuts: frames that start another scene; each scene has a texture of its own."""

    length: int
    actors: Sequence[Actor] = ()
    cuts: Sequence[int] = ()
    rate: int = RATE

    def faces(self, index: int) -> Faces:
        here = [actor for actor in self.actors if index in actor.frames]
        return make_faces([a.where(index / self.rate) for a in here], [a.score for a in here])

    def frames(self) -> list[Frame]:
        scenes = [_texture(number) for number in range(len(self.cuts) + 1)]
        return [
            make_frame(index, scenes[sum(index >= cut for cut in self.cuts)], rate=self.rate)
            for index in range(self.length)
        ]


@cache
def _texture(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, PICTURE[::-1], np.uint8)


def make_frame(
    index: int,
    luma: NDArray[np.uint8],
    *,
    rate: int = RATE,
    full_range: bool = True,
    shown: NDArray[np.uint8] | None = None,
) -> Frame:
    """A frame that is displayed as it was coded. shown: (h, w, 3) BGR, grey if not given."""
    height, width = luma.shape
    colour = np.repeat(luma[..., None], 3, axis=2) if shown is None else shown
    return Frame(
        index=index,
        time=Fraction(index, rate),
        span=Fraction(1, rate),
        luma=luma,
        full_range=full_range,
        to_plane=_upright(width, height),
        picture=lambda w, h: _resized(colour, w, h),
        size=(width, height),
    )


@cache
def _upright(width: int, height: int) -> NDArray[np.float64]:
    return display_to_plane(width, height, width, height, 0)


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    rows = np.arange(height) * picture.shape[0] // height
    columns = np.arange(width) * picture.shape[1] // width
    return np.ascontiguousarray(picture[rows[:, None], columns])


class ListedFrames:
    """`FrameSource` over a list."""

    def __init__(self, frames: Sequence[Frame], damaged: int = 0) -> None:
        self.damaged = damaged
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)


class KnowingDetector:
    """`FaceDetector` that knows the world, down to faces of a size. looks: indices of the frames it was shown."""

    def __init__(self, faces: Callable[[int], Faces], smallest: float = 0.0) -> None:
        self._faces = faces
        self.smallest = smallest
        self.looks: list[int] = []

    def detect(self, frames: Sequence[Frame]) -> list[Faces]:
        self.looks += [frame.index for frame in frames]
        found = [self._faces(frame.index) for frame in frames]
        return [faces[faces.boxes[:, 2:].max(axis=1) >= self.smallest] for faces in found]

    def close(self) -> None:
        def closed(_index: int) -> Faces:
            raise ModelError("The detector was closed.")

        self._faces = closed


class NearestCropper:
    """`FaceCropper` that takes the nearest pixel. converted: indices of the frames whose colours it asked for; boxed:
    those of which it cut boxes."""

    def __init__(self) -> None:
        self.converted: list[int] = []
        self.boxed: list[int] = []

    def aligned(self, frame: Frame, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        crops = _sampled(frame.luma, compose(frame.to_plane, align(landmarks)), CROP)
        if frame.full_range:
            return crops
        return np.clip(np.round((crops.astype(np.float64) - 16) * 255 / 219), 0, 255).astype(np.uint8)

    def boxes(self, frame: Frame, faces: Faces, framing: Framing) -> list[NDArray[np.uint8]]:
        self.boxed.append(frame.index)
        height, width = frame.luma.shape
        picture, crops = frame.picture(width, height), []
        for x, y, w, h in faces.boxes:
            across = np.clip(np.arange(int(x), int(x + w)), 0, width - 1)
            down = np.clip(np.arange(int(y), int(y + h)), 0, height - 1)
            crops.append(picture[down[:, None], across])
        return crops

    def portraits(self, frame: Frame, faces: Faces) -> NDArray[np.uint8]:
        self.converted.append(frame.index)
        height, width = frame.luma.shape
        coarse = _sampled(frame.picture(width, height), align(faces.landmarks, TEMPLATE * (28 / CROP)), 28)
        return coarse.repeat(8, axis=1).repeat(8, axis=2)

    def jpeg(self, portrait: NDArray[np.uint8]) -> bytes:
        return JPEG


def _sampled(image: NDArray[np.uint8], affines: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2).astype(np.float64)
    points = np.round(apply(affines, grid)).astype(int).reshape(len(affines), side, side, 2)
    x, y = points[..., 0].clip(0, image.shape[1] - 1), points[..., 1].clip(0, image.shape[0] - 1)
    return image[y, x]


class BrightnessClassifier:
    """`EmotionClassifier`: the brighter the face, the later in the list its expression.

    judged: faces it was shown; shapes: those of their crops.
    """

    def __init__(self, framing: Framing = ALIGNED) -> None:
        self.framing = framing
        self.judged = 0
        self.shapes: set[tuple[int, ...]] = set()
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        if self._closed:
            raise ModelError("The classifier was closed.")
        self.judged += len(crops)
        self.shapes |= {crop.shape for crop in crops}
        away = np.array([crop.mean() for crop in crops])[:, None] - np.linspace(20, 235, 7)
        powers = np.exp(-((away / 40) ** 2)).reshape(len(crops), 7)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


class ColourEmbedder:
    """`FaceEmbedder`: people differ by the colours of a 4 x 4 grid. embedded: size of each batch."""

    threshold = 0.99

    def __init__(self) -> None:
        self.embedded: list[int] = []

    def embed(self, portraits: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.embedded.append(len(portraits))
        cells = portraits.reshape(len(portraits), 4, 56, 4, 56, 3).mean(axis=(2, 4)).reshape(len(portraits), 48) + 1
        return (cells / np.linalg.norm(cells, axis=1, keepdims=True)).astype(np.float32)


@dataclass
class FakeStages:
    """The parts over a world, kept to ask them what they saw."""

    world: World
    detector: KnowingDetector = field(init=False)
    cropper: NearestCropper = field(default_factory=NearestCropper)
    classifier: BrightnessClassifier = field(default_factory=BrightnessClassifier)
    embedder: ColourEmbedder = field(default_factory=ColourEmbedder)

    def __post_init__(self) -> None:
        self.detector = KnowingDetector(self.world.faces)

    def stages(self, *coarser: KnowingDetector) -> Stages:
        return Stages((self.detector, *coarser), self.cropper, self.classifier, self.embedder)


def stages_of(stages: Stages) -> Callable[[Frame], Stages]:
    """The same parts for a picture of any shape."""
    return lambda _frame: stages


def steady_timeline(frames: int, *, key_every: int = 25, rate: int = RATE) -> Timeline:
    """A video of constant rate that starts at zero."""
    pts = np.arange(frames, dtype=np.int64)
    return located(Timeline(Fraction(1, rate), pts, pts[::key_every], frames, 0))


def located(timeline: Timeline) -> Timeline:
    """The timeline of a file with one packet a picture, in the order shown."""
    numbers = np.arange(len(timeline.pts), dtype=np.int64)
    marks = np.stack([numbers * 1000, numbers * 0 + 1000, timeline.pts + timeline.origin, numbers], axis=1)
    keys = np.searchsorted(timeline.pts, timeline.keys)
    return dataclasses.replace(timeline, key_packets=keys, packets=numbers, marks=marks)


def make_rows(
    frames: Sequence[int],
    track: int,
    *,
    box: Sequence[float] = (100, 80, 60, 60),
    expression: int | Sequence[int] = 6,
    reason: int | Sequence[int] = 0,
    rate: float = RATE,
    span: float | Sequence[float] | None = None,
) -> Observations:
    """Observations of one track that stays where it is; NaN where the reason says that the face is unusable."""
    n = len(frames)
    reasons = np.broadcast_to(np.uint8(reason), n).copy()
    posterior = np.full((n, 7), 0.05, np.float32)
    posterior[np.arange(n), np.broadcast_to(expression, n)] = 0.7
    posterior[reasons > 0] = np.nan
    faces = make_faces([box] * n)
    index = np.array(frames, np.int64)
    return Observations(
        frame=index,
        time=index / rate,
        span=np.broadcast_to(1 / rate if span is None else np.asarray(span, np.float64), n).copy(),
        person=np.zeros(n, np.int32),
        track=np.full(n, track, np.int32),
        box=faces.boxes,
        landmarks=faces.landmarks,
        score=faces.scores,
        detected=np.ones(n, bool),
        reason=reasons,
        quality=np.full(n, 0.5, np.float32),
        posterior=posterior,
    )


def make_track(
    track: int,
    first: int = 0,
    last: int = 0,
    *,
    who: int | None = 0,
    detections: int = 9,
    score: float = 0.99,
    quality: float = 0.5,
) -> TrackSummary:
    """who: the person, who looks like nobody else; None for a track without an embedding."""
    embedding = None if who is None else np.eye(16, dtype=np.float32)[who]
    return TrackSummary(track, first, last, detections, score, quality, embedding, JPEG)


def make_result(
    segment: Segment, rows: Sequence[Observations], tracks: Sequence[TrackSummary], damaged: int = 0
) -> SegmentResult:
    """What the analysis of a segment at the constant rate returns."""
    table = Observations.concatenate(rows)
    table = table[np.lexsort((table.track, table.frame))]
    return SegmentResult(segment, table, list(tracks), segment.core - damaged, damaged, (segment.core - damaged) / RATE)
