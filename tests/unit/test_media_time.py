"""When each frame is shown: presentation timestamps as exact fractions, whatever the container does to them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from media_factory import (
    SAMPLE,
    numbered,
    patch,
    read,
    sample_frames,
    write_clip,
    write_sound,
)
from visagram.core.segments import plan
from visagram.errors import NoVideoStream
from visagram.media.probe import probe
from visagram.settings import Settings

NTSC = Fraction(30000, 1001)


def evenly(count: int, rate: Fraction | int = 25) -> list[Fraction]:
    return [Fraction(number) / rate for number in range(count)]


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("h264.mp4", "libx264", "yuv420p"),
        ("h264.mkv", "libx264", "yuv420p"),
        ("h264.ts", "libx264", "yuv420p"),
        ("hevc.mp4", "libx265", "yuv420p"),
        ("vp8.webm", "libvpx", "yuv420p"),
        ("vp9.webm", "libvpx-vp9", "yuv420p"),
        ("av1.mp4", "libsvtav1", "yuv420p"),
        ("mjpeg.avi", "mjpeg", "yuvj420p"),
        ("xvid.avi", "mpeg4", "yuv420p"),
        ("mpeg1.mpg", "mpeg1video", "yuv420p"),
        ("mpeg2.ts", "mpeg2video", "yuv420p"),
        ("wmv.asf", "wmv2", "yuv420p"),
        ("flash.flv", "flv", "yuv420p"),
        ("prores.mov", "prores_ks", "yuv422p10le"),
        ("ffv1.mkv", "ffv1", "yuv420p"),
        ("raw.y4m", "wrapped_avframe", "yuv420p"),
    ],
)
def test_every_frame_of_every_codec_arrives_once_in_order_and_on_time(
    tmp_path: Path, name: str, codec: str, pixel_format: str
) -> None:
    clip = write_clip(tmp_path / name, numbered(96, 64, 12), codec=codec, pixel_format=pixel_format)
    video = read(clip)
    assert video.numbers == list(range(12))
    assert video.times == evenly(12)
    assert [frame.index for frame in video.frames] == list(range(12))
    assert {frame.span for frame in video.frames} == {Fraction(1, 25)}
    assert (video.facts.frames, video.facts.duration, video.damaged) == (12, Fraction(12, 25), 0)


def test_an_animated_gif_keeps_its_own_delays(tmp_path: Path) -> None:
    frames = [frame.reformat(format="rgb8") for frame in sample_frames(4, 96, 64)]
    clip = write_clip(tmp_path / "a.gif", frames, codec="gif", pixel_format="rgb8", rate=100, pts=[0, 10, 40, 50])
    assert read(clip).times == [Fraction(t, 100) for t in (0, 10, 40, 50)]


def test_the_ntsc_rate_does_not_drift(tmp_path: Path) -> None:
    video = read(write_clip(tmp_path / "a.mp4", numbered(96, 64, 200), rate=NTSC))
    assert video.times[199] == 199 / NTSC
    assert video.facts.rate == NTSC
    assert not video.facts.variable_rate


def test_a_variable_frame_rate_keeps_every_single_time_and_span(tmp_path: Path) -> None:
    pts = [0, 10, 35, 36, 90, 300, 301, 305]
    clip = write_clip(tmp_path / "a.mkv", numbered(96, 64, 8), rate=30, pts=pts, time_base=Fraction(1, 1000))
    video = read(clip)
    assert video.times == [Fraction(t, 1000) for t in pts]
    assert [frame.span for frame in video.frames][:-1] == [Fraction(b - a, 1000) for a, b in pairwise(pts)]
    assert video.facts.variable_rate
    assert video.numbers == list(range(8))


def test_b_frames_come_in_the_order_in_which_they_are_shown(tmp_path: Path) -> None:
    options = {"bf": "3", "b-pyramid": "normal", "b-adapt": "0"}
    clip = write_clip(tmp_path / "a.mp4", numbered(96, 64, 30), options=options)
    with av.open(str(clip)) as container:
        stored = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert stored != sorted(stored), "the clip must really be stored out of order"
    assert read(clip).numbers == list(range(30))
    assert read(clip).times == evenly(30)


def test_a_transport_stream_that_begins_at_1_4_seconds_begins_at_zero(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.ts", numbered(96, 64, 12))
    with av.open(str(clip)) as container:
        assert container.streams.video[0].start_time > 0
    assert read(clip).times[0] == 0


def test_a_video_that_starts_later_than_its_sound_keeps_the_distance(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", numbered(96, 64, 10), pts=list(range(5, 15)), sound=True)
    times = read(clip).times
    assert float(times[0]) == pytest.approx(0.2, abs=0.03)
    assert times[9] - times[0] == Fraction(9, 25)


def test_frames_before_the_beginning_of_an_edit_list_are_not_shown(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", numbered(96, 64, 20), options={"bf": "0"})
    # The edit begins five frames into the media, as a lossless cut leaves it.
    with av.open(str(clip)) as container:
        media_base = container.streams.video[0].time_base
    patch(clip, b"elst", 12, int(Fraction(5, 25) / media_base).to_bytes(4, "big"))
    video = read(clip)
    assert video.numbers == list(range(5, 20))
    assert video.times == evenly(15)
    assert video.damaged == 0


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("b.avi", "libx264", {"bf": "2", "b-adapt": "0"}),
        ("xvid.avi", "mpeg4", {"bf": "2"}),
        ("raw.h264", "libx264", {}),
        ("raw.hevc", "libx265", {}),
    ],
)
def test_without_usable_timestamps_frames_are_counted(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    video = read(write_clip(tmp_path / name, numbered(96, 64, 24), codec=codec, options=options))
    assert video.facts.time_basis == "exact"
    assert video.numbers == list(range(24))
    assert video.times == evenly(24)
    assert video.facts.duration == Fraction(24, 25)


def test_counted_frames_respect_start_end_and_sampling(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "raw.h264", numbered(96, 64, 50))
    assert read(clip, Settings(start=0.4, end=1.2)).numbers == list(range(10, 30))
    assert read(clip, Settings(sample_fps=5)).numbers == list(range(0, 50, 5))
    tenth = read(clip, Settings(start=0.2, frame_interval=10))
    assert tenth.numbers == [5, 15, 25, 35, 45]
    assert [frame.span for frame in tenth.frames] == [Fraction(10, 25)] * 4 + [Fraction(5, 25)]


def test_start_and_end_choose_frames_by_their_exact_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", numbered(96, 64, 50), options={"g": "10"})
    video = read(clip, Settings(start=0.48, end=1.0))
    assert video.numbers == list(range(12, 25))
    assert video.times[0] == Fraction(12, 25)
    assert [frame.index for frame in video.frames] == list(range(12, 25))


def test_sampling_takes_the_first_frame_of_each_slot_and_stretches_its_span(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", numbered(96, 64, 50))
    video = read(clip, Settings(sample_fps=5))
    assert video.numbers == list(range(0, 50, 5))
    assert {frame.span for frame in video.frames} == {Fraction(1, 5)}


def test_recordings_glued_together_do_not_run_backwards_in_time(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "1.ts", numbered(96, 64, 20))
    second = write_clip(tmp_path / "2.ts", numbered(96, 64, 15), rate=30)
    glued = tmp_path / "glued.ts"
    glued.write_bytes(first.read_bytes() + second.read_bytes())
    video = read(glued)
    assert video.numbers == [*range(20), *range(15)]
    assert all(a < b for a, b in pairwise(video.times))


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.jpg", "mjpeg", "yuvj420p"),
        ("a.png", "png", "rgb24"),
        ("a.webp", "libwebp", "yuv420p"),
        ("a.bmp", "bmp", "bgr24"),
        ("a.tiff", "tiff", "rgb24"),
    ],
)
def test_a_still_picture_is_a_video_of_one_frame(tmp_path: Path, name: str, codec: str, pixel_format: str) -> None:
    picture = sample_frames(1, 96, 64)[0].reformat(format=pixel_format)
    kind = "webp" if codec == "libwebp" else "image2"
    options = {} if codec == "libwebp" else {"update": "1"}
    clip = write_clip(
        tmp_path / name, [picture], codec=codec, pixel_format=pixel_format, container=kind, container_options=options
    )
    video = read(clip)
    assert video.facts.still
    assert (video.facts.width, video.facts.height) == (96, 64)
    assert video.times == [0]


def test_a_cover_picture_is_not_a_video(tmp_path: Path) -> None:
    with pytest.raises(NoVideoStream):
        probe(write_sound(tmp_path / "song.mp3", cover=True), Settings())


def test_the_facts_of_the_sample_are_right() -> None:
    facts, timeline, _ = probe(SAMPLE, Settings())
    assert (facts.width, facts.height, facts.frames, facts.codec) == (400, 300, 765, "h264")
    assert (facts.duration, facts.rate) == (Fraction(153, 5), 25)
    assert not (facts.variable_rate or facts.still or facts.has_audio)
    assert timeline.keys.tolist() == [0, 250, 500, 750]
    assert len(plan(timeline, 0, None, None)) > 1
