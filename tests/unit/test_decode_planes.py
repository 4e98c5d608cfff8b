"""What a decoded frame becomes: its luma, its picture, the shape that is displayed, the face in it."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import media_factory as media
from factories import video_facts
from visagram.core.geometry import apply
from visagram.core.types import Frame, Shape, VideoFacts
from visagram.media.crop import full_range
from visagram.media.decode import Picture, luma_plane
from visagram.media.packets import Packets, read_packets, shape_of
from visagram.media.picture import displayed, face_luma, read_picture, whole_luma
from visagram.settings import Settings

UNSPECIFIED, LIMITED, FULL = 0, 1, 2
RANDOM = np.random.default_rng(5)


def noise(width: int, height: int, pixel_format: str, color_range: int = LIMITED) -> tuple[av.VideoFrame, np.ndarray]:
    """A frame, and the first of its planes."""
    frame = av.VideoFrame(width, height, pixel_format)
    first: np.ndarray | None = None
    for plane in frame.planes:
        values = RANDOM.integers(20, 230, (plane.height, plane.line_size), np.uint8)
        plane.update(values.tobytes())
        first = values[:, :width] if first is None else first
    frame.color_range = color_range
    assert first is not None
    return frame, first


@pytest.mark.parametrize("size", [(32, 20), (31, 19), (1, 1), (97, 2)])
@pytest.mark.parametrize(
    ("pixel_format", "said", "full"),
    [
        ("yuv420p", LIMITED, False),
        ("yuv420p", UNSPECIFIED, False),
        ("yuv420p", FULL, True),
        ("yuvj420p", UNSPECIFIED, True),
        ("yuv444p", LIMITED, False),
        ("yuva420p", LIMITED, False),
        ("nv12", FULL, True),
        ("nv21", LIMITED, False),
        ("gray", LIMITED, True),
    ],
)
def test_the_luma_is_the_first_plane(size: tuple[int, int], pixel_format: str, said: int, full: bool) -> None:
    frame, first = noise(*size, pixel_format, said)
    luma, spans = luma_plane(frame)
    assert luma.shape == size[::-1]
    assert np.array_equal(luma, first[: size[1]])
    assert spans == full


@pytest.mark.parametrize("pixel_format", ["yuyv422", "uyvy422", "yuv420p10le", "gray10le", "rgb24", "gbrp", "p010le"])
def test_other_formats_are_converted_to_full_range_greys(pixel_format: str) -> None:
    source = media.yuv(np.full((16, 32), 126, np.uint8))
    luma, spans = luma_plane(source.reformat(format=pixel_format))
    assert spans
    assert luma.shape == (16, 32)
    assert np.abs(luma.astype(int) - 128).max() <= 2


def facts_of(width: int, height: int, rotation: int = 0, mirrored: bool = False) -> VideoFacts:
    return dataclasses.replace(video_facts(), width=width, height=height, rotation=rotation, mirrored=mirrored)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_picture_is_turned_and_then_mirrored(rotation: int, mirrored: bool) -> None:
    content = RANDOM.integers(0, 256, (20, 32, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(content, format="bgr24")
    size = (32, 20) if rotation % 180 == 0 else (20, 32)
    turned = np.rot90(content, rotation // 90)
    turned = turned[:, ::-1] if mirrored else turned
    picture = Picture()
    found = picture(frame, facts_of(*size, rotation, mirrored), *size)
    assert found.flags["C_CONTIGUOUS"]
    assert np.array_equal(found, turned)
    wide = picture(frame, facts_of(*size, rotation, mirrored), 2 * size[0], size[1])
    assert wide.shape == (size[1], 2 * size[0], 3)


# Shapes.


@pytest.mark.parametrize(
    ("size", "aspect", "shown"),
    [
        ((720, 576), None, (720, 576)),
        ((720, 576), Fraction(0), (720, 576)),
        ((720, 576), Fraction(16, 15), (768, 576)),
        ((720, 480), Fraction(8, 9), (640, 480)),
        ((100, 50), Fraction(8), (800, 50)),
        ((100, 50), Fraction(801, 100), (100, 50)),
        ((100, 50), Fraction(1, 8), (12, 50)),
        ((100, 50), Fraction(10, 81), (100, 50)),
        ((2, 50), Fraction(1, 8), (1, 50)),
    ],
)
def test_pixels_that_are_not_square_are_stretched_within_reason(
    size: tuple[int, int], aspect: Fraction | None, shown: tuple[int, int]
) -> None:
    frame = av.VideoFrame(*size, "yuv422p")
    assert shape_of(frame, aspect) == Shape(0, 0.0, "yuv422p", *shown, *size, 0, False)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 0, 1, 0), (0, False)),
        ((0, 1, 0, -1, 0, 0), (270, False)),
        ((-1, 0, 0, 0, -1, 0), (180, False)),
        ((0, -1, 0, 1, 0, 0), (90, False)),
        ((-1, 0, 0, 0, 1, 0), (0, True)),
        ((1, 0, 0, 0, -1, 0), (180, True)),
        ((0, 1, 0, 1, 0, 0), (270, True)),
        ((0, -1, 0, -1, 0, 0), (90, True)),
    ],
)
def test_a_matrix_turns_and_mirrors(tmp_path: Path, matrix: tuple[int, ...], expected: tuple[int, bool]) -> None:
    path = media.turn(media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, 2)), matrix=matrix)
    with av.open(str(path)) as container:
        shape = shape_of(next(container.decode(video=0)), Fraction(1))
    assert (shape.rotation, shape.mirrored) == expected
    assert (shape.width, shape.height) == ((48, 64) if expected[0] % 180 else (64, 48))


def packets_of(path: Path, settings: Settings | None = None) -> Packets:
    with av.open(str(path)) as container:
        beats: list[int] = []
        (found,) = read_packets(
            container, [container.streams.video[0]], path, settings or Settings(), lambda: beats.append(1)
        )
    assert len(beats) >= len(found)
    return found


def test_packets_are_read_in_the_order_stored(tmp_path: Path) -> None:
    path = media.write_clip(
        tmp_path / "a.mp4", media.numbered(64, 48, 7), options={"g": "4", "bf": "0"}, time_base=Fraction(1, 100),
        pts=[0, 4, 8, 12, 20, 24, 28],
    )  # fmt: skip
    found = packets_of(path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        plain = [packet for packet in container.demux(stream) if packet.size]
        assert found.pts.tolist() == [packet.pts for packet in plain]
        assert found.dts.tolist() == [packet.dts for packet in plain]
        assert found.duration.tolist() == [packet.duration for packet in plain]
        assert found.position.tolist() == [packet.pos for packet in plain]
        assert found.size.tolist() == [packet.size for packet in plain]
        assert (np.diff(found.pts) * stream.time_base).tolist() == [Fraction(k, 25) for k in (1, 1, 1, 2, 1, 1)]
    assert found.key.tolist() == [k in (0, 4) for k in range(7)]
    assert not found.discard.any() and not found.holds.any()
    assert (found.stream, len(found), found.pictures, found.refused) == (0, 7, 7, "")
    assert found.shapes == ((0, Shape(0, 0.0, "yuv420p", 64, 48, 64, 48, 0, False)),)


def glued(tmp_path: Path) -> Path:
    """Ten small pictures, then ten large ones, then ten small ones."""
    parts = [media.write_clip(tmp_path / f"{k}.h264", media.numbered(*size, 10)) for k, size in enumerate(SIZES)]
    path = tmp_path / "glued.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


SIZES = [(96, 64), (192, 128), (96, 64)]


def test_shapes_are_noted_with_the_packet_from_which_on_they_hold(tmp_path: Path) -> None:
    found = packets_of(glued(tmp_path))
    assert [(packet, shape.width, shape.height) for packet, shape in found.shapes] == [
        *((0, 96, 64), (10, 192, 128), (20, 96, 64))
    ]


@pytest.mark.parametrize(
    ("most", "shapes", "refused"),
    [(192 * 128, 3, False), (192 * 128 - 1, 1, False), (96 * 64, 1, False), (96 * 64 - 1, 3, True)],
)
def test_a_picture_that_is_too_large_is_refused_and_one_that_grows_too_large_is_left_out(
    tmp_path: Path, most: int, shapes: int, refused: bool
) -> None:
    path = glued(tmp_path)
    found = packets_of(path, Settings(max_pixels=most))
    words = f"{path} has frames of 96x64 pixels, more than max_pixels allows."
    assert found.refused == (words if refused else "")
    assert len(found.shapes) == (1 if refused else shapes)


# Pictures of faces.


def frame_of(luma: np.ndarray, full: bool = True, size: tuple[int, int] | None = None) -> tuple[VideoFacts, Frame]:
    height, width = luma.shape
    shown = size or (width, height)

    def picture(wide: int, high: int) -> np.ndarray:
        return np.full((high, wide, 3), 7, np.uint8)

    scale = np.array(
        [[width / shown[0], 0, (width / shown[0] - 1) / 2], [0, height / shown[1], (height / shown[1] - 1) / 2]]
    )
    return facts_of(*shown), Frame(0, Fraction(0), Fraction(1), luma, full, scale, picture, shown)


def test_a_picture_of_48_pixels_stays_as_it_is() -> None:
    luma = RANDOM.integers(0, 256, (48, 48), np.uint8)
    facts, frame = frame_of(luma)
    assert np.array_equal(face_luma(facts, frame), luma)
    assert np.array_equal(whole_luma(frame), luma)
    facts, frame = frame_of(luma, full=False)
    assert np.array_equal(face_luma(facts, frame), full_range(frame, luma))
    assert np.array_equal(whole_luma(frame), full_range(frame, luma))


@pytest.mark.parametrize("size", [(96, 144), (200, 100), (49, 480)])
def test_a_larger_picture_is_seen_from_edge_to_edge(size: tuple[int, int]) -> None:
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    luma = np.round(20 + 200 * x / size[0] * 0.6 + 200 * y / size[1] * 0.4).astype(np.uint8)
    found = face_luma(*frame_of(luma))
    # Pixel k of 48 stands for the part from k / 48 to (k + 1) / 48.
    across, down = np.meshgrid((np.arange(48) + 0.5) / 48, (np.arange(48) + 0.5) / 48)
    half = 100 * (0.6 / size[0] + 0.4 / size[1])
    expected = 20 + 120 * across + 80 * down - half
    off = found - expected
    assert abs(off[3:-3, 3:-3].mean()) < 0.4
    assert np.abs(off[3:-3, 3:-3]).max() < 1.8


def test_a_smaller_picture_is_made_larger() -> None:
    luma = np.round(np.linspace(20, 220, 24))[None].repeat(24, 0).astype(np.uint8)
    found = face_luma(*frame_of(luma)).astype(float)
    assert found[20, 1:-1] == pytest.approx(np.interp((np.arange(1, 47) - 0.5) / 2, range(24), luma[0]), abs=1.1)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((512, 100), (512, 100)), ((513, 1026), (256, 512)), ((1024, 512), (512, 256))],
)
def test_the_picture_of_a_face_is_kept_up_to_512_pixels(size: tuple[int, int], shown: tuple[int, int]) -> None:
    facts, frame = frame_of(np.zeros((4, 4), np.uint8), size=size)
    assert displayed(facts, frame).shape == (shown[1], shown[0], 3)


def test_a_frames_places_are_those_in_its_plane(tmp_path: Path) -> None:
    photo = media.write_clip(
        tmp_path / "a.jpg",
        [media.marker(128, 64)],
        codec="mjpeg",
        pixel_format="yuvj420p",
        container="image2",
        container_options={"update": "1"},
        color_range=FULL,
    )
    facts, frame = read_picture(media.exif(photo, 6), Settings())
    assert (facts.width, facts.height, facts.frames) == (64, 128, 1)
    corners = apply(frame.to_plane, np.array([[-0.5, -0.5], [63.5, -0.5], [-0.5, 127.5]]))
    # The upper left corner as shown lies at the lower left as stored.
    assert corners == pytest.approx(np.array([[-0.5, 63.5], [-0.5, -0.5], [127.5, 63.5]]))
