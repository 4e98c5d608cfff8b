"""Pictures that two sets share: candidates by a perceptual hash, confirmed by how alike they are.

Faces that were cropped alike share their coarse structure, so a hash alone takes strangers for copies. On the training
and validation faces of FER+ pairs within the distance and the likeness below were the same photograph, many cropped,
exposed or watermarked otherwise; below a likeness of 0.9 most were different people in the same pose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP

BITS = 64
WAVES = 11
"""Frequencies per axis among which the lowest 64 pairs are chosen."""
DISTANCE = 10
"""Bits in which the hashes of copies may differ."""
LIKENESS = 0.93
"""Least correlation of copies at half their resolution."""
SKETCH, WORDS = 384, 6
"""Bits of a sketch, and 64-bit words."""
SKETCH_DISTANCE = 56
"""Bits in which the sketches of nearly all copies differ at most: of those with the least likeness 46 on average, with
a standard deviation of 6."""
ROWS, COLUMNS = 64, 8192
"""Pairs of hashes compared at a time, so that they stay in the cache."""
CHUNK = 1024


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that show the same, by their places in their sets. likeness: correlation, at most 1. mirrored: one
    is the other's mirror image."""

    first: int
    second: int
    distance: int
    likeness: float
    mirrored: bool


class Prints:
    """What is kept of the pictures of a set (n) to find copies. `add` them in any order, each at its place."""

    def __init__(self, pictures: int) -> None:
        self.hashes = np.zeros(pictures, np.uint64)
        self.mirrors = np.zeros(pictures, np.uint64)
        self.vectors = np.zeros((pictures, (CROP // 2) ** 2), np.float32)
        self.known = np.zeros(pictures, bool)

    @classmethod
    def of(cls, luma: NDArray[np.uint8]) -> Prints:
        """Of (n, 48, 48)."""
        found = cls(len(luma))
        for start in range(0, len(luma), CHUNK):
            part = luma[start : start + CHUNK]
            found.add(np.arange(start, start + len(part)), part)
        return found

    def __len__(self) -> int:
        return len(self.known)

    def select(self, which: Sequence[int]) -> Prints:
        """Those of some pictures."""
        found = Prints(0)
        for name in ("hashes", "mirrors", "vectors", "known"):
            setattr(found, name, getattr(self, name)[np.array(which, np.intp)])
        return found

    def joined(self, more: Prints) -> Prints:
        """Those of this set and then of another."""
        found = Prints(0)
        for name in ("hashes", "mirrors", "vectors", "known"):
            setattr(found, name, np.concatenate([getattr(self, name), getattr(more, name)]))
        return found

    def add(self, index: NDArray[np.intp], luma: NDArray[np.uint8]) -> None:
        """luma: (m, 48, 48)."""
        spectrum = _spectrum(luma)
        self.hashes[index] = _packed(spectrum > 0)
        self.mirrors[index] = _packed(spectrum * _MIRROR > 0)
        self.vectors[index] = _vectors(luma)
        # A picture of one grey resembles all others of one grey.
        self.known[index] = luma.std(axis=(1, 2)) > 1


def copies(first: Prints, second: Prints, distance: int = DISTANCE, likeness: float = LIKENESS) -> list[Pair]:
    """Pairs of a picture of `first` and one of `second` that show the same, each pair once, in order of their places.

    Given the same set twice, pairs of two different pictures of it.
    """
    same = first is second
    found: dict[tuple[int, int], Pair] = {}
    for mirrored in (False, True):
        hashes = second.mirrors if mirrored else second.hashes
        for rows, columns, bits in _near(first.hashes, hashes, distance):
            kept = first.known[rows] & second.known[columns] & ((rows < columns) if same else True)
            rows, columns, bits = rows[kept], columns[kept], bits[kept]
            for start in range(0, len(rows), CHUNK):
                part = slice(start, start + CHUNK)
                alike = _likeness(first.vectors[rows[part]], second.vectors[columns[part]], mirrored)
                for k in np.flatnonzero(alike >= likeness):
                    place = int(rows[part][k]), int(columns[part][k])
                    pair = Pair(*place, int(bits[part][k]), float(alike[k]), mirrored)
                    # A symmetric picture is its own mirror image.
                    found.setdefault(place, pair)
    return [found[place] for place in sorted(found)]


def sketches(pictures: Prints) -> NDArray[np.uint64]:
    """(n, 6) on which side of 384 random planes each picture lies: the angle between two pictures, whose cosine is
    their likeness, is the share of bits in which they differ times pi (Charikar 2002, doi 10.1145/509907.509965). No
    picture can be drawn again from it."""
    return _sketched(pictures.vectors)


def apart(pictures: Prints, known: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n,) in how many bits the sketch of each picture, or of its mirror image, differs from the nearest of `known`;
    384 where there are none."""
    side = CROP // 2
    mirrored = pictures.vectors.reshape(-1, side, side)[:, :, ::-1].reshape(-1, side * side)
    found = np.full(len(pictures), SKETCH, np.int64)
    for own in (_sketched(pictures.vectors), _sketched(mirrored)):
        for column in range(0, len(known), COLUMNS):
            part = known[column : column + COLUMNS]
            bits = sum(
                np.bitwise_count(own[:, word, None] ^ part[None, :, word]).astype(np.int64) for word in range(WORDS)
            )
            found = np.minimum(found, np.asarray(bits).min(axis=1))
    return found


def likenesses(first: Prints, second: Prints) -> NDArray[np.float32]:
    """(n, m) correlation of each picture with each, or with its mirror image where that is more alike."""
    side = CROP // 2
    mirrored = second.vectors.reshape(-1, side, side)[:, :, ::-1].reshape(-1, side * side)
    return np.asarray(np.maximum(first.vectors @ second.vectors.T, first.vectors @ mirrored.T))


def nearest(pictures: Prints, others: Prints) -> NDArray[np.float32]:
    """(n,) each picture's greatest likeness to one of the others; -1 where there is none."""
    found = np.full(len(pictures), -1, np.float32)
    if len(others):
        for start in range(0, len(pictures), ROWS):
            part = pictures.select(range(start, min(start + ROWS, len(pictures))))
            found[start : start + len(part)] = likenesses(part, others).max(axis=1)
    return found


def held_too(pictures: Prints, other: Prints) -> NDArray[np.bool_]:
    """(n,) which pictures `other` holds too."""
    found = np.zeros(len(pictures), bool)
    found[[pair.second for pair in copies(other, pictures)]] = True
    return found


def clusters(pictures: Prints) -> NDArray[np.int64]:
    """(n,) which pictures show the same, or are connected by others that do: numbers from 0, in order of the first
    picture of each."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs, n = copies(pictures, pictures), len(pictures)
    places = ([pair.first for pair in pairs], [pair.second for pair in pairs])
    _, found = connected_components(coo_array((np.ones(len(pairs), bool), places), (n, n)), directed=False)
    _, first, number = np.unique(found, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[number], np.int64)


def _near(
    first: NDArray[np.uint64], second: NDArray[np.uint64], distance: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]]:
    """Places in both and distance of all hashes that differ in at most `distance` bits."""
    for row in range(0, len(first), ROWS):
        for column in range(0, len(second), COLUMNS):
            bits = np.bitwise_count(first[row : row + ROWS, None] ^ second[None, column : column + COLUMNS])
            rows, columns = np.nonzero(bits <= distance)
            if len(rows):
                yield rows + row, columns + column, bits[rows, columns]


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32], mirrored: bool) -> NDArray[np.float32]:
    if mirrored:
        side = CROP // 2
        other = other.reshape(-1, side, side)[:, :, ::-1].reshape(-1, side * side)
    return np.asarray(np.einsum("ij,ij->i", one, other))


def _sketched(vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
    planes = np.random.default_rng(0).standard_normal((vectors.shape[1], SKETCH)).astype(np.float32)
    return np.ascontiguousarray(np.packbits(vectors @ planes > 0, axis=1)).view(np.uint64)


def _lowest() -> NDArray[np.intp]:
    """(64, 2) the lowest frequencies down and across, without the mean."""
    pairs = [(u, v) for u in range(WAVES) for v in range(WAVES) if u or v]
    return np.array(sorted(pairs, key=lambda pair: (pair[0] ** 2 + pair[1] ** 2, pair))[:BITS])


_CHOSEN = _lowest()
_MIRROR = np.where(_CHOSEN[:, 1] % 2, -1.0, 1.0).astype(np.float32)
"""What mirroring does to each coefficient."""
_COSINES = np.cos(np.pi * (np.arange(CROP)[:, None] + 0.5) * np.arange(WAVES) / CROP).astype(np.float32)


def _spectrum(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 64) the chosen coefficients of the discrete cosine transform of (n, 48, 48)."""
    across = luma.astype(np.float32) @ _COSINES
    both = np.ascontiguousarray(across.swapaxes(1, 2)) @ _COSINES
    return np.asarray(both[:, _CHOSEN[:, 1], _CHOSEN[:, 0]])


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint64)[:, 0]


def _vectors(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 576) pictures at half their resolution, without mean, of unit length: their dot product is a correlation."""
    side = CROP // 2
    small = luma.reshape(len(luma), side, 2, side, 2).mean(axis=(2, 4), dtype=np.float32)
    flat = small.reshape(len(luma), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))
