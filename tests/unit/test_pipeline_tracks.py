"""What is remembered of a track, and what lies between two looks of the detector."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import JPEG, Actor, FakeStages, KnowingDetector, World, make_faces, stages_of, still
from visagram.core.pipeline import RECOGNISABLE, Stages, Stretch
from visagram.core.stages import FaceEmbedder
from visagram.core.types import Faces, Observations, TrackSummary

EVERY, BATCH = 5, 20
BOX = (100, 80, 60, 60)


class AcrossEmbedder:
    """`FaceEmbedder` for which no two portraits look alike: each vector stands at right angles to the others."""

    threshold = 0.5

    def __init__(self) -> None:
        self.embedded: list[int] = []

    def embed(self, portraits: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.embedded.append(len(portraits))
        return np.eye(len(portraits), 8, dtype=np.float32)


def run(
    length: int, faces: Callable[[int], Faces], embedder: FaceEmbedder | None = None
) -> tuple[Observations, list[TrackSummary]]:
    """What a stretch of so many frames comes to whose detector sees `faces` of a frame's number."""
    parts = FakeStages(World(length, [Actor(still(*BOX[:3]))]))
    parts.detector = KnowingDetector(faces)
    chosen = (
        parts.stages() if embedder is None else Stages((parts.detector,), parts.cropper, parts.classifier, embedder)
    )
    stretch = Stretch(parts.world.frames(), stages_of(chosen), every=EVERY, batch=BATCH)
    return Observations.concatenate(stretch), stretch.tracks()


def turned(faces: Faces) -> Faces:
    """The same faces from the side: both eyes and the mouth's corners close together, the nose beside them."""
    points = faces.landmarks.copy()
    middle = points[:, :, :1].mean(axis=1, keepdims=True)
    points[:, :, :1] = middle + (points[:, :, :1] - middle) * 0.3
    points[:, 2, 0] += 0.3 * faces.boxes[:, 2]
    return Faces(faces.boxes, points.astype(np.float32), faces.scores)


def test_a_tracks_vector_has_unit_length_however_different_its_portraits_are() -> None:
    sizes = {0: 40.0, 20: 60.0, 40: 90.0}  # larger in each round, so that each brings a portrait
    embedder = AcrossEmbedder()
    _, (track,) = run(60, lambda k: make_faces([(100, 80, sizes[k // 20 * 20], sizes[k // 20 * 20])]), embedder)
    assert embedder.embedded == [3]
    assert track.embedding is not None
    assert np.linalg.norm(track.embedding) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(track.embedding[:3], 3**-0.5, atol=1e-6)


def test_who_was_never_seen_well_enough_to_be_recognised_has_a_picture_but_no_vector() -> None:
    embedder = AcrossEmbedder()
    rows, (track,) = run(41, lambda _: turned(make_faces([BOX])), embedder)
    assert len(rows) == 41
    assert track.best_quality < RECOGNISABLE
    assert track.embedding is None
    assert track.thumbnail == JPEG
    assert embedder.embedded == []


def test_only_portraits_that_show_who_it_is_enter_a_tracks_vector() -> None:
    embedder = AcrossEmbedder()
    # Facing the camera in the first round alone, so that only one portrait of three is any good.
    frontal = make_faces([BOX])
    rows, (track,) = run(81, lambda k: frontal if k <= BATCH else turned(frontal), embedder)
    assert (rows.quality[rows.frame > BATCH + EVERY] < RECOGNISABLE).all()
    assert track.best_quality > RECOGNISABLE
    assert embedder.embedded == [1]


def test_a_face_between_two_looks_is_as_sure_as_the_less_sure_of_them() -> None:
    scores = {0: 0.9, 5: 0.7, 10: 0.8, 15: 0.95, 20: 0.6}
    rows, _ = run(21, lambda k: make_faces([BOX], scores.get(k, 0.99)))
    assert {k: round(float(rows.score[k]), 6) for k in scores} == scores
    between = [0.7] * 4 + [0.7] * 4 + [0.8] * 4 + [0.6] * 4
    assert rows.score[~rows.detected].tolist() == pytest.approx(between)
