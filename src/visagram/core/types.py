"""The values that the stages hand each other. Arrays state their shape, dtype and unit; boxes are x, y, w, h in pixels
of the displayed picture (rotated and scaled as a player would show it), origin top left."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven apparent expressions, in the order of every posterior vector."""

Progress = Callable[[str, int, int], None]
"""`progress(stage, completed, total)`; total is 0 where it is not known."""


class Reason(IntEnum):
    """Why a face could not be used in a frame; `NONE` where it was."""

    NONE = 0
    TOO_SMALL = 1
    BLURRED = 2
    TURNED = 3
    CUT_OFF = 4
    LYING = 5

    @property
    def label(self) -> str:
        return "" if self is Reason.NONE else self.name.lower()


NOT_VISIBLE = "not_visible"
"""The reason for time in which a person was not found in the picture at all."""
NOT_DECODED = "not_decoded"
"""The reason for time whose frames were damaged or could not be decoded."""


@dataclass(frozen=True, slots=True)
class ResultWarning:
    """What was repaired, guessed, chosen or left out, and limits a result.

    code: stable, for programs. message: a sentence that a person can act on. count: of how many frames, streams or
    parts it speaks, 0 where there is nothing to count. seconds: how much time it concerns, None where that is unknown.
    """

    code: str
    message: str
    count: int = 0
    seconds: float | None = None


EXACT, REPAIRED, GUESSED = "exact", "repaired", "guessed"
"""What frame times rest on: the file alone; the file, where some times were put right by their neighbours; a rate."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a video's picture is stored and displayed from one frame on. frame: number of that frame. time: seconds at
    which it is shown. All else as in `VideoFacts`."""

    frame: int
    time: float
    pixel_format: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation: int
    mirrored: bool


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the probe found out about a file. Sizes are of the displayed picture; times are in seconds from its start.

    rotation: degrees counter-clockwise (0, 90, 180 or 270) by which a stored picture is turned for display; then it is
    mirrored left to right where `mirrored`. stream: number of the chosen stream in the file. time_basis: `EXACT`,
    `REPAIRED` or `GUESSED`. shapes: where the picture changes its shape, each shape from its first frame on, else
    empty; sizes and pixel format of the facts themselves are those of the first frame. path, sha256: of the file, where
    they are known.
    """

    name: str
    bytes: int
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation: int
    mirrored: bool
    frames: int
    duration: Fraction
    rate: Fraction
    variable_rate: bool
    has_audio: bool
    still: bool
    stream: int = 0
    time_basis: str = EXACT
    shapes: tuple[Shape, ...] = ()
    path: str = ""
    sha256: str = ""

    def at(self, frame: int, coded: tuple[int, int] | None = None) -> VideoFacts:
        """The facts with the picture's shape in a frame, by its number. coded: width and height that were decoded;
        where they are others than expected, the displayed picture follows them."""
        shape: VideoFacts | Shape = self
        for each in self.shapes:
            if each.frame <= frame:
                shape = each
        if coded is not None and coded != (shape.coded_width, shape.coded_height):
            across, down = coded[0] / max(1, shape.coded_width), coded[1] / max(1, shape.coded_height)
            if shape.rotation % 180 == 90:
                across, down = down, across
            size = max(1, round(shape.width * across)), max(1, round(shape.height * down))
        elif shape is self:
            return self
        else:
            size, coded = (shape.width, shape.height), (shape.coded_width, shape.coded_height)
        return dataclasses.replace(
            self,
            pixel_format=shape.pixel_format,
            width=size[0],
            height=size[1],
            coded_width=coded[0],
            coded_height=coded[1],
            rotation=shape.rotation,
            mirrored=shape.mirrored,
        )

    @property
    def canvas(self) -> tuple[int, int]:
        """Width and height that hold the picture in each of its shapes, each in the middle."""
        shapes = self.shapes or (self,)
        return max(shape.width for shape in shapes), max(shape.height for shape in shapes)


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture.

    index: number of the frame in presentation order over the whole video. time: exact presentation time in seconds.
    span: seconds until the next analysed frame.
    luma: (h, w) uint8, the luma plane as decoded, in coded orientation. full_range: luma spans 0..255, else 16..235.
    to_plane: (2, 3) float64, maps displayed x, y to luma x, y (pixel centres at whole numbers).
    picture: `picture(width, height)` gives the displayed picture at that size as (height, width, 3) uint8 BGR.
    size: width and height of the displayed picture in pixels.
    """

    index: int
    time: Fraction
    span: Fraction
    luma: NDArray[np.uint8]
    full_range: bool
    to_plane: NDArray[np.float64]
    picture: Callable[[int, int], NDArray[np.uint8]]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces of one frame. boxes: (n, 4) float32. landmarks: (n, 5, 2) float32: right eye, left eye, nose, right and
    left mouth corner as seen in the picture from left to right. scores: (n,) float32 in 0..1. No face is an empty
    `Faces`."""

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]

    @classmethod
    def empty(cls) -> Faces:
        return cls(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Faces:
        return Faces(self.boxes[which], self.landmarks[which], self.scores[which])


COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    "frame": ("int64", ()),
    "time": ("float64", ()),
    "span": ("float64", ()),
    "person": ("int32", ()),
    "track": ("int32", ()),
    "box": ("float32", (4,)),
    "landmarks": ("float32", (5, 2)),
    "score": ("float32", ()),
    "detected": ("bool", ()),
    "reason": ("uint8", ()),
    "quality": ("float32", ()),
    "posterior": ("float32", (len(EXPRESSIONS),)),
}
"""The columns of `Observations`: dtype, and shape of one row."""


@dataclass(frozen=True, slots=True)
class Observations:
    """One row per face per frame, as columns.

    frame: index in the video. time: seconds. span: seconds until the next analysed frame. person: 1, 2, … or 0 before
    people are known. detected: the detector looked at this very frame (else the face was interpolated between two
    detections). reason: a `Reason`. quality: 0..1. posterior: rows sum to 1, NaN where unusable.
    """

    frame: NDArray[np.int64]
    time: NDArray[np.float64]
    span: NDArray[np.float64]
    person: NDArray[np.int32]
    track: NDArray[np.int32]
    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: NDArray[np.float32]
    detected: NDArray[np.bool_]
    reason: NDArray[np.uint8]
    quality: NDArray[np.float32]
    posterior: NDArray[np.float32]

    @classmethod
    def empty(cls) -> Observations:
        return cls(**{name: np.empty((0, *shape), dtype) for name, (dtype, shape) in COLUMNS.items()})

    @classmethod
    def concatenate(cls, parts: Iterable[Observations]) -> Observations:
        kept: Sequence[Observations] = [cls.empty(), *parts]
        return cls(**{name: np.concatenate([getattr(part, name) for part in kept]) for name in COLUMNS})

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Observations:
        return Observations(**{name: getattr(self, name)[which] for name in COLUMNS})

    def with_columns(self, **columns: NDArray[np.generic]) -> Observations:
        return dataclasses.replace(self, **columns)  # type: ignore[arg-type]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(n,) whether the face votes."""
        return np.asarray(self.reason == Reason.NONE)

    @property
    def emotion(self) -> NDArray[np.int8]:
        """(n,) index of the most probable expression, -1 where unusable."""
        # Without a copy of the posteriors: there are millions in a long video.
        return np.where(self.usable, self.posterior.argmax(axis=1).astype(np.int8), np.int8(-1))


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """What remains of a track besides its observations.

    embedding: (d,) float32 of unit length, or None where no crop was good enough. thumbnail: a JPEG of the best face.
    detections: how often the detector itself saw the face. best_score: highest detection score.
    """

    track: int
    first_frame: int
    last_frame: int
    detections: int
    best_score: float
    best_quality: float
    embedding: NDArray[np.float32] | None
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class Share:
    """A share of measured time in 0..1.

    low, high: 95 % interval of the share in the long run of footage like this; None where too few changes were seen to
    tell one. episodes: how often the expression began, of several people within a second once; None where the result
    does not say. least, most: the share of
    all the time in the picture if the time that was not measured showed the expression never, or always; None where
    the result does not say.
    """

    value: float
    low: float | None
    high: float | None
    episodes: int | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Statistics of one person. Per-expression tuples follow `EXPRESSIONS`; times are in seconds.

    frames_seen: frames with a face of this person; frames_usable: those that voted. Of a window, frames that begin in
    it. emotion_counts: voting frames by most probable expression; certain_counts: of these, those that are not unsure.
    shares, mean_posterior: over measured time. measured: seconds that voted. unsure: the part of `measured` in which no
    expression was probable enough. unmeasured: the rest of the analysed time by reason; with `measured` it sums to the
    analysed time.
    segments: (start, end) of each stretch in which the person was visible.
    """

    id: int
    name: str
    tracks: tuple[int, ...]
    first_seen: float
    last_seen: float
    screen_time: float
    frames_seen: int
    frames_usable: int
    emotion_counts: tuple[int, ...]
    certain_counts: tuple[int, ...]
    shares: tuple[Share, ...]
    mean_posterior: tuple[float, ...]
    measured: float
    unsure: float
    unmeasured: dict[str, float]
    segments: tuple[tuple[float, float], ...]
    thumbnail: bytes = field(repr=False, default=b"")

    @property
    def dominant(self) -> str | None:
        """The expression of most frames, None when nothing was measured."""
        if self.frames_usable:
            return EXPRESSIONS[int(np.argmax(self.emotion_counts))]
        # A window may hold a part of a frame and the beginning of none.
        values = [share.value for share in self.shares] if self.measured else []
        return EXPRESSIONS[int(np.argmax(values))] if values else None

    @property
    def unsure_share(self) -> float | None:
        """Share of measured time that is unsure, in 0..1; None when nothing was measured."""
        return self.unsure / self.measured if self.measured else None


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures over the whole analysis. frames: analysed. coverage: share of the analysed time in which at least one
    face was measured. emotion_counts, certain_counts, shares and unsure: as in `Person`, over everybody's time."""

    frames: int
    frames_damaged: int
    frames_with_faces: int
    duration: float
    coverage: float
    emotion_counts: tuple[int, ...]
    certain_counts: tuple[int, ...]
    shares: tuple[Share, ...]
    unsure: float
