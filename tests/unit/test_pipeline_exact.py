"""Rounds, looks, portraits and the clock of motion, written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import (
    Actor,
    BrightnessClassifier,
    ColourEmbedder,
    FakeStages,
    KnowingDetector,
    NearestCropper,
    World,
    make_faces,
    make_frame,
    stages_of,
    still,
)
from visagram.core.pipeline import MotionClock, Stages, Stretch
from visagram.core.stages import Crops
from visagram.core.types import Faces, Frame, Observations, TrackSummary

BOX = (100, 80, 60, 60)


def at(*times: float) -> list[Frame]:
    blank = np.zeros((8, 8), np.uint8)
    return [dataclasses.replace(make_frame(k, blank), time=Fraction(time)) for k, time in enumerate(times)]


def test_the_clock_of_motion_starts_a_step_after_nothing() -> None:
    clock = MotionClock()
    assert clock.of(at(7), goes_on=False).tolist() == [1]
    assert clock.of(at(7, 7.25, 7.5), goes_on=True).tolist() == [1, 1.25, 1.5]
    assert clock.of(at(9, 9.25), goes_on=False).tolist() == [1.75, 2]
    assert clock.of(at(9.25), goes_on=True).tolist() == [2]
    assert clock.of(at(3), goes_on=False).tolist() == [2.25]


@pytest.mark.parametrize(
    ("usual", "steps", "passed"),
    [
        # The longest step is half a second, or three times the usual one.
        (0.125, [0.375, 0.5, 0.625, 60], [0.375, 0.5, 0.5, 0.5]),
        (0.25, [0.5, 0.75, 0.875, 60], [0.5, 0.75, 0.75, 0.75]),
        (2, [5, 6, 7], [5, 6, 6]),
    ],
)
def test_the_clock_of_motion_stands_still_while_a_picture_is_held(
    usual: float, steps: list[float], passed: list[float]
) -> None:
    before = [usual] * 9
    found = MotionClock().of(at(*np.cumsum([0, *before, *steps])), goes_on=True)
    assert np.diff(found).tolist() == [*before, *passed]


@pytest.mark.parametrize(("slow", "last"), [(31, 0.5), (33, 3.0)])
def test_usual_is_the_median_of_the_last_64_steps(slow: int, last: float) -> None:
    clock = MotionClock()
    clock.of(at(*np.arange(200) / 32), goes_on=False)
    # With the last step there are 32 or 34 long ones among 64.
    found = clock.of(at(*np.cumsum([0, *[1.0] * slow, 60.0])), goes_on=True)
    if slow == 31:
        # Half of them: the median lies half-way, and three times that is more than a step.
        last = 3 * (1 + 1 / 32) / 2
    assert np.diff(found)[-1] == last
    assert np.diff(found)[:-1].tolist() == [1.0] * slow


def run(
    frames: Sequence[Frame], stages: Stages | Callable[[Frame], Stages], every: int = 5, batch: int = 20
) -> tuple[list[Observations], list[TrackSummary]]:
    wanted = stages_of(stages) if isinstance(stages, Stages) else stages
    stretch = Stretch(frames, wanted, every=every, batch=batch)
    return list(stretch), stretch.tracks()


@pytest.mark.parametrize(
    ("every", "batch", "ends"),
    [
        (5, 20, [20, 40, 50]),
        (5, 24, [20, 40, 50]),
        (5, 3, list(range(5, 51, 5))),
        (1, 16, [16, 32, 48, 50]),
        (20, 20, [20, 40, 50]),
        (20, 39, [20, 40, 50]),
        (20, 40, [40, 50]),
        (60, 20, [50]),
    ],
)
def test_rounds_hold_whole_distances_between_looks(every: int, batch: int, ends: list[int]) -> None:
    world = World(51, [Actor(still(*BOX[:3]))])
    parts = FakeStages(world)
    rounds, (track,) = run(world.frames(), parts.stages(), every, batch)
    assert [int(rows.frame[-1]) for rows in rounds] == ends
    assert np.concatenate([rows.frame for rows in rounds]).tolist() == list(range(51))
    assert sorted(parts.detector.looks) == sorted({*range(0, 51, every), *ends})
    assert (track.first_frame, track.last_frame, track.detections) == (0, 50, len(parts.detector.looks))


def sized(*lengths: int) -> list[Frame]:
    """So many frames of each shape in turn: 320 by 240, 240 by 320."""
    frames: list[Frame] = []
    random = np.random.default_rng(0)
    for number, length in enumerate(lengths):
        shape = (240, 320) if number % 2 == 0 else (320, 240)
        luma = random.integers(0, 256, shape, np.uint8)
        frames += [make_frame(len(frames) + k, luma) for k in range(length)]
    return frames


@pytest.mark.parametrize(
    ("lengths", "ends"),
    [
        ((1, 1, 1), [0, 1, 2]),
        ((5, 1, 7), [4, 5, 12]),
        ((21, 21), [20, 41]),
        ((22, 20, 1), [20, 21, 41, 42]),
        ((41, 2), [20, 40, 42]),
    ],
)
def test_where_the_picture_changes_its_size_all_begins_anew(lengths: tuple[int, ...], ends: list[int]) -> None:
    asked: list[tuple[int, tuple[int, int]]] = []
    parts = FakeStages(World(0))
    parts.detector = KnowingDetector(lambda _: make_faces([BOX]))

    def stages(frame: Frame) -> Stages:
        asked.append((frame.index, frame.size))
        return parts.stages()

    rounds, tracks = run(sized(*lengths), stages)
    begins = np.cumsum([0, *lengths])
    assert [int(rows.frame[-1]) for rows in rounds] == ends
    rows = Observations.concatenate(rounds)
    assert rows.frame.tolist() == list(range(sum(lengths)))
    assert rows.track.tolist() == np.repeat(np.arange(len(lengths)), lengths).tolist()
    assert [(t.first_frame, t.last_frame) for t in tracks] == [(int(a), int(b) - 1) for a, b in pairwise(begins)]
    sizes = [(320, 240), (240, 320)]
    assert asked == [(int(begin), sizes[k % 2]) for k, begin in enumerate(begins[:-1])]
    assert len(parts.detector.looks) == len(set(parts.detector.looks)), "no frame is looked at twice"


def looked(side: float, length: int, *smallest: float, cuts: Sequence[int] = ()) -> list[list[int]]:
    """Frames that each detector looked at, the closest first. side: of the only face, 0 without one."""
    world = World(length, [Actor(still(100, 80, side))] if side else [], cuts)
    parts = FakeStages(world)
    coarser = [KnowingDetector(lambda k: world.faces(k) if side else make_faces([]), each) for each in smallest]
    run(world.frames(), parts.stages(*coarser))
    return [sorted(detector.looks) for detector in (parts.detector, *coarser)]


FIVES = range(0, 161, 5)
CLOSE = [0, 20, 80, 140]
"""Both ends of the first round, then the end of every third."""


@pytest.mark.parametrize(("side", "which"), [(49, 0), (50, 1), (99, 1), (100, 2), (124, 2), (125, 3), (0, 1)])
def test_a_face_must_be_two_and_a_half_times_the_smallest_that_a_detector_finds(side: float, which: int) -> None:
    found = looked(side, 161, 20, 40, 50)
    others = [k for k in FIVES if k not in CLOSE]
    expected = [
        sorted([*CLOSE, *others]) if which == 0 else CLOSE,
        *([others if which == k else [] for k in (1, 2, 3)]),
    ]
    assert found == expected


@pytest.mark.parametrize("box", [(100, 80, 50, 20), (100, 80, 20, 50)])
def test_the_longer_side_of_a_face_is_its_size(box: tuple[int, int, int, int]) -> None:
    world = World(21, [Actor(lambda _: box)])
    parts = FakeStages(world)
    coarse = KnowingDetector(world.faces, 20)
    run(world.frames(), parts.stages(coarse))
    assert (sorted(parts.detector.looks), sorted(coarse.looks)) == ([0, 20], [5, 10, 15])


def test_the_smallest_face_decides_how_closely_is_looked() -> None:
    world = World(41, [Actor(still(20, 80, 100)), Actor(still(200, 80, 50), range(20, 41))])
    parts = FakeStages(world)
    coarse, coarsest = KnowingDetector(world.faces, 20), KnowingDetector(world.faces, 40)
    run(world.frames(), parts.stages(coarse, coarsest))
    assert sorted(parts.detector.looks) == [0, 20]
    # In the first round the small one is at its end alone, but known.
    assert [k for k in sorted(coarse.looks) if k % 5 == 0] == [5, 10, 15, 25, 30, 35, 40]
    assert coarsest.looks == []


def test_with_one_detector_alone_it_looks_at_everything() -> None:
    assert looked(100, 61) == [list(range(0, 61, 5))]
    assert looked(0, 61) == [list(range(0, 61, 5))]


def test_in_a_round_with_a_cut_the_closest_look_is_taken_everywhere() -> None:
    # Round 1 has the cut, with a look on both sides; round 3 its closest look at the end.
    close, coarse = looked(100, 101, 20, cuts=[32])
    assert close == [0, 20, 25, 30, 31, 32, 35, 40, 80]
    assert coarse == [k for k in range(0, 101, 5) if k not in close]


class Handed(BrightnessClassifier):
    """Notes the shape of all that it is handed."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: set[tuple[int, ...]] = set()

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        self.handed.add(np.shape(crops))
        return super().classify(crops)


def test_without_faces_a_classifier_is_handed_no_crops_of_the_usual_size() -> None:
    parts, classifier = FakeStages(World(41)), Handed()
    rounds, _ = run(World(41).frames(), dataclasses.replace(parts.stages(), classifier=classifier))
    assert classifier.handed == {(0, 48, 48)}
    assert [rows.posterior.shape for rows in rounds] == [(0, 7)] * 2


class Showing(NearestCropper):
    """A cropper whose portraits and pictures say which frame they show."""

    def portraits(self, frame: Frame, faces: Faces) -> NDArray[np.uint8]:
        self.converted.append(frame.index)
        return np.full((len(faces), 224, 224, 3), frame.index, np.uint8)

    def jpeg(self, portrait: NDArray[np.uint8]) -> bytes:
        return str(int(portrait[0, 0, 0])).encode()


class Noting(ColourEmbedder):
    """Notes which frames it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[list[int]] = []

    def embed(self, portraits: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.shown.append(portraits[:, 0, 0, 0].tolist())
        return super().embed(portraits)


def portrayed(
    sides: Sequence[float], shift: float = 0.0
) -> tuple[list[int], list[list[int]], TrackSummary, list[float]]:
    """A face whose box has such a side in each round of 20 frames. The frames that were converted, those embedded, the
    track, and the best quality of each round. shift: of the nose, as a share of the box."""

    def faces(k: int) -> Faces:
        side = sides[max(0, k - 1) // 20]
        found = make_faces([(100, 80, 60, 60)])
        landmarks = found.landmarks.copy()
        landmarks[:, 2, 0] += shift * 60
        return Faces(np.float32([[100, 80, side, side]]), landmarks, np.float32([0.9]))

    world = World(20 * len(sides) + 1)
    cropper, embedder, parts = Showing(), Noting(), FakeStages(world)
    stages = Stages((KnowingDetector(faces),), cropper, parts.classifier, embedder)
    rounds, (track,) = run(world.frames(), stages, every=1)
    return cropper.converted, embedder.shown, track, [float(rows.quality.max()) for rows in rounds]


def test_three_portraits_are_kept_and_replaced_by_those_that_are_better_by_0_08() -> None:
    whole = portrayed([96])[3][0]
    sides = [96 * each / whole for each in (0.40, 0.30, 0.35, 0.37, 0.39, 0.42, 0.44, 0.49)]
    converted, shown, track, best = portrayed(sides)
    assert best == pytest.approx([0.40, 0.30, 0.35, 0.37, 0.39, 0.42, 0.44, 0.49], abs=1e-5)
    # The first three; 0.37 is too little above 0.30 and 0.39 is enough; then the worst is 0.35: 0.42 is not enough.
    assert [(k - 1) // 20 if k else 0 for k in converted] == [0, 1, 2, 4, 6, 7]
    assert [[(k - 1) // 20 for k in each] for each in shown] == [[7, 6, -1]]
    assert track.best_quality == pytest.approx(0.49, abs=1e-5)
    assert track.thumbnail == str(converted[-1]).encode()
    assert track.embedding is not None
    # Grey portraits, so all alike: the fake's vectors have 48 numbers, all the same.
    assert track.embedding.tolist() == pytest.approx([48**-0.5] * 48)


def test_a_portrait_is_recognisable_from_a_quality_of_0_08() -> None:
    whole = portrayed([96], 0.13)[3][0]
    assert 0.08 < whole < 0.3, "so turned that it is hardly of use"
    sides = [96 * each / whole for each in (0.09, 0.07, 0.1)]
    assert min(sides) > 24
    converted, shown, track, best = portrayed(sides, 0.13)
    assert best == pytest.approx([0.09, 0.07, 0.1], abs=1e-5)
    assert shown == [[converted[2], converted[0]]]
    assert track.thumbnail == str(converted[2]).encode()
    _, shown, track, _ = portrayed(sides[1:2], 0.13)
    assert (shown, track.embedding) == ([], None)


def test_faces_whose_best_frame_is_the_same_are_portrayed_at_once() -> None:
    world = World(21, [Actor(still(20, 80)), Actor(still(120, 80), range(7, 21)), Actor(still(220, 80))])
    parts = FakeStages(world)
    _, tracks = run(world.frames(), parts.stages())
    assert sorted(parts.cropper.converted) == [0, 7]
    assert [(t.track, t.first_frame, t.last_frame) for t in tracks] == [(0, 0, 20), (1, 0, 20), (2, 7, 20)]
    assert parts.embedder.embedded == [1, 1, 1]


def test_a_track_remembers_the_best_score_and_each_look() -> None:
    scores = {0: 0.7, 5: 0.9, 10: 0.8, 15: 0.95, 20: 0.6, 25: 0.97, 30: 0.65}
    parts = FakeStages(World(31))
    parts.detector = KnowingDetector(lambda k: make_faces([BOX], scores.get(k, 0.99)))
    rounds, (track,) = run(World(31).frames(), parts.stages())
    assert sorted(parts.detector.looks) == sorted(scores)
    assert (track.best_score, track.detections) == (pytest.approx(0.97), 7)
    rows = Observations.concatenate(rounds)
    assert np.flatnonzero(rows.detected).tolist() == sorted(scores)
    assert (rows.person == 0).all()


def test_a_flash_is_looked_at_and_so_are_the_frames_beside_it() -> None:
    frames = World(21).frames()
    bright = make_frame(13, np.clip(frames[13].luma.astype(int) + 12, 0, 255).astype(np.uint8))
    frames[13] = bright
    parts = FakeStages(World(21, [Actor(still(*BOX[:3]))]))
    run(frames, parts.stages())
    assert sorted(parts.detector.looks) == [0, 5, 10, 12, 13, 14, 15, 20]


def test_a_change_in_the_first_frame_of_a_round_is_looked_at() -> None:
    frames = World(41).frames()
    frames[21] = make_frame(21, np.clip(frames[21].luma.astype(int) + 12, 0, 255).astype(np.uint8))
    parts = FakeStages(World(41, [Actor(still(*BOX[:3]))]))
    run(frames, parts.stages())
    assert sorted(parts.detector.looks) == [0, 5, 10, 15, 20, 21, 22, 25, 30, 35, 40]
