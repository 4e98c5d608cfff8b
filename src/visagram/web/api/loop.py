"""The loop: passes that try to make a better model, what they found, and which model is in force."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.jobs.service import Service
from visagram.web import shapes
from visagram.web.api.answers import answer, file, page, tag_of
from visagram.web.api.docs import BYTES
from visagram.web.api.loop_schemas import InForceOut, PassIn, PassOut, PassPage
from visagram.web.security import who


def loop_routes(service: Service) -> APIBlueprint:
    """Routes below /studio/passes and /studio/model."""
    api = APIBlueprint("loop", __name__, tag="Studio", url_prefix="/studio")
    passes = service.passes

    def one(id: str) -> dict[str, Any]:
        with service.store.read() as session:
            return shapes.improvement(passes, passes.get(session, who(), id))

    def in_force() -> dict[str, Any]:
        card, promotions = passes.in_force()
        why = passes.obstacle(who())
        return shapes.in_force(card, promotions) | {"available": not why, "why": why or None}

    @api.get("/model")
    @api.output(InForceOut, description="The model in force.")
    def show_model_in_force() -> Response:
        """Say which expression model visagram stands for, and what was promoted when and why"""
        return answer(in_force())

    @api.post("/model/rollback")
    @api.output(InForceOut, description="The model that is in force now.")
    @api.doc(responses=[409])
    def roll_model_back() -> Response:
        """Take the last promotion back"""
        passes.roll_back(who())
        return answer(in_force())

    @api.get("/passes")
    @api.output(PassPage, description="Passes of the loop, newest first.")
    @api.doc(responses=[409])
    def list_passes() -> Response:
        """List passes of the loop, newest first"""
        with service.store.read() as session:
            return answer(page([shapes.improvement(passes, row) for row in passes.all(session, who())]))

    @api.post("/passes")
    @api.input(PassIn, arg_name="wanted", example={"ratio": 0.5, "seed": 0})
    @api.output(PassOut, 202, description="The pass is waiting for its turn.")
    @api.doc(responses=[409])
    def create_pass(wanted: dict[str, Any]) -> Response:
        """Try to make a better model

        Finds rare and weak expressions, generates and selects faces of them, fine-tunes the model in force with these
        and with the corrections that were collected, and compares both on real faces. Nothing is put in force.
        """
        return answer(one(passes.ask(who(), **wanted)), 202)

    @api.get("/passes/<id>")
    @api.output(PassOut, description="The pass.")
    @api.doc(responses=[409])
    def show_pass(id: str) -> Response:
        """Show a pass, how far it is and what it found"""
        return answer(one(id))

    @api.post("/passes/<id>/cancel")
    @api.output(PassOut, description="The pass, cancelled.")
    @api.doc(responses=[409])
    def cancel_pass(id: str) -> Response:
        """Stop a pass; begun again, it goes on from there"""
        passes.cancel(who(), id)
        return answer(one(id))

    @api.post("/passes/<id>/retry")
    @api.output(PassOut, 202, description="The pass is waiting for its turn again.")
    @api.doc(responses=[409])
    def retry_pass(id: str) -> Response:
        """Go on with a failed or cancelled pass"""
        passes.retry(who(), id)
        return answer(one(id), 202)

    @api.post("/passes/<id>/promote")
    @api.output(InForceOut, description="The model that is in force now.")
    @api.doc(responses=[409])
    def promote_pass(id: str) -> Response:
        """Put the model that a pass made in force, where its verdict speaks for it"""
        passes.promote(who(), id)
        return answer(in_force())

    @api.get("/passes/<id>/comparisons/<which>")
    @api.output(BYTES, content_type="text/html", description="The page.")
    @api.doc(responses=[409])
    def show_comparison(id: str, which: str) -> Response:
        """Both models' figures on one of the sets of real faces, as a page that needs nothing else"""
        with service.store.read() as session:
            path = passes.page(passes.get(session, who(), id), which)
        return file(path, "text/html", tag_of(id, which, path.stat().st_mtime_ns), f"comparison-{which}.html")

    return api
