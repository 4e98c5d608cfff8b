"""Every error as an answer: problem details (RFC 9457) for programs, a page for people; never an internal."""

from __future__ import annotations

import errno
import logging
import math
import sqlite3
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Response, current_app, json, render_template, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from visagram.errors import InputError, VisagramError

PROBLEM = "application/problem+json"
CHECKSUM_MISMATCH = 460
"""A status of the protocol tus that is no other's."""
RETRY_SECONDS = 5
"""When to come back to a server that is busy."""
_STATUS = {
    "usage": 422,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "storage_full": 507,
    "missing_extra": 501,
}
"""By code; inputs that cannot be analysed are 422 as well, everything else is the server's fault."""
_CODES = {
    401: "token_needed",
    413: "too_large",
    416: "range",
    429: "rate_limited",
    500: "internal",
}
_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take that method; the header Allow names those it takes.",
    413: "The request is larger than this address takes.",
    416: "The file ends before the range that was asked for.",
}
"""What is said better than by the library that found it out."""
_NO_SPACE = "There is not enough space on the server's disk: delete videos, or free some space."
_INTERNAL = "Something went wrong inside Visagram; its log says what. Try again."
_PROGRAMS = ("/api/", "/upload", "/stats/", "/static/", "/healthz")
"""Paths that programs ask for."""


class Problem(Exception):
    """Ends a request with this answer."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, dict(headers or {})


def too_busy(detail: str) -> Problem:
    """The answer that asks to come back a little later."""
    return Problem(503, "busy", detail, {"Retry-After": str(RETRY_SECONDS)})


def is_database_trouble(error: Exception) -> bool:
    """Whether the database is busy, full or out of reach, which passes."""
    return _database_error(error) is not None


def answer_problems(app: APIFlask) -> None:
    """Have every error of an application answered."""
    app.register_error_handler(Problem, _of_problem)
    app.register_error_handler(VisagramError, _of_ours)
    app.register_error_handler(HTTPError, _of_apiflask)
    app.register_error_handler(HTTPException, _of_werkzeug)
    app.register_error_handler(Exception, _of_anything)


def for_people() -> bool:
    """Whether a person looks at the answer."""
    return not request.path.startswith(_PROGRAMS)


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem as the answer that suits whoever asked."""
    title = _title(status)
    if for_people():
        page = render_template("error.html", page="error", status=status, title=title, detail=detail, code=code)
        response = Response(page, status)
    else:
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
        response = Response(json.dumps(body | ({"errors": errors} if errors else {})), status, mimetype=PROBLEM)
    response.status = f"{status} {title}"
    response.headers.update(headers or {})
    return response


def _of_problem(error: Problem) -> Response:
    return problem_response(error.status, error.code, error.detail, headers=error.headers)


def _of_ours(error: VisagramError) -> Response:
    status = _STATUS.get(error.code, 422 if isinstance(error, InputError) else 500)
    # What the disk and the models say names places on the server.
    detail = {507: _NO_SPACE, 500: _INTERNAL}.get(status, str(error))
    if status == 500:
        _log(error)
    return problem_response(status, error.code, detail)


def _of_apiflask(error: HTTPError) -> Response:
    errors = _by_field(error.detail) if isinstance(error.detail, Mapping) else {}
    said = "; ".join(f"{name}: {_first(why)}" for name, why in errors.items())
    code = "validation" if errors else _code(error.status_code)
    detail = said or error.message or HTTPStatus(error.status_code).phrase
    return problem_response(error.status_code, code, detail, errors=errors, headers=_flat(error.headers))


def _of_werkzeug(error: HTTPException) -> Response | HTTPException:
    status = error.code or 500
    if status < 400 or error.response is not None:
        return error
    headers = {name: value for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")}
    detail = _DETAILS.get(status) or error.description or HTTPStatus(status).phrase
    if isinstance(error, RateLimitExceeded):
        detail = f"Too many requests: at most {error.limit.limit} are answered. Wait a little, then try again."
        headers["Retry-After"] = str(_until_next(error))
    return problem_response(status, _code(status), detail, headers=headers)


def _of_anything(error: Exception) -> Response:
    """A full or busy database and disk are foreseen; the rest is a mistake of ours."""
    kind = _database_error(error)
    if kind == sqlite3.SQLITE_FULL:
        return problem_response(507, "storage_full", _NO_SPACE)
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _of_problem(too_busy("The database is busy. Try again in a few seconds."))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return problem_response(507, "storage_full", _NO_SPACE)
    _log(error)
    return problem_response(500, "internal", _INTERNAL)


def _database_error(error: Exception) -> int | None:
    """SQLite's code for what it cannot do now; None for other errors."""
    cause = getattr(error, "orig", error)
    if not isinstance(cause, sqlite3.OperationalError):
        return None
    # The low byte is the kind of error, the rest its variety.
    return int(getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _flat(headers: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in dict(headers).items()}


def _log(error: Exception) -> None:
    logging.getLogger("visagram.web").error("%s %s failed", request.method, request.path, exc_info=error)


def _title(status: int) -> str:
    return "Checksum Mismatch" if status == CHECKSUM_MISMATCH else HTTPStatus(status).phrase


def _code(status: int) -> str:
    return _CODES.get(status, _title(status).lower().replace(" ", "_").replace("-", "_"))


def _by_field(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Complaints by field, out of complaints by place (query, json, …) and field."""
    found: dict[str, Any] = {}
    for place, fields in detail.items():
        found.update(fields if isinstance(fields, Mapping) else {place: fields})
    return {str(name): why for name, why in found.items()}


def _first(why: Any) -> str:
    while isinstance(why, list | tuple | Mapping) and why:
        why = next(iter(why.values())) if isinstance(why, Mapping) else why[0]
    return str(why)


def _until_next(error: RateLimitExceeded) -> int:
    """Seconds until a limit counts from zero again."""
    (limiter,) = current_app.extensions["limiter"]
    reached = limiter.current_limit
    return max(1, math.ceil(reached.reset_at - time.time())) if reached else int(error.limit.limit.get_expiry())
