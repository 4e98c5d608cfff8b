"""Everything the segments found becomes people and totals."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.certainty import Below, certainty
from visagram.core.identity import group_people
from visagram.core.prior import Factors, reweighted
from visagram.core.rows import rows_of_each
from visagram.core.segments import Joined, SegmentResult, collect, join
from visagram.core.statistics import at_worst, person_statistics, shares_of_all
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
    results: Iterable[SegmentResult],
    *,
    analysed: float,
    threshold: float,
    seed: int,
    unsure_below: Below,
    prior: Factors | None = None,
) -> Summary:
    """People and totals from the results of all segments that could be analysed, in plan order.

    results: gone through twice, so that they can be read one by one: beside the summary itself, a long video's need
    little memory. analysed: seconds that should have been analysed, the frames that did not decode included. threshold:
    cosine from which two tracks are of one person. unsure_below: see `certainty.unsure`. prior: by what posteriors are
    multiplied.
    """
    joined = _without_flickers(join(results))
    tracks, frames, damaged = joined.tracks, joined.frames, joined.damaged
    not_decoded = max(0.0, analysed - joined.span)
    groups = group_people(tracks, _together(joined), threshold)
    person_of = _by_number(tracks)
    for number, group in enumerate(groups, 1):
        person_of[[tracks[k].track for k in group]] = number
    person = person_of[joined.track]
    chosen = _best_of_each(joined.frame, person, joined.quality)
    rows, track, person = joined.row[chosen], joined.track[chosen], person[chosen]
    # Large, of a long video, and the table will say it all.
    del joined, chosen
    table = collect(results, rows, track=track, person=person)
    table = table.with_columns(posterior=reweighted(table.posterior, prior))

    def statistics(number: int, group: Sequence[int], seen: NDArray[np.intp]) -> Person:
        best = max((tracks[k] for k in group), key=lambda track: track.best_quality)
        of_person = (number, table[seen], analysed, not_decoded, best.thumbnail)
        return person_statistics(*of_person, seed=seed, unsure_below=unsure_below)

    numbers = range(1, len(groups) + 1)
    people = tuple(map(statistics, numbers, groups, rows_of_each(table.person, numbers)))
    found = totals(table, frames=frames, damaged=damaged, analysed=analysed, seed=seed, unsure_below=unsure_below)
    return Summary(table, people, found, tracks)


def _by_number(tracks: Sequence[TrackSummary]) -> NDArray[np.int32]:
    """Zeros, one for each number of a track and those between."""
    return np.zeros(max((track.track for track in tracks), default=-1) + 1, np.int32)


def _without_flickers(joined: Joined) -> Joined:
    """Drop what the detector took for a face once and never again."""
    if joined.frames <= FEW_FRAMES:
        return joined
    tracks = [t for t in joined.tracks if t.detections > 1 or t.best_score >= CERTAIN_SCORE]
    kept = np.isin(joined.track, [t.track for t in tracks])
    return dataclasses.replace(
        joined,
        row=joined.row[kept],
        frame=joined.frame[kept],
        track=joined.track[kept],
        quality=joined.quality[kept],
        tracks=tracks,
    )


def _together(joined: Joined) -> NDArray[np.int32]:
    """(n, n) in how many frames two tracks were both visible."""
    count = len(joined.tracks)
    together = np.zeros((count, count), np.int32)
    places = _by_number(joined.tracks)
    places[[track.track for track in joined.tracks]] = np.arange(count)
    place, frame = places[joined.track], joined.frame
    # Each face with the next one of its frame, then with the next but one, as long as there is one.
    first = np.arange(len(frame))
    apart = 0
    while len(first):
        apart += 1
        first = first[: np.searchsorted(first, len(frame) - apart)]
        first = first[frame[first] == frame[first + apart]]
        np.add.at(together, (place[first], place[first + apart]), 1)
    return together + together.T


def _best_of_each(
    frame: NDArray[np.int64], person: NDArray[np.int32], quality: NDArray[np.float32]
) -> NDArray[np.intp]:
    """Which rows stay, by frame, then person: a person has one face per frame, of a double detection the better one."""
    order = np.lexsort((-quality, person, frame))
    again = (np.diff(frame[order], prepend=-1) == 0) & (np.diff(person[order], prepend=-1) == 0)
    return np.asarray(order[~again])


def one_face_each(table: Observations) -> Observations:
    """The table by frame, then person, with one face of a person in each frame."""
    return table[_best_of_each(table.frame, table.person, table.quality)]


def totals(
    table: Observations, *, frames: int, damaged: int, analysed: float, seed: int, unsure_below: Below
) -> Totals:
    """Figures over everybody. frames, damaged: analysed frames and those that did not decode. analysed: seconds.
    unsure_below: see `certainty.unsure`."""
    usable = table.usable
    emotion, span = table.emotion[usable], table.span[usable]
    _, first = np.unique(table.frame[usable], return_index=True)
    covered = float(span[first].sum())
    counts = np.bincount(emotion, minlength=len(EXPRESSIONS))
    sure = certainty(table, unsure_below)
    columns = table.frame[usable], table.time[usable], table.person[usable]
    shares = shares_of_all(*columns, emotion, span, seed)
    return Totals(
        frames=frames,
        frames_damaged=damaged,
        frames_with_faces=len(np.unique(table.frame)),
        duration=analysed,
        coverage=round(min(1.0, covered / analysed), 9) if analysed > 0 else 0.0,
        emotion_counts=tuple(int(c) for c in counts),
        certain_counts=sure.counts,
        shares=at_worst(shares, float(span.sum()), float(table.span.sum())),
        unsure=sure.unsure,
    )
