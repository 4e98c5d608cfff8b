"""Real video files, made by FFmpeg's own encoders, and ways to damage them. No file from elsewhere is needed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from visagram.core.segments import Segment, Timeline, plan
from visagram.core.types import Frame, ResultWarning, VideoFacts
from visagram.media.decode import SegmentFrames
from visagram.media.numbering import whole
from visagram.media.probe import probe
from visagram.settings import Settings

SAMPLE = Path(__file__).parent.parent / "src" / "visagram" / "data" / "sample.mp4"

LIMITED, FULL = 1, 2
"""AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG."""

MATRIX = {
    0: (1, 0, 0, 0, 1, 0),
    90: (0, 1, 0, -1, 0, 0),
    180: (-1, 0, 0, 0, -1, 0),
    270: (0, -1, 0, 1, 0, 0),
}
"""ISO 14496-12 track matrices (a, b, u, c, d, v): x' = a x + c y, y' = b x + d y with y downwards, so that these turn
the picture *clockwise* by that many degrees. A phone held upright writes 90."""


def grey(width: int, height: int, number: int) -> np.ndarray:
    """Luma (height, width): a gradient, and `number` as eight black or white bars along the top."""
    picture = np.broadcast_to(np.linspace(60, 190, width), (height, width)).astype(np.uint8).copy()
    bits = np.array([number >> k & 1 for k in range(8)], np.uint8) * 219 + 16
    picture[: height // 3] = np.repeat(bits, -(-width // 8))[:width]
    return picture


def read_number(luma: np.ndarray) -> int:
    """The number that `grey` wrote, from any luma of at least 32x12 pixels."""
    height, width = luma.shape
    side = -(-width // 8)
    row = luma[: max(2, height // 3 - 2)].mean(axis=0)
    return sum(int(row[k * side + 1 : min((k + 1) * side - 1, width)].mean() > 128) << k for k in range(8))


def numbered(width: int, height: int, count: int) -> list[np.ndarray]:
    return [grey(width, height, number) for number in range(count)]


def marker(width: int, height: int) -> np.ndarray:
    """Black but for a white block in the upper left corner and a grey one beside it: no turn or mirror looks alike."""
    picture = np.full((height, width), 16, np.uint8)
    picture[: height // 4, : width // 4] = 235
    picture[: height // 4, width // 4 : width // 2] = 125
    return picture


def yuv(luma: np.ndarray, pixel_format: str = "yuv420p", color_range: int = LIMITED) -> av.VideoFrame:
    """A frame whose luma plane is exactly `luma`, without colour. Deep formats get the same grey with more bits."""
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], pixel_format)
    deep = frame.format.components[0].bits - 8
    dtype = np.uint16 if deep else np.uint8
    for number, plane in enumerate(frame.planes):
        values = luma.astype(dtype) << deep if number == 0 else np.full((plane.height, plane.width), 128 << deep, dtype)
        padded = np.zeros((plane.height, plane.line_size // dtype().itemsize), dtype)
        padded[:, : values.shape[1]] = values
        plane.update(padded.tobytes())
    frame.color_range = color_range
    return frame


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray | av.VideoFrame],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    rate: Fraction | int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    container: str | None = None,
    color_range: int = LIMITED,
    aspect: Fraction | None = None,
    sound: bool = False,
) -> Path:
    """Encode pictures: luma arrays (h, w) or whole frames. `pts` counts in `time_base`; by default 0, 1, … / rate."""
    base = time_base or 1 / Fraction(rate)
    with av.open(str(path), "w", format=container, options=container_options or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.time_base = stream.codec_context.time_base = base
        stream.pix_fmt, stream.color_range = pixel_format, color_range
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        voice = output.add_stream("mp3", rate=44100) if sound else None
        for number, picture in enumerate(frames):
            frame = picture if isinstance(picture, av.VideoFrame) else yuv(picture, pixel_format, color_range)
            frame.pts, frame.time_base = pts[number] if pts else number, base
            if not number:
                stream.width, stream.height = frame.width, frame.height
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if voice:
            output.mux([*(p for f in _tone() for p in voice.encode(f)), *voice.encode(None)])
    return path


def write_sound(path: Path, *, codec: str = "mp3", cover: bool = False) -> Path:
    """A second of a tone; with `cover` a picture that belongs to the sound."""
    with av.open(str(path), "w") as output:
        voice = output.add_stream(codec, rate=44100)
        picture = None
        if cover:
            picture = output.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
        for frame in _tone():
            output.mux(voice.encode(frame))
        output.mux(voice.encode(None))
        if picture is not None:
            shown = yuv(marker(64, 64), "yuvj420p", FULL)
            shown.pts, shown.time_base = 0, Fraction(1)
            output.mux([*picture.encode(shown), *picture.encode(None)])
    return path


def _tone() -> Iterator[av.AudioFrame]:
    wave = (np.sin(np.arange(1152) * 0.06) * 8000).astype(np.int16)
    for number in range(38):
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="s16p", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 44100, number * 1152, Fraction(1, 44100)
        yield frame


def sample_frames(count: int | None = None, width: int | None = None, height: int | None = None) -> list[av.VideoFrame]:
    """The first frames of the sample clip, scaled if asked."""
    frames = []
    with av.open(str(SAMPLE)) as video:
        for frame in video.decode(video=0):
            frames.append(frame.reformat(width, height) if width else frame)
            if len(frames) == count:
                break
    return frames


def loop_sample(path: Path, times: int) -> Path:
    """The sample clip several times over, without encoding anything again."""
    with av.open(str(path), "w") as output:
        stream = None
        for turn in range(times):
            with av.open(str(SAMPLE)) as video:
                source = video.streams.video[0]
                stream = stream or output.add_stream_from_template(source)
                length = source.duration
                for packet in video.demux(source):
                    if packet.dts is not None:
                        packet.pts += turn * length
                        packet.dts += turn * length
                        packet.stream = stream
                        output.mux(packet)
    return path


def turn(path: Path, degrees: int = 0, matrix: tuple[int, ...] | None = None) -> Path:
    """Write a rotation (clockwise, as ISO 14496-12 has it) into the track header of an MP4 file."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    at += 4 + (32 if content[at] == 1 else 20) + 16
    assert struct.unpack(">i", content[at : at + 4])[0] == 1 << 16, "the identity matrix is expected here"
    a, b, u, c, d, v = matrix or MATRIX[degrees]
    content[at : at + 24] = struct.pack(">6i", a << 16, b << 16, u, c << 16, d << 16, v)
    path.write_bytes(content)
    return path


def patch(path: Path, box: bytes, offset: int, value: bytes) -> Path:
    """Overwrite bytes at `offset` behind the first occurrence of a box's four-letter name."""
    content = bytearray(path.read_bytes())
    at = content.index(box) + 4 + offset
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


def flip_bits(content: bytes, seed: int, count: int, start: int = 0) -> bytes:
    """`count` random bits turned over, from byte `start` on."""
    random = np.random.default_rng(seed)
    damaged = np.frombuffer(content, np.uint8).copy()
    places = random.integers(start, len(damaged), count)
    damaged[places] ^= (1 << random.integers(0, 8, count)).astype(np.uint8)
    return damaged.tobytes()


@dataclass(frozen=True)
class Read:
    """A video as the pipeline sees it: the frames of all segments, each without its overlap."""

    facts: VideoFacts
    timeline: Timeline
    segments: list[Segment]
    frames: list[Frame]
    damaged: int
    warnings: tuple[ResultWarning, ...] = ()

    @property
    def times(self) -> list[Fraction]:
        return [frame.time for frame in self.frames]

    @property
    def numbers(self) -> list[int]:
        return [read_number(frame.luma) for frame in self.frames]


def read(path: Path, settings: Settings | None = None, *, straight: bool = False) -> Read:
    """Probe, plan and decode a file; with `straight` in one go from its beginning."""
    settings = settings or Settings()
    facts, timeline, warnings = probe(path, settings)
    segments = plan(timeline, settings.start, settings.end, settings.sample_fps, settings.frame_interval)
    if straight:
        segments = [whole(timeline)]
    frames: list[Frame] = []
    damaged = 0
    for segment in segments:
        with SegmentFrames(path, facts, timeline, segment, settings, threads=2, depth=4) as source:
            stop = segment.frames[segment.core] if segment.core < len(segment.frames) else None
            frames += [frame for frame in source if stop is None or frame.index < stop]
        damaged += source.damaged
    return Read(facts, timeline, segments, frames, damaged, warnings)


def exif(path: Path, orientation: int) -> Path:
    """Write an Exif orientation into a JPEG file, as a phone does."""
    content = path.read_bytes()
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    payload = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + content[2:])
    return path


def hollow(path: Path) -> Path:
    """Zero the frames of an MP4 file, whose headers stay whole."""
    content = bytearray(path.read_bytes())
    at = content.index(b"mdat")
    end = at - 4 + struct.unpack_from(">I", content, at - 4)[0]
    content[at + 4 : end] = bytes(end - at - 4)
    path.write_bytes(content)
    return path
