"""A still picture is never chosen when there is a film, the default film is, and a file with several says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from truth import Truth, check_everything

from media_factory import FULL, grey, numbered, read, write_clip, yuv
from visagram.analysis import Analysis
from visagram.errors import UsageError
from visagram.settings import Settings
from visagram.workers import Workers

Make = Callable[[Path], Truth]
COUNT = 30
FILM, OTHER, SEVERAL = 0, 100, frozenset({"several_videos"})


@dataclass(frozen=True)
class Track:
    """A video stream. first: number painted on its first picture. every: seconds from one picture to the next."""

    codec: str = "libx264"
    size: tuple[int, int] = (96, 64)
    count: int = COUNT
    first: int = FILM
    every: Fraction = Fraction(1, 25)
    default: bool = False
    title: str = ""


def write_tracks(path: Path, tracks: Sequence[Track], container: str | None = None) -> Path:
    with av.open(str(path), "w", format=container) as output:
        streams = []
        for track in tracks:
            jpeg = track.codec == "mjpeg"
            stream = output.add_stream(track.codec, rate=25, options={} if jpeg else {"bf": "0", "g": "10"})
            stream.width, stream.height = track.size
            stream.pix_fmt, stream.color_range = ("yuvj420p", FULL) if jpeg else ("yuv420p", 1)
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            stream.disposition = Disposition.default if track.default else Disposition(0)
            if track.title:
                stream.metadata["title"] = track.title
            streams.append(stream)
        packets = []
        for stream, track in zip(streams, tracks, strict=True):
            for k in range(track.count):
                jpeg = track.codec == "mjpeg"
                frame = yuv(grey(*track.size, track.first + k), "yuvj420p" if jpeg else "yuv420p", FULL if jpeg else 1)
                frame.pts, frame.time_base = round(k * track.every * 1000), Fraction(1, 1000)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)
    return path


def _truth(path: Path, track: Track, codes: frozenset[str] = frozenset()) -> Truth:
    numbers = [track.first + k for k in range(track.count)]
    times = [float(k * track.every) for k in range(track.count)]
    return Truth(path, numbers, times, times[-1] + 0.04, sizes=(track.size,), codes=codes)


def unmarked_cover_behind(folder: Path) -> Truth:
    film = Track(default=True)
    cover = Track("mjpeg", (320, 240), 1, OTHER)
    return _truth(write_tracks(folder / "a.mkv", [film, cover]), film)


def unmarked_cover_in_front(folder: Path) -> Truth:
    """Larger than the film, first, and marked as the default on top of it."""
    film = Track()
    cover = Track("mjpeg", (320, 240), 1, OTHER, default=True)
    return _truth(write_tracks(folder / "b.mkv", [cover, film]), film)


def unmarked_cover_in_mp4(folder: Path) -> Truth:
    film = Track(default=True)
    return _truth(write_tracks(folder / "c.mp4", [Track("mjpeg", (320, 240), 1, OTHER), film]), film)


def track_of_thumbnails(folder: Path) -> Truth:
    film = Track(count=60, default=True)
    thumbnails = Track("mjpeg", (160, 120), 3, OTHER, Fraction(4, 5), default=True)
    return _truth(write_tracks(folder / "d.mkv", [thumbnails, film]), film)


def marked_cover(folder: Path) -> Truth:
    """As music players and phones write it."""
    path = folder / "e.mp4"
    with av.open(str(path), "w") as output:
        film = output.add_stream("libx264", rate=25, options={"bf": "0"})
        cover = output.add_stream("mjpeg", rate=25)
        film.width, film.height, film.pix_fmt = 96, 64, "yuv420p"
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        for k, luma in enumerate(numbered(96, 64, COUNT)):
            frame = yuv(luma)
            frame.pts, frame.time_base = k, Fraction(1, 25)
            output.mux(film.encode(frame))
        output.mux(film.encode(None))
        picture = yuv(grey(320, 240, OTHER), "yuvj420p", FULL)
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        output.mux([*cover.encode(picture), *cover.encode(None)])
    return _truth(path, Track())


def two_films_the_second_the_default(folder: Path) -> Truth:
    default = Track(size=(64, 48), first=OTHER, default=True)
    return _truth(write_tracks(folder / "f.mkv", [Track(size=(128, 96)), default]), default, SEVERAL)


def two_films_none_the_default(folder: Path) -> Truth:
    """The larger one, as players do."""
    large = Track(size=(128, 96), first=OTHER)
    return _truth(write_tracks(folder / "g.ts", [Track(size=(64, 48)), large], "mpegts"), large, SEVERAL)


def two_films_of_one_size(folder: Path) -> Truth:
    first = Track()
    return _truth(write_tracks(folder / "h.ts", [first, Track(first=OTHER)], "mpegts"), first, SEVERAL)


def the_one_that_was_asked_for(folder: Path) -> Truth:
    asked = Track(first=OTHER)
    path = write_tracks(folder / "i.mkv", [Track(default=True), asked])
    return replace(_truth(path, asked, SEVERAL), settings=Settings(stream=1))


CASES = [
    unmarked_cover_behind,
    unmarked_cover_in_front,
    unmarked_cover_in_mp4,
    track_of_thumbnails,
    marked_cover,
    two_films_the_second_the_default,
    two_films_none_the_default,
    two_films_of_one_size,
    the_one_that_was_asked_for,
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_the_film_is_read(make: Make, tmp_path: Path, workers: Workers) -> None:
    check_everything(make(tmp_path), workers, tmp_path)


def test_a_file_with_several_videos_names_them_also_when_no_face_is_found(tmp_path: Path, workers: Workers) -> None:
    tracks = [Track(default=True), Track(size=(64, 48), first=OTHER, count=12, title="Back camera")]
    report = Analysis(write_tracks(tmp_path / "a.mkv", tracks), Settings(), workers=workers).report()
    assert not report.people
    messages = {warning.code: warning for warning in report.warnings}
    assert set(messages) == {"several_videos", "no_face"}
    assert "stream 0 (h264, 96x64, 30 frames)" in messages["several_videos"].message
    assert "stream 1 (h264, 64x48, 12 frames, 'Back camera')" in messages["several_videos"].message
    assert "--stream" in messages["several_videos"].message
    assert messages["several_videos"].count == 2
    assert report.video.stream == 0


def test_a_stream_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "a.mkv", [Track(default=True), Track(first=OTHER)])
    with pytest.raises(UsageError, match=r"Stream 5 .* stream 0 \(h264, 96x64, 30 frames\); stream 1 \(h264"):
        read(path, Settings(stream=5))


def test_a_photograph_is_read_although_it_is_a_still_picture(tmp_path: Path) -> None:
    picture = [yuv(grey(96, 64, 77), "yuvj420p", FULL)]
    clip = write_clip(
        tmp_path / "a.jpg",
        picture,
        codec="mjpeg",
        pixel_format="yuvj420p",
        container="image2",
        container_options={"update": "1"},
    )
    video = read(clip)
    assert video.facts.still and video.numbers == [77]
    np.testing.assert_array_equal([frame.size for frame in video.frames], [(96, 64)])


def test_motion_jpeg_alone_is_a_film(tmp_path: Path) -> None:
    frames = [yuv(luma, "yuvj420p", FULL) for luma in numbered(96, 64, 12)]
    video = read(write_clip(tmp_path / "a.avi", frames, codec="mjpeg", pixel_format="yuvj420p"))
    assert video.numbers == list(range(12))
