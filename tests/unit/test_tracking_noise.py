"""What a track believes of a face's motion does not follow each tremble of the detector."""

from __future__ import annotations

import numpy as np
import pytest

from fakes import make_faces, moving
from visagram.core.tracking import LOST_SECONDS, Tracker

RATE = 25


@pytest.mark.parametrize("seed", range(8))
def test_a_face_that_trembles_is_found_again_where_it_was(seed: int) -> None:
    random, tracker = np.random.default_rng(seed), Tracker()
    for k in range(75):
        x, y = random.normal((200, 150), 4)
        assert tracker.update(k / RATE, make_faces([(x, y, 80, 80)])).tolist() == [0]
    assert tracker.update(74 / RATE + 0.9 * LOST_SECONDS, make_faces([(200, 150, 80, 80)])).tolist() == [0]


@pytest.mark.parametrize("seed", range(8))
def test_a_face_that_walks_and_trembles_is_found_where_it_must_be_by_then(seed: int) -> None:
    random, tracker, walk = np.random.default_rng(seed), Tracker(), moving(100, 150, 220, side=80)
    for k in range(75):
        x, y = random.normal(walk(k / RATE)[:2], 2)
        tracker.update(k / RATE, make_faces([(x, y, 80, 80)]))
    back = 74 / RATE + 0.6
    assert tracker.update(back, make_faces([walk(back)])).tolist() == [0]
