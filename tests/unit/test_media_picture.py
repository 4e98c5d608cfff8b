"""What each frame shows: the luma plane and the displayed picture, right side up, the same greys in every coding."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from media_factory import FULL, LIMITED, exif, grey, marker, numbered, read, sample_frames, turn, write_clip, yuv
from visagram.core.geometry import apply
from visagram.core.types import Frame
from visagram.media.crop import OpenCvCropper
from visagram.models.catalog import EMBEDDING, read_card

LOSSLESS = {"qp": "0", "preset": "ultrafast"}


def shown(frame: Frame, width: int, height: int) -> np.ndarray:
    """The grey of the displayed picture, 0..255."""
    return frame.picture(width, height).mean(axis=2)


def through_plane(frame: Frame, width: int, height: int) -> np.ndarray:
    """The same, looked up pixel by pixel in the luma plane."""
    rows, columns = np.mgrid[0:height, 0:width]
    points = apply(frame.to_plane, np.stack([columns.ravel(), rows.ravel()], axis=1)).round().astype(int)
    assert points.min() >= 0 and (points.max(axis=0) < frame.luma.shape[::-1]).all(), "the map stays inside the plane"
    return full_range(frame)[points[:, 1], points[:, 0]].reshape(height, width)


def full_range(frame: Frame) -> np.ndarray:
    luma = frame.luma.astype(float)
    return luma if frame.full_range else np.clip((luma - 16) * 255 / 219, 0, 255)


def corners(picture: np.ndarray) -> list[int]:
    """Upper left, upper right, lower left, lower right."""
    return [round(float(picture[y, x])) for y in (4, -5) for x in (4, -5)]


@pytest.mark.parametrize(
    ("clockwise", "expected"),
    [(0, [255, 0, 0, 0]), (90, [0, 255, 0, 0]), (180, [0, 0, 0, 255]), (270, [0, 0, 255, 0])],
)
def test_a_turned_recording_is_seen_as_a_player_shows_it(tmp_path: Path, clockwise: int, expected: list[int]) -> None:
    clip = turn(write_clip(tmp_path / "a.mp4", [marker(128, 64)], options=LOSSLESS), clockwise)
    video = read(clip)
    size = (64, 128) if clockwise % 180 else (128, 64)
    assert (video.facts.width, video.facts.height) == size
    assert (video.facts.coded_width, video.facts.coded_height) == (128, 64)
    assert video.facts.rotation == -clockwise % 360, "counter-clockwise, as FFmpeg counts"
    frame = video.frames[0]
    assert corners(shown(frame, *size)) == expected
    assert np.abs(shown(frame, *size) - through_plane(frame, *size)).mean() < 1


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((-1, 0, 0, 0, 1, 0), [0, 255, 0, 0]),
        ((1, 0, 0, 0, -1, 0), [0, 0, 255, 0]),
        ((0, 1, 0, 1, 0, 0), [255, 0, 0, 0]),
    ],
    ids=["left to right", "upside down", "over the diagonal"],
)
def test_a_mirrored_recording_is_not_taken_for_a_turned_one(
    tmp_path: Path, matrix: tuple[int, ...], expected: list[int]
) -> None:
    video = read(turn(write_clip(tmp_path / "a.mp4", [marker(128, 64)], options=LOSSLESS), matrix=matrix))
    frame, size = video.frames[0], (video.facts.width, video.facts.height)
    assert corners(shown(frame, *size)) == expected
    assert np.abs(shown(frame, *size) - through_plane(frame, *size)).mean() < 1


@pytest.mark.parametrize(
    ("orientation", "expected"), [(1, [255, 0, 0, 0]), (3, [0, 0, 0, 255]), (6, [0, 255, 0, 0]), (8, [0, 0, 255, 0])]
)
def test_a_photograph_is_turned_as_its_exif_data_says(tmp_path: Path, orientation: int, expected: list[int]) -> None:
    photo = write_clip(
        tmp_path / "a.jpg",
        [marker(128, 64)],
        codec="mjpeg",
        pixel_format="yuvj420p",
        container="image2",
        container_options={"update": "1"},
        color_range=FULL,
    )
    video = read(exif(photo, orientation))
    frame, size = video.frames[0], (video.facts.width, video.facts.height)
    assert size == ((64, 128) if orientation in (6, 8) else (128, 64))
    picture = shown(frame, *size)
    assert np.abs(np.array(corners(picture)) - expected).max() < 40
    assert np.abs(picture - through_plane(frame, *size)).mean() < 2


@pytest.mark.parametrize(("width", "height"), [(97, 63), (64, 33), (161, 90), (1, 1), (2, 300)])
def test_odd_sizes_lose_no_row_and_no_column(tmp_path: Path, width: int, height: int) -> None:
    picture = np.arange(width * height, dtype=np.uint32).reshape(height, width) % 200 + 20
    clip = write_clip(tmp_path / "a.mkv", [picture.astype(np.uint8)], codec="ffv1", pixel_format="yuv444p")
    video = read(clip)
    assert (video.facts.width, video.facts.height) == (width, height)
    assert np.array_equal(video.frames[0].luma, picture)
    assert video.frames[0].picture(width, height).shape == (height, width, 3)


def test_pixels_that_are_not_square_are_stretched_for_display(tmp_path: Path) -> None:
    video = read(write_clip(tmp_path / "a.mkv", [marker(90, 72)], options=LOSSLESS, aspect=Fraction(16, 9)))
    assert (video.facts.width, video.facts.height) == (160, 72)
    frame = video.frames[0]
    assert np.abs(shown(frame, 160, 72) - through_plane(frame, 160, 72)).mean() < 4


def test_of_interlaced_frames_one_field_is_seen(tmp_path: Path) -> None:
    combed = grey(96, 64, 5)
    combed[1::2] = grey(96, 64, 250)[1::2]
    clip = write_clip(tmp_path / "a.mkv", [combed] * 2, options={"x264-params": "tff=1", "qp": "0"})
    frame = read(clip).frames[0]
    assert frame.luma.shape == (32, 96)
    assert np.array_equal(frame.luma, grey(96, 64, 5)[::2]), "no comb: the other field is another moment"
    top, bottom = apply(frame.to_plane, np.array([[0.0, 0.0], [0.0, 63.0]]))[:, 1]
    assert (top, bottom) == pytest.approx((-0.25, 31.25))


def twin(tmp_path: Path, name: str, codec: str, pixel_format: str, color_range: int, full: np.ndarray) -> np.ndarray:
    """`full` (0..255) written in another coding and read back as full-range greys."""
    if pixel_format in ("gbrp", "rgb24", "bgr24"):
        picture = yuv(full, "yuvj420p", FULL).reformat(format=pixel_format)
    else:
        luma = full if color_range == FULL else np.round(full * (219 / 255) + 16).astype(np.uint8)
        picture = yuv(luma, pixel_format, color_range)
    options = {"qp": "0"} if codec.startswith("libx264") else {}
    clip = write_clip(
        tmp_path / name, [picture], codec=codec, pixel_format=pixel_format, options=options, color_range=color_range
    )
    return full_range(read(clip).frames[0])


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "color_range"),
    [
        ("limited.mkv", "libx264", "yuv420p", LIMITED),
        ("full.mkv", "libx264", "yuv420p", FULL),
        ("limited.mp4", "libx264", "yuv422p", LIMITED),
        ("j.mkv", "ffv1", "yuv444p", FULL),
        ("deep.mkv", "libx264", "yuv420p10le", LIMITED),
        ("deepfull.mkv", "libx264", "yuv420p10le", FULL),
        ("twelve.mkv", "ffv1", "yuv420p12le", LIMITED),
        ("deep422.mkv", "ffv1", "yuv422p10le", LIMITED),
        ("grey.mkv", "ffv1", "gray", FULL),
        ("planar.mkv", "libx264rgb", "rgb24", FULL),
        ("png.mov", "png", "rgb24", FULL),
        ("raw.avi", "rawvideo", "bgr24", FULL),
    ],
)
def test_the_same_picture_has_the_same_greys_in_every_coding(
    tmp_path: Path, name: str, codec: str, pixel_format: str, color_range: int
) -> None:
    full = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    found = twin(tmp_path, name, codec, pixel_format, color_range, full)
    assert np.abs(found - full).max() <= 2
    assert np.abs(found - full).mean() <= 1


def test_crops_and_pictures_of_a_limited_and_a_full_range_twin_are_equal(tmp_path: Path) -> None:
    full = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    limited = np.round(full * (219 / 255) + 16).astype(np.uint8)
    cropper = OpenCvCropper(np.array(read_card(EMBEDDING).facts["input"]["template"], np.float64))
    landmarks = np.array([[[90, 100], [160, 100], [125, 140], [100, 170], [150, 170]]], np.float32)
    crops, pictures = [], []
    for name, luma, color_range in (("a.mkv", full, FULL), ("b.mkv", limited, LIMITED)):
        clip = write_clip(tmp_path / name, [luma], options={"qp": "0"}, color_range=color_range)
        frame = read(clip).frames[0]
        crops.append(cropper.aligned(frame, landmarks).astype(int))
        pictures.append(shown(frame, 256, 256))
    assert np.abs(crops[0] - crops[1]).max() <= 2
    assert np.abs(pictures[0] - pictures[1]).max() <= 3


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "color_range"),
    [
        ("a.mkv", "libx264", "yuv420p", LIMITED),
        ("b.mkv", "libx264", "yuv420p10le", FULL),
        ("c.mkv", "ffv1", "gray", FULL),
        ("d.mkv", "libx264rgb", "rgb24", FULL),
    ],
)
def test_a_reduced_picture_is_the_same_in_every_coding(
    tmp_path: Path, name: str, codec: str, pixel_format: str, color_range: int
) -> None:
    full = sample_frames(1)[0].to_ndarray(format="gray")
    reference = write_clip(tmp_path / "full.mkv", [full], options={"qp": "0"}, color_range=FULL)
    picture: np.ndarray | av.VideoFrame = (
        full if color_range == FULL else np.round(full * (219 / 255) + 16).astype(np.uint8)
    )
    if pixel_format == "rgb24":
        picture = yuv(full, "yuvj420p", FULL).reformat(format="rgb24")
    options = {} if codec == "ffv1" else {"qp": "0"}
    clip = write_clip(
        tmp_path / name, [picture], codec=codec, pixel_format=pixel_format, options=options, color_range=color_range
    )
    small, expected = (read(path).frames[0].picture(224, 168).astype(int) for path in (clip, reference))
    assert np.abs(small - expected).max() <= 1


def test_a_size_that_changes_in_the_middle_is_displayed_as_it_is(tmp_path: Path) -> None:
    small = write_clip(tmp_path / "1.h264", numbered(96, 64, 10))
    large = write_clip(tmp_path / "2.h264", numbered(192, 128, 10))
    glued = tmp_path / "glued.h264"
    glued.write_bytes(small.read_bytes() + large.read_bytes())
    video = read(glued)
    assert video.numbers == [*range(10), *range(10)]
    assert {frame.luma.shape for frame in video.frames} == {(64, 96), (128, 192)}
    for frame in (video.frames[0], video.frames[-1]):
        width, height = frame.size
        assert frame.luma.shape == (height, width)
        assert shown(frame, width, height).shape == (height, width)
        corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])
        np.testing.assert_allclose(apply(frame.to_plane, corners), corners)
    assert [shape.frame for shape in video.facts.shapes] == [0, 10]


def test_colours_of_the_picture_are_blue_green_red(tmp_path: Path) -> None:
    frame = sample_frames(1)[0]
    expected = frame.to_ndarray(format="bgr24").astype(int)
    clip = write_clip(tmp_path / "a.mkv", [frame], codec="ffv1")
    assert np.abs(read(clip).frames[0].picture(400, 300).astype(int) - expected).mean() < 1.5
