"""The copy that every browser plays: at the original's times, upright, small and quick to seek in; and who needs it."""

from __future__ import annotations

import dataclasses
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

import media_factory as media
from visagram.errors import InputError, NoFrames, OutputUnwritable, StorageFull
from visagram.media.playable import Traits, direct, obstacle, read_traits
from visagram.media.proxy import STYLE, write_proxy
from visagram.media.source import Source
from visagram.settings import Settings

SETTINGS = Settings(processes=1)
LATE = np.cumsum([500, *np.random.default_rng(1).integers(11, 400, 29)]).tolist()


def proxied(video: Path) -> Path:
    output = video.with_name("proxy.mp4")
    write_proxy(Source.probed(video, SETTINGS), output, lambda *_: None)
    return output


def shown(video: Path) -> list[Fraction]:
    """When each frame is shown by the probe's timeline, from the video's start."""
    timeline = Source.probed(video, SETTINGS).timeline
    return [timeline.seconds(int(pts)) for pts in timeline.pts]


def decoded(video: Path) -> list[Fraction]:
    """When each frame is shown by FFmpeg, from the file's own zero."""
    with av.open(str(video)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def pictures(video: Path) -> list[np.ndarray]:
    with av.open(str(video)) as container:
        return [frame.to_ndarray()[: frame.height, : frame.width] for frame in container.decode(video=0)]


def numbers(video: Path) -> list[int]:
    return [media.read_number(luma) for luma in pictures(video)]


def cut(video: Path, frames: int) -> Path:
    """Let the edit list of a clip at 25 frames a second begin this many frames later."""
    content = bytearray(video.read_bytes())
    tick = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)[0]
    ticks = struct.unpack_from(">I", content, content.index(b"mvhd") + 16)[0]
    at = content.index(b"elst") + 12
    length, start = struct.unpack_from(">Ii", content, at)
    struct.pack_into(">Ii", content, at, length - frames * ticks // 25, start + frames * tick // 25)
    video.write_bytes(content)
    return video


def clip(folder: Path, kind: str) -> Path:
    """Thirty numbered frames with the times of one kind of recording."""
    frames, path = media.numbered(160, 96, 30), folder / "film.mp4"
    if kind == "plain":
        return media.write_clip(path, frames, options={"bf": "0"}, rate=Fraction(30000, 1001))
    if kind == "reordered":
        return media.write_clip(path, frames, options={"bf": "3"})
    if kind == "without an edit list":
        return media.write_clip(path, frames, options={"bf": "3"}, container_options={"use_editlist": "0"})
    if kind == "cut by an edit list":
        return cut(media.write_clip(path, frames, options={"g": "10"}), 7)
    if kind == "late and variable":
        return media.write_clip(path, frames, pts=LATE, time_base=Fraction(1, 1000))
    if kind == "late and variable WebM":
        webm = {"codec": "libvpx-vp9", "options": {"deadline": "realtime"}}
        return media.write_clip(path.with_suffix(".webm"), frames, pts=LATE, time_base=Fraction(1, 1000), **webm)
    if kind == "turned":
        return media.turn(media.write_clip(path, [np.rot90(luma) for luma in media.numbered(96, 160, 30)]), 90)
    if kind == "stream":
        return media.write_clip(path.with_suffix(".ts"), frames, pts=LATE, time_base=Fraction(1, 1000))
    raise AssertionError(kind)


KINDS = [
    "plain",
    "reordered",
    "without an edit list",
    "cut by an edit list",
    "late and variable",
    "late and variable WebM",
    "turned",
    "stream",
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_frame_has_the_time_of_the_timeline_counted_from_the_copy_s_own_zero(tmp_path: Path, kind: str) -> None:
    video = clip(tmp_path, kind)
    output = proxied(video)
    assert decoded(output) == shown(output) == shown(video)
    assert decoded(output)[0] == 0
    first = 7 if kind.startswith("cut") else 0
    assert numbers(output) == list(range(first, 30))


def test_frames_are_stored_as_they_are_shown_so_that_no_player_has_to_shift_them(tmp_path: Path) -> None:
    output = proxied(clip(tmp_path, "reordered"))
    with av.open(str(output)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [packet.dts for packet in packets] == [packet.pts for packet in packets]
    assert output.read_bytes().index(b"moov") < output.read_bytes().index(b"mdat")


def test_there_is_a_key_frame_each_second_whatever_the_rate(tmp_path: Path) -> None:
    pts = np.cumsum([0, *np.random.default_rng(2).integers(5, 300, 99)]).tolist()
    video = media.write_clip(tmp_path / "film.mkv", media.numbered(64, 48, 100), pts=pts, time_base=Fraction(1, 1000))
    timeline = Source.probed(proxied(video), SETTINGS).timeline
    steps = [float((b - a) * timeline.base) for a, b in pairwise(timeline.keys.tolist())]
    assert len(steps) >= 8
    assert max(steps) <= 1.3


def test_a_large_deep_picture_becomes_a_smaller_one_in_eight_bits(tmp_path: Path) -> None:
    if "libx265" not in av.codecs_available:
        pytest.skip("FFmpeg was built without libx265")
    frames = [media.yuv(luma, "yuv420p10le") for luma in media.numbered(2880, 160, 3)]
    options = {"preset": "ultrafast", "x265-params": "log-level=none"}
    video = media.write_clip(
        tmp_path / "film.mp4", frames, codec="libx265", pixel_format="yuv420p10le", options=options
    )
    facts = Source.probed(proxied(video), SETTINGS).facts
    assert (facts.codec, facts.pixel_format, facts.width, facts.height) == ("h264", "yuv420p", STYLE.longest, 108)
    assert numbers(video.with_name("proxy.mp4")) == [0, 1, 2]


def test_nothing_is_made_larger(tmp_path: Path) -> None:
    facts = Source.probed(proxied(media.write_clip(tmp_path / "a.mkv", media.numbered(64, 48, 3))), SETTINGS).facts
    assert (facts.width, facts.height) == (64, 48)


def test_turned_mirrored_and_stretched_pictures_come_out_upright_in_square_pixels(tmp_path: Path) -> None:
    source = media.marker(160, 96)
    video = media.write_clip(tmp_path / "film.mp4", [source] * 3, options={"crf": "10"})
    turned = pictures(proxied(media.turn(video, 90)))[0].astype(int)
    assert (np.abs(turned - np.rot90(source, -1)) > 60).mean() < 0.02
    video = media.write_clip(tmp_path / "film.mp4", [source] * 3, options={"crf": "10"})
    mirrored = pictures(proxied(media.turn(video, matrix=(-1, 0, 0, 0, 1, 0))))[0].astype(int)
    assert (np.abs(mirrored - source[:, ::-1]) > 60).mean() < 0.02
    wide = media.write_clip(tmp_path / "wide.mp4", media.numbered(160, 120, 3), aspect=Fraction(4, 3))
    facts = Source.probed(proxied(wide), SETTINGS).facts
    assert (facts.width, facts.height) == (214, 120)


def test_other_sound_becomes_aac(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", media.numbered(64, 48, 25), sound=True)
    with av.open(str(proxied(video))) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        loud = [frame for frame in container.decode(audio=0) if np.abs(frame.to_ndarray()).max() > 0.1]
    assert loud[0].time < 0.1
    assert loud[-1].time > 0.9


def test_damaged_frames_are_left_out_and_the_others_keep_their_times(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.ts", media.numbered(160, 96, 60), options={"g": "10"})
    video.write_bytes(media.flip_bits(video.read_bytes(), 5, 30, 5000))
    times = shown(proxied(video))
    assert 10 < len(times) <= 60
    assert set(times) <= set(shown(video))


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", media.numbered(64, 48, 5))
    source = Source.probed(video, SETTINGS)
    with pytest.raises(OutputUnwritable):
        write_proxy(source, tmp_path / "none" / "proxy.mp4", lambda *_: None)
    if Path("/dev/full").exists():
        with pytest.raises(StorageFull):
            write_proxy(source, Path("/dev/full"), lambda *_: None)
    media.hollow(video)
    with pytest.raises(NoFrames):
        write_proxy(source, tmp_path / "proxy.mp4", lambda *_: None)


@pytest.mark.parametrize("kind", KINDS)
def test_only_files_whose_clock_is_ours_are_played_as_they_are(tmp_path: Path, kind: str) -> None:
    expected = {
        "plain": None,
        "reordered": None,
        "turned": None,
        "cut by an edit list": "an edit list that cuts",
        "stream": "MPEG-TS container",
    }
    shifted = "time stamps that players shift"
    assert obstacle(Source.probed(clip(tmp_path, kind), SETTINGS)) == expected.get(kind, shifted)


def test_the_copy_itself_is_played_as_it_is(tmp_path: Path) -> None:
    for kind in KINDS:
        assert obstacle(Source.probed(proxied(clip(tmp_path, kind)), SETTINGS)) is None


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("a.webm", {"codec": "libvpx"}, None),
        ("a.mkv", {}, "Matroska container"),
        ("a.mov", {}, "QuickTime container"),
        ("a.avi", {"codec": "mpeg4"}, "MPEG-4 Part 2 video"),
        ("a.mp4", {"sound": True}, None),
        ("a.mkv", {"codec": "mjpeg", "pixel_format": "yuvj420p"}, "Motion JPEG video"),
        ("a.mp4", {"pixel_format": "yuv422p"}, "yuv422p colours"),
        ("a.mp4", {"pixel_format": "yuv420p10le"}, "10-bit picture"),
        ("a.mp4", {"aspect": Fraction(4, 3)}, "pixels that are not square"),
        ("a.mp4", {"container_options": {"movflags": "empty_moov+frag_every_frame"}}, "a recording without an index"),
        ("a.webm", {"codec": "libvpx", "container_options": {"live": "1"}}, "a recording without an index"),
        ("a.h264", {"container": "h264", "options": {"bf": "0"}}, "H264 container"),
    ],
)
def test_the_reason_is_said_in_a_few_words(
    tmp_path: Path, name: str, options: dict[str, object], reason: str | None
) -> None:
    deep = str(options.get("pixel_format", "yuv420p"))
    frames = [media.yuv(luma, deep) for luma in media.numbered(64, 48, 5)]
    video = media.write_clip(tmp_path / name, frames, **options)
    assert obstacle(Source.probed(video, SETTINGS)) == reason


def test_every_other_oddity_needs_a_copy(tmp_path: Path) -> None:
    source = Source.probed(media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, 5)), SETTINGS)
    usual, facts, timeline = read_traits(source), source.facts, source.timeline
    assert usual.kind == "mp4"
    assert direct(facts, timeline, usual) is None

    def reason(**changes: object) -> str | None:
        known = {field.name for field in dataclasses.fields(Traits)}
        traits = dataclasses.replace(usual, **{k: v for k, v in changes.items() if k in known})
        changed = dataclasses.replace(facts, **{k: v for k, v in changes.items() if k not in known})
        return direct(changed, timeline, traits)

    start = (Fraction(0), True)
    assert reason(still=True) == "a single picture"
    assert reason(codec="hevc") == "HEVC video"
    assert reason(sound="ac3") == "AC3 sound"
    assert reason(films=2) == "several video streams"
    assert reason(indexed=False) == "a recording without an index"
    assert reason(interlaced=True) == "interlaced picture"
    assert reason(mirrored=True) == "a mirrored or turned picture"
    assert reason(coded_width=8192, coded_height=4320) == "a picture of 8192x4320 pixels"
    assert reason(edits=(((None, True), start),)) is None
    for edits in ((start, start), (start, (None, True)), ((Fraction(0), False),), ((Fraction(2), True),)):
        assert reason(edits=(edits,)) == "an edit list that cuts"


@pytest.mark.parametrize("seed", range(20))
def test_damaged_headers_end_in_an_answer(tmp_path: Path, seed: int) -> None:
    video = media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, 5))
    source = Source.probed(video, SETTINGS)
    content = video.read_bytes()
    video.write_bytes(media.flip_bits(content, seed, 12, content.index(b"moov")))
    try:
        traits = read_traits(source)
    except InputError:
        return
    assert len(traits.edits) <= 2
    reason = direct(source.facts, source.timeline, traits)
    assert reason is None or 3 < len(reason) < 80
