from __future__ import annotations

import dataclasses
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import JPEG, Actor, BrightnessClassifier, FakeStages, KnowingDetector, World, moving, stages_of, still
from visagram.core.pipeline import PORTRAITS, Stretch
from visagram.core.stages import Framing
from visagram.core.tracking import BIRTH
from visagram.core.types import Observations, Reason

EVERY, BATCH = 5, 20


def _run(world, every=EVERY, batch=BATCH):
    parts = FakeStages(world)
    stretch = Stretch(parts.world.frames(), stages_of(parts.stages()), every=every, batch=batch)
    rounds = list(stretch)
    return Observations.concatenate(rounds), stretch.tracks(), parts, rounds


def _equal(a, b):
    for column in dataclasses.fields(Observations):
        np.testing.assert_array_equal(getattr(a, column.name), getattr(b, column.name), err_msg=column.name)


@pytest.mark.parametrize(
    "length",
    [
        1,
        2,
        EVERY,
        EVERY + 1,
        BATCH - 1,
        BATCH,
        BATCH + 1,
        BATCH + 2,
        BATCH + EVERY,
        2 * BATCH,
        2 * BATCH + 1,
        2 * BATCH + 2,
        97,
    ],
)
def test_a_face_gets_one_row_in_every_frame(length):
    rows, tracks, _, rounds = _run(World(length, [Actor(still(100, 80))]))
    assert rows.frame.tolist() == list(range(length))
    assert set(rows.track) == {0}
    assert rows.time.tolist() == [k / 25 for k in range(length)]
    assert rows.span.tolist() == [1 / 25] * length
    assert (tracks[0].first_frame, tracks[0].last_frame) == (0, length - 1)
    assert max(len(part) for part in rounds) <= BATCH + 1
    assert len(rounds) == max(1, ceil((length - 1) / BATCH))


def test_a_classifier_that_wants_boxes_gets_them_in_colour_and_only_where_a_face_may_vote():
    small = Actor(still(20, 20, 10), range(10, 30))
    parts = FakeStages(World(40, [Actor(still(100, 80, 64)), small]))
    parts.classifier = BrightnessClassifier(Framing(aligned=False))
    stretch = Stretch(parts.world.frames(), stages_of(parts.stages()), every=EVERY, batch=BATCH)
    rows = Observations.concatenate(list(stretch))
    usable = rows.reason == Reason.NONE
    assert 0 < usable.sum() < len(rows)
    assert parts.classifier.shapes == {(64, 64, 3)}
    assert parts.classifier.judged == usable.sum() == len(parts.cropper.boxed)
    assert np.isfinite(rows.posterior[usable]).all()
    assert np.isnan(rows.posterior[~usable]).all()


def test_a_classifier_that_wants_aligned_crops_costs_no_colours():
    _, _, parts, _ = _run(World(40, [Actor(still(100, 80))]))
    assert parts.classifier.shapes == {(48, 48)}
    assert parts.cropper.boxed == []


def test_without_frames_there_is_nothing():
    rows, tracks, parts, _ = _run(World(0))
    assert len(rows) == 0
    assert tracks == []
    assert parts.detector.looks == []


def test_without_faces_there_are_rounds_without_rows():
    rows, tracks, parts, rounds = _run(World(50))
    assert len(rounds) == 3
    assert len(rows) == 0
    assert tracks == []
    assert parts.classifier.judged == 0
    assert parts.cropper.converted == []


def test_faces_between_two_looks_lie_on_the_line_between_them():
    rows, _, parts, _ = _run(World(51, [Actor(moving(40, 60, 50, 20))]))
    assert sorted(parts.detector.looks) == list(range(0, 51, EVERY))
    assert np.flatnonzero(rows.detected).tolist() == sorted(parts.detector.looks)
    truth = [parts.world.faces(k) for k in range(51)]
    np.testing.assert_allclose(rows.box, np.concatenate([faces.boxes for faces in truth]), atol=1e-3)
    np.testing.assert_allclose(rows.landmarks, np.concatenate([faces.landmarks for faces in truth]), atol=1e-3)


def test_interpolation_goes_by_time_and_not_by_number_of_frames():
    world = World(11, [Actor(moving(40, 60, 50))])
    # Frames 1 to 4 come late: the fifth look is where it was, those before it are not.
    frames = world.frames()
    for k in range(1, 5):
        frames[k] = dataclasses.replace(frames[k], time=frames[5].time - frames[5 - k].time / 100)
    parts = FakeStages(world)
    rows = Observations.concatenate(Stretch(frames, stages_of(parts.stages()), every=EVERY, batch=BATCH))
    np.testing.assert_allclose(rows.box[:, 0], 40 + 50 * rows.time, atol=1e-3)


people = st.lists(
    st.builds(
        lambda x, y, speed, start, length: Actor(moving(x, y, speed), range(start, start + length)),
        st.floats(0, 220),
        st.floats(0, 150),
        st.floats(-60, 60),
        st.integers(0, 60),
        st.integers(1, 80),
    ),
    max_size=3,
)


@settings(max_examples=20)
@given(
    people, st.lists(st.integers(1, 89), max_size=2, unique=True).map(sorted), st.integers(1, 90), st.integers(1, 100)
)
def test_the_result_does_not_depend_on_the_length_of_rounds(actors, cuts, length, batch):
    world = World(length, actors, cuts)
    rows, tracks, parts, _ = _run(world)
    other, other_tracks, other_parts, _ = _run(world, batch=batch)
    assert sorted(parts.detector.looks) == sorted(other_parts.detector.looks)
    _equal(rows, other)
    for ours, theirs in zip(tracks, other_tracks, strict=True):
        assert dataclasses.astuple(ours)[:5] == dataclasses.astuple(theirs)[:5]


@settings(max_examples=20)
@given(people, st.integers(1, 90))
def test_rows_are_in_order_and_no_track_is_twice_in_a_frame(actors, length):
    rows, tracks, _, _ = _run(World(length, actors))
    keys = list(zip(rows.frame.tolist(), rows.track.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert sorted(set(rows.track.tolist())) == [track.track for track in tracks]
    for track in tracks:
        own = rows[rows.track == track.track]
        assert (track.first_frame, track.last_frame) == (own.frame[0], own.frame[-1])
        assert track.detections == own.detected.sum()
        assert track.best_score == own.score.max()


@settings(max_examples=20)
@given(st.integers(1, 60), st.integers(1, 60))
def test_somebody_who_comes_and_goes_has_rows_in_exactly_those_frames(start, length):
    rows, _, _, _ = _run(
        World(100, [Actor(still(20, 80)), Actor(still(200, 80), range(start, start + EVERY + length))])
    )
    visitor = rows[rows.box[:, 0] > 150]
    assert visitor.frame.tolist() == list(range(start, min(100, start + EVERY + length)))
    assert (rows.box[:, 0] < 150).sum() == 100


@settings(max_examples=20)
@given(st.integers(1, 59))
def test_a_cut_ends_tracks_and_nothing_is_interpolated_across_it(cut):
    people = [Actor(still(100, 80), range(0, cut)), Actor(still(104, 80), range(cut, 60))]
    rows, tracks, _, _ = _run(World(60, people, cuts=[cut]))
    assert rows.frame.tolist() == list(range(60))
    assert rows.track.tolist() == [0] * cut + [1] * (60 - cut)
    assert set(rows.box[:, 0].tolist()) == {100, 104}
    assert [track.last_frame for track in tracks] == [cut - 1, 59]


def test_posteriors_are_rows_of_usable_faces_and_nan_elsewhere():
    rows, _, parts, _ = _run(World(30, [Actor(still(100, 80)), Actor(still(20, 20, side=12)), Actor(still(295, 100))]))
    assert len(rows) == 90
    np.testing.assert_allclose(rows.posterior[rows.usable].sum(axis=1), 1, atol=1e-6)
    assert np.isnan(rows.posterior[~rows.usable]).all()
    assert (rows.emotion[rows.usable] >= 0).all()
    assert (rows.emotion[~rows.usable] == -1).all()
    reasons = {int(x): {Reason(r) for r in rows.reason[rows.box[:, 0] == x]} for x in set(rows.box[:, 0])}
    assert reasons == {100: {Reason.NONE}, 20: {Reason.TOO_SMALL}, 295: {Reason.CUT_OFF}}
    assert parts.classifier.judged == 30


def test_what_never_was_a_sure_face_gets_no_row():
    rows, tracks, _, _ = _run(World(40, [Actor(still(100, 80), score=BIRTH - 0.1)]))
    assert len(rows) == 0
    assert tracks == []


def test_a_track_keeps_few_portraits_and_converts_few_frames_however_long_it_is():
    shaky = [Actor(lambda time: (100 + 3 * np.sin(40 * time), 80 + 3 * np.cos(31 * time), 60, 60))]
    _, _, brief, _ = _run(World(100, shaky))
    _, tracks, long, _ = _run(World(800, shaky))
    assert len(tracks) == 1
    assert long.embedder.embedded == [PORTRAITS]
    assert len(long.cropper.converted) <= len(brief.cropper.converted) + PORTRAITS


def test_the_portraits_kept_are_the_best_ones():
    # Somebody who comes nearer: the last faces are the largest.
    rows, tracks, _, _ = _run(World(200, [Actor(lambda time: (60, 40, 30 + 8 * time, 30 + 8 * time))]))
    assert tracks[0].best_quality >= 0.85 * rows.quality.max()


def test_each_track_gets_a_vector_of_unit_length_and_a_picture():
    _, tracks, _, _ = _run(World(60, [Actor(still(20, 80)), Actor(still(200, 80), range(30, 60))]))
    assert [track.track for track in tracks] == [0, 1]
    for track in tracks:
        assert np.linalg.norm(track.embedding) == pytest.approx(1, abs=1e-5)
        assert track.embedding.dtype == np.float32
        assert track.thumbnail == JPEG


def test_an_analysis_that_is_abandoned_half_way_still_has_tracks():
    parts = FakeStages(World(200, [Actor(still(100, 80))]))
    stretch = Stretch(parts.world.frames(), stages_of(parts.stages()), every=EVERY, batch=BATCH)
    first = next(iter(stretch))
    assert stretch.tracks()[0].last_frame == first.frame[-1]


def test_frames_are_taken_one_round_at_a_time():
    taken = 0

    def counted(frames):
        nonlocal taken
        for frame in frames:
            taken += 1
            yield frame

    parts = FakeStages(World(500, [Actor(still(100, 80))]))
    rounds = iter(Stretch(counted(parts.world.frames()), stages_of(parts.stages()), every=EVERY, batch=BATCH))
    next(rounds)
    assert taken <= BATCH + 1
    next(rounds)
    assert taken <= 2 * BATCH + 1


def _run_with_closeup(world):
    parts = FakeStages(world)
    coarser = KnowingDetector(world.faces, smallest=20), KnowingDetector(world.faces, smallest=40)
    stretch = Stretch(world.frames(), stages_of(parts.stages(*coarser)), every=EVERY, batch=BATCH)
    return Observations.concatenate(stretch), parts.detector.looks, [detector.looks for detector in coarser]


@pytest.mark.parametrize(("side", "looks"), [(60, [True, False]), (100, [False, True])])
def test_large_faces_are_looked_at_closely_only_at_the_ends_of_a_round(side, looks):
    rows, close, coarser = _run_with_closeup(World(41, [Actor(still(100, 80, side=side))]))
    assert rows.frame.tolist() == list(range(41))
    assert close == [0, 20]
    between = [5, 10, 15, 25, 30, 35, 40]
    assert coarser == [between if looked else [] for looked in looks]


def test_a_face_that_only_the_close_look_sees_is_followed_in_every_frame():
    rows, _, coarser = _run_with_closeup(World(41, [Actor(still(100, 80, side=30))]))
    assert rows.frame.tolist() == list(range(41))
    assert coarser == [[], []]


def test_a_small_face_that_enters_is_found_at_the_next_close_look_and_followed_from_its_round_on():
    rows, _, _ = _run_with_closeup(World(121, [Actor(still(100, 80, side=15), frames=range(30, 121))]))
    assert rows.frame.tolist() == list(range(61, 121))
