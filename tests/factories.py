"""Reports made up by hand, small and fast: two people, gaps, unusable frames, ugly names."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from visagram import __version__
from visagram.core.certainty import certainty, unsure_below
from visagram.core.types import (
    EXPRESSIONS,
    NOT_DECODED,
    NOT_VISIBLE,
    Observations,
    Person,
    Reason,
    ResultWarning,
    Share,
    Totals,
    VideoFacts,
)
from visagram.report import Report

UGLY_NAMES = (
    "<img onerror=x>.mp4",
    "</script><script>alert(1)</script>.mp4",
    "=cmd|' /C calc'!A0.mp4",
    '"quoted", and\nbroken.mp4',
    "\x1b]0;owned\x07.mp4",
    "\u202egpj.mp4",
    "caf\udce9.mp4",
    "映画 👩‍👩‍👧.mp4",
    "$name ${name} %s {0}.mp4",
)

MODELS = (
    {"name": "retinaface-mobilenet025", "task": "face detection", "version": "1", "sha256": "ab" * 32},
    {"name": "expression-net", "task": "apparent expression", "version": "2", "sha256": "cd" * 32},
)

SHA256 = "0123456789abcdef" * 4
VIDEO_ID = SHA256[:16]

TINY_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////"
    "wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q=="
)


def video_facts(name: str = "talk.mp4", frames: int = 100, still: bool = False) -> VideoFacts:
    rate = Fraction(25)
    return VideoFacts(
        name=name,
        bytes=4_215_331,
        container="mov,mp4",
        codec="h264",
        pixel_format="yuv420p",
        width=640,
        height=360,
        coded_width=640,
        coded_height=368,
        rotation=0,
        mirrored=False,
        frames=frames,
        duration=Fraction(frames) / rate,
        rate=rate,
        variable_rate=False,
        has_audio=True,
        still=still,
        path=f"/videos/{name}",
        sha256=SHA256,
    )


def posteriors(labels: Sequence[int], confidence: float = 0.76) -> np.ndarray:
    """(n, 7) float32 rows that sum to 1 with `confidence` on each row's label; NaN where the label is negative."""
    rows = np.full((len(labels), 7), (1 - confidence) / 6, np.float32)
    for row, label in enumerate(labels):
        if label < 0:
            rows[row] = np.nan
        else:
            rows[row, label] = confidence
    return rows


def observations(person: int, frames: Sequence[int], labels: Sequence[int], rate: float = 25.0) -> Observations:
    """One person's rows; a negative label stands for the reason of an unusable frame: -3 is `Reason.TURNED`."""
    n = len(frames)
    frame = np.asarray(frames, np.int64)
    box = np.tile(np.float32([40 * person, 30, 80, 100]), (n, 1)) + frame[:, None].astype(np.float32) / 8
    offsets = np.float32([[25, 40], [55, 40], [40, 60], [28, 78], [52, 78]])
    return Observations(
        frame=frame,
        time=frame / rate,
        span=np.full(n, 1 / rate),
        person=np.full(n, person, np.int32),
        track=np.full(n, person + 6, np.int32),
        box=box,
        landmarks=box[:, None, :2] + offsets,
        score=np.full(n, 0.987, np.float32),
        detected=frame % 4 == 0,
        reason=np.asarray([max(0, -label) for label in labels], np.uint8),
        quality=np.full(n, 0.5, np.float32),
        posterior=posteriors(labels),
    )


def shares(rows: Observations) -> tuple[Share, ...]:
    usable = rows[rows.usable]
    if not len(usable):
        return ()
    time = usable.span if usable.span.any() else np.ones(len(usable))  # a still picture lasts no time
    values = [float(time[usable.emotion == k].sum() / time.sum()) for k in range(len(EXPRESSIONS))]
    return tuple(Share(v, max(0.0, v - 0.06), min(1.0, v + 0.07)) for v in values)


def counts(rows: Observations) -> tuple[int, ...]:
    return tuple(int(c) for c in np.bincount(rows.emotion[rows.usable], minlength=len(EXPRESSIONS)))


def person(rows: Observations, id: int, duration: float, name: str = "", thumbnail: bytes = TINY_JPEG) -> Person:
    seen = rows[rows.person == id]
    sure = certainty(seen, unsure_below(MODELS))
    usable = seen[seen.usable]
    measured = float(usable.span.sum(dtype=np.float64))
    unmeasured = {r.label: float(seen.span[seen.reason == r].sum(dtype=np.float64)) for r in list(Reason)[1:]}
    unmeasured |= {NOT_DECODED: 0.0, NOT_VISIBLE: max(0.0, duration - measured - sum(unmeasured.values()))}
    breaks = [0, *(np.flatnonzero(np.diff(seen.frame) > 1) + 1).tolist(), len(seen)]
    return Person(
        id=id,
        name=name or f"Person {id}",
        tracks=tuple(int(t) for t in np.unique(seen.track)),
        first_seen=float(seen.time[0]),
        last_seen=float(seen.time[-1] + seen.span[-1]),
        screen_time=float(seen.span.sum(dtype=np.float64)),
        frames_seen=len(seen),
        frames_usable=len(usable),
        emotion_counts=counts(seen),
        certain_counts=sure.counts,
        shares=shares(seen),
        mean_posterior=tuple(float(p) for p in usable.posterior.mean(axis=0)) if len(usable) else (),
        measured=measured,
        unsure=sure.unsure,
        unmeasured=unmeasured,
        segments=tuple((float(seen.time[a]), float(seen.time[b - 1] + seen.span[b - 1])) for a, b in pairwise(breaks)),
        thumbnail=thumbnail,
    )


def report_of(rows: Observations, facts: VideoFacts, warnings: Sequence[str] = (), names: Sequence[str] = ()) -> Report:
    """The report over `rows`, with statistics simple enough to check by hand. warnings: sentences."""
    duration = float(facts.duration)
    ids = [int(id) for id in np.unique(rows.person) if id]
    measured = np.unique(rows.frame[rows.usable])
    named = dict(zip(ids, names, strict=False))
    sure = certainty(rows, unsure_below(MODELS))
    return Report(
        video=facts,
        settings={"start": 0.0, "end": None, "detect_every": 0, "detect_size": "auto", "region": [0, 0, 640, 360]},
        models=MODELS,
        people=tuple(person(rows, id, duration, named.get(id, "")) for id in ids),
        totals=Totals(
            frames=facts.frames,
            frames_damaged=0,
            frames_with_faces=len(np.unique(rows.frame)),
            duration=duration,
            coverage=len(measured) / facts.frames if facts.frames else 0.0,
            emotion_counts=counts(rows),
            certain_counts=sure.counts,
            shares=shares(rows),
            unsure=sure.unsure,
        ),
        warnings=tuple(ResultWarning("note", text) for text in warnings),
        observations=rows,
        version=__version__,
    )


def make_report(name: str = "talk.mp4", warnings: Sequence[str] = (), names: Sequence[str] = ()) -> Report:
    """Four seconds, two people. Person 1 is happy, turns away (frames 30-39), then neutral. Person 2 is sad in frames
    10-39 and again, after an absence, in frames 70-99, where the last ten are blurred."""
    happy, sad, neutral = (EXPRESSIONS.index(e) for e in ("happy", "sad", "neutral"))
    first = observations(1, range(100), [happy] * 30 + [-Reason.TURNED] * 10 + [neutral] * 60)
    second = observations(2, [*range(10, 40), *range(70, 100)], [sad] * 50 + [-Reason.BLURRED] * 10)
    rows = Observations.concatenate([first, second])
    return report_of(rows[np.argsort(rows.frame, kind="stable")], video_facts(name), warnings, names)


def doubtful_report() -> Report:
    """As `make_report`, but in frames 0 to 9 person 1 looks hardly happier than sad."""
    rows = make_report().observations
    unsure = (rows.person == 1) & (rows.frame < 10)
    posterior = rows.posterior.copy()
    posterior[unsure] = np.float32([0.04, 0.04, 0.04, 0.42, 0.38, 0.04, 0.04])
    return report_of(rows.with_columns(posterior=posterior), video_facts())


def unnamed_content(sha256: str = "") -> Report:
    """As `make_report`, but the content of its video is not known, or another."""
    report = make_report()
    return dataclasses.replace(report, video=dataclasses.replace(report.video, sha256=sha256))


def no_people(name: str = "landscape.mp4") -> Report:
    return report_of(Observations.empty(), video_facts(name))


def one_frame(name: str = "portrait.jpg") -> Report:
    facts = dataclasses.replace(video_facts(name, frames=1, still=True), duration=Fraction(0), rate=Fraction(0))
    rows = observations(1, [0], [EXPRESSIONS.index("surprise")])
    return report_of(rows.with_columns(span=np.zeros(1)), facts)


def unusable_person() -> Report:
    """Somebody was there, too small in every frame."""
    return report_of(observations(1, range(50), [-Reason.TOO_SMALL] * 50), video_facts(frames=50))
