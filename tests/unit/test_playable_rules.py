"""Whether a browser plays a file: each rule at its limit, and edit lists read from boxes made here."""

from __future__ import annotations

import dataclasses
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import media_factory as media
from factories import video_facts
from visagram.core.segments import Timeline
from visagram.core.types import REPAIRED, Shape, VideoFacts
from visagram.media.playable import Edit, Traits, direct, read_traits
from visagram.media.source import Source
from visagram.settings import Settings

FACTS = video_facts()
TRAITS = Traits("mp4", "aac", 1, True, False, (), True)
TIMELINE = Timeline(
    Fraction(1, 25), np.arange(4), np.array([0, 2]), 4, 0, packets=np.arange(4), key_packets=np.array([0, 2])
)
START: Edit = (Fraction(0), True)
PAUSE: Edit = (None, True)


def reason(timeline: Timeline = TIMELINE, **changes: object) -> str | None:
    known = {field.name for field in dataclasses.fields(Traits)}
    traits = dataclasses.replace(TRAITS, **{k: v for k, v in changes.items() if k in known})  # type: ignore[arg-type]
    facts: VideoFacts = dataclasses.replace(FACTS, **{k: v for k, v in changes.items() if k not in known})  # type: ignore[arg-type]
    return direct(facts, timeline, traits)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        *(({"codec": codec}, None) for codec in ("vp9", "libvpx-vp9", "av1", "libdav1d")),
        ({"codec": "vp8"}, "VP8 video"),
        ({"codec": "prores"}, "ProRes video"),
        ({"codec": "wmv3"}, "WMV video"),
        ({"codec": "mpeg2video"}, "MPEG-2 video"),
        ({"codec": "Odd"}, "Odd video"),
        ({"kind": "webm", "codec": "h264"}, "H264 video"),
        *(({"kind": "webm", "codec": codec, "sound": "opus"}, None) for codec in ("vp8", "vp9", "av1", "libdav1d")),
        ({"kind": "webm", "codec": "vp8", "sound": "vorbis"}, None),
        ({"kind": "webm", "codec": "vp8", "sound": "aac"}, "AAC sound"),
        *(({"sound": sound}, None) for sound in ("mp3", "mp3float", "opus", "flac", None)),
        ({"sound": "vorbis"}, "VORBIS sound"),
        ({"kind": "matroska,webm"}, "MATROSKA container"),
        ({"kind": "flv"}, "Flash container"),
        ({"kind": "Matroska"}, "Matroska container"),
        ({"pixel_format": "yuvj420p"}, None),
        ({"pixel_format": "yuv444p"}, "yuv444p colours"),
        ({"pixel_format": "yuv422p10le"}, "10-bit picture"),
        ({"pixel_format": "yuv420p9le"}, "9-bit picture"),
        ({"pixel_format": "gray"}, "gray colours"),
        ({"coded_width": 4096, "coded_height": 2304}, None),
        ({"coded_width": 4096, "coded_height": 2305}, "a picture of 4096x2305 pixels"),
        ({"films": 0}, None),
        ({"films": 2}, "several video streams"),
        ({"indexed": False}, "a recording without an index"),
        ({"interlaced": True}, "interlaced picture"),
        ({"square": False}, "pixels that are not square"),
        ({"rotation": 90}, None),
        ({"mirrored": True}, "a mirrored or turned picture"),
        ({"kind": "webm", "codec": "vp8", "sound": None, "rotation": 90}, "a mirrored or turned picture"),
        ({"kind": "webm", "codec": "vp8", "sound": None, "mirrored": True}, "a mirrored or turned picture"),
        ({"time_basis": REPAIRED}, "no usable time stamps"),
        ({"shapes": (Shape(0, 0.0, "yuv420p", 9, 9, 9, 9, 0, False),)}, "a picture that changes its shape"),
        ({"still": True, "codec": "prores"}, "a single picture"),
        ({"edits": ((START,), (PAUSE, START))}, None),
        ({"edits": ((),)}, None),
        ({"edits": ((PAUSE, PAUSE, START),)}, None),
        ({"edits": ((PAUSE,),)}, None),
        ({"edits": (((Fraction(1), True),),)}, None),
        ({"edits": (((Fraction(1001, 1000), True),),)}, "an edit list that cuts"),
        ({"edits": (((Fraction(0), False),),)}, "an edit list that cuts"),
        ({"edits": ((START, START),)}, "an edit list that cuts"),
        ({"edits": ((START, PAUSE),)}, "an edit list that cuts"),
        ({"edits": ((PAUSE, START, PAUSE),)}, "an edit list that cuts"),
        ({"edits": ((START,), (START, PAUSE))}, "an edit list that cuts"),
    ],
    ids=str,
)
def test_why_a_browser_does_not_play_a_file(changes: dict[str, object], expected: str | None) -> None:
    assert reason(**changes) == expected


@pytest.mark.parametrize(("origin", "shifted"), [(1, False), (2, True), (-1, False), (-2, True)])
def test_a_clock_may_be_off_by_a_thousandth_of_a_second(origin: int, shifted: bool) -> None:
    line = dataclasses.replace(TIMELINE, base=Fraction(1, 1000), origin=origin)
    assert reason(line) == ("time stamps that players shift" if shifted else None)


def test_the_first_picture_is_a_key_frame_and_pictures_can_be_told_apart() -> None:
    assert reason(dataclasses.replace(TIMELINE, keys=np.array([2]))) == "an edit list that cuts"
    assert reason(dataclasses.replace(TIMELINE, packets=np.empty(0, np.int64))) == "no usable time stamps"


# Files.


def box(kind: bytes, content: bytes = b"", wide: bool = False, open_end: bool = False) -> bytes:
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 0 if open_end else 8 + len(content), kind) + content


def edit_list(*entries: tuple[int, int, int], version: int = 0, count: int | None = None) -> bytes:
    """entries: length, start, speed in 1/65536."""
    form = ">qqI" if version else ">iiI"
    head = bytes([version, 0, 0, 0]) + struct.pack(">I", len(entries) if count is None else count)
    return box(b"elst", head + b"".join(struct.pack(form, *entry) for entry in entries))


def clock(scale: int, version: int = 0) -> bytes:
    times = bytes(16 if version else 8)
    return box(b"mdhd", bytes([version, 0, 0, 0]) + times + struct.pack(">I", scale) + bytes(8))


def track(edits: bytes | None, *inside: bytes) -> bytes:
    listed = b"" if edits is None else box(b"edts", edits)
    return box(b"trak", box(b"tkhd", bytes(20)) + listed + box(b"mdia", box(b"hdlr", bytes(4)) + b"".join(inside)))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("playable") / "a.mp4"
    return Source.probed(media.write_clip(path, media.numbered(64, 48, 3)), Settings(processes=1))


ONE = 1 << 16


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        ([track(edit_list((9, 500, ONE)), clock(1000))], [((Fraction(1, 2), True),)]),
        ([track(edit_list((9, 500, ONE), version=1), clock(1000))], [((Fraction(1, 2), True),)]),
        ([track(edit_list((9, 500, ONE)), clock(1000, version=1))], [((Fraction(1, 2), True),)]),
        ([track(edit_list((9, -1, ONE), (9, 250, ONE), (9, 0, ONE)), clock(1000))],
         [((None, True), (Fraction(1, 4), True), (Fraction(0), True))]),
        ([track(edit_list((9, 0, ONE + 1), (9, 0, 2 * ONE)), clock(1000))], [((Fraction(0), False),) * 2]),
        ([track(edit_list((9, 3, ONE)), clock(0))], [((Fraction(3), True),)]),
        ([track(edit_list((9, 500, ONE)), clock(1000)), track(None, clock(9)), track(edit_list((9, 7, ONE)), clock(7))],
         [((Fraction(1, 2), True),), ((Fraction(1), True),)]),
        ([track(edit_list((9, 500, ONE)))], []),
        ([track(edit_list(), clock(1000))], [()]),
        ([track(edit_list((9, 0, ONE), count=2), clock(1000))], [()]),
        ([track(box(b"elst", b""), clock(1000))], [()]),
        ([track(edit_list((9, 0, ONE)), box(b"mdhd", b"\0\0"))], [()]),
        ([track(box(b"free", bytes(9)) + edit_list((9, 0, ONE)), box(b"free"), clock(1000))], [((Fraction(0), True),)]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["plain", "wide", "open", "twice"])
def test_edit_lists_are_read_track_by_track(
    film: Source, tmp_path: Path, tracks: list[bytes], expected: list[tuple[Edit, ...]], shape: str
) -> None:
    # A reader of films sees the whole film first; what is read here comes behind it in the same file.
    content = b"".join(tracks)
    moov = box(b"moov", box(b"mvhd", bytes(30)) + content, wide=shape == "wide", open_end=shape == "open")
    moov = moov + b"\0\0\0" if shape == "plain" else moov
    moov = box(b"moov", tracks[0]) + moov if shape == "twice" else moov
    own = len(film_edits(film))
    path = tmp_path / "a.mp4"
    path.write_bytes(film.path.read_bytes() + moov)
    source = dataclasses.replace(film, path=path)
    again = [edits for edits in expected[:1] if tracks[0].count(b"mdhd")] if shape == "twice" else []
    assert list(read_traits(source).edits[own:]) == again + expected


def film_edits(film: Source) -> tuple[tuple[Edit, ...], ...]:
    return read_traits(film).edits


def test_traits_of_a_film(film: Source) -> None:
    found = read_traits(film)
    assert (found.kind, found.sound, found.films) == ("mp4", None, 1)
    assert (found.square, found.interlaced, found.indexed) == (True, False, True)


def test_traits_of_interlaced_and_stretched_pictures_with_sound(tmp_path: Path) -> None:
    path = media.write_clip(
        tmp_path / "a.mp4",
        media.numbered(64, 48, 5),
        options={"x264-params": "tff=1"},
        aspect=Fraction(4, 3),
        sound=True,
    )
    found = read_traits(Source.probed(path, Settings(processes=1)))
    assert (found.sound in ("mp3", "mp3float"), found.square, found.interlaced) == (True, False, True)


def test_a_cover_is_no_film(film: Source, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(film.path)) as video, av.open(str(path), "w") as output:
        plain = output.add_stream_from_template(video.streams.video[0])
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in video.demux(video.streams.video[0]):
            if packet.size:
                packet.stream = plain
                output.mux(packet)
        frame = media.yuv(media.marker(64, 64), "yuvj420p", media.FULL)
        frame.pts, frame.time_base = 0, Fraction(1)
        output.mux([*cover.encode(frame), *cover.encode(None)])
    assert read_traits(Source.probed(path, Settings(processes=1))).films == 1


def test_fragments_are_no_index(film: Source, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    for extra, indexed in ((box(b"moof", bytes(8)), False), (box(b"free", b"moof"), True)):
        path.write_bytes(film.path.read_bytes() + extra)
        facts = dataclasses.replace(film.facts, bytes=path.stat().st_size)
        assert read_traits(dataclasses.replace(film, path=path, facts=facts)).indexed == indexed


@pytest.mark.parametrize(
    ("major", "others", "kind"),
    [
        (b"isom", b"", "mp4"),
        (b"M4V ", b"", "mp4"),
        (b"XXXX", b"YYYYavc1", "mp4"),
        (b"XXXX", b"YYYYZZZZ", "QuickTime"),
        (b"XXXX", b"YYisomZZ", "QuickTime"),
        (b"qt  ", b"isom", "QuickTime"),
    ],
)
def test_brands_tell_mp4_from_quicktime(film: Source, tmp_path: Path, major: bytes, others: bytes, kind: str) -> None:
    content = film.path.read_bytes()
    size = struct.unpack(">I", content[:4])[0]
    path = tmp_path / "a.mp4"
    # As long as before, so that nothing moves.
    brands = (major + bytes(4) + others).ljust(size - 8, b"Z")
    path.write_bytes(content[:8] + brands[: size - 8] + content[size:])
    assert read_traits(dataclasses.replace(film, path=path)).kind == kind
