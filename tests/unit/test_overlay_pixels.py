"""Every pixel of what is drawn into a video, against a picture painted here at full size in floating point.

Letters are solid blocks here, so that the places of texts are known whatever typeface OpenCV brings.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from factories import observations
from visagram.core.types import EXPRESSIONS, Observations, Reason
from visagram.export.words import reason_words
from visagram.media import overlay
from visagram.media.layout import Seating
from visagram.media.letters import BOLD, REGULAR
from visagram.media.overlay import Overlay, Planes, mixing
from visagram.plots import PALETTE

DARK, WHITE, SOFT, GREY = (28, 22, 17), (255, 255, 255), (214, 207, 200), (190, 184, 178)
HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")
SHARES = np.float32([0.05, 0.1, 0.15, 0.3, 0.17, 0.2, 0.03])
BT601 = 6


class Blocks:
    """Stands in for `Letters`: half a font size wide for each letter, three pixels higher than the font."""

    def mask(self, text: str, size: int, weight: int = REGULAR) -> np.ndarray:
        return np.full((size + 3, max(1, len(text) * size // 2)), 255 if weight == BOLD else 180, np.uint8)

    def fitting(self, text: str, size: int, weight: int, width: float) -> np.ndarray:
        return self.mask(text, size, weight)[:, : max(1, int(width))]


@pytest.fixture(autouse=True)
def _blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "Letters", Blocks)


def colour(expression: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(PALETTE[expression].lstrip("#"))
    return blue, green, red


class Painting:
    """Y, Cb and Cr of every pixel; limited-range BT.601."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width + width % 2, height + height % 2
        self.pixels = np.empty((self.height, self.width, 3))
        self.pixels[:] = 90, 110, 150

    @property
    def planes(self) -> Planes:
        y, cb, cr = np.moveaxis(self.pixels.round().astype(np.uint8), 2, 0)
        return y.copy(), cb[::2, ::2].copy(), cr[::2, ::2].copy()

    def lay(self, mask: np.ndarray, x: int, y: int, ink: tuple[int, int, int], opacity: float = 1.0) -> None:
        """Paint through a mask, 0..1."""
        blue, green, red = (value / 255 for value in ink)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        wanted = np.array([16 + 219 * luma, 128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402])
        left, top = max(0, -x), max(0, -y)
        part = self.pixels[y + top : y + mask.shape[0], x + left : x + mask.shape[1]]
        cover = mask[top : top + part.shape[0], left : left + part.shape[1], None] * opacity
        part[:] = part * (1 - cover) + wanted * cover

    def text(self, x: int, y: int, size: int, letters: int, ink: tuple[int, int, int], bold: bool = False) -> None:
        self.lay(np.full((size + 3, letters), 1 if bold else 180 / 255), x, y, ink)

    def stroke(self, dashes: list[tuple[float, ...]], thick: int, ink: tuple[int, int, int]) -> None:
        """Lines from x, y to x, y, each with a border of one pixel."""
        for line, paint, opacity in ((thick + 2, DARK, 0.5), (thick, ink, 1.0)):
            around = 128
            mask = np.zeros((self.height + 2 * around, self.width + 2 * around), np.uint8)
            for dash in dashes:
                x0, y0, x1, y1 = (round((value + around) * 16) for value in dash)
                cv2.line(mask, (x0, y0), (x1, y1), (255,), line, cv2.LINE_AA, 4)
            self.lay(mask[around:-around, around:-around] / 255, 0, 0, paint, opacity)

    def box(self, x: float, y: float, w: float, h: float, thick: int, ink: tuple[int, int, int]) -> None:
        right, bottom = x + w, y + h
        sides = [(x, y, right, y), (right, y, right, bottom), (right, bottom, x, bottom), (x, bottom, x, y)]
        self.stroke(sides, thick, ink)

    def caption(self, x: int, y: int, size: int, around: int) -> None:
        text = np.pad(np.full((size + 3, 19 * size // 2), 180, np.uint8), around)
        self.lay(cv2.GaussianBlur(text, (0, 0), around / 2) / 255, x, y, DARK, 0.9)
        self.lay(text / 255, x, y, WHITE, 0.72)

    def check(self, planes: Planes, where: np.ndarray | None = None, close: float = 2.5) -> None:
        """where: pixels that are compared in brightness; by default all, and their colours too."""
        assert np.abs(planes[0] - self.pixels[..., 0])[... if where is None else where].max() <= close
        if where is not None:
            return
        halves = self.pixels.reshape(self.height // 2, 2, self.width // 2, 2, 3).mean(axis=(1, 3))
        off = np.abs(np.dstack(planes[1:]) - halves[..., 1:])
        # Strokes of a box are laid in pieces; where two of them meet within four pixels, that share their colour, it is
        # not quite that of both at once.
        assert off.max() < 20
        assert (off > close).sum() <= 24


def rounded(width: int, height: int, radius: float) -> np.ndarray:
    """How much of each pixel a rectangle with round corners covers."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    away = np.hypot(x - np.clip(x, radius, width - radius), y - np.clip(y, radius, height - radius))
    return np.clip(radius + 0.5 - away, 0, 1)


def filled(bar: np.ndarray, pixels: float) -> np.ndarray:
    return bar * np.clip(pixels - np.arange(bar.shape[1]), 0, 1)


def face(
    box: tuple[float, ...], label: int = HAPPY, person: int = 1, track: int = 1, shares: np.ndarray = SHARES
) -> Observations:
    rows = observations(person, [0], [label]).with_columns(box=np.array([box], np.float32), track=np.int32([track]))
    return rows.with_columns(posterior=shares[None]) if label >= 0 else rows


def drawn(width: int, height: int, names: dict[int, str], *faces: Observations) -> tuple[Painting, Planes]:
    """A picture before anything is drawn, and the planes with it."""
    painting = Painting(width, height)
    planes = painting.planes
    Overlay(width, height, names, mixing(BT601, False, 2)).draw(
        planes, Observations.concatenate(faces) if faces else Observations.empty()
    )
    return painting, planes


def panel(painting: Painting, x: int, y: int, name: str) -> None:
    """A panel in a picture of 900 lines, whose rows are 20 pixels high."""
    painting.lay(rounded(224, 184, 9), x, y, DARK, 0.76)
    painting.text(x + 11, y + 7, 18, len(name) * 9, WHITE, bold=True)
    bar = rounded(86, 9, 4.5)
    for k, (expression, share) in enumerate(zip(EXPRESSIONS, SHARES.tolist(), strict=True)):
        best = k == HAPPY
        ink, line = WHITE if best else SOFT, y + 35 + 20 * k
        painting.text(x + 11, line, 15, len(expression) * 15 // 2, ink, best)
        number = len(f"{share * 100:.0f} %") * 14 // 2
        painting.text(x + 224 - 11 - number, line, 14, number, ink, best)
        painting.lay(bar, x + 82, line + 5, WHITE, 0.12)
        painting.lay(filled(bar, share * 86), x + 82, line + 5, colour(expression))


@pytest.mark.parametrize("top", [100, 101])
def test_a_panel_has_a_name_and_seven_bars_beside_the_box(top: int) -> None:
    painting, planes = drawn(900, 900, {1: "Ada"}, face((100, top, 80, 100)))
    painting.caption(8, 900 - 25 - 8, 14, 4)
    painting.box(100, top, 80, 100, 2, colour("happy"))
    panel(painting, 189, top, "Ada")
    painting.check(planes)


def test_sides_of_boxes_lie_at_fractions_of_a_pixel_and_end_at_the_edge() -> None:
    boxes = [(100.3, 100.7, 80.4, 99.2), (-30.2, 400.6, 50.5, 60.1), (700.5, 850.25, 300, 80), (400, -40.75, 50, 61)]
    boxes += [(-20, -20, 950, 950), (899, 300, 40, 40), (905, 500, 40, 40), (100, -90, 40, 40), (-60, 100, 40, 40)]
    for box in boxes:
        painting, planes = drawn(901, 899, {}, face(box))
        painting.caption(8, 899 - 25 - 8, 14, 4)
        x, y, w, h = (float(np.float32(side)) for side in box)
        painting.box(x, y, w, h, 2, colour("happy"))
        inside = np.ones(painting.pixels.shape[:2], bool)
        ((spot),) = Seating(901, 899, 899 / 45).place(np.array([box], np.float32), [0], [1])
        inside[spot.y : spot.y + spot.height, spot.x : spot.x + spot.width] = False
        painting.check(planes, inside)


def test_who_was_not_measured_has_a_dashed_box_and_the_reason_above() -> None:
    painting, planes = drawn(900, 900, {}, face((500, 600, 96, 48), -int(Reason.TURNED), person=0))
    painting.caption(8, 900 - 25 - 8, 14, 4)
    across = [(500 + 24 * k, 600, 512 + 24 * k, 600) for k in range(4)]
    back = [(596 - 24 * k, 648, 584 - 24 * k, 648) for k in range(4)]
    down = [(596, 600 + 24 * k, 596, 612 + 24 * k) for k in range(2)]
    up = [(500, 648 - 24 * k, 500, 636 - 24 * k) for k in range(2)]
    painting.stroke([*across, *down, *back, *up], 1, GREY)
    who, why = 4 * 15 // 2, len(reason_words(Reason.TURNED.label)) * 15 // 2
    painting.lay(rounded(who + why + 26, 26, 6), 500, 600 - 32, DARK, 0.76)
    painting.text(500 + 9, 568 + 4, 15, who, SOFT, bold=True)
    painting.text(500 + 17 + who, 568 + 4, 15, why, GREY)
    painting.check(planes)


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((-30, 10, 60, 90), (0, 0)),
        ((880, 300, 60, 90), (None, 268)),
        ((300, 31, 60, 90), (300, 0)),
        ((300, 33, 60, 90), (300, 1)),
        ((300, 1000, 60, 90), (300, 874)),
    ],
)
def test_a_reason_stays_inside_the_picture(box: tuple[float, ...], place: tuple[int | None, int]) -> None:
    painting, planes = drawn(900, 900, {7: "N" * 40}, face(box, -int(Reason.TOO_SMALL), person=7))
    why = len(reason_words(Reason.TOO_SMALL.label)) * 15 // 2
    who = 160
    x, y = 900 - (who + why + 26) if place[0] is None else place[0], place[1]
    painting.lay(rounded(who + why + 26, 26, 6), x, y, DARK, 0.76)
    painting.text(x + 9, y + 4, 15, who, SOFT, bold=True)
    painting.text(x + 17 + who, y + 4, 15, why, GREY)
    tag = slice(y, y + 26), slice(x + 12, x + who + why + 26)
    clear = np.ones((900, 900), bool)
    x0, y0, w, h = (round(side) for side in box)
    for left, top, wide, high in ((x0, y0, w, 0), (x0, y0 + h, w, 0), (x0, y0, 0, h), (x0 + w, y0, 0, h)):
        clear[max(0, top - 4) : max(0, top + high + 5), max(0, left - 4) : max(0, left + wide + 5)] = False
    clear[860:, :200] = False
    assert clear[tag].any()
    painting.check(planes, clear)


def test_a_crowd_has_small_panels_with_one_bar_that_is_divided_among_all() -> None:
    where = [(20 + 120 * x, 20 + 60 * y, 24, 30) for x in range(4) for y in range(8)]
    rows = [face(box, person=k + 1, track=k) for k, box in enumerate(where)]
    painting, planes = drawn(500, 500, {1: "A name that is too long", 2: ""}, *rows)
    seating = Seating(500, 500, 12.0)
    spots = seating.place(np.array(where, np.float32), range(len(where)), range(len(where)))
    assert seating.small and (spots[0].width, spots[0].height) == (86, 38)
    painting.caption(5, 500 - 15 - 5, 8, 2)
    for box in where:
        painting.box(*box, 2, colour("happy"))
    bar = rounded(76, 4, 2)
    for k, (x, y, _, _) in enumerate(spots):
        painting.lay(rounded(86, 38, 5.4), x, y, DARK, 0.76)
        name = "A name that is too long" if not k else f"Person {k + 1}"
        painting.text(x + 5, y + 1, 11, min(76, len(name) * 11 // 2), WHITE, bold=True)
        for number in range(6, -1, -1):
            share = float(SHARES[: number + 1].sum())
            painting.lay(filled(bar, share * 76), x + 5, y + 17, colour(EXPRESSIONS[number]))
        painting.text(x + 5, y + 23, 9, len("happy 30 %") * 9 // 2, WHITE)
    painting.check(planes, np.ones((500, 500), bool), close=4)


def test_in_a_tiny_picture_there_are_boxes_only() -> None:
    painting, planes = drawn(40, 30, {1: "Ada"}, face((10, 8, 15, 12)), face((2, 2, 6, 5), -int(Reason.BLURRED)))
    painting.box(10, 8, 15, 12, 1, colour("happy"))
    clear = np.ones((30, 40), bool)
    clear[:11, :12] = False
    painting.check(planes, clear)
    assert (planes[0][:9, :9] != 90).any()


@pytest.mark.parametrize(("width", "written"), [(126, False), (127, True)])
def test_the_caption_takes_at_most_three_fifths_of_the_width(width: int, written: bool) -> None:
    painting, planes = drawn(width, 900, {})
    if written:
        painting.caption(4, 900 - 15 - 4, 8, 2)
    painting.check(planes)


@pytest.mark.parametrize(("height", "written"), [(38, False), (39, True)])
def test_text_is_only_written_where_a_row_is_four_pixels_high(height: int, written: bool) -> None:
    _, planes = drawn(400, height, {})
    assert (planes[0] != 90).any() == written
    _, planes = drawn(400, height, {}, face((200, 10, 20, 20)))
    assert (planes[0][:, 225:] != 90).any() == written


@pytest.mark.parametrize(
    ("person", "names", "shown"),
    [(0, {}, 4), (1, {}, 8), (12, {}, 9), (1, {1: "Bo"}, 2), (1, {1: ""}, 8), (1, {2: "Bo"}, 8), (0, {0: "Bo"}, 2)],
)
def test_who_has_no_name_is_a_person_or_a_face(person: int, names: dict[int, str], shown: int) -> None:
    _, planes = drawn(900, 900, names, face((100, 100, 80, 100), person=person))
    title = planes[0][110, 189 + 11 :]
    assert int((title > 200).argmin()) == shown * 9


def test_panels_of_one_name_do_not_write_on_each_other() -> None:
    overlaid = Overlay(900, 900, {1: "Ada"}, mixing(BT601, False, 2))
    first, second = Painting(900, 900).planes, Painting(900, 900).planes
    overlaid.draw(first, face((100, 100, 80, 100)))
    rows = face((100, 100, 80, 100), shares=SHARES[::-1])
    overlaid.draw(Painting(900, 900).planes, rows)
    overlaid.draw(second, face((100, 100, 80, 100)))
    assert np.array_equal(first[0], second[0])


@pytest.mark.parametrize(
    ("matrix", "weights"),
    [(1, (0.2126, 0.0722)), (9, (0.2627, 0.0593)), (10, (0.2627, 0.0593)), (2, (0.299, 0.114)), (6, (0.299, 0.114))],
)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("transfer", "gain"), [(1, 1.0), (16, 0.58), (18, 0.75), (17, 1.0)])
def test_colours_are_mixed_as_each_standard_has_it(
    matrix: int, weights: tuple[float, float], full: bool, transfer: int, gain: float
) -> None:
    red, blue = weights
    mix = mixing(matrix, full, transfer)
    assert mix.dtype == np.float32
    scale = (255, 255, 255) if full else (219, 224, 224)
    floor = (0, 128, 128) if full else (16, 128, 128)
    for b, g, r in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (30, 60, 200)):
        luma = (red * r + (1 - red - blue) * g + blue * b) / 255
        parts = (luma, (b / 255 - luma) / (2 - 2 * blue), (r / 255 - luma) / (2 - 2 * red))
        expected = [low + gain * wide * part for low, wide, part in zip(floor, scale, parts, strict=True)]
        assert mix @ [b, g, r, 255] == pytest.approx(expected, abs=0.01)
