"""Tracks of one person become one person, across cuts and absences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import TrackSummary

SHARED_FRAMES = 3
"""Two tracks seen side by side in more frames than this are two people; a few shared frames can be a double
detection."""


def group_people(tracks: Sequence[TrackSummary], together: NDArray[np.int64], threshold: float) -> list[list[int]]:
    """Partition positions in `tracks` into people by average-linkage clustering of their embeddings.

    together: (n, n) frames in which both tracks were visible; such pairs never join. threshold: least mean cosine at
    which two groups are one person (from the embedding's card). Tracks without an embedding stay alone. Groups come in
    order of first appearance, so the result does not depend on the order of work.
    """
    groups: list[list[int]] = [[k] for k in range(len(tracks))]
    # Sums of cosines between groups, updated on each merge; dead and forbidden pairs are masked.
    sums = _likeness(tracks)
    sizes = np.ones(len(tracks))
    forbidden = together > SHARED_FRAMES
    np.fill_diagonal(forbidden, True)
    while len(tracks) > 1:
        means = np.where(forbidden, -np.inf, sums / np.outer(sizes, sizes))
        a, b = (int(k) for k in np.unravel_index(int(means.argmax()), means.shape))
        if means[a, b] < threshold:
            break
        groups[a] += groups[b]
        groups[b] = []
        sums[a] += sums[b]
        sums[:, a] += sums[:, b]
        sizes[a] += sizes[b]
        forbidden[a] |= forbidden[b]
        forbidden[:, a] |= forbidden[:, b]
        forbidden[b] = forbidden[:, b] = True
    groups = [group for group in groups if group]
    for group in groups:
        group.sort()
    return sorted(groups, key=lambda group: min((tracks[k].first_frame, tracks[k].track) for k in group))


def _likeness(tracks: Sequence[TrackSummary]) -> NDArray[np.float64]:
    """(n, n) cosines; -1 where a track has no embedding."""
    cosines = np.full((len(tracks), len(tracks)), -1.0)
    known = [k for k, track in enumerate(tracks) if track.embedding is not None]
    if known:
        vectors = np.stack([tracks[k].embedding for k in known]).astype(np.float64)  # type: ignore[misc]
        cosines[np.ix_(known, known)] = vectors @ vectors.T
    return cosines
