"""Plan a video into segments and put their results together: what lets one machine's cores, or many machines, share it.

The plan depends on the video and the settings alone. Segments begin at key frames and run a little over their end;
tracks
of neighbours that lie on each other there are one track. One process runs the same plan as many do, so the result does
not depend on how many there were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import iou
from visagram.core.tracking import assign
from visagram.core.types import Observations, TrackSummary

SEGMENTS = 8
SHORTEST = 5.0
LONGEST = 60.0
"""Aim for this many segments, none shorter or longer than these seconds."""
OVERLAP = 0.3
"""Seconds that a segment runs over its end, for stitching."""
SAME_PLACE = 0.5
"""Mean IoU from which two tracks in the overlap are one."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """When each frame of a video is shown.

    pts: (n,) int64, rising presentation timestamps in units of `base`, measured from the video's start; empty where the
    container has none, then frames are counted. keys: (k,) int64, those of the key frames. end: when the last frame's
    time is over. origin: the container's own timestamp of the video's start.
    """

    base: Fraction
    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    end: int
    origin: int

    def seconds(self, pts: int) -> Fraction:
        return pts * self.base


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch to analyse. pts: (n,) the frames to analyse, those from `core` on being overlap. frames: (n,) their
    numbers in the video. spans: (n,) int64 how long each is shown. seek: a key frame at or before the first."""

    number: int
    pts: NDArray[np.int64]
    frames: NDArray[np.int64]
    spans: NDArray[np.int64]
    core: int
    seek: int


def plan(
    timeline: Timeline, start: float, end: float | None, sample_fps: float | None, interval: int = 1
) -> list[Segment]:
    """The segments of a video; an empty list where the chosen range holds no frame. interval: of the chosen frames only
    every so manieth.

    Without timestamps there is nothing to plan with: one segment with an empty `pts` stands for the whole video.
    """
    if not len(timeline.pts):
        nothing = np.empty(0, np.int64)
        return [Segment(0, nothing, nothing, nothing, 0, 0)]
    chosen = _chosen(timeline, start, end, sample_fps)[::interval]
    if not len(chosen):
        return []
    pts = timeline.pts[chosen]
    stop = timeline.end if end is None else min(timeline.end, round(Fraction(end) / timeline.base))
    spans = np.diff(pts, append=max(stop, int(pts[-1]) + 1))
    bounds = _bounds(timeline, pts)
    segments = []
    for number, (first, last) in enumerate(zip(bounds, [*bounds[1:], len(pts)], strict=True)):
        over = len(pts)
        if last < len(pts):
            over = int(np.searchsorted(pts, pts[last] + round(Fraction(OVERLAP) / timeline.base)))
            over = min(max(over, last + 4), len(pts))
        before = timeline.keys[timeline.keys <= pts[first]]
        seek = int(before[-1]) if len(before) else 0
        segments.append(Segment(number, pts[first:over], chosen[first:over], spans[first:over], last - first, seek))
    return segments


def _chosen(timeline: Timeline, start: float, end: float | None, sample_fps: float | None) -> NDArray[np.int64]:
    """Numbers of the frames to analyse."""
    low = np.searchsorted(timeline.pts, float(Fraction(start) / timeline.base) - 1e-6)
    high = len(timeline.pts)
    if end is not None:
        high = int(np.searchsorted(timeline.pts, float(Fraction(end) / timeline.base) - 1e-6))
    chosen = np.arange(low, high, dtype=np.int64)
    if sample_fps is None or not len(chosen):
        return chosen
    # The first frame in each slot of 1 / sample_fps seconds.
    slots = np.floor(timeline.pts[chosen] * float(timeline.base) * sample_fps + 1e-6)
    return np.asarray(chosen[np.concatenate([[True], np.diff(slots) > 0])])


def _bounds(timeline: Timeline, pts: NDArray[np.int64]) -> list[int]:
    """Positions in `pts` at which segments begin: the first, and key frames at least a segment's length apart."""
    seconds = float((int(pts[-1]) - int(pts[0])) * timeline.base)
    length = min(max(seconds / SEGMENTS, SHORTEST), LONGEST) / float(timeline.base)
    bounds = [0]
    for key in timeline.keys:
        position = int(np.searchsorted(pts, key))
        near_end = pts[-1] - key < length / 2
        if position < len(pts) and pts[position] - pts[bounds[-1]] >= length and not near_end:
            bounds.append(position)
    return bounds


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What a segment's analysis returns. observations: with track numbers of the segment, overlap included. frames
    and span: frames decoded, and seconds they stand for, without the overlap. damaged: frames that did not decode."""

    segment: Segment
    observations: Observations
    tracks: list[TrackSummary]
    frames: int
    damaged: int
    span: float


def stitch(results: Sequence[SegmentResult]) -> tuple[Observations, list[TrackSummary]]:
    """Results in plan order as one table and one list of tracks, numbered over the whole video, overlaps merged."""
    parts: list[Observations] = []
    tracks: dict[int, list[TrackSummary]] = {}
    before: SegmentResult | None = None
    numbers: dict[int, int] = {}
    count = 0
    for result in results:
        joined = _joined(before, result) if before else {}
        previous, numbers = numbers, {}
        for summary in result.tracks:
            if summary.track in joined and joined[summary.track] in previous:
                numbers[summary.track] = previous[joined[summary.track]]
            else:
                numbers[summary.track] = count
                count += 1
        core = _core(result)
        for summary in result.tracks:
            tracks.setdefault(numbers[summary.track], []).append(summary)
        renumbered = np.array([numbers[int(t)] for t in core.track], np.int32)
        parts.append(core.with_columns(track=renumbered))
        before = result
    table = Observations.concatenate(parts)
    table = table[np.lexsort((table.track, table.frame))]
    # Looks in an overlap were made twice; the table has each once. Tracks of an overlap alone are not in it.
    looks = np.bincount(table.track[table.detected], minlength=count)
    present = set(np.unique(table.track).tolist())
    return table, [_merged(k, int(looks[k]), found) for k, found in sorted(tracks.items()) if k in present]


def _core(result: SegmentResult) -> Observations:
    segment = result.segment
    if segment.core >= len(segment.frames):
        return result.observations
    return result.observations[result.observations.frame < segment.frames[segment.core]]


def _joined(before: SegmentResult, after: SegmentResult) -> dict[int, int]:
    """Which track of `after` continues which of `before`, by their boxes in the frames that both analysed."""
    over = before.observations[
        before.observations.frame >= after.segment.frames[:1].min(initial=np.iinfo(np.int64).max)
    ]
    theirs = after.observations[np.isin(after.observations.frame, over.frame)]
    old, new = np.unique(over.track), np.unique(theirs.track)
    if not len(old) or not len(new):
        return {}
    likeness = np.zeros((len(new), len(old)), np.float32)
    for row, a in enumerate(new):
        for column, b in enumerate(old):
            mine, other = theirs[theirs.track == a], over[over.track == b]
            _, i, j = np.intersect1d(mine.frame, other.frame, return_indices=True)
            if len(i):
                likeness[row, column] = iou(mine.box[i], other.box[j]).diagonal().mean()
    return {int(new[row]): int(old[column]) for row, column in assign(1 - likeness, 1 - SAME_PLACE)}


def _merged(number: int, detections: int, parts: Sequence[TrackSummary]) -> TrackSummary:
    """One summary of a track that ran through several segments."""
    best = max(parts, key=lambda part: part.best_quality)
    vectors = [part.embedding for part in parts if part.embedding is not None]
    embedding = None
    if vectors:
        total = np.sum(vectors, axis=0)
        embedding = np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), np.float32)
    return TrackSummary(
        track=number,
        first_frame=min(part.first_frame for part in parts),
        last_frame=max(part.last_frame for part in parts),
        detections=detections,
        best_score=max(part.best_score for part in parts),
        best_quality=best.best_quality,
        embedding=embedding,
        thumbnail=best.thumbnail,
    )
