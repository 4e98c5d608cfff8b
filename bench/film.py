"""Films that nobody shot: what the segments of a long video would have found, made up and always the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import visagram.wire as wire
from visagram.core.segments import Segment, SegmentResult, Timeline, plan
from visagram.core.types import EXPRESSIONS, Observations, Reason, TrackSummary, VideoFacts

RATE = 25
KEY_SECONDS = 2
ROUND = 32
"""Frames of which a segment's analysis tells at once."""
EMBEDDING = 128
SCATTER = 0.5
"""How far the portraits of one person lie apart, in lengths of an embedding."""
MOODS = 1009
TURNED = 0.1
SLOT = 100
"""Pixels between two faces."""
THUMBNAIL = bytes(1500)


@dataclass(frozen=True, slots=True)
class Film:
    """frames: of the whole film. faces: in every frame. shot: frames until all of them are others. people: in the cast,
    at least `faces`. unknown: share of the tracks without a portrait that was good enough to recognise somebody by."""

    frames: int
    faces: int
    shot: int
    people: int
    unknown: float = 0.0

    @property
    def facts(self) -> VideoFacts:
        return VideoFacts(
            name="film.mp4",
            bytes=1 << 30,
            container="mov,mp4",
            codec="h264",
            pixel_format="yuv420p",
            width=SLOT * self.faces,
            height=SLOT,
            coded_width=SLOT * self.faces,
            coded_height=SLOT,
            rotation=0,
            mirrored=False,
            frames=self.frames,
            duration=Fraction(self.frames, RATE),
            rate=Fraction(RATE),
            variable_rate=False,
            has_audio=True,
            still=False,
        )

    @property
    def timeline(self) -> Timeline:
        pts = np.arange(self.frames, dtype=np.int64)
        return Timeline(Fraction(1, RATE), pts, pts[:: KEY_SECONDS * RATE], self.frames, 0)

    def plan(self) -> list[Segment]:
        return plan(self.timeline, 0.0, None, None)

    def track(self, number: int) -> TrackSummary:
        """One of the film's tracks, as if it had been analysed in one."""
        shot = number // self.faces
        random = np.random.default_rng([1, number])
        return TrackSummary(
            track=number,
            first_frame=shot * self.shot,
            last_frame=(shot + 1) * self.shot - 1,
            detections=9,
            best_score=0.99,
            best_quality=float(random.uniform(0.3, 0.9)),
            embedding=None if random.random() < self.unknown else self._portrait(number % self.people, random),
            thumbnail=THUMBNAIL,
        )

    def result(self, segment: Segment) -> SegmentResult:
        """What the analysis of a segment would return."""
        frame = np.repeat(segment.frames, self.faces)
        slot = np.tile(np.arange(self.faces), len(segment.frames))
        shot = frame // self.shot
        first = int(segment.frames[0]) // self.shot
        rows = self._rows(frame, slot, ((shot - first) * self.faces + slot).astype(np.int32))
        low, high = int(segment.frames[0]), int(segment.frames[-1])
        tracks = [self._within(number, low, high) for number in np.unique(shot * self.faces + slot).tolist()]
        return SegmentResult(segment, rows, tracks, segment.core, 0, segment.core / RATE)

    def write(self, segment: Segment, path: Path) -> None:
        """The result as a worker leaves it for the merge."""
        result = self.result(segment)
        rows, step = result.observations, ROUND * self.faces
        with path.open("wb") as file:
            for first in range(0, len(rows), step):
                done = min(first // self.faces + ROUND, segment.core)
                part = wire.pack_observations(rows[first : first + step])
                wire.send(file, "observations", {"frames": done}, part)
            for track in result.tracks:
                wire.send(file, "track", *wire.pack_track(track))
            wire.send(file, "done", {"frames": result.frames, "damaged": 0, "span": result.span})

    def _who(self, shot: NDArray[np.int64], slot: NDArray[np.int64]) -> NDArray[np.int64]:
        return (shot * self.faces + slot) % self.people

    def _rows(self, frame: NDArray[np.int64], slot: NDArray[np.int64], track: NDArray[np.int32]) -> Observations:
        random = np.random.default_rng(0)
        moods = random.dirichlet(np.full(len(EXPRESSIONS), 0.4), MOODS).astype(np.float32)
        turned, quality = random.random(MOODS) < TURNED, random.uniform(0.2, 0.8, MOODS).astype(np.float32)
        # Apparent expressions change every two seconds, from person to person at other times.
        mood = (self._who(frame // self.shot, slot) * 7 + (frame + 11 * slot) // (2 * RATE) * 31) % MOODS
        posterior = moods[mood]
        posterior[turned[mood]] = np.nan
        box = np.tile(np.float32([0, 20, 60, 60]), (len(frame), 1))
        box[:, 0] = SLOT * slot + 10 + 5 * np.sin(frame / 200)
        return Observations(
            frame=frame,
            time=frame / RATE,
            span=np.full(len(frame), 1 / RATE),
            person=np.zeros(len(frame), np.int32),
            track=track,
            box=box,
            landmarks=box[:, None, :2] + np.float32([[18, 24], [42, 24], [30, 36], [20, 49], [40, 49]]),
            score=np.full(len(frame), 0.99, np.float32),
            detected=frame % 7 == 0,
            reason=np.where(turned[mood], Reason.TURNED, Reason.NONE).astype(np.uint8),
            quality=quality[(mood + frame) % MOODS],
            posterior=posterior,
        )

    def _within(self, number: int, low: int, high: int) -> TrackSummary:
        """A track as the segment of the frames from `low` to `high` saw it, by its number there."""
        whole = self.track(number)
        return dataclasses.replace(
            whole,
            track=number - low // self.shot * self.faces,
            first_frame=max(low, whole.first_frame),
            last_frame=min(high, whole.last_frame),
        )

    def _portrait(self, person: int, random: np.random.Generator) -> NDArray[np.float32]:
        face, away = np.random.default_rng([2, person]).normal(size=EMBEDDING), random.normal(size=EMBEDDING)
        seen = face / np.linalg.norm(face) + SCATTER * away / np.linalg.norm(away)
        return (seen / np.linalg.norm(seen)).astype(np.float32)


def results(film: Film) -> Iterator[SegmentResult]:
    return (film.result(segment) for segment in film.plan())
