from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import Actor, World, make_faces, moving, still
from visagram.core.tracking import BIRTH, LOST_SECONDS, SURE, Tracker, assign, iou_distance
from visagram.core.types import Faces

STEP = 0.04


def _track(world, every=1):
    """Track number of each actor (in the order of the world) for every look."""
    tracker = Tracker()
    return [tracker.update(k / world.rate, world.faces(k)).tolist() for k in range(0, world.length, every)]


@settings(max_examples=40)
@given(
    speed=st.floats(40, 160),
    apart=st.floats(25, 80),
    ahead=st.floats(0, 60),
    every=st.integers(1, 4),
)
def test_two_people_who_pass_each_other_keep_their_numbers(speed, apart, ahead, every):
    length = int(2 * 25 * (200 / speed))
    people = [Actor(moving(20, 80, speed)), Actor(moving(220 + ahead, 80 + apart, -speed))]
    ids = _track(World(length, people), every)
    assert all(found == [0, 1] for found in ids)


def test_two_people_on_one_line_keep_their_numbers_because_of_their_velocity():
    people = [Actor(moving(20, 80, 100)), Actor(moving(260, 84, -100))]
    assert _track(World(75, people))[-1] == [0, 1]


@given(st.floats(0.05, 0.9), st.floats(-40, 40), st.floats(-40, 40))
def test_a_short_absence_is_bridged(share, across, down):
    away = share * LOST_SECONDS
    tracker, walk = Tracker(), moving(100, 80, across, down)
    for k in range(25):
        assert tracker.update(k * STEP, make_faces([walk(k * STEP)])).tolist() == [0]
    back = 24 * STEP + away
    assert tracker.update(24 * STEP + away / 2, Faces.empty()).tolist() == []
    assert tracker.update(back, make_faces([walk(back)])).tolist() == [0]


@pytest.mark.parametrize("across", [-200, 200])
def test_somebody_who_walks_on_unseen_is_found_where_they_must_be(across):
    # Half a second at 200 pixels a second: the old place and the new one have nothing in common.
    tracker, walk = Tracker(), moving(400, 80, across)
    for k in range(25):
        tracker.update(k * STEP, make_faces([walk(k * STEP)]))
    back = 24 * STEP + 0.5
    assert tracker.update(back, make_faces([walk(back)])).tolist() == [0]


@given(st.floats(1.1, 10))
def test_after_a_long_absence_a_new_track_begins(share):
    tracker = Tracker()
    face = make_faces([(100, 80, 60, 60)])
    tracker.update(0.0, face)
    tracker.update(share * LOST_SECONDS, Faces.empty())
    assert tracker.update(share * LOST_SECONDS + STEP, face).tolist() == [1]


def test_a_cut_ends_tracks_even_if_the_next_scene_has_a_face_in_the_same_place():
    tracker, face = Tracker(), make_faces([(100, 80, 60, 60)])
    assert tracker.update(0.0, face).tolist() == [0]
    tracker.cut()
    assert tracker.update(STEP, face).tolist() == [1]


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_the_order_of_detections_does_not_matter(seed, people):
    random = np.random.default_rng(seed)
    walks = [moving(*random.uniform(0, 200, 2), *random.uniform(-60, 60, 2)) for _ in range(people)]
    scores = random.uniform(SURE, 1, (30, people))
    orders = [random.permutation(people) for _ in range(30)]

    def tracks(shuffled):
        tracker, found = Tracker(), []
        for k in range(30):
            order = orders[k] if shuffled else np.arange(people)
            ids = tracker.update(k * STEP, make_faces([walks[p](k * STEP) for p in order], scores[k][order]))
            found += [((k, int(p)), int(id)) for p, id in zip(order, ids, strict=True) if id >= 0]
        return {frozenset(who for who, id in found if id == number) for number in {id for _, id in found}}

    assert tracks(True) == tracks(False)


def test_a_weak_detection_starts_no_track():
    assert Tracker().update(0.0, make_faces([(100, 80, 60, 60)], BIRTH - 0.05)).tolist() == [-1]


def test_a_weak_detection_continues_a_track_that_was_there_just_now():
    tracker = Tracker()
    tracker.update(0.0, make_faces([(100, 80, 60, 60)]))
    assert tracker.update(STEP, make_faces([(101, 80, 60, 60)], SURE - 0.2)).tolist() == [0]


def test_a_weak_detection_does_not_revive_a_lost_track():
    tracker = Tracker()
    tracker.update(0.0, make_faces([(100, 80, 60, 60)]))
    tracker.update(STEP, Faces.empty())
    assert tracker.update(2 * STEP, make_faces([(100, 80, 60, 60)], SURE - 0.2)).tolist() == [-1]


def test_a_sure_detection_takes_a_track_before_a_weak_one_does():
    tracker = Tracker()
    tracker.update(0.0, make_faces([(100, 80, 60, 60)]))
    ids = tracker.update(STEP, make_faces([(100, 80, 60, 60), (108, 80, 60, 60)], [SURE - 0.1, SURE + 0.1]))
    assert ids.tolist() == [-1, 0]


def test_somebody_far_away_is_somebody_else():
    tracker = Tracker()
    tracker.update(0.0, make_faces([(0, 0, 60, 60)]))
    assert tracker.update(STEP, make_faces([(200, 150, 60, 60)])).tolist() == [1]


def test_no_faces_get_no_numbers():
    ids = Tracker().update(0.0, Faces.empty())
    assert ids.shape == (0,)
    assert ids.dtype == np.int32


def test_the_distance_can_be_another_one():
    def farther(a, b):
        return iou_distance(a, b) + 1

    tracker = Tracker(farther)
    assert tracker.update(0.0, make_faces([(0, 0, 60, 60)])).tolist() == [0]
    assert tracker.update(STEP, make_faces([(0, 0, 60, 60)])).tolist() == [1]


@given(st.integers(1, 5), st.integers(1, 5), st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
def test_assign_is_optimal_and_never_goes_beyond_the_gate(rows, columns, gate, seed):
    distances = np.random.default_rng(seed).random((rows, columns)).astype(np.float32)
    pairs = assign(distances, gate)
    assert all(distances[pair] <= gate for pair in pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    most, least = _best(distances, gate)
    assert len(pairs) == most
    assert sum(float(distances[pair]) for pair in pairs) == pytest.approx(least, abs=1e-4)


def _best(distances, gate):
    """By trying everything: the largest number of pairs within the gate, and the least total of that many."""
    if distances.shape[0] > distances.shape[1]:
        distances = distances.T
    results = []
    for chosen in permutations(range(distances.shape[1]), distances.shape[0]):
        within = [float(d) for d in distances[np.arange(len(chosen)), list(chosen)] if d <= gate]
        results.append((-len(within), sum(within)))
    most, least = min(results)
    return -most, least


def test_assign_of_nothing_is_nothing():
    assert assign(np.empty((0, 3), np.float32), 0.5) == []
    assert assign(np.empty((3, 0), np.float32), 0.5) == []


def test_people_who_stand_still_for_a_minute_keep_their_numbers():
    world = World(1500, [Actor(still(40, 60)), Actor(still(180, 60))])
    assert set(map(tuple, _track(world, every=5))) == {(0, 1)}
