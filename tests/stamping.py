"""Packets made up by hand, and the times of pictures that come out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from visagram.core.segments import UNKNOWN
from visagram.core.types import ResultWarning
from visagram.media.bitstream import Holds
from visagram.media.packets import Packets
from visagram.media.stamps import Clock
from visagram.media.timeline import Built, build

PICTURE, SECOND, NOTHING = Holds.PICTURE, Holds.SECOND_FIELD, Holds.NOTHING
STEP = 40


def packets(
    pts: Sequence[int | None],
    *,
    key: Sequence[int] = (0,),
    length: int | Sequence[int] = STEP,
    holds: Sequence[Holds] | None = None,
    dts: Sequence[int | None] | None = None,
    discard: Sequence[int] = (),
) -> Packets:
    """key, discard: which packets are. The k-th lies at byte 1000 k and has 100 + k bytes."""
    n = len(pts)
    stamps = [np.array([UNKNOWN if t is None else t for t in times], np.int64) for times in (pts, dts or pts)]
    lengths = np.broadcast_to(np.asarray(length, np.int64), n).copy()
    numbers = np.arange(n)
    kinds = np.array([PICTURE] * n if holds is None else holds, np.int8)
    return Packets(
        0,
        *stamps,
        lengths,
        1000 * numbers,
        100 + numbers,
        np.isin(numbers, key),
        np.isin(numbers, discard),
        kinds,
        (),
    )


def clock(count: int, *, marked: Sequence[int] = (), **other: object) -> Clock:
    usual = Clock(
        base=Fraction(1, 1000),
        rate=Fraction(25),
        stated=True,
        reordered=False,
        delay=0,
        counted=False,
        slots=False,
        wraps=False,
        by_byte=False,
        origin=0,
        own_origin=False,
        end=None,
        end_first=False,
        marked=np.isin(np.arange(count), marked),
    )
    return replace(usual, **other)  # type: ignore[arg-type]


def built(pts: Sequence[int | None], *, marked: Sequence[int] = (), **how: object) -> Built:
    names = {"key", "length", "holds", "dts", "discard"}
    held = packets(pts, **{name: value for name, value in how.items() if name in names})  # type: ignore[arg-type]
    said = {name: value for name, value in how.items() if name not in names}
    return build(held, clock(len(pts), marked=marked, **said))


def times(found: Built) -> list[int]:
    return found.timeline.pts.tolist()


def repaired(count: int, seconds: float) -> ResultWarning:
    verb = "frames have" if count > 1 else "frame has"
    return ResultWarning(
        "times_repaired",
        f"{count} {verb} no usable time in the file (missing, equal to a neighbour's or out of order): it was taken "
        "from the frames beside.",
        count,
        seconds,
    )


def restarted(count: int) -> ResultWarning:
    return ResultWarning(
        "clock_restarted",
        f"The file's clock begins anew {f'{count} times' if count > 1 else 'once'} (joined recordings, or a camera "
        "that started again): each part follows where the one before ended, whatever time passed between them.",
        count,
    )


def even(count: int, first: int = 0, step: int = STEP) -> list[int]:
    return [first + step * k for k in range(count)]


GROUP = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
"""Numbers of pictures in the order stored, where two lie between those that are shown before and after them."""
