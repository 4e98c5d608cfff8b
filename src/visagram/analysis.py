"""One video on its way to a report: probe, plan, analyse the segments in worker processes, summarise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import visagram.wire as wire
from visagram.core.segments import Segment, SegmentResult, Timeline, plan
from visagram.core.summary import summarise
from visagram.core.types import Observations, Progress, TrackSummary, VideoFacts
from visagram.errors import DecodeFailed, NoFrames, UsageError
from visagram.models.catalog import model_cards, same_person_threshold
from visagram.report import Report
from visagram.settings import Settings
from visagram.workers import Workers


@dataclass(slots=True)
class _Parts:
    """What has arrived of one segment."""

    segment: Segment
    observations: list[Observations] = field(default_factory=list)
    tracks: list[TrackSummary] = field(default_factory=list)
    frames: int = 0
    damaged: int = 0
    span: float = 0.0
    lost: str | None = None
    done: bool = False

    def result(self) -> SegmentResult:
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
        self._facts: VideoFacts | None = None
        self._timeline: Timeline | None = None
        self._parts: list[_Parts] = []
        self._started = False

    def __iter__(self) -> Iterator[Observations]:
        if self._started:
            raise UsageError("An analysis can be iterated once: make another one, or ask for its report().")
        self._started = True
        with ExitStack() as stack:
            workers = self._workers or stack.enter_context(Workers(self.settings))
            yield from self._run(workers)

    def report(self) -> Report:
        """The finished report; runs what is left of the analysis."""
        if not self._started:
            for _ in self:
                pass
        if self._facts is None or not all(part.done for part in self._parts):
            raise UsageError("The analysis was not iterated to its end, so there is nothing to report.")
        return self._summarised(self._facts)

    def _run(self, workers: Workers) -> Iterator[Observations]:
        self._progress("probe", 0, 1)
        workers.warm(2)
        facts, timeline = workers.probe(self.path)
        self._facts, self._timeline = facts, timeline
        self._progress("probe", 1, 1)
        settings = self.settings
        if settings.region and (settings.region[0] >= facts.width or settings.region[1] >= facts.height):
            raise UsageError(f"The region lies outside the picture of {facts.width}x{facts.height} pixels.")
        segments = plan(timeline, settings.start, settings.end, settings.sample_fps)
        if not segments:
            raise UsageError(
                f"{self.path} ends after {float(facts.duration):.2f} s: there is no frame in the chosen range."
            )
        self._parts = [_Parts(segment) for segment in segments]
        total = sum(segment.core for segment in segments) or facts.frames
        self._progress("analyse", 0, total)
        for segment, (kind, values, arrays) in workers.analyse(self.path, facts, timeline, segments):
            part = self._parts[segment.number]
            if kind == "observations":
                observations = wire.unpack_observations(arrays)
                part.observations.append(observations)
                part.frames = int(values["frames"])
                self._progress("analyse", sum(p.frames for p in self._parts), total)
                yield _provisional(observations, segment)
            elif kind == "track":
                part.tracks.append(wire.unpack_track(values, arrays))
            elif kind == "done":
                part.frames, part.damaged = int(values["frames"]), int(values["damaged"])
                part.span, part.done = float(values["span"]), True
            else:
                part.lost, part.done = str(values["reason"]), True
        self._progress("analyse", total, total)

    def _summarised(self, facts: VideoFacts) -> Report:
        self._progress("summarise", 0, 1)
        whole = [part.result() for part in self._parts if part.lost is None]
        if not whole:
            raise DecodeFailed(f"{self.path} could not be decoded ({self._parts[0].lost}): it may be damaged.")
        if not any(result.frames for result in whole):
            raise NoFrames(f"{self.path} holds no frame that can be decoded: it may be cut short or damaged.")
        summary = summarise(
            whole, analysed=self._planned_seconds(whole), threshold=same_person_threshold(), seed=self.settings.seed
        )
        report = Report(
            video=facts,
            settings=self.settings.for_report(),
            models=tuple(model_cards()),
            people=summary.people,
            totals=summary.totals,
            warnings=tuple(self._warnings(whole, len(summary.people))),
            observations=summary.observations,
        )
        self._progress("summarise", 1, 1)
        return report

    def _planned_seconds(self, results: list[SegmentResult]) -> float:
        assert self._timeline is not None
        spans = [int(part.segment.spans[: part.segment.core].sum()) for part in self._parts]
        planned = float(sum(spans) * self._timeline.base)
        return planned or sum(result.span for result in results)

    def _warnings(self, results: list[SegmentResult], people: int) -> Iterator[str]:
        damaged = sum(result.damaged for result in results)
        if damaged:
            yield f"{damaged} damaged frame{'s' if damaged > 1 else ''} skipped; their time counts as not decoded."
        for part in self._parts:
            if part.lost is not None and len(part.segment.pts):
                begin, end = (float(np.float64(p) * float(self._timeline.base)) for p in part.segment.pts[[0, -1]])  # type: ignore[union-attr]
                yield f"{begin:.1f} s to {end:.1f} s could not be decoded ({part.lost})."
        if not people:
            yield "No face was found. Small faces need a lower --min-face; profiles and covered faces are often missed."


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
