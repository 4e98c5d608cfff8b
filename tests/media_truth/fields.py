"""A small writer of field-coded pictures: H.264 out of raw macroblocks (I_PCM), MPEG-2 out of flat blocks.

FFmpeg's encoders write no field pictures; camcorders and broadcasters do.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from media_factory import grey

WIDTH, HEIGHT = 128, 64
TOP, BOTTOM = 0, 1


class _Bits:
    def __init__(self) -> None:
        self._text: list[str] = []

    def put(self, value: int, count: int) -> _Bits:
        self._text.append(f"{value:0{count}b}" if count else "")
        return self

    def code(self, text: str) -> _Bits:
        self._text.append(text)
        return self

    def golomb(self, *values: int) -> _Bits:
        for value in values:
            text = f"{value + 1:b}"
            self._text.append("0" * (len(text) - 1) + text)
        return self

    def aligned(self, last: str = "0") -> bytes:
        """The bytes so far, filled up with zeros."""
        text = "".join(self._text) + last * (last == "1")
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")


def _unit(kind: int, content: bytes) -> bytes:
    """A NAL unit between start codes."""
    escaped = bytearray()
    zeros = 0
    for byte in content:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes([kind]) + bytes(escaped)


def h264_headers(rate: Fraction | None = Fraction(25), *, fields: bool = True) -> bytes:
    """Parameter sets of `WIDTH` x `HEIGHT`. rate: pictures a second that they say, None for none."""
    bits = _Bits().put(77, 8).put(0, 8).put(30, 8).golomb(0, 0, 0, 4, 1).put(0, 1)
    rows = HEIGHT // 16 // (2 if fields else 1)
    bits.golomb(WIDTH // 16 - 1, rows - 1).put(0 if fields else 1, 1)
    if fields:
        bits.put(0, 1)
    bits.put(1, 1).put(0, 1)
    if rate is None:
        bits.put(0, 1)
    else:
        bits.put(1, 1).put(0, 4)
        bits.put(1, 1).put(rate.denominator, 32).put(2 * rate.numerator, 32).put(1, 1).put(0, 4)
    sequence = bits.aligned("1")
    picture = _Bits().golomb(0, 0).put(0, 2).golomb(0, 0, 0).put(0, 3).golomb(0, 0, 0).put(0b100, 3).aligned("1")
    return _unit(0x67, sequence) + _unit(0x68, picture)


def h264_field(luma: np.ndarray, number: int, parity: int) -> bytes:
    """One field of an IDR picture. luma: (HEIGHT, WIDTH)."""
    kind = 0x65 if parity == TOP else 0x61
    head = _Bits().golomb(0, 7, 0).put(0, 4).put(1, 1).put(parity, 1)
    if parity == TOP:
        head.golomb(number % 2)
    head.put(parity, 8)
    head.put(0, 2) if parity == TOP else head.put(0, 1)
    head.golomb(0, 1)
    return _unit(kind, _macroblocks(head, luma[parity::2]))


def h264_frame(luma: np.ndarray, number: int) -> bytes:
    """A whole IDR picture of a stream without fields."""
    head = _Bits().golomb(0, 7, 0).put(0, 4).golomb(number % 2).put(0, 8).put(0, 2).golomb(0, 1)
    return _unit(0x65, _macroblocks(head, luma))


def _macroblocks(head: _Bits, luma: np.ndarray) -> bytes:
    content = b""
    for row in range(0, luma.shape[0], 16):
        for column in range(0, luma.shape[1], 16):
            content += (
                head.golomb(25).aligned() + luma[row : row + 16, column : column + 16].tobytes() + bytes([128]) * 128
            )
            head = _Bits()
    return content + b"\x80"


_LUMA_SIZES = ("100", "00", "01", "101", "110", "1110", "11110", "111110", "1111110")


def mpeg2_field(luma: np.ndarray, number: int, parity: int) -> bytes:
    """One field of an intra picture, each 8x8 block as flat as its mean."""
    content = b""
    if parity == TOP:
        # Sequence header and extension (interlaced, 4:2:0, 25 a second), group of pictures.
        head = _Bits().put(WIDTH, 12).put(HEIGHT, 12).put(1, 4).put(3, 4).put(2000, 18).put(1, 1).put(10, 10).put(0, 3)
        content += b"\0\0\1\xb3" + head.aligned()
        content += (
            b"\0\0\1\xb5"
            + _Bits()
            .put(1, 4)
            .put(0x48, 8)
            .put(0, 1)
            .put(1, 2)
            .put(0, 4)
            .put(0, 12)
            .put(1, 1)
            .put(0, 8)
            .put(0, 1)
            .put(0, 7)
            .aligned()
        )
        content += b"\0\0\1\xb8" + _Bits().put(0, 1).put(0, 11).put(1, 1).put(0, 12).put(1, 1).put(0, 1).aligned()
    content += b"\0\0\1\0" + _Bits().put(0, 10).put(1, 3).put(0xFFFF, 16).put(0, 1).aligned()
    coding = _Bits().put(8, 4).put(0xFFFF, 16).put(0, 2).put(parity + 1, 2)
    # Top field first, no prediction from frames, no concealment, linear scale, table 0, zigzag, no repetition.
    coding.put(1 if parity == TOP else 0, 1).put(0, 1).put(0, 1).put(0, 1).put(0, 1).put(0, 1).put(0, 1)
    content += b"\0\0\1\xb5" + coding.put(0, 1).put(0, 1).put(0, 1).aligned()
    rows = luma[parity::2]
    for row in range(0, rows.shape[0], 16):
        bits, last = _Bits().put(2, 5).put(0, 1), 128
        for column in range(0, rows.shape[1], 16):
            bits.code("1").code("1")
            for y, x in ((0, 0), (0, 8), (8, 0), (8, 8)):
                mean = round(float(rows[row + y : row + y + 8, column + x : column + x + 8].mean()))
                step, last = mean - last, mean
                size = abs(step).bit_length()
                bits.code(_LUMA_SIZES[size]).put(step if step > 0 else step + (1 << size) - 1, size).code("10")
            bits.code("0010").code("0010")
        content += b"\0\0\1" + bytes([row // 16 + 1]) + bits.aligned()
    return content


def pictures(count: int) -> list[np.ndarray]:
    return [grey(WIDTH, HEIGHT, number) for number in range(count)]


def coded_fields(count: int, codec: str = "h264", headers: bytes | None = None) -> list[list[bytes]]:
    """Both fields of each picture, headers before each first one."""
    field, first = (h264_field, headers or h264_headers()) if codec == "h264" else (mpeg2_field, b"")
    return [
        [first + field(luma, number, TOP), field(luma, number, BOTTOM)] for number, luma in enumerate(pictures(count))
    ]


def write_fields(
    path: Path,
    count: int,
    *,
    codec: str = "h264",
    container: str | None = None,
    step: int = 3600,
    times: Sequence[tuple[int | None, int | None]] | None = None,
    together: bool = False,
    stuffing: int = 0,
) -> Path:
    """`count` pictures of two fields each. step: ticks of 1/90000 s from picture to picture. times: of both fields of
    each picture, by default half a step apart. together: both fields in one packet. stuffing: zeros behind each
    field."""
    coded = [[part + bytes(stuffing) for part in pair] for pair in coded_fields(count, codec)]
    raw = path.with_name(path.name + ".raw")
    raw.write_bytes(b"".join(part for pair in coded for part in pair))
    wanted = times or [(k * step, k * step + step // 2) for k in range(count)]
    with (
        av.open(str(raw), format="h264" if codec == "h264" else "mpegvideo") as template,
        av.open(str(path), "w", format=container) as output,
    ):
        stream = output.add_stream_from_template(template.streams.video[0])
        stream.time_base = Fraction(1, 90000)
        clock = 0
        for k, (pair, stamps) in enumerate(zip(coded, wanted, strict=True)):
            parts = [(b"".join(pair), stamps[0])] if together else list(zip(pair, stamps, strict=True))
            for half, (content, stamp) in enumerate(parts):
                packet = av.Packet(content)
                packet.stream, packet.time_base = stream, Fraction(1, 90000)
                packet.is_keyframe = not half
                packet.duration = step if together else step // 2
                clock = k * step + half * (step // 2)
                packet.pts = packet.dts = clock if stamp is None else stamp
                output.mux(packet)
    raw.unlink()
    return path
