"""Text as anti-aliased masks, drawn by OpenCV."""

from __future__ import annotations

import unicodedata
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

REGULAR, BOLD = 420, 640
"""Weights of the typeface."""
_FINER = 4
"""Letters are drawn this many times larger: their spacing then follows fractions of a pixel."""
_ASCENT, _LINE = 1.0, 1.32
"""Baseline and height of a line, in font sizes."""
_MOST_KEPT = 4096
_STAND_INS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "Ae"}
)
_STAND_INS |= str.maketrans({"\u2026": "...", "·": "-", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'})


class Letters:
    """Renders lines of text and keeps what it rendered.

    OpenCV 5 brings a typeface for most scripts; OpenCV 4 draws plain strokes for ASCII, so other letters get stand-ins.
    """

    def __init__(self) -> None:
        self._face: Any = cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None
        self._kept: dict[tuple[str, float, int], NDArray[np.uint8]] = {}

    def mask(self, text: str, size: float, weight: int = REGULAR) -> NDArray[np.uint8]:
        """One line as (h, w) uint8 coverage. size: of the font in pixels; h depends on it alone."""
        key = (text, size, weight)
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = self._draw(text, size, weight)
        return self._kept[key]

    def fitting(self, text: str, size: float, weight: int, width: float) -> NDArray[np.uint8]:
        """The mask of `text`, cut short with an ellipsis where it is wider than `width` pixels."""
        mask = self.mask(text, size, weight)
        kept = text
        while mask.shape[1] > width and kept:
            kept = kept[: min(len(kept) - 1, int(len(kept) * width / mask.shape[1]) + 1)]
            mask = self.mask(kept.rstrip() + "\u2026", size, weight)
        return mask[:, : max(1, int(width))]

    def _draw(self, text: str, size: float, weight: int) -> NDArray[np.uint8]:
        large = size * _FINER
        height, baseline = max(1, round(_LINE * size)), round(_ASCENT * large)
        if self._face is not None:
            pixels = max(1, round(large))
            x, _, across, _ = cv2.getTextSize((0, 0), text, (0, 0), self._face, pixels, weight)
            canvas = np.zeros((height * _FINER, _padded(x + across)), np.uint8)
            cv2.putText(canvas, text, (0, baseline), (255,), self._face, pixels, weight)
        else:
            text, scale = ascii_only(text), large * 0.7 / 23  # capitals are 21 units high, and wide
            stroke = max(1, round(large * weight / 6000))
            (across, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
            canvas = np.zeros((height * _FINER, _padded(across + stroke)), np.uint8)
            cv2.putText(canvas, text, (0, baseline), cv2.FONT_HERSHEY_SIMPLEX, scale, (255,), stroke, cv2.LINE_AA)
        shape = (canvas.shape[1] // _FINER, height)
        return np.asarray(cv2.resize(canvas, shape, interpolation=cv2.INTER_AREA), np.uint8)


def _padded(width: int) -> int:
    return max(1, -(-width // _FINER)) * _FINER


def ascii_only(text: str) -> str:
    """`text` in the letters that OpenCV 4 can draw: accents go, what has no likeness becomes a question mark."""
    plain = unicodedata.normalize("NFKD", text.translate(_STAND_INS))
    return "".join(c if " " <= c <= "~" else "?" for c in plain if not unicodedata.combining(c))
