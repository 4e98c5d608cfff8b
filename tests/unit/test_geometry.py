from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from visagram.core.geometry import TEMPLATE, align, apply, compose, display_to_plane, iou, nms, scale_of

side = st.floats(0.5, 500, width=32)
place = st.floats(-300, 2000, width=32)
boxes = st.lists(st.tuples(place, place, side, side), min_size=1, max_size=8).map(lambda b: np.array(b, np.float32))


@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(a, b):
    overlaps = iou(a, b)
    assert overlaps.shape == (len(a), len(b))
    assert overlaps.dtype == np.float32
    assert ((overlaps >= 0) & (overlaps <= 1)).all()
    np.testing.assert_allclose(overlaps, iou(b, a).T, atol=1e-6)


@given(boxes)
def test_a_box_overlaps_itself_fully(a):
    np.testing.assert_allclose(np.diag(iou(a, a)), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("other", "share"),
    [((0, 0, 10, 10), 1), ((10, 0, 10, 10), 0), ((5, 0, 10, 10), 1 / 3), ((0, 0, 5, 5), 1 / 4), ((99, 99, 1, 1), 0)],
)
def test_iou_of_boxes_one_can_work_out(other, share):
    assert iou(np.float32([[0, 0, 10, 10]]), np.float32([other]))[0, 0] == pytest.approx(share, abs=1e-6)


def test_boxes_without_area_overlap_nothing():
    empty = np.float32([[5, 5, 0, 0]])
    assert iou(empty, np.float32([[0, 0, 10, 10]]))[0, 0] == 0
    assert iou(empty, empty)[0, 0] == 0


def test_iou_of_no_boxes_is_an_empty_table():
    assert iou(np.empty((0, 4), np.float32), np.float32([[0, 0, 1, 1]])).shape == (0, 1)


@given(boxes, st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_nms_keeps_the_best_and_what_it_does_not_cover(a, seed, threshold):
    scores = np.random.default_rng(seed).permutation(len(a)).astype(np.float32) / len(a)
    kept = nms(a, scores, threshold)
    overlaps = iou(a, a)
    assert kept[0] == scores.argmax()
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    assert not (overlaps[np.ix_(kept, kept)] > threshold)[~np.eye(len(kept), dtype=bool)].any()
    for dropped in set(range(len(a))) - set(kept.tolist()):
        better = kept[scores[kept] > scores[dropped]]
        assert (overlaps[dropped, better] > threshold).any()


@given(boxes, st.integers(0, 2**32 - 1))
def test_nms_does_not_depend_on_the_order_of_boxes(a, seed):
    random = np.random.default_rng(seed)
    scores = random.permutation(len(a)).astype(np.float32)
    shuffled = random.permutation(len(a))
    kept = shuffled[nms(a[shuffled], scores[shuffled], 0.4)]
    assert kept.tolist() == nms(a, scores, 0.4).tolist()


def test_nms_of_nothing_is_nothing():
    assert len(nms(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.4)) == 0


similarities = st.tuples(st.floats(-np.pi, np.pi), st.floats(0.2, 20), st.floats(-500, 500), st.floats(-500, 500))


def _similarity(angle, scale, x, y):
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[a, -b, x], [b, a, y]])


@given(st.lists(similarities, min_size=1, max_size=4))
def test_align_recovers_known_similarities(drawn):
    wanted = np.stack([_similarity(*one) for one in drawn])
    landmarks = apply(wanted, TEMPLATE)
    np.testing.assert_allclose(align(landmarks), wanted, atol=1e-6)
    np.testing.assert_allclose([scale_of(one) for one in wanted], [one[1] for one in drawn], rtol=1e-6)


@given(arrays(np.float32, (3, 5, 2), elements=st.floats(0, 400, width=32)))
def test_align_is_the_least_squares_similarity_and_never_mirrors(landmarks):
    found = align(landmarks)
    error = ((apply(found, TEMPLATE) - landmarks) ** 2).sum(axis=(1, 2))
    assert (np.linalg.det(found[:, :, :2]) >= 0).all()
    random = np.random.default_rng(0)
    for _ in range(5):
        nudge = _similarity(random.normal(0, 0.05), np.exp(random.normal(0, 0.05)), *random.normal(0, 1, 2))
        worse = ((apply(compose(nudge, found), TEMPLATE) - landmarks) ** 2).sum(axis=(1, 2))
        assert (worse >= error - 1e-3 * (1 + error)).all()


def test_align_of_no_faces_is_empty():
    assert align(np.empty((0, 5, 2), np.float32)).shape == (0, 2, 3)


@given(similarities, similarities, arrays(np.float64, (4, 2), elements=st.floats(-100, 100)))
def test_compose_is_one_map_after_the_other(outer, inner, points):
    a, b = _similarity(*outer), _similarity(*inner)
    np.testing.assert_allclose(apply(compose(a, b), points), apply(a, apply(b, points)), atol=1e-6)


rotations = st.sampled_from([0, 90, 180, 270, -90, 360])


@given(st.integers(1, 9), st.integers(1, 9), rotations)
def test_display_to_plane_finds_the_pixel_that_a_rotation_moved(plane_width, plane_height, rotation):
    plane = np.arange(plane_width * plane_height).reshape(plane_height, plane_width)
    shown = np.rot90(plane, rotation // 90 % 4)
    height, width = shown.shape
    affine = display_to_plane(width, height, plane_width, plane_height, rotation)
    for y in range(height):
        for x in range(width):
            column, row = apply(affine, np.array([[x, y]], np.float64))[0]
            assert plane[round(row), round(column)] == shown[y, x]
            assert [round(column), round(row)] == pytest.approx([column, row], abs=1e-9)


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 4000), rotations)
def test_display_to_plane_carries_the_whole_picture_onto_the_whole_plane(
    width, height, plane_width, plane_height, rotation
):
    def corners(w, h):
        return [(x, y) for x in (-0.5, w - 0.5) for y in (-0.5, h - 0.5)]

    affine = display_to_plane(width, height, plane_width, plane_height, rotation)
    mapped = apply(affine, np.array(corners(width, height)))
    assert sorted(map(tuple, mapped.round(5))) == sorted(corners(plane_width, plane_height))
