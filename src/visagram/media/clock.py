"""When each frame of a video is shown in a copy of it: exactly as on its timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from visagram.core.segments import Timeline

FINEST_BASE, MICROSECOND = 10_000_000, Fraction(1, 1_000_000)
"""Time bases with a larger denominator overflow MP4's frame durations: microseconds then."""

NEAR = 50
"""Packets of pictures before a new clock among which sound of that clock may already lie."""
APART = Fraction(1)
"""Seconds between sound and pictures that lie beside each other in a file, at most, as long as they have one clock."""

if TYPE_CHECKING:
    import av

    Packet = av.Packet[Any]


class SoundClock:
    """Where the video's start is on the clock of the source's sound, which begins anew where that of the pictures does.

    tick: seconds of a unit of the video stream's own timestamps.
    """

    def __init__(self, timeline: Timeline, tick: Fraction) -> None:
        self._starts = [(0, timeline.origin * timeline.base, Fraction(0))]
        for packet, stamp, time in timeline.restarts.tolist():
            self._starts.append((packet, stamp * tick, time * timeline.base))
        self._tick, self._part, self._packets = tick, 0, 0
        self._last = self._starts[0][1]

    def passed(self, pts: int | None) -> None:
        """A packet of the video was read. pts: its own timestamp."""
        while self._part + 1 < len(self._starts) and self._packets >= self._starts[self._part + 1][0]:
            self._part += 1
        self._packets += 1
        self._last = self._last if pts is None else pts * self._tick

    def zero(self, seconds: Fraction) -> Fraction:
        """The video's start on the source's clock, for sound at `seconds` on it."""
        part = self._part
        if part + 1 < len(self._starts) and self._starts[part + 1][0] - self._packets <= NEAR:
            # The sound of the next part comes a little before its pictures.
            off, further = abs(seconds - self._last), abs(seconds - self._starts[part + 1][1])
            part += further < off > APART
        _, raw, time = self._starts[part]
        return raw - time


class Clock:
    """Times of frames, in units of `base` from the video's start."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.base = timeline.base if timeline.base.denominator <= FINEST_BASE else MICROSECOND
        shown = timeline.pts.tolist()
        if self.base != timeline.base:
            shown = [self.pts(number) for number in range(len(shown))]
        after = [*shown[1:], max(round(timeline.seconds(timeline.end) / self.base), shown[-1] + 1)] if shown else []
        self._spans = {a: max(1, b - a) for a, b in zip(shown, after, strict=True)}
        self._end = after[-1] if after else 0

    def seconds(self, number: int) -> float:
        return float(self._exactly(number))

    def pts(self, number: int) -> int:
        return round(self._exactly(number) / self.base)

    def timed(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """All encoded packets of a copy, in the order stored, each with the time for which it is shown.

        The last one stored need not be the last one shown: its length is what the stream still lacks of its end.
        """
        first: tuple[int, int] | None = None
        waiting: Packet | None = None
        for packet in packets:
            packet.duration = self._spans.get(packet.pts or 0, 1)
            first = first or (packet.pts or 0, packet.dts or 0)
            if waiting is not None:
                yield waiting
            waiting = packet
        if first is not None and waiting is not None:
            stored = (waiting.dts or 0) - first[1]
            waiting.duration = max(waiting.duration or 1, self._end - first[0] - stored)
            yield waiting

    def _exactly(self, number: int) -> Fraction:
        return self._timeline.seconds(int(self._timeline.pts[number]))
