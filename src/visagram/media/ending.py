"""Does a file end where it says? Where it was cut off, how much is missing?"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from visagram.core.types import ResultWarning

MOST_PARTS = 1_000_000
SEGMENT, CLUSTER, UNKNOWN_SIZE = 0x18538067, 0x1F43B675, -1
GIF_END = b"\x3b"
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


def cut_off(path: Path, format: str, said: Declared, frames: int, seconds: float, rate: float) -> ResultWarning | None:
    """A warning where the file was cut off. frames, seconds: what is there. rate: frames a second."""
    if not is_cut(path, format):
        return None
    expected, known = said.frames, said.frames > frames
    if not known and said.seconds is not None:
        expected = round(said.seconds * rate)
    if said.seconds is None or expected <= frames:
        message = "The file was cut off: its end or its index is missing. How much is missing cannot be told."
        return ResultWarning("file_cut_off", message)
    counted = f"{frames} of {'' if known else 'about '}{expected} frames"
    message = f"The file was cut off: {counted} and {seconds:.2f} of {said.seconds:.2f} s are there."
    return ResultWarning("file_cut_off", message, expected - frames, round(max(0.0, said.seconds - seconds), 3))


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
            if format == "gif":
                file.seek(max(0, size - 16))
                return GIF_END not in file.read()
        except (struct.error, ValueError):
            return True
    return False


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each top-level box of an MP4 file, by its own word."""
    position = 0
    for _ in range(MOST_PARTS):
        if position >= size:
            return
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            yield b"", size + 1
            return
        length, kind = struct.unpack(">I4s", head[:8])
        if length == 1:
            length = struct.unpack(">Q", head[8:16])[0]
        if length == 0:
            return
        if length < 8 or not kind.isascii():
            # What follows the last box is no box: junk that players skip too.
            return
        position += length
        yield kind, position


def _ebml_is_cut(file: BinaryIO, size: int) -> bool:
    position = 0
    inside = False
    for _ in range(MOST_PARTS):
        if position >= size:
            return False
        file.seek(position)
        name, length, begin = _element(file.read(16))
        if name == SEGMENT and not inside:
            inside = True
            if length != UNKNOWN_SIZE and position + begin + length > size:
                return True
            position += begin
            continue
        if length == UNKNOWN_SIZE:
            return False
        position += begin + length
        if position > size:
            return True
    return False


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
