"""The annotated video: every frame at its own time, upright, with its sound, and drawn where the faces are."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

import media_factory as media
from factories import observations, report_of
from visagram.core.segments import Timeline
from visagram.core.types import Observations, VideoFacts
from visagram.errors import DecodeFailed, OutputUnwritable, StorageFull, UsageError
from visagram.media.annotate import annotate
from visagram.media.clock import Clock
from visagram.media.probe import probe
from visagram.media.source import Source
from visagram.report import Report
from visagram.settings import Settings
from visagram.workers import Workers

SETTINGS = Settings(processes=1)
HAPPY, TURNED = 3, -3


def draw(video: Path, rows: Observations | None = None, names: dict[int, str] | None = None) -> Path:
    """`video` annotated, beside itself."""
    output = video.with_name("annotated.mp4")
    steps: list[tuple[str, int, int]] = []
    table = Observations.empty() if rows is None else rows
    annotate(Source.probed(video, SETTINGS), table, names or {}, output, lambda *step: steps.append(step))
    assert {step[0] for step in steps} == {"annotate"}
    assert all(0 <= done <= total for _, done, total in steps)
    return output


def times(video: Path) -> list[Fraction]:
    """When each decoded frame is shown, from the video's start."""
    _, timeline, _ = probe(video, SETTINGS)
    if not len(timeline.packets):
        return [timeline.seconds(int(pts)) for pts in timeline.pts]
    with av.open(str(video)) as container:
        return [(frame.pts - timeline.origin) * timeline.base for frame in container.decode(video=0)]


def pictures(video: Path) -> list[np.ndarray]:
    """Luma (h, w) of each frame."""
    with av.open(str(video)) as container:
        return [frame.to_ndarray()[: frame.height, : frame.width] for frame in container.decode(video=0)]


def facts_of(video: Path) -> VideoFacts:
    return probe(video, SETTINGS)[0]


def face(frame: int, box: tuple[float, float, float, float], label: int = HAPPY, span: float = 0.04) -> Observations:
    row = observations(1, [frame], [label])
    return row.with_columns(box=np.array([box], np.float32), span=np.array([span]))


def voiced(path: Path, codec: str, late: Fraction = Fraction(0), length: int = 50, rate: int = 48000) -> Path:
    """Frames at 25 a second and a tone that starts `late` seconds after them."""
    with av.open(str(path), "w") as output:
        video, voice = output.add_stream("libx264", rate=25), output.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        for number, luma in enumerate(media.numbered(160, 96, length)):
            frame = media.yuv(luma)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for number in range(length * rate // 25 // 960):
            wave = np.sin(np.arange(960) * 0.05 + number * 960 * 0.05).astype(np.float32) / 4
            sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
            sound.rate, sound.pts, sound.time_base = rate, number * 960 + round(late * rate), Fraction(1, rate)
            output.mux(voice.encode(sound))
        output.mux(voice.encode(None))
    return path


def sounds(video: Path) -> tuple[str, list[tuple[Fraction, int]]]:
    """Codec of the sound, and time and size of each packet."""
    with av.open(str(video)) as container:
        voice = container.streams.audio[0]
        packets = [packet for packet in container.demux(voice) if packet.size]
        return voice.codec_context.name, [(packet.pts * packet.time_base, packet.size) for packet in packets]


def heard(video: Path) -> tuple[float, float]:
    """First moment that is not silent, and the end, in seconds from the video's start."""
    timeline = probe(video, SETTINGS)[1]
    with av.open(str(video)) as container:
        frames = list(container.decode(audio=0))
    loud = [frame for frame in frames if np.abs(frame.to_ndarray()).max() > 0.02]
    start = float(timeline.origin * timeline.base)
    return loud[0].time - start, frames[-1].time + frames[-1].samples / frames[-1].sample_rate - start


def test_every_frame_is_there_at_its_own_time(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", media.numbered(160, 96, 60), rate=Fraction(30000, 1001))
    output = draw(video)
    assert times(output) == times(video)
    assert [media.read_number(luma) for luma in pictures(output)] == list(range(60))
    before, after = facts_of(video), facts_of(output)
    assert (after.codec, after.pixel_format, after.duration) == ("h264", "yuv420p", before.duration)


def test_the_index_comes_first_so_that_a_browser_can_start_at_once(tmp_path: Path) -> None:
    content = draw(media.write_clip(tmp_path / "film.mp4", media.numbered(64, 48, 10))).read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.ts"])
def test_variable_rates_and_late_starts_keep_each_time(tmp_path: Path, name: str) -> None:
    pts = np.cumsum([500, *np.random.default_rng(1).integers(11, 400, 39)]).tolist()
    frames = media.numbered(160, 96, 40)
    video = media.write_clip(tmp_path / name, frames, pts=pts, time_base=Fraction(1, 1000))
    output = draw(video)
    assert times(output) == times(video)
    assert facts_of(output).variable_rate
    assert [media.read_number(luma) for luma in pictures(output)] == list(range(40))


def test_a_file_without_timestamps_is_counted(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.h264", media.numbered(160, 96, 20), options={"bf": "0"}, container="h264")
    output = draw(video)
    assert len(pictures(output)) == 20
    rate = facts_of(video).rate
    assert times(output) == pytest.approx([number / rate for number in range(20)])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_video_comes_out_upright(tmp_path: Path, degrees: int) -> None:
    video = media.write_clip(tmp_path / "film.mp4", [media.marker(160, 96)] * 5, options={"crf": "10"})
    media.turn(video, degrees)
    output = draw(video)
    after = facts_of(output)
    assert (after.rotation, after.width, after.height) == (0, *((160, 96) if degrees == 180 else (96, 160)))
    expected = np.rot90(media.marker(160, 96), -degrees // 90)
    difference = np.abs(pictures(output)[0].astype(int) - expected)
    assert np.median(difference) <= 2
    assert (difference > 60).mean() < 0.02


def test_a_mirrored_video_comes_out_as_players_show_it(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", [media.marker(160, 96)] * 3, options={"crf": "10"})
    media.turn(video, matrix=(-1, 0, 0, 0, 1, 0))
    difference = np.abs(pictures(draw(video))[0].astype(int) - media.marker(160, 96)[:, ::-1])
    assert (difference > 60).mean() < 0.02


def test_boxes_follow_the_displayed_picture(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", [np.full((240, 320), 128, np.uint8)] * 3)
    media.turn(video, 90)
    luma = pictures(draw(video, face(0, (60, 80, 70, 90))))[0].astype(int)
    assert luma.shape == (320, 240)
    for inside in (luma[80:170, 60:131].T, luma[80:171, 60:130]):
        assert np.abs(inside[:, [0, -1]] - 128).mean() > 15
    assert np.abs(luma[90:160, 70:120] - 128).max() <= 4


def test_odd_sizes_get_one_line_more(tmp_path: Path) -> None:
    frames = media.numbered(161, 97, 5)
    video = media.write_clip(tmp_path / "film.mkv", frames, codec="ffv1", pixel_format="yuv444p")
    output = draw(video, face(0, (10, 40, 30, 40)))
    assert (facts_of(output).width, facts_of(output).height) == (162, 98)
    assert [media.read_number(luma) for luma in pictures(output)] == list(range(5))
    luma = pictures(output)[4].astype(int)
    assert np.abs(luma[60:, 161] - luma[60:, 160]).mean() < 4


def test_pixels_that_are_not_square_become_square(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", media.numbered(160, 120, 5), aspect=Fraction(4, 3))
    output = draw(video)
    assert (facts_of(output).width, facts_of(output).height) == (214, 120)
    assert [media.read_number(luma) for luma in pictures(output)] == list(range(5))


@pytest.mark.parametrize(
    ("codec", "pixel_format", "name"),
    [
        ("libx265", "yuv420p10le", "film.mp4"),
        ("libx264", "yuv422p", "film.mp4"),
        ("ffv1", "gray", "film.mkv"),
        ("libvpx-vp9", "yuv420p", "film.webm"),
        ("mjpeg", "yuvj422p", "film.avi"),
    ],
)
def test_other_codecs_and_pixel_formats(tmp_path: Path, codec: str, pixel_format: str, name: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"FFmpeg was built without {codec}")
    full = pixel_format.startswith(("gray", "yuvj"))
    frames = [
        media.yuv(luma, pixel_format, media.FULL if full else media.LIMITED) for luma in media.numbered(160, 96, 8)
    ]
    video = media.write_clip(tmp_path / name, frames, codec=codec, pixel_format=pixel_format)
    output = draw(video)
    assert times(output) == times(video)
    assert [media.read_number(luma) for luma in pictures(output)] == list(range(8))


@pytest.mark.parametrize(("pixel_format", "full"), [("yuv420p", False), ("yuvj420p", True)])
def test_the_range_of_luma_is_kept_and_tagged(tmp_path: Path, pixel_format: str, full: bool) -> None:
    marked = media.FULL if full else media.LIMITED
    luma = np.tile(np.linspace(20, 230, 160).astype(np.uint8), (96, 1))
    frames = [media.yuv(luma, pixel_format, marked)] * 3
    video = media.write_clip(tmp_path / "film.mp4", frames, pixel_format=pixel_format, color_range=marked)
    output = draw(video)
    with av.open(str(output)) as container:
        assert (container.streams.video[0].codec_context.color_range == media.FULL) == full
    assert np.abs(pictures(output)[0][:60].astype(int) - luma[:60]).max() <= 4


def test_a_face_is_held_for_its_span_and_no_longer(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", [np.full((240, 320), 128, np.uint8)] * 10)
    seen = [np.ptp(luma[50:120, 36:44]) > 20 for luma in pictures(draw(video, face(2, (40, 40, 60, 80), span=0.16)))]
    assert seen == [False] * 2 + [True] * 4 + [False] * 4


def test_a_face_that_was_not_measured_is_dashed_and_has_no_bars(tmp_path: Path) -> None:
    video = media.write_clip(tmp_path / "film.mp4", [np.full((240, 320), 128, np.uint8)] * 2, options={"crf": "4"})
    box = (40, 60, 80, 100)
    luma = pictures(draw(video, face(0, box, TURNED)))[0].astype(int)
    edge = np.abs(luma[65:155, 39:42] - 128).max(axis=1) > 20
    assert 6 < np.abs(np.diff(edge)).sum() < 60
    assert np.abs(luma[100:200, 130:] - 128).max() <= 4
    named = luma[40:59, 40:160]
    assert np.ptp(named) > 60


@pytest.mark.parametrize(("codec", "name"), [("aac", "film.mp4"), ("aac", "film.ts"), ("libmp3lame", "film.mkv")])
def test_sound_that_fits_is_copied(tmp_path: Path, codec: str, name: str) -> None:
    video = voiced(tmp_path / name, codec)
    output = draw(video)
    (before, source), (after, copied) = sounds(video), sounds(output)
    assert after.startswith(before[:3])
    assert len(copied) == len(source)
    if not name.endswith("ts"):  # there each packet has a header of its own, which MP4 does without
        assert [size for _, size in copied] == [size for _, size in source]
    shift = probe(video, SETTINGS)[1].origin * probe(video, SETTINGS)[1].base
    off = [abs(float(a[0] - (b[0] - shift))) for a, b in zip(copied, source, strict=True)]
    assert max(off) < 0.002
    assert times(output) == times(video)


@pytest.mark.parametrize(
    ("codec", "name"), [("pcm_s16le", "film.mkv"), ("pcm_s16le", "film.avi"), ("flac", "film.mkv"), ("mp2", "film.ts")]
)
def test_sound_that_does_not_fit_becomes_aac(tmp_path: Path, codec: str, name: str) -> None:
    video = voiced(tmp_path / name, codec)
    output = draw(video)
    assert sounds(output)[0] == "aac"
    assert heard(output) == pytest.approx(heard(video), abs=0.03)
    assert times(output) == times(video)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_that_starts_late_stays_late(tmp_path: Path, codec: str) -> None:
    video = voiced(tmp_path / "film.mkv", codec, late=Fraction(1, 2))
    output = draw(video)
    assert heard(output) == pytest.approx(heard(video), abs=0.03)
    assert heard(output)[0] > 0.45


def test_damaged_frames_are_left_out(tmp_path: Path) -> None:
    frames = media.numbered(160, 96, 60)
    video = media.write_clip(tmp_path / "film.ts", frames, options={"g": "10"})
    video.write_bytes(media.flip_bits(video.read_bytes(), 5, 30, 5000))
    output = draw(video)
    kept = times(output)
    assert 10 < len(kept) <= 60
    assert set(kept) <= set(times(video)) | set(probe(video, SETTINGS)[1].pts * probe(video, SETTINGS)[1].base)
    assert all(later > sooner for sooner, later in pairwise(kept))


def test_a_still_picture_is_a_video_of_one_frame(tmp_path: Path) -> None:
    video = media.write_clip(
        tmp_path / "face.jpg",
        [media.yuv(media.grey(160, 96, 7), "yuvj420p", media.FULL)],
        codec="mjpeg",
        pixel_format="yuvj420p",
        container="image2",
        color_range=media.FULL,
    )
    assert [media.read_number(luma) for luma in pictures(draw(video, face(0, (10, 40, 40, 40))))] == [7]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = media.numbered(640, 360, 200)
    return media.write_clip(tmp_path_factory.mktemp("film") / "film.mp4", frames, sound=True)


@pytest.fixture(scope="module")
def report(film: Path) -> Report:
    labels = [HAPPY] * 150 + [TURNED] * 50
    return report_of(observations(1, range(200), labels), facts_of(film), names=["Zoë <b>'\n\x1b[0m\udce9 映画"])


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers(SETTINGS) as pool:
        yield pool


def test_a_worker_writes_the_file_and_tells_how_far_it_is(
    film: Path, report: Report, workers: Workers, tmp_path: Path
) -> None:
    steps: list[tuple[str, int, int]] = []
    output = tmp_path / "new" / "caf\udce9 100%d:x" / "annotated.mp4"
    workers.annotate(film, report, output, lambda *step: steps.append(step))
    assert [path.name for path in output.parent.iterdir()] == ["annotated.mp4"]
    plain = output.rename(tmp_path / "annotated.mp4")
    assert times(plain) == times(film)
    assert sounds(plain)[0].startswith("mp3")
    assert steps[-1] == ("annotate", 200, 200)
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)
    # The next task may not write any more, and works.
    assert workers.probe(film)[0].frames == 200


def test_another_video_is_refused(film: Path, report: Report, workers: Workers, tmp_path: Path) -> None:
    other = media.write_clip(tmp_path / "other.mp4", media.numbered(64, 48, 5))
    with pytest.raises(UsageError, match="not the video"):
        workers.annotate(other, report, tmp_path / "out" / "annotated.mp4", lambda *_: None)
    assert not any((tmp_path / "out").iterdir())


def test_what_the_disk_refuses_is_said_in_its_own_words(film: Path, report: Report, tmp_path: Path) -> None:
    source, rows, nothing = Source.probed(film, SETTINGS), report.observations, lambda *_: None
    with pytest.raises(OutputUnwritable):
        annotate(source, rows, {}, tmp_path / "none" / "annotated.mp4", nothing)
    if Path("/dev/full").exists():
        with pytest.raises(StorageFull):
            annotate(source, rows, {}, Path("/dev/full"), nothing)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_a_worker_that_always_dies_ends_in_an_error_and_leaves_the_old_file(
    film: Path, report: Report, workers: Workers, tmp_path: Path
) -> None:
    output = tmp_path / "annotated.mp4"
    output.write_bytes(b"old")

    def kill(_stage: str, completed: int, _total: int) -> None:
        if completed < 200:
            os.kill(workers.pids[0], signal.SIGKILL)

    with pytest.raises(DecodeFailed, match="could not be annotated"):
        workers.annotate(film, report, output, kill)
    assert [path.name for path in tmp_path.iterdir()] == ["annotated.mp4"]
    assert output.read_bytes() == b"old"


def test_an_interrupt_leaves_nothing_behind(film: Path, report: Report, workers: Workers, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workers.annotate(film, report, tmp_path / "annotated.mp4", interrupt)
    assert not any(tmp_path.iterdir())
    assert not workers.pids


def test_times_finer_than_mp4_can_hold_are_rounded_to_microseconds(tmp_path: Path) -> None:
    nanoseconds = Timeline(Fraction(1, 10**9), np.array([0, 33_333_333, 66_666_667]), np.array([0]), 10**8, 0)
    clock = Clock(nanoseconds)
    assert clock.base == Fraction(1, 10**6)
    assert [clock.pts(number) for number in range(3)] == [0, 33333, 66667]
