"""Discontinuities that a transport stream marks, in packets made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from visagram.media.transport import discontinuities

PID = 0x1234 & 0x1FFF


def packet(
    pid: int = PID, flags: int = 0x20, length: int = 7, adaptation: int = 0x80, sync: int = 0x47, size: int = 188
) -> bytes:
    """One that marks a discontinuity of its stream unless it is told otherwise."""
    # Bits around the number are set, and what is around the packet is no sync byte.
    content = bytes([sync, 0xE0 | pid >> 8, pid & 255, flags | 0x1F, length, adaptation]).ljust(188, b"\1")
    return content.ljust(size, b"\2") if size == 204 else bytes(size - 188) + content


def plain(count: int, size: int = 188) -> list[bytes]:
    return [packet(adaptation=0x7F & ~0x10, size=size) for _ in range(count)]


def found(path: Path, content: bytes, pid: int = PID) -> list[int]:
    path.write_bytes(content)
    return discontinuities(path, pid, lambda: None).tolist()


@pytest.mark.parametrize("size", [188, 192, 204])
@pytest.mark.parametrize("junk", [0, 1, 100])
def test_marked_packets_of_the_stream_are_found_in_each_packing(tmp_path: Path, size: int, junk: int) -> None:
    around = 4 if size == 192 else 0
    content = [*plain(2, size), packet(size=size), *plain(3, size), packet(size=size), *plain(1, size)]
    places = [junk + around + size * 2, junk + around + size * 6]
    assert found(tmp_path / "a", b"\3" * junk + b"".join(content)) == places
    assert found(tmp_path / "a", b"\3" * junk + b"".join(content) + b"\x47" * 100) in (places, []), "half a packet"
    assert found(tmp_path / "a", b"\3" * junk + b"".join(content), pid=PID - 1) == []


@pytest.mark.parametrize(
    ("how", "counts"),
    [
        ({}, True),
        ({"length": 1}, True),
        ({"length": 0}, False),
        ({"flags": 0}, False),
        ({"adaptation": 0x00}, False),
        ({"adaptation": 0x40}, False),
        ({"adaptation": 0xFF}, True),
        ({"pid": PID + 1}, False),
        ({"pid": PID ^ 0x100}, False),
        ({"pid": PID ^ 0x1000}, False),
        ({"pid": 5, "adaptation": 0x90}, True),
        ({"pid": 5, "adaptation": 0x10}, False),
        ({"pid": 5, "adaptation": 0xEF}, False),
    ],
    ids=str,
)
def test_what_marks_a_discontinuity(tmp_path: Path, how: dict[str, int], counts: bool) -> None:
    content = b"".join([*plain(5), packet(**how), *plain(5)])
    assert found(tmp_path / "a", content) == ([188 * 5] if counts else [])


def test_a_packet_without_a_sync_byte_says_nothing(tmp_path: Path) -> None:
    head = plain(60)
    content = b"".join([*head, packet(sync=0x46), packet(), *plain(5)])
    assert found(tmp_path / "a", content) == [188 * 61]


@pytest.mark.parametrize(("count", "enough"), [(4, False), (5, True)])
def test_five_packets_tell_a_packing(tmp_path: Path, count: int, enough: bool) -> None:
    assert found(tmp_path / "a", b"".join(packet() for _ in range(count))) == [188 * k for k in range(count) if enough]
    assert found(tmp_path / "a", b"") == []
    assert found(tmp_path / "a", bytes(5000)) == []


def test_a_long_file_is_read_in_parts(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"".join([*plain(1 << 16), packet(), *plain(2), packet()]))
    parts = []
    marks = discontinuities(tmp_path / "a", PID, lambda: parts.append(1)).tolist()
    assert marks == [188 * (1 << 16), 188 * ((1 << 16) + 3)]
    assert len(parts) == 2
