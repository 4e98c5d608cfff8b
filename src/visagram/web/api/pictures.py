"""Pictures of a result: faces of people and tracks, and the video at a time."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.errors import NotFound
from visagram.export.json import thumbnail_name
from visagram.export.view import open_tracks
from visagram.jobs.service import Service
from visagram.web.api.answers import FOREVER, keyed, picture, read_bytes, tag_of
from visagram.web.api.docs import BYTES
from visagram.web.api.found import find_result
from visagram.web.api.result_queries import FrameQuery
from visagram.web.api.stills import Stills
from visagram.web.security import who
from visagram.wire import unpack_facts


def pictures_routes(service: Service, stills: Stills) -> APIBlueprint:
    """Routes below /analyses/{id} that answer with a JPEG."""
    api = APIBlueprint("pictures", __name__, tag="Results", url_prefix="/analyses/<id>")

    @api.get("/people/<int(max=2147483647):n>/thumbnail")
    @api.output(BYTES, content_type="image/jpeg", description="The face.")
    @api.doc(responses=[409])
    def person_thumbnail(id: str, n: int) -> Response:
        """A person's best face"""
        result = find_result(service, id)
        content = read_bytes(result.folder / thumbnail_name(n))
        return picture(content, tag_of(content), keyed(result.tag))

    @api.get("/tracks/<int(max=2147483647):track>/thumbnail")
    @api.output(BYTES, content_type="image/jpeg", description="The face.")
    @api.doc(responses=[409])
    def track_thumbnail(id: str, track: int) -> Response:
        """A track's best face"""
        result = find_result(service, id)
        found = [stored.thumbnail for stored in open_tracks(result.machine) if stored.track == track]
        if not found or not found[0]:
            raise NotFound("There is no picture of such a track.")
        return picture(found[0], tag_of(found[0]), keyed(result.tag))

    @api.get("/frame")
    @api.input(FrameQuery, location="query", arg_name="query")
    @api.output(BYTES, content_type="image/jpeg", description="The picture.")
    @api.doc(responses=[503])
    def show_frame(id: str, query: dict[str, Any]) -> Response:
        """The video's picture at a time

        Times after the end give the last picture. Widths are rounded up to multiples of 80 pixels.
        """
        with service.store.read() as session:
            blob = service.analyses.get(session, who(), id).video.blob
        time = query["time"]
        if blob.facts is not None:
            time = min(time, float(unpack_facts(blob.facts).duration))
        content = stills.get(blob.sha256, time, query["width"])
        return picture(content, tag_of(content), FOREVER)

    return api
