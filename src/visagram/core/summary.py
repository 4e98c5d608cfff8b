"""Everything the segments found becomes people and totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.certainty import certainty
from visagram.core.identity import group_people
from visagram.core.segments import SegmentResult, stitch
from visagram.core.statistics import expression_shares, person_statistics
from visagram.core.types import EXPRESSIONS, Observations, Person, Totals, TrackSummary

CERTAIN_SCORE = 0.95
"""A face that the detector saw only once counts as a person when it scored this much."""
FEW_FRAMES = 5
"""In so short an analysis every face counts."""


@dataclass(frozen=True, slots=True)
class Summary:
    """observations: with the number of each face's person. people: in order of first appearance. tracks: those that
    the observations name."""

    observations: Observations
    people: tuple[Person, ...]
    totals: Totals
    tracks: list[TrackSummary]


def summarise(
    results: Sequence[SegmentResult], *, analysed: float, threshold: float, seed: int, unsure_below: float
) -> Summary:
    """People and totals from the results of all segments that could be analysed, in plan order.

    analysed: seconds that should have been analysed, the frames that did not decode included. threshold: cosine from
    which two tracks are of one person. unsure_below: see `certainty.unsure`.
    """
    table, tracks = stitch(results)
    frames = sum(result.frames for result in results)
    table, tracks = _without_flickers(table, tracks, frames)
    not_decoded = max(0.0, analysed - sum(result.span for result in results))
    groups = group_people(tracks, _together(table, tracks), threshold)
    person_of = {tracks[k].track: number for number, group in enumerate(groups, 1) for k in group}
    persons = np.array([person_of[int(t)] for t in table.track], np.int32)
    table = one_face_each(table.with_columns(person=persons))
    people = []
    for number, group in enumerate(groups, 1):
        seen = table[table.person == number]
        best = max((tracks[k] for k in group), key=lambda track: track.best_quality)
        of_person = (number, seen, analysed, not_decoded, best.thumbnail)
        people.append(person_statistics(*of_person, seed=seed, unsure_below=unsure_below))
    damaged = sum(result.damaged for result in results)
    found = totals(table, frames=frames, damaged=damaged, analysed=analysed, seed=seed, unsure_below=unsure_below)
    return Summary(table, tuple(people), found, tracks)


def _without_flickers(
    table: Observations, tracks: list[TrackSummary], frames: int
) -> tuple[Observations, list[TrackSummary]]:
    """Drop what the detector took for a face once and never again."""
    if frames <= FEW_FRAMES:
        return table, tracks
    kept = [t for t in tracks if t.detections > 1 or t.best_score >= CERTAIN_SCORE]
    return table[np.isin(table.track, [t.track for t in kept])], kept


def _together(table: Observations, tracks: Sequence[TrackSummary]) -> NDArray[np.int64]:
    """(n, n) in how many frames two tracks were both visible."""
    together = np.zeros((len(tracks), len(tracks)), np.int64)
    frames = [table.frame[table.track == track.track] for track in tracks]
    for a in range(len(tracks)):
        for b in range(a):
            if tracks[a].first_frame <= tracks[b].last_frame and tracks[b].first_frame <= tracks[a].last_frame:
                together[a, b] = together[b, a] = len(np.intersect1d(frames[a], frames[b], assume_unique=True))
    return together


def one_face_each(table: Observations) -> Observations:
    """The table by frame, then person. A person has one face per frame: of a double detection the better one stays."""
    order = np.lexsort((-table.quality, table.person, table.frame))
    table = table[order]
    again = (np.diff(table.frame, prepend=-1) == 0) & (np.diff(table.person, prepend=-1) == 0)
    return table[~again]


def totals(
    table: Observations, *, frames: int, damaged: int, analysed: float, seed: int, unsure_below: float
) -> Totals:
    """Figures over everybody. frames, damaged: analysed frames and those that did not decode. analysed: seconds.
    unsure_below: see `certainty.unsure`."""
    usable = table[table.usable]
    _, first = np.unique(usable.frame, return_index=True)
    covered = float(usable.span[first].sum())
    counts = np.bincount(usable.emotion, minlength=len(EXPRESSIONS))
    sure = certainty(usable, unsure_below)
    return Totals(
        frames=frames,
        frames_damaged=damaged,
        frames_with_faces=len(np.unique(table.frame)),
        duration=analysed,
        coverage=round(min(1.0, covered / analysed), 9) if analysed > 0 else 0.0,
        emotion_counts=tuple(int(c) for c in counts),
        certain_counts=sure.counts,
        shares=expression_shares(usable, seed),
        unsure=sure.unsure,
    )
