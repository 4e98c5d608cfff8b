"""Routes of the API that take streams or hold them open, and so are no part of these blueprints, for the document."""

from __future__ import annotations

from typing import Any

_BINARY = {"type": "string", "format": "binary"}
_VIDEO = {"$ref": "#/components/schemas/Video"}
_TUS: dict[str, Any] = {"schema": {"type": "string", "enum": ["1.0.0"]}, "description": "Version of the protocol."}
_OFFSET: dict[str, Any] = {"schema": {"type": "integer"}, "description": "Bytes that have arrived."}


def _header(name: str, what: str, kind: str = "string", *, required: bool = True) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": required, "schema": {"type": kind}, "description": what}


_VERSION = _header("Tus-Resumable", "1.0.0")
_ID = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}

_UPLOAD_FORM = {
    "type": "object",
    "required": ["video"],
    "properties": {
        "video": {**_BINARY, "description": "The file."},
        "participant": {"type": "string", "description": "Who is seen.", "example": "P01"},
        "condition": {"type": "string", "description": "Experimental condition.", "example": "stress"},
        "tags": {"type": "string", "description": "Tags, separated by commas.", "example": "pilot"},
        "notes": {"type": "string", "description": "Anything worth remembering."},
        "analyse": {"type": "string", "enum": ["0", "1"], "description": "0 only adds it to the library."},
    },
    "additionalProperties": {"type": "string", "description": "Any setting by name, as GET /settings lists them."},
}

OTHER_PATHS: dict[str, dict[str, Any]] = {
    "/api/v1/videos": {
        "post": {
            "operationId": "post_api_uploads_upload_video",
            "tags": ["Videos"],
            "summary": "Upload a video and analyse it",
            "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _UPLOAD_FORM}}},
            "responses": {
                "201": {
                    "description": "The video as an entry of the library.",
                    "content": {"application/json": {"schema": _VIDEO}},
                },
                "507": {},
            },
        }
    },
    "/api/v1/events": {
        "get": {
            "operationId": "get_api_events_listen",
            "tags": ["Analyses"],
            "summary": "Listen to what happens to analyses",
            "description": (
                "Events `analysis` whose data is an Analysis, while it runs with `preview`. The id of an event is its "
                "version: send it as `Last-Event-ID` to go on from there. A comment every 15 seconds keeps the line "
                "open. Where too many listen the answer is 503: then ask for the analysis every few seconds instead."
            ),
            "parameters": [
                {"in": "query", "name": "analysis", "schema": {"type": "string"}, "description": "Only this analysis."},
                _header("Last-Event-ID", "The last event that was received.", required=False),
            ],
            "responses": {
                "200": {"description": "The stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                "503": {},
            },
        }
    },
    "/api/v1/uploads": {
        "post": {
            "operationId": "post_api_uploads_begin_upload",
            "tags": ["Uploads"],
            "summary": "Begin a resumable upload",
            "parameters": [
                _VERSION,
                _header("Upload-Length", "Bytes of the file.", "integer"),
                _header(
                    "Upload-Metadata",
                    "Pairs of a name and a value in Base64, separated by commas: filename, participant, condition, "
                    "tags and any setting.",
                ),
            ],
            "responses": {
                "201": {
                    "description": "Room was made.",
                    "headers": {
                        "Location": {"schema": {"type": "string"}, "description": "Where the upload goes on."},
                        "Tus-Resumable": _TUS,
                    },
                },
                "412": {"description": "Another version of the protocol is spoken here."},
                "413": {},
                "507": {},
            },
        }
    },
    "/api/v1/uploads/{id}": {
        "head": {
            "operationId": "head_api_uploads_show_upload",
            "tags": ["Uploads"],
            "summary": "Ask how much of an upload has arrived",
            "parameters": [_ID, _VERSION],
            "responses": {
                "200": {
                    "description": "So much.",
                    "headers": {
                        "Upload-Offset": _OFFSET,
                        "Upload-Length": {"schema": {"type": "integer"}, "description": "Bytes of the file."},
                        "Tus-Resumable": _TUS,
                    },
                }
            },
        },
        "patch": {
            "operationId": "patch_api_uploads_continue_upload",
            "tags": ["Uploads"],
            "summary": "Go on with an upload",
            "parameters": [_ID, _VERSION, _header("Upload-Offset", "Where this part begins.", "integer")],
            "requestBody": {"required": True, "content": {"application/offset+octet-stream": {"schema": _BINARY}}},
            "responses": {
                "204": {
                    "description": "The part has arrived.",
                    "headers": {
                        "Upload-Offset": _OFFSET,
                        "Tus-Resumable": _TUS,
                        "Visagram-Video": {
                            "schema": {"type": "string"},
                            "description": "Once the file is whole: the id of its video.",
                        },
                    },
                },
                "409": {},
                "507": {},
            },
        },
        "post": {
            "operationId": "post_api_uploads_override_method",
            "tags": ["Uploads"],
            "summary": "Do what another method would, where a proxy does not let it through",
            "parameters": [_ID, _VERSION, _header("X-HTTP-Method-Override", "PATCH or DELETE.")],
            "responses": {"204": {"description": "As the method that stands in the header."}},
        },
        "delete": {
            "operationId": "delete_api_uploads_drop_upload",
            "tags": ["Uploads"],
            "summary": "Give an upload up",
            "parameters": [_ID, _VERSION],
            "responses": {"204": {"description": "Its bytes are gone."}},
        },
    },
}
