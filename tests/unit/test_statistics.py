from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import make_rows
from visagram.core.statistics import (
    block_length,
    expression_shares,
    person_statistics,
    shares_with_intervals,
    visible_segments,
    wilson,
)
from visagram.core.types import EXPRESSIONS, NOT_DECODED, NOT_VISIBLE, Observations, Reason

CHOSEN = {"seed": 0, "unsure_below": 0.5}
HAPPY, NEUTRAL = EXPRESSIONS.index("happy"), EXPRESSIONS.index("neutral")


def two_states(steps, dwell, share, random):
    """(n,) of 0 and 1: a Markov chain that stays `dwell` steps in state 1 and spends `share` of all there."""
    leave = 1 / dwell
    enter = leave * share / (1 - share)
    # How long it stays each time, which has no memory of how long it was there already.
    state = (np.arange(steps) + (random.random() < share)) % 2
    return np.repeat(state, random.geometric(np.where(state, leave, enter)))[:steps]


def coverage(steps, dwell, share, runs, seed=0, weights=None):
    """How often the 95 % interval of state 1 holds the true share."""
    random = np.random.default_rng(seed)
    weights = np.ones(steps) if weights is None else weights
    hits = 0
    for run in range(runs):
        state = two_states(steps, dwell, share, random)
        interval = shares_with_intervals(np.stack([state, 1 - state], 1).astype(float), weights, run)[0]
        hits += interval.low <= share <= interval.high
    return hits / runs


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize(
    ("steps", "dwell"),
    [
        *[(400, 5), (800, 10), (1500, 25)],
        *[pytest.param(*long, marks=pytest.mark.slow) for long in ((3000, 10), (3000, 50), (6000, 75))],
    ],
)
def test_the_interval_covers_90_to_98_percent(steps, dwell, share):
    assert 0.90 <= coverage(steps, dwell, share, 600, seed=steps + dwell) <= 0.98


def test_the_interval_covers_with_a_variable_frame_rate():
    weights = np.random.default_rng(1).choice([1 / 60, 1 / 24], 1500)
    assert 0.90 <= coverage(1500, 20, 0.3, 600, weights=weights) <= 0.98


@pytest.mark.parametrize(
    ("steps", "dwell", "seed", "expected"),
    [
        (30, 1, 0, [(0.136516220162, 0.56103006042), (0.073000537198, 0.516178780986)]),
        (400, 9, 1, [(0.246031129869, 0.337949016759), (0.243800124241, 0.333746266264)]),
        (2500, 40, 7, [(0.27247904914, 0.32679650212), (0.266731037149, 0.319624270214)]),
        (70_000, 100, 3, [(0.28155669818, 0.294132256108), (0.282778018507, 0.295369523155)]),
    ],
)
def test_a_seed_gives_the_intervals_that_version_0_1_0_gave(steps, dwell, seed, expected):
    # They were drawn one resample after the other then; results that people have written down stay what they are.
    k = np.arange(steps)
    state = k // dwell * k // dwell * 31 % 101 % 7 % 4
    shares = shares_with_intervals((state[:, None] == np.arange(4)).astype(float), 1 + k * 37 % 11 / 10, seed)
    np.testing.assert_allclose([(share.low, share.high) for share in shares[:2]], expected, rtol=1e-9)


def test_the_shares_of_a_very_long_series_are_those_of_its_columns():
    # Beyond 20,000 steps the shares of a person come from one expression at a time.
    states = np.random.default_rng(0).integers(0, 7, 700).repeat(60)
    span = np.random.default_rng(1).uniform(0.02, 0.05, len(states))
    rows = make_rows(range(len(states)), 0, expression=states, span=span)
    assert expression_shares(rows, 5) == shares_with_intervals(np.eye(7)[states], span, 5)


def test_neighbouring_frames_that_look_alike_make_the_interval_wider():
    random = np.random.default_rng(0)
    sticky = two_states(2000, 100, 0.5, random)
    mixed = random.permutation(sticky)

    def width(series):
        share = shares_with_intervals(np.stack([series, 1 - series], 1).astype(float), np.ones(2000), 0)[0]
        return share.high - share.low

    assert width(sticky) > 3 * width(mixed)


def test_copies_of_every_frame_add_no_certainty():
    series = two_states(400, 10, 0.4, np.random.default_rng(3))

    def width(series):
        share = shares_with_intervals(np.stack([series, 1 - series], 1).astype(float), np.ones(len(series)), 0)[0]
        return share.high - share.low

    assert width(np.repeat(series, 4)) == pytest.approx(width(series), rel=0.3)


def test_the_more_is_seen_the_narrower_the_interval():
    random = np.random.default_rng(0)
    widths = []
    for steps in (300, 1200, 4800):
        series = two_states(steps, 10, 0.4, random)
        share = shares_with_intervals(np.stack([series, 1 - series], 1).astype(float), np.ones(steps), 0)[0]
        widths.append(share.high - share.low)
    assert widths[0] > widths[1] > widths[2]


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_shares_are_shares_and_lie_in_their_intervals(steps, seed):
    random = np.random.default_rng(seed)
    expressions = np.sort(random.integers(0, 7, steps))
    rows = make_rows(range(steps), 0, expression=expressions, span=random.uniform(0.01, 0.1, steps))
    shares = expression_shares(rows, seed=0)
    assert sum(share.value for share in shares) == pytest.approx(1)
    for share in shares:
        assert 0 <= share.low <= share.value <= share.high <= 1


def test_the_same_seed_gives_the_same_interval():
    rows = make_rows(range(300), 0, expression=[HAPPY] * 130 + [NEUTRAL] * 170)
    assert expression_shares(rows, 5) == expression_shares(rows, 5)


def test_an_expression_that_was_not_seen_may_still_occur_but_the_less_the_longer_one_looked():
    highs = []
    for frames in (100, 1000, 10_000):
        series = two_states(frames, 10, 0.5, np.random.default_rng(frames))
        shares = expression_shares(make_rows(range(frames), 0, expression=np.where(series, HAPPY, NEUTRAL)), 0)
        assert all(share.value == share.low == 0 for k, share in enumerate(shares) if k not in (HAPPY, NEUTRAL))
        highs.append(shares[0].high)
    assert 0.5 > highs[0] > highs[1] > highs[2] > 0
    # Independent frames would give the rule of three: 3 / n. These come in runs, so there are fewer.
    assert highs[1] > 3 / 1000


@pytest.mark.parametrize("frames", [200, 399])
@pytest.mark.parametrize("span", [1 / 25, 1 / 30, 1001 / 30000, 0.1])
def test_somebody_who_never_changed_has_a_share_of_one_with_a_lower_bound(frames, span):
    # The spans' sum rounds differently for each.
    shares = expression_shares(make_rows(range(frames), 0, expression=NEUTRAL, span=span), 0)
    assert shares[NEUTRAL].value == shares[NEUTRAL].high == 1
    assert 0.5 < shares[NEUTRAL].low < 1
    assert 0 < shares[HAPPY].high < 0.5


def test_one_frame_tells_next_to_nothing():
    shares = expression_shares(make_rows([0], 0, expression=HAPPY), 0)
    assert shares[HAPPY].value == 1
    assert shares[HAPPY].low < 0.4
    assert shares[NEUTRAL].high > 0.6


def test_nothing_measured_gives_no_shares():
    assert expression_shares(Observations.empty(), 0) == ()


def test_shares_are_of_time_and_not_of_frames():
    # Ten frames of 0.1 s happy, then ten of 0.3 s neutral.
    rows = make_rows(range(20), 0, expression=[HAPPY] * 10 + [NEUTRAL] * 10, span=[0.1] * 10 + [0.3] * 10)
    shares = expression_shares(rows, 0)
    assert shares[HAPPY].value == pytest.approx(0.25)
    assert shares[NEUTRAL].value == pytest.approx(0.75)


def test_a_very_long_series_gives_the_same_shares_as_its_frames():
    series = two_states(50_000, 40, 0.3, np.random.default_rng(0))
    weights = np.random.default_rng(1).uniform(0.02, 0.05, len(series))
    share = shares_with_intervals(np.stack([series, 1 - series], 1).astype(float), weights, 0)[0]
    assert share.value == pytest.approx(weights @ series / weights.sum())
    assert share.low < 0.3 < share.high
    assert share.high - share.low < 0.06


def test_the_unit_of_the_weights_does_not_matter():
    series = two_states(500, 10, 0.3, np.random.default_rng(0))
    indicators = np.stack([series, 1 - series], 1).astype(float)
    weights = np.random.default_rng(1).uniform(1, 2, 500)
    for ours, theirs in zip(
        shares_with_intervals(indicators, weights, 0), shares_with_intervals(indicators, weights * 0.04, 0), strict=True
    ):
        assert dataclasses.astuple(ours) == pytest.approx(dataclasses.astuple(theirs))


def test_blocks_grow_with_the_time_that_states_last():
    random = np.random.default_rng(0)
    lengths = [np.median([block_length(two_states(1500, d, 0.4, random)) for _ in range(15)]) for d in (2, 10, 50)]
    assert lengths[0] < lengths[1] < lengths[2]
    assert block_length(random.integers(0, 2, 1500)) <= 5


@pytest.mark.parametrize("series", [np.zeros(100), np.ones(3), np.arange(2) % 2])
def test_a_series_without_information_has_blocks_of_one(series):
    assert block_length(series.astype(float)) == 1


@given(st.floats(0, 1), st.floats(1, 1e6))
def test_wilsons_interval_holds_its_share(value, count):
    low, high = wilson(value, count, 1.96)
    assert 0 <= low <= value + 1e-9
    assert value - 1e-9 <= high <= 1


def test_wilsons_interval_agrees_with_the_book():
    # 10 of 100 at 95 %: 5.52 % to 17.44 %.
    assert wilson(0.1, 100, 1.959964) == pytest.approx((0.0552, 0.1744), abs=1e-4)


reasons = st.lists(st.sampled_from(list(Reason)), min_size=1, max_size=60)


@given(reasons, st.integers(0, 2**32 - 1), st.floats(0, 5), st.floats(0, 3))
def test_measured_and_unmeasured_time_add_up_to_the_analysed_time(found, seed, away, lost):
    spans = np.random.default_rng(seed).uniform(0.01, 0.2, len(found))
    rows = make_rows(range(len(found)), 0, reason=[int(r) for r in found], span=spans)
    analysed = float(spans.sum()) + away + lost
    person = person_statistics(1, rows, analysed, lost, b"", **CHOSEN)
    assert set(person.unmeasured) == {NOT_VISIBLE, NOT_DECODED, *(r.label for r in list(Reason)[1:])}
    assert person.measured + sum(person.unmeasured.values()) == pytest.approx(analysed)
    assert person.unmeasured[NOT_VISIBLE] == pytest.approx(away, abs=1e-9)
    assert person.unmeasured[NOT_DECODED] == lost
    for reason in list(Reason)[1:]:
        assert person.unmeasured[reason.label] == pytest.approx(spans[[r is reason for r in found]].sum())
    assert person.measured == pytest.approx(spans[[r is Reason.NONE for r in found]].sum())
    assert person.screen_time == pytest.approx(spans.sum())


def test_unusable_faces_are_seen_but_do_not_vote():
    rows = make_rows(range(10), 3, expression=HAPPY, reason=[Reason.NONE] * 6 + [Reason.BLURRED] * 4)
    person = person_statistics(2, rows, 1.0, 0.0, b"", **CHOSEN)
    assert (person.id, person.name, person.tracks) == (2, "Person 2", (3,))
    assert (person.frames_seen, person.frames_usable) == (10, 6)
    assert person.emotion_counts == tuple(6 if k == HAPPY else 0 for k in range(7))
    assert person.dominant == "happy"
    assert person.mean_posterior == pytest.approx([0.7 if k == HAPPY else 0.05 for k in range(7)], abs=1e-6)
    assert person.first_seen == 0
    assert person.last_seen == pytest.approx(0.4)


def test_a_person_who_was_never_usable_has_no_shares():
    person = person_statistics(1, make_rows(range(10), 0, reason=Reason.TURNED), 1.0, 0.0, b"", **CHOSEN)
    assert person.shares == person.mean_posterior == ()
    assert person.dominant is None
    assert person.emotion_counts == (0,) * 7
    assert person.unmeasured["turned"] == pytest.approx(0.4)


def test_a_person_is_visible_in_stretches():
    rows = make_rows([*range(0, 25), *range(27, 50), *range(100, 125)], 0)
    np.testing.assert_allclose(visible_segments(rows), [(0, 2), (4, 5)])


def test_segments_follow_time_and_not_frame_numbers():
    # Five frames a second were analysed of a video with 25: each stands for the time until the next.
    rows = make_rows(range(0, 100, 5), 0, span=0.2)
    np.testing.assert_allclose(visible_segments(rows), [(0, 4)])


def test_a_picture_that_is_held_is_one_stretch_however_long():
    # Each frame is shown until the next one, seconds later: nobody was away.
    seen = make_rows([0, 1, 2, 40], 0, rate=1, span=[1.0, 1.0, 3.0, 1.0])
    np.testing.assert_allclose(visible_segments(seen), [(0, 5), (40, 41)])
