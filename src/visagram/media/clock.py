"""When each frame of a video is shown in a copy of it: exactly as in the source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from visagram.core.segments import Timeline

FINEST_BASE, MICROSECOND = 10_000_000, Fraction(1, 1_000_000)
"""Time bases with a larger denominator overflow MP4's frame durations: microseconds then."""

if TYPE_CHECKING:
    import av

    Packet = av.Packet[Any]


class Clock:
    """Numbers and times of frames, in units of `base` from the video's start. rate: for videos without timestamps."""

    def __init__(self, timeline: Timeline, rate: Fraction) -> None:
        self._timeline, self._rate = timeline, rate or Fraction(1)
        self._numbers = {int(pts): number for number, pts in enumerate(timeline.pts)}
        own = timeline.base if self._numbers else 1 / self._rate
        self.base = own if own.denominator <= FINEST_BASE else MICROSECOND
        shown = timeline.pts.tolist()
        if self._numbers and self.base != timeline.base:
            shown = [self.pts(number) for number in range(len(shown))]
        usual = max(1, round(1 / self._rate / self.base))
        after = [*shown[1:], max(round(timeline.seconds(timeline.end) / self.base), shown[-1] + 1)] if shown else []
        self._spans = defaultdict(lambda: usual, ((a, b - a) for a, b in zip(shown, after, strict=True)))
        self._last = -1

    def number(self, pts: int | None, count: int) -> int | None:
        """The number of a decoded frame, None if it is not to be shown. count: frames so far."""
        if not self._numbers:
            return count
        number = None if pts is None else self._numbers.get(pts - self._timeline.origin)
        if not count:
            self._last = -1
        if number is None or number <= self._last:
            return None
        self._last = number
        return number

    def seconds(self, number: int) -> float:
        return float(self._exactly(number))

    def pts(self, number: int) -> int:
        return round(self._exactly(number) / self.base)

    def spans(self, packets: Iterable[Packet]) -> list[Packet]:
        """Give encoded packets the time for which they are shown, which only the last one's length depends on."""
        timed = list(packets)
        for packet in timed:
            packet.duration = self._spans[packet.pts or 0]
        return timed

    def _exactly(self, number: int) -> Fraction:
        return self._timeline.seconds(int(self._timeline.pts[number])) if self._numbers else number / self._rate
