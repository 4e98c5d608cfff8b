"""The OpenAPI document: what it says of the API as a whole, and of the errors that every operation can end with."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, cast

from apiflask import APIFlask
from flask.blueprints import BlueprintSetupState

from visagram import __version__
from visagram.jobs.passes import SET
from visagram.web.api.elsewhere import OTHER_PATHS
from visagram.web.api.made import EXPORTS
from visagram.web.api.result_schemas import FIGURES
from visagram.web.api.schemas import component

TAGS = {
    "Videos": "The library: upload, find, label, play and delete videos; mark windows in them.",
    "Analyses": "Ask for analyses of videos, watch, cancel and repeat them.",
    "Results": "What an analysis found: people, observations, figures, moments and files.",
    "People": "Correct people: rename, merge and split them, and take that back.",
    "Studio": "Faces of people who do not exist: generated, judged, kept for training.",
    "Study": "All videos together: one tidy table, comparisons with intervals, a methods paragraph.",
    "About": "Models, settings and the log of changes.",
    "Uploads": "Resumable uploads by tus 1.0.",
}
_DESCRIPTION = """Visagram turns a video into a chart of apparent facial expression for every person in it.

Times within a video are in seconds from its start, boxes in pixels of the displayed picture as x, y, w, h. Points in
time are ISO 8601 in UTC. Every list is an object with `items`, `total`, `limit` and `offset`. Errors are problem
details (RFC 9457) with a stable `code`."""
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457), in words a person can act on.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "example": "about:blank"},
        "title": {"type": "string", "example": "Not Found"},
        "status": {"type": "integer", "example": 404},
        "detail": {"type": "string", "example": "There is no such video; it may have been deleted."},
        "code": {"type": "string", "example": "not_found"},
        "errors": {"type": "object", "description": "What is wrong with each field, by name."},
    },
}
_REASONS = {
    "400": "The request cannot be read.",
    "401": "An access token is needed.",
    "403": "This may not be asked for from there.",
    "404": "There is no such thing, or it is somebody else's.",
    "409": "The request does not fit the state that the thing is in.",
    "413": "The request is too large.",
    "415": "The body is of a type that is not understood.",
    "422": "The request makes no sense; `errors` tells which fields are wrong.",
    "429": "Too many requests; `Retry-After` tells when to come back.",
    "503": "The server is busy; come back a little later.",
    "507": "There is not enough space on the disk.",
}
_NUMBER = {"type": "integer", "minimum": 0}
_IN_PATHS: dict[str, dict[str, Any]] = {
    "id": {"schema": {"type": "string"}, "description": "Opaque id."},
    "window_id": {"schema": {"type": "string"}, "description": "Opaque id of the window."},
    "n": {"schema": {"type": "integer", "minimum": 1}, "description": "Number of the person."},
    "correction": {"schema": {"type": "string"}, "description": "Opaque id of the correction."},
    "which": {"schema": {"type": "string", "pattern": f"^({SET})$"}, "description": "Which set of faces."},
    "track": {"schema": _NUMBER, "description": "Number of the track."},
    "level": {"schema": _NUMBER, "description": "Level of zoom, 0 is the finest."},
    "k": {"schema": _NUMBER, "description": "Which one, from 0."},
    "name": {"schema": {"type": "string"}, "description": "Name of the model."},
    "expression": {"schema": {"type": "string"}, "description": "Expression that a face was made for."},
    "face": {"schema": {"type": "string"}, "description": "File name of a generated face."},
    "figure": {"schema": {"type": "string", "enum": list(FIGURES)}, "description": "Which figure."},
    "format": {"schema": {"type": "string", "enum": list(EXPORTS)}, "description": "Which format."},
}
_METHODS = ("get", "post", "put", "patch", "delete", "head")


def describe(state: BlueprintSetupState) -> None:
    """Set up the document of the application that the API is registered with."""
    app = cast(APIFlask, state.app)
    app.title, app.version = "Visagram", __version__
    app.config.update(
        OPENAPI_VERSION="3.0.3",
        DESCRIPTION=_DESCRIPTION,
        LICENSE={"name": "MIT"},
        SERVERS=[{"url": "/", "description": "this server"}],
        SECURITY_SCHEMES={"token": {"type": "http", "scheme": "bearer", "description": "The server's access token."}},
        AUTO_OPERATION_ID=True,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
    )
    app.schema_name_resolver = component
    app.spec_processor(_completed)


def _completed(document: dict[Any, Any] | str) -> dict[Any, Any] | str:
    """The document with the errors of each operation, and with the routes that are no part of these blueprints."""
    assert isinstance(document, dict)
    paths = document["paths"]
    for path in [path for path in paths if not path.startswith("/api/v1/")]:
        del paths[path]
    for path, operations in OTHER_PATHS.items():
        paths[path] = operations | paths.get(path, {})
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPError", None)
    schemas["Problem"] = _PROBLEM
    # Local use needs no token, so that the empty requirement stands beside it.
    document["security"] = [{"token": []}, {}]
    for path, operations in paths.items():
        for method, operation in operations.items():
            if method in _METHODS:
                _complete(path, operation)
    return document


def _complete(path: str, operation: dict[str, Any]) -> None:
    responses, parameters = operation["responses"], operation.get("parameters", [])
    for parameter in parameters:
        parameter |= _IN_PATHS[parameter["name"]] if parameter["in"] == "path" else {}
    operation["operationId"] = _camel(re.sub(r"^[a-z]+_api_[a-z]+_", "", operation["operationId"]))
    codes = {"401", "403", "429"} | {code for code in responses if code[0] in "45"}
    codes |= {"404"} if "{" in path else set()
    codes |= {"422"} if any(entry.get("in") == "query" for entry in parameters) else set()
    codes |= {"400", "413", "415", "422"} if "requestBody" in operation else set()
    for code in sorted(codes):
        description = responses.get(code, {}).get("description")
        usual = _REASONS.get(code, "It went wrong.")
        responses[code] = _problem(description if description not in (None, HTTPStatus(int(code)).phrase) else usual)
    responses["default"] = _problem("Anything else that went wrong.")


def _problem(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
