"""Whether browsers play a video as it is, with the player's clock on our times."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

from av.stream import Disposition
from av.video.format import VideoFormat

from visagram.core.segments import Timeline
from visagram.core.types import EXACT, VideoFacts
from visagram.media.container import open_video
from visagram.media.source import Source

SHIFT = Fraction(1, 1000)
"""Seconds that the file's clock may be off. Players count from its zero, we from the first frame or sound."""
LONGEST_CUT = 1
"""Seconds by which an edit list may skip into the film: more is not the delay of reordered frames but a cut."""
MOST_PIXELS = 4096 * 2304
"""Beyond level 5.2 browsers' decoders give up or stutter."""
MP4_BRANDS = ("isom", "iso2", "iso3", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "av01", "dash", "M4V ", "MSNV")
WEBM, DURATION, CUES = b"\x42\x82\x84webm", b"\x44\x89", b"\x1c\x53\xbb\x6b"
"""The EBML element DocType, and the names of those that a recorder leaves out because it cannot go back."""
PICTURES = {"mp4": ("h264", "vp9", "libvpx-vp9", "av1", "libdav1d"), "webm": ("vp8", "vp9", "av1", "libdav1d")}
SOUNDS = {"mp4": ("aac", "mp3", "mp3float", "opus", "flac"), "webm": ("opus", "vorbis")}
NAMES = {
    "hevc": "HEVC",
    "mpeg4": "MPEG-4 Part 2",
    "mpeg2video": "MPEG-2",
    "mpeg1video": "MPEG-1",
    "mjpeg": "Motion JPEG",
    "prores": "ProRes",
    "rawvideo": "uncompressed",
    "dvvideo": "DV",
    "wmv3": "WMV",
    "av1": "AV1",
    "libdav1d": "AV1",
    "mpegts": "MPEG-TS",
    "asf": "Windows Media",
    "flv": "Flash",
    "ogg": "Ogg",
}
MOST_BOXES = 10_000

Edit = tuple[Fraction | None, bool]


@dataclass(frozen=True, slots=True)
class Traits:
    """What decides beside `VideoFacts`. kind: `mp4`, `webm`, or another container's name. films: video streams that
    are no covers. edits: per track the edit list, each entry the seconds at which it enters the film (None for a
    pause) and whether it runs at normal speed. indexed: the file says before its frames how long it is and where they
    are; players cannot seek in a recording that was written in one go."""

    kind: str
    sound: str | None
    films: int
    square: bool
    interlaced: bool
    edits: tuple[tuple[Edit, ...], ...]
    indexed: bool


def obstacle(source: Source) -> str | None:
    """None where browsers play the file itself at the times of its timeline, else why they do not. Raises
    `InputError`."""
    return direct(source.facts, source.timeline, read_traits(source))


def direct(facts: VideoFacts, timeline: Timeline, traits: Traits) -> str | None:
    """None where browsers play the file itself at the times of its timeline, else in a few words why they do not."""
    return next(_obstacles(facts, timeline, traits), None)


def read_traits(source: Source) -> Traits:
    """Read what `direct` needs from the file's headers. Raises `InputError`."""
    with open_video(source.path, source.settings, source.facts.stream) as (container, stream):
        with source.path.open("rb") as file:
            head = file.read(4096)
            kind = _kind(container.format.name, container.metadata, head)
            edits = tuple(_edit_lists(file)) if kind == "mp4" else ()
            fragments = kind == "mp4" and any(box[0] == b"moof" for box in _boxes(file, 0, source.facts.bytes))
        voice = container.streams.best("audio")
        films = [s for s in container.streams.video if Disposition.attached_pic not in s.disposition]
        return Traits(
            kind=kind,
            sound=voice.codec_context.name if voice is not None and voice.codec_context is not None else None,
            films=len(films),
            square=stream.sample_aspect_ratio in (None, 0, 1),
            interlaced=stream.codec_context.field_order > 1,
            edits=edits,
            indexed=DURATION in head and CUES in head if kind == "webm" else not fragments,
        )


def _obstacles(facts: VideoFacts, timeline: Timeline, traits: Traits) -> Iterator[str]:
    if facts.still:
        yield "a single picture"
    if facts.codec not in PICTURES.get(traits.kind, PICTURES["mp4"]):
        yield f"{_name(facts.codec)} video"
    if traits.kind not in PICTURES:
        yield f"{_name(traits.kind)} container"
    if traits.sound is not None and traits.sound not in SOUNDS.get(traits.kind, ()):
        yield f"{_name(traits.sound)} sound"
    if facts.pixel_format not in ("yuv420p", "yuvj420p"):
        bits = VideoFormat(facts.pixel_format, 16, 16).components[0].bits
        yield f"{bits}-bit picture" if bits > 8 else f"{facts.pixel_format} colours"
    if facts.coded_width * facts.coded_height > MOST_PIXELS:
        yield f"a picture of {facts.coded_width}x{facts.coded_height} pixels"
    if traits.films > 1:
        yield "several video streams"
    if not traits.indexed:
        yield "a recording without an index"
    if traits.interlaced:
        yield "interlaced picture"
    if not traits.square:
        yield "pixels that are not square"
    if facts.mirrored or (facts.rotation and traits.kind != "mp4"):
        yield "a mirrored or turned picture"
    if facts.time_basis != EXACT or not len(timeline.packets):
        yield "no usable time stamps"
    elif facts.shapes:
        yield "a picture that changes its shape"
    elif abs(timeline.origin * timeline.base) > SHIFT:
        yield "time stamps that players shift"
    elif timeline.pts[0] not in timeline.keys or any(_is_cut(edits) for edits in traits.edits):
        yield "an edit list that cuts"


def _is_cut(edits: tuple[Edit, ...]) -> bool:
    films = [(start, usual) for start, usual in edits if start is not None]
    pauses_first = all(start is None for start, _ in edits[: len(edits) - len(films)])
    return len(films) > 1 or not pauses_first or any(start > LONGEST_CUT or not usual for start, usual in films)


def _name(name: str) -> str:
    return NAMES.get(name, name if name != name.lower() else name.split(",")[0].upper())


def _kind(demuxer: str, metadata: dict[str, str], head: bytes) -> str:
    if demuxer.startswith("matroska"):
        return "webm" if WEBM in head else "Matroska"
    if not demuxer.startswith("mov"):
        return demuxer
    brands = metadata.get("major_brand", "") + metadata.get("compatible_brands", "")
    listed = {brands[k : k + 4] for k in range(0, len(brands), 4)}
    return "mp4" if listed & set(MP4_BRANDS) and metadata.get("major_brand") != "qt  " else "QuickTime"


def _edit_lists(file: BinaryIO) -> Iterator[tuple[Edit, ...]]:
    """The edit list of each track of an MP4 file that has one."""
    size = file.seek(0, 2)
    for kind, start, end in _boxes(file, 0, size):
        if kind != b"moov":
            continue
        for _, track_start, track_end in (box for box in _boxes(file, start, end) if box[0] == b"trak"):
            inside = {kind: (a, b) for kind, a, b in _boxes(file, track_start, track_end)}
            lists = [box for box in _boxes(file, *inside.get(b"edts", (0, 0))) if box[0] == b"elst"]
            clocks = [box for box in _boxes(file, *inside.get(b"mdia", (0, 0))) if box[0] == b"mdhd"]
            if lists and clocks:
                yield _edit_list(_content(file, *lists[0][1:]), _content(file, *clocks[0][1:]))


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the content of each box between two positions."""
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        begin = start + 8
        if size == 1:
            size, begin = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))[0], start + 16
        stop = end if size == 0 else min(end, start + size)
        if stop < begin:
            return
        yield kind, begin, stop
        start = stop


def _content(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(min(end - start, 1 << 20))


def _edit_list(edits: bytes, clock: bytes) -> tuple[Edit, ...]:
    try:
        scale = struct.unpack_from(">I", clock, 20 if clock[0] else 12)[0] or 1
        form = ">qqI" if edits[0] else ">iiI"
        count = min(struct.unpack_from(">I", edits, 4)[0], MOST_BOXES)
        step = struct.calcsize(form)
        entries = [struct.unpack_from(form, edits, 8 + k * step) for k in range(count)]
    except (struct.error, IndexError):
        return ()
    return tuple((None if start < 0 else Fraction(start, scale), rate == 1 << 16) for _, start, rate in entries)
