"""Plan a video into segments and put their results together: what lets one machine's cores, or many machines, share it.

The plan depends on the video and the settings alone. Segments begin at key frames and run a little over their end;
tracks of neighbours that lie on each other there are one track. One process runs the same plan as many do, so the
result does not depend on how many there were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import iou
from visagram.core.tracking import assign
from visagram.core.types import COLUMNS, Observations, ResultWarning, TrackSummary, VideoFacts

SEGMENTS = 8
SHORTEST = 5.0
LONGEST = 60.0
"""Aim for this many segments, none shorter or longer than these seconds."""
OVERLAP = 0.3
"""Seconds that a segment runs over its end, for stitching."""
SAME_PLACE = 0.5
"""Mean IoU from which two tracks in the overlap are one."""
PIECES = 100
"""Segments whose rows are put together at a time: hours of small pieces would leave memory full of holes."""
REORDERED = 64
"""Packets behind a picture's own that its decoding may take in."""
UNKNOWN = np.iinfo(np.int64).min
"""Stands for a timestamp that a packet does not have."""
PLACE, STAMP, PICTURE = 0, 2, 3
"""Columns of `Timeline.marks`: a packet's byte, its own timestamp, and the packet with which its picture begins."""


def _none() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Timeline:
    """When each picture of a video is shown, and where in the file it is.

    pts: (n,) int64, rising presentation timestamps in units of `base`, measured from the video's start. keys: (k,)
    int64, those of the key frames, also of some that are not shown. end: when the last picture's time is over. origin:
    the container's own timestamp of the video's start.

    packets: (n,) int64, number of the packet that each picture begins with, in the order stored; empty where the
    decoder's order alone tells which picture is which. key_packets: (k,) the same for the key frames. marks: (m, 4)
    int64, of each packet its byte in the file (-1 where unknown), its size, its own timestamp and the packet with which
    its picture begins (-1 for none). seekable: one can get to a key frame, by its timestamp or, where `by_byte`,
    by its place in the file. restarts: (r, 3) int64, where the container's clock begins anew: the first packet, its own
    timestamp, its picture's time in `base`. loose: (l,) int64, numbers of pictures whose own timestamps say nothing
    about their order: among neighbours of this kind the decoder's order tells which is which. whole: the file is not
    cut off; of others a decoder with several threads may lose pictures at the end that one with a single thread gives.
    """

    base: Fraction
    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    end: int
    origin: int
    key_packets: NDArray[np.int64] = field(default_factory=_none)
    packets: NDArray[np.int64] = field(default_factory=_none)
    marks: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 4), np.int64))
    seekable: bool = True
    by_byte: bool = False
    whole: bool = True
    restarts: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 3), np.int64))
    loose: NDArray[np.int64] = field(default_factory=_none)

    def seconds(self, pts: int) -> Fraction:
        return pts * self.base


class Probed(NamedTuple):
    """What is known of a video before it is decoded. warnings: what was repaired, guessed, chosen or left out to get
    there."""

    facts: VideoFacts
    timeline: Timeline
    warnings: tuple[ResultWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch to analyse. pts: (n,) the frames to analyse, those from `core` on being overlap. frames: (n,) their
    numbers in the video. spans: (n,) int64 how long each is shown.

    packets: (n,) as in `Timeline`, empty where frames are told apart by the decoder's order. seek: the container's
    timestamp of a key frame at or before the first, or its byte where `by_byte`; None to begin with the file. marks:
    those of the timeline from the packet `first_packet` on, with which the key frame begins. loose: (l,) positions in
    `frames` of those that are `Timeline.loose`.
    """

    number: int
    pts: NDArray[np.int64]
    frames: NDArray[np.int64]
    spans: NDArray[np.int64]
    core: int
    seek: int | None = None
    packets: NDArray[np.int64] = field(default_factory=_none)
    marks: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 4), np.int64))
    first_packet: int = 0
    by_byte: bool = False
    loose: NDArray[np.int64] = field(default_factory=_none)


def plan(
    timeline: Timeline, start: float, end: float | None, sample_fps: float | None, interval: int = 1
) -> list[Segment]:
    """The segments of a video; an empty list where the chosen range holds no frame. interval: analyse every n-th of the
    chosen frames."""
    chosen = _chosen(timeline, start, end, sample_fps)[::interval]
    if not len(chosen):
        return []
    pts = timeline.pts[chosen]
    stop = timeline.end if end is None else min(timeline.end, round(Fraction(end) / timeline.base))
    spans = np.diff(pts, append=max(stop, int(pts[-1]) + 1))
    bounds = _bounds(timeline, pts) if timeline.seekable else [0]
    segments = []
    for number, (first, last) in enumerate(zip(bounds, [*bounds[1:], len(pts)], strict=True)):
        over = len(pts)
        if last < len(pts):
            over = int(np.searchsorted(pts, pts[last] + round(Fraction(OVERLAP) / timeline.base)))
            over = min(max(over, last + 4), len(pts))
        segments.append(segment(timeline, chosen[first:over], spans[first:over], last - first, number))
    return segments


def segment(
    timeline: Timeline, frames: NDArray[np.int64], spans: NDArray[np.int64], core: int, number: int = 0
) -> Segment:
    """The stretch that holds the pictures numbered `frames` (n), rising; where to enter the file for them."""
    pts, packets = timeline.pts[frames], timeline.packets[frames] if len(timeline.packets) else timeline.packets
    entry, loose = 0, np.flatnonzero(np.isin(frames, timeline.loose))
    if timeline.seekable and len(packets):
        where = timeline.marks[timeline.key_packets]
        known = where[:, PLACE] >= 0 if timeline.by_byte else where[:, STAMP] != UNKNOWN
        before = timeline.key_packets[(timeline.keys <= pts[0]) & known]
        entry = int(before[-1]) if len(before) else 0
    if not entry:
        last = len(timeline.marks) if not len(packets) else int(packets.max()) + REORDERED
        return Segment(number, pts, frames, spans, core, None, packets, timeline.marks[:last], loose=loose)
    marks = timeline.marks[entry : int(packets.max()) + REORDERED]
    seek = int(timeline.marks[entry, PLACE if timeline.by_byte else STAMP])
    return Segment(number, pts, frames, spans, core, seek, packets, marks, entry, timeline.by_byte, loose)


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


@dataclass(frozen=True, slots=True)
class Joined:
    """Who is seen when in all segments, without the overlaps: what is needed to tell people apart, of each face.

    row: (n,) int64, its place among the observations of all results, one result after the other. frame, track, quality:
    (n,) as in `Observations`, by frame, then track, numbered over the whole video. tracks: by number. frames, damaged,
    span: of all segments together, as in `SegmentResult`.
    """

    row: NDArray[np.int64]
    frame: NDArray[np.int64]
    track: NDArray[np.int32]
    quality: NDArray[np.float32]
    tracks: list[TrackSummary]
    frames: int
    damaged: int
    span: float


def stitch(results: Iterable[SegmentResult]) -> tuple[Observations, list[TrackSummary]]:
    """Results in plan order as one table and one list of tracks, numbered over the whole video, overlaps merged.

    results: gone through twice, see `join` and `collect`.
    """
    joined = join(results)
    return collect(results, joined.row, track=joined.track), joined.tracks


def join(results: Iterable[SegmentResult]) -> Joined:
    """The tracks of all segments, in plan order, numbered over the whole video. No result is kept, so they may be read
    one by one."""
    keys: list[tuple[NDArray[Any], ...]] = [(_none(), _none(), np.empty(0, np.int32), np.empty(0, np.float32), _none())]
    tracks: dict[int, list[TrackSummary]] = {}
    before: SegmentResult | None = None
    numbers: dict[int, int] = {}
    count = frames = damaged = start = 0
    span = 0.0
    for result in results:
        joined = _joined(before, result) if before else {}
        previous, numbers = numbers, {}
        for summary in result.tracks:
            if summary.track in joined and joined[summary.track] in previous:
                numbers[summary.track] = previous[joined[summary.track]]
            else:
                numbers[summary.track] = count
                count += 1
            tracks.setdefault(numbers[summary.track], []).append(summary)
        rows, core = result.observations, _core(result)
        local, which = np.unique(rows.track[core], return_inverse=True)
        track = np.array([numbers[number] for number in local.tolist()], np.int32)[which]
        order = np.lexsort((track, rows.frame[core]))
        core, track = core[order], track[order]
        keys.append((start + core, rows.frame[core], track, rows.quality[core], track[rows.detected[core]]))
        if len(keys) > PIECES:
            keys = [_concatenated(keys)]
        frames, damaged, span = frames + result.frames, damaged + result.damaged, span + result.span
        before, start = result, start + len(rows)
    row, frame, track, quality, looked = _concatenated(keys)
    # Looks in an overlap were made twice; of those that count each is there once. So are tracks of an overlap alone.
    looks, present = np.bincount(looked, minlength=count), np.bincount(track, minlength=count) > 0
    merged = [_merged(k, int(looks[k]), found) for k, found in sorted(tracks.items()) if present[k]]
    return Joined(row, frame, track, quality, merged, frames, damaged, span)


def collect(results: Iterable[SegmentResult], rows: NDArray[np.int64], **known: NDArray[np.generic]) -> Observations:
    """The observations at `rows`, which are places as in `Joined.row`, those of each result together and in the
    results' order. known: columns to take instead of those of the results.

    Only one result at a time is needed beside what is returned. Raises `ValueError` where these are not the results
    that were joined.
    """
    columns: dict[str, NDArray[Any]] = {
        name: known[name] if name in known else np.empty((len(rows), *shape), dtype)
        for name, (dtype, shape) in COLUMNS.items()
    }
    done = start = 0
    for result in results:
        after = start + len(result.observations)
        mine = rows[done : done + after - start]
        mine = mine[mine < after] - start
        for name in COLUMNS.keys() - known.keys():
            columns[name][done : done + len(mine)] = getattr(result.observations, name)[mine]
        done, start = done + len(mine), after
    if done < len(rows):
        raise ValueError("the results cannot be gone through again")
    return Observations(**columns)


def _concatenated(keys: Sequence[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    return tuple(np.concatenate(column) for column in zip(*keys, strict=True))


def _core(result: SegmentResult) -> NDArray[np.intp]:
    """The rows that are not in the overlap."""
    segment, frame = result.segment, result.observations.frame
    if segment.core >= len(segment.frames):
        return np.arange(len(frame))
    return np.flatnonzero(frame < segment.frames[segment.core])


def _joined(before: SegmentResult, after: SegmentResult) -> dict[int, int]:
    """Which track of `after` continues which of `before`, by their boxes in the frames that both analysed."""
    over = before.observations[
        before.observations.frame >= after.segment.frames[:1].min(initial=np.iinfo(np.int64).max)
    ]
    theirs = after.observations[np.isin(after.observations.frame, over.frame)]
    old, column = np.unique(over.track, return_inverse=True)
    new, row = np.unique(theirs.track, return_inverse=True)
    if not len(old) or not len(new):
        return {}
    likeness, shared = np.zeros((2, len(new), len(old)))
    for frame in np.unique(theirs.frame):
        mine, other = theirs.frame == frame, over.frame == frame
        pairs = np.ix_(row[mine], column[other])
        likeness[pairs] += iou(theirs.box[mine], over.box[other])
        shared[pairs] += 1
    distance = (1 - likeness / np.maximum(shared, 1)).astype(np.float32)
    return {int(new[row]): int(old[column]) for row, column in assign(distance, 1 - SAME_PLACE)}


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
