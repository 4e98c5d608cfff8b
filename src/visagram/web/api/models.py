"""The models behind results, the settings of an analysis, and the log of changes."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from visagram.errors import NotFound
from visagram.jobs.model import Entry
from visagram.jobs.service import Service
from visagram.models.listing import Offer, facts
from visagram.web import shapes
from visagram.web.api.answers import answer, page
from visagram.web.api.presets import form, offered, shown
from visagram.web.api.schemas import Paging
from visagram.web.api.study_schemas import LogPage, ModelOut, ModelPage, SettingsOut
from visagram.web.security import who


def models_routes(service: Service) -> APIBlueprint:
    """Routes for /models, /settings and /log."""
    api = APIBlueprint("models", __name__, tag="About")

    @api.get("/models")
    @api.output(ModelPage, description="All models.")
    def list_models() -> Response:
        """List the models with their cards"""
        return answer(page([_model(offer) for offer in offered(service.settings)]))

    @api.get("/models/<path:name>")
    @api.output(ModelOut, description="The model.")
    def show_model(name: str) -> Response:
        """Show a model's card"""
        return answer(_model(find_model(service, name)))

    @api.get("/settings")
    @api.output(SettingsOut, description="Settings, presets and models.")
    def describe_settings() -> Response:
        """Describe the settings of an analysis as a form"""
        return answer(page_with(form(service.settings)))

    @api.get("/log")
    @api.input(Paging, location="query", arg_name="query")
    @api.output(LogPage, description="A page of the log.")
    def list_log(query: dict[str, Any]) -> Response:
        """List who changed what, newest first"""
        with service.store.read() as session:
            found = session.query(Entry).filter(Entry.owner_id == who().owner)
            rows = found.order_by(Entry.id.desc()).limit(query["limit"]).offset(query["offset"]).all()
            return answer(page([shapes.entry(row) for row in rows], found.count(), query["limit"], query["offset"]))

    return api


def find_model(service: Service, name: str) -> Offer:
    """A model by its own name. Raises `NotFound`."""
    found = {offer.card.name: offer for offer in reversed(offered(service.settings))}
    if name not in found:
        raise NotFound(f"There is no such model; the models are {', '.join(reversed(found))}.")
    return found[name]


def page_with(form: dict[str, Any]) -> dict[str, Any]:
    return page(form["items"]) | form


def _model(offer: Offer) -> dict[str, Any]:
    return shown(offer) | offer.card.for_report() | {"card": facts(offer)}
