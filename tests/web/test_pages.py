"""The pages and what they are made of: all there, from this server alone, and nothing that the policy would stop."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

import visagram.web
from service import open_service
from visagram import __version__
from visagram.core.types import EXPRESSIONS
from visagram.jobs.model import Analysis, Output
from visagram.jobs.uploads import UNKNOWN, Wanted
from visagram.models.catalog import model_cards
from visagram.plots import PALETTE
from visagram.web.app import create_app

STATIC = Path(visagram.web.__file__).parent / "static"
PAGES = ["/", "/study", "/models", "/about", "/log", "/api", "/token", "/nothing-here"]


class Page(HTMLParser):
    """What a page loads and links to, and what a strict policy forbids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.forbidden: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "script" and "src" not in found and found.get("type") != "application/json":
            self.forbidden.append("an inline script")
        self.forbidden += [f"{tag} {name}" for name in found if name == "style" or name.startswith("on")]
        self.forbidden += [tag] if tag in ("style", "base", "iframe", "object", "embed") else []
        loaded = found.get("src") or (found.get("href") if tag in ("link", "use") else None)
        if loaded:
            self.loads.append(loaded.partition("#")[0])
        if tag in ("a", "form") and (found.get("href") or found.get("action")):
            self.links.append(found.get("href") or found["action"])


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    opened = open_service(tmp_path_factory.mktemp("pages") / "data")
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def app(service):
    return create_app(service)


def add(service, content: bytes, *, analyse: bool = True) -> tuple[str, str | None]:
    """A new video and its analysis."""
    owner = service.owners.local
    id = service.uploads.begin(owner, "<b>a & b.mp4", UNKNOWN, Wanted({} if analyse else None))
    service.uploads.append(owner, id, 0, iter([content]))
    return service.uploads.finish(owner, id)


def publish(service, analysis: str) -> None:
    with service.store.write() as session:
        session.get(Output, session.get(Analysis, analysis).output_id).published = time.time()


@pytest.fixture(scope="module")
def everywhere(service):
    """The address of every page."""
    _, waits = add(service, b"waits")
    _, done = add(service, b"done")
    publish(service, done)
    return [*PAGES, f"/models/{model_cards()[0]['name']}", f"/analyses/{waits}", f"/analyses/{done}"]


def test_every_page_loads_from_this_server_and_everything_is_there(client, everywhere):
    seen = set()
    for address in everywhere:
        response = client.get(address)
        assert response.status_code == (404 if address == "/nothing-here" else 200), address
        assert response.content_type == "text/html; charset=utf-8"
        page = Page(response.text)
        assert page.forbidden == [], address
        assert len(page.loads) > 3
        seen |= set(page.loads) | {link for link in page.links if link.startswith("/")}
        assert all(link.startswith(("/", "#", "https://")) for link in page.links), address
    for address in sorted(seen):
        assert address.startswith("/") and not address.startswith("//"), address
        with client.get(address) as response:
            assert response.status_code in (200, 302, 405), address


def test_every_module_imports_what_is_there(client):
    modules = [f"/static/{path.relative_to(STATIC).as_posix()}" for path in STATIC.rglob("*.js")]
    assert len(modules) > 10
    for module in modules:
        with client.get(module) as response:
            assert response.mimetype == "text/javascript"
            text = response.text
        for name in re.findall(r"""(?:from|import)\s*\(?\s*["'](\.[^"']+)["']""", text):
            target = (Path(module).parent / name).as_posix()
            parts: list[str] = []
            for part in target.split("/"):
                parts = parts[:-1] if part == ".." else parts + ([part] if part != "." else [])
            with client.get("/".join(parts)) as response:
                assert response.status_code == 200, f"{module} imports {name}"


def test_no_style_sheet_loads_from_elsewhere(client):
    for path in STATIC.rglob("*.css"):
        for address in re.findall(r"""url\(["']?([^"')]+)|@import\s+["']([^"']+)""", path.read_text("utf-8")):
            assert not "".join(address).startswith(("http", "//")), path


def test_a_page_knows_its_place_and_its_version(client):
    text = client.get("/study").text
    assert 'data-page="study"' in text and 'aria-current="page"' in text
    assert f"?v={__version__}" in text
    assert re.search(r'<meta name="csrf" content="[^"]{20,}">', text)


def test_a_video_leads_to_its_newest_analysis(service, client):
    video, analysis = add(service, b"leads")
    response = client.get(f"/videos/{video}")
    assert (response.status_code, response.headers["Location"]) == (302, f"/analyses/{analysis}")
    bare, _ = add(service, b"bare", analyse=False)
    assert client.get(f"/videos/{bare}").headers["Location"] == f"/#video={bare}"
    assert client.get("/videos/none").status_code == 404


def test_an_analysis_is_followed_and_then_read_at_one_address(service, client):
    _, analysis = add(service, b"one address")
    waiting = client.get(f"/analyses/{analysis}").text
    assert 'data-page="running"' in waiting and "&lt;b&gt;a &amp; b.mp4" in waiting
    publish(service, analysis)
    done = client.get(f"/analyses/{analysis}").text
    assert 'data-page="result"' in done and analysis in done and "<b>a" not in done


def test_an_unknown_model_is_not_found(client):
    assert client.get("/models/none").status_code == 404


def test_the_container_can_ask_whether_all_is_well(client):
    response = client.get("/healthz")
    assert (response.status_code, response.json) == (200, {"status": "ok"})


def test_search_engines_stay_out(client):
    assert "Disallow: /" in client.get("/robots.txt").text


def test_expressions_have_their_colours_and_patterns(client):
    text = client.get("/static/expressions.css").text
    for name in EXPRESSIONS:
        rule = re.search(rf"\.x-{name} {{([^}}]*)}}", text)[1]
        assert ("var(--neutral)" if name == "neutral" else PALETTE[name]) in rule
    assert "--pattern" in text
    module = client.get("/static/js/palette.js").text
    assert "export const PALETTE" in module and "export const PATTERNS" in module and PALETTE["happy"] in module


def test_what_carries_this_version_is_kept_for_good_and_the_rest_is_asked_for_again(client):
    for path in ("/static/css/base.css", "/static/js/api.js", "/static/plotly.min.js", "/static/expressions.css"):
        with client.get(f"{path}?v={__version__}") as named, client.get(path) as plain:
            assert named.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert plain.headers["Cache-Control"] == "public, no-cache"
            tag = plain.headers["ETag"]
        with client.get(path, headers={"If-None-Match": tag}) as again:
            assert again.status_code == 304, path
    for other in ("/static/css/base.css?v=0", f"/static/none.css?v={__version__}"):
        with client.get(other) as response:
            assert "immutable" not in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%5capp.py", "/static/swagger/index.html", "/static/"],
)
def test_nothing_else_of_the_package_is_served(client, path):
    assert client.get(path).status_code == 404


def test_the_interactive_page_has_its_parts(client):
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        with client.get(f"/static/swagger/{name}") as response:
            assert response.status_code == 200 and len(response.data) > 100_000
    assert client.get("/api/v1/openapi.json").json["openapi"].startswith("3.0")
