"""Who may ask for what. Everything here runs before a view does, for every route alike.

*Token.* A server that only its own machine can reach asks for none. Any other wants an access token, in the header
`Authorization: Bearer …` or in the cookie that the token form and an address with `?token=…` set. Static files, the
token form and the health check are open; nothing else is.

*Host.* The name under which the server is addressed must be its own, so that no foreign name can be pointed at it (DNS
rebinding).

*Origin.* Browsers say where a request comes from. One from another origin is refused whatever its method; so is one
that the browser calls cross-site, unless somebody followed a link. This is what keeps foreign pages out of a server
without a login, `/upload` included, which programs use without any of these headers.

*CSRF token.* A second proof for what rides on a cookie: a request that changes something and is signed in by cookie
must come provably from our origin, or carry the token that our pages hold: in the field `csrf` or the header
`X-CSRF-Token`, signed and bound to a cookie of its own. Forms of pages always carry it. A bearer token is proof by
itself.
"""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus
from typing import cast
from urllib.parse import urlencode

from flask import Flask, Response, current_app, g, redirect, render_template, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from visagram.jobs.model import Analysis, Making, Upload, Video
from visagram.jobs.service import Service
from visagram.jobs.videos import Who
from visagram.web.addresses import OwnNames, local_path, same_origin
from visagram.web.problems import Problem, for_people

TOKEN_COOKIE, CSRF_COOKIE = "visagram_token", "visagram_csrf"
TOKEN_SECONDS, FORM_SECONDS = 30 * 86_400, 12 * 3600
OPEN_ENDPOINTS = frozenset({"pages.token", "pages.sign_in", "pages.health", "pages.robots"})
OPEN_BLUEPRINT = "assets"
_READING = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=(), usb=(), payment=()",
    "Cache-Control": "no-store",
}
"""Of every answer that has none of its own."""


def who() -> Who:
    """Whoever makes the current request."""
    return cast(Who, g.who)


def csrf_token() -> str:
    """What a form of the current page must send back."""
    return _guard().form_token()


def check_form() -> None:
    """Refuse a posted form that is not of our page. Raises `Problem`."""
    if not _guard().has_form_token():
        raise Problem(403, "csrf", "This form is too old, or from elsewhere: load the page again.")


def secure(app: Flask, service: Service) -> None:
    """Guard every route of an application."""
    server = service.server
    if count := server.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, count, count, count)  # type: ignore[method-assign]
    if server.token:
        service.owners.issue("start", server.token)
    guard = app.extensions["visagram.guard"] = _Guard(service)
    app.before_request(guard.check_source)
    app.before_request(guard.identify)
    app.after_request(guard.finish)


def token_form(error: str = "", status: int = 200) -> Response:
    """The page that asks for a token and then goes on to what was asked for."""
    target = request.values.get("next", "/") if request.path == "/token" else _without_token()
    return Response(render_template("token.html", page="token", next=local_path(target), error=error), status)


def sign_in(token: str, target: str) -> AnyResponse | None:
    """Set the cookie of a valid token and go on; None where it is not valid."""
    if _guard().identify_token(token) is None:
        return None
    response = redirect(local_path(target), HTTPStatus.SEE_OTHER)
    _set_cookie(response, TOKEN_COOKIE, token, TOKEN_SECONDS, "Strict")
    return response


class _Guard:
    def __init__(self, service: Service) -> None:
        self._service, self._closed = service, service.server.needs_token
        self._names = OwnNames(service.server)
        # A form does not outlive the process that made it; whoever sends an older one is asked to send it again.
        self._forms = URLSafeTimedSerializer(secrets.token_bytes(32), "visagram form")

    def check_source(self) -> None:
        """Refuse requests for other names and from other origins."""
        if request.host not in self._names:
            detail = "This server is not known by that name; the setting allowed_hosts can add it."
            raise Problem(421, "foreign_host", detail)
        origin = request.headers.get("Origin")
        if origin is not None and not same_origin(origin, request.host):
            raise Problem(403, "foreign_origin", "Another site's page may not ask this server.")
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            followed = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
            if not followed or request.method not in _READING:
                raise Problem(403, "foreign_origin", "Another site's page may link here and do no more.")

    def identify(self) -> AnyResponse | None:
        """Find out who asks, and refuse those who may not."""
        if "token" in request.args and request.method in _READING and for_people():
            return self._token_in_address(request.args["token"])
        found, by_cookie = self._signed_in()
        g.signed_in = found is not None
        if found is None and not self._closed:
            found = self._service.owners.local
        if found is not None:
            g.who = found
        if request.endpoint in OPEN_ENDPOINTS or request.blueprint == OPEN_BLUEPRINT:
            return None
        if found is None:
            return self._ask()
        if by_cookie and request.method not in _READING and not _is_proven_ours() and not self.has_form_token():
            raise Problem(403, "csrf", "The request does not show that a page of this site made it: reload the page.")
        self._check_owner(found)
        return None

    def identify_token(self, token: str) -> Who | None:
        return self._service.owners.identify(token)

    def form_token(self) -> str:
        bound = request.cookies.get(CSRF_COOKIE) or g.get("csrf")
        if not bound:
            bound = g.csrf = secrets.token_urlsafe(16)
        return str(self._forms.dumps(bound))

    def has_form_token(self) -> bool:
        given = request.headers.get("X-CSRF-Token")
        if given is None and request.mimetype == "application/x-www-form-urlencoded":
            given = request.form.get("csrf")
        try:
            bound = str(self._forms.loads(given or "", max_age=FORM_SECONDS))
        except BadData:
            return False
        return hmac.compare_digest(bound.encode(), request.cookies.get(CSRF_COOKIE, "").encode())

    def finish(self, response: Response) -> Response:
        """Add the headers that every answer has."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if "csrf" in g:
            _set_cookie(response, CSRF_COOKIE, g.csrf, None, "Lax")
        return response

    def _token_in_address(self, token: str) -> AnyResponse:
        """Go on without it: with a cookie where it is valid, and where none is needed."""
        signed = sign_in(token, _without_token())
        if signed is not None or not self._closed:
            return signed or redirect(local_path(_without_token()), HTTPStatus.SEE_OTHER)
        return token_form("This token is not valid any more; a newer one may have been made.", 401)

    def _signed_in(self) -> tuple[Who | None, bool]:
        """Whose token the request carries, and whether a cookie does. Raises `Problem` for a wrong bearer token."""
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            found = self.identify_token(bearer.strip())
            if found is None:
                raise _unauthorized("This access token is not valid.", ', error="invalid_token"')
            return found, False
        cookie = request.cookies.get(TOKEN_COOKIE)
        found = self.identify_token(cookie) if cookie else None
        return found, found is not None

    def _ask(self) -> AnyResponse:
        if not for_people():
            raise _unauthorized("An access token is needed: send it as 'Authorization: Bearer <token>'.")
        response = token_form(status=401)
        response.headers["WWW-Authenticate"] = 'Bearer realm="visagram"'
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # Who follows a link from another site comes without the strict cookie, and brings it on the next load.
            response.headers["Refresh"] = "0"
        return response

    def _check_owner(self, found: Who) -> None:
        """Say that a thing is somebody else's instead of denying it: addresses are shared, ids cannot be guessed."""
        with self._service.store.read() as session:
            for id in filter(lambda value: isinstance(value, str), (request.view_args or {}).values()):
                analysis = session.get(Analysis, id)
                thing: Video | Upload | Making | None = analysis.video if analysis is not None else None
                thing = thing or session.get(Video, id) or session.get(Upload, id) or session.get(Making, id)
                if thing is not None and thing.owner_id != found.owner:
                    raise Problem(403, "foreign", "This is somebody else's: another access token opens it.")


def _guard() -> _Guard:
    return cast(_Guard, current_app.extensions["visagram.guard"])


def _unauthorized(detail: str, error: str = "") -> Problem:
    return Problem(401, "token_needed", detail, {"WWW-Authenticate": f'Bearer realm="visagram"{error}'})


def _without_token() -> str:
    """The address that was asked for, but for a token in it."""
    rest = [(name, value) for name, value in request.args.items(multi=True) if name != "token"]
    return f"{request.path}?{urlencode(rest)}" if rest else request.path


def _set_cookie(response: AnyResponse, name: str, value: str, seconds: int | None, same_site: str) -> None:
    response.set_cookie(name, value, seconds, httponly=True, samesite=same_site, secure=request.is_secure)


def _is_proven_ours() -> bool:
    """An `Origin` that is still there is ours: `check_source` refused the others."""
    return "Origin" in request.headers or request.headers.get("Sec-Fetch-Site") == "same-origin"
