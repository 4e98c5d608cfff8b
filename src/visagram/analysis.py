"""One video on its way to a report: probe, plan, analyse the segments in worker processes, summarise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

import visagram.wire as wire
from visagram import __version__
from visagram.core.certainty import unsure_below
from visagram.core.prior import EVEN, EVERYDAY, factors
from visagram.core.segments import Probed, Segment, SegmentResult, Timeline, plan
from visagram.core.summary import summarise
from visagram.core.types import Observations, Progress, ResultWarning, TrackSummary, VideoFacts
from visagram.digest import FileDigest
from visagram.errors import DecodeFailed, NoFrames, UsageError
from visagram.models.catalog import model_cards, prepare, same_person_threshold
from visagram.report import Report
from visagram.settings import Settings
from visagram.workers import Message, Workers

FILE_CHANGED = ResultWarning(
    "file_changed",
    "The file changed while it was analysed, so the result may mix what it was and what it is. Analyse it again.",
)


@dataclass(slots=True)
class Part:
    """What has arrived of one segment, message by message as `Workers.analyse` passes them on."""

    segment: Segment
    observations: list[Observations] = field(default_factory=list)
    tracks: list[TrackSummary] = field(default_factory=list)
    frames: int = 0
    damaged: int = 0
    span: float = 0.0
    lost: str | None = None
    done: bool = False

    def take(self, message: Message) -> Observations | None:
        """Keep what a message says; returns the observations that it brought."""
        kind, values, arrays = message
        if kind == "observations":
            self.observations.append(wire.unpack_observations(arrays))
            self.frames = int(values["frames"])
            return self.observations[-1]
        if kind == "track":
            self.tracks.append(wire.unpack_track(values, arrays))
        elif kind == "done":
            self.frames, self.damaged = int(values["frames"]), int(values["damaged"])
            self.span, self.done = float(values["span"]), True
        elif kind == "lost":
            self.lost, self.done = str(values["reason"]), True
        return None

    def result(self) -> SegmentResult:
        """What the segment came to."""
        table = Observations.concatenate(self.observations)
        return SegmentResult(self.segment, table, self.tracks, self.frames, self.damaged, self.span)


class Analysis:
    """Iterate it for observations as they come, or call `report()`; both can be done, in this order.

    Observations come in rounds of some frames each, in order within a segment of the video; their track numbers are
    provisional and their person is 0 until the report has put the segments together. Raises `VisagramError`.
    """

    def __init__(
        self,
        path: str | Path,
        settings: Settings | None = None,
        progress: Progress | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.path = Path(path)
        self.settings = settings or Settings()
        self._progress = progress or _silent
        self._workers = workers
        self._probed: Probed | None = None
        self._parts: list[Part] = []
        self._digest: FileDigest | None = None
        self._started = False

    def __iter__(self) -> Iterator[Observations]:
        if self._started:
            raise UsageError("An analysis can be iterated once: make another one, or ask for its report().")
        self._started = True
        with ExitStack() as stack:
            digest = self._digest = stack.enter_context(FileDigest(self.path))
            workers = self._workers or stack.enter_context(Workers(self.settings))
            yield from self._run(workers, digest)
            digest.finish()

    def report(self) -> Report:
        """The finished report; runs what is left of the analysis."""
        if not self._started:
            for _ in self:
                pass
        probed, digest = self._probed, self._digest
        if probed is None or digest is None or not all(part.done for part in self._parts):
            raise UsageError("The analysis was not iterated to its end, so there is nothing to report.")
        content = digest.finish()
        known = replace(probed.facts, path=str(self.path.absolute()), sha256=content.sha256)
        whole = probed._replace(facts=known)
        report = assemble(str(self.path), whole, self._parts, self.settings, self._progress).report
        return replace(report, warnings=(*report.warnings, FILE_CHANGED)) if content.changed else report

    def _run(self, workers: Workers, digest: FileDigest) -> Iterator[Observations]:
        prepare_models(self.settings, self._progress)
        self._progress("probe", 0, 1)
        workers.warm(2)
        self._probed = probed = workers.probe(self.path)
        facts, timeline, _ = probed
        digest.begin()
        self._progress("probe", 1, 1)
        segments = plan_video(str(self.path), facts, timeline, self.settings)
        self._parts = [Part(segment) for segment in segments]
        total = sum(segment.core for segment in segments) or facts.frames
        self._progress("analyse", 0, total)
        for segment, message in workers.analyse(self.path, facts, timeline, segments):
            observations = self._parts[segment.number].take(message)
            if observations is not None:
                self._progress("analyse", sum(part.frames for part in self._parts), total)
                yield _provisional(observations, segment)
        self._progress("analyse", total, total)


@dataclass(frozen=True, slots=True)
class Results:
    """The results of parts, each put together when its turn comes: those of a long video are large."""

    parts: Sequence[Part]

    def __iter__(self) -> Iterator[SegmentResult]:
        return (part.result() for part in self.parts)


@dataclass(frozen=True, slots=True)
class Assembled:
    """tracks: summaries of the tracks that the report's observations name."""

    report: Report
    tracks: list[TrackSummary]


def prepare_models(settings: Settings, progress: Progress) -> None:
    """See to it that the workers can open the models of these settings; weights that are fetched are fetched here.

    progress: its stage is `fetch`, in bytes. Raises `UsageError`, `MissingExtra`, `ModelError`.
    """

    def watch(received: int, total: int) -> None:
        progress("fetch", received, total)

    prepare(settings.emotion, settings.detector, settings.models_folder, offline=settings.offline, watch=watch)
    try:
        factors(settings.prior, model_cards(settings.emotion, settings.detector, settings.models_folder))
    except ValueError as error:
        raise UsageError(f"The setting prior is '{settings.prior}', but {error}.") from error


def plan_video(name: str, facts: VideoFacts, timeline: Timeline, settings: Settings) -> list[Segment]:
    """The segments of a video under these settings. Raises `UsageError` where they leave nothing to analyse."""
    if settings.region and (settings.region[0] >= facts.width or settings.region[1] >= facts.height):
        raise UsageError(f"The region lies outside the picture of {facts.width}x{facts.height} pixels.")
    segments = plan(timeline, settings.start, settings.end, settings.sample_fps, settings.frame_interval)
    if not segments:
        raise UsageError(f"{name} ends after {float(facts.duration):.2f} s: there is no frame in the chosen range.")
    return segments


def assemble(name: str, probed: Probed, parts: Sequence[Part], settings: Settings, progress: Progress) -> Assembled:
    """The report of a video whose segments were all analysed or lost. Raises `DecodeFailed`, `NoFrames`."""
    progress("summarise", 0, 1)
    facts, timeline, found = probed
    whole = [part for part in parts if part.lost is None]
    if not whole:
        raise DecodeFailed(f"{name} could not be decoded ({parts[0].lost}): it may be damaged.")
    if not any(part.frames for part in whole):
        raise NoFrames(f"{name} holds no frame that can be decoded: it may be cut short or damaged.")
    spans = [int(part.segment.spans[: part.segment.core].sum()) for part in parts]
    analysed = float(sum(spans) * timeline.base) or sum(part.span for part in whole)
    models = tuple(model_cards(settings.emotion, settings.detector, settings.models_folder, refined=settings.refine))
    summary = summarise(
        Results(whole),
        analysed=analysed,
        threshold=same_person_threshold(),
        seed=settings.seed,
        unsure_below=unsure_below(models),
        prior=factors(settings.prior, models),
    )
    report = Report(
        video=facts,
        settings=settings.for_report(),
        models=models,
        people=summary.people,
        totals=summary.totals,
        warnings=(*found, *_warnings(parts, timeline, len(summary.people)), *_of_prior(settings.prior)),
        observations=summary.observations,
        version=__version__,
    )
    progress("summarise", 1, 1)
    return Assembled(report, summary.tracks)


def _of_prior(prior: str) -> Iterator[ResultWarning]:
    if prior != EVERYDAY:
        yield ResultWarning(
            "other_prior",
            f"Probabilities are under {'an even prior' if prior == EVEN else 'a prior of your own'}: everyday life is "
            "mostly neutral and happy, acted or selected material is not, so other expressions are read more readily "
            "than by default.",
        )


def _warnings(parts: Sequence[Part], timeline: Timeline, people: int) -> Iterator[ResultWarning]:
    damaged = sum(part.damaged for part in parts if part.lost is None)
    if damaged:
        message = f"{damaged} damaged frame{'s' if damaged > 1 else ''} skipped; their time counts as not decoded."
        yield ResultWarning("damaged_frames", message, damaged)
    for part in parts:
        if part.lost is not None and len(part.segment.pts):
            # What it overlaps with was analysed as the beginning of the next.
            pts, spans = (column[: part.segment.core] for column in (part.segment.pts, part.segment.spans))
            begin, end = (float(p) * float(timeline.base) for p in (pts[0], pts[-1] + spans[-1]))
            message = f"{begin:.1f} s to {end:.1f} s could not be decoded ({part.lost})."
            yield ResultWarning("segment_lost", message, len(pts), round(end - begin, 3))
    if not people:
        message = "No face was found. Small faces need a smaller min_face; profiles and covered faces are often missed."
        yield ResultWarning("no_face", message)


def analyze(path: str | Path, settings: Settings | None = None, progress: Progress | None = None) -> Report:
    """Analyse a video and return its report. Raises `VisagramError`."""
    return Analysis(path, settings, progress).report()


def _silent(_stage: str, _completed: int, _total: int) -> None:
    """Nobody watches."""


def _provisional(observations: Observations, segment: Segment) -> Observations:
    """Without the overlap, and with track numbers that no other segment uses."""
    if segment.core < len(segment.frames):
        observations = observations[observations.frame < segment.frames[segment.core]]
    return observations.with_columns(track=(observations.track + (segment.number << 16)).astype(np.int32))
