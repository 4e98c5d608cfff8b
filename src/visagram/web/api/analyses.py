"""Analyses: ask for one, find, watch, cancel, repeat and delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, HTTPError
from flask import Response

from visagram.errors import NotFound, UsageError
from visagram.jobs.analyses import state
from visagram.jobs.model import CANCELLED, DONE, FAILED, RUNNING, Analysis, Job, Output, Video
from visagram.jobs.service import Service
from visagram.jobs.storage import preview_file
from visagram.jobs.videos import Who
from visagram.settings import Settings
from visagram.web import shapes
from visagram.web.api.answers import answer, nothing, page, picture, read_bytes, tag_of
from visagram.web.api.docs import BYTES, also, said
from visagram.web.api.presets import settings_of
from visagram.web.api.result_schemas import PreviewOut
from visagram.web.api.schemas import AnalysesQuery, AnalysisIn, AnalysisOut, AnalysisPage
from visagram.web.security import who

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def analyses_routes(service: Service) -> APIBlueprint:
    """Routes below /analyses that do not need a result."""
    api = APIBlueprint("analyses", __name__, tag="Analyses", url_prefix="/analyses")

    @api.get("")
    @api.input(AnalysesQuery, location="query", arg_name="query")
    @api.output(AnalysisPage, description="A page of analyses.")
    def list_analyses(query: dict[str, Any]) -> Response:
        """List analyses, newest first"""
        with service.store.read() as session:
            found, total = _find(session, who(), **query)
            return answer(page([shapes.analysis(row) for row in found], total, query["limit"], query["offset"]))

    @api.post("")
    @api.input(AnalysisIn, arg_name="wanted", example={"video_id": "5f0c3f9a1b2c4d5e", "preset": "fast"})
    @api.output(AnalysisOut, 202, description="The analysis is waiting for its turn.")
    @api.doc(responses=also({200: said("This video has an analysis under these settings already.", AnalysisOut)}))
    def create_analysis(wanted: dict[str, Any]) -> Response:
        """Analyse a video

        Settings that are given win over those of the preset; what neither names has the server's default.
        """
        _check(wanted["settings"])
        given = settings_of(wanted["preset"]) | wanted["settings"]
        id, new = service.analyses.create(who(), wanted["video_id"], given)
        return answer(_shown(service, id), 202 if new else 200)

    @api.get("/<id>")
    @api.output(AnalysisOut, description="The analysis.")
    def show_analysis(id: str) -> Response:
        """Show an analysis and how far it is"""
        return answer(_shown(service, id))

    @api.delete("/<id>")
    @api.output({}, 204, description="It is gone.")
    def delete_analysis(id: str) -> Response:
        """Delete an analysis with the changes that people made in it"""
        service.analyses.delete(who(), id)
        return nothing()

    @api.post("/<id>/cancel")
    @api.output(AnalysisOut, description="The analysis, cancelled.")
    @api.doc(responses=[409])
    def cancel_analysis(id: str) -> Response:
        """Stop an analysis"""
        service.analyses.cancel(who(), id)
        return answer(_shown(service, id))

    @api.post("/<id>/retry")
    @api.output(AnalysisOut, 202, description="The analysis is waiting for its turn again.")
    @api.doc(responses=[409])
    def retry_analysis(id: str) -> Response:
        """Begin a failed or cancelled analysis again"""
        service.analyses.retry(who(), id)
        return answer(_shown(service, id), 202)

    @api.get("/<id>/preview")
    @api.output(BYTES, content_type="image/jpeg", description="The picture.")
    @api.doc(responses={204: "There is no picture yet, or no more."})
    def preview(id: str) -> Response:
        """The last analysed picture of a running analysis"""
        job = _previewed(service, id)
        if job is None or job.preview is None:
            return nothing()
        try:
            content = read_bytes(preview_file(service.storage.work(job.id)))
        except NotFound:
            return nothing()
        return picture(content, tag_of(content), "private, no-store")

    @api.get("/<id>/preview/faces")
    @api.output(PreviewOut, description="Faces of the last analysed picture.")
    @api.doc(responses={204: "There is no picture yet, or no more."})
    def preview_faces(id: str) -> Response:
        """The faces in the last analysed picture"""
        job = _previewed(service, id)
        return nothing() if job is None or job.preview is None else answer(job.preview)

    return api


def _check(settings: dict[str, Any]) -> None:
    """Say of each setting that makes no sense what is wrong with it. Raises `HTTPError`."""
    wrong = {}
    for name, value in settings.items():
        try:
            Settings(**Settings.parse({name: value}))
        except UsageError as error:
            wrong[name] = [str(error)]
    if wrong:
        raise HTTPError(422, message="Some settings make no sense.", detail={"settings": wrong})


def _shown(service: Service, id: str) -> dict[str, Any]:
    with service.store.read() as session:
        return shapes.analysis(service.analyses.get(session, who(), id))


def _previewed(service: Service, id: str) -> Job | None:
    with service.store.read() as session:
        analysis = service.analyses.get(session, who(), id)
        return analysis.output.job if state(analysis) == RUNNING else None


def _find(
    session: Session, asking: Who, *, video: str, state: str, limit: int, offset: int
) -> tuple[list[Analysis], int]:
    """Analyses of videos that are not deleted, newest first, and how many there are."""
    found = session.query(Analysis).join(Analysis.video).join(Analysis.output).outerjoin(Output.job)
    found = found.filter(Video.owner_id == asking.owner, Video.purge_at.is_(None))
    if video:
        found = found.filter(Video.id == video)
    if state == CANCELLED:
        found = found.filter(Analysis.cancelled.is_not(None))
    elif state:
        found = found.filter(Analysis.cancelled.is_(None))
    if state == DONE:
        found = found.filter(Output.published.is_not(None))
    elif state == FAILED:
        found = found.filter(Output.published.is_(None), (Job.state == FAILED) | Job.id.is_(None))
    elif state and state != CANCELLED:
        found = found.filter(Output.published.is_(None), Job.state == state)
    rows = found.order_by(Analysis.created.desc(), Analysis.id).limit(limit).offset(offset)
    return rows.all(), found.count()
