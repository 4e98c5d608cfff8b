"""A dear classifier that is asked for few faces of a track, and a quick one for all of them.

The quick one sees every change; the dear one says what it is worth. What they differ by changes slowly, so it is
measured about once a second and in between interpolated, as logarithms of posteriors are: multiplied and normalised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.stages import EmotionClassifier

EVERY = 1.0
"""Seconds after which a track is asked about again."""
MOVED, SOONEST = 0.15, 0.15
"""Where the quick posterior lies this far (total variation) from that of the last time, after these seconds already."""
LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class _Asked:
    """The last time that a track was asked about. time: seconds. quick: (7,) posterior of the quick one. differs: (7,)
    logarithm of the dear one's posterior less that of the quick one's."""

    time: float
    quick: NDArray[np.float32]
    differs: NDArray[np.float32]


class Opinions:
    """Posteriors for the tracks of a stretch, a round at a time. What it says of a face depends on no other track, and
    on nothing but the rounds before."""

    def __init__(self) -> None:
        self._last: dict[int, _Asked] = {}

    def classify(
        self,
        quick: EmotionClassifier,
        dear: EmotionClassifier,
        tracks: NDArray[np.int32],
        times: NDArray[np.float64],
        crops: NDArray[np.uint8],
    ) -> NDArray[np.float32]:
        """(n,) tracks and times, rising in each track, and (n, 48, 48) crops to (n, 7) posteriors."""
        quickly = quick.classify(crops)
        posteriors = np.empty_like(quickly)
        rows_of = {int(track): np.flatnonzero(tracks == track) for track in np.unique(tracks)}
        asked = {track: self._due(track, times[rows], quickly[rows]) for track, rows in rows_of.items()}
        wanted = np.concatenate([np.empty(0, np.intp), *(rows_of[track][at] for track, at in asked.items())])
        answers = dict(zip(wanted.tolist(), _logs(dear.classify(crops[wanted])), strict=True)) if len(wanted) else {}
        for track, rows in rows_of.items():
            knots = [self._last[track]] if track in self._last else []
            knots += [
                _Asked(float(times[row]), quickly[row], answers[int(row)] - _logs(quickly[row]))
                for row in rows[asked[track]]
            ]
            self._last[track] = knots[-1]
            posteriors[rows] = _between(knots, times[rows], quickly[rows])
        return posteriors

    def _due(self, track: int, times: NDArray[np.float64], quick: NDArray[np.float32]) -> NDArray[np.intp]:
        """Which rows of a track are asked about."""
        due: list[int] = []
        last = self._last.get(track)
        before, then = (last.time, last.quick) if last else (-np.inf, quick[0])
        for row, time in enumerate(times):
            past = time - before
            if past >= EVERY or (past >= SOONEST and 0.5 * np.abs(quick[row] - then).sum() >= MOVED):
                due.append(row)
                before, then = time, quick[row]
        return np.array(due, np.intp)


def _between(knots: list[_Asked], times: NDArray[np.float64], quick: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 7) quick posteriors, moved by what the dear one said before and after. The less a face looks like those that
    were asked about, the less that counts."""
    at = [knot.time for knot in knots]

    def interpolated(values: list[NDArray[np.float32]]) -> NDArray[np.float64]:
        return np.stack([np.interp(times, at, column) for column in np.stack(values).T], axis=1)

    unlike = 0.5 * np.abs(quick - interpolated([knot.quick for knot in knots])).sum(axis=1, keepdims=True)
    logs = _logs(quick) + (1 - unlike) * interpolated([knot.differs for knot in knots])
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _logs(posteriors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.log(np.maximum(posteriors, LEAST)), np.float32)
