"""Does a file end where it says? Where it was cut off, how much is missing?"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from visagram.core.segments import UNKNOWN
from visagram.core.types import ResultWarning
from visagram.media.packets import Packets

MOST_PARTS = 1_000_000
GIF_IMAGE, GIF_EXTENSION, GIF_END = b"\x2c\x21\x3b"
MOST_GIF = 1 << 26
"""Bytes of a GIF that are looked through."""
FLV_KINDS = (b"\x08", b"\x09", b"\x12")
"""What a tag holds: sound, a picture, or data."""
HOLE = 0.5
"""Seconds without a picture that make one look whether some were lost."""
SEGMENT, CLUSTER, UNKNOWN_SIZE = 0x18538067, 0x1F43B675, -1
BOXES = frozenset(
    b"ftyp moov mdat free skip wide moof mfra sidx ssix styp pdin udta meta uuid emsg prft pnot PICT junk".split()
)
"""Kinds of boxes that lie at the top of an MP4 file."""
_TIME = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a file says of a stream in advance. frames: 0 where it does not say. own: seconds by the stream itself, None
    where it does not say. seconds: by that or, failing that, by the container."""

    frames: int
    own: float | None
    seconds: float | None


def declared(container: InputContainer, stream: VideoStream) -> Declared:
    """How many frames and seconds the stream or its container names in advance."""
    tags = {name.upper(): value for name, value in stream.metadata.items()}
    number = tags.get("NUMBER_OF_FRAMES", "")
    frames = stream.frames or (int(number) if number.isdecimal() else 0)
    whole = container.duration / av.time_base if container.duration else None
    own = float(stream.duration * (stream.time_base or 0)) if stream.duration else None
    if container.format.name == "avi" and frames and stream.average_rate:
        # FFmpeg estimates the duration of a file without its index from its size.
        own = float(frames / stream.average_rate)
    if own is None and (found := _TIME.match(tags.get("DURATION", ""))):
        hours, minutes, seconds = found.groups()
        own = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        if whole is not None and own > whole + 0.5:
            # The tag of a longer file, from which this one was cut.
            own = None
    return Declared(frames, own, whole if own is None else own)


def cut_off(said: Declared, frames: int, seconds: float, rate: float) -> ResultWarning:
    """The warning where a part of the file is missing. frames, seconds: what is there. rate: frames a second."""
    expected, known = said.frames, said.frames > frames
    if not known and said.seconds is not None:
        expected = round(said.seconds * rate)
    what = "The file was cut off or is damaged"
    if said.seconds is None or expected <= frames:
        message = f"{what}: its end, its index or a part of it is missing. How much is missing cannot be told."
        return ResultWarning("file_cut_off", message)
    counted = f"{frames} of {'' if known else 'about '}{expected} frames"
    message = f"{what}: {counted} and {seconds:.2f} of {said.seconds:.2f} s are there."
    return ResultWarning("file_cut_off", message, expected - frames, round(max(0.0, said.seconds - seconds), 3))


def is_left(path: Path, stream: VideoStream, packets: Packets, said: Declared, format: str) -> bool:
    """Whether the file holds, by its own word, pictures of the stream that could not be read."""
    if format == "avi" or format.startswith("mov"):
        return sum(entry.size > 0 for entry in stream.index_entries) > len(packets)
    walk = {"matroska,webm": _ebml_is_damaged, "flv": _flv_is_damaged}.get(format)
    if walk and _has_hole(packets, said, stream.time_base or Fraction(1, 1000)):
        with path.open("rb") as file:
            return walk(file, path.stat().st_size)
    return False


def _has_hole(packets: Packets, said: Declared, base: Fraction) -> bool:
    """Whether pictures may be missing in the middle or at the end."""
    times = np.sort(packets.pts[packets.pts != UNKNOWN]) * float(base)
    if not len(times):
        return True
    return bool((np.diff(times) > HOLE).any()) or (said.own is not None and said.own - times[-1] > HOLE)


def is_cut(path: Path, format: str) -> bool:
    """Whether a part of the file is longer than the file, or its last part is missing. format: FFmpeg's name for it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            if format.startswith("mov"):
                return any(end > size for _, end in _boxes(file, size))
            if format.startswith("matroska"):
                return _ebml_is_cut(file, size)
            if format == "avi":
                return _riff_is_cut(file, size)
            if format == "flv":
                return _flv_is_cut(file, size)
            if format == "gif":
                return _gif_is_cut(file, size)
        except (struct.error, ValueError):
            return True
    return False


def _gif_is_cut(file: BinaryIO, size: int) -> bool:
    """Blocks up to the trailer (GIF89a)."""
    content = file.read(min(size, MOST_GIF))
    position = 13 + (3 << (content[10] & 7) + 1 if content[10] & 128 else 0) if size > 13 else size
    while position < len(content):
        kind = content[position]
        if kind == GIF_END:
            return False
        if kind == GIF_IMAGE and position + 9 < len(content):
            position += 11 + (3 << (content[position + 9] & 7) + 1 if content[position + 9] & 128 else 0)
        elif kind == GIF_EXTENSION:
            position += 2
        else:
            return True
        while position < len(content) and content[position]:
            position += content[position] + 1
        position += 1
    return len(content) == size


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each top-level box of an MP4 file, by its own word."""
    position = 0
    for _ in range(MOST_PARTS):
        if position >= size:
            return
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            # A few bytes behind the last box are no box.
            return
        length, kind = struct.unpack(">I4s", head[:8])
        if length == 1:
            length = struct.unpack(">Q", head[8:16])[0]
        if length == 0:
            return
        if length < 8 or kind not in BOXES:
            # What follows the last box is no box: junk that players skip too.
            return
        position += length
        yield kind, position


def _ebml_is_cut(file: BinaryIO, size: int) -> bool:
    position, end = 0, 0
    for _ in range(MOST_PARTS):
        if position >= size:
            return False
        file.seek(position)
        try:
            name, length, begin = _element(file.read(16))
        except ValueError:
            # Junk behind the segment is none of its parts.
            return not end or position < end
        if name == SEGMENT and not end:
            end = size if length == UNKNOWN_SIZE else position + begin + length
            if end > size:
                return True
            position += begin
            continue
        if length == UNKNOWN_SIZE:
            return False
        position += begin + length
        if position > size:
            return not end or position - begin - length < end
    return False


def _ebml_is_damaged(file: BinaryIO, size: int) -> bool:
    """Whether the parts of a Matroska file with pictures and sound are not made of whole elements."""
    position, end = 0, 0
    for _ in range(MOST_PARTS):
        if position >= size:
            return False
        file.seek(position)
        try:
            name, length, begin = _element(file.read(16))
        except ValueError:
            return position < end
        if position >= end > 0:
            # Of a second segment nothing is read; junk behind the first is none of its parts.
            return name == SEGMENT
        if length != UNKNOWN_SIZE and name not in (SEGMENT, CLUSTER):
            position += begin + length
            if position > end > 0:
                return True
            continue
        position += begin
        if name == SEGMENT and not end:
            end = size if length == UNKNOWN_SIZE else position + length
        if name == CLUSTER and length != UNKNOWN_SIZE and (position := _behind(file, position, position + length)) < 0:
            return True
    return False


def _behind(file: BinaryIO, position: int, end: int) -> int:
    """The end of a cluster whose content begins at `position`, -1 where its elements do not fill it."""
    for _ in range(MOST_PARTS):
        if position >= end:
            break
        file.seek(position)
        try:
            _, length, begin = _element(file.read(16))
        except ValueError:
            return -1
        if length == UNKNOWN_SIZE:
            return -1
        position += begin + length
    return end if position == end else -1


def _flv_tags(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int]]:
    """Of each tag of a Flash video its end, its length, and the length that stands behind it, 0 where nothing does.
    They end before what is no tag, as junk behind a whole file."""
    position = int.from_bytes(file.read(9)[5:9], "big") + 4
    for _ in range(MOST_PARTS):
        if position >= size:
            return
        file.seek(position)
        head = file.read(11)
        if head[:1] not in FLV_KINDS or any(head[8:]):
            return
        length = 11 + int.from_bytes(head[1:4], "big")
        position += length
        file.seek(position)
        yield position, length, int.from_bytes(file.read(4), "big")
        position += 4


def _flv_is_cut(file: BinaryIO, size: int) -> bool:
    return any(end > size for end, _, _ in _flv_tags(file, size))


def _flv_is_damaged(file: BinaryIO, size: int) -> bool:
    return any(end + 4 <= size and said not in (0, length) for end, length, said in _flv_tags(file, size))


def _element(head: bytes) -> tuple[int, int, int]:
    """Name, length and start of the content of an EBML element (RFC 8794). Raises `ValueError`."""
    if not head or not head[0]:
        raise ValueError("no element")
    wide = 9 - head[0].bit_length()
    name = int.from_bytes(head[:wide], "big")
    if len(head) <= wide or not head[wide]:
        raise ValueError("no length")
    long = 9 - head[wide].bit_length()
    content = head[wide : wide + long]
    if len(content) < long:
        raise ValueError("no length")
    length = int.from_bytes(content, "big") & ((1 << 7 * long) - 1)
    return name, UNKNOWN_SIZE if length == (1 << 7 * long) - 1 else length, wide + long


def _riff_is_cut(file: BinaryIO, size: int) -> bool:
    """A part ends beyond the file, or no index follows or precedes the pictures."""
    position, index = 0, False
    while position + 12 <= size:
        file.seek(position)
        kind, length, name = struct.unpack("<4sI4s", file.read(12))
        if kind != b"RIFF":
            return not index
        end = position + 8 + length
        if end > size + 1 or not length:
            return True
        index = index or _has_index(file, position + 12, end)
        position = end + length % 2
        if name not in (b"AVI ", b"AVIX"):
            break
    return not index


def _has_index(file: BinaryIO, position: int, end: int) -> bool:
    for _ in range(MOST_PARTS):
        if position + 8 > end:
            return False
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"idx1" or (kind == b"LIST" and b"indx" in file.read(min(length, 4096))):
            return True
        position += 8 + length + length % 2
    return False
