"""Which of several candidates becomes the face: one that shows what it should, is a face, and is nobody's copy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators import portrait, write_generator
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.evaluate.duplicates import SKETCH, SKETCH_DISTANCE, Prints, apart, likenesses, sketches
from visagram.synth.chooser import Chooser, Merits
from visagram.synth.embedded import BATCH, EmbeddedGenerator, read_own_generator

HAPPY = EXPRESSIONS.index("happy")
NOBODY = np.zeros((0, 6), np.uint64)


class Judge:
    """Finds a picture the happier, the lighter it is."""

    def classify(self, crops):
        happy = np.array([crop.mean() / 255 for crop in crops], np.float32)
        found = np.repeat((1 - happy)[:, None] / 6, 7, axis=1)
        found[:, HAPPY] = happy
        return found

    def close(self):
        pass


class Finder:
    """Finds as many faces as the picture's first pixel says."""

    def look(self, pictures):
        return [SimpleNamespace(faces=int(picture[0, 0])) for picture in pictures]


def picture(light, faces=1, seed=0):
    found = np.clip(np.random.default_rng(seed).normal(light, 20, (CROP, CROP)), 0, 255).astype(np.uint8)
    found[0, 0] = faces
    return found


def merits(*pictures, known=NOBODY):
    return Chooser(Judge(), Finder()).merits(np.stack(pictures), HAPPY, known)


def test_the_one_that_shows_it_most_has_the_greatest_merit():
    found = merits(picture(5), picture(30), picture(20))
    assert found.value.argmax() == 1 and not found.good.any()


def test_of_good_ones_the_first_is_taken_so_that_they_are_not_all_alike():
    found = merits(picture(20), picture(150), picture(220))
    assert found.value.argmax() == 1 and found.good.tolist() == [False, True, True]


@pytest.mark.parametrize("faces", [0, 2])
def test_what_is_not_one_face_loses_to_any_that_is(faces):
    found = merits(picture(30), picture(220, faces))
    assert found.value.argmax() == 0 and not found.good[1]


def test_a_copy_loses_to_anything_also_mirrored():
    mine = picture(220)
    for copy in (mine, np.ascontiguousarray(mine[:, ::-1])):
        known = sketches(Prints.of(copy[None]))
        found = merits(picture(30, 0, seed=1), mine, known=known)
        assert found.value.argmax() == 0 and not found.good[1]


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_share_of_bits_apart_is_the_angle(one, other):
    prints = Prints.of(np.stack([portrait(one, 2.0), portrait(other, 2.0)]))
    likeness = np.clip(likenesses(prints.select([0]), prints.select([1]))[0, 0], -1, 1)
    bits = apart(prints.select([0]), sketches(prints.select([1])))[0]
    # Five standard deviations of so many throws.
    assert abs(bits / SKETCH - np.arccos(likeness) / np.pi) < 5 * np.sqrt(0.25 / SKETCH)


def test_copies_are_near_and_nobody_is_far():
    mine = portrait(3)
    noisy = np.clip(mine + np.random.default_rng(0).normal(0, 6, mine.shape), 0, 255).astype(np.uint8)
    assert apart(Prints.of(noisy[None]), sketches(Prints.of(mine[None])))[0] <= SKETCH_DISTANCE
    assert apart(Prints.of(mine[None]), NOBODY).tolist() == [SKETCH]


class Picky:
    """Finds each face's candidate number `wanted` good; of the others number 2 is best. shown: what it saw, by face."""

    def __init__(self, wanted):
        self.wanted, self.shown = wanted, [[] for _ in range(BATCH)]

    def merits(self, images, label, known):
        candidates, seen = len(images) // BATCH, len(self.shown[0])
        for face, theirs in zip(self.shown, images.reshape(BATCH, candidates, CROP, CROP), strict=True):
            face += list(theirs.copy())
        numbers = np.tile(np.arange(seen, seen + candidates), BATCH)
        return Merits(np.where(numbers == 2, 1.0, -numbers), numbers == self.wanted)

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """Of a generator that draws four candidates of a face at a time, five times at most."""
    return read_own_generator(write_generator(tmp_path_factory.mktemp("tiny"), candidates=4, rounds=5))


def faces(card, chooser, count=3):
    return [face.image for face in EmbeddedGenerator(card, chooser).generate("happy", count, 7)]


def test_rounds_end_with_the_first_that_is_good(card):
    chooser = Picky(wanted=5)
    found = faces(card, chooser)
    assert [len(shown) for shown in chooser.shown] == [8] * BATCH
    for image, shown in zip(found, chooser.shown, strict=False):
        np.testing.assert_array_equal(image, shown[2], "the one of greatest merit, which need not be the good one")


def test_a_face_whose_first_candidates_are_good_takes_no_more(card):
    chooser = Picky(wanted=1)
    faces(card, chooser)
    assert [len(shown) for shown in chooser.shown] == [4] * BATCH


def test_without_a_good_one_the_best_of_all_rounds_is_taken(card):
    chooser = Picky(wanted=-1)
    found = faces(card, chooser)
    assert [len(shown) for shown in chooser.shown] == [20] * BATCH
    for image, shown in zip(found, chooser.shown, strict=False):
        np.testing.assert_array_equal(image, shown[2])
    assert len({image.tobytes() for image in found}) == 3


def test_without_a_chooser_it_is_the_first_of_those_drawn_one_by_one(tmp_path):
    card, chooser = read_own_generator(write_generator(tmp_path, candidates=1, rounds=3)), Picky(wanted=-1)
    faces(card, chooser)
    assert [len(shown) for shown in chooser.shown] == [3] * BATCH
    for image, shown in zip(faces(card, None), chooser.shown, strict=False):
        np.testing.assert_array_equal(image, shown[0])


def test_a_closed_generator_closes_its_chooser(card):
    chooser = Picky(wanted=0)
    EmbeddedGenerator(card, chooser).close()
    assert chooser.closed
