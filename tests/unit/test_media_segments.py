"""A video cut into segments is the same video; decoding stops when nobody reads on; damage costs what it damaged."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from media_factory import SAMPLE, Read, flip_bits, loop_sample, numbered, read, write_clip
from visagram.core.segments import Segment, plan
from visagram.errors import MissingInput, NoFrames, TooLarge
from visagram.media.decode import SegmentFrames
from visagram.media.probe import probe
from visagram.settings import Settings

OPEN = "keyint=40:min-keyint=40:open-gop=1:bframes=4:scenecut=0:log-level=none"
GOPS = {
    "h264.mp4": ("libx264", {"g": "40", "bf": "3", "b-adapt": "0"}),
    "h264.ts": ("libx264", {"g": "40", "bf": "3", "b-adapt": "0"}),
    "h264.mkv": ("libx264", {"g": "40", "bf": "3", "b-adapt": "0"}),
    "h264_open.mp4": ("libx264", {"g": "40", "bf": "3", "x264-params": "open-gop=1:b-adapt=0"}),
    "h264_open.ts": ("libx264", {"g": "40", "bf": "3", "x264-params": "open-gop=1:b-adapt=0"}),
    "h264_refresh.mkv": ("libx264", {"g": "40", "bf": "0", "x264-params": "intra-refresh=1"}),
    "hevc_open.mp4": ("libx265", {"x265-params": OPEN}),
    "hevc_open.ts": ("libx265", {"x265-params": OPEN}),
    "hevc_open.mkv": ("libx265", {"x265-params": OPEN}),
    "vp9.webm": ("libvpx-vp9", {"g": "40", "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "10"}),
    "av1.mp4": ("libsvtav1", {"g": "40", "preset": "12"}),
    "mpeg2.mpg": ("mpeg2video", {"g": "12", "bf": "2"}),
    "mpeg2.ts": ("mpeg2video", {"g": "12", "bf": "2"}),
    "mpeg4.mp4": ("mpeg4", {"g": "40", "bf": "2"}),
    "wmv.asf": ("wmv2", {"g": "40"}),
    "flash.flv": ("flv", {"g": "40"}),
}


def moving(width: int, height: int, count: int) -> list[np.ndarray]:
    """Numbered pictures with a texture that moves, so that prediction has something to do."""
    noise = np.random.default_rng(1).integers(40, 200, (height, width)).astype(np.uint8)
    pictures = numbered(width, height, count)
    for number, picture in enumerate(pictures):
        picture[height // 3 :] = np.roll(noise, number * 2, axis=1)[height // 3 :]
    return pictures


def same(cut: Read, whole: Read) -> None:
    assert [f.index for f in cut.frames] == [f.index for f in whole.frames]
    assert cut.times == whole.times
    assert [f.span for f in cut.frames] == [f.span for f in whole.frames]
    different = [a.index for a, b in zip(cut.frames, whole.frames, strict=True) if not np.array_equal(a.luma, b.luma)]
    assert different == []


@pytest.mark.parametrize("name", GOPS)
def test_the_segments_put_together_are_the_whole_video(tmp_path: Path, name: str) -> None:
    codec, options = GOPS[name]
    # 10 frames a second, so that 300 frames last long enough for several segments.
    pictures = moving(64, 48, 250)
    clip = write_clip(tmp_path / name, pictures, codec=codec, options=options, rate=10)
    cut, whole = read(clip), read(clip, straight=True)
    assert len(cut.segments) > 1, "the video must be cut for this to say anything"
    assert len(whole.frames) == 250
    assert (cut.damaged, whole.damaged) == (0, 0)
    same(cut, whole)


def test_the_segments_of_the_sample_are_the_whole_sample() -> None:
    same(read(SAMPLE), read(SAMPLE, straight=True))


def test_a_start_within_a_group_of_pictures_shows_the_same_frames(tmp_path: Path) -> None:
    codec, options = GOPS["hevc_open.mp4"]
    clip = write_clip(tmp_path / "a.mp4", moving(64, 48, 200), codec=codec, options=options, rate=10)
    whole = read(clip, straight=True)
    for start in (3.7, 3.9, 4.0, 4.1, 11.95):
        part = read(clip, Settings(start=start))
        expected = [frame for frame in whole.frames if frame.time >= Fraction(str(start))]
        assert [f.index for f in part.frames] == [f.index for f in expected]
        assert all(np.array_equal(a.luma, b.luma) for a, b in zip(part.frames, expected, strict=True))


def decoders() -> int:
    return sum(thread.name == "decode" for thread in threading.enumerate())


def opened(path: Path) -> tuple[SegmentFrames, Segment]:
    facts, timeline, _ = probe(path, Settings())
    segment = plan(timeline, 0, None, None)[0]
    return SegmentFrames(path, facts, timeline, segment, Settings(), threads=1, depth=3), segment


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_closing_early_ends_the_decoding_thread(taken: int) -> None:
    source, _ = opened(SAMPLE)
    with source:
        frames = iter(source)
        for _ in range(taken):
            next(frames)
        assert decoders() == 1
    assert decoders() == 0


def test_an_error_of_the_reader_ends_the_decoding_thread() -> None:
    source, _ = opened(SAMPLE)
    with pytest.raises(RuntimeError), source:
        for _ in source:
            raise RuntimeError
    assert decoders() == 0


def test_a_file_that_vanishes_between_probe_and_decoding_is_an_error_for_the_reader(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", numbered(64, 48, 5))
    facts, timeline, _ = probe(clip, Settings())
    clip.unlink()
    segment = plan(timeline, 0, None, None)[0]
    with (
        SegmentFrames(clip, facts, timeline, segment, Settings(), threads=1, depth=2) as source,
        pytest.raises(MissingInput),
    ):
        list(source)


def test_damaged_frames_are_skipped_and_counted_and_the_others_keep_their_times(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", moving(96, 64, 60), codec="ffv1", options={"slicecrc": "1", "g": "1"})
    with av.open(str(clip)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(clip.read_bytes())
    for number in (10, 11, 40):
        position, size = packets[number]
        content[position + 30 : position + size - 10] = bytes(size - 40)
    clip.write_bytes(content)
    video = read(clip)
    assert video.damaged == 3
    assert [frame.index for frame in video.frames] == [k for k in range(60) if k not in (10, 11, 40)]
    whole = numbered(96, 64, 60)
    assert all(np.array_equal(f.luma[:21], whole[f.index][:21]) for f in video.frames)


def test_damage_in_an_overlap_is_counted_once(tmp_path: Path) -> None:
    options = {"slicecrc": "1", "g": "1"}
    clip = write_clip(tmp_path / "a.mkv", moving(64, 48, 200), codec="ffv1", rate=10, options=options)
    boundary = int(read(clip).segments[1].frames[0])
    with av.open(str(clip)) as container:
        position, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][boundary + 1]
    content = bytearray(clip.read_bytes())
    content[position + 30 : position + size - 10] = bytes(size - 40)
    clip.write_bytes(content)
    assert read(clip).damaged == 1


def test_a_damaged_key_frame_does_not_take_down_its_neighbours_segments(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", moving(64, 48, 250), options={"g": "50", "bf": "2"}, rate=10)
    with av.open(str(clip)) as container:
        key = [p for p in container.demux(video=0) if p.is_keyframe][2]
        position, size = key.pos, key.size
    content = bytearray(clip.read_bytes())
    content[position : position + size] = flip_bits(bytes(content[position : position + size]), 3, size)
    clip.write_bytes(content)
    video = read(clip)
    assert 0 < video.damaged <= 60
    assert len(video.frames) + video.damaged == 250


def test_a_frame_that_grows_beyond_the_limit_in_the_middle_is_not_decoded(tmp_path: Path) -> None:
    small = write_clip(tmp_path / "1.h264", numbered(96, 64, 10))
    large = write_clip(tmp_path / "2.h264", numbered(640, 480, 10))
    glued = tmp_path / "glued.h264"
    glued.write_bytes(small.read_bytes() + large.read_bytes())
    video = read(glued, Settings(max_pixels=100_000))
    assert len(video.frames) == 10
    assert video.damaged == 10
    with pytest.raises(TooLarge):
        probe(large, Settings(max_pixels=100_000))


def test_a_container_whose_packets_hold_no_picture_has_no_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", numbered(96, 64, 5), codec="ffv1", options={"g": "1"})
    with av.open(str(clip)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(clip.read_bytes())
    for position, size in packets:
        content[position : position + size] = bytes(size)
    clip.write_bytes(content)
    with pytest.raises(NoFrames):
        probe(clip, Settings())


def test_a_looped_sample_is_as_long_as_its_turns(tmp_path: Path) -> None:
    facts, *_ = probe(loop_sample(tmp_path / "a.mp4", 3), Settings())
    assert facts.frames == 3 * 765
