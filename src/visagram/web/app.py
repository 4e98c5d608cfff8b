"""The application, put together."""

from __future__ import annotations

from apiflask import APIFlask
from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from visagram import __version__
from visagram.jobs.service import Service
from visagram.web.api import create_api
from visagram.web.assets import assets_routes
from visagram.web.broadcaster import Broadcaster
from visagram.web.contract import contract_routes
from visagram.web.events import events_routes
from visagram.web.pages import pages_routes
from visagram.web.problems import answer_problems
from visagram.web.security import secure
from visagram.web.tus import tus_routes
from visagram.web.uploads import UPLOADING, form_request, uploads_routes

LARGEST_BODY = 16 << 20
"""Bytes of a request that is no video."""
MOST_PARTS = 100
"""Fields of a form."""


def create_app(service: Service) -> APIFlask:
    """The application that serves a data folder. `app.extensions` holds the service as "visagram"."""
    app = APIFlask(
        __name__,
        title="Visagram",
        version=__version__,
        spec_path="/api/v1/openapi.json",
        docs_path=None,
        json_errors=False,
        static_folder=None,  # type: ignore[arg-type]
    )
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_PARTS=MOST_PARTS,
        OPENAPI_VERSION="3.0.3",  # The newest that the bundled page reads.
    )
    app.request_class = form_request(service.storage)
    broadcaster = Broadcaster(service)
    app.extensions.update({"visagram": service, "visagram.broadcaster": broadcaster})
    answer_problems(app)
    limiter = Limiter(
        get_remote_address,
        app=app,
        application_limits=[f"{service.server.requests_per_minute} per minute"],
        storage_uri="memory://",
    )
    secure(app, service)
    app.register_blueprint(create_api(service))
    app.register_blueprint(uploads_routes(service))
    app.register_blueprint(tus_routes(service))
    app.register_blueprint(events_routes(service, broadcaster))
    app.register_blueprint(contract_routes(service, broadcaster))
    app.register_blueprint(pages_routes(service))
    app.register_blueprint(assets_routes())
    _limit_uploads(app, limiter, service.server.uploads_per_minute)
    return app


def _limit_uploads(app: APIFlask, limiter: Limiter, per_minute: int) -> None:
    """Count the beginnings of uploads together, whichever way they come."""
    limited = limiter.shared_limit(
        f"{per_minute} per minute", scope="uploads", exempt_when=lambda: request.method != "POST"
    )
    for endpoint in {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule in UPLOADING}:
        if "POST" in {m for rule in app.url_map.iter_rules(endpoint) for m in rule.methods or ()}:
            app.view_functions[endpoint] = limited(app.view_functions[endpoint])  # type: ignore[assignment]
