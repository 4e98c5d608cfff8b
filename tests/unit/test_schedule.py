from __future__ import annotations

import dataclasses
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import PICTURE, Actor, FakeStages, KnowingDetector, World, make_faces, make_frame, moving, stages_of, still
from visagram.core.geometry import iou
from visagram.core.pipeline import Stretch
from visagram.core.schedule import ChangeMeter, agree, look
from visagram.core.types import Faces, Observations

LENGTH, EVERY = 121, 8
FEW = LENGTH // EVERY + 1 + 2 * ceil(log2(EVERY))
"""Looks for one event: the regular ones and a bisection or two."""


def _look(world, known=None):
    frames = world.frames()
    _, cuts = ChangeMeter().measure(frames)
    detector = KnowingDetector(world.faces)
    regular = [*range(0, world.length, EVERY), world.length - 1]
    found = look(frames, detector.detect, regular, cuts, known or {})
    return found, detector.looks


@settings(max_examples=30)
@given(st.integers(1, LENGTH - 1))
def test_an_entrance_is_found_to_the_frame_with_few_looks(entrance):
    found, looks = _look(World(LENGTH, [Actor(still(100, 80), range(entrance, LENGTH))]))
    assert min(k for k, faces in found.items() if len(faces)) == entrance
    assert len(found[entrance - 1]) == 0
    assert len(looks) <= FEW


@settings(max_examples=30)
@given(st.integers(1, LENGTH - 1))
def test_an_exit_is_found_to_the_frame_with_few_looks(exit):
    found, looks = _look(World(LENGTH, [Actor(still(100, 80), range(0, exit))]))
    assert max(k for k, faces in found.items() if len(faces)) == exit - 1
    assert exit in found
    assert len(looks) <= FEW


@settings(max_examples=30)
@given(st.integers(1, LENGTH - 1))
def test_somebody_else_elsewhere_is_found_to_the_frame(change):
    people = [Actor(still(20, 80), range(0, change)), Actor(still(200, 80), range(change, LENGTH))]
    found, looks = _look(World(LENGTH, people))
    assert {change - 1, change} <= set(found)
    assert len(looks) <= FEW


@settings(max_examples=30)
@given(st.integers(0, LENGTH - 12), st.integers(EVERY, 11))
def test_a_visit_that_lasts_longer_than_the_distance_of_looks_is_found_to_the_frame(start, length):
    found, looks = _look(World(LENGTH, [Actor(still(100, 80), range(start, start + length))]))
    seen = [k for k, faces in found.items() if len(faces)]
    assert (min(seen), max(seen)) == (start, start + length - 1)
    assert len(looks) <= FEW + 2 * ceil(log2(EVERY))


def test_where_nothing_happens_only_the_regular_looks_are_made():
    _, looks = _look(World(LENGTH, [Actor(still(100, 80)), Actor(moving(10, 80, 20))]))
    assert looks == list(range(0, LENGTH, EVERY))


def test_no_frame_is_looked_at_twice_and_known_looks_are_kept():
    world = World(LENGTH, [Actor(still(100, 80), range(33, 70))])
    elsewhere = make_faces([(0, 0, 40, 40)])
    found, looks = _look(world, {0: elsewhere, 16: Faces.empty()})
    assert len(looks) == len(set(looks))
    assert not {0, 16} & set(looks)
    assert found[0] is elsewhere
    assert set(found) == {0, 16, *looks}


@settings(max_examples=30)
@given(st.integers(1, LENGTH - 1))
def test_looks_on_the_two_sides_of_a_cut_are_not_compared(cut):
    people = [Actor(still(20, 80), range(0, cut)), Actor(still(200, 80), range(cut, LENGTH))]
    _, looks = _look(World(LENGTH, people, cuts=[cut]))
    assert looks == list(range(0, LENGTH, EVERY))


@given(st.integers(0, 2**32 - 1))
def test_agreement_has_no_direction(seed):
    random = np.random.default_rng(seed)
    boxes = random.uniform(0, 150, (3, 4)).astype(np.float32) + np.float32([0, 0, 30, 30])
    nudged = boxes + random.normal(0, 8, boxes.shape).astype(np.float32)
    a = make_faces(boxes[: random.integers(0, 4)], random.choice([0.5, 0.99]))
    b = make_faces(nudged[: random.integers(0, 4)], random.choice([0.5, 0.99]))
    assert agree(a, a)
    if not len(a) or not len(b) or np.isclose(a.boxes[:, 2:].max(), b.boxes[:, 2:].max(), rtol=0.02):
        assert agree(a, b) == agree(b, a)


def test_looks_disagree_when_the_mouth_moved_though_the_box_did_not():
    a = make_faces([(100, 80, 60, 60)])
    points = a.landmarks.copy()
    points[0, 3:] += [0, 30]
    assert not agree(a, dataclasses.replace(a, landmarks=points))


def test_a_weak_detection_that_comes_and_goes_is_no_disagreement():
    steady = make_faces([(100, 80, 60, 60)])
    assert agree(steady, make_faces([(100, 80, 60, 60), (10, 10, 30, 30)], [0.98, 0.4]))


def _measure(lumas, full_range=True):
    frames = [make_frame(k, luma, full_range=full_range) for k, luma in enumerate(lumas)]
    return ChangeMeter().measure(frames)


def _scene(seed, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, PICTURE[::-1]).astype(np.uint8)


@given(st.integers(1, 39))
def test_a_cut_is_found_to_the_frame(cut):
    changed, cuts = _measure([_scene(0)] * cut + [_scene(1)] * (40 - cut))
    assert np.flatnonzero(cuts).tolist() == [cut]
    assert np.flatnonzero(changed).tolist() == [cut]


def test_a_video_in_which_nothing_changes_has_no_cut():
    changed, cuts = _measure([_scene(0)] * 10)
    assert not changed.any()
    assert not cuts.any()


def test_a_slow_fade_is_no_cut():
    _, cuts = _measure([np.full(PICTURE[::-1], level, np.uint8) for level in range(0, 250, 5)])
    assert not cuts.any()


def test_a_picture_that_changes_wildly_all_the_time_is_not_cut_at_every_frame():
    _, cuts = _measure([_scene(seed, 0, 128) for seed in range(60)])
    assert cuts.sum() <= 2


def test_something_small_before_the_camera_is_a_change_but_no_cut():
    covered = _scene(0)
    covered[40:140, 60:130] = 255
    changed, cuts = _measure([_scene(0)] * 5 + [covered] * 5)
    assert np.flatnonzero(changed).tolist() == [5]
    assert not cuts.any()


def test_a_change_of_the_pictures_size_is_a_cut():
    _, cuts = _measure([_scene(0), _scene(0), _scene(0)[::4, ::4], _scene(0)[::4, ::4]])
    assert cuts.tolist() == [False, False, True, False]


def test_measuring_in_rounds_is_measuring_at_once():
    frames = World(40, cuts=[7, 20, 31]).frames()
    meter = ChangeMeter()
    parts = [meter.measure(frames[a:b]) for a, b in ((0, 1), (1, 20), (20, 20), (20, 40))]
    whole = ChangeMeter().measure(frames)
    for k in range(2):
        assert np.concatenate([part[k] for part in parts]).tolist() == whole[k].tolist()


def test_limited_and_full_range_twins_change_in_the_same_frames():
    full = [_scene(0)] * 4 + [_scene(1)] * 4 + [_scene(1, 0, 250)] * 4
    limited = [(luma * (219 / 255) + 16).round().astype(np.uint8) for luma in full]
    for ours, theirs in zip(_measure(full), _measure(limited, full_range=False), strict=True):
        assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("every", [2, 5, 8])
def test_smooth_motion_gives_what_looking_at_every_frame_gives(every):
    def walk(time):
        return 100 + 15 * np.sin(2 * time), 80 + 10 * np.cos(3 * time), 60 + 5 * np.sin(time), 66 + 5 * np.sin(time)

    people = [Actor(walk), Actor(moving(10, 150, 30), range(20, 90))]

    def rows(every):
        parts = FakeStages(World(LENGTH, people))
        stretch = Stretch(parts.world.frames(), stages_of(parts.stages()), every=every, batch=32)
        return Observations.concatenate(stretch), len(parts.detector.looks)

    (reference, all_looks), (rows_found, looks) = rows(1), rows(every)
    assert all_looks == LENGTH
    assert looks < 0.75 * LENGTH
    assert rows_found.frame.tolist() == reference.frame.tolist()
    assert rows_found.track.tolist() == reference.track.tolist()
    assert np.diag(iou(rows_found.box, reference.box)).min() > 0.9
    assert np.abs(rows_found.landmarks - reference.landmarks).max() < 2
