from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import (
    Actor,
    FakeStages,
    World,
    located,
    make_result,
    make_rows,
    make_track,
    moving,
    stages_of,
    steady_timeline,
    still,
)
from visagram.core.pipeline import Stretch
from visagram.core.segments import LONGEST, OVERLAP, SHORTEST, SegmentResult, Timeline, plan, stitch
from visagram.core.types import Observations


@st.composite
def timelines(draw):
    """Constant and variable rates, key frames anywhere, some videos long enough for several segments."""
    base = draw(st.sampled_from([Fraction(1, 25), Fraction(1, 1000), Fraction(1, 90000), Fraction(1001, 30000)]))
    count = draw(st.integers(1, 600))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    longest = max(1, round(draw(st.sampled_from([0.05, 0.5, 2.0])) / base))
    steps = random.integers(1, longest + 1, count)
    pts = np.cumsum(steps) - steps[0] + draw(st.integers(0, 3))
    keys = pts[np.sort(random.choice(count, draw(st.integers(0, min(count, 80))), replace=False))]
    return located(Timeline(base, pts.astype(np.int64), keys.astype(np.int64), int(pts[-1] + steps[0]), 0))


ranges = st.tuples(
    st.sampled_from([0.0, 0.3, 7.77, 60.0]), st.one_of(st.none(), st.sampled_from([0.4, 9.3, 61.0, 1e6]))
).filter(lambda r: r[1] is None or r[1] > r[0])
rates = st.one_of(st.none(), st.sampled_from([0.1, 1.0, 5.0, 12.5, 200.0]))


def _core(segments):
    return np.concatenate([np.empty(0, np.int64), *(segment.frames[: segment.core] for segment in segments)])


@given(timelines(), ranges)
def test_every_frame_of_the_chosen_range_is_analysed_exactly_once(timeline, chosen):
    start, end = chosen
    times = [timeline.seconds(int(p)) for p in timeline.pts]
    wanted = [k for k, t in enumerate(times) if float(t) >= start and (end is None or float(t) < end)]
    assert _core(plan(timeline, start, end, None)).tolist() == wanted


@given(timelines(), ranges, rates)
def test_sampling_takes_at_most_so_many_frames_a_second_and_leaves_no_hole(timeline, chosen, rate):
    everything = _core(plan(timeline, *chosen, None))
    taken = _core(plan(timeline, *chosen, rate))
    assert set(taken) <= set(everything)
    if rate is None or not len(everything):
        assert taken.tolist() == everything.tolist()
        return
    times = timeline.pts * float(timeline.base)
    assert taken[0] == everything[0]
    # One per slot: of any three in a row the outer two are at least a slot apart.
    assert (times[taken[2:]] - times[taken[:-2]] >= 1 / rate - 1e-4).all()
    for left_out in set(everything) - set(taken):
        before = taken[taken < left_out][-1]
        assert times[left_out] - times[before] < 1 / rate + 1e-4


@given(timelines(), ranges, rates)
def test_segments_are_numbered_seek_to_key_frames_and_run_into_their_successor(timeline, chosen, rate):
    segments = plan(timeline, *chosen, rate)
    assert [segment.number for segment in segments] == list(range(len(segments)))
    everything = np.concatenate([np.empty(0, np.int64), *(segment.pts[: segment.core] for segment in segments)])
    for number, segment in enumerate(segments):
        assert len(segment.pts) == len(segment.frames) == len(segment.spans)
        assert segment.core >= 1
        assert (timeline.pts[segment.frames] == segment.pts).all()
        assert segment.seek is None or (segment.seek <= segment.pts[0] and segment.seek in timeline.keys)
        beyond = everything[everything >= segment.pts[-1] + 1]
        if number + 1 < len(segments):
            over = segment.pts[segment.core :]
            assert over[0] == segments[number + 1].pts[0]
            # Long enough to compare tracks: some time and some frames, as far as there are any.
            assert not len(beyond) or float((beyond[0] - over[0]) * timeline.base) >= OVERLAP - timeline.base
            assert not len(beyond) or len(over) >= 4
        else:
            assert segment.core == len(segment.pts)


@given(timelines(), ranges, rates)
def test_spans_add_up_to_the_analysed_time(timeline, chosen, rate):
    start, end = chosen
    segments = plan(timeline, start, end, rate)
    if not segments:
        return
    spans = np.concatenate([segment.spans[: segment.core] for segment in segments])
    assert (spans >= 1).all()
    first = int(segments[0].pts[0])
    stop = timeline.end if end is None else min(timeline.end, float(Fraction(end) / timeline.base))
    assert spans.sum() == pytest.approx(stop - first, abs=1)


@given(timelines(), ranges, rates)
def test_the_plan_depends_only_on_the_video_and_the_settings(timeline, chosen, rate):
    copy = dataclasses.replace(timeline, pts=timeline.pts.copy(), keys=timeline.keys.copy())
    for a, b in zip(plan(timeline, *chosen, rate), plan(copy, *chosen, rate), strict=True):
        for ours, theirs in zip(dataclasses.astuple(a), dataclasses.astuple(b), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("seconds", "several"), [(3, False), (60, True), (600, True), (7200, True)])
def test_a_long_video_becomes_segments_of_bearable_length(seconds, several):
    segments = plan(steady_timeline(seconds * 25, key_every=50), 0, None, None)
    lengths = [segment.core / 25 for segment in segments]
    assert (len(segments) > 1) == several
    assert not several or min(lengths) >= SHORTEST / 2
    assert max(lengths) <= 1.5 * LONGEST + 2
    assert all((segment.seek or 0) == segment.pts[0] for segment in segments)


def test_a_video_with_one_key_frame_is_one_segment():
    (segment,) = plan(steady_timeline(5000, key_every=5000), 100.0, None, None)
    assert segment.seek is None
    assert segment.pts[0] == 2500


def test_a_range_without_frames_has_no_segments():
    assert plan(steady_timeline(50), 2.0, None, None) == []
    assert plan(steady_timeline(50), 0.001, 0.002, None) == []


def test_a_file_in_which_nothing_can_be_sought_is_one_segment():
    timeline = dataclasses.replace(steady_timeline(5000), seekable=False)
    (segment,) = plan(timeline, 100.0, None, None)
    assert segment.seek is None
    assert segment.frames[0] == 2500


def _two_segments(frames=500):
    first, second = plan(steady_timeline(frames, key_every=frames // 2), 0, None, None)
    return first, second


def test_a_track_that_runs_across_a_boundary_stays_one():
    first, second = _two_segments()
    results = [
        make_result(first, [make_rows(first.frames, 0)], [make_track(0, 0, int(first.frames[-1]), detections=5)]),
        make_result(second, [make_rows(second.frames, 0)], [make_track(0, 250, 499, detections=7, quality=0.9)]),
    ]
    rows, tracks = stitch(results)
    assert rows.frame.tolist() == list(range(500))
    assert set(rows.track) == {0}
    (track,) = tracks
    assert (track.first_frame, track.last_frame) == (0, 499)
    assert track.best_quality == 0.9
    assert np.linalg.norm(track.embedding) == pytest.approx(1, abs=1e-6)


def test_two_people_across_a_boundary_are_not_mixed_up_when_their_numbers_are():
    first, second = _two_segments()
    left, right = (20, 80, 60, 60), (200, 80, 60, 60)
    results = [
        make_result(
            first,
            [make_rows(first.frames, 0, box=left), make_rows(first.frames, 1, box=right)],
            [make_track(0, 0, 256, who=0), make_track(1, 0, 256, who=1)],
        ),
        make_result(
            second,
            [make_rows(second.frames, 0, box=right), make_rows(second.frames, 1, box=left)],
            [make_track(0, 250, 499, who=1), make_track(1, 250, 499, who=0)],
        ),
    ]
    rows, tracks = stitch(results)
    assert len(rows) == 1000
    assert {(int(r.track[0]), int(r.box[0, 0])) for r in (rows[k : k + 1] for k in range(1000))} == {(0, 20), (1, 200)}
    np.testing.assert_array_equal([track.embedding.argmax() for track in tracks], [0, 1])


def test_a_crowd_across_a_boundary_is_not_mixed_up():
    first, second = _two_segments()
    random, count = np.random.default_rng(0), 60
    boxes = [(30 * (k % 10), 40 * (k // 10), 28, 36) for k in range(count)]
    after = random.permutation(count).tolist()
    results = [
        make_result(first, [make_rows(first.frames, k, box=boxes[k]) for k in range(count)], _everybody(first, count)),
        make_result(
            second, [make_rows(second.frames, after[k], box=boxes[k]) for k in range(count)], _everybody(second, count)
        ),
    ]
    rows, tracks = stitch(results)
    assert len(tracks) == count
    assert {(int(track), tuple(box)) for track, box in zip(rows.track, rows.box.tolist(), strict=True)} == {
        (k, boxes[k]) for k in range(count)
    }
    assert (np.diff(rows.frame * count + rows.track) > 0).all()


def _everybody(segment, count):
    return [make_track(k, int(segment.frames[0]), int(segment.frames[-1])) for k in range(count)]


def test_a_cut_exactly_on_a_boundary_separates_tracks_in_the_same_place():
    first, second = _two_segments()
    # The neighbour saw the cut too: its overlap holds the next scene's face as another track.
    results = [
        make_result(
            first,
            [make_rows(first.frames[: first.core], 0), make_rows(first.frames[first.core :], 1)],
            [make_track(0, 0, 249, who=0), make_track(1, 250, 256, who=1)],
        ),
        make_result(second, [make_rows(second.frames, 0)], [make_track(0, 250, 499, who=1)]),
    ]
    rows, tracks = stitch(results)
    assert rows.frame.tolist() == list(range(500))
    before, after = rows.track[:250], rows.track[250:]
    assert len(set(before)) == len(set(after)) == 1
    assert before[0] != after[0]
    assert [track.track for track in tracks] == sorted({int(before[0]), int(after[0])})
    assert [int(track.embedding.argmax()) for track in tracks] == [0, 1]


def test_somebody_elsewhere_in_the_overlap_is_somebody_else():
    first, second = _two_segments()
    results = [
        make_result(first, [make_rows(first.frames, 0, box=(0, 0, 60, 60))], [make_track(0, 0, 256)]),
        make_result(second, [make_rows(second.frames, 0, box=(200, 150, 60, 60))], [make_track(0, 250, 499)]),
    ]
    rows, tracks = stitch(results)
    assert len(tracks) == 2
    assert rows.track[0] != rows.track[-1]


def test_a_track_that_lived_only_in_the_overlap_and_was_not_confirmed_is_dropped():
    first, second = _two_segments()
    results = [
        make_result(first, [make_rows(first.frames[first.core :], 0)], [make_track(0, 250, 256)]),
        make_result(second, [], []),
    ]
    rows, tracks = stitch(results)
    assert len(rows) == 0
    assert tracks == []


def test_a_segment_that_was_lost_leaves_a_hole_and_joins_nothing_across_it():
    segments = plan(steady_timeline(1500, key_every=500), 0, None, None)
    assert len(segments) == 3
    results = [
        make_result(s, [make_rows(s.frames, 0)], [make_track(0, int(s.frames[0]), int(s.frames[-1]))])
        for s in (segments[0], segments[2])
    ]
    rows, tracks = stitch(results)
    assert rows.frame.tolist() == [*range(500), *range(1000, 1500)]
    assert len(tracks) == 2


def test_no_results_are_an_empty_table():
    rows, tracks = stitch([])
    assert len(rows) == 0
    assert tracks == []


def _analysed(world, segments):
    """The segments of a world through the pipeline, as a worker would return them."""
    frames, results = world.frames(), []
    for segment in segments:
        stretch = Stretch([frames[k] for k in segment.frames], stages_of(FakeStages(world).stages()), every=5, batch=20)
        rows = Observations.concatenate(stretch)
        results.append(SegmentResult(segment, rows, stretch.tracks(), segment.core, 0, segment.core / world.rate))
    return results


@pytest.mark.parametrize(("entrance", "speed"), [(252, 20), (374, -20), (375, 0), (378, 10), (498, 0)])
def test_segments_find_the_tracks_that_one_stretch_finds(entrance, speed):
    people = [Actor(still(100, 80)), Actor(moving(200, 150, speed / 4), range(entrance, 500))]
    world = World(500, people, cuts=[250])
    whole = plan(dataclasses.replace(steady_timeline(500), keys=np.array([0])), 0, None, None)
    parts = plan(steady_timeline(500, key_every=125), 0, None, None)
    assert (len(whole), len(parts)) == (1, 4)
    expected, expected_tracks = stitch(_analysed(world, whole))
    found, tracks = stitch(_analysed(world, parts))
    assert found.frame.tolist() == expected.frame.tolist()
    assert found.track.tolist() == expected.track.tolist()
    assert [(t.first_frame, t.last_frame) for t in tracks] == [(t.first_frame, t.last_frame) for t in expected_tracks]
    np.testing.assert_allclose(found.box, expected.box, atol=0.5)
