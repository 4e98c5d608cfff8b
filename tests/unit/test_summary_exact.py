"""Who is one person and what is said of everybody, written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from fakes import make_result, make_rows, make_track, steady_timeline
from visagram.core.segments import plan
from visagram.core.statistics import at_worst, shares_of_all
from visagram.core.summary import Summary, one_face_each, summarise, totals
from visagram.core.types import EXPRESSIONS, Observations, Reason, Totals, TrackSummary

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")
ELSEWHERE = (200, 80, 60, 60)


def summary(
    rows: Sequence[Observations], tracks: Sequence[TrackSummary], frames: int = 200, analysed: float | None = None
) -> Summary:
    (segment,) = plan(steady_timeline(frames, key_every=frames), 0, None, None)
    seconds = frames / 25 if analysed is None else analysed
    result = make_result(segment, rows, tracks)
    return summarise([result], analysed=seconds, threshold=0.6, seed=3, unsure_below=0.5)


@pytest.mark.parametrize(
    ("detections", "score", "kept"), [(1, 0.94, False), (1, 0.95, True), (2, 0.7, True), (1, 0.96, True)]
)
def test_a_face_that_was_seen_once_must_be_certain(detections: int, score: float, kept: bool) -> None:
    rows = [make_rows(range(100), 0), make_rows(range(40, 40 + detections), 1, box=ELSEWHERE)]
    found = summary(rows, [make_track(0, 0, 99), make_track(1, 40, 41, who=1, score=score)])
    assert [person.tracks for person in found.people] == ([(0,), (1,)] if kept else [(0,)])
    assert [track.track for track in found.tracks] == ([0, 1] if kept else [0])


@pytest.mark.parametrize(("frames", "people"), [(5, 1), (6, 0)])
def test_in_up_to_five_frames_every_face_counts(frames: int, people: int) -> None:
    found = summary([make_rows([0], 0)], [make_track(0, detections=1, score=0.7)], frames=frames)
    assert len(found.people) == people


def test_two_who_are_alike_and_side_by_side_do_not_keep_others_apart() -> None:
    rows = [
        make_rows(range(50), 0),
        make_rows(range(50), 1, box=ELSEWHERE),
        make_rows(range(60, 80), 2),
        make_rows(range(90, 120), 3),
        make_rows(range(118, 150), 4, box=ELSEWHERE),
    ]
    # Tracks 0 and 1 are alike and side by side in 50 frames, 3 and 4 in two.
    who = [0, 0, 1, 1, 1]
    tracks = [make_track(k, 0, 0, who=each) for k, each in enumerate(who)]
    tracks = [
        dataclasses.replace(track, first_frame=int(part.frame[0]), last_frame=int(part.frame[-1]))
        for track, part in zip(tracks, rows, strict=True)
    ]
    found = summary(rows, tracks)
    assert [(p.id, p.tracks) for p in found.people] == [(1, (0,)), (2, (1,)), (3, (2, 3, 4))]
    assert [p.frames_seen for p in found.people] == [50, 50, 80]


def test_three_who_are_alike_and_side_by_side_are_three() -> None:
    rows = [make_rows(range(50), k, box=(100 * k, 80, 60, 60)) for k in range(3)]
    found = summary(
        [*rows, make_rows(range(60, 80), 3)], [*(make_track(k, 0, 49) for k in range(3)), make_track(3, 60, 79)]
    )
    assert [p.tracks for p in found.people] == [(0, 3), (1,), (2,)]


def test_a_person_is_shown_by_the_best_face_of_all_tracks() -> None:
    rows = [make_rows(range(10), 0), make_rows(range(20, 30), 1), make_rows(range(40, 50), 2)]
    tracks = [
        dataclasses.replace(make_track(k, 20 * k, 20 * k + 9, quality=quality), thumbnail=str(k).encode())
        for k, quality in enumerate((0.4, 0.7, 0.6))
    ]
    (person,) = summary(rows, tracks).people
    assert person.thumbnail == b"1"


def test_frames_that_did_not_decode_are_the_time_that_is_missing() -> None:
    rows, tracks = [make_rows(range(100), 0)], [make_track(0, 0, 99)]
    (person,) = summary(rows, tracks, frames=100, analysed=5.5).people
    assert person.unmeasured["not_decoded"] == pytest.approx(1.5)
    assert person.unmeasured["not_visible"] == pytest.approx(0)
    (person,) = summary(rows, tracks, frames=100, analysed=3.5).people
    assert person.unmeasured["not_decoded"] == 0


def crowd() -> Observations:
    """Frames 3, 4 and 5 of 0.5 s each; person 1 in all, usable in the first two, person 2 in frames 4 and 5."""
    rows = make_rows([3, 4, 4, 5, 5], 0, expression=[HAPPY, HAPPY, SAD, 0, SAD], reason=[0, 0, 0, Reason.TURNED, 0])
    posterior = rows.posterior.copy()
    posterior[2] = [0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1]
    return rows.with_columns(
        person=np.array([1, 1, 2, 1, 2], np.int32), span=np.full(5, 0.5), time=rows.frame * 0.5, posterior=posterior
    )


def test_all_totals() -> None:
    rows = crowd()
    found = totals(rows, frames=9, damaged=2, analysed=4.0, seed=7, unsure_below=0.5)
    voted = rows[rows.usable]
    shares = at_worst(shares_of_all(voted.frame, voted.time, voted.person, voted.emotion, voted.span, 7), 2.0, 2.5)
    assert found == Totals(9, 2, 3, 4.0, 0.375, (0, 0, 0, 2, 2, 0, 0), (0, 0, 0, 2, 1, 0, 0), shares, 0.5)
    assert [share.value for share in shares] == [0, 0, 0, 0.5, 0.5, 0, 0]


@pytest.mark.parametrize(
    ("analysed", "expected"), [(3.0, 0.5), (1.5, 1.0), (1.0, 1.0), (0.0, 0.0), (0.5, 1.0), (7.0, 0.214285714)]
)
def test_coverage_is_the_share_of_the_time_with_a_measured_face(analysed: float, expected: float) -> None:
    found = totals(crowd(), frames=3, damaged=0, analysed=analysed, seed=0, unsure_below=0.5)
    assert found.coverage == expected


def test_of_two_faces_of_a_person_in_a_frame_the_better_one_stays() -> None:
    rows = make_rows([5, 0, 5, 0, 7, 5], 0).with_columns(
        person=np.array([2, 1, 1, 1, 2, 2], np.int32),
        track=np.arange(6, dtype=np.int32),
        quality=np.float32([0.5, 0.2, 0.3, 0.4, 0.1, 0.6]),
    )
    found = one_face_each(rows)
    assert list(zip(found.frame.tolist(), found.person.tolist(), found.track.tolist(), strict=True)) == [
        (0, 1, 3),
        (5, 1, 2),
        (5, 2, 5),
        (7, 2, 4),
    ]
    nobody = make_rows([0, 0, 1], 0).with_columns(track=np.arange(3, dtype=np.int32))
    assert one_face_each(nobody).track.tolist() == [0, 2]
    assert len(one_face_each(Observations.empty())) == 0
