"""The studio: ask for generated faces, look at them, and say which may be trained on."""

from __future__ import annotations

from collections import Counter
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.core.types import EXPRESSIONS
from visagram.jobs.service import Service
from visagram.web import shapes
from visagram.web.api.answers import answer, nothing, page, read_bytes, tagged
from visagram.web.api.docs import BYTES
from visagram.web.api.studio_schemas import FacePage, FacesQuery, MakingIn, MakingOut, MakingPage, ReviewIn, StudioOut
from visagram.web.security import who

WORDS = {"accept": "accepted", "reject": "rejected", "undo": ""}


def studio_routes(service: Service) -> APIBlueprint:
    """Routes below /studio."""
    api = APIBlueprint("studio", __name__, tag="Studio", url_prefix="/studio")

    def making(id: str) -> dict[str, Any]:
        with service.store.read() as session:
            return shapes.making(service.studio.get(session, who(), id))

    @api.get("")
    @api.output(StudioOut, description="What can be made, and what there is.")
    @api.doc(responses=[409])
    def show_studio() -> Response:
        """Say what the studio can make and how many faces of each expression there are"""
        faces = service.studio.faces(who()).values()
        made = Counter(record.expression for record in faces)
        accepted = Counter(record.expression for record in faces if record.accepted)
        counts = [{"expression": e, "faces": made[e], "accepted": accepted[e]} for e in EXPRESSIONS]
        return answer({"generators": service.studio.generators, "expressions": counts})

    @api.get("/makings")
    @api.output(MakingPage, description="Requests, newest first.")
    def list_makings() -> Response:
        """List requests for faces, newest first"""
        with service.store.read() as session:
            return answer(page([shapes.making(row) for row in service.studio.all(session, who())]))

    @api.post("/makings")
    @api.input(MakingIn, arg_name="wanted", example={"expression": "disgust", "count": 16, "seed": 7})
    @api.output(MakingOut, 202, description="The request is waiting for its turn.")
    @api.doc(responses=[409])
    def create_making(wanted: dict[str, Any]) -> Response:
        """Ask for generated faces

        The same expression and seed give the same faces; a larger count adds to them.
        """
        return answer(making(service.studio.ask(who(), **wanted)), 202)

    @api.get("/makings/<id>")
    @api.output(MakingOut, description="The request.")
    def show_making(id: str) -> Response:
        """Show a request and how far it is"""
        return answer(making(id))

    @api.post("/makings/<id>/cancel")
    @api.output(MakingOut, description="The request, cancelled.")
    @api.doc(responses=[409])
    def cancel_making(id: str) -> Response:
        """Stop a request; the faces that it has made stay"""
        service.studio.cancel(who(), id)
        return answer(making(id))

    @api.post("/makings/<id>/retry")
    @api.output(MakingOut, 202, description="The request is waiting for its turn again.")
    @api.doc(responses=[409])
    def retry_making(id: str) -> Response:
        """Begin a failed or cancelled request again"""
        service.studio.retry(who(), id)
        return answer(making(id), 202)

    @api.get("/faces")
    @api.input(FacesQuery, location="query", arg_name="query")
    @api.output(FacePage, description="A page of faces.")
    @api.doc(responses=[409])
    def list_faces(query: dict[str, Any]) -> Response:
        """List generated faces by expression, with what was decided about each"""
        found = [r for r in service.studio.faces(who()).values() if query["expression"] in ("", r.expression)]
        if query["accepted"] is not None:
            found = [record for record in found if record.accepted is query["accepted"]]
        shown = found[query["offset"] : query["offset"] + query["limit"]]
        return answer(page([shapes.face(r) for r in shown], len(found), query["limit"], query["offset"]))

    @api.get("/faces/<expression>/<face>")
    @api.output(BYTES, content_type="image/png", description="The picture, marked as generated.")
    @api.doc(responses=[409])
    def show_face(expression: str, face: str) -> Response:
        """The picture of a generated face"""
        path, sha256 = service.studio.picture(who(), f"{expression}/{face}")
        return tagged(Response(read_bytes(path), mimetype="image/png"), sha256)

    @api.patch("/faces/<expression>/<face>")
    @api.input(ReviewIn, arg_name="said", example={"review": "reject"})
    @api.output({}, 204, description="It is noted.")
    @api.doc(responses=[409])
    def review_face(expression: str, face: str, said: dict[str, Any]) -> Response:
        """Say whether a face may be trained on, whatever was decided, or take that back"""
        service.studio.review(who(), f"{expression}/{face}", WORDS[said["review"]])
        return nothing()

    return api
