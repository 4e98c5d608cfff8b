"""Copies are found although they were changed, and strangers are not taken for copies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visagram.evaluate.duplicates import Prints, clusters, copies, held_too


def pictures(count, seed=0):
    """Smooth random pictures, (n, 48, 48)."""
    random = np.random.default_rng(seed)
    made = [cv2.resize(random.random((8, 8)), (48, 48), interpolation=cv2.INTER_CUBIC) for _ in range(count)]
    return np.clip(np.array(made) * 180 + 30, 0, 255).astype(np.uint8)


def brighter(face):
    return np.clip(face * 1.2 + 15, 0, 255)


def jpeg(face):
    return cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_GRAYSCALE)


def larger(face):
    return cv2.resize(face[1:47, 1:47], (48, 48), interpolation=cv2.INTER_LINEAR)


def stamped(face):
    return cv2.putText(face.copy(), "st", (2, 44), cv2.FONT_HERSHEY_PLAIN, 0.7, 230)


@pytest.mark.parametrize("change", [np.copy, brighter, jpeg, larger, stamped])
def test_a_changed_copy_is_found_among_others(change):
    first = pictures(40)
    second = np.concatenate([pictures(20, seed=9), [change(first[7]).astype(np.uint8)]])
    (found,) = copies(Prints.of(first), Prints.of(second))
    assert (found.first, found.second, found.mirrored) == (7, 20, False)
    assert found.likeness > 0.93


def test_a_mirrored_copy_is_found_and_called_so():
    first = pictures(10)
    (found,) = copies(Prints.of(first), Prints.of(jpeg(first[3, :, ::-1])[None]))
    assert (found.first, found.second, found.mirrored) == (3, 0, True)


def test_a_set_knows_which_of_its_pictures_another_holds_too():
    own = pictures(6)
    assert held_too(Prints.of(own), Prints.of(np.stack([jpeg(own[4]), own[1, :, ::-1]]))).tolist() == [
        k in (1, 4) for k in range(6)
    ]
    assert not held_too(Prints.of(own), Prints.of(pictures(9, seed=5))).any()


def test_pictures_that_are_connected_by_copies_are_one_cluster():
    """The second is a copy of the first and the fourth of the second; the others stand alone."""
    a, b, c = pictures(3)
    once = larger(a)
    twice = larger(larger(larger(once)))
    assert not copies(Prints.of(a[None]), Prints.of(twice[None]))
    luma = np.stack([c, a, once, b, twice, larger(larger(once))])
    assert clusters(Prints.of(luma)).tolist() == [0, 1, 1, 2, 1, 1]
    assert clusters(Prints(0)).tolist() == []


def test_within_a_set_each_pair_is_named_once():
    one = pictures(5)
    both = Prints.of(np.concatenate([one, one[2:3]]))
    assert [(pair.first, pair.second) for pair in copies(both, both)] == [(2, 5)]


def test_a_symmetric_picture_is_one_copy():
    face = pictures(1)[0]
    symmetric = ((face.astype(int) + face[:, ::-1]) // 2).astype(np.uint8)[None]
    (found,) = copies(Prints.of(symmetric), Prints.of(symmetric.copy()))
    assert not found.mirrored


def test_grey_pictures_are_no_copies_of_each_other():
    flat = np.full((3, 48, 48), 128, np.uint8)
    assert copies(Prints.of(flat), Prints.of(flat.copy())) == []


def test_a_picture_that_could_not_be_read_is_no_copy():
    assert copies(Prints(2), Prints.of(pictures(3))) == []


def test_pictures_may_be_added_in_any_order():
    luma, order = pictures(9), np.array([4, 1, 8, 0, 2, 7, 3, 5, 6])
    mixed = Prints(9)
    mixed.add(order[:5], luma[order[:5]])
    mixed.add(order[5:], luma[order[5:]])
    assert (mixed.hashes == Prints.of(luma).hashes).all()


@given(st.integers(0, 2**32 - 1))
def test_copies_are_the_same_from_both_sides(seed):
    first, second = Prints.of(pictures(6, seed)), Prints.of(np.concatenate([pictures(3, seed), pictures(3, seed + 1)]))
    one = {(pair.first, pair.second) for pair in copies(first, second)}
    assert one == {(pair.second, pair.first) for pair in copies(second, first)}
    assert {(0, 0), (1, 1), (2, 2)} <= one
