"""Keep people apart from frame to frame: two-stage association (ByteTrack, Zhang et al. 2022, arXiv 2110.06864) over a
constant-velocity Kalman filter (Kalman 1960; the noise model is DeepSORT's, Wojke et al. 2017, arXiv 1703.07402)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import iou
from visagram.core.types import Faces

Distance = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]

SURE = 0.5
"""Detections at or above this score take part in the first association."""
BIRTH = 0.6
"""A face needs this score to start a track."""
LOST_SECONDS = 1.0
"""A track that was not seen for longer ends."""
FIRST_GATE = 0.85
SECOND_GATE = 0.5
"""Largest distance (1 - IoU) of a pair in the first and second association."""

POSITION_NOISE = 1 / 20
VELOCITY_NOISE = 1 / 160
"""Standard deviations per thirtieth of a second, in units of the face's height."""
TICKS_PER_SECOND = 30.0


def iou_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 - IoU of boxes (n, 4) and (m, 4) as (n, m)."""
    return 1 - iou(a, b)


@dataclass(slots=True)
class _Track:
    """A Kalman filter per coordinate (centre x, centre y, width, height), which do not depend on each other."""

    id: int
    seen: float
    steady: bool
    state: NDArray[np.float64]
    velocity: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def start(cls, id: int, time: float, box: NDArray[np.float32]) -> _Track:
        h = float(box[3])
        covariance = np.array([[2 * POSITION_NOISE * h, 0], [0, 10 * VELOCITY_NOISE * h]]) ** 2
        return cls(id, time, True, _centred(box), np.zeros(4), covariance)

    def predict(self, ticks: float) -> None:
        h = self.state[3]
        self.state = self.state + ticks * self.velocity
        step = np.array([[1, ticks], [0, 1]])
        noise = np.diag([(POSITION_NOISE * h) ** 2, (VELOCITY_NOISE * h) ** 2]) * max(ticks, 1e-6)
        self.covariance = step @ self.covariance @ step.T + noise

    def correct(self, time: float, box: NDArray[np.float32]) -> None:
        measured = _centred(box)
        noise = (POSITION_NOISE * measured[3]) ** 2
        gain = self.covariance[:, 0] / (self.covariance[0, 0] + noise)
        error = measured - self.state
        self.state = self.state + gain[0] * error
        self.velocity = self.velocity + gain[1] * error
        self.covariance = self.covariance - np.outer(gain, self.covariance[0])
        self.seen, self.steady = time, True

    @property
    def box(self) -> NDArray[np.float64]:
        size = np.maximum(self.state[2:], 1.0)
        return np.concatenate([self.state[:2] - size / 2, size])


class Tracker:
    """Gives each face of each looked-at frame the number of its track, or -1."""

    def __init__(self, distance: Distance = iou_distance) -> None:
        self._distance = distance
        self._tracks: list[_Track] = []
        self._next = 0
        self._now: float | None = None

    def update(self, time: float, faces: Faces) -> NDArray[np.int32]:
        """Associate the faces found at `time` (seconds, rising); returns their track numbers (n,) int32."""
        ticks = (time - self._now) * TICKS_PER_SECOND if self._now is not None else 0.0
        self._now = time
        for track in self._tracks:
            track.predict(ticks)
        ids = np.full(len(faces), -1, np.int32)
        sure = np.flatnonzero(faces.scores >= SURE)
        rest = self._associate(self._tracks, faces, sure, FIRST_GATE, time, ids)
        # A weak detection may continue a track that was there just now (an occlusion), but not revive a lost one.
        weak = np.flatnonzero(faces.scores < SURE)
        lost = self._associate([t for t in rest if t.steady], faces, weak, SECOND_GATE, time, ids)
        for track in lost:
            track.steady = False
        self._tracks = [t for t in self._tracks if time - t.seen <= LOST_SECONDS]
        for index in np.flatnonzero((ids < 0) & (faces.scores >= BIRTH)):
            self._tracks.append(_Track.start(self._next, time, faces.boxes[index]))
            ids[index] = self._next
            self._next += 1
        return ids

    def cut(self) -> None:
        """The scene changed: nobody is where they were."""
        self._tracks.clear()

    def _associate(
        self,
        tracks: list[_Track],
        faces: Faces,
        candidates: NDArray[np.intp],
        gate: float,
        time: float,
        ids: NDArray[np.int32],
    ) -> list[_Track]:
        """Write the matched tracks' numbers into `ids`; returns the tracks left over."""
        if not tracks or not len(candidates):
            return list(tracks)
        predicted = np.stack([t.box for t in tracks]).astype(np.float32)
        matched = set()
        for row, column in assign(self._distance(predicted, faces.boxes[candidates]), gate):
            face = candidates[column]
            tracks[row].correct(time, faces.boxes[face])
            ids[face] = tracks[row].id
            matched.add(row)
        return [t for row, t in enumerate(tracks) if row not in matched]


def assign(distances: NDArray[np.float32], gate: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total distance, none beyond `gate`."""
    near = distances <= gate
    if near.sum(axis=0).max(initial=0) <= 1 and near.sum(axis=1).max(initial=0) <= 1:
        return [(int(r), int(c)) for r, c in zip(*np.nonzero(near), strict=True)]
    # Imported here: half a second that an analysis of one person never needs.
    from scipy.optimize import linear_sum_assignment

    # Beyond the gate all pairs cost the same and more than any sum within it, so none displaces a good one.
    rows, columns = linear_sum_assignment(np.where(near, distances, 1e3))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if near[r, c]]


def _centred(box: NDArray[np.float32]) -> NDArray[np.float64]:
    x, y, w, h = (float(v) for v in box)
    return np.array([x + w / 2, y + h / 2, w, h])
