"""The REST API, version 1. Each module holds the routes of one kind of thing; `openapi` describes them all."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import request

from visagram.export.windows import WindowStatistics
from visagram.jobs.service import Service
from visagram.web.api.analyses import analyses_routes
from visagram.web.api.corrections import corrections_routes
from visagram.web.api.exports import exports_routes
from visagram.web.api.figures import figures_routes
from visagram.web.api.loop import loop_routes
from visagram.web.api.models import models_routes
from visagram.web.api.openapi import describe
from visagram.web.api.people import people_routes
from visagram.web.api.pictures import pictures_routes
from visagram.web.api.results import results_routes
from visagram.web.api.stills import Stills
from visagram.web.api.studio import studio_routes
from visagram.web.api.study import study_routes
from visagram.web.api.videos import videos_routes
from visagram.web.api.windows import windows_routes
from visagram.web.problems import Problem

__all__ = ["create_api"]


def create_api(service: Service) -> APIBlueprint:
    """All routes below /api/v1 but uploads and the event stream.

    `app.extensions` gets the maker of pictures as "visagram.stills", to be closed with the application.
    """
    api = APIBlueprint("api", __name__, url_prefix="/api/v1")
    stills, windows = Stills(service.storage, service.settings), WindowStatistics()
    api.record_once(describe)
    api.record_once(lambda state: state.app.extensions.update({"visagram.stills": stills}))
    api.before_request(_refuse_other_bodies)
    api.register_blueprint(videos_routes(service))
    api.register_blueprint(windows_routes(service))
    api.register_blueprint(analyses_routes(service))
    api.register_blueprint(results_routes(service, windows))
    api.register_blueprint(people_routes(service))
    api.register_blueprint(pictures_routes(service, stills))
    api.register_blueprint(figures_routes(service))
    api.register_blueprint(exports_routes(service))
    api.register_blueprint(study_routes(service, windows))
    api.register_blueprint(models_routes(service))
    api.register_blueprint(studio_routes(service))
    api.register_blueprint(loop_routes(service))
    api.register_blueprint(corrections_routes(service, stills))
    return api


def _refuse_other_bodies() -> None:
    """Refuse what is neither JSON nor the form that one route takes, instead of taking it for an empty body."""
    usual = "multipart/form-data" if request.endpoint == "api.study.import_sheet" else "application/json"
    if request.content_length and request.mimetype != usual:
        raise Problem(415, "unsupported_media_type", f"Send the body as {usual}.")
