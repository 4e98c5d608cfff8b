from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import make_rows
from visagram.core.statistics import (
    BRIEF,
    FEWEST,
    block_length,
    episodes,
    person_statistics,
    shares_of,
    shares_of_all,
    shares_with_intervals,
    visible_segments,
    wilson,
)
from visagram.core.types import EXPRESSIONS, NOT_DECODED, NOT_VISIBLE, Observations, Reason

CHOSEN = {"seed": 0, "unsure_below": 0.5}
HAPPY, NEUTRAL = EXPRESSIONS.index("happy"), EXPRESSIONS.index("neutral")
MANY = np.full(7, 10**6)
"""So many episodes that the interval is the bootstrap's."""


def expression_shares(rows, seed):
    return shares_of(rows.emotion, rows.span, seed)


def share_of_one(series, weights=None, seed=0):
    """The share of a series' ones."""
    weights = np.ones(len(series)) if weights is None else weights
    seen = episodes(np.asarray(series, np.int8), weights)[[1, 0]]
    return shares_with_intervals(np.stack([series, 1 - series], 1).astype(float), weights, seen, seed)[0]


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
    hits = told = 0
    for run in range(runs):
        found = share_of_one(two_states(steps, dwell, share, random), weights, run)
        hits += found.low is not None and found.low <= share <= found.high
        told += found.low is not None
    return hits / told


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize(
    ("steps", "dwell"),
    [
        *[(400, 5), (800, 10), (1500, 25)],
        *[pytest.param(*long, marks=pytest.mark.slow) for long in ((3000, 10), (3000, 50), (6000, 75))],
    ],
)
def test_the_interval_covers_93_percent_and_more(steps, dwell, share):
    assert coverage(steps, dwell, share, 600, seed=steps + dwell) >= 0.93


def test_the_interval_covers_with_a_variable_frame_rate():
    weights = np.random.default_rng(1).choice([1 / 60, 1 / 24], 1500)
    assert coverage(1500, 20, 0.3, 600, weights=weights) >= 0.93


@pytest.mark.parametrize(
    ("steps", "dwell", "seed", "expected"),
    [
        (30, 1, 0, [(0.136516220162, 0.56103006042), (0.073000537198, 0.516178780986)]),
        (400, 9, 1, [(0.246031129869, 0.337949016759), (0.243800124241, 0.333746266264)]),
        (2500, 40, 7, [(0.27247904914, 0.32679650212), (0.266731037149, 0.319624270214)]),
        (70_000, 100, 3, [(0.28155669818, 0.294132256108), (0.282778018507, 0.295369523155)]),
    ],
)
def test_a_seed_gives_the_bootstraps_part_that_version_0_1_0_gave(steps, dwell, seed, expected):
    # Its intervals were the bootstrap's alone, drawn one resample after the other.
    k = np.arange(steps)
    state = k // dwell * k // dwell * 31 % 101 % 7 % 4
    weights = 1 + k * 37 % 11 / 10
    if steps > 20_000:
        shares = shares_of(state.astype(np.int8), weights, seed)
    else:
        shares = shares_with_intervals(np.eye(4)[state], weights, MANY[:4], seed)
    np.testing.assert_allclose([(share.low, share.high) for share in shares[:2]], expected, rtol=1e-9)


def test_neighbouring_frames_that_look_alike_make_the_interval_wider():
    random = np.random.default_rng(0)
    sticky = two_states(2000, 100, 0.5, random)
    mixed = random.permutation(sticky)

    def width(series):
        share = share_of_one(series)
        return share.high - share.low

    assert width(sticky) > 3 * width(mixed)


def test_copies_of_every_frame_add_no_certainty():
    series = two_states(400, 10, 0.4, np.random.default_rng(3))

    def width(series):
        share = share_of_one(series)
        return share.high - share.low

    assert width(np.repeat(series, 4)) == pytest.approx(width(series), rel=0.3)


def test_the_more_is_seen_the_narrower_the_interval():
    random = np.random.default_rng(0)
    widths = []
    for steps in (300, 1200, 4800):
        series = two_states(steps, 10, 0.4, random)
        share = share_of_one(series)
        widths.append(share.high - share.low)
    assert widths[0] > widths[1] > widths[2]


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_shares_are_shares_and_lie_in_their_intervals(steps, seed):
    random = np.random.default_rng(seed)
    expressions = random.integers(0, 7, steps)
    expressions = np.sort(expressions) if seed % 2 else expressions
    rows = make_rows(range(steps), 0, expression=expressions, span=random.uniform(0.01, 0.1, steps))
    shares = expression_shares(rows, seed=0)
    assert sum(share.value for share in shares) == pytest.approx(1)
    for share in shares:
        assert (share.low is None) == (share.high is None) == (share.episodes < FEWEST)
        assert share.low is None or 0 <= share.low <= share.value <= share.high <= 1


def test_the_same_seed_gives_the_same_interval():
    rows = make_rows(range(300), 0, expression=[HAPPY] * 130 + [NEUTRAL] * 170)
    assert expression_shares(rows, 5) == expression_shares(rows, 5)


@pytest.mark.parametrize("span", [1 / 25, 1 / 30, 1001 / 30000, 0.1])
def test_where_nothing_ever_changed_there_is_no_interval(span):
    # One state in ten of ten seconds is no evidence of how the next hour looks. The spans' sum rounds differently.
    for frames in (1, 200, 399):
        shares = expression_shares(make_rows(range(frames), 0, expression=NEUTRAL, span=span), 0)
        assert [(share.value, share.low, share.high) for share in shares] == [
            (float(k == NEUTRAL), None, None) for k in range(7)
        ]
        assert [share.episodes for share in shares] == [int(k == NEUTRAL) for k in range(7)]


def test_of_too_few_episodes_there_is_no_interval():
    for seen in range(1, 9):
        found = expression_shares(make_rows(range(60 * seen), 0, expression=[*[HAPPY] * 20, *[NEUTRAL] * 40] * seen), 0)
        assert (found[HAPPY].episodes, found[NEUTRAL].episodes) == (seen, seen)
        assert (found[HAPPY].low is not None) == (found[NEUTRAL].high is not None) == (seen >= 5)


def test_a_blink_of_something_else_ends_no_episode_but_is_one():
    rows = make_rows(
        range(100), 0, expression=[*[HAPPY] * 40, *[NEUTRAL] * 4, *[HAPPY] * 40, *[NEUTRAL] * 16], span=0.04
    )
    assert [share.episodes for share in expression_shares(rows, 0)] == [0, 0, 0, 1, 0, 0, 2]
    rows = make_rows(
        range(101), 0, expression=[*[HAPPY] * 40, *[NEUTRAL] * 5, *[HAPPY] * 40, *[NEUTRAL] * 16], span=0.04
    )
    assert BRIEF == 0.2
    assert [share.episodes for share in expression_shares(rows, 0)] == [0, 0, 0, 2, 0, 0, 2]


def test_a_still_picture_has_no_interval_however_many_faces_are_in_it():
    faces = make_rows([0] * 40, 0, expression=[HAPPY, NEUTRAL] * 20, span=0.0).with_columns(
        person=np.arange(40, dtype=np.int32)
    )
    found = shares_of_all(faces.frame, faces.time, faces.person, faces.emotion, faces.span, 0)
    assert [(share.value, share.low) for share in found] == [
        (0.5 if k in (HAPPY, NEUTRAL) else 0.0, None) for k in range(7)
    ]


def test_the_interval_of_few_episodes_is_no_narrower_than_a_renewal_processs():
    # Six episodes, each as long as the other: a bootstrap sees no chance in that.
    share = share_of_one(np.tile([1] * 20 + [0] * 30, 6))
    width = 2.5706 * np.sqrt(2 / 6)
    assert share.value == pytest.approx(0.4)
    assert np.log(share.high / (1 - share.high)) - np.log(0.4 / 0.6) >= width - 0.01
    assert np.log(0.4 / 0.6) - np.log(share.low / (1 - share.low)) >= width - 0.01


def crowd(people, frames, dwell, share, seed):
    """Everybody's rows, by frame: each person a chain of their own."""
    random = np.random.default_rng(seed)
    states = np.stack([two_states(frames, dwell, share, random) for _ in range(people)], 1)
    rows = make_rows(np.repeat(range(frames), people), 0, expression=np.where(states, HAPPY, NEUTRAL).ravel())
    return rows.with_columns(person=np.tile(np.arange(people, dtype=np.int32), frames))


@pytest.mark.parametrize("people", [2, 5, 20])
def test_the_interval_of_everybody_covers(people):
    # Rows by frame and person jump between people: taken for one series they looked independent, and the interval held
    # the truth in 55 to 87 %.
    runs, hits = 150, 0
    for run in range(runs):
        rows = crowd(people, 1000, 25, 0.3, 1000 * people + run)
        share = shares_of_all(rows.frame, rows.time, rows.person, rows.emotion, rows.span, run)[HAPPY]
        hits += share.low <= 0.3 <= share.high
    assert hits / runs >= 0.92


def test_everybodys_shares_of_one_person_are_that_persons():
    rows = make_rows(
        range(600), 0, expression=np.where(two_states(600, 9, 0.4, np.random.default_rng(0)), HAPPY, NEUTRAL)
    )
    assert shares_of_all(rows.frame, rows.time, rows.person, rows.emotion, rows.span, 3) == expression_shares(rows, 3)


def test_everybodys_episodes_that_begin_together_are_one():
    # Two people, the second 0.4 s behind the first: six of their twelve episodes could be reactions to the other's.
    shown = np.tile([*[HAPPY] * 50, *[NEUTRAL] * 50], 6)
    both = np.stack([shown, np.roll(shown, 10)], 1)
    rows = make_rows(np.repeat(range(600), 2), 0, expression=both.ravel(), span=0.04)
    rows = rows.with_columns(person=np.tile(np.int32([1, 2]), 600))
    found = shares_of_all(rows.frame, rows.time, rows.person, rows.emotion, rows.span, 0)
    assert found[HAPPY].episodes == 6
    each = [expression_shares(rows[rows.person == k], 0) for k in (1, 2)]
    assert found[HAPPY].value == pytest.approx(np.mean([mine[HAPPY].value for mine in each]))
    late = np.stack([shown, np.roll(shown, 30)], 1)
    rows = make_rows(np.repeat(range(600), 2), 0, expression=late.ravel(), span=0.04).with_columns(person=rows.person)
    assert shares_of_all(rows.frame, rows.time, rows.person, rows.emotion, rows.span, 0)[HAPPY].episodes == 12


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
    share = shares_of(series.astype(np.int8), weights, 0)[1]
    assert share.value == pytest.approx(weights @ series / weights.sum())
    assert share.low < 0.3 < share.high
    # By 333 episodes, twice 1.967 * 0.2 * sqrt(2 / 333).
    assert share.high - share.low < 0.065


def test_the_unit_of_the_weights_does_not_matter():
    series = two_states(500, 10, 0.3, np.random.default_rng(0))
    indicators = np.stack([series, 1 - series], 1).astype(float)
    weights = np.random.default_rng(1).uniform(1, 2, 500)
    for ours, theirs in zip(
        shares_with_intervals(indicators, weights, MANY[:2], 0),
        shares_with_intervals(indicators, weights * 0.04, MANY[:2], 0),
        strict=True,
    ):
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


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
