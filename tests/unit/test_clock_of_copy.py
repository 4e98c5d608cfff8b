"""Times in a copy: of its frames, and of its sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from visagram.core.segments import Timeline
from visagram.media.clock import Clock, SoundClock


@dataclass
class Packet:
    pts: int | None
    dts: int | None
    duration: int | None = None


def line(
    pts: Sequence[int], end: int, base: Fraction = Fraction(1, 100), origin: int = 0, restarts: Sequence = ()
) -> Timeline:
    return Timeline(
        base, np.array(pts, np.int64), np.array([0]), end, origin, restarts=np.array(restarts, np.int64).reshape(-1, 3)
    )


def lengths(clock: Clock, packets: list[Packet]) -> list[int | None]:
    found = list(clock.timed(packets))  # type: ignore[arg-type]
    assert found == packets, "all of them, in their order"
    return [packet.duration for packet in packets]


def test_frames_have_the_times_of_the_timeline() -> None:
    clock = Clock(line([0, 4, 9, 15], 20))
    assert clock.base == Fraction(1, 100)
    assert [clock.pts(k) for k in range(4)] == [0, 4, 9, 15]
    assert [clock.seconds(k) for k in range(4)] == [0.0, 0.04, 0.09, 0.15]
    assert lengths(clock, [Packet(0, 0), Packet(4, 4), Packet(9, 9), Packet(15, 15)]) == [4, 5, 6, 5]
    assert lengths(clock, [Packet(None, None), Packet(3, 4), Packet(15, 9)]) == [4, 1, 11]
    assert lengths(clock, []) == []
    assert lengths(clock, [Packet(0, 0)]) == [20]


def test_the_last_packet_stored_lasts_until_the_end_wherever_it_is_shown() -> None:
    clock = Clock(line([0, 4, 8, 12], 16))
    stored = [Packet(0, -4), Packet(8, 0), Packet(4, 4), Packet(12, 8)]
    assert lengths(clock, stored) == [4, 4, 4, 4]
    assert lengths(clock, [Packet(4, 0), Packet(8, 4), Packet(12, 8)]) == [4, 4, 4]
    assert lengths(clock, [Packet(0, -4), Packet(12, 0), Packet(4, 4), Packet(8, 6)]) == [4, 4, 4, 6]
    assert lengths(clock, [Packet(0, 0), Packet(12, 40)]) == [4, 4], "never shorter than the picture itself"


def test_the_last_frame_is_shown_for_a_tick_at_least() -> None:
    assert lengths(Clock(line([0, 4], 4)), [Packet(0, 0), Packet(4, 4)]) == [4, 1]
    assert lengths(Clock(line([0, 4], 2)), [Packet(0, 0), Packet(4, 4)]) == [4, 1]
    assert lengths(Clock(line([], 0)), [Packet(7, 7)]) == [1]


@pytest.mark.parametrize(("denominator", "kept"), [(10_000_000, True), (10_000_001, False)])
def test_times_that_are_too_fine_are_counted_in_microseconds(denominator: int, kept: bool) -> None:
    second = denominator
    clock = Clock(line([0, second // 2, second], 2 * second, Fraction(1, denominator)))
    if kept:
        assert (clock.base, clock.pts(1)) == (Fraction(1, denominator), second // 2)
        return
    assert clock.base == Fraction(1, 1_000_000)
    assert [clock.pts(k) for k in range(3)] == [0, 500_000, 1_000_000]
    packets = [Packet(0, 0), Packet(500_000, 500_000), Packet(1_000_000, 1_000_000)]
    assert lengths(clock, packets) == [500_000, 500_000, 1_000_000]
    assert clock.seconds(2) == pytest.approx(1.0)


def test_frames_within_a_microsecond_last_one() -> None:
    clock = Clock(line([0, 1, 2], 3, Fraction(1, 1_000_000_000)))
    assert lengths(clock, [Packet(0, 0)]) == [1]


# Sound.

TICK = Fraction(1, 1000)


def test_sound_counts_from_the_videos_start() -> None:
    clock = SoundClock(line([0, 40], 80, TICK, origin=1500), TICK)
    assert clock.zero(Fraction(0)) == clock.zero(Fraction(99)) == Fraction(3, 2)
    clock.passed(1540)
    assert clock.zero(Fraction(2)) == Fraction(3, 2)


def heard(count: int) -> SoundClock:
    """After so many packets of pictures at 10 a second, of which the hundredth has a new clock: from 500 s to 2 s."""
    times = [100 * k for k in range(200)]
    clock = SoundClock(
        line(times, 20_000, TICK, origin=500_000, restarts=[(100, 2000, 10_000), (150, 70_000, 15_000)]), TICK
    )
    for k in range(count):
        clock.passed(500_000 + 100 * k if k < 100 else 2000 + 100 * (k - 100) if k < 150 else 70_000 + 100 * (k - 150))
    return clock


FIRST, SECOND, THIRD = Fraction(500), Fraction(2) - 10, Fraction(70) - 15


@pytest.mark.parametrize(
    ("count", "seconds", "zero"),
    [
        (0, 500.0, FIRST),
        (99, 509.8, FIRST),
        (100, 509.9, FIRST),
        (101, 2.1, SECOND),
        (102, 2.1, SECOND),
        (150, 6.9, SECOND),
        (151, 70.0, THIRD),
        (199, 75.0, THIRD),
        # Sound of the next part may come a little early: up to fifty pictures, and nearer to it than to this one.
        (50, 2.0, SECOND),
        (49, 2.0, FIRST),
        (60, 502.0, FIRST),
        (60, 254.0, FIRST),
        (60, 253.9, SECOND),
        (80, 251.0, SECOND),
        (100, 70.0, SECOND),
        (99, 70.0, SECOND),
        (101, 70.0, THIRD),
        (101, 30.0, SECOND),
        (101, 40.0, THIRD),
    ],
)
def test_sound_belongs_to_the_part_beside_which_it_lies(count: int, seconds: float, zero: Fraction) -> None:
    assert heard(count).zero(Fraction(seconds)) == zero


@pytest.mark.parametrize(("seconds", "next_part"), [(11.0, False), (11.01, True)])
def test_sound_and_pictures_of_one_clock_are_up_to_a_second_apart(seconds: float, next_part: bool) -> None:
    # A clock that goes back by little: from 10 s on, and again from 12 s on.
    clock = SoundClock(line([0], 1, TICK, origin=0, restarts=[(2, 12_000, 10_000)]), TICK)
    clock.passed(10_000)
    clock.passed(None)
    assert clock.zero(Fraction(str(seconds))) == (2 if next_part else 0)
