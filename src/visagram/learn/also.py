"""Real faces to learn from beside the sheets: pictures of any size with a label each, as somebody collected them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS, Progress
from visagram.errors import DataError
from visagram.evaluate import data as labelled
from visagram.evaluate.data import Votes
from visagram.evaluate.faces import Batch, read_faces, refuse_unreadable
from visagram.evaluate.marked import marked_pictures
from visagram.learn.data import Faces48
from visagram.learn.origin import Added
from visagram.settings import Settings
from visagram.workers import Workers

VOTES = 10.0
"""A label counts as if ten people had agreed: as many as voted on each face of the sheets."""


def read_also(path: Path, progress: Progress) -> Added:
    """The faces of a folder of class folders or a CSV table, cut out as an analysis does; pictures in which no face is
    found are left out. Raises `DataError`, also for pictures that are marked as generated, and `UsageError`."""
    data = labelled.read_training(path)
    luma = np.empty((len(data), CROP, CROP), np.uint8)

    def take(batch: Batch) -> None:
        luma[batch.index] = batch.luma

    if marked := marked_pictures(data):
        raise DataError(f"{path} holds {marked[0]}, which is marked as generated: here only real faces belong.")
    with Workers(Settings.load()) as workers:
        found = read_faces(data, workers, take, cropped=False, progress=progress)
    refuse_unreadable(data, found)
    if not found.found.any():
        raise DataError(f"{path} holds no picture in which a face is found.")
    votes = data.votes or Votes(VOTES * np.eye(len(EXPRESSIONS))[data.labels], np.zeros(len(data)))
    faces = Faces48(luma, votes).select(found.found)
    return Added.of(faces, {"name": data.name, "sha256": faces.digest()})
