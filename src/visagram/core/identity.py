"""Tracks of one person become one person, across cuts and absences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import TrackSummary

SHARED_FRAMES = 3
"""Two tracks seen side by side in more frames than this are two people; a few shared frames can be a double
detection."""
BLOCK = 8
"""Groups of a block: what a merge touches is looked through again in whole blocks."""
LINE = 8
"""Numbers of a cache line."""


def group_people(tracks: Sequence[TrackSummary], together: NDArray[np.integer], threshold: float) -> list[list[int]]:
    """Partition positions in `tracks` into people by average-linkage clustering of their embeddings.

    together: (n, n) frames in which both tracks were visible; such pairs never join. threshold: least mean cosine at
    which two groups are one person (from the embedding's card). Tracks without an embedding stay alone. Groups come in
    order of first appearance, so the result does not depend on the order of work.

    Time grows with n² log n, memory with one (n, n) matrix of float64.
    """
    groups: list[list[int]] = [[k] for k in range(len(tracks))]
    if len(tracks) > 1:
        likeness = _Likeness(_cosines(tracks), together > SHARED_FRAMES)
        while True:
            a, b, mean = likeness.nearest()
            if mean < threshold:
                break
            groups[a] += groups[b]
            groups[b] = []
            likeness.merge(a, b)
    groups = [group for group in groups if group]
    for group in groups:
        group.sort()
    return sorted(groups, key=lambda group: min((tracks[k].first_frame, tracks[k].track) for k in group))


class _Likeness:
    """The mean cosine between any two groups, through merges, and which two are most alike.

    Each group holds a tournament among all others: who is nearest in each block of `BLOCK`, then in each two blocks,
    and so on. A merge changes two blocks of everybody's and the merged group's own, which costs O(n (BLOCK + log n)).
    """

    def __init__(self, cosines: NDArray[np.float64], forbidden: NDArray[np.bool_]) -> None:
        """cosines: (n, n), symmetric; it is written over. forbidden: (n, n) who never joins."""
        count = len(cosines)
        # Sums of cosines over the pairs of two groups. Minus infinity stays what it is, whatever is added: who is
        # forbidden to one is forbidden to all who join him.
        self._sums = cosines
        np.copyto(cosines, -np.inf, where=forbidden)
        np.fill_diagonal(cosines, -np.inf)
        self._sizes = np.ones(count)
        self._gone = np.zeros(count, bool)
        self._starts = np.arange(0, count, BLOCK)
        # Rounds (m, n): column i is the tournament of group i, the last round its winner.
        self._rounds = [np.stack([self._best(block) for block in range(len(self._starts))])]
        while len(last := self._rounds[-1]) > 1:
            if len(last) % 2:
                last = self._rounds[-1] = np.concatenate([last, np.full((1, count), -np.inf)])
            self._rounds.append(np.maximum(last[::2], last[1::2]))

    def nearest(self) -> tuple[int, int, float]:
        """The two groups that are most alike and their mean cosine, minus infinity where none may join; of several the
        lowest, the lower one first."""
        a = int(self._rounds[-1][0].argmax())
        means = self._means(a)
        b = int(means.argmax())
        return a, b, float(means[b])

    def merge(self, a: int, b: int) -> None:
        """Group b joins group a."""
        sums, first, final = self._sums, self._rounds[0], self._rounds[-1][0]
        self._gone[b] = True
        self._sizes[a] += self._sizes[b]
        sums[a] += sums[b]
        np.copyto(sums[a], -np.inf, where=self._gone)
        sums[:, a] = sums[a]
        sums[b] = -np.inf
        own = np.maximum.reduceat(self._means(a), self._starts)
        first[: len(own), a] = own
        for lower, upper in pairwise(self._rounds):
            upper[: len(lower) // 2, a] = np.maximum(lower[::2, a], lower[1::2, a])
        for place in {a // BLOCK, b // BLOCK}:
            first[place] = self._best(place)
            for lower, upper in pairwise(self._rounds):
                pair, place = place - place % 2, place // 2
                np.maximum(lower[pair], lower[pair + 1], out=upper[place])
        # Whoever is gone is in no row any more, but the tournaments of the gone go on.
        np.copyto(final, -np.inf, where=self._gone)

    def _means(self, group: int) -> NDArray[np.float64]:
        """(n,) between a group and each."""
        means: NDArray[np.float64] = self._sums[group] / (self._sizes[group] * self._sizes)
        np.copyto(means, -np.inf, where=self._gone)
        return means

    def _best(self, block: int) -> NDArray[np.float64]:
        """(n,) the greatest mean between anybody of a block and each."""
        some = slice(block * BLOCK, (block + 1) * BLOCK)
        return np.asarray((self._sums[some] / (self._sizes[some, None] * self._sizes)).max(axis=0))


def _cosines(tracks: Sequence[TrackSummary]) -> NDArray[np.float64]:
    """(n, n) cosines; -1 where a track has no embedding."""
    # An odd number of cache lines a row: a column of rows that lie a power of two apart has no room in the cache.
    width = (len(tracks) // LINE + 1 | 1) * LINE
    cosines = np.full((len(tracks), width), -1.0)[:, : len(tracks)]
    known = np.array([k for k, track in enumerate(tracks) if track.embedding is not None], np.intp)
    if len(known):
        vectors = np.stack([tracks[k].embedding for k in known]).astype(np.float64)
        np.matmul(vectors, vectors.T, out=cosines[: len(known), : len(known)])
        # Into their places, the last first, so that none is written over before it moved.
        for row, place in reversed(list(enumerate(known.tolist()))):
            moved = cosines[row, : len(known)].copy()
            cosines[row] = -1.0
            cosines[place, known] = moved
    return cosines
