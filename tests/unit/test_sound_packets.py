"""The sound of a copy, packet by packet."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from visagram.media.sound import copy_sound, encode_sound

Zero = Callable[[Fraction], Fraction]


@dataclass
class Layout:
    nb_channels: int = 2


@dataclass
class Voice:
    time_base: Fraction | None = Fraction(1, 1000)
    rate: int = 44100
    layout: Layout = field(default_factory=Layout)


@dataclass
class Packet:
    pts: int | None
    dts: int | None = None
    size: int = 9
    stream: Any = None
    frames: Iterable[object] = ()

    def decode(self) -> list[object]:
        return list(self.frames)


class Target:
    stream = object()

    def add_stream_from_template(self, source: object) -> object:
        return self.stream


def copied(packets: list[Packet], zero: Zero, voice: Voice | None = None) -> list[tuple[int | None, int | None]]:
    sound = copy_sound(Target(), voice or Voice(), zero)  # type: ignore[arg-type]
    found: list[Any] = [out for packet in packets for out in sound(packet)]  # type: ignore[arg-type]
    assert all(packet.stream is Target.stream for packet in found)
    return [(packet.pts, packet.dts) for packet in found]


def test_copied_sound_counts_from_the_videos_start() -> None:
    packets = [Packet(2000, 2000), Packet(None, 2020), Packet(2040, 1), Packet(None, None), Packet(2060, 0, size=0)]
    assert copied(packets, lambda _: Fraction(3, 2)) == [(500, 500), (520, 520), (540, 540)]
    assert copied([Packet(10, 10)], lambda _: Fraction(-1, 3)) == [(343, 343)]
    assert copied([Packet(44100, 0)], lambda _: Fraction(1, 2), Voice(None)) == [(22050, 22050)]


def test_the_start_is_asked_for_the_time_of_each_packet() -> None:
    asked: list[Fraction] = []

    def zero(seconds: Fraction) -> Fraction:
        asked.append(seconds)
        return Fraction(1) if seconds < 3 else Fraction(2)

    assert copied([Packet(1500), Packet(4000)], zero) == [(500, 500), (2000, 2000)]
    assert asked == [Fraction(3, 2), Fraction(4)]


@pytest.mark.parametrize(("pts", "kept"), [(999, False), (1000, True), (2500, True)])
def test_a_second_of_sound_before_the_start_is_kept(pts: int, kept: bool) -> None:
    assert copied([Packet(pts)], lambda _: Fraction(2)) == ([(pts - 2000, pts - 2000)] if kept else [])


def test_copied_sound_does_not_go_back_or_stand_still() -> None:
    packets = [Packet(pts) for pts in (0, 20, 20, 10, 40, 30, 41)]
    assert [pts for pts, _ in copied(packets, lambda _: Fraction(0))] == [0, 20, 40, 41]


# Encoded.


@pytest.mark.parametrize(
    ("rate", "channels", "expected"),
    [
        (44100, 2, (44100, "stereo", 192_000)),
        (48000, 1, (48000, "mono", 96_000)),
        (8000, 6, (8000, "stereo", 192_000)),
        (22255, 2, (48000, "stereo", 192_000)),
        (96000, 2, (96000, "stereo", 192_000)),
    ],
)
def test_sound_is_encoded_at_its_own_rate_where_aac_has_it(
    rate: int, channels: int, expected: tuple[int, str, int]
) -> None:
    with av.open(io.BytesIO(), "w", format="mp4") as target:
        encode_sound(target, Voice(rate=rate, layout=Layout(channels)), lambda _: Fraction(0))  # type: ignore[arg-type]
        (stream,) = target.streams.audio
        assert (stream.rate, stream.layout.name, stream.bit_rate) == expected
        assert stream.codec_context.name == "aac"


def tone(first: int, samples: int, rate: int = 44100, layout: str = "stereo", pts: int | None = 0) -> av.AudioFrame:
    wave = (np.sin(np.arange(first, first + samples) * 0.05) * 8000).astype(np.int16)
    channels = 2 if layout == "stereo" else 1
    frame = av.AudioFrame.from_ndarray(np.stack([wave] * channels), format="s16p", layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    frame.pts = None if pts is None else first + pts
    return frame


def coded(packets: list[Packet], zero: Zero = lambda _: Fraction(0)) -> list[Any]:
    with av.open(io.BytesIO(), "w", format="mp4") as target:
        sound = encode_sound(target, Voice(), zero)  # type: ignore[arg-type]
        found = [out for packet in packets for out in sound(packet)]  # type: ignore[arg-type]
        dts = [packet.dts for packet in found]
        assert dts == sorted(set(dts))
        return found


END = Packet(None, size=0)


def test_encoded_sound_has_its_length_and_counts_from_the_videos_start() -> None:
    parts = [Packet(0, frames=[tone(1152 * k, 1152)]) for k in range(20)]
    found = coded([*parts, END])
    # AAC packets hold 1024 samples, and the first ones come before the sound begins.
    assert found[0].pts == -1024
    assert sum(packet.duration for packet in found) in range(1152 * 20, 1152 * 20 + 2049)
    later = [Packet(0, frames=[tone(1152 * k, 1152, pts=88200)]) for k in range(20)]
    moved = coded([*later, END], lambda seconds: Fraction(3, 2) if seconds >= 2 else Fraction(99))
    assert moved[0].pts == 22050 - 1024
    assert len(moved) == len(found)


def test_frames_without_a_time_and_others_than_sound_are_left_out() -> None:
    parts = [Packet(0, frames=[tone(1152 * k, 1152), tone(0, 1152, pts=None), object()]) for k in range(20)]
    plain = [Packet(0, frames=[tone(1152 * k, 1152)]) for k in range(20)]
    assert [p.pts for p in coded([*parts, END])] == [p.pts for p in coded([*plain, END])]
    assert coded([END]) == []


def test_sound_that_changes_its_kind_goes_on() -> None:
    first = [Packet(0, frames=[tone(1152 * k, 1152)]) for k in range(10)]
    # A second at half the rate and with one channel, where the first part ended.
    second = [Packet(0, frames=[tone(576 * k, 576, 22050, "mono", pts=5760)]) for k in range(10)]
    found = coded([*first, *second, END])
    assert sum(packet.duration for packet in found) in range(1152 * 20 - 1024, 1152 * 20 + 2049)
    assert found[-1].pts + found[-1].duration == pytest.approx(1152 * 20, abs=1100)


class Broken(Packet):
    def decode(self) -> list[object]:
        raise av.error.InvalidDataError(1, "no sound")


def test_a_packet_that_does_not_decode_is_left_out() -> None:
    parts = [Packet(0, frames=[tone(1152 * k, 1152)]) for k in range(20)]
    assert len(coded([*parts[:5], Broken(0), *parts[5:], END])) == len(coded([*parts, END]))
