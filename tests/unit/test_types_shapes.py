"""What is known of a picture that changes its shape, at each of its frames."""

from __future__ import annotations

import dataclasses

import pytest

from factories import video_facts
from visagram.core.types import Shape, VideoFacts

WIDE = Shape(0, 0.0, "yuv420p", 640, 360, 640, 368, 0, False)
TALL = Shape(50, 2.0, "yuv422p", 360, 640, 640, 368, 90, True)


def changing() -> VideoFacts:
    return dataclasses.replace(video_facts(), shapes=(WIDE, TALL))


@pytest.mark.parametrize(("frame", "shape"), [(0, WIDE), (49, WIDE), (50, TALL), (99, TALL)])
def test_a_shape_holds_from_its_first_frame_on(frame: int, shape: Shape) -> None:
    found = changing().at(frame)
    for name in ("pixel_format", "width", "height", "coded_width", "coded_height", "rotation", "mirrored"):
        assert getattr(found, name) == getattr(shape, name), name
    assert found.name == video_facts().name


def test_a_picture_that_never_changes_is_what_it_is() -> None:
    facts = video_facts()
    assert facts.at(7) is facts
    assert facts.at(7, (640, 368)) is facts
    assert facts.canvas == (640, 360)


def test_a_picture_that_was_decoded_in_another_size_is_displayed_in_its_proportion() -> None:
    half = video_facts().at(7, (320, 184))
    assert (half.width, half.height, half.coded_width, half.coded_height) == (320, 180, 320, 184)
    wider = video_facts().at(7, (1280, 368))
    assert (wider.width, wider.height) == (1280, 360)
    lying = changing().at(60, (1280, 368))
    assert (lying.width, lying.height) == (360, 1280), "turned by a quarter, so that its width is its height"
    assert video_facts().at(0, (1, 1)).width == 1


def test_the_canvas_holds_each_shape() -> None:
    assert changing().canvas == (640, 640)
