"""Style sheets, scripts and pictures: our own, those made from `visagram.plots`, and those of two packages.

A browser keeps what it asked for with this version's `?v=` for good, and asks again for everything else.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from apiflask import APIBlueprint
from flask import Response, current_app, request, send_file, send_from_directory
from werkzeug.exceptions import NotFound

from visagram import __version__
from visagram.core.types import EXPRESSIONS
from visagram.export.html import expression_styles
from visagram.plots import PALETTE, PATTERNS
from visagram.plots.diagrams import STYLE

FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "public, no-cache"
_OURS = Path(__file__).parent / "static"
_SWAGGER = ("swagger-ui.css", "swagger-ui-bundle.js")


def assets_routes() -> APIBlueprint:
    """Routes of what is the same for everybody."""
    assets = APIBlueprint("assets", __name__, enable_openapi=False)

    @assets.after_request
    def keep(response: Response) -> Response:
        named = request.args.get("v") == __version__ and response.status_code in (200, 304)
        response.headers["Cache-Control"] = FOREVER if named else REVALIDATE
        return response

    @assets.get("/static/<path:name>")
    def static(name: str) -> Response:
        # Some systems take scripts for plain text, which browsers then refuse to run.
        return send_from_directory(_OURS, name, mimetype="text/javascript" if name.endswith(".js") else None)

    @assets.get("/favicon.ico")
    def favicon() -> Response:
        return send_from_directory(_OURS, "favicon.svg")

    @assets.get("/static/expressions.css")
    def expressions() -> Response:
        return _made(expression_styles(), "text/css")

    @assets.get("/static/diagrams.css")
    def diagrams() -> Response:
        return _made(STYLE, "text/css")

    @assets.get("/static/js/palette.js")
    def palette() -> Response:
        values = {"EXPRESSIONS": list(EXPRESSIONS), "PALETTE": PALETTE, "PATTERNS": PATTERNS}
        lines = [f"export const {name} = {json.dumps(value)};\n" for name, value in values.items()]
        return _made("".join(lines), "text/javascript")

    @assets.get("/static/plotly.min.js")
    def plotly() -> Response:
        return send_file(_package("plotly") / "package_data" / "plotly.min.js")

    @assets.get("/static/swagger/<name>")
    def swagger(name: str) -> Response:
        if name not in _SWAGGER:
            raise NotFound
        (folder,) = (_package("swagger_ui_bundle") / "vendor").iterdir()
        return send_from_directory(folder, name)

    return assets


def _made(text: str, kind: str) -> Response:
    response = Response(text, mimetype=kind)
    response.add_etag()
    response.make_conditional(request)
    return response


def _package(name: str) -> Path:
    """The folder of an installed package, found without running it."""
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        current_app.logger.error("The package %s is not installed.", name)
        raise NotFound
    return Path(found.submodule_search_locations[0])
