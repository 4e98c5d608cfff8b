"""The faces of labelled pictures, as crops that an expression model takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP
from visagram.core.stages import Framing
from visagram.core.types import Progress
from visagram.errors import DataError
from visagram.evaluate.data import Labelled
from visagram.workers import Look, Seen, Workers

BATCH = 256
"""Faces handed on at a time: only so many are held in memory."""
NAMED = 5
"""Pictures that a message names one by one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some faces. index: (m,) of their pictures. luma: (m, 48, 48) uint8. boxes: for each framing that was asked for, m
    crops of any size, (h, w, 3) BGR or (h, w) luma."""

    index: NDArray[np.intp]
    luma: NDArray[np.uint8]
    boxes: tuple[tuple[NDArray[np.uint8], ...], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """found: (n,) bool, whether a picture has a face. several: pictures in which more than one was found, of which the
    largest counts. unreadable: index of a picture to why it cannot be read. cropped: how many were taken as faces."""

    found: NDArray[np.bool_]
    several: int
    unreadable: dict[int, str]
    cropped: int


def read_faces(
    data: Labelled,
    workers: Workers,
    take: Callable[[Batch], None],
    *,
    cropped: bool | None,
    progress: Progress,
    framings: Sequence[Framing] = (),
) -> Found:
    """Decode every picture in worker processes and hand its face to `take`. cropped: pictures are faces already; else
    the detector looks for one; None: those of at most `SMALL` pixels are. framings: further crops that are wanted.

    The faces of sheets are always taken as they are. Raises `DataError` for a sheet that does not hold what its index
    says.
    """
    if data.cells is not None:
        faces = _from_sheets(data, data.cells, workers, progress)
        for start in range(0, len(data), BATCH):
            part = faces[start : start + BATCH]
            take(Batch(np.arange(start, start + len(part)), part, tuple(tuple(part) for _ in framings)))
        return Found(np.ones(len(data), bool), 0, {}, len(data))
    found, several, small, unreadable = np.zeros(len(data), bool), 0, 0, dict[int, str]()
    waiting: list[tuple[int, Seen]] = []
    for index, seen in _looked(data, workers, cropped, framings, progress):
        if seen.error:
            unreadable[index] = seen.error
        if seen.luma is None:
            continue
        found[index] = True
        several += seen.faces > 1
        small += seen.cropped
        waiting.append((index, seen))
        if len(waiting) == BATCH:
            take(_batch(waiting, len(framings)))
            waiting = []
    if waiting:
        take(_batch(waiting, len(framings)))
    return Found(found, several, dict(sorted(unreadable.items())), small)


def refuse_unreadable(data: Labelled, faces: Found) -> None:
    """Raises `DataError` that counts and names the pictures that cannot be read."""
    if not faces.unreadable:
        return
    first = next(iter(faces.unreadable.values()))
    if len(faces.unreadable) == 1:
        raise DataError(f"{data.name}: one picture cannot be read. {first}")
    names = [data.where(index) for index in list(faces.unreadable)[:NAMED]]
    more = f" and {len(faces.unreadable) - NAMED} more" if len(faces.unreadable) > NAMED else ""
    raise DataError(
        f"{data.name}: {len(faces.unreadable)} pictures cannot be read: {', '.join(names)}{more}. The first: {first}"
    )


def _looked(
    data: Labelled, workers: Workers, cropped: bool | None, framings: Sequence[Framing], progress: Progress
) -> Iterator[tuple[int, Seen]]:
    look: Look = "by size" if cropped is None else "cropped" if cropped else "detect"
    looked = workers.pictures(data.root, data.pictures, look, framings)
    for done, (index, seen) in enumerate(looked, 1):
        if seen.luma is not None and seen.luma.shape != (CROP, CROP):
            seen = Seen(None, (), 0, f"{data.where(index)} gave no face of {CROP}x{CROP} pixels: it may be damaged.")
        yield index, seen
        progress("pictures", done, len(data))


def _batch(waiting: list[tuple[int, Seen]], framings: int) -> Batch:
    luma = np.stack([seen.luma for _, seen in waiting if seen.luma is not None])
    boxes = tuple(tuple(seen.crops[k] for _, seen in waiting) for k in range(framings))
    return Batch(np.array([index for index, _ in waiting]), luma, boxes)


def _from_sheets(data: Labelled, cells: NDArray[np.int64], workers: Workers, progress: Progress) -> NDArray[np.uint8]:
    names = sorted(set(data.pictures))
    faces = np.zeros((len(data), CROP, CROP), np.uint8)
    pictures = np.array(data.pictures)
    for done, (number, seen) in enumerate(workers.pictures(data.root, names, "whole"), 1):
        if seen.luma is None:
            raise DataError(f"{data.name}: {seen.error}")
        height, width = seen.luma.shape
        for index in np.flatnonzero(pictures == names[number]):
            row, column = (int(place) * CROP for place in cells[index])
            if row + CROP > height or column + CROP > width:
                raise DataError(f"{data.where(int(index))} lies outside the sheet of {width}x{height} pixels.")
            faces[index] = seen.luma[row : row + CROP, column : column + CROP]
        progress("pictures", done, len(names))
    return faces
