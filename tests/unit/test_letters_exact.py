"""Sizes of texts, to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from visagram.media.letters import BOLD, REGULAR, Letters, ascii_only


@pytest.fixture(params=["typeface", "strokes"])
def letters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Letters:
    """strokes: as OpenCV 4 draws."""
    if request.param == "strokes":
        monkeypatch.delattr(cv2, "FontFace", raising=False)
    elif not hasattr(cv2, "FontFace"):
        pytest.skip("this OpenCV has no typeface")
    return Letters()


@pytest.mark.parametrize(("size", "height"), [(0.1, 1), (1, 1), (2, 3), (9, 12), (12.5, 16), (15, 20), (100, 132)])
def test_a_line_is_a_third_higher_than_its_font(letters: Letters, size: float, height: int) -> None:
    for text in ("", "Ag"):
        mask = letters.mask(text, size)
        assert (mask.shape[0], mask.dtype) == (height, np.uint8)
    assert letters.mask("", size).shape[1] <= max(1, size / 4)


def inked(mask: np.ndarray) -> tuple[float, float]:
    """Top and bottom of what is drawn, to a fraction of a pixel."""
    most = mask.max(axis=1) / 255
    rows = np.flatnonzero(most > 0.05)
    return rows[0] + 1 - most[rows[0]], rows[-1] + most[rows[-1]]


def test_letters_stand_on_a_line_one_size_from_the_top(letters: Letters) -> None:
    for size in (20, 40, 60):
        top, bottom = inked(letters.mask("H", size))
        assert bottom == pytest.approx(size, abs=2.2)
        assert bottom - top == pytest.approx(0.69 * size, abs=0.08 * size)


def test_a_mask_is_as_wide_as_its_text(letters: Letters) -> None:
    for text in ("H", "happy", "The quick brown fox"):
        mask = letters.mask(text, 40)
        columns = np.flatnonzero(mask.max(axis=0) > 20)
        assert 0 <= columns[0] <= 6
        assert 0 <= mask.shape[1] - 1 - columns[-1] <= 6
    once, twice = (letters.mask("m" * count, 40).shape[1] for count in (10, 20))
    assert twice == pytest.approx(2 * once, abs=4)


def test_strokes_are_as_wide_as_opencv_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "FontFace", raising=False)
    letters = Letters()
    # At four times the size 11 pixels thick.
    across = cv2.getTextSize("happy", cv2.FONT_HERSHEY_SIMPLEX, 160 * 0.7 / 23, 11)[0][0]
    assert letters.mask("happy", 40, REGULAR).shape[1] == -(-(across + 11) // 4)


def test_bold_letters_are_heavier() -> None:
    if not hasattr(cv2, "FontFace"):
        pytest.skip("this OpenCV has no typeface")
    letters = Letters()
    light, heavy = (letters.mask("happy", 40, weight).sum() for weight in (REGULAR, BOLD))
    assert heavy > 1.15 * light
    assert np.array_equal(letters.mask("happy", 40), letters.mask("happy", 40, REGULAR))


@pytest.mark.parametrize("letter", ["i", "W", "a"])
@pytest.mark.parametrize("width", [30, 61.5, 90])
def test_as_many_letters_are_kept_as_fit_with_an_ellipsis(letters: Letters, letter: str, width: float) -> None:
    text = letter * 60
    fitting = [n for n in range(60) if letters.mask(letter * n + "…", 14, BOLD).shape[1] <= width]
    found = letters.fitting(text, 14, BOLD, width)
    assert np.array_equal(found, letters.mask(letter * max(fitting) + "…", 14, BOLD))


def test_a_text_that_just_fits_is_not_cut(letters: Letters) -> None:
    mask = letters.mask("surprise", 14, BOLD)
    assert letters.fitting("surprise", 14, BOLD, mask.shape[1]) is not None
    assert np.array_equal(letters.fitting("surprise", 14, BOLD, mask.shape[1]), mask)
    assert not np.array_equal(letters.fitting("surprise", 14, BOLD, mask.shape[1] - 1), mask[:, :-1])


def test_no_space_stands_before_an_ellipsis(letters: Letters) -> None:
    for width in range(20, 90, 3):
        found = letters.fitting("ab cd ef gh", 14, BOLD, width)
        kept = [letters.mask("ab cd ef gh"[:n].rstrip() + "…", 14, BOLD) for n in range(11)]
        assert any(np.array_equal(found, mask) for mask in [*kept, letters.mask("ab cd ef gh", 14, BOLD)])


@pytest.mark.parametrize(("width", "columns"), [(0.2, 1), (1, 1), (2, 2), (2.9, 2)])
def test_where_nothing_fits_the_ellipsis_is_cut(letters: Letters, width: float, columns: int) -> None:
    for text in ("W", "happy"):
        found = letters.fitting(text, 40, BOLD, width)
        assert np.array_equal(found, letters.mask("…", 40, BOLD)[:, :columns])


def test_four_thousand_texts_are_kept() -> None:
    letters = Letters()
    first = letters.mask("first", 2)
    for k in range(4095):
        letters.mask(str(k), 0.1)
    assert letters.mask("first", 2) is first
    letters.mask("one more", 2)
    assert letters.mask("first", 2) is not first


def test_stand_ins() -> None:
    for letter, plain in {
        **{"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "Ae"},
        **{"…": "...", "·": "-", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'},
        **{"é": "e", "Å": "A", "ﬁ": "fi", "²": "2", " ": " ", "~": "~", "\x7f": "?", "\x1f": "?", "я": "?"},
    }.items():
        assert ascii_only(f"a{letter}b") == f"a{plain}b"
