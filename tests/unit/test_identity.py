from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import make_track
from visagram.core.identity import SHARED_FRAMES, group_people

THRESHOLD = 0.6
apart = np.zeros((20, 20), np.int64)


def _tracks(seed, people, count):
    """Tracks of some people whose embeddings scatter, in order of appearance; and who each of them is."""
    random = np.random.default_rng(seed)
    faces = np.linalg.qr(random.normal(size=(16, 16)))[0][:people]
    who = random.integers(0, people, count)
    vectors = faces[who] + random.normal(0, 0.12, (count, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tracks = [
        dataclasses.replace(make_track(k, 10 * k, 10 * k + 5), embedding=vector.astype(np.float32))
        for k, vector in enumerate(vectors)
    ]
    return tracks, who


def _names(tracks, groups):
    return [[tracks[k].track for k in group] for group in groups]


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 12))
def test_tracks_of_one_person_become_one_person(seed, people, count):
    tracks, who = _tracks(seed, people, count)
    groups = group_people(tracks, apart[:count, :count], THRESHOLD)
    assert sorted(k for group in groups for k in group) == list(range(count))
    assert {frozenset(group) for group in groups} == {frozenset(np.flatnonzero(who == p).tolist()) for p in set(who)}


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 12))
def test_the_order_of_the_tracks_does_not_matter(seed, people, count):
    tracks, _ = _tracks(seed, people, count)
    random = np.random.default_rng(seed)
    together = np.triu(random.integers(0, 2, (count, count)) * 50, 1)
    together += together.T
    order = random.permutation(count)
    shuffled = [tracks[k] for k in order]
    expected = _names(tracks, group_people(tracks, together, THRESHOLD))
    found = _names(shuffled, group_people(shuffled, together[np.ix_(order, order)], THRESHOLD))
    assert [sorted(group) for group in found] == [sorted(group) for group in expected]


@given(st.integers(0, 2**32 - 1), st.integers(2, 10))
def test_two_who_were_seen_together_are_never_one_person(seed, count):
    random = np.random.default_rng(seed)
    tracks = [make_track(k, k, k + 50, who=0) for k in range(count)]
    together = np.triu(random.integers(0, 2, (count, count)) * (SHARED_FRAMES + 1), 1)
    together += together.T
    for group in group_people(tracks, together, THRESHOLD):
        assert not together[np.ix_(group, group)].any()


def test_a_few_shared_frames_can_be_a_double_detection():
    tracks = [make_track(0, 0, 50), make_track(1, 50, 99)]
    together = np.array([[0, SHARED_FRAMES], [SHARED_FRAMES, 0]])
    assert group_people(tracks, together, THRESHOLD) == [[0, 1]]


def test_a_track_without_an_embedding_stays_alone():
    tracks = [make_track(0, who=None), make_track(1, who=None), make_track(2, who=1), make_track(3, who=1)]
    assert group_people(tracks, apart[:4, :4], THRESHOLD) == [[0], [1], [2, 3]]


def test_people_come_in_order_of_first_appearance():
    tracks = [make_track(7, 300, 400, who=1), make_track(3, 100, 200, who=2), make_track(9, 0, 50, who=1)]
    assert group_people(tracks, apart[:3, :3], THRESHOLD) == [[0, 2], [1]]


@pytest.mark.parametrize(("threshold", "people"), [(0.5, 1), (0.7, 2)])
def test_the_threshold_decides_how_alike_one_person_is(threshold, people):
    # Cosine 0.6.
    vectors = np.float32([[1, 0], [0.6, 0.8]])
    tracks = [dataclasses.replace(make_track(k, k), embedding=vector) for k, vector in enumerate(vectors)]
    assert len(group_people(tracks, apart[:2, :2], threshold)) == people


def test_nobody_is_no_people():
    assert group_people([], np.empty((0, 0), np.int64), THRESHOLD) == []
