"""How the API answers: JSON, pages of lists, pictures and files, with validators for conditional requests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request, send_file

from visagram.errors import DataError, NotFound

REVALIDATE = "private, no-cache"
FOREVER = "private, max-age=31536000, immutable"
A_DAY = "private, max-age=86400"


def answer(value: Any, status: int = 200) -> Response:
    """`value` as JSON."""
    response = jsonify(value)
    response.status_code = status
    return response


def nothing() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def page(items: Sequence[Any], total: int | None = None, limit: int | None = None, offset: int = 0) -> dict[str, Any]:
    """A list as every list is answered; one that is not cut into pages is its own page."""
    shown = len(items) if limit is None else limit
    return {"items": items, "total": len(items) if total is None else total, "limit": shown, "offset": offset}


def tag_of(*parts: object) -> str:
    """A name for what is made of `parts`; equal parts have equal names."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def tagged(response: Response, tag: str, cache: str = REVALIDATE) -> Response:
    """The response, or 304 for whoever has it already. tag: changes whenever the content does."""
    response.set_etag(tag)
    response.headers["Cache-Control"] = cache
    response.make_conditional(request)
    return response


def keyed(tag: str) -> str:
    """How long a browser may keep what it asked for with `?v=`: for good where that names this very content."""
    return FOREVER if request.args.get("v") == tag else REVALIDATE


def picture(content: bytes, tag: str, cache: str) -> Response:
    return tagged(Response(content, mimetype="image/jpeg"), tag, cache)


def file(path: Path, kind: str, tag: str, name: str, *, save: bool = True, cache: str = REVALIDATE) -> Response:
    """A file, or the part of it that was asked for. kind: its media type. name: under which a browser saves it. save:
    it does so at once. Raises `NotFound` where there is no such file."""
    try:
        response = send_file(path, kind, as_attachment=save, download_name=name, conditional=True, etag=tag, max_age=0)
    except FileNotFoundError:
        raise NotFound("There is no such file any more.") from None
    response.headers["Cache-Control"] = cache
    return response


def read_bytes(path: Path) -> bytes:
    """Raises `NotFound`, `DataError`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound("There is no such picture.") from None
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror or error}).") from error
