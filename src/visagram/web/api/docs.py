"""Parts of the document that many operations share."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.schemas import FileSchema

BYTES = FileSchema(type="string", format="binary")
BINARY = {"type": "string", "format": "binary"}


def also(responses: dict[int, str | dict[str, Any]]) -> Any:
    """Responses of an operation beside its usual one: an error by what it means there, others by `said` or `part`."""
    return responses


def said(what: str, schema: type[Schema]) -> dict[str, Any]:
    """A response in JSON."""
    return {"description": what, "content": {"application/json": {"schema": schema}}}


def part(kind: str) -> dict[str, Any]:
    """The response to a request for a range of bytes."""
    content = {kind: {"schema": BINARY}}
    return {"description": "The range that was asked for.", "content": content}
