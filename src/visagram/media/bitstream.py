"""What a coded packet holds, read from its headers without decoding it: a picture, half of one, or none.

A packet is not a picture. Field-coded H.264 and MPEG-2 spread one picture over two packets; VP8, VP9 and MPEG-4 have
packets that show nothing. The shape of the picture, too, is in the headers and may change from one key frame to the
next. Sources: ITU-T H.264 (7.3), H.262 (6.2), ISO/IEC 14496-2 (6.2.5), RFC 6386 (9.1), the VP9 bitstream (6.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import av


class Holds(IntEnum):
    """What a packet contributes."""

    PICTURE = 0
    SECOND_FIELD = 1
    NOTHING = 2


class Bits:
    """Reads a byte string bit by bit; past its end everything is zero."""

    def __init__(self, content: bytes) -> None:
        self._value, self._left = int.from_bytes(content, "big"), 8 * len(content)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            return (self._value << -self._left) & ((1 << count) - 1) if -self._left < count else 0
        return (self._value >> self._left) & ((1 << count) - 1)

    def golomb(self) -> int:
        """An unsigned Exp-Golomb code."""
        zeros = 0
        while self._left > 0 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + (self.read(min(zeros, 32)) if zeros else 0)

    def signed_golomb(self) -> int:
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


class Fields:
    """Pairs fields into pictures. A field follows its first one at once, in the other parity and with its number."""

    def __init__(self) -> None:
        self._open: tuple[int, int] | None = None

    def see(self, parities: set[int], number: int) -> Holds:
        """parities: of the fields in a packet: 1 top, 2 bottom, 3 a whole frame. number: what both fields share."""
        if parities & {3} or len(parities) != 1:
            self._open = None
            return Holds.PICTURE
        (parity,) = parities
        if self._open == (3 - parity, number):
            self._open = None
            return Holds.SECOND_FIELD
        self._open = (parity, number)
        return Holds.PICTURE


class Reader:
    """Reads the packets of one stream in order. extradata: the stream's global headers.

    `signature` tells one shape of picture from another: bytes of the headers that say it, kept until others come.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self.signature = b""
        kind = _READERS.get(codec)
        self._codec = kind(extradata or b"") if kind else None

    def read(self, packet: av.Packet[Any]) -> Holds:
        if packet.is_keyframe and packet.has_sidedata("new_extradata"):
            fresh = bytes(packet.get_sidedata("new_extradata"))
            self.signature = fresh
            if self._codec:
                self._codec.headers(fresh)
        if self._codec is None:
            return Holds.PICTURE
        holds, signature = self._codec.read(packet)
        self.signature = signature or self.signature
        return holds


class _Codec:
    """A codec's headers."""

    def __init__(self, extradata: bytes) -> None:
        self.headers(extradata)

    def headers(self, extradata: bytes) -> None:
        """Global headers."""

    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        """What the packet holds, and the bytes that say the picture's shape; none where it does not say."""
        raise NotImplementedError


def units(content: bytes, length: int | None, most: int | None = None) -> Iterator[bytes]:
    """NAL units of a packet: each behind its length in `length` bytes, or between start codes. most: bytes of each
    that are wanted."""
    if length:
        position = 0
        while position + length < len(content):
            size = int.from_bytes(content[position : position + length], "big")
            position += length
            yield content[position : position + min(size, most or size)]
            position += size
        return
    position = content.find(b"\0\0\1")
    while position >= 0:
        after = content.find(b"\0\0\1", position + 3)
        end = len(content) if after < 0 else after
        yield content[position + 3 : min(end, position + 3 + most) if most else end]
        position = after


def unescaped(unit: bytes) -> bytes:
    """A NAL unit without its emulation prevention bytes."""
    return unit.replace(b"\0\0\3", b"\0\0")


ORIENTATION = 47
"""The SEI message that turns the picture for display."""


def _orientation(messages: bytes) -> bytes:
    """The message that turns the picture, out of a unit of supplemental enhancement information."""
    content, position = unescaped(messages), 0
    while position + 2 < len(content):
        head = [0, 0]
        for k in (0, 1):
            while position < len(content) and content[position] == 255:
                head[k], position = head[k] + 255, position + 1
            head[k] += content[position] if position < len(content) else 0
            position += 1
        kind, size = head
        if kind == ORIENTATION:
            return bytes([kind]) + content[position : position + size]
        position += size
    return b""


MOST_SEQUENCE_SETS, MOST_PICTURE_SETS = 31, 255
"""The largest numbers that H.264 allows; others mean harm."""


class _H264(_Codec):
    _HEADER = 48

    def __init__(self, extradata: bytes) -> None:
        self._length: int | None = None
        # By number of a picture parameter set, its sequence's; by that: bits of frame_num, separate planes, fields.
        self._pictures: dict[int, int] = {}
        self._sequences: dict[int, tuple[int, bool, bool]] = {}
        self._interlaced = False
        self._fields = Fields()
        super().__init__(extradata)

    def headers(self, extradata: bytes) -> None:
        if extradata[:1] == b"\1" and len(extradata) > 6:
            self._length = (extradata[4] & 3) + 1
            position, sets = 5, []
            for mask in (31, 255):
                count = extradata[position] & mask if position < len(extradata) else 0
                position += 1
                for _ in range(count):
                    size = int.from_bytes(extradata[position : position + 2], "big")
                    sets.append(extradata[position + 2 : position + 2 + size])
                    position += 2 + size
        else:
            sets = list(units(extradata, None))
        for unit in sets:
            self._learn(unit)

    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        if not self._interlaced and not packet.is_keyframe:
            return Holds.PICTURE, b""
        signature, slices = list[bytes](), list[bytes]()
        for unit in units(bytes(packet), self._length, None if packet.is_keyframe else self._HEADER):
            kind = unit[0] & 31 if unit else 0
            if kind in (7, 8):
                self._learn(unit)
                signature.append(unit if kind == 7 else b"")
            elif kind == 6:
                signature.append(_orientation(unit[1:]))
            elif kind in (1, 5):
                slices.append(unit[: self._HEADER])
                if not self._interlaced:
                    break
        return self._paired(slices), b"".join(signature)

    def _paired(self, slices: list[bytes]) -> Holds:
        parities, number = set(), 0
        for unit in slices:
            bits = Bits(unescaped(unit[1:]))
            bits.golomb(), bits.golomb()
            length, separate, fields = self._sequences.get(self._pictures.get(bits.golomb(), -1), (0, False, False))
            if not fields:
                return self._fields.see({3}, 0)
            if separate:
                bits.read(2)
            number = bits.read(length)
            parities.add(1 + bits.read(1) if bits.read(1) else 3)
        return self._fields.see(parities, number) if parities else Holds.NOTHING if slices else Holds.PICTURE

    def _learn(self, unit: bytes) -> None:
        """Keep what a parameter set says about slice headers."""
        if not unit:
            return
        bits = Bits(unescaped(unit[1:512]))
        if unit[0] & 31 == 8:
            picture = bits.golomb()
            if picture <= MOST_PICTURE_SETS:
                self._pictures[picture] = bits.golomb()
        elif unit[0] & 31 == 7:
            profile = bits.read(8)
            bits.read(16)
            number, separate = bits.golomb(), False
            if profile in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135):
                chroma = bits.golomb()
                separate = chroma == 3 and bool(bits.read(1))
                bits.golomb(), bits.golomb(), bits.read(1)
                if bits.read(1):
                    self._skip_scaling(bits, 8 if chroma != 3 else 12)
            length = bits.golomb() + 4
            order = bits.golomb()
            if order == 0:
                bits.golomb()
            elif order == 1:
                bits.read(1), bits.golomb(), bits.golomb()
                for _ in range(min(bits.golomb(), 255)):
                    bits.golomb()
            bits.golomb(), bits.read(1), bits.golomb(), bits.golomb()
            if number <= MOST_SEQUENCE_SETS:
                self._sequences[number] = (length, separate, not bits.read(1))
                self._interlaced = any(fields for _, _, fields in self._sequences.values())

    @staticmethod
    def _skip_scaling(bits: Bits, count: int) -> None:
        for k in range(count):
            if not bits.read(1):
                continue
            last = following = 8
            for _ in range(16 if k < 6 else 64):
                if following:
                    following = (last + bits.signed_golomb()) % 256
                last = following or last


class _Hevc(_Codec):
    _SEQUENCE, _SEI = 33, 39

    def headers(self, extradata: bytes) -> None:
        self._length = (extradata[21] & 3) + 1 if len(extradata) > 22 and extradata[:3] != b"\0\0\1" else None
        if extradata[:4] == b"\0\0\0\1":
            self._length = None

    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        signature = list[bytes]()
        if packet.is_keyframe:
            for unit in units(bytes(packet), self._length):
                kind = unit[0] >> 1 & 63 if unit else 0
                if kind < 32:
                    break
                if kind == self._SEQUENCE:
                    signature.append(unit)
                elif kind == self._SEI:
                    signature.append(_orientation(unit[2:]))
        return Holds.PICTURE, b"".join(signature)


class _Mpeg2(_Codec):
    """MPEG-1 too, which knows no fields and has no extension to say so."""

    def __init__(self, extradata: bytes) -> None:
        self._fields = Fields()
        super().__init__(extradata)

    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        content = bytes(packet)
        start = content.find(b"\0\0\1\xb3")
        signature = content[start + 4 : start + 8] if start >= 0 else b""
        parities, number, position = set(), 0, content.find(b"\0\0\1\0")
        if position < 0:
            return Holds.NOTHING, signature
        while position >= 0:
            number = int.from_bytes(content[position + 4 : position + 6], "big") >> 6
            after = content.find(b"\0\0\1\0", position + 4)
            extension = content.find(b"\0\0\1\xb5", position, after if after >= 0 else len(content))
            coding = extension >= 0 and content[extension + 4 : extension + 5].startswith(
                tuple(bytes([0x80 | low]) for low in range(16))
            )
            parities.add(content[extension + 6] & 3 if coding and extension + 6 < len(content) else 3)
            position = after
        return self._fields.see(parities, number), signature


class _Mpeg4(_Codec):
    """A VOP that is not coded shows the one before once more, unless the packet before held two."""

    _SMALL = 24

    def __init__(self, extradata: bytes) -> None:
        self._resolution, self._waiting = 1, 0
        super().__init__(extradata)

    def headers(self, extradata: bytes) -> None:
        position = _layer(extradata)
        if position >= 0:
            self._resolution = _resolution(extradata[position + 4 : position + 64]) or self._resolution

    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        content = bytes(packet)
        signature = b""
        layer = _layer(content) if packet.is_keyframe else -1
        if layer >= 0:
            self.headers(content)
            signature = content[layer : content.find(b"\0\0\1", layer + 4)]
        pictures = content.count(b"\0\0\1\xb6")
        if packet.size <= self._SMALL and not self._coded(content):
            held = self._waiting > 0
            self._waiting = max(0, self._waiting - 1)
            return Holds.PICTURE if held else Holds.NOTHING, signature
        self._waiting = max(0, pictures - 1) or self._waiting
        return Holds.PICTURE, signature

    def _coded(self, content: bytes) -> bool:
        start = content.find(b"\0\0\1\xb6")
        if start < 0:
            return False
        bits = Bits(content[start + 4 :])
        bits.read(2)
        while bits.read(1):
            pass
        bits.read(1), bits.read((self._resolution - 1).bit_length() or 1), bits.read(1)
        return bool(bits.read(1))


def _layer(content: bytes) -> int:
    """Where a video object layer begins in MPEG-4, -1 where there is none."""
    position = content.find(b"\0\0\1")
    while position >= 0:
        if content[position + 3 : position + 4] and 0x20 <= content[position + 3] <= 0x2F:
            return position
        position = content.find(b"\0\0\1", position + 3)
    return -1


def _resolution(layer: bytes) -> int:
    """Ticks a second of an MPEG-4 video object layer, 0 where its header is of an unusual kind."""
    bits = Bits(layer)
    bits.read(9)
    version = 1
    if bits.read(1):
        version = bits.read(4)
        bits.read(3)
    if bits.read(4) == 15:
        bits.read(16)
    if bits.read(1):
        bits.read(3)
        if bits.read(1):
            bits.read(79)
    if bits.read(2) != 0 or version > 5:
        return 0
    bits.read(1)
    return bits.read(16)


class _Vp8(_Codec):
    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        head = bytes(memoryview(packet)[:10])
        if not head:
            return Holds.NOTHING, b""
        signature = head[3:] if not head[0] & 1 else b""
        return Holds.PICTURE if head[0] >> 4 & 1 else Holds.NOTHING, signature


class _Vp9(_Codec):
    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        view = memoryview(packet)
        if not len(view):
            return Holds.NOTHING, b""
        bits = Bits(bytes(view[:2]))
        bits.read(2)
        profile = bits.read(1) | bits.read(1) << 1
        if profile == 3:
            bits.read(1)
        several = view[-1] & 0xE0 == 0xC0
        existing = bits.read(1)
        bits.read(1)
        shown = several or existing or bits.read(1)
        return Holds.PICTURE if shown else Holds.NOTHING, bytes(view[:12]) if packet.is_keyframe else b""


class _Jpeg(_Codec):
    """The frame header says the shape; markers before it are short."""

    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        content, position = bytes(memoryview(packet)[:65536]), 2
        for _ in range(64):
            if content[position : position + 1] != b"\xff" or position + 4 > len(content):
                break
            marker = content[position + 1]
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                return Holds.PICTURE, content[position : position + 19]
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        return Holds.PICTURE, b""


class _Av1(_Codec):
    """The sequence header, an open bitstream unit of kind 1."""

    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        if not packet.is_keyframe:
            return Holds.PICTURE, b""
        content, position = bytes(memoryview(packet)[:4096]), 0
        while position < len(content):
            kind, extension, sized = content[position] >> 3 & 15, content[position] >> 2 & 1, content[position] >> 1 & 1
            position += 1 + extension
            size, shift = 0, 0
            while sized and position < len(content):
                size |= (content[position] & 127) << shift
                shift, position = shift + 7, position + 1
                if not content[position - 1] & 128:
                    break
            if kind == 1 or not sized:
                return Holds.PICTURE, content[position : position + size] if kind == 1 else b""
            position += size
        return Holds.PICTURE, b""


class _Png(_Codec):
    def read(self, packet: av.Packet[Any]) -> tuple[Holds, bytes]:
        return Holds.PICTURE, bytes(memoryview(packet)[16:29])


_READERS: dict[str, type[_Codec]] = {
    "h264": _H264,
    "hevc": _Hevc,
    "mpeg2video": _Mpeg2,
    "mpeg1video": _Mpeg2,
    "mpeg4": _Mpeg4,
    "vp8": _Vp8,
    "libvpx": _Vp8,
    "vp9": _Vp9,
    "libvpx-vp9": _Vp9,
    "av1": _Av1,
    "libdav1d": _Av1,
    "mjpeg": _Jpeg,
    "png": _Png,
}
