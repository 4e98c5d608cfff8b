"""Whether files end where they say, and what is said about those that do not: files made here byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from visagram.core.segments import UNKNOWN
from visagram.core.types import ResultWarning
from visagram.media.ending import Declared, cut_off, declared, is_cut, is_left
from visagram.media.packets import Packets


@dataclass
class Format:
    name: str = "matroska,webm"


@dataclass
class Container:
    duration: int | None = None
    format: Format = field(default_factory=Format)


@dataclass
class Entry:
    size: int


@dataclass
class Stream:
    frames: int = 0
    duration: int | None = None
    time_base: Fraction | None = Fraction(1, 1000)
    average_rate: Fraction | None = Fraction(25)
    metadata: dict[str, str] = field(default_factory=dict)
    index_entries: Sequence[Entry] = ()


def said(stream: Stream, duration: int | None = None, name: str = "matroska,webm") -> Declared:
    return declared(Container(duration, Format(name)), stream)  # type: ignore[arg-type]


# What a file says in advance.


def test_what_a_stream_says_itself_comes_before_its_tags_and_its_container() -> None:
    assert said(Stream()) == Declared(0, None, None)
    assert said(Stream(), 3_500_000) == Declared(0, None, 3.5)
    assert said(Stream(duration=2500), 3_500_000) == Declared(0, 2.5, 2.5)
    assert said(Stream(duration=2500, time_base=None), 3_500_000) == Declared(0, 0.0, 0.0)
    tags = {"number_of_frames": "70", "Duration": "01:02:03.500000000"}
    assert said(Stream(metadata=tags)) == Declared(70, 3723.5, 3723.5)
    assert said(Stream(frames=60, duration=2500, metadata=tags)) == Declared(60, 2.5, 2.5)
    assert said(Stream(metadata={"NUMBER_OF_FRAMES": "many", "DURATION": "long"}), 1_000_000) == Declared(0, None, 1.0)
    assert said(Stream(metadata={"NUMBER_OF_FRAMES": ""})) == Declared(0, None, None)


@pytest.mark.parametrize(("tag", "believed"), [("00:00:04.00", True), ("00:00:04.01", False), ("00:00:01", True)])
def test_a_tag_that_is_longer_than_the_file_is_that_of_another(tag: str, believed: bool) -> None:
    found = said(Stream(metadata={"DURATION": tag}), 3_500_000)
    seconds = float(tag[6:])
    assert found == (Declared(0, seconds, seconds) if believed else Declared(0, None, 3.5))


def test_the_length_of_an_avi_file_is_that_of_its_frames() -> None:
    assert said(Stream(frames=50, duration=9000), 9_000_000, "avi") == Declared(50, 2.0, 2.0)
    assert said(Stream(duration=9000), 8_000_000, "avi") == Declared(0, 9.0, 9.0)
    assert said(Stream(frames=50, average_rate=None, duration=9000), None, "avi") == Declared(50, 9.0, 9.0)
    assert said(Stream(frames=50, duration=9000), None, "mov,mp4") == Declared(50, 9.0, 9.0)


# The warning.

CUT = "The file was cut off or is damaged: "
UNTOLD = "its end, its index or a part of it is missing. How much is missing cannot be told."


@pytest.mark.parametrize(
    ("says", "frames", "seconds", "text", "missing"),
    [
        (Declared(100, None, 4.0), 60, 2.4, "60 of 100 frames and 2.40 of 4.00 s are there.", (40, 1.6)),
        (Declared(0, None, 4.0), 60, 2.4, "60 of about 100 frames and 2.40 of 4.00 s are there.", (40, 1.6)),
        (Declared(50, None, 4.0), 60, 2.4, "60 of about 100 frames and 2.40 of 4.00 s are there.", (40, 1.6)),
        (Declared(60, None, 4.0), 60, 2.4, "60 of about 100 frames and 2.40 of 4.00 s are there.", (40, 1.6)),
        (Declared(61, None, 2.0), 60, 2.4, "60 of 61 frames and 2.40 of 2.00 s are there.", (1, 0.0)),
        (Declared(0, None, 2.4), 60, 2.4, UNTOLD, (None, None)),
        (Declared(0, None, 2.44), 60, 2.4, "60 of about 61 frames and 2.40 of 2.44 s are there.", (1, 0.04)),
        (Declared(100, None, None), 60, 2.4, UNTOLD, (None, None)),
        (Declared(0, None, None), 60, 2.4, UNTOLD, (None, None)),
        (Declared(61, None, 3.4567), 60, 2.4001, "60 of 61 frames and 2.40 of 3.46 s are there.", (1, 1.057)),
    ],
)
def test_how_much_is_missing_is_said_as_far_as_it_is_known(
    says: Declared, frames: int, seconds: float, text: str, missing: tuple[int | None, float | None]
) -> None:
    found = cut_off(says, frames, seconds, 25.0)
    if missing[0] is None:
        assert found == ResultWarning("file_cut_off", CUT + text)
    else:
        assert found == ResultWarning("file_cut_off", CUT + text, *missing)


# MP4.


def box(kind: bytes, size: int = 20, length: int | None = None) -> bytes:
    return struct.pack(">I4s", size if length is None else length, kind) + bytes(size - 8)


def cut(path: Path, content: bytes, name: str) -> bool:
    path.write_bytes(content)
    return is_cut(path, name)


WIDE = struct.pack(">I4sQ", 1, b"mdat", 40) + bytes(24)
MP4 = {
    "whole": (box(b"ftyp") + box(b"mdat", 100) + box(b"moov", 30), False),
    "the last one a byte short": ((box(b"ftyp") + box(b"moov", 30))[:-1], True),
    "an empty box": (box(b"ftyp") + box(b"free", 8), False),
    "wide": (WIDE + box(b"moov"), False),
    "wide and short": (WIDE[:-1], True),
    "to the end": (box(b"ftyp") + box(b"mdat", 50, length=0), False),
    "a few bytes behind": (box(b"ftyp") + b"\0\0\0\x63moo", False),
    "a head behind": (box(b"ftyp") + b"\0\0\0\x63moov", True),
    "no box behind": (box(b"ftyp") + b"\0\0\0\x63text" + bytes(20), False),
    "too short for a box": (box(b"ftyp") + b"\0\0\0\x07moov" + bytes(20) + box(b"mdat", 20, length=90), False),
    "every kind": (
        b"".join(
            box(kind)
            for kind in b"ftyp moov mdat free skip wide moof mfra sidx ssix styp pdin udta meta uuid emsg prft".split()
        )
        + box(b"pnot")
        + box(b"PICT")
        + box(b"junk")
        + box(b"moov", 20, length=21),
        True,
    ),
    "a wide length cut in two": (struct.pack(">I4sI", 1, b"mdat", 0), True),
    "nothing": (b"", False),
}


@pytest.mark.parametrize("name", MP4)
def test_a_box_ends_inside_its_mp4_file(tmp_path: Path, name: str) -> None:
    content, expected = MP4[name]
    assert cut(tmp_path / "a", content, "mov,mp4,m4a") == expected


# GIF.


def gif(*parts: bytes, palette: int | None = None, end: bytes = b"\x3b") -> bytes:
    """palette: bits of a global palette, less one."""
    flags = 0x70 if palette is None else 0x80 | palette
    table = b"" if palette is None else b"\x2c" * (3 * 2 ** (palette + 1))
    return b"GIF89a" + bytes([9, 0, 9, 0, flags, 0, 0]) + table + b"".join(parts) + end


def blocks(*sizes: int) -> bytes:
    return b"".join(bytes([size]) + b"\x21" * size for size in sizes) + b"\0"


def image(*sizes: int, palette: int | None = None) -> bytes:
    flags = 0x47 if palette is None else 0x80 | palette
    table = b"" if palette is None else b"\x2c" * (3 * 2 ** (palette + 1))
    return b"\x2c" + bytes(8) + bytes([flags]) + table + b"\x08" + blocks(*sizes)


EXTENSION = b"\x21\xf9" + blocks(4)
GIFS = {
    "whole": gif(EXTENSION, image(255, 3), EXTENSION, image(1)),
    "a palette": gif(image(5), palette=0),
    "a large palette": gif(image(5), palette=7),
    "palettes of images": gif(image(5, palette=0), image(5, palette=7), palette=2),
    "nothing in it": gif(),
    "an empty image": gif(image()),
}


@pytest.mark.parametrize("name", GIFS)
def test_a_gif_ends_with_its_trailer(tmp_path: Path, name: str) -> None:
    whole = GIFS[name]
    assert not cut(tmp_path / "a", whole, "gif")
    assert not cut(tmp_path / "a", whole + b"junk", "gif")
    for length in {*range(0, len(whole), 13), *range(len(whole) - 9, len(whole))}:
        assert cut(tmp_path / "a", whole[:length], "gif"), length


def test_a_gif_with_junk_where_a_block_should_be_is_cut(tmp_path: Path) -> None:
    assert cut(tmp_path / "a", gif(image(3), b"\x77", EXTENSION), "gif")


# Matroska.

SEGMENT, CLUSTER, EBML, INFO, BLOCK, TIME = (
    b"\x18\x53\x80\x67",
    b"\x1f\x43\xb6\x75",
    b"\x1a\x45\xdf\xa3",
    b"\x15\x49\xa9\x66",
    b"\xa3",
    b"\xe7",
)


def element(name: bytes, content: bytes, wide: int = 1, length: int | None = None, unknown: bool = False) -> bytes:
    """wide: bytes of the length. unknown: it is not said."""
    number = (1 << 7 * wide) - 1 if unknown else len(content) if length is None else length
    return name + (number | 1 << 7 * wide).to_bytes(wide, "big") + content


def cluster(*sizes: int, **how: int) -> bytes:
    return element(CLUSTER, element(TIME, b"\1") + b"".join(element(BLOCK, bytes(size), 2) for size in sizes), 2, **how)


HEAD = element(EBML, b"webm")
PARTS = element(INFO, b"information", 8) + cluster(30, 200) + cluster(7)
LIVE = HEAD + element(SEGMENT, PARTS, 8, unknown=True)
MATROSKA = {
    "whole": (HEAD + element(SEGMENT, PARTS, 8), False),
    "a length of a byte": (HEAD + element(SEGMENT, element(INFO, b"x" * 100)), False),
    "a byte short": ((HEAD + element(SEGMENT, PARTS, 8))[:-1], True),
    "live": (LIVE, False),
    "live and a byte short": (LIVE[:-1], True),
    "live and a length short": (LIVE[: LIVE.rindex(CLUSTER) + 4], True),
    "live and a name short": (LIVE[: LIVE.rindex(CLUSTER) + 3], True),
    "a live cluster": (HEAD + element(SEGMENT, element(CLUSTER, b"abc", unknown=True), 8, unknown=True), False),
    "zeros behind": (HEAD + element(SEGMENT, PARTS, 8) + bytes(50), False),
    "half an element behind": (HEAD + element(SEGMENT, PARTS, 8) + element(INFO, b"abc", length=50), False),
    "zeros inside": (HEAD + element(SEGMENT, PARTS + bytes(50), 8), True),
    "beyond the segment": (HEAD + element(SEGMENT, PARTS, 8, length=len(PARTS) - 1), False),
    "too long inside": (HEAD + element(SEGMENT, PARTS + element(INFO, b"a", length=90), 8), True),
    "no segment": (HEAD, False),
    "no segment, short": (HEAD[:-1], True),
    "zeros alone": (bytes(40), True),
    "nothing": (b"", False),
    "two segments": (HEAD + element(SEGMENT, PARTS, 8) + element(SEGMENT, PARTS, 8, length=9999), False),
}  # fmt: skip


@pytest.mark.parametrize("name", MATROSKA)
def test_a_matroska_file_ends_with_its_segment(tmp_path: Path, name: str) -> None:
    content, expected = MATROSKA[name]
    assert cut(tmp_path / "a", content, "matroska,webm") == expected


# AVI.


def chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*parts: bytes, name: bytes = b"AVI ", length: int | None = None) -> bytes:
    content = name + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(content) if length is None else length) + content


HEADERS, MOVIE, INDEX = (
    chunk(b"LIST", b"hdrl" + bytes(21)),
    chunk(b"LIST", b"movi" + bytes(50)),
    chunk(b"idx1", bytes(16)),
)
INDEXED = chunk(b"LIST", b"hdrlstrlindx" + bytes(20))
WHOLE = riff(HEADERS, MOVIE, INDEX)
AVI = {
    "whole": (WHOLE, False),
    "without an index": (riff(HEADERS, MOVIE), True),
    "with an index in its headers": (riff(INDEXED, MOVIE), False),
    "an index cut in two": (riff(HEADERS, MOVIE, INDEX)[:-2], True),
    "a byte short": (WHOLE[:-1], False),
    "no length": (riff(HEADERS, MOVIE, INDEX, length=0), True),
    "two parts": (WHOLE + riff(MOVIE, name=b"AVIX"), False),
    "two parts, the second short": ((WHOLE + riff(MOVIE, name=b"AVIX"))[:-2], True),
    "the index in the second": (riff(HEADERS, MOVIE) + riff(MOVIE, INDEX, name=b"AVIX"), False),
    "an index in neither": (riff(HEADERS, MOVIE) + riff(MOVIE, name=b"AVIX"), True),
    "something else behind": (WHOLE + b"JUNK" + bytes(20), False),
    "something else behind and no index": (riff(HEADERS, MOVIE) + b"JUNK" + bytes(20), True),
    "another kind behind it": (WHOLE + riff(MOVIE, name=b"WAVE") + riff(MOVIE, name=b"AVIX", length=9999), False),
    "index behind another kind": (riff(HEADERS, name=b"WAVE") + WHOLE, True),
    "a large header": (riff(chunk(b"LIST", b"x" * 4092 + b"indx"), MOVIE), False),
    "an index too far in a header": (riff(chunk(b"LIST", b"x" * 4093 + b"indx"), MOVIE), True),
    "an index that is none": (riff(chunk(b"JUNK", b"indx" + bytes(16)), MOVIE), True),
    "an odd part": (riff(HEADERS, chunk(b"JUNK", bytes(5)), MOVIE, INDEX), False),
    "an odd length": (riff(INDEX, b"odd") + b"\0" + riff(MOVIE, name=b"AVIX", length=9999), True),
    "an index beyond the end": (riff(HEADERS, length=4 + len(HEADERS)) + INDEX, True),
    "an empty index at the end": (riff(HEADERS, MOVIE, chunk(b"idx1", b"")), False),
    "too short": (b"RIFF" + bytes(7), True),
    "nothing": (b"", True),
}  # fmt: skip


@pytest.mark.parametrize("name", AVI)
def test_an_avi_file_has_an_index_and_whole_parts(tmp_path: Path, name: str) -> None:
    content, expected = AVI[name]
    assert cut(tmp_path / "a", content, "avi") == expected


@pytest.mark.parametrize("name", ["mpegts", "flv", "h264", "ogg"])
def test_of_other_formats_nothing_is_said(tmp_path: Path, name: str) -> None:
    assert not cut(tmp_path / "a", b"anything", name)


# Pictures that are there but could not be read.


def packets(*times: int) -> Packets:
    n = len(times)
    zeros = np.zeros(n, np.int64)
    flags = np.zeros(n, bool)
    return Packets(0, np.array(times, np.int64), zeros, zeros, zeros, zeros, flags, flags, np.zeros(n, np.int8), ())


@pytest.mark.parametrize(("name", "knows"), [("avi", True), ("mov,mp4", True), ("mpegts", False), ("matroska", False)])
def test_an_index_with_more_entries_than_packets_means_that_some_are_left(
    tmp_path: Path, name: str, knows: bool
) -> None:
    (tmp_path / "a").write_bytes(b"")
    for sizes, left in (([9, 9, 0], False), ([9, 9, 1], True), ([9, 0], False)):
        stream = Stream(index_entries=[Entry(size) for size in sizes])
        found = is_left(tmp_path / "a", stream, packets(0, 40), Declared(0, None, None), name)  # type: ignore[arg-type]
        assert found == (left and knows)


def left(
    path: Path, content: bytes, name: str, *times: int, own: float | None = None, base: Fraction | None = None
) -> bool:
    path.write_bytes(content)
    stream = Stream(time_base=base)
    return is_left(path, stream, packets(*times), Declared(0, own, own), name)  # type: ignore[arg-type]


DAMAGED = HEAD + element(SEGMENT, element(CLUSTER, b"\xa3\x82abc", 2), 8)


def test_a_file_is_only_looked_through_where_pictures_may_be_missing(tmp_path: Path) -> None:
    def found(*times: int, own: float | None = None, base: Fraction | None = None) -> bool:
        return left(tmp_path / "a", DAMAGED, "matroska,webm", *times, own=own, base=base)

    assert found()
    assert not found(0, 500, 1000)
    assert found(0, 501, 1000)
    assert not found(1000, 500, 0, UNKNOWN)
    assert not found(0, 501, base=Fraction(1, 1002))
    assert found(0, 501, base=Fraction(1, 1000))
    assert not found(0, 500, own=1.0)
    assert found(0, 500, own=1.001)
    assert not left(tmp_path / "a", DAMAGED, "mpegts")


ELEMENTS = {
    "whole": (HEAD + element(SEGMENT, PARTS, 8), False),
    "live": (LIVE, False),
    "live and cut, which is not looked at here": (LIVE[:-1], False),
    "behind the segment": (HEAD + element(SEGMENT, PARTS, 8) + b"\0junk", False),
    "zeros inside": (HEAD + element(SEGMENT, PARTS + b"\0junk", 8), True),
    "an element beyond the segment": (HEAD + element(SEGMENT, PARTS + element(INFO, b"a", length=9), 8), True),
    "an element up to the end": (HEAD + element(SEGMENT, PARTS + element(INFO, b"abc"), 8), False),
    "a cluster not filled": (HEAD + element(SEGMENT, element(CLUSTER, element(BLOCK, b"abc") + b"\0", 2), 8), True),
    "a block too long": (DAMAGED + PARTS, True),
    "a block of unknown length": (
        HEAD + element(SEGMENT, element(CLUSTER, element(BLOCK, b"abc", unknown=True)), 8), True
    ),
    "a live cluster": (HEAD + element(SEGMENT, element(CLUSTER, element(BLOCK, b"abc"), unknown=True), 8), False),
    "a live cluster with junk": (HEAD + element(SEGMENT, element(CLUSTER, b"\0abc", unknown=True), 8), True),
    "an empty cluster": (HEAD + element(SEGMENT, element(CLUSTER, b"") + PARTS, 8), False),
    "two segments": (HEAD + element(SEGMENT, PARTS, 8) + element(SEGMENT, PARTS, 8), True),
    "a segment that is too long": (HEAD + element(SEGMENT, PARTS, 8, length=len(PARTS) + 90), False),
    "the second cluster": (HEAD + element(SEGMENT, cluster(3) + element(CLUSTER, b"\xa3\x82a", 2), 8), True),
}  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTS)
def test_clusters_are_made_of_whole_elements(tmp_path: Path, name: str) -> None:
    content, expected = ELEMENTS[name]
    assert left(tmp_path / "a", content, "matroska,webm") == expected


def tag(size: int, said: int | None = None, kind: int = 9) -> bytes:
    return (
        bytes([kind])
        + size.to_bytes(3, "big")
        + bytes(7 + size)
        + (11 + size if said is None else said).to_bytes(4, "big")
    )


def flv(*tags: bytes, head: int = 9) -> bytes:
    return b"FLV\1\5" + head.to_bytes(4, "big") + bytes(head - 9) + bytes(4) + b"".join(tags)


FLASH = {
    "whole": (flv(tag(30), tag(0), tag(300)), False),
    "a longer head": (flv(tag(30), tag(300), head=13), False),
    "lengths left out": (flv(tag(30, 0), tag(300, 0)), False),
    "the first is wrong": (flv(tag(30, 42), tag(300)), True),
    "the last is wrong": (flv(tag(30), tag(300, 310)), True),
    "half a tag at the end": (flv(tag(30), tag(300))[:-300], False),
    "less than a tag at the end": (flv(tag(30), bytes([9, 0, 0, 9]) + bytes(10)), False),
    "as much as a tag at the end": (flv(tag(30), bytes([9, 0, 0, 9]) + bytes(11) + b"x" * 20), True),
    "the end comes first": (flv(tag(30))[:-5], False),
}


@pytest.mark.parametrize("name", FLASH)
def test_behind_each_tag_of_a_flash_video_stands_its_length(tmp_path: Path, name: str) -> None:
    content, expected = FLASH[name]
    assert left(tmp_path / "a", content, "flv") == expected
