"""Pictures of a result: faces of people and tracks, and the video at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from apiflask import APIBlueprint
from flask import Response
from numpy.typing import NDArray

from visagram.errors import NotFound
from visagram.export.json import thumbnail_name
from visagram.export.view import open_tracks, rows_between
from visagram.jobs.service import Service
from visagram.web.api.answers import FOREVER, keyed, picture, read_bytes, tag_of
from visagram.web.api.docs import BYTES
from visagram.web.api.found import find_result
from visagram.web.api.result_queries import FrameQuery
from visagram.web.api.stills import Box, Stills
from visagram.web.security import who
from visagram.wire import unpack_facts

SURROUNDINGS = 2.2
"""Side of the picture of a face, in lengths of its box."""
INSTANT = 1e-3
"""Seconds: times travel as rounded decimals."""


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
    @api.doc(responses=[409, 503])
    def show_frame(id: str, query: dict[str, Any]) -> Response:
        """The video's picture at a time

        Times after the end give the last picture. Widths are rounded up to multiples of 80 pixels. With a person it is
        the square around their face, or the whole picture at times at which they are not seen.
        """
        result = find_result(service, id) if query["person"] is not None else None
        with service.store.read() as session:
            blob = service.analyses.get(session, who(), id).video.blob
        time = query["time"]
        facts = None if blob.facts is None else unpack_facts(blob.facts)
        if facts is not None:
            time = min(time, float(facts.duration))
        box = None
        if result is not None and facts is not None:
            seen = rows_between(result.folder, time, time + INSTANT, query["person"])
            box = around(seen.box[-1], facts.width, facts.height) if len(seen) else None
        content = stills.get(blob.sha256, time, query["width"], box)
        return picture(content, tag_of(content), FOREVER if result is None else keyed(result.tag))

    return api


def around(face: NDArray[np.float32], width: int, height: int) -> Box:
    """A square around a face (4,) x, y, w, h, moved into the picture where it would stick out of it."""
    x, y, w, h = (float(value) for value in face)
    side = min(SURROUNDINGS * max(w, h), width, height)
    left = min(max(0.0, x + w / 2 - side / 2), width - side)
    top = min(max(0.0, y + h / 2 - side / 2), height - side)
    return round(left), round(top), max(1, round(side)), max(1, round(side))
