"""Packets become pictures and times: each picture once, each at its own time, and a word about whatever was put right.

Timestamps are believed as far as they agree with each other. One that does not is taken from its neighbours; a jump
forward after which the clock goes on is a gap; a jump backwards, or one that the file itself marks as a
discontinuity, is a new clock, which goes on where the part before ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from visagram.core.segments import UNKNOWN, Timeline
from visagram.core.types import EXACT, GUESSED, REPAIRED, ResultWarning
from visagram.media.bitstream import Holds
from visagram.media.packets import Packets
from visagram.media.stamps import Clock, Part, Seen, Times, believed_parts, placed, unwrapped, usual_step


@dataclass(frozen=True, slots=True)
class Built:
    """A timeline, what it rests on (`EXACT`, `REPAIRED`, `GUESSED`) and what was done to get there."""

    timeline: Timeline
    basis: str
    warnings: tuple[ResultWarning, ...] = ()


def build(packets: Packets, clock: Clock) -> Built:
    """When each picture of a stream is shown. The timeline is empty where the stream holds no picture."""
    stamps, length, owner = _pictures(packets)
    numbers = np.flatnonzero((packets.holds == Holds.PICTURE) & ~packets.discard)
    seen = Seen(numbers, stamps[numbers], length[numbers], packets.key[numbers], clock.marked[numbers])
    if not len(numbers):
        return Built(_timeline(packets, owner, clock, seen.numbers, seen.stamps, 0, clock.base, False), EXACT)
    if clock.counted or (seen.stamps == UNKNOWN).all() or clock.slots:
        return _counted(packets, owner, clock, seen)
    return _stamped(packets, owner, clock, seen)


def _pictures(packets: Packets) -> tuple[Times, Times, Times]:
    """For each packet the stamp and the length of the picture that begins with it, and which packet began the picture
    that it belongs to, -1 for none."""
    stamps, length = packets.pts.copy(), packets.duration.copy()
    begins = packets.holds == Holds.PICTURE
    owner = np.maximum.accumulate(np.where(begins, np.arange(len(packets)), -1))
    owner[packets.holds == Holds.NOTHING] = -1
    for second in np.flatnonzero((packets.holds == Holds.SECOND_FIELD) & (owner >= 0)):
        first = owner[second]
        if stamps[first] == UNKNOWN and stamps[second] != UNKNOWN:
            # Half a picture earlier; without a length the second field's own time is the nearest that is known.
            stamps[first] = stamps[second] - length[first]
        length[first] += length[second]
    return stamps, length, owner


def _counted(packets: Packets, owner: Times, clock: Clock, seen: Seen) -> Built:
    """Pictures of a stream whose container has no times: one after the other at its rate, or at their places."""
    count = len(seen.numbers)
    known = seen.stamps != UNKNOWN
    # Where pictures are reordered, times that FFmpeg makes up itself tell nothing about their order.
    ordered = bool(known.all()) and len(np.unique(seen.stamps)) == count and not clock.reordered
    order = np.argsort(seen.stamps, kind="stable") if ordered else np.arange(count)
    # Where pictures are shown in another order than stored and nothing says in which, the decoder's is taken.
    named = seen.numbers[order] if ordered or not clock.reordered else None
    places = np.sort(packets.dts[seen.numbers])
    if clock.slots and places[0] != UNKNOWN and len(np.unique(places)) == count:
        base, times, end = clock.base, *_slots(places - places[0], clock, int(places[0]))
        guessed = False
    else:
        base, times, end = 1 / clock.rate, np.arange(count, dtype=np.int64), count
        guessed = not clock.stated
    timeline = _timeline(packets, owner, clock, seen.numbers[order], times, int(end), base, ordered, named)
    return Built(timeline, GUESSED, (_rate_guessed(clock.rate),)) if guessed else Built(timeline, EXACT)


def _slots(places: Times, clock: Clock, first: int) -> tuple[Times, int]:
    """Times of pictures that are numbered as they are stored, and the end. places: (n,) rising from 0.

    An encoder that reorders gives out each picture with the place of one that was shown earlier: as many places late as
    it holds pictures back. first: place of the first picture.
    """
    held = min(clock.delay, len(places) - 1)
    last = int(places[-1]) + 1
    end = max(last, clock.end - first) if clock.end is not None else last
    if not held:
        return places, end
    times = np.append(places[held:] - places[held], np.zeros(held, np.int64))
    # Of the last ones the places are unknown: without gaps up to the end.
    for k in range(len(times) - held, len(times)):
        times[k] = max(times[k - 1] + 1, end - (len(times) - k))
    return times, max(end, int(times[-1]) + 1)


def _rate_guessed(rate: Fraction) -> ResultWarning:
    message = (
        f"The file does not say how many frames a second it has: {float(rate):g} were assumed, so every time may be "
        "wrong by the same factor."
    )
    return ResultWarning("rate_guessed", message)


def _stamped(packets: Packets, owner: Times, clock: Clock, seen: Seen) -> Built:
    """Pictures at their stamps, put right where those contradict each other."""
    stamps = unwrapped(seen.stamps) if clock.wraps else seen.stamps
    usual = usual_step(np.sort(stamps), clock)
    order, parts = believed_parts(stamps, seen, usual, clock)
    times, factor = placed(stamps[order], seen.lengths[order], parts, usual)
    base, good = clock.base / factor, np.concatenate([part.good for part in parts])
    first, origin = int(times[0]), clock.origin * factor
    if clock.own_origin and (
        not good[0] or len(parts) > 1 or first != int(packets.pts[seen.numbers[order[0]]]) * factor
    ):
        # The container took its zero from a stamp that is not believed.
        origin = first
    times = times - origin
    # What comes before zero is there only to decode the rest.
    shown = np.flatnonzero(times >= 0)
    order, times, good = order[shown], times[shown], good[shown]
    end = 0
    if len(order):
        said = clock.end * factor - origin if clock.end is not None and len(parts) == 1 else 0
        last, fields = int(seen.lengths[order[-1]]), np.count_nonzero(owner == seen.numbers[order[-1]])
        if said > times[-1] and (last <= 0 or (clock.end_first and fields == 1)):
            end = said
        else:
            end = int(times[-1]) + (last if last > 0 else usual) * factor
    restarts = [(seen.numbers[place], seen.stamps[place], times[k]) for k, place in _restarted(order, parts, shown)]
    repaired = int(np.count_nonzero(~good))
    raw = seen.stamps[order]
    rising = bool((np.diff(raw[seen.key[order] & good]) > 0).all())
    seekable = clock.by_byte or (len(parts) == 1 and rising)
    timeline = _timeline(
        packets, owner, clock, seen.numbers[order], times, end, base, seekable, seen.numbers[order], origin, good
    )
    loose = np.flatnonzero(~good) if clock.reordered else np.empty(0, np.int64)
    timeline = replace(timeline, restarts=np.array(restarts, np.int64).reshape(-1, 3), loose=loose)
    warnings = [*_warnings(repaired, len(parts) - 1, base * usual * factor)]
    if repaired * 2 > len(order):
        return Built(timeline, GUESSED, tuple(warnings))
    return Built(timeline, REPAIRED if warnings else EXACT, tuple(warnings))


def _restarted(order: NDArray[np.intp], parts: list[Part], shown: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Of each part but the first, the first picture whose stamp is believed: its number among those that are shown, and
    its place in the order stored. order: of the pictures that are shown."""
    for part in parts[1:]:
        first = part.first + int(np.argmax(part.good))
        number = int(np.searchsorted(shown, first))
        if number < len(order):
            yield number, int(order[number])


def _warnings(repaired: int, restarts: int, step: Fraction) -> Iterator[ResultWarning]:
    if repaired:
        verb = "frames have" if repaired > 1 else "frame has"
        message = (
            f"{repaired} {verb} no usable time in the file (missing, equal to a neighbour's or out of order): it was "
            "taken from the frames beside."
        )
        yield ResultWarning("times_repaired", message, repaired, round(float(repaired * step), 3))
    if restarts:
        times = f"{restarts} times" if restarts > 1 else "once"
        message = (
            f"The file's clock begins anew {times} (joined recordings, or a camera that started again): each part "
            "follows where the one before ended, whatever time passed between them."
        )
        yield ResultWarning("clock_restarted", message, restarts)


def _timeline(
    packets: Packets,
    owner: Times,
    clock: Clock,
    numbers: Times,
    times: Times,
    end: int,
    base: Fraction,
    seekable: bool,
    named: Times | None = None,
    origin: int | None = None,
    good: NDArray[np.bool_] | None = None,
) -> Timeline:
    """Pictures that begin with the packets `numbers`, in display order. named: the same, None where the decoder's order
    decides. good: (n,) whether their stamps can be sought."""
    factor = round(clock.base / base) if origin is not None else 1
    begins = np.flatnonzero(packets.key & (packets.holds == Holds.PICTURE))
    keys = packets.pts[begins] * factor - (origin or 0)
    place = np.full(len(packets), -1, np.int64)
    place[numbers] = np.arange(len(numbers))
    among = place[begins]
    keys[among >= 0] = times[among[among >= 0]]
    # Index -1, that of none, is the last.
    sought = (among >= 0) if good is None else np.append(good, False)[among]
    kept = sought | ((among < 0) & (packets.pts[begins] != UNKNOWN) & (keys < 0) & (origin is not None))
    order = np.argsort(keys[kept], kind="stable")
    return Timeline(
        base=base,
        pts=times,
        keys=keys[kept][order],
        end=end,
        origin=clock.origin * factor if origin is None else origin,
        key_packets=begins[kept][order],
        packets=np.empty(0, np.int64) if named is None else named,
        marks=np.stack([packets.position, packets.size, packets.pts, owner], axis=1),
        seekable=seekable,
        by_byte=clock.by_byte,
    )
