"""Streams that change on the way: packets of several encoders one after the other in one stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from media_factory import FULL, LIMITED, grey, yuv

RATE = 25


@dataclass(frozen=True)
class Part:
    """Pictures of one shape. size: as stored. count: how many. turned: degrees by which the stream says to turn them
    counter-clockwise; they are stored so that they are upright then."""

    size: tuple[int, int]
    count: int
    pixel_format: str = "yuv420p"
    aspect: Fraction = Fraction(1)
    turned: int = 0
    options: dict[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> tuple[int, int]:
        width, height = round(self.size[0] * self.aspect), self.size[1]
        return (height, width) if self.turned % 180 else (width, height)


def write_parts(
    path: Path, parts: Sequence[Part], *, codec: str = "libx264", container: str | None = None
) -> list[int]:
    """Write the parts behind each other; numbers count on. Returns the numbers painted on the pictures."""
    base = Fraction(1, RATE)
    numbers: list[int] = []
    with av.open(str(path), "w", format=container) as output:
        stream = None
        clock = 0
        for part in parts:
            encoder = av.CodecContext.create(codec, "w")
            encoder.width, encoder.height, encoder.pix_fmt = *part.size, part.pixel_format
            encoder.time_base, encoder.framerate = base, Fraction(RATE)
            encoder.sample_aspect_ratio = part.aspect
            plain = {"bf": "0"} if codec in ("libx264", "mpeg2video") else {}
            encoder.options = {"g": "10", **plain, **part.options}
            if stream is None:
                stream = output.add_stream(codec, rate=RATE)
                stream.width, stream.height, stream.pix_fmt = *part.size, part.pixel_format
                stream.codec_context.sample_aspect_ratio = part.aspect if container != "mpegts" else Fraction(1)
                stream.time_base = base
            packets = []
            for number in range(len(numbers), len(numbers) + part.count):
                frame = _stored(number, part)
                frame.pts, frame.time_base = number, base
                packets += encoder.encode(frame)
            packets += encoder.encode(None)
            if part.turned:
                packets = [_turned(packet, part.turned) for packet in packets]
            for packet in packets:
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, clock, clock, base
                packet.duration = 1
                clock += 1
                output.mux(packet)
            numbers += range(len(numbers), len(numbers) + part.count)
    return numbers


def _turned(packet: av.Packet, degrees: int) -> av.Packet:
    """A picture of H.264 with the message before it that turns it (ITU-T H.264, D.1.27)."""
    bits = f"000{degrees * 65536 // 360:016b}010"
    bits += "1" + "0" * (-len(bits) % 8 - 1) if len(bits) % 8 else ""
    message = int(bits, 2).to_bytes(len(bits) // 8, "big")
    unit = b"\0\0\1\x06" + bytes([47, len(message)]) + message.replace(b"\0\0\0", b"\0\0\3\0") + b"\x80"
    content = bytes(packet)
    at = next(k for k in range(len(content)) if content[k : k + 3] == b"\0\0\1" and content[k + 3] & 31 in (1, 5))
    turned = av.Packet(content[:at] + unit + content[at:])
    turned.is_keyframe = packet.is_keyframe
    return turned


def _stored(number: int, part: Part) -> av.VideoFrame:
    shown = grey(*part.shown, number)
    stored = np.rot90(shown, -part.turned // 90 % 4)
    # Pixels that are not square: the picture is stored narrower or wider.
    width, height = part.size
    columns = np.arange(width) * stored.shape[1] // width
    rows = np.arange(height) * stored.shape[0] // height
    full = part.pixel_format.startswith("yuvj")
    return yuv(np.ascontiguousarray(stored[rows[:, None], columns]), part.pixel_format, FULL if full else LIMITED)
