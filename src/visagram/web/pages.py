"""The pages for people. They hold headings and forms; their data comes from the API."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from visagram import __version__
from visagram.core.types import EXPRESSIONS
from visagram.export.words import exact
from visagram.jobs.analyses import state
from visagram.jobs.model import DONE
from visagram.jobs.service import Service
from visagram.models.sheet import Sheet
from visagram.plots import diagrams
from visagram.web import security
from visagram.web.api.models import find_model
from visagram.web.api.presets import offered
from visagram.web.security import check_form, csrf_token, token_form, who


def pages_routes(service: Service) -> APIBlueprint:
    """Routes of the pages."""
    pages = APIBlueprint("pages", __name__, enable_openapi=False)

    @pages.app_context_processor
    def context() -> dict[str, Any]:
        person = g.get("who")
        return {
            "version": __version__,
            "owner": None if person is None else person.name,
            "csrf_token": csrf_token(),
            "signed_in": g.get("signed_in", False),
        }

    @pages.app_template_filter("unbroken")
    def unbroken(text: str) -> str:
        """A number and its percent sign on one line."""
        return text.replace(" %", "\N{NO-BREAK SPACE}%")

    @pages.get("/")
    def library() -> str:
        limits = {"max_bytes": service.uploads.most, "max_duration": service.settings.max_duration}
        days = service.server.keep_days
        return render_template("library.html", page="library", sample_available=True, limits=limits, keep_days=days)

    @pages.get("/videos/<id>")
    def video(id: str) -> AnyResponse:
        with service.store.read() as session:
            analyses = service.videos.get(session, who(), id).analyses
            newest = analyses[-1].id if analyses else None
        if newest is None:
            return redirect(f"/#video={id}")
        return redirect(url_for("pages.analysis", id=newest))

    @pages.get("/analyses/<id>")
    def analysis(id: str) -> str:
        with service.store.read() as session:
            row = service.analyses.get(session, who(), id)
            page = "result" if state(row) == DONE else "running"
            shown = {"analysis_id": row.id, "video_id": row.video.id, "video_name": row.video.name}
        return render_template(f"{page}.html", page=page, **shown)

    @pages.get("/study")
    def study() -> str:
        return render_template("study.html", page="study")

    @pages.get("/models")
    def models() -> str:
        return render_template("models.html", page="models", offers=offered(service.settings))

    @pages.get("/models/<path:name>")
    def model(name: str) -> str:
        offer = find_model(service, name)
        sheet = offer.sheet
        return render_template("model.html", page="model", offer=offer, sheet=sheet, drawn=_drawn(sheet))

    @pages.get("/studio")
    def studio() -> str:
        return render_template("studio.html", page="studio", expressions=EXPRESSIONS)

    @pages.get("/about")
    def about() -> str:
        judge = next(offer for offer in offered(service.settings) if offer.setting == "emotion").sheet
        return render_template("about.html", page="about", keep_days=service.server.keep_days, judge=judge)

    @pages.get("/log")
    def log() -> str:
        return render_template("log.html", page="log")

    @pages.get("/api")
    def api() -> str:
        return render_template("api.html", page="api")

    @pages.get("/token")
    def token() -> Response:
        return token_form()

    @pages.post("/token")
    def sign_in() -> AnyResponse:
        check_form()
        signed = security.sign_in(request.form.get("token", "").strip(), request.form.get("next", "/"))
        return signed or token_form("This token is not valid.", 401)

    @pages.get("/healthz")
    def health() -> dict[str, str]:
        with service.store.read() as session:
            session.connection()
        return {"status": "ok"}

    @pages.get("/robots.txt")
    def robots() -> Response:
        return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")

    return pages


def _drawn(sheet: Sheet) -> dict[str, str]:
    """The diagrams of a card as SVG."""
    chosen, curve = None, [(point.coverage, point.risk) for point in sheet.curve]
    if sheet.chosen is not None:
        coverage, risk = sheet.chosen.coverage, sheet.chosen.risk
        note = f"unsure below {sheet.chosen.below}: {exact(coverage)} answered, {exact(risk)} of them wrong"
        chosen = (coverage, risk, note)
    return {
        "reliability": diagrams.reliability([(sheet.name, sheet.reliability)]),
        "risk": diagrams.risk_coverage([(sheet.name, curve)], chosen),
    }
