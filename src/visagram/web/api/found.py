"""What a request speaks of, looked up for whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from visagram.jobs.model import Analysis
from visagram.jobs.service import Service
from visagram.jobs.storage import view_folder
from visagram.web.api.answers import tag_of
from visagram.web.security import who


@dataclass(frozen=True, slots=True)
class Result:
    """A finished analysis with all changes that people made so far.

    folder: its view. machine: the view that the machine wrote. tag: names its content; it does not hold the video's
    name. revision: as in `Analysis`.
    """

    analysis: str
    video: str
    name: str
    sha256: str
    revision: int
    folder: Path
    machine: Path
    tag: str


def find_result(service: Service, id: str) -> Result:
    """Raises `NotFound`, and `Conflict` where the analysis is not done."""
    with service.store.read() as session:
        return of_analysis(service, service.analyses.finished(session, who(), id))


def of_analysis(service: Service, analysis: Analysis) -> Result:
    """The result of a finished analysis, inside its session."""
    return Result(
        analysis=analysis.id,
        video=analysis.video.id,
        name=analysis.video.name,
        sha256=analysis.video.blob_id,
        revision=analysis.revision,
        folder=view_folder(service.storage, analysis),
        machine=service.storage.output(analysis.output_id),
        tag=tag_of(analysis.output_id, [change.edit for change in analysis.changes]),
    )
