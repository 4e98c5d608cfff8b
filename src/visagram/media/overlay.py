"""Boxes, names and expression bars, drawn straight onto the planes of a YUV 4:2:0 picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS, Observations, Reason
from visagram.export.words import printable, reason_words, storable
from visagram.media.layout import Rect, Seating, row_height
from visagram.media.letters import BOLD, REGULAR, Letters
from visagram.plots import PALETTE

CAPTION = "apparent expression"
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
Colour = tuple[int, int, int]
"""Blue, green, red."""
NO_TEXT = 4
"""Pixels. In a picture so small that a row of text would be lower there are boxes only."""
_DARK, _WHITE, _SOFT, _GREY = (28, 22, 17), (255, 255, 255), (214, 207, 200), (190, 184, 178)
_BACKDROP, _TROUGH = 0.76, 0.12
_GAIN = {16: 0.58, 18: 0.75}
"""White on the screen by transfer characteristic (PQ, HLG): their full scale is a highlight's, not paper's."""
_LUMA = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Weights of red and blue by AVColorSpace; all others are BT.601's."""


def mixing(matrix: int, full_range: bool, transfer: int) -> NDArray[np.float32]:
    """(3, 4) from premultiplied B, G, R and alpha, all 0..255, to Y, Cb, Cr.

    matrix, transfer: AVColorSpace and AVColorTransferCharacteristic of the video.
    """
    red, blue = _LUMA.get(matrix, (0.299, 0.114))
    luma = np.array([blue, 1 - red - blue, red])
    rows = np.stack([luma, (np.eye(3)[0] - luma) / (2 - 2 * blue), (np.eye(3)[2] - luma) / (2 - 2 * red)])
    rows *= _GAIN.get(transfer, 1.0)
    floor = np.array([0, 128, 128])
    if not full_range:
        rows *= np.array([219, 224, 224])[:, None] / 255
        floor = np.array([16, 128, 128])
    return np.concatenate([rows, floor[:, None] / 255], axis=1).astype(np.float32)


class Overlay:
    """Draws the faces of one frame after the other.

    width, height: of the picture in pixels; its planes may be larger by a pixel. names: by person.
    """

    def __init__(self, width: int, height: int, names: dict[int, str], mix: NDArray[np.float32]) -> None:
        self._size = (width, height)
        self._mix = mix
        self._names = {person: printable(storable(name)) for person, name in names.items()}
        self._row = row_height(width, height)
        self._line = max(1, round(self._row / 8))
        self._seating = Seating(width, height, self._row)
        self._letters = Letters()
        self._bases: dict[tuple[str, int], NDArray[np.uint8]] = {}
        self._caption = self._captioned()

    def draw(self, planes: Planes, faces: Observations) -> None:
        """Draw the rows of one frame onto Y (h, w), Cb and Cr (h / 2, w / 2), where h and w are even."""
        if self._caption is not None:
            margin = max(2, round(self._row * 0.4))
            self._blend(planes, self._caption, margin, self._size[1] - self._caption.shape[0] - margin)
        usable = np.flatnonzero(faces.usable).tolist()
        for k in range(len(faces)):
            best = int(faces.emotion[k])
            self._frame(planes, faces.box[k], None if best < 0 else _colour(EXPRESSIONS[best]))
        if self._row < NO_TEXT:
            return
        for k in np.flatnonzero(~faces.usable).tolist():
            self._tag(planes, faces.box[k], self._name(faces, k), Reason(int(faces.reason[k])))
        spots = self._seating.place(faces.box, usable, faces.track[usable].tolist())
        drawn = self._small_panel if self._seating.small else self._panel
        for k, spot in zip(usable, spots, strict=True):
            self._blend(planes, drawn(self._name(faces, k), faces.posterior[k], spot), spot.x, spot.y)

    def _name(self, faces: Observations, k: int) -> str:
        person = int(faces.person[k])
        return self._names.get(person) or (f"Person {person}" if person > 0 else "Face")

    def _panel(self, name: str, posterior: NDArray[np.float32], spot: Rect) -> NDArray[np.uint8]:
        """Name and seven bars, the highest standing out by weight and order kept, as premultiplied BGRA."""
        row, letters, edge = self._row, self._letters, self._row * 0.55
        canvas = self._base(name, spot, edge, row * 0.35)
        best = int(np.argmax(posterior))
        start, length, thick = edge + row * 3.55, round(row * 4.3), max(2, round(row * 0.46))
        bar = _rounded(length, thick, thick / 2)
        for k, (expression, share) in enumerate(zip(EXPRESSIONS, posterior.tolist(), strict=True)):
            top = row * (1.72 + k)
            weight, ink = (BOLD, _WHITE) if k == best else (REGULAR, _SOFT)
            label = letters.mask(expression, round(row * 0.76), weight)
            text = top + (row - label.shape[0]) / 2
            _paste(canvas, label, edge, text, ink)
            number = letters.mask(f"{share * 100:.0f} %", round(row * 0.72), weight)
            _paste(canvas, number, spot.width - edge - number.shape[1], text, ink)
            level = top + (row - thick) / 2
            _paste(canvas, bar, start, level, _WHITE, _TROUGH)
            _paste(canvas, _filled(bar, share), start, level, _colour(expression))
        return canvas

    def _small_panel(self, name: str, posterior: NDArray[np.float32], spot: Rect) -> NDArray[np.uint8]:
        """Name, one bar divided among the seven, and the highest in words, as premultiplied BGRA."""
        row, edge = self._row, self._row * 0.4
        canvas = self._base(name, spot, edge, row * 0.1)
        length, thick = round(spot.width - 2 * edge), max(2, round(row * 0.36))
        bar = _rounded(length, thick, thick / 2)
        for k in range(len(EXPRESSIONS) - 1, -1, -1):
            _paste(canvas, _filled(bar, float(posterior[: k + 1].sum())), edge, row * 1.38, _colour(EXPRESSIONS[k]))
        best = int(np.argmax(posterior))
        words = f"{EXPRESSIONS[best]} {posterior[best] * 100:.0f} %"
        label = self._letters.fitting(words, round(row * 0.76), REGULAR, length)
        _paste(canvas, label, edge, row * 1.95, _WHITE)
        return canvas

    def _base(self, name: str, spot: Rect, edge: float, top: float) -> NDArray[np.uint8]:
        """A panel with nothing but the name; a fresh copy."""
        key = (name, spot.width)
        if key not in self._bases:
            base = np.zeros((spot.height, spot.width, 4), np.uint8)
            _paste(base, _rounded(spot.width, spot.height, self._row * 0.45), 0, 0, _DARK, _BACKDROP)
            title = self._letters.fitting(name, round(self._row * 0.88), BOLD, spot.width - 2 * edge)
            _paste(base, title, edge, top, _WHITE)
            self._bases[key] = base
        return self._bases[key].copy()

    def _frame(self, planes: Planes, box: NDArray[np.float32], colour: Colour | None) -> None:
        """The outline of a face; without a colour thin, grey and dashed."""
        line = self._line if colour else max(1, self._line - 1)
        reach = line + 2
        x, y, w, h = (float(v) for v in box)
        left, top = int(np.floor(x)) - reach, int(np.floor(y)) - reach
        width, height = int(np.ceil(w)) + 2 * reach + 1, int(np.ceil(h)) + 2 * reach + 1
        # What lies outside the picture need not be drawn; a box may be far larger than it.
        x0, y0 = max(left, -reach), max(top, -reach)
        x1, y1 = min(left + width, self._size[0] + reach), min(top + height, self._size[1] + reach)
        if x1 <= x0 or y1 <= y0:
            return
        corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]) - (x0, y0)
        shade, ink = (np.zeros((y1 - y0, x1 - x0), np.uint8) for _ in range(2))
        strokes = [corners[[k, (k + 1) % 4]] for k in range(4)]
        if colour is None:
            strokes = [dash for stroke in strokes for dash in _dashes(stroke, self._row * 0.6)]
        for start, end in strokes:
            a, b = (np.round(np.clip(p, -4096, 32000) * 16).astype(int).tolist() for p in (start, end))
            cv2.line(shade, a, b, (255,), line + 2, cv2.LINE_AA, 4)
            cv2.line(ink, a, b, (255,), line, cv2.LINE_AA, 4)
        deep = 2 * reach + 2
        rows, columns = ink.shape
        sides = [slice(0, deep), slice(max(deep, rows - deep), rows)]
        middle = slice(deep, max(deep, rows - deep))
        pieces = [(side, slice(0, columns)) for side in sides]
        pieces += [(middle, slice(0, deep)), (middle, slice(max(deep, columns - deep), columns))]
        for down, across in pieces:
            piece = np.zeros((*ink[down, across].shape, 4), np.uint8)
            if piece.size:
                _paste(piece, shade[down, across], 0, 0, _DARK, 0.5)
                _paste(piece, ink[down, across], 0, 0, colour or _GREY)
                self._blend(planes, piece, x0 + (across.start or 0), y0 + (down.start or 0))

    def _tag(self, planes: Planes, box: NDArray[np.float32], name: str, reason: Reason) -> None:
        """Who it is and why nothing was measured, above the face."""
        row, (width, height) = self._row, self._size
        size = round(row * 0.76)
        why = self._letters.fitting(reason_words(reason.label), size, REGULAR, width - 1.2 * row)
        who = self._letters.fitting(name, size, BOLD, min(row * 8, width - why.shape[1] - row * 1.6))
        across = round(who.shape[1] + why.shape[1] + row * 1.3)
        across, down = min(across, width), min(round(row * 1.3), height)
        canvas = np.zeros((down, across, 4), np.uint8)
        _paste(canvas, _rounded(across, down, row * 0.3), 0, 0, _DARK, _BACKDROP)
        text = (down - who.shape[0]) / 2
        _paste(canvas, who, row * 0.45, text, _SOFT)
        _paste(canvas, why, row * 0.85 + who.shape[1], text, _GREY)
        x, y = float(box[0]), float(box[1]) - down - row * 0.3
        self._blend(planes, canvas, round(min(max(x, 0), width - across)), round(min(max(y, 0), height - down)))

    def _captioned(self) -> NDArray[np.uint8] | None:
        """What the bars are, for the corner of the picture; None where there is no room for it."""
        text = self._letters.mask(CAPTION, max(1, round(self._row * 0.7)), REGULAR)
        if self._row < NO_TEXT or text.shape[1] > self._size[0] * 0.6 or text.shape[0] > self._size[1] * 0.2:
            return None
        around = max(2, round(self._row * 0.2))
        text = np.pad(text, around)
        canvas = np.zeros((*text.shape, 4), np.uint8)
        _paste(canvas, np.asarray(cv2.GaussianBlur(text, (0, 0), around / 2), np.uint8), 0, 0, _DARK, 0.9)
        _paste(canvas, text, 0, 0, _WHITE, 0.72)
        return canvas

    def _blend(self, planes: Planes, canvas: NDArray[np.uint8], x: int, y: int) -> None:
        """Lay a premultiplied BGRA `canvas` over the picture, its upper left corner at x, y."""
        luma, *chroma = planes
        height, width = luma.shape
        x0, y0 = max(x, 0) & ~1, max(y, 0) & ~1
        x1, y1 = min(x + canvas.shape[1] + 1, width) & ~1, min(y + canvas.shape[0] + 1, height) & ~1
        if x1 <= x0 or y1 <= y0:
            return
        # Whole blocks of 2x2, which share their chroma.
        part = canvas[max(y0 - y, 0) : y1 - y, max(x0 - x, 0) : x1 - x]
        left, top = max(x - x0, 0), max(y - y0, 0)
        block = np.zeros((y1 - y0, x1 - x0, 4), np.uint8)
        block[top : top + part.shape[0], left : left + part.shape[1]] = part
        mixed, clear = np.asarray(cv2.transform(block, self._mix), np.uint8), 255 - block[..., 3]
        _over(luma[y0:y1, x0:x1], mixed[..., 0], clear)
        half = (block.shape[1] // 2, block.shape[0] // 2)
        small = np.asarray(cv2.resize(np.dstack([mixed[..., 1:], clear]), half, interpolation=cv2.INTER_AREA), np.uint8)
        for k, plane in enumerate(chroma):
            _over(plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2], small[..., k], small[..., 2])


def _over(plane: NDArray[np.uint8], ink: NDArray[np.uint8], clear: NDArray[np.uint8]) -> None:
    kept = cv2.multiply(np.ascontiguousarray(plane), np.ascontiguousarray(clear), scale=1 / 255)
    plane[:] = cv2.add(kept, np.ascontiguousarray(ink))


def _paste(
    canvas: NDArray[np.uint8], mask: NDArray[np.uint8], x: float, y: float, colour: Colour, opacity: float = 1.0
) -> None:
    """Colour a premultiplied BGRA canvas through a mask; what lies outside is left away."""
    left, top = max(0, round(x)), max(0, round(y))
    part = canvas[top : top + mask.shape[0], left : left + mask.shape[1]]
    cover = mask[: part.shape[0], : part.shape[1], None] * np.float32(opacity / 255)
    part[:] = np.rint(part + (np.array([*colour, 255], np.float32) - part) * cover).astype(np.uint8)


def _rounded(width: int, height: int, radius: float) -> NDArray[np.uint8]:
    """(height, width) coverage of a rectangle with round corners, from the distance to it."""
    across = np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius)
    down = np.abs(np.arange(height) + 0.5 - height / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(across, 0)[None, :], np.maximum(down, 0)[:, None])
    return np.asarray(np.clip(radius + 0.5 - outside, 0, 1) * 255, np.uint8)


def _filled(bar: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The left `share` of a bar, to a fraction of a pixel."""
    cover = np.clip(share * bar.shape[1] - np.arange(bar.shape[1]), 0, 1)
    return np.asarray(bar * cover, np.uint8)


def _dashes(stroke: NDArray[np.float64], length: float) -> list[NDArray[np.float64]]:
    """A line cut into dashes of about `length`, with gaps as long."""
    total = float(np.hypot(*(stroke[1] - stroke[0])))
    number = max(1, min(2000, round(total / length / 2)))
    at = np.linspace(0, 1, 2 * number + 1)
    along = stroke[0] + at[:, None] * (stroke[1] - stroke[0])
    return [along[k : k + 2] for k in range(0, 2 * number, 2)]


def _colour(expression: str) -> Colour:
    value = int(PALETTE[expression].lstrip("#"), 16)
    return value & 255, value >> 8 & 255, value >> 16
