"""A packet is not a picture: field-coded pictures count once, and packets that show nothing do not count."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from fields import HEIGHT, WIDTH, coded_fields, write_fields
from patching import set_ts_times, ts_times
from truth import Truth, check_everything

from media_factory import grey, numbered, write_clip, yuv
from visagram.workers import Workers

Make = Callable[[Path], Truth]
COUNT = 24
TIMES = [0.04 * k for k in range(COUNT)]


def _fields(folder: Path, name: str, **how: object) -> Truth:
    return Truth(write_fields(folder / name, COUNT, **how), range(COUNT), TIMES, 0.96, sizes=((WIDTH, HEIGHT),))  # type: ignore[arg-type]


def h264_in_a_transport_stream(folder: Path) -> Truth:
    return _fields(folder, "a.mts", container="mpegts")


def h264_first_field_has_the_time(folder: Path) -> Truth:
    truth = _fields(folder, "b.ts")
    count = len(ts_times(truth.path))
    set_ts_times(truth.path, dict.fromkeys(range(1, count, 2)))
    return truth


def h264_both_fields_have_one_time(folder: Path) -> Truth:
    times = [(3600 * k, 3600 * k) for k in range(COUNT)]
    return _fields(folder, "c.mkv", times=times)


def h264_of_variable_rate(folder: Path) -> Truth:
    ticks = np.cumsum([0, *np.random.default_rng(5).integers(30, 120, COUNT - 1)]).tolist()
    path = write_fields(folder / "d.mkv", COUNT, times=[(90 * t, 90 * t + 900) for t in ticks])
    return Truth(
        path, range(COUNT), [t / 1000 for t in ticks], ticks[-1] / 1000 + 0.03, sizes=((WIDTH, HEIGHT),), close=0.012
    )


def h264_packets_of_fields_in_matroska(folder: Path) -> Truth:
    return _fields(folder, "e.mkv")


def h264_both_fields_in_a_packet(folder: Path) -> Truth:
    return _fields(folder, "f.mp4", together=True)


def h264_without_a_container(folder: Path) -> Truth:
    path = folder / "g.h264"
    path.write_bytes(b"".join(part for pair in coded_fields(COUNT) for part in pair))
    return Truth(path, range(COUNT), TIMES, 0.96, sizes=((WIDTH, HEIGHT),))


def mpeg2_in_a_transport_stream(folder: Path) -> Truth:
    return _fields(folder, "h.ts", codec="mpeg2", together=True)


def mpeg2_in_a_program_stream(folder: Path) -> Truth:
    return _fields(folder, "i.mpg", codec="mpeg2", together=True, stuffing=3000)


def mpeg2_packets_of_fields(folder: Path) -> Truth:
    return _fields(folder, "j.mkv", codec="mpeg2")


def mpeg2_without_a_container(folder: Path) -> Truth:
    path = folder / "k.m2v"
    path.write_bytes(b"".join(part for pair in coded_fields(COUNT, "mpeg2") for part in pair))
    return Truth(path, range(COUNT), TIMES, 0.96, sizes=((WIDTH, HEIGHT),))


def interlaced_frames(folder: Path) -> Truth:
    """Both fields in one coded frame, as most encoders write them."""
    options = {"flags": "+ildct+ilme", "g": "6", "bf": "2"}
    path = write_clip(folder / "l.ts", numbered(WIDTH, HEIGHT, COUNT), codec="mpeg2video", options=options)
    return Truth(path, range(COUNT), TIMES, 0.96, sizes=((WIDTH, HEIGHT),))


def hidden_frames_of_vp8(folder: Path) -> Truth:
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "arnr-maxframes": "3", "g": "24", "deadline": "good"}
    frames = [_moving(k) for k in range(COUNT)]
    path = write_clip(folder / "m.webm", frames, codec="libvpx", options=options)
    return Truth(path, range(COUNT), TIMES, 0.96, sizes=((WIDTH, HEIGHT),))


def hidden_frames_of_vp9(folder: Path) -> Truth:
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "24", "deadline": "good", "row-mt": "0"}
    frames = [_moving(k) for k in range(COUNT)]
    path = write_clip(folder / "n.webm", frames, codec="libvpx-vp9", options=options)
    return Truth(path, range(COUNT), TIMES, 0.96, sizes=((WIDTH, HEIGHT),))


def pictures_not_coded_in_mpeg4(folder: Path) -> Truth:
    """XviD writes a VOP that is not coded where nothing moved: the picture before is simply held."""
    coded = folder / "coded.avi"
    write_clip(coded, numbered(96, 64, COUNT), codec="mpeg4", options={"bf": "0", "g": "1"})
    path = folder / "o.mkv"
    held = {5, 6, 17}
    with av.open(str(coded)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            if number in held:
                # Start code, P picture, no whole second, marker, time in five bits, marker, not coded, stuffing.
                bits = "01" + "0" + "1" + f"{number % 25:05b}" + "1" + "0" + "01111"
                empty = av.Packet(b"\0\0\1\xb6" + int(bits, 2).to_bytes(len(bits) // 8, "big"))
                empty.pts, empty.dts, empty.duration, empty.time_base = packet.pts, packet.dts, 1, packet.time_base
                packet = empty
            packet.stream = stream
            output.mux(packet)
    shown = [k for k in range(COUNT) if k not in held]
    return Truth(path, shown, [0.04 * k for k in shown], 0.96)


def _moving(number: int) -> np.ndarray:
    picture = grey(WIDTH, HEIGHT, number)
    picture[HEIGHT // 2 :, number * 3 : number * 3 + 16] = 230
    return picture


CASES = [
    h264_in_a_transport_stream,
    h264_first_field_has_the_time,
    h264_both_fields_have_one_time,
    h264_of_variable_rate,
    h264_packets_of_fields_in_matroska,
    h264_both_fields_in_a_packet,
    h264_without_a_container,
    mpeg2_in_a_transport_stream,
    mpeg2_in_a_program_stream,
    mpeg2_packets_of_fields,
    mpeg2_without_a_container,
    interlaced_frames,
    hidden_frames_of_vp8,
    hidden_frames_of_vp9,
    pictures_not_coded_in_mpeg4,
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_every_picture_is_there_once_at_its_time(make: Make, tmp_path: Path, workers: Workers) -> None:
    check_everything(make(tmp_path), workers, tmp_path)


def test_where_only_the_second_field_has_a_time_the_picture_begins_half_its_length_earlier(
    tmp_path: Path, workers: Workers
) -> None:
    path = write_fields(tmp_path / "a.ts", COUNT)
    set_ts_times(path, dict.fromkeys(range(0, 2 * COUNT, 2)))
    check_everything(Truth(path, range(COUNT), TIMES, 0.96, sizes=((WIDTH, HEIGHT),)), workers, tmp_path)


def test_one_field_that_is_missing_costs_no_other_picture(tmp_path: Path) -> None:
    from media_factory import read

    pairs = coded_fields(COUNT)
    raw = tmp_path / "whole.h264"
    raw.write_bytes(b"".join(part for pair in pairs for part in pair))
    path = tmp_path / "a.ts"
    with av.open(str(raw)) as template, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(template.streams.video[0])
        stream.time_base = Fraction(1, 90000)
        for k, pair in enumerate(pairs):
            for half, content in enumerate(pair):
                if (k, half) == (9, 1):
                    continue
                packet = av.Packet(content)
                packet.stream, packet.time_base, packet.duration = stream, Fraction(1, 90000), 1800
                packet.is_keyframe, packet.pts = not half, k * 3600 + half * 1800
                packet.dts = packet.pts
                output.mux(packet)
    video = read(path)
    assert video.facts.frames == COUNT
    numbers = {frame.index: number for frame, number in zip(video.frames, video.numbers, strict=True)}
    assert all(numbers[k] == k for k in range(COUNT) if k != 9)
    assert len(video.frames) + video.damaged == COUNT


def test_the_painter_paints(tmp_path: Path) -> None:
    """The clips themselves, read by FFmpeg alone."""
    path = write_fields(tmp_path / "a.mkv", 5, together=True)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 5 and all(frame.interlaced_frame for frame in frames)
    wanted = [yuv(grey(WIDTH, HEIGHT, k)).to_ndarray()[:HEIGHT] for k in range(5)]
    for frame, luma in zip(frames, wanted, strict=True):
        np.testing.assert_array_equal(frame.to_ndarray()[:HEIGHT, :WIDTH], luma[:, :WIDTH])
