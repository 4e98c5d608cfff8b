"""Files of a result, made when asked for, whole or cut to a stretch of time or a person."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

from apiflask import APIBlueprint
from flask import Response, send_file

from visagram.errors import UsageError
from visagram.jobs.analyses import drawing
from visagram.jobs.model import DONE, FAILED, QUEUED, RUNNING, Job
from visagram.jobs.service import Service
from visagram.jobs.storage import annotated_file, size_of
from visagram.web import shapes
from visagram.web.api.answers import REVALIDATE, answer, file, page, tag_of
from visagram.web.api.docs import BINARY, BYTES, also, part, said
from visagram.web.api.found import Result, find_result
from visagram.web.api.made import EXPORTS, Made
from visagram.web.api.names import file_name
from visagram.web.api.result_queries import SelectionQuery
from visagram.web.api.result_schemas import DrawingOut, ExportPage, ReportOut
from visagram.web.api.writers import WHOLE, Selection
from visagram.web.problems import problem_response
from visagram.web.security import who

ANNOTATED = "annotated.mp4"

_FILE = {
    "description": "The file; as json it is the report.",
    "content": {"*/*": {"schema": BINARY}, "application/json": {"schema": ReportOut}},
}


def exports_routes(service: Service) -> APIBlueprint:
    """Routes below /analyses/{id}/exports."""
    api = APIBlueprint("exports", __name__, tag="Results", url_prefix="/analyses/<id>/exports")
    made = Made(service.storage)

    @api.get("")
    @api.output(ExportPage, description="All formats.")
    @api.doc(responses=[409])
    def list_exports(id: str) -> Response:
        """List the files of a result"""
        result = find_result(service, id)
        root = f"{shapes.API}/analyses/{id}/exports"
        items = []
        for format, export in EXPORTS.items():
            size = made.size(result, format)
            items.append(
                {
                    "format": format,
                    "name": file_name(result.name, export.name),
                    "url": f"{root}/{format}",
                    "bytes": size,
                    "state": "none" if size is None else "ready",
                    "what": export.what,
                }
            )
        return answer(page([*items, _annotated_item(service, result, f"{root}/mp4")]))

    @api.get("/mp4")
    @api.output(BYTES, content_type="video/mp4", description="The annotated video; takes ranges.")
    @api.doc(
        responses=also(
            {202: said("It is being made.", DrawingOut), 206: part("video/mp4"), 409: "The analysis has no result."}
        )
    )
    def download_annotated(id: str) -> Response:
        """The video with boxes, names and expressions drawn in

        404 until somebody asks for it with POST; 422 with the reason where it could not be made.
        """
        result = find_result(service, id)
        path = annotated_file(service.storage, id, result.revision)
        if path.is_file():
            return file(path, "video/mp4", tag_of(result.tag, "mp4"), file_name(result.name, ANNOTATED))
        state, job = _drawing(service, result)
        if job is None:
            return _not_there(404, "not_found", "It has not been asked for: POST to this address makes it.", state)
        if state == FAILED:
            return _not_there(422, job.error_code or "internal", job.error_detail or "It could not be made.", state)
        return answer(_how_far(state, job), 202)

    @api.post("/mp4")
    @api.output(DrawingOut, 202, description="It will be made.")
    @api.doc(responses=also({200: said("It is there already.", DrawingOut), 409: "The analysis has no result."}))
    def make_annotated(id: str) -> Response:
        """Have the annotated video made"""
        result = find_result(service, id)
        path = annotated_file(service.storage, id, result.revision)
        service.analyses.annotate(who(), id)
        if path.is_file():
            return answer(_how_far(DONE, None))
        return answer(_how_far(*_drawing(service, result)), 202)

    @api.get("/<any(csv, parquet, json, html, vtt, npy, statistics):format>")
    @api.input(SelectionQuery, location="query", arg_name="query")
    @api.doc(responses=also({200: _FILE, 206: part("*/*"), 409: "The analysis has no result."}))
    def download_export(id: str, format: str, query: dict[str, Any]) -> Response:
        """A result as a file

        csv, parquet, vtt and npy can be cut to a stretch of time and to a person.
        """
        result, export = find_result(service, id), EXPORTS[format]
        name = file_name(result.name, export.name)
        chosen = Selection(query["start"], query["end"], query["person"])
        if chosen == WHOLE:
            return file(made.get(result, format), export.kind, tag_of(result.tag, result.name, format), name)
        if not export.cut:
            formats = ", ".join(format for format, export in EXPORTS.items() if export.cut)
            raise UsageError(f"Only {formats} can be cut to start, end and person.")
        if export.stream is None:
            part = made.cut(result, format, chosen)
            response = send_file(part, export.kind, as_attachment=True, download_name=name)
        else:
            parts = export.stream(result, chosen)
            # What cannot be read is found out before the answer begins.
            first = next(parts)
            response = Response(chain([first], parts), mimetype=export.kind)
            response.headers.add("Content-Disposition", "attachment", filename=name)
        response.headers["Cache-Control"] = REVALIDATE
        return response

    return api


def _annotated_item(service: Service, result: Result, url: str) -> dict[str, Any]:
    path = annotated_file(service.storage, result.analysis, result.revision)
    there = path.is_file()
    return {
        "format": "mp4",
        "name": file_name(result.name, ANNOTATED),
        "url": url,
        "bytes": size_of(path) if there else None,
        "state": "ready" if there else _drawing(service, result)[0],
        "what": "The video with boxes, names and expressions drawn in",
    }


def _drawing(service: Service, result: Result) -> tuple[str, Job | None]:
    """State of the job that draws, 'none' where nobody asked for it or where it drew an earlier revision."""
    with service.store.read() as session:
        job = drawing(session, result.analysis)
    return ("none", None) if job is None or job.state not in (QUEUED, RUNNING, FAILED) else (job.state, job)


def _not_there(status: int, code: str, detail: str, state: str) -> Response:
    """A problem that tells the state as well."""
    response = problem_response(status, code, detail)
    response.set_data(json.dumps(response.get_json() | {"state": state, "progress": 0.0}))
    return response


def _how_far(state: str, job: Job | None) -> dict[str, Any]:
    if state == DONE:
        return {"state": state, "progress": 1.0}
    return {"state": state, "progress": min(1.0, job.completed / job.total) if job is not None and job.total else 0.0}
