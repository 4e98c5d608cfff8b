from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given, settings
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


def as_one_would_write_it(tracks, together, threshold):
    """Join the two groups that are most alike until none are: cubic, and what `group_people` did until version 0.1.0.

    Of several pairs that are equally alike the first in the order of rows, then of columns, is joined.
    """
    groups = [[k] for k in range(len(tracks))]
    sums = np.full((len(tracks), len(tracks)), -1.0)
    known = [k for k, track in enumerate(tracks) if track.embedding is not None]
    if known:
        vectors = np.stack([tracks[k].embedding for k in known]).astype(np.float64)
        sums[np.ix_(known, known)] = vectors @ vectors.T
    sizes = np.ones(len(tracks))
    forbidden = together > SHARED_FRAMES
    np.fill_diagonal(forbidden, True)
    while len(tracks) > 1:
        means = np.where(forbidden, -np.inf, sums / np.outer(sizes, sizes))
        a, b = (int(k) for k in np.unravel_index(int(means.argmax()), means.shape))
        if means[a, b] < threshold:
            break
        groups[a] += groups[b]
        groups[b] = []
        sums[a] += sums[b]
        sums[:, a] += sums[:, b]
        sizes[a] += sizes[b]
        forbidden[a] |= forbidden[b]
        forbidden[:, a] |= forbidden[:, b]
        forbidden[b] = forbidden[:, b] = True
    groups = [sorted(group) for group in groups if group]
    return sorted(groups, key=lambda group: min((tracks[k].first_frame, tracks[k].track) for k in group))


@st.composite
def casts(draw):
    """Tracks, and which were seen together: any number of people, portraits that scatter little or so much that nobody
    is like anybody, exact copies, so that many pairs are equally alike, and tracks without a portrait."""
    count = draw(st.integers(0, 70))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width, people = draw(st.sampled_from([1, 2, 16, 128])), draw(st.integers(1, 8))
    if draw(st.booleans()):
        faces = random.normal(size=(people, width))
    else:
        # Whole numbers: their sums are exact, whatever the order.
        faces = np.eye(width)[random.integers(0, width, people)] * random.choice([-1, 1], (people, 1))
    scatter = draw(st.sampled_from([0.0, 0.1, 0.3, 1.0, 3.0]))
    vectors = faces[random.integers(0, people, count)] + random.normal(0, 1, (count, width)) * scatter
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    unknown = random.random(count) < draw(st.sampled_from([0.0, 0.2, 1.0]))
    first = random.integers(0, 5, count)
    tracks = [
        dataclasses.replace(
            make_track(k, int(first[k])), embedding=None if unknown[k] else vectors[k].astype(np.float32)
        )
        for k in range(count)
    ]
    together = np.triu(random.random((count, count)) < draw(st.sampled_from([0.0, 0.03, 0.5, 1.0])), 1)
    shared = together * random.integers(1, 2 * SHARED_FRAMES, (count, count))
    return tracks, shared + shared.T


@given(casts(), st.one_of(st.sampled_from([-1.0, 0.0, 0.363, THRESHOLD, 1.0]), st.floats(-1, 1)))
@settings(max_examples=400)
def test_the_groups_are_those_of_joining_the_most_alike_again_and_again(cast, threshold):
    tracks, together = cast
    assert group_people(tracks, together, threshold) == as_one_would_write_it(tracks, together, threshold)


@pytest.mark.parametrize("scatter", [0.05, 0.12, 0.3])
def test_the_groups_of_a_film_are_those_of_joining_the_most_alike_again_and_again(scatter):
    random = np.random.default_rng(0)
    tracks, together = _film(random, 300, 40, scatter)
    assert group_people(tracks, together, 0.363) == as_one_would_write_it(tracks, together, 0.363)


def _film(random, count, people, scatter):
    """Tracks of a film, of which every tenth was seen together with its neighbour."""
    faces = random.normal(size=(people, 128))
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    vectors = faces[random.integers(0, people, count)] + random.normal(0, scatter, (count, 128))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tracks = [
        dataclasses.replace(make_track(k, 10 * k), embedding=vector.astype(np.float32))
        for k, vector in enumerate(vectors)
    ]
    together = np.zeros((count, count), np.int32)
    one = np.arange(0, count - 1, 10)
    together[one, one + 1] = together[one + 1, one] = 50
    return tracks, together


def _seconds(*counts, runs=1):
    """Of the processor for so many tracks each, in the best of some runs, in turn, so that all see the same machine."""
    films = [_film(np.random.default_rng(0), count, 20, 0.06) for count in counts]
    best = [np.inf] * len(films)
    for _ in range(runs):
        for k, (tracks, together) in enumerate(films):
            began = time.process_time()
            group_people(tracks, together, 0.363)
            best[k] = min(best[k], time.process_time() - began)
    return best


def test_the_tracks_of_a_long_film_take_no_minutes():
    # 0.3 s where this was written; joining them as one would write it took 32 s.
    assert _seconds(1500)[0] < 4


@pytest.mark.slow
@pytest.mark.parametrize("count", [1250, 2048, 2500])
def test_twice_the_tracks_take_little_more_than_four_times_as_long(count):
    once, twice = _seconds(count, 2 * count, runs=5)
    assert twice <= 4.5 * once


def test_nobody_is_no_people():
    assert group_people([], np.empty((0, 0), np.int64), THRESHOLD) == []
