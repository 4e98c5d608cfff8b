"""START HERE. A stretch of video becomes observations: detect, track, judge, classify; its tracks get an embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visagram.core.opinion import Opinions
from visagram.core.quality import judge
from visagram.core.schedule import ChangeMeter, look
from visagram.core.stages import EmotionClassifier, FaceCropper, FaceDetector, FaceEmbedder
from visagram.core.tracking import Tracker
from visagram.core.types import EXPRESSIONS, Faces, Frame, Observations, Reason, TrackSummary

PORTRAITS = 3
"""Portraits kept per track for its embedding."""
PORTRAIT_GAIN = 0.08
"""How much better a face must be to replace a kept portrait: each costs a colour conversion of the whole frame."""

CLOSE_ROUNDS = 3
"""The closest look is taken at the end of every third round, about four seconds apart, and after a cut: a small face
is found that late at the latest, and then not lost."""
MARGIN = 2.5
"""A face must be this many times larger than the smallest that a detector finds, for its landmarks to be exact."""
HELD, HELD_SECONDS, USUAL_OF = 3, 0.5, 64
"""A picture that stays this many times longer than the usual one of the last so many, and longer than these seconds, is
held: nothing moves then."""
RECOGNISABLE = 0.08
"""Quality from which a portrait says who somebody is; a profile or a speck would join or part people by chance."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts of the pipeline, built once in `compose.py`.

    detectors: from the closest look, which finds the smallest faces, to coarser and cheaper ones; at least one. The
    closest looks at the end of every few rounds; the faces known decide how closely a round needs to be looked at.
    quick: says nearly what the classifier says, of every face, so that the classifier is asked about few of them
    (`opinion.py`); both take aligned crops. None: the classifier is asked about all.
    """

    detectors: tuple[FaceDetector, ...]
    cropper: FaceCropper
    classifier: EmotionClassifier
    embedder: FaceEmbedder
    quick: EmotionClassifier | None = None


@dataclass(frozen=True, slots=True)
class Tracked:
    """Faces of a batch with their tracks, as rows. position: (n,) index into the batch's frames."""

    position: NDArray[np.intp]
    track: NDArray[np.int32]
    faces: Faces
    detected: NDArray[np.bool_]


@dataclass(slots=True)
class _Memory:
    """What is remembered of a track beside its observations."""

    first: int
    last: int
    detections: int = 0
    best_score: float = 0.0
    portraits: list[tuple[float, NDArray[np.uint8]]] = field(default_factory=list)


class MotionClock:
    """Time as faces move in it: while one picture is held, for a second or for an hour, nobody goes anywhere."""

    def __init__(self) -> None:
        self._recent: list[float] = []
        self._now = 0.0

    def of(self, frames: Sequence[Frame], *, goes_on: bool) -> NDArray[np.float64]:
        """(n,) seconds, rising. goes_on: the first frame was the last one of the call before."""
        steps = np.diff([float(frame.time) for frame in frames])
        self._recent = [*self._recent, *steps.tolist()][-USUAL_OF:]
        usual = float(np.median(self._recent)) if self._recent else 0.0
        if not goes_on:
            self._now += usual or 1.0
        moments = self._now + np.concatenate([[0.0], np.cumsum(np.minimum(steps, max(HELD_SECONDS, HELD * usual)))])
        self._now = float(moments[-1])
        return np.asarray(moments, np.float64)


class Stretch:
    """One stretch of video on its way to observations. Iterate it to its end, then ask for `tracks()`.

    stages: the parts for frames in the shape of the one given; asked for whenever the picture changes its size. every:
    largest distance between looks of the detector, in frames. batch: frames per round, which bounds memory.
    """

    def __init__(self, frames: Iterable[Frame], stages: Callable[[Frame], Stages], *, every: int, batch: int) -> None:
        self._frames = frames
        self._stages_for = stages
        self._every = every
        self._batch = max(1, batch // every) * every
        self._tracker = Tracker()
        self._motion = MotionClock()
        self._changes = ChangeMeter()
        self._opinions = Opinions()
        self._memory: dict[int, _Memory] = {}
        self._round = 0
        # The last frame of the round before, whose faces begin the first interpolation of the next.
        self._edge: tuple[Frame, Faces, NDArray[np.int32]] | None = None

    def __iter__(self) -> Iterator[Observations]:
        for frames in self._rounds():
            cuts, looks = self._detect(frames)
            tracked = self._track(frames, cuts, looks)
            crops = self._crop(frames, tracked)
            reasons, quality = judge(tracked.faces.boxes, tracked.faces.landmarks, crops, frames[-1].size)
            posteriors = self._classify(frames, tracked, crops, reasons)
            self._remember(frames, tracked, quality)
            yield _observations(frames, tracked, reasons, quality, posteriors)

    def tracks(self) -> list[TrackSummary]:
        """One summary per track of the stretch; embeds the kept portraits."""
        return [self._summary(track, memory) for track, memory in sorted(self._memory.items())]

    def _rounds(self) -> Iterator[list[Frame]]:
        """Frames in rounds that end on a look; each but the first begins with the last frame of the one before. Where
        the picture changes its size all begins anew: nobody is where they were."""
        # The very first frame is a look too, so the first round is one frame longer.
        size, pending = self._batch + 1, list[Frame]()
        for frame in self._frames:
            if not pending or frame.size != pending[-1].size:
                if len(pending) > 1 or (pending and self._edge is None):
                    yield pending
                pending, self._edge = [], None
                self._tracker.cut()
                self._stages = self._stages_for(frame)
            pending.append(frame)
            if len(pending) == size:
                yield pending
                pending = [pending[-1]]
        if len(pending) > 1 or (pending and self._edge is None):
            yield pending

    def _detect(self, frames: Sequence[Frame]) -> tuple[NDArray[np.bool_], dict[int, Faces]]:
        fresh = 1 if self._edge else 0
        changed, cuts = (np.concatenate([np.zeros(fresh, bool), m]) for m in self._changes.measure(frames[fresh:]))
        known = {0: self._edge[1]} if self._edge else {}
        closest = self._stages.detectors[0]
        if cuts.any() or self._round % CLOSE_ROUNDS == 0:
            ends = sorted({0, len(frames) - 1} - set(known))
            known |= zip(ends, closest.detect([frames[p] for p in ends]), strict=True)
        self._round += 1
        detector = closest if cuts.any() else self._suited(known.values())
        after = np.flatnonzero(changed)
        wanted = {*range(0, len(frames), self._every), len(frames) - 1, *after, *(after[after > 0] - 1)}
        return cuts, look(frames, detector.detect, sorted(int(p) for p in wanted), cuts, known)

    def _suited(self, looks: Iterable[Faces]) -> FaceDetector:
        """The cheapest detector that shows the smallest of these faces well; without faces nearly the closest."""
        detectors = self._stages.detectors
        sizes = [float(size) for faces in looks for size in faces.boxes[:, 2:].max(axis=1)]
        if not sizes:
            return detectors[min(1, len(detectors) - 1)]
        fit = [detector for detector in detectors[1:] if detector.smallest * MARGIN <= min(sizes)]
        return fit[-1] if fit else detectors[0]

    def _track(self, frames: Sequence[Frame], cuts: NDArray[np.bool_], looks: dict[int, Faces]) -> Tracked:
        rows: list[Tracked] = []
        moments = self._motion.of(frames, goes_on=self._edge is not None)
        before: tuple[int, Faces, NDArray[np.int32]] | None = None
        for position in sorted(looks):
            faces = looks[position]
            if position == 0 and self._edge:
                ids = self._edge[2]
            else:
                if before and cuts[before[0] + 1 : position + 1].any():
                    self._tracker.cut()
                    before = None
                ids = self._tracker.update(float(moments[position]), faces)
                if before:
                    rows.append(_between(moments, before, (position, faces, ids)))
                kept = ids >= 0
                count = int(kept.sum())
                rows.append(Tracked(np.full(count, position), ids[kept], faces[kept], np.ones(count, bool)))
            before = (position, faces, ids)
        assert before is not None, "a round has at least one look"
        self._edge = (frames[-1], before[1], before[2])
        return _in_order(rows)

    def _crop(self, frames: Sequence[Frame], tracked: Tracked) -> NDArray[np.uint8]:
        parts = [
            self._stages.cropper.aligned(frames[position], tracked.faces.landmarks[tracked.position == position])
            for position in np.unique(tracked.position)
        ]
        return np.concatenate(parts) if parts else np.empty((0, 48, 48), np.uint8)

    def _classify(
        self, frames: Sequence[Frame], tracked: Tracked, crops: NDArray[np.uint8], reasons: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        classifier, quick = self._stages.classifier, self._stages.quick
        posteriors = np.full((len(crops), len(EXPRESSIONS)), np.nan, np.float32)
        usable = reasons == Reason.NONE
        if quick is not None:
            times = np.array([float(frame.time) for frame in frames])[tracked.position[usable]]
            posteriors[usable] = self._opinions.classify(quick, classifier, tracked.track[usable], times, crops[usable])
            return posteriors
        wanted = crops[usable] if classifier.framing.aligned else self._boxes(frames, tracked, usable)
        posteriors[usable] = classifier.classify(wanted)
        return posteriors

    def _boxes(self, frames: Sequence[Frame], tracked: Tracked, usable: NDArray[np.bool_]) -> list[NDArray[np.uint8]]:
        """Colour crops of the usable faces, for classifiers that do not take the aligned ones."""
        cropper, framing = self._stages.cropper, self._stages.classifier.framing
        return [
            crop
            for position in np.unique(tracked.position[usable])
            for crop in cropper.boxes(frames[position], tracked.faces[usable & (tracked.position == position)], framing)
        ]

    def _remember(self, frames: Sequence[Frame], tracked: Tracked, quality: NDArray[np.float32]) -> None:
        """Note how each track was seen, and keep a portrait where the round has a better one."""
        chosen: dict[int, list[int]] = {}
        for track in np.unique(tracked.track):
            rows = np.flatnonzero(tracked.track == track)
            first, last = frames[tracked.position[rows[0]]].index, frames[tracked.position[rows[-1]]].index
            memory = self._memory.setdefault(int(track), _Memory(first, last))
            memory.last = last
            memory.detections += int(tracked.detected[rows].sum())
            memory.best_score = max(memory.best_score, float(tracked.faces.scores[rows].max()))
            best = int(rows[quality[rows].argmax()])
            worst_kept = memory.portraits[-1][0] + PORTRAIT_GAIN if len(memory.portraits) == PORTRAITS else -1.0
            if quality[best] > worst_kept:
                chosen.setdefault(int(tracked.position[best]), []).append(best)
        for position, wanted in chosen.items():
            portraits = self._stages.cropper.portraits(frames[position], tracked.faces[np.array(wanted)])
            for row, portrait in zip(wanted, portraits, strict=True):
                kept = self._memory[int(tracked.track[row])].portraits
                kept.append((float(quality[row]), portrait))
                kept.sort(key=lambda entry: -entry[0])
                del kept[PORTRAITS:]

    def _summary(self, track: int, memory: _Memory) -> TrackSummary:
        good = [portrait for quality, portrait in memory.portraits if quality >= RECOGNISABLE]
        embedding = None
        if good:
            mean = self._stages.embedder.embed(np.stack(good)).mean(axis=0)
            embedding = np.asarray(mean / np.linalg.norm(mean), np.float32)
        quality, best = memory.portraits[0]
        return TrackSummary(
            track=track,
            first_frame=memory.first,
            last_frame=memory.last,
            detections=memory.detections,
            best_score=memory.best_score,
            best_quality=quality,
            embedding=embedding,
            thumbnail=self._stages.cropper.jpeg(best),
        )


def _between(
    moments: NDArray[np.float64],
    before: tuple[int, Faces, NDArray[np.int32]],
    after: tuple[int, Faces, NDArray[np.int32]],
) -> Tracked:
    """Faces of the tracks that both looks saw, interpolated for the frames between them. moments: as `MotionClock`
    gives them."""
    (start, faces_a, ids_a), (stop, faces_b, ids_b) = before, after
    shared, rows_a, rows_b = np.intersect1d(ids_a[ids_a >= 0], ids_b[ids_b >= 0], return_indices=True)
    a, b = faces_a[ids_a >= 0][rows_a], faces_b[ids_b >= 0][rows_b]
    steps, people = stop - start - 1, len(shared)
    begin, end = moments[start], moments[stop]
    share = ((moments[start + 1 : stop] - begin) / (end - begin)).astype(np.float32)
    boxes = a.boxes + share[:, None, None] * (b.boxes - a.boxes)
    landmarks = a.landmarks + share[:, None, None, None] * (b.landmarks - a.landmarks)
    return Tracked(
        position=np.repeat(np.arange(start + 1, stop), people),
        track=np.tile(shared.astype(np.int32), steps),
        faces=Faces(boxes.reshape(-1, 4), landmarks.reshape(-1, 5, 2), np.tile(np.minimum(a.scores, b.scores), steps)),
        detected=np.zeros(steps * people, bool),
    )


def _in_order(parts: Sequence[Tracked]) -> Tracked:
    """Parts as one, ordered by frame, then track."""
    position = np.concatenate([np.empty(0, np.intp), *(p.position for p in parts)])
    track = np.concatenate([np.empty(0, np.int32), *(p.track for p in parts)])
    order = np.lexsort((track, position))
    empty = Faces.empty()
    faces = Faces(
        np.concatenate([empty.boxes, *(p.faces.boxes for p in parts)]),
        np.concatenate([empty.landmarks, *(p.faces.landmarks for p in parts)]),
        np.concatenate([empty.scores, *(p.faces.scores for p in parts)]),
    )
    detected = np.concatenate([np.empty(0, bool), *(p.detected for p in parts)])
    return Tracked(position[order], track[order], faces[order], detected[order])


def _observations(
    frames: Sequence[Frame],
    tracked: Tracked,
    reasons: NDArray[np.uint8],
    quality: NDArray[np.float32],
    posteriors: NDArray[np.float32],
) -> Observations:
    index = np.array([f.index for f in frames], np.int64)
    time = np.array([float(f.time) for f in frames], np.float64)
    span = np.array([float(f.span) for f in frames], np.float64)
    return Observations(
        frame=index[tracked.position],
        time=time[tracked.position],
        span=span[tracked.position],
        person=np.zeros(len(tracked.track), np.int32),
        track=tracked.track,
        box=tracked.faces.boxes,
        landmarks=tracked.faces.landmarks,
        score=tracked.faces.scores,
        detected=tracked.detected,
        reason=reasons,
        quality=quality,
        posterior=posteriors,
    )
