"""What a candidate would change on somebody's own videos: other apparent expressions of faces that were measured there.

Both models look at the same crops, cut out again in worker processes; results that there are stay as they are.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from visagram.core.certainty import Below, doubtful, unsure_below
from visagram.core.types import EXPRESSIONS, Progress
from visagram.errors import DataError, InputError, UsageError
from visagram.evaluate.model import Model
from visagram.evaluate.run import open_models
from visagram.export.read import read_report
from visagram.jobs.model import Analysis, Output, Video
from visagram.jobs.storage import Storage, view_folder
from visagram.models.promotion import current
from visagram.settings import Settings
from visagram.workers import Workers

MOST_VIDEOS, MOST_FACES, MOST_NAMED = 5, 200, 5
"""Videos that are looked at, faces of each, and kinds of changes that are named of each."""

_NOBODY = np.empty((0, len(EXPRESSIONS)))


@dataclass(frozen=True, slots=True)
class Analysed:
    """name: of the video in its library. blob: its bytes. view: the folder of its result."""

    name: str
    blob: Path
    view: Path


def newest(session: Session, storage: Storage, owner: int) -> list[Analysed]:
    """The videos of somebody's newest finished analyses, the newest first."""
    mine = select(Analysis).join(Video).join(Output).where(Video.owner_id == owner, Video.purge_at.is_(None))
    finished = mine.where(Analysis.cancelled.is_(None), Output.published.is_not(None))
    rows = session.scalars(finished.order_by(Analysis.created.desc(), Analysis.id).limit(MOST_VIDEOS))
    return [Analysed(row.video.name, storage.blob(row.video.blob_id), view_folder(storage, row)) for row in rows]


def effects(
    videos: Sequence[Analysed],
    candidate: Path,
    settings: Settings,
    workers: Callable[[Settings], Workers],
    worded: Callable[[str], str],
    progress: Progress,
) -> list[dict[str, Any]]:
    """Of each video its `name`, how many `faces` were looked at and what `difference` says of them; `left_out` says why
    a video was not looked at, else it is None.

    candidate: the model's ONNX file, compared with the one in force. workers: processes of these settings. worded: an
    error's text for people. Raises `ModelError`.
    """
    names = [f"onnx:{current(settings.models_folder).file}", f"onnx:{candidate}"]
    found: list[dict[str, Any]] = []
    with open_models(names, settings, looks=False) as models:
        for done, video in enumerate(videos):
            progress("videos", done, len(videos))
            entry = {"name": video.name, "left_out": None, "faces": 0, **difference(_NOBODY, _NOBODY, (0, 0))}
            try:
                entry |= _effect(video, models, settings, workers)
            except (DataError, InputError, UsageError) as error:
                entry["left_out"] = worded(str(error))
            found.append(entry)
    return found


def difference(
    before: NDArray[np.floating[Any]], after: NDArray[np.floating[Any]], below: tuple[Below, Below]
) -> dict[str, Any]:
    """How two models' posteriors (n, 7) of the same faces differ: how many faces are `changed`, with another most
    probable expression, the most frequent of these `changes`, and how many are `unsure` or `sure` only after. below:
    each model's thresholds, as in `visagram.core.certainty.unsure`."""
    pairs = Counter(
        (EXPRESSIONS[one], EXPRESSIONS[other])
        for one, other in zip(before.argmax(axis=1).tolist(), after.argmax(axis=1).tolist(), strict=True)
        if one != other
    )
    was, now = (doubtful(rows, each) for rows, each in zip((before, after), below, strict=True))
    named = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_NAMED]
    return {
        "changed": pairs.total(),
        "changes": [{"before": one, "after": other, "faces": count} for (one, other), count in named],
        "unsure": int((now & ~was).sum()),
        "sure": int((was & ~now).sum()),
    }


def _effect(
    video: Analysed, models: Sequence[Model], settings: Settings, workers: Callable[[Settings], Workers]
) -> dict[str, Any]:
    """Raises `DataError`, `InputError` and `UsageError`."""
    report = read_report(video.view)
    measured = np.flatnonzero(report.observations.usable)
    if not len(measured):
        raise DataError("No face was measured in this video.")
    rows = report.observations[measured[np.linspace(0, len(measured) - 1, min(len(measured), MOST_FACES)).astype(int)]]
    stream = report.video.stream if report.video.stream >= 0 else None
    luma = workers(dataclasses.replace(settings, stream=stream)).faces(video.blob, report, rows)
    if not len(luma):
        raise DataError("No frame with a measured face could be decoded again.")
    before, after = (model.classifier.classify(luma) for model in models)
    first, second = (unsure_below([model.facts]) for model in models)
    return {"faces": len(luma)} | difference(before, after, (first, second))
