from __future__ import annotations

import json
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import make_result, make_rows, make_track, steady_timeline
from visagram.core.certainty import UNSURE_BELOW
from visagram.core.identity import SHARED_FRAMES
from visagram.core.segments import plan
from visagram.core.summary import summarise
from visagram.core.types import EXPRESSIONS, Observations, Reason

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")
THRESHOLD = 0.6


def _summary(rows, tracks, frames=200, **options):
    (segment,) = plan(steady_timeline(frames, key_every=frames), 0, None, None)
    result = make_result(segment, rows, tracks, **options)
    return summarise([result], analysed=frames / 25, threshold=THRESHOLD, seed=0, unsure_below=UNSURE_BELOW)


def test_somebody_who_comes_back_is_the_same_person():
    rows = [make_rows(range(50), 0), make_rows(range(60, 120), 1), make_rows(range(150, 200), 2)]
    tracks = [make_track(0, 0, 49, who=0), make_track(1, 60, 119, who=1), make_track(2, 150, 199, who=0)]
    summary = _summary(rows, tracks)
    assert [(p.id, p.tracks, p.frames_seen) for p in summary.people] == [(1, (0, 2), 100), (2, (1,), 60)]
    np.testing.assert_allclose(summary.people[0].segments, [(0, 2), (6, 8)])
    assert summary.people[0].unmeasured["not_visible"] == pytest.approx(4)
    assert summary.observations.person.tolist() == [1] * 50 + [2] * 60 + [1] * 50


def test_two_faces_at_the_same_time_are_two_people_however_alike():
    rows = [make_rows(range(100), 0), make_rows(range(100), 1, box=(200, 80, 60, 60))]
    summary = _summary(rows, [make_track(0, 0, 99), make_track(1, 0, 99)])
    assert len(summary.people) == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), min_size=2, max_size=6))
def test_faces_are_two_people_where_they_are_side_by_side_in_more_frames_than_a_double_detection_is(spans):
    # Everybody looks alike: who is one person hangs on who was seen side by side alone.
    frames = [range(first, first + count) for first, count in spans]
    rows = [make_rows(seen, k, box=(40 * k, 80, 30, 30)) for k, seen in enumerate(frames)]
    summary = _summary(rows, [make_track(k, seen[0], seen[-1]) for k, seen in enumerate(frames)], frames=60)
    for person in summary.people:
        for one in person.tracks:
            for other in person.tracks:
                assert one == other or len(set(frames[one]) & set(frames[other])) <= SHARED_FRAMES
    if len(spans) == 2:
        assert len(summary.people) == 1 + (len(set(frames[0]) & set(frames[1])) > SHARED_FRAMES)


def test_what_the_detector_took_for_a_face_once_is_dropped_unless_it_was_certain():
    rows = [make_rows(range(100), 0), make_rows([40], 1, box=(5, 5, 30, 30)), make_rows([60], 2, box=(9, 9, 30, 30))]
    tracks = [
        make_track(0, 0, 99),
        make_track(1, 40, 40, who=1, detections=1, score=0.8),
        make_track(2, 60, 60, who=2, detections=1, score=0.999),
    ]
    summary = _summary(rows, tracks)
    assert [person.tracks for person in summary.people] == [(0,), (2,)]
    assert len(summary.observations) == 101


def test_in_a_still_picture_every_face_counts():
    summary = _summary([make_rows([0], 0)], [make_track(0, detections=1, score=0.8)], frames=1)
    assert len(summary.people) == 1


def test_a_person_has_one_face_in_a_frame_the_better_one():
    good, poor = make_rows(range(100), 0, expression=HAPPY), make_rows([50], 1, box=(110, 80, 60, 60), expression=SAD)
    poor = poor.with_columns(quality=np.full(1, 0.1, np.float32))
    summary = _summary([good, poor], [make_track(0, 0, 99), make_track(1, 50, 50)])
    (person,) = summary.people
    assert person.frames_seen == 100
    assert person.emotion_counts[HAPPY] == 100


def test_totals_count_frames_and_time_once_however_many_faces_there_are():
    rows = [
        make_rows(range(100), 0, expression=HAPPY, reason=[Reason.NONE] * 50 + [Reason.BLURRED] * 50),
        make_rows(range(20, 70), 1, box=(200, 80, 60, 60), expression=SAD),
    ]
    summary = _summary(rows, [make_track(0, 0, 99, who=0), make_track(1, 20, 69, who=1)], damaged=3)
    totals = summary.totals
    assert (totals.frames, totals.frames_damaged, totals.frames_with_faces) == (197, 3, 100)
    assert totals.duration == 8
    assert totals.coverage == pytest.approx(70 / 200)
    assert (totals.emotion_counts[HAPPY], totals.emotion_counts[SAD]) == (50, 50)
    assert totals.shares[HAPPY].value == pytest.approx(0.5)


def test_each_persons_time_adds_up_to_the_analysed_time_also_with_damaged_frames():
    rows = [make_rows(range(10, 150), 0, reason=[Reason.NONE] * 100 + [Reason.TURNED] * 40)]
    (person,) = _summary(rows, [make_track(0, 10, 149)], damaged=5).people
    assert person.unmeasured["not_decoded"] == pytest.approx(0.2)
    assert person.measured + sum(person.unmeasured.values()) == pytest.approx(8)


def test_no_face_is_a_summary_without_people():
    summary = _summary([], [])
    assert summary.people == ()
    assert len(summary.observations) == 0
    assert summary.totals.shares == ()
    assert summary.totals.coverage == 0
    assert summary.totals.emotion_counts == (0,) * 7


def test_the_numbers_that_tracks_have_within_segments_do_not_matter():
    def summarised(numbers):
        first, second = plan(steady_timeline(500, key_every=250), 0, None, None)
        results = [
            make_result(
                segment,
                [make_rows(segment.frames, ours[0]), make_rows(segment.frames, ours[1], box=(200, 80, 60, 60))],
                sorted(
                    (
                        make_track(ours[0], int(segment.frames[0]), int(segment.frames[-1]), who=0),
                        make_track(ours[1], int(segment.frames[0]), int(segment.frames[-1]), who=1),
                    ),
                    key=lambda track: track.track,
                ),
            )
            for segment, ours in zip((first, second), numbers, strict=True)
        ]
        rows = summarise(results, analysed=20, threshold=THRESHOLD, seed=0, unsure_below=UNSURE_BELOW).observations
        return {frozenset(zip(part.frame.tolist(), part.box[:, 0].tolist(), strict=True)) for part in _per_person(rows)}

    assert summarised([(0, 1), (0, 1)]) == summarised([(0, 1), (1, 0)]) == summarised([(4, 2), (7, 9)])


class Made:
    """Results that are made anew whenever they are gone through. most: how many there were at once."""

    def __init__(self, segments, faces):
        self._segments, self._faces = segments, faces
        self._there = []
        self.most = 0

    def __iter__(self):
        return map(self._made, self._segments)

    def _made(self, segment):
        rows = [make_rows(segment.frames, k, box=(100 * k, 80, 60, 60)) for k in range(self._faces)]
        first, last = int(segment.frames[0]), int(segment.frames[-1])
        tracks = [make_track(k, first, last, who=k if segment.number % 2 else None) for k in range(self._faces)]
        result = make_result(segment, rows, tracks)
        self._there = [there for there in self._there if there() is not None]
        self._there.append(weakref.ref(result.observations.posterior))
        self.most = max(self.most, len(self._there))
        return result


CHOSEN = {"threshold": THRESHOLD, "seed": 0, "unsure_below": UNSURE_BELOW}


def test_of_a_long_video_a_few_results_are_in_memory_at_a_time():
    segments = plan(steady_timeline(20_000, key_every=125), 0, None, None)
    made = Made(segments, 2)
    lazily = summarise(made, analysed=800, **CHOSEN)
    assert len(segments) > 5
    # One, the one before it, whose overlap it shares, and the one that is just being made.
    assert made.most <= 3
    at_once = summarise(list(Made(segments, 2)), analysed=800, **CHOSEN)
    assert lazily.people == at_once.people
    assert lazily.totals == at_once.totals
    assert len(lazily.observations) == 2 * 20_000


def test_results_that_can_be_gone_through_only_once_are_refused():
    segments = plan(steady_timeline(500, key_every=250), 0, None, None)
    with pytest.raises(ValueError, match="again"):
        summarise(iter(Made(segments, 1)), analysed=20, **CHOSEN)


def test_a_crowd_takes_no_minutes():
    # 1,000 tracks of as many people in 100,000 rows: 2 s where this was written, of which 1 s for 1,000 intervals.
    frames, together = 20_000, 5
    (segment,) = plan(steady_timeline(frames, key_every=frames), 0, None, None)
    lasting = 100
    rows, tracks = [], []
    for number in range(frames * together // lasting):
        first = number // together * lasting
        seen, place = range(first, first + lasting), (100 * (number % together), 80, 60, 60)
        rows.append(make_rows(seen, number, box=place, expression=np.arange(first, first + lasting) // 10 % 7))
        tracks.append(make_track(number, seen[0], seen[-1], who=None))
    result = make_result(segment, rows, tracks)
    began = time.process_time()
    summary = summarise([result], analysed=frames / 25, **CHOSEN)
    assert time.process_time() - began < 20
    assert len(summary.people) == len(tracks) == 1000


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_film_becomes_people_within_seconds_and_ten_hours_within_memory():
    # A process of its own: no other test's memory counts.
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-m", "bench.long"], cwd=root, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["summarising"]["rows"], found["summarising"]["tracks"]) == (1_000_000, 5000)
    assert found["summarising"]["seconds"] <= 15
    assert found["merging"]["rows"] == 10 * 3600 * 25 * 5
    assert found["merging"]["peak_mib"] * 2**20 < 1.5e9


def _per_person(rows: Observations):
    return [rows[rows.person == person] for person in np.unique(rows.person)]
