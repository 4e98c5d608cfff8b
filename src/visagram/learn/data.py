"""Faces with votes: the FER+ sprite sheets, their soft labels, and the augmentation that makes them look like video."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError

CELL = 48
"""Side of a face in the sprite sheets, pixels."""

VOTE_COLUMNS = {
    "angry": "votes_anger",
    "disgust": "votes_disgust",
    "fear": "votes_fear",
    "happy": "votes_happiness",
    "sad": "votes_sadness",
    "surprise": "votes_surprise",
    "neutral": "votes_neutral",
}
OTHER_COLUMNS = ("votes_contempt", "votes_unknown", "votes_nf")


@dataclass(frozen=True, slots=True)
class Faces48:
    """Faces and the votes they got.

    luma: (n, 48, 48) uint8. votes: (n, 7) float32 counts in the order of `EXPRESSIONS`. others: (n,) float32, votes for
    contempt, "unknown" and "not a face".
    """

    luma: NDArray[np.uint8]
    votes: NDArray[np.float32]
    others: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.luma)

    def select(self, keep: NDArray[np.bool_]) -> Faces48:
        return Faces48(self.luma[keep], self.votes[keep], self.others[keep])

    @property
    def majority(self) -> NDArray[np.bool_]:
        """(n,) whether one of the seven expressions has more than half of all ten columns' votes."""
        total = self.votes.sum(axis=1) + self.others
        return np.asarray(self.votes.max(axis=1) > total / 2)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) index of the expression with the most votes."""
        return np.asarray(self.votes.argmax(axis=1))

    def targets(self) -> NDArray[np.float32]:
        """(n, 7) soft labels that sum to 1; a lone vote beside a clear opinion counts as a slip (Barsoum et al.
        2016)."""
        votes = np.where(self.votes > 1, self.votes, 0)
        votes = np.where(votes.sum(axis=1, keepdims=True) > 0, votes, self.votes)
        return np.asarray(votes / votes.sum(axis=1, keepdims=True), np.float32)


def read_sheets(folder: Path, split: str) -> Faces48:
    """Read one split of the sprite sheets. Raises `DataError` naming what is missing or does not fit."""
    index = folder / "labels.csv"
    if not index.is_file():
        raise DataError(f"{folder} holds no labels.csv: give the folder with the FER+ sprite sheets.")
    wanted = [*VOTE_COLUMNS.values(), *OTHER_COLUMNS]
    try:
        with index.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = {"split", "sheet", "row", "column", *wanted} - set(reader.fieldnames or ())
            rows = [row for row in reader if row.get("split") == split]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{index} cannot be read as a table ({error}).") from error
    if missing:
        raise DataError(f"{index} lacks the columns {', '.join(sorted(missing))}.")
    if not rows:
        raise DataError(f"{index} has no rows of the split '{split}'.")
    sheets = {name: _read_sheet(folder, name) for name in sorted({row["sheet"] for row in rows})}
    luma = np.empty((len(rows), CELL, CELL), np.uint8)
    votes = np.empty((len(rows), len(EXPRESSIONS)), np.float32)
    others = np.empty(len(rows), np.float32)
    for number, row in enumerate(rows):
        luma[number] = _cell(sheets[row["sheet"]], row, index)
        votes[number] = [_count(row, VOTE_COLUMNS[name], index) for name in EXPRESSIONS]
        others[number] = sum(_count(row, name, index) for name in OTHER_COLUMNS)
    return Faces48(luma, votes, others)


def _read_sheet(folder: Path, name: str) -> NDArray[np.uint8]:
    if Path(name).name != name:
        raise DataError(f"labels.csv names the sheet '{name}', which is not a plain file name.")
    sheet = cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)
    if sheet is None:
        raise DataError(f"{folder / name} is missing or is not an image.")
    return np.asarray(sheet, np.uint8)


def _count(row: dict[str, str], name: str, index: Path) -> int:
    text = row[name] or ""
    if not text.isdecimal():
        raise DataError(f"{index} holds {text!r} in the column {name}, which is not a count.")
    return int(text)


def _cell(sheet: NDArray[np.uint8], row: dict[str, str], index: Path) -> NDArray[np.uint8]:
    top, left = (_count(row, name, index) * CELL for name in ("row", "column"))
    cell = sheet[top : top + CELL, left : left + CELL]
    if cell.shape != (CELL, CELL):
        raise DataError(f"{index}: row {row['row']}, column {row['column']} lies outside {row['sheet']}.")
    return cell


def trainable(faces: Faces48) -> Faces48:
    """Faces whose votes say something about the seven expressions: at least half of the votes went to them."""
    total = faces.votes.sum(axis=1)
    return faces.select((total > 0) & (total >= faces.others))


def augment(luma: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """(n, 1, 48, 48) float32 0..255 to the same, as video would have shown it.

    Framing differs between data sets and detectors by scale, shift and roll; video adds exposure, softness, noise and
    things before the face. strength: 0..1, of every range and chance. Every draw comes from `generator`, so a run can
    be repeated.
    """
    luma = _warp(luma, generator, strength)
    luma = _expose(luma, generator, strength)
    luma = _soften(luma, generator, strength)
    return _occlude(luma, generator, strength)


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def _warp(luma: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    n = len(luma)
    angle = strength * _uniform(n, -0.3, 0.3, generator)
    scale = torch.exp(strength * _uniform(n, -0.24, 0.24, generator))
    stretch = torch.exp(strength * _uniform(n, -0.08, 0.08, generator))
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = scale * stretch * torch.cos(angle) * mirror
    theta[:, 0, 1] = -scale * torch.sin(angle)
    theta[:, 1, 0] = scale * torch.sin(angle) * mirror
    theta[:, 1, 1] = scale / stretch * torch.cos(angle)
    theta[:, 0, 2] = strength * _uniform(n, -0.2, 0.2, generator)
    theta[:, 1, 2] = strength * _uniform(n, -0.2, 0.2, generator)
    grid = functional.affine_grid(theta, list(luma.shape), align_corners=False)
    padding = "border" if torch.rand(1, generator=generator).item() < 0.5 else "zeros"
    return functional.grid_sample(luma, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def _expose(luma: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    n = len(luma)
    gamma = torch.exp(strength * _uniform(n, -0.5, 0.5, generator)).view(-1, 1, 1, 1)
    gain = 1 + strength * (_uniform(n, 0.6, 1.3, generator) - 1).view(-1, 1, 1, 1)
    # Light from one side: a linear ramp of up to half the range across the face.
    slope = strength * _uniform(n * 2, -0.25, 0.25, generator).view(n, 2, 1, 1)
    axis = torch.linspace(-1, 1, CELL)
    ramp = 1 + slope[:, :1] * axis.view(1, 1, 1, CELL) + slope[:, 1:] * axis.view(1, 1, CELL, 1)
    return (255 * (luma / 255).clamp(0, 1).pow(gamma) * gain * ramp).clamp(0, 255)


def _soften(luma: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    n = len(luma)
    chance = torch.rand(n, generator=generator)
    small = functional.interpolate(luma, scale_factor=0.5, mode="bilinear", align_corners=False, antialias=True)
    soft = functional.interpolate(small, size=(CELL, CELL), mode="bilinear", align_corners=False)
    blurred, noisy = chance < 0.25 * strength, chance > 1 - 0.3 * strength
    share = torch.where(blurred, _uniform(n, 0.3, 1.0, generator), torch.zeros(n)).view(-1, 1, 1, 1)
    noise = torch.randn(luma.shape, generator=generator)
    sigma = torch.where(noisy, _uniform(n, 0, 10, generator), torch.zeros(n)).view(-1, 1, 1, 1)
    return (luma + share * (soft - luma) + sigma * noise).clamp(0, 255)


def _occlude(luma: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    n = len(luma)
    applies = torch.rand(n, generator=generator) < 0.4 * strength
    side = torch.randint(6, 20, (n, 2), generator=generator)
    centre = torch.randint(0, CELL, (n, 2), generator=generator)
    shade = _uniform(n, 0, 255, generator).view(-1, 1, 1)
    axis = torch.arange(CELL)
    rows = (axis.view(1, -1) - centre[:, :1]).abs() * 2 < side[:, :1]
    columns = (axis.view(1, -1) - centre[:, 1:]).abs() * 2 < side[:, 1:]
    mask = rows[:, :, None] & columns[:, None, :] & applies.view(-1, 1, 1)
    return torch.where(mask[:, None], shade[:, None], luma)
