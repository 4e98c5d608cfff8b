"""Sprite sheets of drawn faces with votes, for training in seconds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from generators import portrait
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS

COLUMNS, ROWS = 10, 10
NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
VOTES = dict(zip(EXPRESSIONS, (f"votes_{name}" for name in NAMES), strict=True))
OTHERS = ("votes_contempt", "votes_unknown", "votes_nf")


def drawn() -> NDArray[np.uint8]:
    """(100, 48, 48) stripes whose angle is the expression, in turn; no two are alike."""
    random = np.random.default_rng(0)
    down, across = np.mgrid[0:CROP, 0:CROP]
    faces = []
    for number in range(ROWS * COLUMNS):
        angle = np.pi * (number % len(EXPRESSIONS)) / len(EXPRESSIONS)
        stripes = np.sin((across * np.cos(angle) + down * np.sin(angle)) / 3 + random.uniform(0, 2 * np.pi))
        clouds = cv2.resize(random.normal(0, 1, (6, 6)), (CROP, CROP), interpolation=cv2.INTER_CUBIC)
        faces.append(125 + 60 * stripes + 40 * clouds + random.normal(0, 4, (CROP, CROP)))
    return np.asarray(np.clip(faces, 0, 255), np.uint8)


def draw(folder: Path, faces: NDArray[np.uint8] | None = None) -> list[dict[str, Any]]:
    """Write a sheet of `faces`, by default as `drawn`, with votes; two thirds to train on. Gives the rows."""
    folder.mkdir()
    tiles = (drawn() if faces is None else faces).reshape(ROWS, COLUMNS, CROP, CROP)
    cv2.imwrite(str(folder / "sheet.png"), tiles.swapaxes(1, 2).reshape(ROWS * CROP, COLUMNS * CROP))
    rows: list[dict[str, Any]] = []
    for number in range(ROWS * COLUMNS):
        row, column = divmod(number, COLUMNS)
        votes = dict.fromkeys([*VOTES.values(), *OTHERS], 0)
        votes[VOTES[EXPRESSIONS[number % len(EXPRESSIONS)]]] = 8
        votes[VOTES["neutral"]] += 2
        place = {
            "split": "validation" if number % 3 == 0 else "train",
            "sheet": "sheet.png",
            "row": row,
            "column": column,
        }
        rows.append(place | votes)
    write(folder, rows)
    return rows


def smiles(folder: Path) -> Path:
    """Write a hundred times her smile; people call nearly all of them something else, and few of them happy."""
    folder.mkdir()
    faces = np.stack([portrait(k) for k in range(ROWS * COLUMNS)]).reshape(ROWS, COLUMNS, CROP, CROP)
    cv2.imwrite(str(folder / "sheet.png"), faces.swapaxes(1, 2).reshape(ROWS * CROP, COLUMNS * CROP))
    rows: list[dict[str, Any]] = []
    for number in range(ROWS * COLUMNS):
        row, column = divmod(number, COLUMNS)
        label = "happy" if number % 25 == 1 else [e for e in EXPRESSIONS if e != "happy"][number // 3 % 6]
        votes = dict.fromkeys([*VOTES.values(), *OTHERS], 0) | {VOTES[label]: 10}
        split = "validation" if number % 3 == 0 else "train"
        rows.append({"split": split, "sheet": "sheet.png", "row": row, "column": column} | votes)
    rows[0] |= dict.fromkeys(VOTES.values(), 0) | {VOTES["happy"]: 10}
    write(folder, rows)
    return folder


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
