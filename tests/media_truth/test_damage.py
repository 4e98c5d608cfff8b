"""Damage costs what it damages: the pictures beside it stay where they belong, and what is lost is said."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from patching import box, h264_units, ts_times, without_usability

from media_factory import grey, numbered, read, read_number, write_clip, yuv
from visagram.core.segments import plan
from visagram.media.decode import SegmentFrames
from visagram.media.numbering import NEAR
from visagram.media.packets import demux
from visagram.media.probe import probe
from visagram.settings import Settings

COUNT = 72


def _clip(path: Path, codec: str, options: dict[str, str], *, container: str | None = None, count: int = COUNT) -> Path:
    return write_clip(path, numbered(96, 64, count), codec=codec, rate=25, options=options, container=container)


def _packets(path: Path) -> list[tuple[int, int, bool]]:
    """Byte, size and whether it is a key frame, of each packet."""
    with av.open(str(path)) as container:
        packets = list(demux(container, container.streams.video[0]))
        return [(packet.pos or 0, packet.size, packet.is_keyframe) for packet in packets if packet.size]


def _ruin(path: Path, number: int) -> Path:
    """Overwrite the end of a packet."""
    content, (at, size, _) = bytearray(path.read_bytes()), _packets(path)[number]
    content[at + size // 2 : at + size] = b"\xff" * (size - size // 2)
    path.write_bytes(content)
    return path


def avi(folder: Path) -> tuple[Path, int]:
    return _ruin(_clip(folder / "a.avi", "mpeg4", {"bf": "2", "g": "12"}), 25), 25


def raw_h264(folder: Path) -> tuple[Path, int]:
    return _ruin(_clip(folder / "b.h264", "libx264", {"bf": "3", "g": "20"}, container="h264"), 23), 23


def raw_mpeg2(folder: Path) -> tuple[Path, int]:
    return _ruin(_clip(folder / "c.m2v", "mpeg2video", {"bf": "2", "g": "12"}, container="mpeg2video"), 27), 27


@pytest.mark.parametrize("make", [avi, raw_h264, raw_mpeg2], ids=lambda make: make.__name__)
def test_where_the_decoders_order_counts_a_lost_picture_leaves_its_place(
    make: Callable[[Path], tuple[Path, int]], tmp_path: Path
) -> None:
    path, ruined = make(tmp_path)
    video = read(path)
    astray = [frame.index for frame in video.frames if read_number(frame.luma) != frame.index]
    assert len(video.frames) > COUNT - NEAR
    assert all(ruined - 4 <= index <= ruined + NEAR for index in astray), astray


def test_pictures_before_the_first_that_can_be_decoded_keep_their_places(tmp_path: Path) -> None:
    """A raw stream that begins in the middle of a group, as a recording that was cut does."""
    path = _clip(tmp_path / "a.h264", "libx264", {"bf": "3", "g": "20", "b-pyramid": "none"}, container="h264")
    places = _packets(path)
    first, key = 5, next(k for k, (_, _, key) in enumerate(places) if key and k)
    content = path.read_bytes()
    path.write_bytes(content[: places[1][0] - places[0][1]] + content[places[first][0] :])
    video = read(path)
    lacking = video.frames[0].index
    assert 0 < lacking <= key - first
    # The first that decodes is a key frame, and all after it are shown in their turn.
    shown = [(frame.index, read_number(frame.luma)) for frame in video.frames]
    assert [number - index for index, number in shown] == [shown[0][1] - shown[0][0]] * len(shown)
    assert shown[-1][0] == video.facts.frames - 1


def _without_a_word_of_reordering(path: Path) -> Path:
    """H.264 whose headers do not say that pictures are reordered, and that is not at first."""
    count, options = 120, {"bf": "2", "g": "400", "x264-params": "b-adapt=0:weightp=0:scenecut=0:b-pyramid=none"}
    packets = []
    with av.open(str(path.with_suffix(".h264")), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 96, 64, "yuv420p", options
        for number in range(count):
            frame = yuv(grey(96, 64, number))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            if number < 80:
                frame.pict_type = av.video.frame.PictureType.P if number else av.video.frame.PictureType.I
            packets += stream.encode(frame)
        packets += stream.encode(None)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 96, 64, "yuv420p", Fraction(1, 25)
        for packet in packets:
            units = [without_usability(unit) if unit[0] & 31 == 7 else unit for unit in h264_units(bytes(packet))]
            plain = av.Packet(b"".join(b"\0\0\0\1" + unit for unit in units))
            plain.pts, plain.dts, plain.time_base = packet.pts, packet.dts, Fraction(1, 25)
            plain.is_keyframe, plain.stream = packet.is_keyframe, stream
            container.mux(plain)
    with av.open(str(path)) as container:
        assert not container.streams.video[0].codec_context.has_b_frames
    return path


@pytest.mark.parametrize("name", ["a.ts", "a.mkv"])
def test_pictures_may_be_reordered_though_the_headers_do_not_say_so(name: str, tmp_path: Path) -> None:
    video = read(_without_a_word_of_reordering(tmp_path / name))
    assert not video.warnings and video.facts.time_basis == "exact"
    assert [read_number(frame.luma) for frame in video.frames] == list(range(120))
    assert [float(frame.time) for frame in video.frames] == pytest.approx([k / 25 for k in range(120)], abs=0.0011)


def set_right_after_a_cut(folder: Path) -> Path:
    """As programs do that save recordings: the box of the pictures ends with the file, the index promises more."""
    options = {"movflags": "faststart"}
    path = write_clip(folder / "a.mp4", numbered(96, 64, COUNT), options={"bf": "0"}, container_options=options)
    content = bytearray(path.read_bytes())
    at = content.index(b"mdat") - 4
    del content[at + (len(content) - at) // 2 :]
    content[at : at + 4] = (len(content) - at).to_bytes(4, "big")
    path.write_bytes(content)
    assert box(bytes(content), b"moov")
    return path


def matroska_that_ends_in_damage(folder: Path) -> Path:
    path = write_clip(folder / "b.mkv", numbered(96, 64, COUNT), options={"bf": "0", "g": "12"})
    content, at = bytearray(path.read_bytes()), _packets(path)[30][0]
    content[at - 20 : at + 1500] = bytes(1520)
    path.write_bytes(content)
    return path


def avi_with_a_hole(folder: Path) -> Path:
    path = _clip(folder / "c.avi", "mpeg4", {"bf": "0", "g": "12"})
    content, places = bytearray(path.read_bytes()), _packets(path)
    first, last = places[30][0] - 12, places[45][0]
    content[first:last] = b"\xff" * (last - first)
    path.write_bytes(content)
    return path


def flash_with_a_hole(folder: Path) -> Path:
    path = _clip(folder / "d.flv", "flv", {"g": "12"})
    content, places = bytearray(path.read_bytes()), _packets(path)
    first, last = places[30][0] - 16, places[50][0]
    content[first:last] = b"\xff" * (last - first)
    path.write_bytes(content)
    return path


def cut_flash(folder: Path) -> Path:
    """Flash without sound, cut within a picture."""
    path = _clip(folder / "e.flv", "flv", {"g": "12"})
    path.write_bytes(path.read_bytes()[: _packets(path)[40][0] + 5])
    return path


DAMAGED = [set_right_after_a_cut, matroska_that_ends_in_damage, avi_with_a_hole, flash_with_a_hole]


@pytest.mark.parametrize("make", DAMAGED, ids=lambda make: make.__name__)
def test_a_declared_length_that_is_not_reached_is_said(make: Callable[[Path], Path], tmp_path: Path) -> None:
    video = read(make(tmp_path))
    (warning,) = [each for each in video.warnings if each.code == "file_cut_off"]
    assert f"{video.facts.frames} of" in warning.message and "72 frames" in warning.message
    assert abs(warning.count - (COUNT - video.facts.frames)) <= 1
    assert all(float(frame.span) < 1.2 for frame in video.frames)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv"])
@pytest.mark.parametrize("junk", [b"\n", b"\0" * 512, b"TAG" + b" " * 125, b"Recorded with a camera, and a word more."])
def test_what_lies_behind_a_whole_file_is_no_cut(name: str, junk: bytes, tmp_path: Path) -> None:
    path = write_clip(tmp_path / name, numbered(96, 64, 20), options={"bf": "0"}, pts=[*range(19), 60])
    path.write_bytes(path.read_bytes() + junk)
    # The pause makes one look whether something was lost.
    assert not read(path).warnings


def test_pictures_without_any_time_and_rate_are_guessed(tmp_path: Path) -> None:
    """A transport stream of which the times were taken away, and whose headers say no rate."""
    path = _without_a_word_of_reordering(tmp_path / "a.ts")
    content = bytearray(path.read_bytes())
    for at, pts, dts in ts_times(path):
        assert pts is not None
        content[at + 7] &= 0x3F
        for k in range(5 if dts is None else 10):
            content[at + 9 + k] = 0xFF
    path.write_bytes(content)
    video = read(path)
    assert video.facts.time_basis == "guessed" and {warning.code for warning in video.warnings} == {"rate_guessed"}


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
def test_a_file_that_was_cut_off_has_the_same_pictures_for_any_number_of_threads(tmp_path: Path, threads: int) -> None:
    options = {"movflags": "faststart"}
    path = write_clip(tmp_path / "a.mp4", numbered(96, 64, COUNT), options={"g": "30"}, container_options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    facts, timeline, _ = probe(path, Settings())
    (segment,) = plan(timeline, 0, None, None)

    def indices(number: int) -> list[int]:
        with SegmentFrames(path, facts, timeline, segment, Settings(), threads=number, depth=4) as source:
            return [frame.index for frame in source]

    assert indices(threads) == indices(1)


def test_limits_are_those_of_the_stream_that_is_analysed(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = []
        for width, height in ((96, 64), (320, 240)):
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append((stream, width, height))
        for stream, width, height in streams:
            for number in range(10):
                container.mux(stream.encode(yuv(grey(width, height, number))))
            container.mux(stream.encode(None))
    assert read(path, Settings(stream=0, max_pixels=10_000)).facts.width == 96


def test_times_of_a_clock_that_began_long_ago_are_repaired_too(tmp_path: Path) -> None:
    """No finer count of such times fits into 64 bits."""
    path, far = tmp_path / "a.mkv", 16_000_000_000_000_000
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 96, 64, "yuv420p", Fraction(1, 1000)
        stream.options = {"bf": "0"}
        packets = []
        for number in range(30):
            frame = yuv(grey(96, 64, number))
            frame.pts, frame.time_base = number, Fraction(1, 1000)
            packets += stream.encode(frame)
        for number, packet in enumerate([*packets, *stream.encode(None)]):
            packet.pts = packet.dts = far + number - (number == 11)
            packet.time_base, packet.stream = Fraction(1, 1000), stream
            container.mux(packet)
    video = read(path)
    assert [read_number(frame.luma) for frame in video.frames] == list(range(30))


def test_a_flash_video_that_was_cut_within_a_picture_says_so(tmp_path: Path) -> None:
    assert {warning.code for warning in read(cut_flash(tmp_path)).warnings} == {"file_cut_off"}


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "with sound from zero"])
def test_what_matroska_says_of_its_end_is_a_time_and_no_length(beside: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 96, 64, "yuv420p", {"bf": "0"}
        if beside:
            voice = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            for start in range(0, 12000, 800):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
                sound.rate, sound.pts, sound.time_base = 8000, start, Fraction(1, 8000)
                container.mux(voice.encode(sound))
        for number in range(10):
            frame = yuv(grey(96, 64, number))
            frame.pts, frame.time_base = 25 + number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = read(path)
    assert float(video.facts.duration) == pytest.approx(1.4 if beside else 0.4, abs=0.002)
    assert float(video.frames[-1].span) == pytest.approx(0.04, abs=0.002)
