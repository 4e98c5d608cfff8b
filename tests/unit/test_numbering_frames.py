"""Which picture a decoded frame is: packets and frames that only have what is looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from factories import video_facts
from visagram.core.segments import UNKNOWN, Segment, Timeline
from visagram.core.types import Shape
from visagram.media.numbering import Numbering, whole

NOBODY = -1


@dataclass
class Coder:
    log: list[str] = field(default_factory=list)

    def decode(self, packet: object) -> list[object]:
        self.log.append("drain")
        return []

    def flush_buffers(self) -> None:
        self.log.append("flush")


@dataclass
class Stream:
    codec_context: Coder = field(default_factory=Coder)


@dataclass
class Packet:
    pos: int | None = None
    size: int = 100
    pts: int | None = None
    dts: int | None = 77
    stream: Stream = field(default_factory=Stream)

    def decode(self) -> list[object]:
        self.stream.codec_context.log.append("decode")
        return []


@dataclass
class Frame:
    pts: int | None
    key_frame: bool = False


def stretch(
    packets: Sequence[int],
    frames: Sequence[int] | None = None,
    marks: Sequence[Sequence[int]] = (),
    first: int = 0,
    loose: Sequence[int] = (),
) -> Segment:
    """packets: in display order."""
    numbers = np.arange(len(packets)) if frames is None else np.array(frames)
    return Segment(
        0,
        numbers,
        numbers,
        np.ones(len(numbers), np.int64),
        len(numbers),
        packets=np.array(packets, np.int64),
        marks=np.array(marks, np.int64).reshape(-1, 4),
        first_packet=first,
        loose=np.array(loose, np.int64),
    )


def numbering(wanted: Segment) -> Numbering:
    return Numbering(wanted, video_facts(), 10**6)


def stamped(which: Numbering, packet: Packet) -> int | None:
    which.stamp(packet)  # type: ignore[arg-type]
    assert packet.dts == packet.pts or not packet.size
    return packet.pts


def at(which: Numbering, frame: Frame) -> int | None:
    return which.position(frame)  # type: ignore[arg-type]


MARKS = [[1000, 10, 0, 7], [1010, 20, 40, 8], [1030, 20, 20, 8], [1050, 30, 60, -1], [1080, 30, 80, 11]]
"""Of the packets 7 to 11, where 8 and 9 are one picture and 10 holds none."""


def test_from_the_files_beginning_packets_are_counted() -> None:
    which = numbering(stretch([7, 8, 11], marks=MARKS, first=7))
    which.reset(sought=False)
    assert not which.is_lost
    found = [stamped(which, Packet()) for _ in range(14)]
    assert found == [*[NOBODY] * 7, 7, 8, 8, NOBODY, 11, NOBODY, NOBODY]
    empty = Packet(size=0, pts=5)
    assert stamped(which, empty) == 5
    assert (empty.pts, empty.dts) == (5, 77)


def test_after_a_seek_a_packet_is_recognised_by_its_place_size_and_time() -> None:
    for packet, number in (
        (Packet(1000, 10, 0), 7),
        (Packet(1030, 20, 20), 8),
        (Packet(1080, 30, 80), 11),
        (Packet(1000, 10, None), 7),
        (Packet(1000, 10, 5), None),
        (Packet(1000, 11, 0), None),
        (Packet(1001, 10, 0), None),
        (Packet(None, 10, 0), None),
        (Packet(None, 10, None), None),
    ):
        which = numbering(stretch([7, 8, 11], marks=MARKS, first=7))
        which.reset(sought=True)
        assert which.is_lost
        assert stamped(which, packet) == (NOBODY if number is None else number)
        assert which.is_lost == (number is None)
    which = numbering(stretch([7, 8, 11], marks=MARKS, first=7))
    which.reset(sought=True)
    found = [stamped(which, packet) for packet in (Packet(5, 5, 5), Packet(1030, 20, 20), Packet(), Packet())]
    assert found == [NOBODY, 8, NOBODY, 11], "counted on from there"
    which.reset(sought=False)
    assert stamped(which, Packet()) == NOBODY


def test_a_time_that_ffmpeg_makes_up_after_a_seek_does_not_matter() -> None:
    marks = [[1000, 10, UNKNOWN, 0], [1010, 20, UNKNOWN, 1], [0, 10, 5, 2]]
    for packet, number in ((Packet(1010, 20, 999), 1), (Packet(1010, 20, None), 1), (Packet(0, 10, 5), 2)):
        which = numbering(stretch([0, 1, 2], marks=marks))
        which.reset(sought=True)
        assert stamped(which, packet) == number


def test_packets_that_look_the_same_tell_nothing() -> None:
    marks = [[-1, 10, 0, 0], [-1, 10, 0, 1], [-1, 10, 40, 2], [500, 10, 0, 3], [500, 10, 40, 4]]
    for packet, number in (
        (Packet(None, 10, 0), NOBODY),
        (Packet(None, 10, 40), 2),
        (Packet(500, 10, 0), 3),
        (Packet(500, 10, None), NOBODY),
    ):
        which = numbering(stretch(range(5), marks=marks))
        which.reset(sought=True)
        assert stamped(which, packet) == number


def test_frames_are_found_by_the_number_of_their_packet() -> None:
    which = numbering(stretch([4, 7, 5, 9], frames=[10, 11, 12, 13]))
    assert [at(which, Frame(pts)) for pts in (4, 6, None, 7, 7, 4, 9, 5)] == [0, None, None, 1, None, None, 3, None]
    which.reset(sought=True)
    assert which.last == -1
    assert at(which, Frame(5)) == 2
    assert which.last == 2


def test_loose_frames_take_the_first_free_place_near() -> None:
    # Pictures 2, 3 and 5 have no believed times: which of them a frame is, the decoder's order tells.
    which = numbering(stretch(range(8), loose=[2, 3, 5]))
    assert [at(which, Frame(pts)) for pts in (0, 1, 3, 2, 4, 5, 6)] == [0, 1, 2, 3, 4, 5, 6]
    far = numbering(stretch(range(60), loose=[2, 22, 40]))
    assert at(far, Frame(22)) == 22, "18 places are too far"
    near = numbering(stretch(range(60), loose=[5, 22, 39]))
    assert [at(near, Frame(22)), at(near, Frame(22)), at(near, Frame(22))] == [5, 22, 39]
    behind = numbering(stretch(range(60), loose=[22, 40]))
    assert [at(behind, Frame(22)), at(behind, Frame(22))] == [22, None]


def test_where_the_decoders_order_decides_frames_are_counted() -> None:
    marks = [[k, 10, UNKNOWN, k] for k in range(40)]
    which = numbering(stretch([], frames=[2, 3, 5], marks=marks))
    for _ in range(8):
        stamped(which, Packet())
    # As they come out: the numbers 0 to 4.
    assert [at(which, Frame(pts)) for pts in (0, 2, 1, 4, 3, 5)] == [None, None, 0, 1, None, 2]


def test_a_picture_that_does_not_come_out_leaves_a_place_at_the_next_key_frame() -> None:
    marks = [[k, 10, UNKNOWN, k] for k in range(40)]
    which = numbering(stretch([], frames=range(40), marks=marks))
    for _ in range(6):
        stamped(which, Packet())
    found = [at(which, Frame(*frame)) for frame in ((0, True), (2, False), (4, True), (5, False))]
    # 1 and 3 went in before the key frame 4 and are lost.
    assert found == [0, 1, 4, 5]
    which.reset(sought=False)
    for _ in range(30):
        stamped(which, Packet())
    # Others are lost when more than 17 went in behind them.
    assert [at(which, Frame(*frame)) for frame in ((0, True), (17, False), (19, False), (21, False))] == [0, 1, 3, 6]


def test_a_frame_that_nobody_put_in_takes_the_place_of_the_oldest() -> None:
    marks = [[k, 10, UNKNOWN, k] for k in range(40)]
    which = numbering(stretch([], frames=range(40), marks=marks))
    for _ in range(4):
        stamped(which, Packet())
    assert [at(which, Frame(pts)) for pts in (None, 99, 2)] == [0, 1, 2]
    assert at(which, Frame(3, True)) == 3
    assert at(which, Frame(3, True)) == 4, "nothing is left, and still a frame comes out"


def test_second_fields_go_in_once() -> None:
    marks = [[0, 10, UNKNOWN, 0], [1, 10, UNKNOWN, 0], [2, 10, UNKNOWN, -1], [3, 10, UNKNOWN, 3], [4, 10, UNKNOWN, 4]]
    which = numbering(stretch([], frames=range(9), marks=marks))
    assert [stamped(which, Packet()) for _ in range(5)] == [0, 0, NOBODY, 3, 4]
    assert [at(which, Frame(*frame)) for frame in ((0, True), (4, True))] == [0, 2]


def test_where_the_picture_changes_the_decoder_gives_first_what_it_holds_back() -> None:
    def shape(frame: int) -> Shape:
        return Shape(frame, 0.0, "yuv420p", 9, 9, 9, 9, 0, False)

    facts = dataclasses.replace(video_facts(), shapes=(shape(0), shape(2)))
    marks = [[k, 10, UNKNOWN, k] for k in range(4)]
    which = Numbering(stretch([0, 1, 3, 2], marks=marks), facts, 10**6)
    stream = Stream()
    for size in (10, 10, 10, 10, 0):
        assert list(which.decoded(Packet(size=size, stream=stream))) == []  # type: ignore[arg-type]
    # The third picture shown is the fourth stored.
    assert stream.codec_context.log == ["decode"] * 3 + ["drain", "flush", "decode", "decode"]


def test_all_of_a_timeline_is_one_stretch() -> None:
    marks = np.arange(12).reshape(3, 4)
    line = Timeline(
        Fraction(1, 25), np.array([0, 2, 5]), np.array([0]), 9, 0, packets=np.array([0, 2, 1]), marks=marks,
        loose=np.array([1]),
    )  # fmt: skip
    found = whole(line)
    assert (found.number, found.core, found.seek, found.first_packet, found.by_byte) == (0, 3, None, 0, False)
    assert [found.pts.tolist(), found.frames.tolist(), found.spans.tolist()] == [[0, 2, 5], [0, 1, 2], [2, 3, 4]]
    assert [found.packets.tolist(), found.loose.tolist(), found.marks.tolist()] == [[0, 2, 1], [1], marks.tolist()]
