"""Faces with votes: the FER+ sprite sheets, their soft labels, and how they are divided for training and judging."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.evaluate import tables
from visagram.evaluate.data import SHEETS, TRAIN, Labelled, Votes
from visagram.evaluate.duplicates import Prints, clusters
from visagram.evaluate.faces import Batch, read_faces
from visagram.settings import Settings
from visagram.workers import Workers

VALIDATION = "validation"
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Faces48:
    """Faces and the votes they got. luma: (n, 48, 48) uint8. votes: of as many faces."""

    luma: NDArray[np.uint8]
    votes: Votes

    def __len__(self) -> int:
        return len(self.luma)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Faces48:
        return Faces48(self.luma[keep], self.votes[keep])

    def joined(self, more: Faces48) -> Faces48:
        return Faces48(np.concatenate([self.luma, more.luma]), self.votes.joined(more.votes))

    def digest(self) -> str:
        """SHA-256 of faces and votes, by which a checkpoint knows its data."""
        hasher = hashlib.sha256(np.ascontiguousarray(self.luma).tobytes())
        for votes in (self.votes.seven, self.votes.others):
            hasher.update(votes.astype(np.float32).tobytes())
        if (self.votes.first >= 0).any():
            hasher.update(self.votes.first.astype(np.int8).tobytes())
        return hasher.hexdigest()

    def targets(self, first: float = 0.0) -> NDArray[np.float32]:
        """(n, 7) soft labels that sum to 1; a lone vote beside a clear opinion counts as a slip (Barsoum et al.
        2016). first: as many votes more for the label that a face had before, where anybody agrees with it."""
        every = self.votes.seven
        votes = np.where(every > 1, every, 0)
        votes = np.where(votes.sum(axis=1, keepdims=True) > 0, votes, every)
        agreed = np.flatnonzero((self.votes.first >= 0) & (every[np.arange(len(every)), self.votes.first] > 0))
        votes[agreed, self.votes.first[agreed]] += first
        return np.asarray(votes / votes.sum(axis=1, keepdims=True), np.float32)


def read_sheets(folder: Path, *splits: str) -> tuple[Faces48, ...]:
    """The faces of each split of the sprite sheets. Raises `DataError` naming what is missing or does not fit."""
    if not (folder / SHEETS).is_file():
        raise DataError(f"{folder} holds no {SHEETS}: give the folder with the FER+ sprite sheets.")
    labelled = [tables.read_sheets(folder, split, None, ()) for split in splits]
    with Workers(Settings.load()) as workers:
        return tuple(_decoded(each, workers) for each in labelled)


def _decoded(data: Labelled, workers: Workers) -> Faces48:
    luma = np.empty((len(data), CROP, CROP), np.uint8)

    def take(batch: Batch) -> None:
        luma[batch.index] = batch.luma

    read_faces(data, workers, take, cropped=True, progress=lambda *_: None)
    assert data.votes is not None
    return Faces48(luma, data.votes)


def divide(data: Path, fold: int | None) -> tuple[Faces48, Faces48]:
    """Faces to train on and faces to judge on, from the sheets in `data`.

    fold: None takes the split `train` and the split `validation`; 0..4 judges on that fifth of both together, in which
    each expression has its fifth. A face that also lies among those to judge on is not trained on. Raises `DataError`.
    """
    train, held_out = read_sheets(data, TRAIN, VALIDATION)
    if fold is not None:
        everyone = train.joined(held_out)
        mine = folds(everyone) == fold
        train, held_out = everyone.select(~mine), everyone.select(mine)
    train = train.select(train.votes.informative)
    train = train.select(~np.isin(identities(train), identities(held_out)))
    if not len(train) or not held_out.votes.majority.any():
        raise DataError(f"{data} holds no faces with clear votes both to train on and to judge on.")
    absent = np.flatnonzero(np.bincount(train.votes.labels, minlength=len(EXPRESSIONS)) == 0)
    if len(absent):
        names = ", ".join(EXPRESSIONS[k] for k in absent)
        raise DataError(f"{data} holds no face of {names} to train on: a model must know all seven expressions.")
    return train, held_out


def folds(faces: Faces48) -> NDArray[np.int64]:
    """(n,) 0..4: near-copies share a fold, so that no face is judged by a network that knows its copy, and each
    expression is spread evenly as far as they allow, in its faces with a majority, which are those that a figure
    counts, and in its others. The same for the same faces in any order."""
    _, first, place = np.unique(identities(faces), return_index=True, return_inverse=True)
    cluster = clusters(Prints.of(faces.luma[first]))[place]
    members = np.zeros((cluster.max(initial=-1) + 1, 2 * len(EXPRESSIONS)))
    np.add.at(members, (cluster, 2 * faces.votes.labels + faces.votes.majority), 1)
    return _spread(members, FOLDS)[cluster]


def _spread(members: NDArray[np.float64], parts: int) -> NDArray[np.int64]:
    """(m,) 0..parts-1 for clusters with (m, k) members of each kind: the largest first, each to the part that holds
    the least of what it brings, as a share of all that there is of it."""
    shares = members / np.maximum(members.sum(axis=0), 1)
    held = np.zeros((parts, members.shape[1]))
    found = np.empty(len(members), np.int64)
    for one in np.argsort(-members.sum(axis=1), kind="stable"):
        found[one] = np.argmin(held @ shares[one])
        held[found[one]] += members[one]
    return found


def identities(faces: Faces48) -> NDArray[np.str_]:
    """(n,) a hash of each face's pixels."""
    return np.array([hashlib.blake2b(face.tobytes(), digest_size=12).hexdigest() for face in faces.luma], "U24")
