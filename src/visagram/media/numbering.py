"""Which picture of the timeline a decoded frame is.

Each packet goes into the decoder with the number of the packet that its picture begins with in place of its timestamp,
and comes out on the frame: so a missing, doubled or absurd timestamp can neither hide a frame nor exchange two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from visagram.core.segments import PICTURE, STAMP, UNKNOWN, Segment, Timeline
from visagram.core.types import VideoFacts

NEAR = 17
"""Pictures by which the order of decoding and that of display may differ."""
NOBODY = -1
"""The number of a packet that belongs to no picture, or to one that is not wanted."""


class Numbering:
    """Numbers the packets of one pass over a file, and tells the frames that come out of them.

    wanted: the stretch to read; a whole timeline is one too. facts: of its video. most: pixels that a frame may have.
    reset: the pass begins at the file's beginning, or where a seek led.
    """

    def __init__(self, wanted: Segment, facts: VideoFacts, most: int) -> None:
        self._most = most
        changes = [shape.frame for shape in facts.shapes[1:]]
        self._changes = set(wanted.packets[np.isin(wanted.frames, changes)].tolist()) if len(wanted.packets) else set()
        self._loose = set(wanted.loose.tolist())
        self._marks, self._first = wanted.marks, wanted.first_packet
        self._positions = {int(packet): k for k, packet in enumerate(wanted.packets)}
        self._frames = {int(frame): k for k, frame in enumerate(wanted.frames)} if not len(wanted.packets) else {}
        self._known: dict[tuple[int, int, int], int] | None = None
        self._next: int | None = 0
        self._count, self.last = 0, -1
        # Where the decoder's order decides: pictures that went in and not yet out, and how many went in before each.
        self._inside: dict[int, int] = {}

    def reset(self, *, sought: bool) -> None:
        self._next, self._count, self.last = None if sought else 0, 0, -1
        self._inside = {}

    @property
    def is_lost(self) -> bool:
        """Whether no packet was recognised since a seek."""
        return self._next is None

    def stamp(self, packet: av.Packet[Any]) -> None:
        """Put the packet's number in place of its timestamps."""
        if not packet.size:
            return
        if self._next is None:
            self._next = self._recognised(packet)
        number = NOBODY
        if self._next is not None:
            row = self._next - self._first
            if 0 <= row < len(self._marks):
                number = int(self._marks[row, PICTURE])
            self._next += 1
        if self._frames and number != NOBODY and number not in self._inside:
            self._inside[number] = self._inside[next(reversed(self._inside))] + 1 if self._inside else 0
        packet.pts = packet.dts = number

    def decoded(self, packet: av.Packet[Any]) -> Iterator[tuple[int, av.VideoFrame]]:
        """The wanted pictures that come out of the decoder with a packet, each with its position in the stretch;
        damaged ones are left out."""
        self.stamp(packet)
        frames: list[Any] = []
        try:
            if packet.size and packet.pts in self._changes:
                # Some decoders forget what they hold back when the picture changes its size.
                frames += packet.stream.codec_context.decode(None)
                packet.stream.codec_context.flush_buffers()
            frames += packet.decode()
        except MemoryError:
            raise
        except av.error.FFmpegError:
            pass
        for frame in frames:
            if not isinstance(frame, av.VideoFrame):
                continue
            # A damaged one has its place, too.
            position = self.position(frame)
            if position is not None and not frame.is_corrupt and frame.width * frame.height <= self._most:
                yield position, frame

    def position(self, frame: av.VideoFrame) -> int | None:
        """Which picture of the stretch a frame is, by position; None for one that is not wanted or came before."""
        if self._frames:
            found = self._frames.get(self._counted(frame))
        else:
            found = self._positions.get(NOBODY if frame.pts is None else int(frame.pts))
        if found is not None and found in self._loose:
            found = self._next_loose(found)
        if found is None or found <= self.last:
            return None
        self.last = found
        return found

    def _counted(self, frame: av.VideoFrame) -> int:
        """How many pictures are shown before a frame, where they are shown as they come out of the decoder.

        One that does not come out leaves a place: at a key frame all that went in before are due, else those that went
        in more than `NEAR` before.
        """
        number = NOBODY if frame.pts is None else int(frame.pts)
        if number in self._inside:
            due = self._inside[number] - (0 if frame.key_frame else NEAR)
            lost = [other for other, order in self._inside.items() if order < due]
            self._count += len(lost)
            for gone in (*lost, number):
                del self._inside[gone]
        elif self._inside:
            del self._inside[next(iter(self._inside))]
        self._count += 1
        return self._count - 1

    def _next_loose(self, position: int) -> int:
        """The first place of a loose picture near `position` that is not taken yet."""
        near = range(max(self.last + 1, position - NEAR), position + NEAR + 1)
        return next((place for place in near if place in self._loose), position)

    def _recognised(self, packet: av.Packet[Any]) -> int | None:
        if self._known is None:
            self._known = {}
            for row, (place, size, stamp, _) in enumerate(self._marks.tolist()):
                self._know((place, size, stamp), row)
                if place >= 0:
                    self._know((place, size, UNKNOWN), row)
        place, stamp = NOBODY if packet.pos is None else packet.pos, UNKNOWN if packet.pts is None else packet.pts
        found = self._known.get((place, packet.size, stamp), NOBODY)
        if found == NOBODY and place >= 0:
            # After a seek FFmpeg makes up other times than before for packets that have none.
            found = self._known.get((place, packet.size, UNKNOWN), NOBODY)
            if found != NOBODY and UNKNOWN not in (stamp, int(self._marks[found - self._first, STAMP])):
                found = NOBODY
        return None if found == NOBODY else found

    def _know(self, looks: tuple[int, int, int], row: int) -> None:
        """Two packets that look the same tell nothing."""
        assert self._known is not None
        known = self._known.get(looks)
        self._known[looks] = self._first + row if known in (None, self._first + row) else NOBODY


def whole(timeline: Timeline) -> Segment:
    """All pictures of a timeline as one stretch, from the file's beginning."""
    count = len(timeline.pts)
    spans = np.diff(timeline.pts, append=timeline.end)
    everything = np.arange(count)
    return Segment(
        0, timeline.pts, everything, spans, count, None, timeline.packets, timeline.marks, loose=timeline.loose
    )
