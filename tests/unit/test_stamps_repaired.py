"""Times of pictures from made-up packets: what is believed, what is put right, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from stamping import GROUP, NOTHING, PICTURE, SECOND, STEP, built, clock, even, packets, repaired, restarted, times
from visagram.core.segments import UNKNOWN
from visagram.core.types import EXACT, GUESSED, REPAIRED, ResultWarning
from visagram.media.stamps import Part, Seen, believed_parts, is_reordered, placed, unwrapped, usual_step
from visagram.media.timeline import Built

# What needs no repair.


def test_a_plain_stream_keeps_its_times() -> None:
    found = built([100, 140, 180, 230], key=[0, 2], length=[40, 40, 50, 35], origin=100)
    line = found.timeline
    assert (found.basis, found.warnings) == (EXACT, ())
    assert (line.base, line.end, line.origin) == (Fraction(1, 1000), 165, 100)
    assert line.pts.tolist() == [0, 40, 80, 130]
    assert line.keys.tolist() == [0, 80]
    assert line.key_packets.tolist() == [0, 2]
    assert line.packets.tolist() == [0, 1, 2, 3]
    assert line.marks.tolist() == [[0, 100, 100, 0], [1000, 101, 140, 1], [2000, 102, 180, 2], [3000, 103, 230, 3]]
    assert (line.seekable, line.by_byte, line.whole) == (True, False, True)
    assert line.restarts.shape == (0, 3) and line.loose.tolist() == []


def test_a_stream_without_pictures_is_empty() -> None:
    for found in (built([]), built([0, 40], holds=[NOTHING, NOTHING]), built([0], discard=[0])):
        assert (found.basis, found.warnings) == (EXACT, ())
        line = found.timeline
        assert (line.pts.tolist(), line.end, line.seekable, line.base) == ([], 0, False, Fraction(1, 1000))
    assert built([0, 40], holds=[NOTHING, NOTHING]).timeline.marks[:, 3].tolist() == [-1, -1]


def test_pictures_that_are_cut_away_or_come_before_zero_are_only_there_to_be_decoded() -> None:
    found = built(even(6, -80), key=[0, 3])
    assert times(found) == [0, 40, 80, 120]
    assert found.timeline.keys.tolist() == [-80, 40]
    assert found.timeline.key_packets.tolist() == [0, 3]
    assert found.timeline.packets.tolist() == [2, 3, 4, 5]
    found = built(even(4), key=[0, 1], discard=[0])
    assert times(found) == [40, 80, 120]
    assert found.timeline.keys.tolist() == [40], "a picture cut away is no key that is sought, unless before zero"
    found = built(even(6, -80), key=[0, 3], discard=[0])
    assert (found.timeline.keys.tolist(), found.timeline.key_packets.tolist()) == ([-80, 40], [0, 3])
    found = built([None, *even(5, -40)], key=[0, 3], discard=[0])
    assert found.timeline.keys.tolist() == [40]
    assert built(even(3, -200)).timeline.end == 0
    assert times(built(even(3, -200))) == []


@pytest.mark.parametrize(
    ("length", "end", "first", "expected"),
    [
        (40, None, False, 120),
        (25, None, False, 105),
        (0, None, False, 120),
        (0, 500, False, 500),
        (0, 81, False, 81),
        (0, 80, False, 120),
        (40, 500, False, 120),
        (40, 500, True, 500),
        (40, 70, True, 120),
        (1, 500, False, 81),
    ],
)
def test_the_end_is_that_of_the_last_picture_or_what_the_stream_says(
    length: int, end: int | None, first: bool, expected: int
) -> None:
    assert built(even(3), length=length, end=end, end_first=first).timeline.end == expected
    moved = built(even(3, 1000), length=length, end=end and end + 1000, end_first=first, origin=1000)
    assert moved.timeline.end == expected


def test_the_word_of_a_stream_about_its_end_does_not_come_first_where_the_last_picture_has_two_fields() -> None:
    pair = {"holds": [PICTURE, SECOND, PICTURE, SECOND], "length": 20}
    assert built([0, 20, 40, 60], end=500, end_first=True, **pair).timeline.end == 80
    assert built([0, 20, 40], end=500, end_first=True, holds=[PICTURE, SECOND, PICTURE], length=20).timeline.end == 500


def test_fields_are_one_picture_with_the_time_of_both() -> None:
    found = built([0, 20, 40, 60, 80], holds=[PICTURE, SECOND, PICTURE, SECOND, NOTHING], length=20, key=[0, 1, 2])
    assert (times(found), found.timeline.end) == ([0, 40], 80)
    assert found.timeline.marks[:, 3].tolist() == [0, 0, 2, 2, -1]
    assert found.timeline.keys.tolist() == [0, 40]
    found = built([0, 20, None, 60, 80, None], holds=[PICTURE, SECOND] * 3, length=20)
    assert (times(found), found.basis) == ([0, 40, 80], EXACT)
    found = built([None, 20, None, 60], holds=[SECOND, PICTURE, SECOND, NOTHING], length=20)
    assert found.timeline.marks[:, 3].tolist() == [-1, 1, 1, -1]
    assert (times(found), found.timeline.end) == ([20], 60)


def test_a_pause_is_a_gap_and_nothing_is_put_right() -> None:
    stamps = [*even(5), *even(5, 60_000)]
    found = built(stamps)
    assert (times(found), found.basis, found.warnings) == (stamps, EXACT, ())


def test_a_stream_of_variable_rate_keeps_its_times() -> None:
    stamps = [0, 10, 100, 130, 300, 301, 302, 700, 1150, 1160]
    assert (times(built(stamps)), built(stamps).basis) == (stamps, EXACT)


# Display order.


def test_reordered_pictures_are_shown_in_the_order_of_their_times() -> None:
    stamps = [STEP * k for k in GROUP]
    found = built(stamps, reordered=True, delay=1)
    assert times(found) == even(10)
    assert found.timeline.packets.tolist() == [0, 2, 3, 1, 5, 6, 4, 8, 9, 7]
    assert found.timeline.end == 400


def test_reordering_stays_within_a_group() -> None:
    # Two recordings with the same clock, one behind the other.
    stamps = [STEP * k for k in GROUP + GROUP]
    found = built(stamps, reordered=True, delay=1, key=[0, 10])
    assert times(found) == even(20)
    assert found.warnings == (restarted(1),)
    assert found.timeline.packets.tolist()[:10] == [0, 2, 3, 1, 5, 6, 4, 8, 9, 7]
    assert not found.timeline.seekable


@pytest.mark.parametrize("count", [2, 3])
def test_times_that_run_backwards_often_and_evenly_mean_that_pictures_are_reordered(count: int) -> None:
    stamps = [STEP * k for k in GROUP[: 1 + 3 * count]]
    assert is_reordered(packets(stamps)) == (count >= 3)


def test_what_says_that_pictures_are_reordered() -> None:
    stamps = [STEP * k for k in GROUP]
    assert is_reordered(packets(stamps))
    assert is_reordered(packets([*stamps[:4], None, *stamps[4:]]))
    assert not is_reordered(packets(even(10)))
    assert not is_reordered(packets([]))
    # Not those of second fields or packets that show nothing.
    assert not is_reordered(packets(stamps, holds=[PICTURE, SECOND, PICTURE, PICTURE] + [NOTHING] * 6))
    # Three recordings, one behind the other, whose clocks begin anew.
    assert not is_reordered(packets([*even(30), *even(30), *even(30), *even(30)]))
    # Steps of several kinds.
    assert not is_reordered(packets([0, 3000, 40, 80, 9000, 4000, 5000, 30000, 10000, 20000]))
    far = [STEP * k for k in [18, *range(1, 18), 0]]
    assert not is_reordered(packets([*far, *[t + 760 for t in far], *[t + 1520 for t in far]]))
    near = [STEP * k for k in [17, *range(1, 17), 0]]
    assert is_reordered(packets([*near, *[t + 720 for t in near], *[t + 1440 for t in near]]))


# Wrong times.


def wrong(kind: str, stamps: list[int], place: int, order: Sequence[int]) -> int | None:
    """A wrong stamp for the picture stored at `place`."""
    neighbour = stamps[order.index(order[place] - 1)] if order[place] else stamps[order.index(1)]
    return {
        "missing": None,
        "high": 9_000_000,
        "far": stamps[place] + 700_000,
        "equal": neighbour,
        "negative": -50_000,
    }[kind]


@pytest.mark.parametrize("kind", ["missing", "high", "far", "equal", "negative"])
@pytest.mark.parametrize("first", [0, 1_000_000])
@pytest.mark.parametrize("reordered", [False, True])
def test_one_wrong_time_anywhere_is_put_right(kind: str, first: int, reordered: bool) -> None:
    order = [*GROUP, *[10 + k for k in GROUP]] if reordered else list(range(20))
    stamps = [first + STEP * k for k in order]
    for place in range(1, 19):
        damaged: list[int | None] = list(stamps)
        damaged[place] = wrong(kind, stamps, place, order)
        found = built(damaged, reordered=reordered, delay=int(reordered), key=[0, 10], origin=first)
        assert times(found) == even(20), place
        assert found.basis == REPAIRED
        assert found.warnings == (repaired(1, 0.04),)
        assert found.timeline.packets.tolist() == np.argsort(order).tolist() or reordered
        assert found.timeline.loose.tolist() == ([order[place]] if reordered and kind != "equal" else []) or reordered
        assert found.timeline.seekable
        assert (found.timeline.end, found.timeline.origin) == (800, first)


@pytest.mark.parametrize("run", [2, 3])
def test_several_missing_times_are_spread_evenly(run: int) -> None:
    for place in range(20 - run + 1):
        stamps: list[int | None] = [*even(20, 200)]
        stamps[place : place + run] = [None] * run
        found = built(stamps, origin=200)
        assert times(found) == even(20)
        assert found.warnings == (repaired(run, round(0.04 * run, 3)),)


def test_more_than_half_of_the_times_wrong_is_a_guess() -> None:
    found = built([0, 40, None, None, None, None, 240])
    assert (times(found), found.basis) == (even(7), GUESSED)
    assert built([0, 40, None, None, None, 200]).basis == REPAIRED


@pytest.mark.parametrize(
    ("stamps", "expected", "count"),
    [
        ([0, 40, 40, 120, 160, 200], even(6), 1),
        ([0, 40, 120, 120, 160, 200], [0, 40, 80, 120, 160, 200], 1),
        ([0, 40, 40, 80, 120, 160], [0, 40, 60, 80, 120, 160], 1),
        ([0, 40, 80, 80], [0, 40, 80, 120], 1),
        ([0, 40, 80, 130, 130], [0, 40, 80, 105, 130], 1),
        ([40, 40, 80, 120, 160], [40, 60, 80, 120, 160], 1),
        ([0, 40, 40, 40, 160, 200], even(6), 2),
        ([0, 0, 0, 120, 160, 200], even(6), 2),
        ([0, 40, 40, None, 160, 200], even(6), 2),
    ],
)
def test_of_equal_times_that_is_wrong_which_has_more_room(
    stamps: list[int | None], expected: list[int], count: int
) -> None:
    found = built(stamps)
    assert times(found) == expected
    assert found.warnings == (repaired(count, round(0.04 * count, 3)),)


def test_where_there_is_no_room_times_are_counted_finer() -> None:
    found = built([0, 1, 1, 2, 3], length=1)
    assert found.timeline.base == Fraction(1, 1_000_000)
    assert times(found) == [0, 1000, 1500, 2000, 3000]
    assert found.timeline.end == 4000
    assert found.timeline.keys.tolist() == [0]
    later = built([100, 101, 101, 102, 103], length=1, origin=100, key=[0, 4])
    assert times(later) == [0, 1000, 1500, 2000, 3000]
    assert (later.timeline.origin, later.timeline.keys.tolist()) == (100_000, [0, 3000])
    assert later.warnings == (repaired(1, 0.001),)


def test_times_too_large_to_be_counted_finer_follow_each_other() -> None:
    large = (1 << 62) // 1000
    assert times(built([0, 1, 1, 2, 3, 4], length=1, origin=0))[2] == 1500
    for first, finer in ((large - 4, True), (large - 3, False)):
        found = built([first + k for k in (0, 1, 1, 2, 3)], length=1, origin=first)
        assert times(found) == ([0, 1000, 1500, 2000, 3000] if finer else [0, 1, 2, 3, 4])


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_a_clock_that_returns_soon_never_left(count: int) -> None:
    stamps = even(30)
    for k in range(count):
        stamps[10 + k] += 500_000
    found = built(stamps)
    assert times(found) == even(30)
    assert found.warnings == (repaired(count, 0.04 * count),)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_times_far_back_are_wrong(count: int) -> None:
    stamps = even(30, 1_000_000)
    for k in range(count):
        stamps[10 + k] -= 900_000
    found = built(stamps, origin=1_000_000)
    assert times(found) == even(30)
    assert found.warnings == (repaired(count, 0.04 * count),)


# New clocks.


def test_a_clock_that_begins_anew_goes_on_where_the_part_before_ended() -> None:
    stamps = [*even(12, 5000), *even(12, 2000), *even(12, 0)]
    found = built(stamps, origin=5000, key=[0, 12, 24], length=[40] * 11 + [70] + [0] * 24)
    expected = [*even(12), *even(12, 510), *even(12, 990)]
    assert times(found) == expected
    assert (found.basis, found.warnings) == (REPAIRED, (restarted(2),))
    assert found.timeline.restarts.tolist() == [[12, 2000, 510], [24, 0, 990]]
    assert found.timeline.end == 990 + 480
    assert not found.timeline.seekable
    assert built(stamps, by_byte=True, key=[0, 12]).timeline.seekable
    assert found.timeline.keys.tolist() == [0, 510, 990]


def test_a_jump_is_a_new_clock_where_a_discontinuity_is_marked() -> None:
    stamps = [*even(12), *even(12, 60_000)]
    found = built(stamps, marked=[12])
    assert times(found) == even(24)
    assert found.warnings == (restarted(1),)
    assert found.timeline.restarts.tolist() == [[12, 60_000, 480]]
    assert not built(stamps, marked=[12], key=[0, 12]).timeline.seekable
    assert built(stamps, key=[0, 12]).timeline.seekable
    assert times(built(stamps, marked=[11])) == stamps, "marked elsewhere"
    assert times(built([*stamps[:12], None, *stamps[12:]], marked=[12])) == even(25)


@pytest.mark.parametrize(("gap", "anew"), [(500, False), (501, True)])
def test_a_marked_step_of_half_a_second_is_no_jump(gap: int, anew: bool) -> None:
    stamps = [*even(12), *even(12, 440 + gap)]
    assert times(built(stamps, marked=[12])) == (even(24) if anew else stamps)
    slow = [*even(12, step=100), *even(12, 1100 + 300 + gap, step=100)]
    assert times(built(slow, marked=[12], length=100)) == (even(24, step=100) if anew else slow)


def test_a_first_picture_far_from_all_others_has_a_wrong_time() -> None:
    found = built([700_000, *even(11, 40)], origin=700_000, own_origin=True)
    assert times(found) == even(12)
    assert found.warnings == (repaired(1, 0.04),)
    assert found.timeline.origin == 0


def test_a_first_time_below_zero_far_from_the_next_is_wrong() -> None:
    found = built([-5000, *even(11, 40)], origin=0)
    assert times(found) == even(12)
    assert found.warnings == (repaired(1, 0.04),)
    found = built([-500, *even(11, 0)], origin=-500)
    assert times(found) == [0, *even(11, 500)], "no further than half a second"
    found = built([-501, *even(11, 0)], origin=-40, own_origin=True)
    assert times(found) == even(12)


@pytest.mark.parametrize(
    ("last", "end", "length", "believed"),
    [
        (700_000, None, 40, False),
        (600_360, None, 40, True),
        (600_361, None, 40, False),
        (600_361, None, 600_001, True),
        (3000, 1999, 40, False),
        (3000, 2000, 40, True),
        (3000, 9000, 40, True),
        (860, 1, 40, True),
        (1361, 360, 40, False),
        (861, 1, 361, True),
    ],
)
def test_a_last_time_far_from_all_others_needs_somebody_else_who_says_so(
    last: int, end: int | None, length: int, believed: bool
) -> None:
    lengths = [40] * 9 + [length, 40]
    found = built([*even(10), last], end=end, length=lengths)
    assert times(found) == [*even(10), last if believed else 400]


def test_the_containers_zero_is_not_believed_where_the_first_time_is_not() -> None:
    stamps = [None, *even(11, 140)]
    assert times(built(stamps, origin=0)) == even(12, 100)
    found = built(stamps, origin=0, own_origin=True)
    assert (times(found), found.timeline.origin) == (even(12), 100)
    twice = built([*even(12, 5000), *even(12, 2000)], origin=2000, own_origin=True)
    assert (times(twice), twice.timeline.origin) == (even(24), 5000)
    assert times(built([100, None, 180], origin=20, own_origin=True)) == [80, 120, 160]
    plain = built(even(5, 100), origin=20, own_origin=True)
    assert (times(plain), plain.timeline.origin) == (even(5, 80), 20)


# 33 bits.

TURN = 1 << 33


def test_times_of_33_bits_go_on_where_they_begin_anew() -> None:
    stamps = np.array([TURN - 7200, TURN - 3600, 0, 3600, UNKNOWN, 7200])
    assert unwrapped(stamps).tolist() == [TURN - 7200, TURN - 3600, TURN, TURN + 3600, UNKNOWN, TURN + 7200]
    back = np.array([7200, TURN - 3600, TURN, 10800])
    assert unwrapped(back).tolist() == [7200, -3600, 0, 10800]
    half = np.array([0, TURN // 2 - 1, 2])
    assert unwrapped(half).tolist() == [0, TURN // 2 - 1, 2]
    assert unwrapped(np.array([UNKNOWN])).tolist() == [UNKNOWN]
    ticks = Fraction(1, 90000)
    seen = [t % TURN for t in even(10, TURN - 18000, 3600)]
    found = built(seen, base=ticks, wraps=True, origin=TURN - 18000, length=3600)
    assert times(found) == even(10, step=3600)
    assert found.warnings == ()


def test_the_usual_step_is_the_one_in_the_middle() -> None:
    usual = clock(0)
    assert usual_step(np.array([0, 40, 80, 81, 121, 9000]), usual) == 40
    assert usual_step(np.array([0, UNKNOWN, 30]), usual) == 30
    assert usual_step(np.array([0, 10, 30]), usual) == 15
    assert usual_step(np.array([0, 0, 0]), usual) == 40
    assert usual_step(np.array([], np.int64), usual) == 40
    assert usual_step(np.array([5]), clock(0, rate=Fraction(3000))) == 1
    assert usual_step(np.array([5]), clock(0, rate=Fraction(30))) == 33


# Without times.


def test_pictures_without_times_come_one_after_the_other() -> None:
    assert built([None] * 4, origin=5).timeline.origin == 5
    dense = built([0, 1, 2], length=1, key=[0, 1])
    assert (times(dense), dense.timeline.base, dense.timeline.seekable) == ([0, 1, 2], Fraction(1, 1000), True)
    for found in (built([None] * 4), built([7, 7, 9, 1], counted=True)):
        assert (times(found), found.timeline.end, found.timeline.base) == (even(4, step=1), 4, Fraction(1, 25))
        assert (found.basis, found.warnings) == (EXACT, ())
        assert not found.timeline.seekable
        assert found.timeline.packets.tolist() == [0, 1, 2, 3]


def test_a_rate_that_nothing_states_is_a_guess() -> None:
    found = built([None] * 4, stated=False, rate=Fraction(30000, 1001))
    message = (
        "The file does not say how many frames a second it has: 29.97 were assumed, so every time may be wrong by the "
        "same factor."
    )
    assert found.basis == GUESSED
    assert found.warnings == (ResultWarning("rate_guessed", message),)
    assert found.timeline.base == Fraction(1001, 30000)


def test_made_up_times_say_the_order_unless_pictures_are_reordered() -> None:
    found = built([30, 10, 20], counted=True, key=[0, 1, 2])
    assert found.timeline.packets.tolist() == [1, 2, 0]
    assert (times(found), found.timeline.seekable) == ([0, 1, 2], True)
    assert found.timeline.keys.tolist() == [0, 1, 2]
    assert found.timeline.key_packets.tolist() == [1, 2, 0]
    mixed = built([30, 10, 20], counted=True, reordered=True)
    assert (mixed.timeline.packets.tolist(), mixed.timeline.seekable) == ([], False)
    assert built([30, 10, None], counted=True).timeline.packets.tolist() == [0, 1, 2]
    assert built([30, 10, 10], counted=True).timeline.packets.tolist() == [0, 1, 2]


def slotted(places: list[int | None], **how: object) -> Built:
    return built([None] * len(places), dts=places, slots=True, base=Fraction(1, 25), **how)


def test_pictures_with_places_are_shown_there() -> None:
    found = slotted([3, 4, 7, 8])
    assert (times(found), found.timeline.end, found.basis) == ([0, 1, 4, 5], 6, EXACT)
    assert slotted([3, 4, 7, 8], end=12).timeline.end == 9
    assert slotted([3, 4, 7, 8], end=5).timeline.end == 6
    assert times(slotted([3, 4, 4, 8])) == [0, 1, 2, 3], "two with one place: counted"
    assert times(slotted([None, 4, 7, 8])) == [0, 1, 2, 3]
    assert slotted([3, 4, 4, 8], stated=False).basis == GUESSED
    assert slotted([3, 4, 7, 8], stated=False).basis == EXACT


def test_an_encoder_that_holds_pictures_back_gives_them_later_places() -> None:
    found = slotted([0, 1, 2, 5, 6, 7], reordered=True, delay=1)
    assert (times(found), found.timeline.end) == ([0, 1, 4, 5, 6, 7], 8)
    found = slotted([0, 1, 2, 5, 6, 7], reordered=True, delay=2, end=12)
    assert (times(found), found.timeline.end) == ([0, 3, 4, 5, 10, 11], 12)
    found = slotted([0, 1, 2, 5, 6, 7], reordered=True, delay=2)
    assert (times(found), found.timeline.end) == ([0, 3, 4, 5, 6, 7], 8)
    found = slotted([4, 5], reordered=True, delay=9)
    assert (times(found), found.timeline.end) == ([0, 1], 2)
    assert times(slotted([4], delay=9)) == [0]


# The steps by themselves.


def seen(stamps: Sequence[int], key: Sequence[int] = (0,), marked: Sequence[int] = ()) -> Seen:
    n = np.arange(len(stamps))
    return Seen(n, np.array(stamps), np.full(len(n), STEP), np.isin(n, key), np.isin(n, marked))


def test_parts_and_what_of_them_is_believed() -> None:
    stamps = [0, 40, UNKNOWN, 120, 160, 9_000_000, 240, 280]
    order, parts = believed_parts(np.array(stamps), seen(stamps), STEP, clock(8))
    assert order.tolist() == list(range(8))
    ((part),) = parts
    assert (part.first, part.last) == (0, 8)
    assert np.flatnonzero(~part.good).tolist() == [2, 5]


def test_times_of_parts_follow_each_other() -> None:
    stamps = np.array([UNKNOWN, 140, UNKNOWN, 220, UNKNOWN, 20, 60])
    good = stamps != UNKNOWN
    parts = [Part(0, 4, good[:4]), Part(4, 7, good[4:])]
    found, factor = placed(stamps, np.full(7, 50), parts, STEP)
    assert (found.tolist(), factor) == ([100, 140, 180, 220, 270, 310, 350], 1)
    found, factor = placed(stamps, np.zeros(7, np.int64), parts, STEP)
    assert found.tolist() == [100, 140, 180, 220, 260, 300, 340]
    nothing = Part(0, 3, np.zeros(3, bool))
    assert placed(np.full(3, UNKNOWN), np.zeros(3, np.int64), [nothing], 7)[0].tolist() == [0, 7, 14]
