"""A dear classifier that is asked now and then, and a quick one that is followed in between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visagram.core.opinion import EVERY, Opinions
from visagram.core.stages import ALIGNED

RATE = 25


class Told:
    """Reads the posterior out of the crop's first pixels, tempered; counts what it is asked."""

    framing = ALIGNED

    def __init__(self, gain=1.0, shift=None):
        self.gain, self.shift, self.asked = gain, np.zeros(7) if shift is None else np.array(shift), 0

    def classify(self, crops):
        self.asked += len(crops)
        logits = crops[:, 0, :7].astype(np.float64) / 32 * self.gain + self.shift
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def close(self):
        pass


def crops_of(logits):
    crops = np.zeros((len(logits), 48, 48), np.uint8)
    crops[:, 0, :7] = np.round(np.asarray(logits) * 32)
    return crops


def still(n, k=6):
    return crops_of(np.eye(7)[np.full(n, k)] * 3)


def run(quick, dear, crops, tracks=None, parts=1, rate=RATE):
    opinions, n = Opinions(), len(crops)
    tracks = np.zeros(n, np.int32) if tracks is None else np.asarray(tracks, np.int32)
    times = np.zeros(n)
    for track in np.unique(tracks):
        times[tracks == track] = np.arange((tracks == track).sum()) / rate
    order = np.argsort(times, kind="stable")
    found = np.empty((n, 7), np.float32)
    for part in np.array_split(order, parts):
        found[part] = opinions.classify(quick, dear, tracks[part], times[part], crops[part])
    return found


def test_a_still_face_gets_the_dear_posterior_throughout_and_is_asked_about_once_a_second():
    quick, dear = Told(), Told(shift=[2, 0, 0, 0, 0, 0, 0])
    crops = still(100)
    found = run(quick, dear, crops, parts=4)
    np.testing.assert_allclose(found, Told(shift=[2, 0, 0, 0, 0, 0, 0]).classify(crops), atol=1e-5)
    assert dear.asked <= 100 / RATE / EVERY + 1
    assert quick.asked == 100


def test_what_both_differ_by_is_interpolated_between_two_answers():
    """The dear one's second answer differs from its first, the face does not."""

    class Changing(Told):
        def classify(self, crops):
            answers = super().classify(crops)
            if self.asked > 1:
                answers = answers * np.array([8, 1, 1, 1, 1, 1, 1], np.float32)
            return answers / answers.sum(axis=1, keepdims=True)

    class OneByOne(Changing):
        def classify(self, crops):
            return np.concatenate([super(OneByOne, self).classify(crop[None]) for crop in crops])

    found = run(Told(), OneByOne(), still(RATE + 1))
    ratio = np.log(found[:, 0] / found[:, 1])
    assert ratio[0] == pytest.approx(0, abs=1e-5) and ratio[-1] == pytest.approx(np.log(8), abs=1e-5)
    assert np.all(np.diff(ratio) > -1e-6) and ratio[10] == pytest.approx(np.log(8) * 10 / RATE, abs=0.05)


def test_a_face_that_changes_is_asked_about_sooner_and_the_old_difference_counts_less():
    quick, dear = Told(), Told(shift=[3, 0, 0, 0, 0, 0, 0])
    logits = np.repeat(np.eye(7)[[6, 3]] * 5, 4, axis=0)
    found = run(quick, dear, crops_of(logits))
    assert dear.asked == 2
    # The fourth and fifth frames are too soon: the smile stands although the difference was another face's.
    assert found[4, 3] > 0.8
    assert found.sum(axis=1) == pytest.approx(np.ones(8), abs=1e-5)


def test_a_track_that_has_just_begun_is_always_asked_about():
    dear = Told(gain=2)
    crops = still(5)
    found = run(Told(), dear, crops, tracks=range(5))
    assert dear.asked == 5
    np.testing.assert_allclose(found, Told(gain=2).classify(crops), atol=1e-5)


def test_nobody_there_is_no_question():
    dear = Told()
    assert Opinions().classify(Told(), dear, np.empty(0, np.int32), np.empty(0), still(0)).shape == (0, 7)
    assert dear.asked == 0


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 60))
def test_posteriors_are_posteriors_and_no_track_decides_about_another(seed, people, frames):
    random = np.random.default_rng(seed)
    logits = np.clip(random.normal(2, 1.5, (people * frames, 7)), 0, 7)
    tracks = np.tile(np.arange(people), frames)
    together = run(Told(), Told(gain=0.5), crops_of(logits), tracks)
    assert np.allclose(together.sum(axis=1), 1, atol=1e-4) and (together >= 0).all()
    for track in range(people):
        mine = tracks == track
        alone = run(Told(), Told(gain=0.5), crops_of(logits)[mine])
        np.testing.assert_allclose(together[mine], alone, atol=1e-5)


@pytest.mark.parametrize("rate", [0.5, 1, 5, 120])
def test_the_cost_is_bounded_by_time_and_sparse_frames_are_all_asked_about(rate):
    dear = Told()
    run(Told(), dear, still(60), rate=rate)
    assert dear.asked == (60 if rate <= 1 else pytest.approx(60 / rate / EVERY, abs=2 + 60 / rate))
