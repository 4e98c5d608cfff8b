"""Times that contradict each other, on both sides of each limit: which is believed, and which order follows."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from stamping import GROUP, STEP, built, even, packets, repaired, restarted, times
from visagram.media.stamps import is_reordered

Stamps = list[int | None]


def put_right(stamps: Stamps, expected: list[int], count: int = 1, **how: object) -> None:
    found = built(stamps, origin=stamps[0] or 0, **how)
    assert times(found) == expected
    assert [(warning.code, warning.count) for warning in found.warnings] == [("times_repaired", count)]


def begun_anew(stamps: Stamps, expected: list[int], count: int = 1, **how: object) -> None:
    found = built(stamps, origin=stamps[0] or 0, **how)
    assert times(found) == expected
    assert found.warnings == (restarted(count),)


# Equal times.


def test_of_equal_times_the_room_behind_them_is_what_counts() -> None:
    put_right([0, 60, 60, 160, 200, 240, 280], [0, 60, 110, 160, 200, 240, 280])
    put_right([0, 30, 30, 50, 90, 130], [0, 15, 30, 50, 90, 130])
    # Missing ones are looked past, also smaller ones.
    put_right([0, 60, 60, None, 220, 260, 300, 340], [0, 60, 113, 167, 220, 260, 300, 340], 2)


@pytest.mark.parametrize(("missing", "second"), [(7, True), (8, False)])
def test_of_equal_times_the_next_eight_tell_how_much_room_there_is(missing: int, second: bool) -> None:
    stamps: Stamps = [0, 60, 60, *[None] * missing, *even(20, 60 + 40 * (missing + 2))]
    found = times(built(stamps))
    assert (found[1], found[2] > 60) == ((60, True) if second else (30, False))


def test_a_time_that_was_wrong_is_not_compared_with_again() -> None:
    # Once the first of two is dropped, the second is the one that a third is equal to.
    put_right([0, 80, 80, 80, 120, 160], [0, 27, 53, 80, 120, 160], 2)


# Back to where the clock was.


@pytest.mark.parametrize("count", [1, 2])
def test_after_wrong_times_the_clock_may_have_gone_on_by_four_steps_for_each(count: int) -> None:
    away = [9000 + 40 * k for k in range(count)]
    limit = 80 + (count + 1) * 4 * STEP
    near = [0, 40, 80, *away, limit, *even(30, limit + 40)]
    gone = np.interp(range(3, 3 + count), [2, 3 + count], [80, limit]).round().astype(int).tolist()
    put_right([*near], [0, 40, 80, *gone, limit, *even(30, limit + 40)], count)
    far = [0, 40, 80, *away, limit + 1, *even(30, limit + 41)]
    begun_anew([*far], [0, 40, 80, *away, *even(31, away[-1] + 40)])


def test_the_usual_step_is_that_of_the_pictures_just_before() -> None:
    slow = even(10, step=100)
    for here, believed in ((1700, True), (1701, False)):
        stamps = [*slow, 90_000, here, *even(60, here + 40)]
        found = built([*stamps], origin=0)
        assert found.warnings == ((repaired(1, 0.04),) if believed else (restarted(1),))
    # Of the first two there is none: that of the whole video.
    for here, believed in ((320, True), (321, False)):
        stamps = [0, 100_000, here, *even(60, here + 40)]
        found = built([*stamps], origin=0)
        assert found.warnings == ((repaired(1, 0.04),) if believed else (restarted(1),))


@pytest.mark.parametrize("count", [8, 9])
def test_a_clock_that_stays_away_for_nine_pictures_is_another(count: int) -> None:
    away = even(count, 500_400)
    stamps = [*even(10), *away, *even(20, 400 + 40 * count)]
    if count == 8:
        put_right([*stamps], even(38), 8)
    else:
        begun_anew([*stamps], [*even(10), *away, *even(20, away[-1] + 40)])


def test_a_little_too_far_ahead_and_back_again() -> None:
    tail = even(9, 240)
    # The pictures behind agree with the time that ran ahead.
    put_right([0, 40, 80, 200, 120, *tail], [0, 40, 80, 200, 220, *tail])
    put_right([0, 40, 80, 200, 160, *tail], [0, 40, 80, 200, 220, *tail])
    put_right([0, 40, 80, 200, 120, None, *even(9, 280)], [0, 40, 80, 200, 227, 253, *even(9, 280)], 2)
    # They agree with the one that came back.
    put_right([0, 40, 80, 200, 120, 160, 200, *tail], [0, 40, 80, 100, 120, 160, 200, *tail])
    begun_anew([0, 40, 80, 230, 120, *even(9, 232)], [0, 40, 80, 230, 270, *even(9, 382)])
    # Of those behind, the first that is later than both decides.
    begun_anew([0, 40, 80, 230, 120, 232, *even(9, 300)], [0, 40, 80, 230, 270, 382, *even(9, 450)])
    # Nothing follows.
    put_right([0, 40, 80, 200, 120], [0, 40, 80, 100, 120])
    put_right([100, 140, 180, 220, 20], [0, 40, 80, 120, 160])


def test_a_time_before_all_others_is_wrong_where_the_next_ones_fit_those_before() -> None:
    tail = even(9, 1090)
    put_right([1000, 1040, 1080, 900, 941, *tail], [0, 40, 80, 83, 87, *[t - 1000 for t in tail]], 2)
    begun_anew([1000, 1040, 1080, 901, 941, *tail], [0, 40, 80, 120, 160, *even(9, 309)])
    put_right([1000, 1040, 1080, 5, *even(9, 1160)], [0, 40, 80, 120, *even(9, 160)])
    put_right([1000, 1040, 1080, 5, None, *even(9, 1200)], [0, 40, 80, 120, 160, *even(9, 200)], 2)


# New clocks.


def test_each_part_may_be_a_single_picture_but_for_the_first() -> None:
    begun_anew([*even(12, 50_000), 30_000, *even(12, 5)], even(25), 2)
    put_right([50_000, *even(12, 40)], even(13), own_origin=True)


def test_a_discontinuity_between_missing_times_counts() -> None:
    stamps: Stamps = [*even(12), None, *even(12, 60_000)]
    found = built(stamps, marked=[13])
    assert times(found)[:13] == even(13)
    assert found.timeline.restarts.tolist() == [[13, 60_000, 520]]
    found = built([*even(12), 60_000, *even(12, 60_040)], marked=[12])
    assert found.timeline.restarts.tolist() == [[12, 60_000, 480]]


def test_one_part_without_room_makes_all_times_finer() -> None:
    found = built([*even(12, 5000), 0, 1, 1, *even(12, 2, 1)], origin=5000)
    assert times(found) == [*even(12, 0, 40_000), 480_000, 481_000, 481_500, *even(12, 482_000, 1000)]
    assert [warning.code for warning in found.warnings] == ["times_repaired", "clock_restarted"]


# Display order.

LONG = [9 * turn + k for turn in range(4) for k in GROUP[1 if turn else 0 :]]
"""37 pictures of one group."""


def shown(order: Sequence[int], **how: object) -> list[int]:
    return times(built([STEP * k for k in order], reordered=True, delay=1, **how))


@pytest.mark.parametrize("wrong", [9_000_000, -70_000, None])
def test_in_a_long_group_a_wrong_time_is_found_where_its_picture_is_stored(wrong: int | None) -> None:
    for place in range(1, 36):
        stamps: Stamps = [STEP * k for k in LONG]
        stamps[place] = wrong
        found = built(stamps, reordered=True, delay=1)
        assert times(found) == even(37), place
        assert found.warnings == (repaired(1, 0.04),)


def test_in_a_long_group_two_missing_times_are_found() -> None:
    # But for the last ones stored, which may as well be the last ones shown.
    for pair in combinations(range(1, 33), 2):
        stamps: Stamps = [STEP * k for k in LONG]
        for place in pair:
            stamps[place] = None
        found = built(stamps, reordered=True, delay=1)
        assert times(found) == even(37), pair
        assert found.warnings == (repaired(2, 0.08),)
        # Each is shown near where it is stored.
        where = found.timeline.packets.tolist()
        assert all(abs(where.index(place) - LONG[place]) <= 17 for place in pair)
        others = [place for place in where if place not in pair]
        assert others == sorted(others, key=LONG.__getitem__)


def test_missing_times_between_groups_belong_to_their_own() -> None:
    three = [10 * turn + k for turn in range(3) for k in GROUP]
    for places in ((9,), (8, 9), (10,), (19,), (8, 19)):
        stamps: Stamps = [STEP * k for k in three]
        for place in places:
            stamps[place] = None
        found = built(stamps, reordered=True, delay=1, key=[0, 10, 20])
        assert times(found) == even(30), places
        where = found.timeline.packets.tolist()
        assert [sorted(where[k : k + 10]) for k in (0, 10, 20)] == [[*range(k, k + 10)] for k in (0, 10, 20)]


def test_a_clock_that_begins_anew_without_a_key_frame_is_a_group_of_its_own() -> None:
    found = built([STEP * k for k in LONG + LONG], reordered=True, delay=1)
    assert times(found) == even(74)
    assert found.warnings == (restarted(1),)
    assert sorted(found.timeline.packets[:37].tolist()) == list(range(37))


def test_a_wrong_time_in_a_reordered_stream_is_loose() -> None:
    stamps: Stamps = [STEP * k for k in LONG]
    stamps[5] = None
    assert built(stamps, reordered=True, delay=1).timeline.loose.tolist() == [LONG[5]]
    assert built([0, None, *even(9, 80)]).timeline.loose.tolist() == []


# Whether pictures are reordered.


def told(order: Sequence[float]) -> bool:
    return is_reordered(packets([round(STEP * k) for k in order]))


def test_equal_times_are_no_steps_backwards() -> None:
    assert not told([0, 1, 1, 2, 2, 3, 3, 4, 4])


def test_only_steps_beside_pictures_that_moved_have_to_be_even() -> None:
    uneven = np.cumsum([1, 2.25] * 6) + 9
    assert told([*GROUP, *uneven])
    assert not told(np.array([0, 3, 1, 2, 6, 4, 5, 9, 7, 8]) ** 2)


def test_one_picture_that_moved_far_is_enough() -> None:
    assert told(LONG)
    assert told([*LONG, *[37 + k for k in (17, *range(17))]])
    assert not told([*LONG, *[37 + k for k in (18, *range(18))]])


@pytest.mark.parametrize(("wide", "expected"), [(1.5, True), (1.55, False), (2.0, False)])
def test_steps_may_differ_by_half(wide: float, expected: bool) -> None:
    # Every third step is wider.
    place = np.cumsum([0, *([1, 1, wide] * 13)])
    assert told([place[k] for k in LONG]) == expected


@pytest.mark.parametrize("back", [2, 3])
def test_three_steps_backwards_are_enough(back: int) -> None:
    order = list(range(30))
    for k in range(back):
        order[5 * k + 3], order[5 * k + 4] = order[5 * k + 4], order[5 * k + 3]
    assert told(order) == (back == 3)


def test_a_small_step_back_of_one_picture_is_no_new_clock() -> None:
    found = built([0, 40, 80, 160, 160, 150, 200, 240])
    assert [warning.code for warning in found.warnings] == ["times_repaired"]
    assert found.timeline.seconds(found.timeline.end) == Fraction(28, 100)
    seconds = [float(found.timeline.seconds(int(pts))) for pts in found.timeline.pts]
    assert seconds[:3] == [0, 0.04, 0.08] and seconds[-2:] == [0.2, 0.24] and seconds == sorted(set(seconds))
