"""What is drawn into an annotated video, and where."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import observations
from visagram.core.types import EXPRESSIONS, Observations
from visagram.media.layout import PANEL, SMALL_PANEL, Rect, Seating, row_height
from visagram.media.letters import BOLD, REGULAR, Letters, ascii_only
from visagram.media.overlay import Overlay, Planes, mixing
from visagram.plots import PALETTE

HAPPY, TURNED = 3, -3
BT709, BT601 = 1, 6


def blank(width: int, height: int, luma: int = 128) -> Planes:
    width, height = width + width % 2, height + height % 2
    half = (height // 2, width // 2)
    return np.full((height, width), luma, np.uint8), np.full(half, 128, np.uint8), np.full(half, 128, np.uint8)


def in_colour(planes: Planes) -> np.ndarray:
    """(h, w, 3) BGR of limited-range BT.601 planes."""
    height, width = planes[0].shape
    packed = np.concatenate([plane.ravel() for plane in planes]).reshape(height * 3 // 2, width)
    return cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420)


def face(box: tuple[float, ...], label: int = HAPPY, person: int = 1) -> Observations:
    return observations(person, [0], [label]).with_columns(box=np.array([box], np.float32))


def overlap(a: Rect, b: tuple[float, ...]) -> float:
    across = min(a.x + a.width, b[0] + b[2]) - max(a.x, b[0])
    down = min(a.y + a.height, b[1] + b[3]) - max(a.y, b[1])
    return max(0.0, across) * max(0.0, down)


def seats(picture: tuple[int, int], *boxes: tuple[float, ...]) -> tuple[list[Rect], Seating]:
    seating = Seating(*picture, row_height(*picture))
    return seating.place(np.array(boxes, np.float32), range(len(boxes)), range(len(boxes))), seating


sides = st.integers(1, 2000)
places = st.tuples(st.floats(-500, 2500), st.floats(-500, 2500), st.floats(1, 1500), st.floats(1, 1500))


@given(sides, sides, st.lists(places, max_size=6))
def test_panels_are_always_inside_the_picture(width: int, height: int, boxes: list[tuple[float, ...]]) -> None:
    seating = Seating(width, height, row_height(width, height))
    faces = np.array(boxes, np.float32).reshape(-1, 4)
    for _ in range(3):
        for rect in seating.place(faces, range(len(faces)), range(len(faces))):
            assert 0 <= rect.x <= rect.x + rect.width <= width
            assert 0 <= rect.y <= rect.y + rect.height <= height


@pytest.mark.parametrize("picture", [(400, 300), (1280, 720), (1920, 1080), (1080, 1920), (3840, 2160)])
def test_a_row_is_legible_and_grows_with_the_picture(picture: tuple[int, int]) -> None:
    row = row_height(*picture)
    assert row >= 12
    assert row == pytest.approx(min(picture) / 45, rel=0.9)
    assert PANEL[0] * row < 0.4 * min(picture) or min(picture) < 600


def test_a_panel_stands_beside_its_face_on_the_side_with_room() -> None:
    right, _ = seats((1280, 720), (300, 200, 200, 250))
    left, _ = seats((1280, 720), (1050, 200, 200, 250))
    assert right[0].x >= 500
    assert right[0].x < 520
    assert left[0].x + left[0].width <= 1050
    assert right[0].y == left[0].y == 200


def test_panels_cover_neither_faces_nor_each_other() -> None:
    boxes = [(200, 200, 150, 180), (420, 220, 150, 180), (900, 180, 150, 180)]
    placed, seating = seats((1280, 720), *boxes)
    assert not seating.small
    for k, rect in enumerate(placed):
        assert all(overlap(rect, box) == 0 for box in boxes)
        assert all(overlap(rect, other) == 0 for other in placed[:k])


def test_a_crowd_gets_small_panels() -> None:
    boxes = [(60 + 150 * x, 40 + 110 * y, 36, 50) for x in range(4) for y in range(3)]
    placed, seating = seats((640, 360), *boxes)
    assert seating.small
    assert {(rect.width, rect.height) for rect in placed} == {(round(SMALL_PANEL[0] * 12), round(SMALL_PANEL[1] * 12))}
    assert all(overlap(rect, box) < 0.3 * 36 * 50 for rect in placed for box in boxes)


def test_a_picture_with_no_room_gets_a_small_panel_that_leaves_the_face_free() -> None:
    placed, seating = seats((176, 144), (60, 40, 47, 61))
    assert seating.small
    assert overlap(placed[0], (60, 40, 47, 61)) == 0


def test_a_close_up_keeps_its_bars() -> None:
    _, seating = seats((1280, 720), (-50, -50, 1400, 900))
    assert not seating.small


def test_a_panel_neither_trembles_nor_swaps_sides() -> None:
    seating = Seating(640, 360, row_height(640, 360))
    random, before = np.random.default_rng(0), None
    for _ in range(60):
        box = np.array([[270, 120, 80, 100]]) + random.normal(0, 2, (1, 4))
        rect = seating.place(box.astype(np.float32), [0], [7])[0]
        if before is not None:
            assert abs(rect.x - before.x) <= 4
            assert abs(rect.y - before.y) <= 4
        before = rect


def test_text_is_smooth_and_the_same_height_for_every_word() -> None:
    letters = Letters()
    masks = [letters.mask(word, 12, REGULAR) for word in ("happy", "fear", "A", "y", "")]
    assert len({mask.shape[0] for mask in masks}) == 1
    assert masks[0].max() > 200
    assert len(np.unique(masks[0])) > 20
    assert letters.mask("happy", 12, REGULAR) is masks[0]


@pytest.mark.parametrize("plain", [False, True])
def test_long_names_end_in_an_ellipsis(plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if plain:  # OpenCV 4
        monkeypatch.delattr(cv2, "FontFace", raising=False)
    letters = Letters()
    for text in ("a name " * 40, "i" * 500, "映画" * 50, "W", ""):
        mask = letters.fitting(text, 14, BOLD, 90)
        assert 1 <= mask.shape[1] <= 90
    assert letters.fitting("short", 14, BOLD, 90).shape == letters.mask("short", 14, BOLD).shape


@given(st.text(max_size=30))
def test_any_text_has_an_ascii_likeness(text: str) -> None:
    assert all(" " <= letter <= "~" for letter in ascii_only(text))


def test_accents_go_and_strangers_become_question_marks() -> None:
    assert ascii_only("José Łódź Straße") == "Jose Lodz Strasse"
    assert ascii_only("映画 1…") == "?? 1..."


@pytest.mark.parametrize("matrix", [BT709, BT601])
@pytest.mark.parametrize("full", [False, True])
def test_white_black_and_grey_mix_to_what_the_range_calls_so(matrix: int, full: bool) -> None:
    mix = mixing(matrix, full, 1)
    white, black = mix @ [255, 255, 255, 255], mix @ [0, 0, 0, 255]
    assert white == pytest.approx([255 if full else 235, 128, 128], abs=0.01)
    assert black == pytest.approx([0 if full else 16, 128, 128], abs=0.01)
    assert mix @ [0, 0, 0, 0] == pytest.approx([0, 0, 0])


def test_colours_come_out_as_they_are_in_the_palette() -> None:
    for label, expression in enumerate(EXPRESSIONS):
        planes = blank(320, 240)
        Overlay(320, 240, {}, mixing(BT601, False, 2)).draw(planes, face((40, 40, 80, 100), label))
        value = int(PALETTE[expression][1:], 16)
        wanted = np.array([value & 255, value >> 8 & 255, value >> 16])
        found = in_colour(planes)[60:120, 38:43].astype(int)
        assert np.abs(found - wanted).sum(axis=2).min() < 24, expression


def test_only_the_faces_surroundings_change() -> None:
    planes = blank(640, 360)
    before = [plane.copy() for plane in planes]
    Overlay(640, 360, {1: "Ada"}, mixing(BT601, False, 2)).draw(planes, face((100, 100, 80, 100)))
    for scale, plane, old in zip((1, 2, 2), planes, before, strict=True):
        changed = plane != old
        assert changed.any()
        changed[88 // scale : 232 // scale, 88 // scale : 340 // scale] = False
        changed[320 // scale :, : 140 // scale] = False  # the caption
        assert not changed.any()
    inside = slice(106, 196), slice(106, 176)
    assert (planes[0][inside] == 128).all()


def test_the_longest_bar_is_that_of_the_highest_expression() -> None:
    planes = blank(640, 360, 60)
    Overlay(640, 360, {}, mixing(BT601, False, 2)).draw(planes, face((100, 100, 80, 100)))
    value = int(PALETTE["happy"][1:], 16)
    wanted = np.array([value & 255, value >> 8 & 255, value >> 16])
    close = np.abs(in_colour(planes)[:, 186:].astype(int) - wanted).sum(axis=2) < 60
    assert close.any(axis=1).sum() >= 3
    assert 0.6 * 4.3 * 12 < close.sum(axis=1).max() < 0.9 * 4.3 * 12


def runs_of_colour(picture: np.ndarray) -> list[list[tuple[str, int]]]:
    """By line the stretches in an expression's colour, from left to right: which, and how many pixels."""
    values = [int(PALETTE[name][1:], 16) for name in EXPRESSIONS]
    palette = np.array([[value & 255, value >> 8 & 255, value >> 16] for value in values])
    apart = np.abs(picture.astype(int)[:, :, None] - palette).sum(axis=-1)
    nearest = np.where(apart.min(axis=-1) < 45, apart.argmin(axis=-1), -1)
    lines = []
    for line in nearest:
        edges = np.flatnonzero(np.diff(line, prepend=-2)).tolist()
        stretches = [(int(line[a]), b - a) for a, b in pairwise([*edges, len(line)])]
        lines.append([(EXPRESSIONS[k], wide) for k, wide in stretches if k >= 0 and wide > 1])
    return lines


SHARES = np.float32([0.26, 0.1, 0.14, 0.06, 0.2, 0.09, 0.15])
"""No two are the same."""


def test_each_bar_is_as_long_as_its_share_and_in_the_colour_of_its_own_expression() -> None:
    planes = blank(1600, 1600, 60)
    faces = face((200, 200, 300, 300)).with_columns(posterior=SHARES[None])
    Overlay(1600, 1600, {}, mixing(BT601, False, 2)).draw(planes, faces)
    lines = runs_of_colour(in_colour(planes)[200:540, 510:960])
    row = row_height(1600, 1600)
    longest = {
        name: max((wide, y) for y, line in enumerate(lines) for k, wide in line if k == name) for name in EXPRESSIONS
    }
    assert [longest[name][0] for name in EXPRESSIONS] == pytest.approx(SHARES * round(row * 4.3), abs=4)
    assert np.diff([longest[name][1] for name in EXPRESSIONS]) == pytest.approx(row, abs=0.5 * row), "in order"


def test_the_one_bar_of_a_small_panel_is_divided_in_order_and_in_the_expressions_own_colours() -> None:
    where = [(60 + 200 * x, 20 + 130 * y, 30, 40) for x in range(4) for y in range(5)]
    crowd = Observations.concatenate(face(box, person=k + 1) for k, box in enumerate(where))
    planes = blank(800, 680, 60)
    crowd = crowd.with_columns(posterior=np.tile(SHARES, (len(crowd), 1)))
    Overlay(800, 680, {}, mixing(BT601, False, 2)).draw(planes, crowd)
    lines = runs_of_colour(in_colour(planes)[:80, 97:210])  # the first panel
    (bar,) = {tuple(name for name, _ in line) for line in lines if len(line) == 7}
    assert bar == EXPRESSIONS
    widths = next([wide for _, wide in line] for line in lines if len(line) == 7)
    assert widths == pytest.approx(SHARES * (SMALL_PANEL[0] - 0.8) * row_height(800, 680), abs=4)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (9, 9), (33, 21), (96, 64), (177, 145), (300, 2)])
@pytest.mark.parametrize("label", [HAPPY, TURNED])
def test_any_size_and_any_box_can_be_drawn(size: tuple[int, int], label: int) -> None:
    overlay = Overlay(*size, {1: "A name that is far too long for this\x1b[0m\n"}, mixing(BT709, True, 16))
    for box in ((0, 0, *size), (-40, -40, 30, 30), (-9e5, -9e5, 2e6, 2e6), (size[0] - 1, size[1] - 1, 50, 50)):
        planes = blank(*size)
        overlay.draw(planes, face(box, label))
        assert planes[0].shape == (size[1] + size[1] % 2, size[0] + size[0] % 2)


def test_no_face_leaves_the_caption_alone() -> None:
    planes = blank(640, 360)
    Overlay(640, 360, {}, mixing(BT601, False, 2)).draw(planes, Observations.empty())
    changed = np.argwhere(planes[0] != 128)
    assert len(changed)
    assert changed[:, 0].min() > 320
    assert changed[:, 1].max() < 150
