"""What values say of themselves: shapes of a picture, rows of a table, a person's shares."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from factories import video_facts
from visagram.core.types import (
    COLUMNS,
    EXACT,
    EXPRESSIONS,
    Faces,
    Observations,
    Person,
    Reason,
    ResultWarning,
    Shape,
    Share,
    VideoFacts,
)

FACTS = video_facts()  # 640 by 360, coded as 640 by 368
TURNED = dataclasses.replace(FACTS, width=360, height=640, rotation=90)
LATER = Shape(10, 0.4, "yuv422p", 320, 200, 320, 208, 0, True)
LAST = Shape(20, 0.8, "gray", 100, 300, 304, 112, 270, False)
SHAPED = dataclasses.replace(FACTS, shapes=(Shape(0, 0.0, "yuv420p", 640, 360, 640, 368, 0, False), LATER, LAST))


def sizes(facts: VideoFacts) -> tuple[int, ...]:
    return facts.width, facts.height, facts.coded_width, facts.coded_height


@pytest.mark.parametrize(
    ("facts", "coded", "expected"),
    [
        (FACTS, (1280, 736), (1280, 720, 1280, 736)),
        (FACTS, (320, 368), (320, 360, 320, 368)),
        (FACTS, (640, 184), (640, 180, 640, 184)),
        (FACTS, (640, 100), (640, 98, 640, 100)),
        (FACTS, (1, 1), (1, 1, 1, 1)),
        (FACTS, (0, 0), (1, 1, 0, 0)),
        (TURNED, (1280, 368), (360, 1280, 1280, 368)),
        (TURNED, (640, 736), (720, 640, 640, 736)),
        (dataclasses.replace(TURNED, rotation=270), (1280, 368), (360, 1280, 1280, 368)),
        (dataclasses.replace(FACTS, rotation=180), (1280, 368), (1280, 360, 1280, 368)),
        (dataclasses.replace(FACTS, coded_width=0, coded_height=0), (2, 3), (1280, 1080, 2, 3)),
        (dataclasses.replace(FACTS, coded_width=2, coded_height=2), (4, 2), (1280, 360, 4, 2)),
    ],
)
def test_the_shown_picture_follows_what_was_decoded(
    facts: VideoFacts, coded: tuple[int, int], expected: tuple[int, ...]
) -> None:
    found = facts.at(3, coded)
    assert sizes(found) == expected
    assert (found.rotation, found.mirrored, found.pixel_format) == (facts.rotation, facts.mirrored, facts.pixel_format)


def test_what_was_decoded_as_expected_changes_nothing() -> None:
    assert FACTS.at(5) is FACTS
    assert FACTS.at(5, (640, 368)) is FACTS


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        *((k, ((640, 360, 640, 368), 0, False, "yuv420p")) for k in (0, 9)),
        *((k, ((320, 200, 320, 208), 0, True, "yuv422p")) for k in (10, 19)),
        *((k, ((100, 300, 304, 112), 270, False, "gray")) for k in (20, 99)),
    ],
)
def test_a_frame_has_the_shape_that_began_last(frame: int, expected: tuple[tuple[int, ...], int, bool, str]) -> None:
    found = SHAPED.at(frame)
    assert (sizes(found), found.rotation, found.mirrored, found.pixel_format) == expected
    assert found.at(frame, (found.coded_width, found.coded_height)) == found
    assert (found.name, found.frames, found.shapes) == (SHAPED.name, SHAPED.frames, SHAPED.shapes)


def test_a_shape_may_be_decoded_at_another_size_too() -> None:
    found = SHAPED.at(25, (608, 112))
    assert (sizes(found), found.rotation, found.pixel_format) == ((100, 600, 608, 112), 270, "gray")


def test_the_canvas_holds_every_shape() -> None:
    assert FACTS.canvas == (640, 360)
    assert SHAPED.canvas == (640, 360)
    assert dataclasses.replace(SHAPED, shapes=(LATER, LAST)).canvas == (320, 300)


def test_what_facts_are_without_more_said() -> None:
    values = {field.name: getattr(FACTS, field.name) for field in dataclasses.fields(VideoFacts)}
    for name in ("stream", "time_basis", "shapes", "path", "sha256"):
        del values[name]
    plain = VideoFacts(**values)
    assert (plain.stream, plain.time_basis, plain.shapes, plain.path, plain.sha256) == (0, EXACT, (), "", "")
    assert plain.duration == Fraction(4)
    assert ResultWarning("code", "Message.") == ResultWarning("code", "Message.", 0, None)


def test_reasons_have_numbers_that_stay_and_labels() -> None:
    assert {reason.name: int(reason) for reason in Reason} == {
        **{"NONE": 0, "TOO_SMALL": 1, "BLURRED": 2, "TURNED": 3, "CUT_OFF": 4, "LYING": 5}
    }
    assert [reason.label for reason in Reason] == ["", "too_small", "blurred", "turned", "cut_off", "lying"]


def test_tables_without_rows_have_all_columns() -> None:
    for table in (Observations.empty(), Observations.concatenate([])):
        assert len(table) == 0
        for name, (dtype, shape) in COLUMNS.items():
            assert getattr(table, name).dtype == dtype
            assert getattr(table, name).shape == (0, *shape)
    faces = Faces.empty()
    assert (faces.boxes.shape, faces.landmarks.shape, faces.scores.shape, len(faces)) == ((0, 4), (0, 5, 2), (0,), 0)
    assert {faces.boxes.dtype, faces.landmarks.dtype, faces.scores.dtype} == {np.dtype(np.float32)}
    assert {name: column[1] for name, column in COLUMNS.items() if column[1]} == {
        "box": (4,),
        "landmarks": (5, 2),
        "posterior": (7,),
    }


def person(counts: tuple[int, ...], usable: int, measured: float = 0.0, unsure: float = 0.0) -> Person:
    shares = (Share(1.0, 0.5, 1.0),)
    return Person(1, "Ada", (), 0, 0, 0, 0, usable, counts, counts, shares, (), measured, unsure, {}, ())


def test_the_dominant_expression_is_that_of_most_frames_and_of_several_the_first() -> None:
    assert person((0, 1, 0, 3, 3, 0, 2), 9).dominant == "happy"
    assert person((0, 0, 0, 0, 0, 0, 1), 1).dominant == EXPRESSIONS[6] == "neutral"
    assert person((0,) * 7, 0).dominant is None
    assert person((0,) * 7, 1, 4.0, 1.0).unsure_share == 0.25
    assert person((0,) * 7, 1, 0.5, 0.5).unsure_share == 1
    assert person((0,) * 7, 0).unsure_share is None
    assert person((0,) * 7, 0).thumbnail == b""
