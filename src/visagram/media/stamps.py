"""Which timestamps of a stream to believe, and where pictures belong whose own cannot be believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visagram.core.segments import UNKNOWN
from visagram.media.bitstream import Holds
from visagram.media.packets import Packets

REORDERED = 17
"""Pictures by which decoding and display order may differ: more than any codec's buffer holds."""
PASSES = 4
"""How often the order is found anew because a time turned out to be wrong."""
FEW_BACK = 3
"""Steps backwards from which on they may mean an order."""
FEW = 8
"""A clock that returns within this many pictures never left: their times were wrong."""
JUMP, JUMP_SECONDS = 8, 0.5
"""A step this many times longer than usual, and longer than this, is looked into."""
SMOOTH = 4
"""Up to this many usual steps from one picture to the next look as if the clock goes on."""
UNBELIEVABLE = 600
"""Seconds for which a picture is held before the last one, beyond which somebody else must say so too."""
FINER = 1000
"""Times are counted this much finer where a repaired one finds no room between its neighbours."""
LARGEST = 1 << 62
"""Times beyond are left as they are."""
WRAP = 1 << 33
"""MPEG timestamps begin anew after this many ticks."""

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clock:
    """What a stream and its container say about time, beside the packets' stamps.

    base: seconds of a tick. rate: pictures a second; stated: the stream says so itself. reordered: pictures are stored
    in another order than shown; a decoder holds up to `delay` of them back. counted: the container has no times,
    whatever stamps FFmpeg makes up. slots: it numbers pictures as they are stored (AVI). wraps: the counter has 33
    bits. by_byte: places are sought by byte. origin: stamp of the player's zero. own_origin: that is this stream's
    first stamp. end: stamp at which the stream ends by its own word, None where it does not say. end_first: that comes
    before the last packet's length, which FFmpeg makes up where the file has none. marked: (n,) a discontinuity is
    marked between this packet and the one before.
    """

    base: Fraction
    rate: Fraction
    stated: bool
    reordered: bool
    delay: int
    counted: bool
    slots: bool
    wraps: bool
    by_byte: bool
    origin: int
    own_origin: bool
    end: int | None
    end_first: bool
    marked: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seen:
    """Pictures in the order stored: number of the first packet, stamp, length in ticks (0 where unknown), whether
    decoding can begin there, whether a discontinuity is marked before."""

    numbers: Times
    stamps: Times
    lengths: Times
    key: NDArray[np.bool_]
    marked: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures [first, last) in display order on one clock. good: (last - first,) whose stamps are believed."""

    first: int
    last: int
    good: NDArray[np.bool_]


def believed_parts(stamps: Times, seen: Seen, usual: int, clock: Clock) -> tuple[NDArray[np.intp], list[Part]]:
    """The display order, and the parts with which stamps of theirs are believed."""
    stamps = stamps.copy()
    for _ in range(PASSES):
        order = _display_order(stamps, seen.key, clock.reordered, usual)
        if _is_plain(stamps[order], usual, clock):
            return order, [Part(0, len(order), np.ones(len(order), bool))]
        parts = _Reading(stamps[order], seen.lengths[order], seen.marked[order], usual, clock).parts()
        astray = order[~np.concatenate([part.good for part in parts])]
        if not clock.reordered or (stamps[astray] == UNKNOWN).all():
            break
        # A wrong stamp has also put its picture in a wrong place.
        stamps[astray] = UNKNOWN
    return order, parts


def is_reordered(packets: Packets) -> bool:
    """Whether the stamps say that pictures are stored in another order than shown, whatever the headers promise: they
    run backwards here and there, and sorted they have no more steps than one."""
    stamps = packets.pts[packets.holds == Holds.PICTURE]
    stamps = stamps[stamps != UNKNOWN]
    steps = np.diff(stamps)
    back = np.flatnonzero(steps < 0)
    if len(back) < FEW_BACK:
        return False
    ranks = np.argsort(np.argsort(stamps, kind="stable"), kind="stable")
    moved = np.flatnonzero(np.abs(ranks - np.arange(len(stamps))) > 0)
    sorted_steps = np.diff(np.sort(stamps))
    usual = float(np.median(sorted_steps))
    near = np.abs(ranks[moved] - moved).max() <= REORDERED
    beside = sorted_steps[np.clip(ranks[moved], 0, len(sorted_steps) - 1)]
    return bool(near and usual > 0 and np.mean(np.abs(beside - usual) <= usual / 2) > 0.9)


def unwrapped(stamps: Times) -> Times:
    """Steps of more than half the counter are the other way round: FFmpeg adds a whole turn to what runs backwards."""
    known = np.flatnonzero(stamps != UNKNOWN)
    steps = np.diff(stamps[known])
    turns = np.concatenate([[0], np.cumsum(np.round(steps / WRAP).astype(np.int64))])
    unwrapped = stamps.copy()
    unwrapped[known] -= turns * WRAP
    return unwrapped


def _display_order(stamps: Times, key: NDArray[np.bool_], reordered: bool, usual: int) -> NDArray[np.intp]:
    """Positions of the pictures in the order shown: by stamps, but within a group of pictures only, and none further
    from its place than a decoder reorders. A picture without a stamp goes where there is room for it, else behind the
    one stored before it."""
    count = len(stamps)
    if not reordered:
        return np.arange(count)
    known = stamps != UNKNOWN
    bounds = np.unique([0, *np.flatnonzero(key), *_restarts(stamps, known), count])
    order, before = np.empty(count, np.intp), None
    for first, last in pairwise(bounds.tolist()):
        group = stamps[first:last].astype(np.float64)
        group[~known[first:last]] = np.nan
        ranks = np.argsort(np.argsort(_filled(group), kind="stable"), kind="stable")
        far = np.abs(ranks - np.arange(last - first)) > REORDERED
        if far.any() and far.mean() < 0.5:
            group[far] = np.nan
        after = stamps[last : last + REORDERED]
        after = after[after != UNKNOWN]
        placed = _with_room(group, before, int(after.min()) if len(after) else None, usual)
        order[first:last], before = first + np.argsort(placed), float(placed.max())
    return order


def _with_room(group: NDArray[np.float64], before: float | None, after: int | None, usual: int) -> NDArray[np.float64]:
    """Stamps of one group of pictures in the order stored, each missing one (NaN) such that it sorts into a gap between
    two others that is wide enough and near. before, after: the last stamp before the group and the first behind it."""
    missing = np.flatnonzero(np.isnan(group))
    if not len(missing):
        return group
    filled = _filled(group) + np.arange(len(group)) * 1e-6
    known = np.sort(group[~np.isnan(group)])
    if not len(known):
        return filled
    if before is not None and before < known[0]:
        known = np.insert(known, 0, before)
    ends = np.append(known[1:], known[-1] + usual if after is None else max(float(after), known[-1] + usual))
    room = np.round((ends - known) / usual).astype(int) - 1
    if after is None:
        room[-1] = len(missing)
    for place in missing:
        # Its rank, were all that are missing before it and none after it.
        rank = place - int((missing < place).sum())
        wide = np.flatnonzero(room > 0)
        wide = wide[np.abs(wide - rank) <= REORDERED]
        if len(wide):
            hole = int(wide[np.argmin(np.abs(wide + 1 - len(known) + int((~np.isnan(group)).sum()) - rank))])
            filled[place] = known[hole] + usual * (1 - room[hole] * 1e-3)
            room[hole] -= 1
    return filled


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each NaN as the value before it, at the beginning as the one after."""
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return np.zeros_like(values)
    before = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.asarray(values[np.where(before < 0, known[0], before)])


def _restarts(stamps: Times, known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions from which on all of the next stamps lie before all of the last ones."""
    values = np.where(known, stamps, 0).astype(np.float64)
    if len(values) < 2 * FEW:
        return np.empty(0, np.intp)
    windows = np.lib.stride_tricks.sliding_window_view(_filled(np.where(known, values, np.nan)), FEW)
    return np.flatnonzero(windows[FEW:].max(axis=1) < windows[:-FEW].min(axis=1)) + FEW


def usual_step(stamps: Times, clock: Clock) -> int:
    """Ticks from one picture to the next, as a rule; at least 1."""
    steps = np.diff(stamps[stamps != UNKNOWN])
    steps = steps[steps > 0]
    return max(1, int(np.median(steps)) if len(steps) else round(1 / clock.rate / clock.base))


def _jump(usual: int, clock: Clock) -> float:
    return max(JUMP * usual, JUMP_SECONDS / float(clock.base))


def _is_plain(stamps: Times, usual: int, clock: Clock) -> bool:
    """Nothing to look into: all stamps are there and rise, by steps of one kind."""
    steps = np.diff(stamps)
    return bool(stamps[0] != UNKNOWN and (steps > 0).all() and (steps <= _jump(usual, clock)).all())


@dataclass(slots=True)
class _Reading:
    """Reads stamps in display order and decides which to believe."""

    stamps: Times
    lengths: Times
    marked: NDArray[np.bool_]
    usual: int
    clock: Clock
    believed: list[int] = field(default_factory=list)
    """Positions of the current part whose stamps are believed, rising."""
    starts: list[int] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)

    def parts(self) -> list[Part]:
        jump = _jump(self.usual, self.clock)
        values = self.stamps.tolist()
        marks = np.cumsum(self.marked).tolist()
        self.starts = [0]
        for position, stamp in enumerate(values):
            if stamp == UNKNOWN:
                self.bad.add(position)
            elif not self.believed:
                self.believed.append(position)
            else:
                last = self.believed[-1]
                step = stamp - values[last]
                if step > jump and marks[position] > marks[last]:
                    self._begin(position)
                elif step > 0:
                    self.believed.append(position)
                elif step == 0:
                    self._equal(values, position)
                else:
                    self._back(values, position)
        self._check_ends(values, jump)
        return [
            Part(first, last, np.array([k not in self.bad for k in range(first, last)], bool))
            for first, last in zip(self.starts, [*self.starts[1:], len(values)], strict=True)
        ]

    def _begin(self, position: int) -> None:
        """A new clock, unless the part before would be a single picture, whose time is then wrong."""
        if len(self.believed) == 1 and len(self.starts) == 1:
            self._forget(1)
        else:
            self.starts.append(position)
        self.believed = [position]

    def _forget(self, count: int) -> None:
        self.bad.update(self.believed[-count:])
        del self.believed[-count:]

    def _equal(self, values: list[int], position: int) -> None:
        """Of two equal times that one is wrong on whose other side there is more room."""
        here = values[position]
        after = next((v for v in values[position + 1 : position + 1 + FEW] if v != UNKNOWN and v > here), None)
        before = values[self.believed[-2]] if len(self.believed) > 1 else None
        if before is not None and here - before > (after - here if after is not None else self.usual):
            self._forget(1)
            self.believed.append(position)
            return
        self.bad.add(position)

    def _back(self, values: list[int], position: int) -> None:
        """Time runs backwards: the last times were wrong, or this one is, or a new clock begins."""
        here = values[position]
        following = [v for v in values[position + 1 : position + 1 + FEW] if v != UNKNOWN]
        smooth = SMOOTH * self._step(values)
        for count in range(1, min(FEW, len(self.believed) - 1) + 1):
            before = values[self.believed[-count - 1]]
            away = values[self.believed[-count]] - before
            if before < here and here - before <= (count + 1) * smooth and away > here - before:
                # Back where the clock was: what lay between went astray, if more speaks against it than for it.
                ahead = sum(v <= values[self.believed[-1]] for v in following)
                if ahead or away > smooth or not following:
                    return self._replace(count, position)
                break
        last = values[self.believed[-1]]
        for ahead, value in enumerate(following, 1):
            if value <= last:
                continue
            old, new = abs(value - last - (ahead + 1) * smooth / SMOOTH), abs(value - here - ahead * smooth / SMOOTH)
            if old <= new:
                self.bad.add(position)
                return
            break
        near = bool(following) and last - here <= smooth / SMOOTH and following[0] > last
        if not following or near:
            # A small step back of one picture alone is no new clock.
            self.bad.add(position)
            return
        self._begin(position)

    def _replace(self, count: int, position: int) -> None:
        self._forget(count)
        self.believed.append(position)

    def _step(self, values: list[int]) -> float:
        """The usual step just before."""
        recent = [values[k] for k in self.believed[-FEW - 1 :]]
        return float(np.median(np.diff(recent))) if len(recent) > 2 else float(self.usual)

    def _check_ends(self, values: list[int], jump: float) -> None:
        """A first time below zero and a last one far off have one neighbour only to contradict them."""
        if len(self.believed) > 1:
            last, before = self.believed[-1], self.believed[-2]
            step, said = values[last] - values[before], self.clock.end
            held = abs(int(self.lengths[before]) - step) <= jump
            if step > jump and not held:
                slack = max(jump, 1 / float(self.clock.base))
                beyond = values[last] > said + slack if said is not None else step * self.clock.base > UNBELIEVABLE
                if beyond:
                    self._forget(1)
        first = [k for k in range(min(len(values), FEW)) if k not in self.bad][:2]
        if len(first) == 2 and values[first[0]] < 0 and values[first[1]] - values[first[0]] > jump:
            self.bad.add(first[0])


def placed(stamps: Times, lengths: Times, parts: list[Part], usual: int) -> tuple[Times, int]:
    """Times of all pictures on one clock, strictly rising, in ticks of one part in the returned factor."""
    exact = np.empty(len(stamps), np.float64)
    for part in parts:
        values, places = stamps[part.first : part.last], np.arange(part.last - part.first, dtype=np.float64)
        known = np.flatnonzero(part.good)
        anchor = int(values[known[0]]) if len(known) else 0
        relative = (values[known] - anchor).astype(np.float64)
        placed = np.interp(places, known, relative) if len(known) else places * usual
        if len(known):
            low, high = places < known[0], places > known[-1]
            placed[low] = (places[low] - known[0]) * usual
            placed[high] = relative[-1] + (places[high] - known[-1]) * usual
        exact[part.first : part.last] = placed
    factor = 1
    known = stamps[stamps != UNKNOWN]
    # Times may be those of a clock that began long ago.
    largest = int(np.abs(known).max()) if len(known) else 0
    if any(_crowded(np.round(exact[part.first : part.last])) for part in parts) and largest < LARGEST // FINER:
        factor = FINER
    times = np.empty(len(stamps), np.int64)
    end = None
    for part in parts:
        known = np.flatnonzero(part.good)
        anchor = int(stamps[part.first + known[0]]) if len(known) else 0
        rounded = np.round(exact[part.first : part.last] * factor).astype(np.int64)
        # Also where even a finer count has no room.
        rounded = np.maximum.accumulate(rounded - np.arange(len(rounded))) + np.arange(len(rounded))
        start = anchor * factor if end is None else end - int(rounded[0])
        times[part.first : part.last] = start + rounded
        last = int(lengths[part.last - 1])
        end = int(times[part.last - 1]) + (last if last > 0 else usual) * factor
    return times, factor


def _crowded(times: NDArray[np.float64]) -> bool:
    return bool((np.diff(times) <= 0).any())
