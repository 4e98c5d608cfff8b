"""The two addresses of the original application, for the programs that use it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from visagram.errors import NotFound
from visagram.jobs.model import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Analysis, Video
from visagram.jobs.service import Service
from visagram.jobs.storage import view_folder
from visagram.jobs.videos import shown_name
from visagram.web import shapes
from visagram.web.api.writers import read_statistics
from visagram.web.broadcaster import Broadcaster
from visagram.web.connection import is_gone
from visagram.web.events import wait_until_over
from visagram.web.problems import Problem
from visagram.web.security import who
from visagram.web.uploads import receive_form

_FACE = re.compile(r"face_(\d+)_statistics\.json")
_SAID = {
    QUEUED: "The video was uploaded and waits to be analysed.",
    RUNNING: "The video was uploaded and is being analysed.",
    DONE: "The video was uploaded and analysed.",
    FAILED: "The video was uploaded; its analysis failed.",
    CANCELLED: "The video was uploaded; its analysis was cancelled.",
}


def contract_routes(service: Service, broadcaster: Broadcaster) -> APIBlueprint:
    """Routes of the original application."""
    routes = APIBlueprint("contract", __name__, enable_openapi=False)

    @routes.post("/upload")
    def upload() -> Response:
        wait = request.args.get("wait", "0").lower() not in ("", "0", "false", "no")
        received = receive_form(service, must_analyse=True)
        assert received.analysis is not None
        if wait:
            _wait(service, broadcaster, received.analysis)
        with service.store.read() as session:
            shown = shapes.analysis(service.analyses.get(session, who(), received.analysis))
        name, over = shown["video_name"], shown["state"] not in (QUEUED, RUNNING)
        body = {
            "message": _SAID[shown["state"]],
            "filename": name,
            "job": shown["id"],
            "status_url": f"{shapes.API}/analyses/{shown['id']}",
            "stats_url": f"/stats/{quote(name, safe='')}",
        }
        if wait:
            body |= {"state": shown["state"], "error": shown["error"]}
        response = jsonify(body)
        response.status_code = 200 if wait and over else 202
        response.headers["Location"] = body["status_url"]
        return response

    @routes.get("/stats/<path:filename>")
    def stats(filename: str) -> Response:
        with service.store.read() as session:
            # Asked for as it was uploaded or as it is shown, a name finds the same video.
            named = (Video.owner_id == who().owner, Video.name == shown_name(filename), Video.purge_at.is_(None))
            found = session.query(Analysis).join(Video).filter(*named)
            newest = found.order_by(Analysis.created.desc()).first()
            if newest is None:
                raise NotFound("No video of this name was analysed.")
            shown, folder = shapes.analysis(newest), view_folder(service.storage, newest)
            sha256 = newest.video.blob_id
        if shown["state"] == DONE:
            return jsonify(_statistics(shown["video_name"], folder, sha256))
        if shown["state"] == FAILED:
            raise Problem(422, shown["error"]["code"], shown["error"]["detail"])
        if shown["state"] == CANCELLED:
            raise Problem(422, "cancelled", "The analysis of this video was cancelled.")
        waits = {name: shown[name] for name in ("state", "progress")} | {"filename": shown["video_name"]}
        response = jsonify(waits | {"status_url": f"{shapes.API}/analyses/{shown['id']}"})
        response.status_code = 202
        response.headers["Retry-After"] = "2"
        return response

    return routes


def _wait(service: Service, broadcaster: Broadcaster, analysis: str) -> None:
    environ = request.environ
    try:
        wait_until_over(service, broadcaster, who(), analysis, lambda: is_gone(environ))
    except Problem:
        # Too many wait already: this one is told at once where to ask.
        return


def _statistics(name: str, folder: Path, sha256: str) -> dict[str, Any]:
    numbered = {int(found[1]): path for path in folder.iterdir() if (found := _FACE.fullmatch(path.name))}
    faces = [read_statistics(numbered[number], sha256) for number in sorted(numbered)]
    overall = read_statistics(folder / "overall_statistics.json", sha256)
    return {"filename": name, "overall": overall, "faces": faces}
