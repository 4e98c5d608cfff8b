"""Corrections of apparent expressions, collected with consent as examples to learn from."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.core.types import EXPRESSIONS
from visagram.errors import Conflict, UsageError
from visagram.export.view import rows_between
from visagram.jobs.corrections import CONSENT
from visagram.jobs.service import Service
from visagram.web import shapes
from visagram.web.api.answers import FOREVER, answer, nothing, page, picture, read_bytes, tag_of
from visagram.web.api.correction_schemas import CorrectionIn, CorrectionOut, CorrectionPage
from visagram.web.api.docs import BYTES
from visagram.web.api.found import find_result
from visagram.web.api.pictures import INSTANT, around
from visagram.web.api.stills import Stills
from visagram.web.security import who
from visagram.wire import unpack_facts

SIDE = 240
"""Pixels of the picture that is kept."""


def corrections_routes(service: Service, stills: Stills) -> APIBlueprint:
    """Routes for /analyses/{id}/people/{n}/corrections and /studio/corrections."""
    api = APIBlueprint("corrections", __name__, tag="Studio")

    @api.post("/analyses/<id>/people/<int(max=2147483647):n>/corrections")
    @api.input(CorrectionIn, arg_name="said", example={"time": 1.5, "expression": "neutral", "consent": True})
    @api.output(CorrectionOut, 201, description="The face is kept.")
    @api.doc(responses=[409, 503])
    def create_correction(id: str, n: int, said: dict[str, Any]) -> Response:
        """Say what a face shows at a time, and keep it as an example to learn from

        Only with the consent of whoever is shown. The result stays as the model gave it.
        """
        if not said["consent"]:
            raise UsageError(CONSENT)
        result = find_result(service, id)
        with service.store.read() as session:
            blob = service.analyses.get(session, who(), id).video.blob
        seen, facts = rows_between(result.folder, said["time"], said["time"] + INSTANT, n), blob.facts
        if not len(seen) or facts is None:
            raise Conflict("This person is not seen at that time.")
        size = unpack_facts(facts)
        content = stills.get(blob.sha256, said["time"], SIDE, around(seen.box[-1], size.width, size.height))
        if not stills.has_face(content):
            raise Conflict("No face can be cut out of this picture: choose a moment that shows it better.")
        model = int(seen.emotion[-1])
        was = EXPRESSIONS[model] if model >= 0 else ""
        kept = service.corrections.add(who(), content, said["expression"], was, consent=said["consent"])
        return answer(shapes.correction(kept), 201)

    @api.get("/studio/corrections")
    @api.output(CorrectionPage, description="All corrections, oldest first.")
    @api.doc(responses=[409])
    def list_corrections() -> Response:
        """List the faces that were corrected"""
        return answer(page([shapes.correction(row) for row in service.corrections.all(who())]))

    @api.get("/studio/corrections/<correction>/picture")
    @api.output(BYTES, content_type="image/jpeg", description="The picture.")
    @api.doc(responses=[409])
    def show_correction(correction: str) -> Response:
        """The picture of a corrected face"""
        return picture(read_bytes(service.corrections.picture(who(), correction)), tag_of(correction), FOREVER)

    @api.delete("/studio/corrections/<correction>")
    @api.output({}, 204, description="It is forgotten.")
    @api.doc(responses=[409])
    def forget_correction(correction: str) -> Response:
        """Forget a corrected face, for instance because its consent was withdrawn"""
        service.corrections.remove(who(), correction)
        return nothing()

    return api
