"""Timestamps and indexes of written files changed byte by byte: what cameras, networks and editors do wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import av

TS = 188


def ts_times(path: Path, pid: int = 256) -> list[tuple[int, int | None, int | None]]:
    """Byte, PTS and DTS of each PES packet of a transport stream's video."""
    content = path.read_bytes()
    return [(at, *_stamps(content, at)) for at in _pes(content, pid)]


def set_ts_times(path: Path, times: Mapping[int, int | None], pid: int = 256) -> Path:
    """Give the PES packets with these numbers (in the order stored) another PTS; None takes it away. Both PTS and DTS
    of a packet move by the same amount."""
    content = bytearray(path.read_bytes())
    for number, at in enumerate(_pes(content, pid)):
        if number not in times:
            continue
        wanted = times[number]
        flags = content[at + 7] >> 6
        if wanted is None:
            content[at + 7] &= 0x3F
            for k in range(5 if flags == 2 else 10):
                content[at + 9 + k] = 0xFF
            continue
        pts, dts = _stamps(content, at)
        assert pts is not None
        content[at + 9 : at + 14] = _coded(wanted % (1 << 33), content[at + 9] >> 4)
        if flags == 3 and dts is not None:
            content[at + 14 : at + 19] = _coded((dts + wanted - pts) % (1 << 33), 1)
    path.write_bytes(content)
    return path


def shift_ts(path: Path, ticks: int, pid: int = 256) -> Path:
    """Move every PTS and DTS of a transport stream."""
    times = {k: (pts or 0) + ticks for k, (_, pts, _) in enumerate(ts_times(path, pid)) if pts is not None}
    return set_ts_times(path, times, pid)


def mark_discontinuity(content: bytes, pid: int = 256) -> bytes:
    """A transport stream whose first video packet with an adaptation field says that its clock is a new one."""
    changed = bytearray(content)
    for start in range(0, len(changed), TS):
        number = (changed[start + 1] & 31) << 8 | changed[start + 2]
        if number == pid and changed[start + 3] & 0x20 and changed[start + 4]:
            changed[start + 5] |= 0x80
            return bytes(changed)
    raise AssertionError("no packet has an adaptation field")


def _pes(content: bytes | bytearray, pid: int) -> Iterator[int]:
    """Where the video's PES packets begin."""
    for start in range(0, len(content), TS):
        number = (content[start + 1] & 31) << 8 | content[start + 2]
        if number == pid and content[start + 1] & 0x40:
            yield start + 4 + (content[start + 4] + 1 if content[start + 3] & 0x20 else 0)


def _stamps(content: bytes | bytearray, at: int) -> tuple[int | None, int | None]:
    flags = content[at + 7] >> 6
    pts = _decoded(content[at + 9 : at + 14]) if flags & 2 else None
    return pts, _decoded(content[at + 14 : at + 19]) if flags == 3 else pts


def _decoded(five: bytes | bytearray) -> int:
    return (five[0] >> 1 & 7) << 30 | (five[1] << 8 | five[2]) >> 1 << 15 | (five[3] << 8 | five[4]) >> 1


def _coded(value: int, mark: int) -> bytes:
    high, middle, low = value >> 30 & 7, value >> 15 & 0x7FFF, value & 0x7FFF
    return bytes([mark << 4 | high << 1 | 1]) + struct.pack(">HH", middle << 1 | 1, low << 1 | 1)


def set_mkv_times(path: Path, moves: Mapping[int, int]) -> Path:
    """Move the blocks with these numbers (in the order stored) of a Matroska file by so many of its ticks."""
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number, ticks in moves.items():
        # The element's name, its length, the track's number in one byte, then the time within the cluster.
        at = content.index(b"\x81", places[number]) + 1
        (time,) = struct.unpack(">h", content[at : at + 2])
        content[at : at + 2] = struct.pack(">h", time + ticks)
    path.write_bytes(content)
    return path


def set_flv_times(path: Path, moves: Mapping[int, int]) -> Path:
    """Move the video tags with these numbers of a Flash file by so many milliseconds. The first tag, which holds the
    headers, does not count."""
    content = bytearray(path.read_bytes())
    at, number = 13, -1
    while at + 11 < len(content):
        size = int.from_bytes(content[at + 1 : at + 4], "big")
        if content[at] == 9:
            if number in moves:
                time = int.from_bytes(content[at + 7 : at + 8] + content[at + 4 : at + 7], "big", signed=True)
                moved = (time + moves[number]).to_bytes(4, "big", signed=True)
                content[at + 4 : at + 8] = moved[1:] + moved[:1]
            number += 1
        at += 11 + size + 4
    path.write_bytes(content)
    return path


def boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each MP4 box between two bytes, headers included."""
    while start + 8 <= end:
        size, name = struct.unpack(">I4s", content[start : start + 8])
        yield name, start, start + size
        start += size


def box(content: bytes, *names: bytes) -> tuple[int, int]:
    """Where the content of a nested MP4 box begins and ends."""
    start, end = 0, len(content)
    for name in names:
        found = next((b, e) for n, b, e in boxes(content, start, end) if n == name)
        start, end = found[0] + 8, found[1]
    return start, end


def set_mp4_deltas(path: Path, deltas: list[int]) -> Path:
    """Give the samples of an MP4 file's only track, which is written without reordering, these lengths in its ticks.
    The table must have room: it is written for as many different lengths."""
    content = bytearray(path.read_bytes())
    start, end = box(bytes(content), b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")
    rows: list[list[int]] = []
    for delta in deltas:
        if rows and rows[-1][1] == delta:
            rows[-1][0] += 1
        else:
            rows.append([1, delta])
    table = struct.pack(">II", 0, len(rows)) + b"".join(struct.pack(">II", *row) for row in rows)
    assert len(table) <= end - start, "the file was written with fewer different lengths"
    content[start : start + len(table)] = table
    content[start + len(table) : end] = bytes(end - start - len(table))
    path.write_bytes(content)
    return path


def h264_units(content: bytes) -> list[bytes]:
    """NAL units between start codes."""
    parts = content.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts[1:] if part]


def without_usability(sequence: bytes) -> bytes:
    """An H.264 sequence parameter set without the part that says how many pictures are held back for reordering."""
    bits = "".join(f"{byte:08b}" for byte in sequence[1:].replace(b"\0\0\3", b"\0\0"))
    at = 24

    def golomb() -> int:
        nonlocal at
        zeros = bits.index("1", at) - at
        value = int(bits[at + zeros : at + 2 * zeros + 1], 2) - 1
        at += 2 * zeros + 1
        return value

    golomb()
    if sequence[1] in (100, 110, 122, 244):
        golomb(), golomb(), golomb()
        at += 2
    golomb()
    if golomb() == 0:
        golomb()
    golomb()
    at += 1
    golomb(), golomb()
    at += 1 if bits[at] == "1" else 2
    at += 1
    cropped, at = bits[at] == "1", at + 1
    if cropped:
        golomb(), golomb(), golomb(), golomb()
    assert bits[at] == "1"
    kept = bits[:at] + "01"
    kept += "0" * (-len(kept) % 8)
    return sequence[:1] + int(kept, 2).to_bytes(len(kept) // 8, "big")
