"""The sound of a copied video: as it is where MP4 can hold it, else as AAC; at its own time either way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer

AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000}
BITS_PER_CHANNEL = 96_000
PREROLL = Fraction(1)
"""Seconds of sound before the video's start that may be kept: what a decoder needs to begin."""

if TYPE_CHECKING:
    Packet = av.Packet[Any]
    Sound = Callable[[Packet], Iterable[Packet]]
    """Packets for the output out of a packet of the source; one of size 0 ends the stream."""
    Zero = Callable[[Fraction], Fraction]
    """The video's start on the source's clock, for sound at a time on it; both in seconds."""


def copy_sound(target: OutputContainer, source: AudioStream, zero: Zero) -> Sound:
    """Add a stream that takes the packets of `source` as they are. Raises `ValueError` or `av.error.FFmpegError` where
    the output cannot hold them."""
    stream = target.add_stream_from_template(source)
    base = source.time_base or Fraction(1, source.rate)
    rising = _Rising()

    def packets(packet: Packet) -> Iterable[Packet]:
        pts = packet.dts if packet.pts is None else packet.pts
        if not packet.size or pts is None:
            return ()
        shift = round(zero(pts * base) / base)
        if (pts - shift) * base < -PREROLL:
            return ()
        packet.pts = packet.dts = pts - shift
        packet.stream = stream
        return rising.of([packet])

    return packets


def encode_sound(target: OutputContainer, source: AudioStream, zero: Zero) -> Sound:
    """Add a stream with the sound of `source` in AAC; see `copy_sound`."""
    rate = source.rate if source.rate in AAC_RATES else 48000
    layout = "mono" if source.layout.nb_channels == 1 else "stereo"
    stream = target.add_stream("aac", rate=rate, layout=layout, bit_rate=BITS_PER_CHANNEL * (1 + (layout == "stereo")))
    coder, rising = _Coder(stream, rate, layout), _Rising()

    def packets(packet: Packet) -> Iterable[Packet]:
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except av.error.FFmpegError:
            return ()
        coded: list[Packet] = []
        for frame in frames:
            if isinstance(frame, av.AudioFrame) and frame.pts is not None:
                frame.pts -= round(zero(frame.pts * frame.time_base) / frame.time_base)
                coded += coder.encode(frame)
        if not packet.size:
            coded += coder.finish()
        return rising.of(coded)

    return packets


class _Coder:
    """AAC out of frames whose format may change on the way."""

    def __init__(self, stream: AudioStream, rate: int, layout: str) -> None:
        self._stream, self._rate, self._layout = stream, rate, layout
        self._resampler: AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None

    def encode(self, frame: av.AudioFrame) -> list[Packet]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        coded = []
        if kind != self._kind:
            coded = self._rest()
            self._kind, self._resampler = kind, AudioResampler("fltp", self._layout, self._rate)
        assert self._resampler is not None
        return coded + [packet for part in self._resampler.resample(frame) for packet in self._stream.encode(part)]

    def finish(self) -> list[Packet]:
        return [*self._rest(), *self._stream.encode(None)] if self._resampler else []

    def _rest(self) -> list[Packet]:
        """What the resampler still holds."""
        parts = self._resampler.resample(None) if self._resampler else []
        return [packet for part in parts if part is not None for packet in self._stream.encode(part)]


class _Rising:
    """Passes packets on as long as their time rises: a muxer refuses a file for one that goes back."""

    def __init__(self) -> None:
        self._last: int | None = None

    def of(self, packets: Iterable[Packet]) -> list[Packet]:
        kept = []
        for packet in packets:
            if packet.dts is not None and (self._last is None or packet.dts > self._last):
                self._last = packet.dts
                kept.append(packet)
        return kept
