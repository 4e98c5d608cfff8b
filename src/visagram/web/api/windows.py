"""Event windows: named stretches of a video."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.errors import NotFound
from visagram.jobs.service import Service
from visagram.web import shapes
from visagram.web.api.answers import answer, nothing, page
from visagram.web.api.schemas import WindowIn, WindowOut, WindowPage
from visagram.web.security import who


def windows_routes(service: Service) -> APIBlueprint:
    """Routes below /videos/{id}/windows."""
    api = APIBlueprint("windows", __name__, tag="Videos", url_prefix="/videos/<id>/windows")

    @api.get("")
    @api.output(WindowPage, description="All windows of the video.")
    def list_windows(id: str) -> Response:
        """List the event windows of a video, in time order"""
        with service.store.read() as session:
            return answer(page([shapes.window(row) for row in service.videos.get(session, who(), id).windows]))

    @api.post("")
    @api.input(WindowIn, arg_name="window", example={"name": "question 1", "start": 12.5, "end": 20.0})
    @api.output(WindowOut, 201, description="The window.")
    def add_window(id: str, window: dict[str, Any]) -> Response:
        """Mark a stretch of a video"""
        return answer(_shown(service, id, service.videos.add_window(who(), id, **window)), 201)

    @api.patch("/<window_id>")
    @api.input(WindowIn(partial=True), arg_name="window", example={"end": 21.0})
    @api.output(WindowOut, description="The window as it is now.")
    def change_window(id: str, window_id: str, window: dict[str, Any]) -> Response:
        """Rename a window or move its ends"""
        service.videos.change_window(who(), id, window_id, window)
        return answer(_shown(service, id, window_id))

    @api.delete("/<window_id>")
    @api.output({}, 204, description="It is gone.")
    def delete_window(id: str, window_id: str) -> Response:
        """Delete a window"""
        service.videos.delete_window(who(), id, window_id)
        return nothing()

    return api


def _shown(service: Service, id: str, window_id: str) -> dict[str, Any]:
    with service.store.read() as session:
        for row in service.videos.get(session, who(), id).windows:
            if row.id == window_id:
                return shapes.window(row)
    raise NotFound("There is no such window; it may have been deleted.")
