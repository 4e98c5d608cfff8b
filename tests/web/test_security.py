"""Who may ask for what: tokens, names, origins, forms, headers and rates, on every route there is."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from service import open_service
from visagram.errors import StorageFull, VisagramError
from visagram.jobs.model import Analysis, Blob, Making, Output, Owner, Upload, Video, Window
from visagram.jobs.uploads import Wanted
from visagram.jobs.videos import Labels
from visagram.settings import ServerSettings
from visagram.web.addresses import OwnNames
from visagram.web.app import create_app

TOKEN = "a-token-that-is-long-enough"
REMOTE = "http://192.168.7.5:5000"
OPEN = {
    "assets.static",
    "assets.favicon",
    "assets.expressions",
    "assets.palette",
    "assets.plotly",
    "assets.swagger",
    "assets.diagrams",
}
OPEN |= {"assets.diagrams", "pages.token", "pages.sign_in", "pages.health", "pages.robots"}
VALUES = {"name": "x", "filename": "x", "window_id": "w", "k": 0, "n": 1, "level": 0, "track": 1, "format": "csv"}
VALUES |= {
    "figure": "timeline",
    "id": "no-such-id",
    "expression": "happy",
    "face": "happy-0-00000.png",
    "which": "first",
}
VALUES |= {"correction": "none"}


class Visitor(FlaskClient):
    """A browser on another machine."""

    def open(self, *args, **kwargs):
        return super().open(*args, **{"base_url": REMOTE} | kwargs)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    opened = open_service(tmp_path_factory.mktemp("security") / "data")
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def app(service):
    return create_app(service)


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """A service that other machines can reach."""
    opened = open_service(
        tmp_path_factory.mktemp("remote") / "data", host="0.0.0.0", allowed_hosts=("visagram.example",)
    )
    opened.owners.issue("start", TOKEN)
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def remote_app(remote):
    return create_app(remote)


@pytest.fixture
def visitor(remote_app):
    """Somebody without a token."""
    remote_app.test_client_class = Visitor
    return remote_app.test_client()


def requests_of(app, **values):
    """(method, path, endpoint) of everything that an application answers."""
    adapter = app.url_map.bind("x")
    for rule in app.url_map.iter_rules():
        chosen = {name: (VALUES | values)[name] for name in rule.arguments}
        path = adapter.build(rule.endpoint, chosen, method=next(iter(rule.methods)), force_external=False)
        for method in sorted(rule.methods):
            yield method, path, rule.endpoint


def foreign(service):
    """Somebody else's video, analysis, window and upload."""
    with service.store.write() as session:
        session.add(Owner(id=2, name="other"))
        session.add(Blob(sha256="0" * 64, bytes=3))
        session.flush()
        session.add(Output(key="1" * 64, blob_id="0" * 64, settings={}))
        session.add(Video(id="5" * 16, owner_id=2, name="theirs.mp4", blob_id="0" * 64))
        session.flush()
        session.add(Analysis(id="6" * 16, video_id="5" * 16, output_id="1" * 64))
        session.add(Window(id="7" * 16, video_id="5" * 16, name="w", start=0.0, end=1.0))
        session.add_all(Making(id=16 * letter, owner_id=2, request={}) for letter in "9a")
        session.add(Upload(id="8" * 16, owner_id=2, name="u", length=5, request=Wanted({}, Labels()).to_json()))


def test_every_route_asks_for_a_token(remote_app, visitor):
    asked = 0
    for method, path, endpoint in requests_of(remote_app):
        with visitor.open(path, method=method) as response:
            body = response.data
        if endpoint in OPEN:
            assert response.status_code not in (401, 500), (method, path)
            continue
        asked += 1
        assert response.status_code == 401, (method, path)
        assert response.headers["WWW-Authenticate"].startswith("Bearer"), path
        if path.startswith(("/api/", "/upload", "/stats/")):
            assert response.content_type == "application/problem+json", path
            assert method == "HEAD" or response.json["code"] == "token_needed"
        elif method == "GET":
            assert b'name="token"' in body, path
    assert asked > 100


def test_every_route_refuses_a_wrong_token(remote_app, visitor):
    for method, path, endpoint in requests_of(remote_app):
        if endpoint in OPEN:
            continue
        assert visitor.open(path, method=method, headers={"Authorization": "Bearer wrong"}).status_code == 401, path
        assert visitor.open(path, method=method, headers={"Cookie": "visagram_token=wrong"}).status_code == 401, path


def test_every_route_opens_for_a_token(remote_app, visitor):
    for method, path, endpoint in requests_of(remote_app):
        with visitor.open(path, method=method, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
            assert response.status_code not in (401, 500) and (response.status_code != 403 or endpoint in OPEN), path


def test_what_does_not_exist_asks_for_a_token_too(visitor):
    assert visitor.get("/nothing").status_code == 401
    assert visitor.get("/api/v1/nothing").status_code == 401


def test_every_route_refuses_what_is_somebody_elses(remote, remote_app, visitor):
    foreign(remote)
    ids = {
        "videos": "5" * 16,
        "analyses": "6" * 16,
        "uploads": "8" * 16,
        "studio/makings": "9" * 16,
        "studio/passes": "a" * 16,
    }
    refused = 0
    for kind, id in ids.items():
        for method, path, _ in requests_of(remote_app, id=id, window_id="7" * 16):
            if method == "OPTIONS" or not re.match(rf"(/api/v1)?/{kind}/{id}", path):
                continue
            headers = {"Authorization": f"Bearer {TOKEN}", "Tus-Resumable": "1.0.0"}
            assert visitor.open(path, method=method, headers=headers).status_code == 403, (method, path)
            refused += 1
    assert refused > 60
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    shown = visitor.get("/api/v1/videos", headers=bearer).json["items"]
    assert "5" * 16 not in [video["id"] for video in shown]
    assert visitor.get("/stats/theirs.mp4", headers=bearer).status_code == 404
    with remote.store.read() as session:
        assert session.get(Video, "5" * 16).purge_at is None
        assert session.get(Upload, "8" * 16) is not None


@pytest.mark.parametrize(
    ("chosen", "asks"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "127.0.0.2"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "192.168.1.2"}, True),
        ({"host": "visagram.example"}, True),
        ({"token": TOKEN}, True),
        ({"trusted_proxies": 1}, True),
    ],
    ids=str,
)
def test_only_a_server_for_its_own_machine_asks_for_no_token(chosen, asks):
    assert ServerSettings(**chosen).needs_token is asks


def test_a_chosen_token_opens_a_server_of_its_own_machine(tmp_path):
    client = create_app(open_service(tmp_path / "data", token=TOKEN)).test_client()
    assert client.get("/api/v1/videos").status_code == 401
    assert client.get("/api/v1/videos", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_a_server_without_a_login_ignores_the_cookie_of_another_server(client):
    client.set_cookie("visagram_token", "of-another-port")
    assert client.get("/").status_code == 200
    assert client.post("/api/v1/videos/none/restore").status_code == 404


def test_an_address_with_a_token_signs_in_and_hides_the_token(visitor):
    response = visitor.get(f"/study?tag=a%20b&token={TOKEN}&tag=c", headers={"Sec-Fetch-Site": "none"})
    assert (response.status_code, response.headers["Location"]) == (303, "/study?tag=a+b&tag=c")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
    assert visitor.get("/study").status_code == 200
    assert visitor.get("/api/v1/videos").status_code == 200


def test_the_cookie_is_secure_behind_encryption(tmp_path):
    service = open_service(tmp_path / "data", trusted_proxies=1, token=TOKEN, allowed_hosts=("visagram.example",))
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "visagram.example", "X-Forwarded-For": "203.0.113.9"}
    response = create_app(service).test_client().get(f"/?token={TOKEN}", headers=forwarded)
    assert response.status_code == 303 and "Secure" in response.headers["Set-Cookie"]


def test_a_wrong_token_in_an_address_is_refused(visitor):
    response = visitor.get("/?token=wrong")
    assert response.status_code == 401
    assert b"not valid" in response.data and "visagram_token" not in str(response.headers)


def test_a_server_without_a_login_goes_on_without_the_token_of_an_old_address(client):
    response = client.get("/study?token=old&tag=x")
    assert (response.status_code, response.headers["Location"]) == (303, "/study?tag=x")
    assert "visagram_token" not in str(response.headers)


def test_the_api_takes_no_token_from_an_address(visitor):
    assert visitor.get(f"/api/v1/videos?token={TOKEN}").status_code == 401
    assert visitor.get(f"/stats/x?token={TOKEN}").status_code == 401


def test_following_a_link_from_another_site_loads_again_to_bring_the_strict_cookie(visitor):
    assert visitor.get("/study", headers={"Sec-Fetch-Site": "cross-site"}).headers["Refresh"] == "0"
    assert "Refresh" not in visitor.get("/study", headers={"Sec-Fetch-Site": "same-origin"}).headers


def form_of(client, path="/token"):
    return re.search(rb'name="csrf" value="([^"]+)"', client.get(path).data)[1].decode()


def test_the_token_form_signs_in(visitor):
    form = {"csrf": form_of(visitor), "token": f" {TOKEN} ", "next": "/study?tag=x"}
    response = visitor.post("/token", data=form)
    assert (response.status_code, response.headers["Location"]) == (303, "/study?tag=x")
    assert visitor.get("/study").status_code == 200


def test_the_token_form_of_a_page_leads_back_to_it(visitor):
    assert b'name="next" value="/study?tag=x"' in visitor.get("/study?tag=x").data


def test_the_token_form_refuses_a_wrong_token(visitor):
    response = visitor.post("/token", data={"csrf": form_of(visitor), "token": "wrong"})
    assert response.status_code == 401 and b'role="alert"' in response.data


@pytest.mark.parametrize("csrf", ["", "x", None])
def test_the_token_form_needs_its_own_token(visitor, csrf):
    form_of(visitor)
    response = visitor.post("/token", data={"token": TOKEN} | ({} if csrf is None else {"csrf": csrf}))
    assert response.status_code == 403 and "visagram_token" not in str(response.headers)


def test_a_form_of_another_browser_is_refused(remote_app, visitor):
    other = remote_app.test_client()
    form_of(visitor)
    assert visitor.post("/token", data={"csrf": form_of(other), "token": TOKEN}).status_code == 403


def test_signing_in_never_leads_elsewhere(visitor):
    csrf = form_of(visitor)
    for target in ("//x.example", "https://x.example", "/\\x.example", "\\\\x.example", "x", "/\n/x", ""):
        response = visitor.post("/token", data={"csrf": csrf, "token": TOKEN, "next": target})
        assert response.headers["Location"] == "/", target
        assert b'name="next" value="/"' in visitor.get("/token", query_string={"next": target}).data


def test_a_change_that_rides_on_a_cookie_needs_proof_of_our_page(visitor):
    visitor.get(f"/?token={TOKEN}")
    page = visitor.get("/")
    token = re.search(rb'name="csrf" content="([^"]+)"', page.data)[1].decode()
    change = "/api/v1/videos/none/restore"
    assert visitor.post(change).status_code == 403
    assert visitor.post(change, headers={"X-CSRF-Token": "x"}).status_code == 403
    assert visitor.post("/upload").status_code == 403
    for proof in ({"X-CSRF-Token": token}, {"Origin": REMOTE}, {"Sec-Fetch-Site": "same-origin"}):
        assert visitor.post(change, headers=proof).status_code == 404, proof
    assert visitor.get("/api/v1/videos").status_code == 200


def test_a_bearer_token_is_proof_by_itself(visitor):
    response = visitor.post("/api/v1/videos/none/restore", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 404


def test_a_foreign_origin_is_refused_everywhere(app, client):
    for method, path, _ in requests_of(app):
        response = client.open(path, method=method, headers={"Origin": "http://evil.example"})
        assert response.status_code == 403, (method, path)
        assert "Access-Control-Allow-Origin" not in response.headers


def test_nothing_but_our_own_origin_passes_for_it(client):
    for origin in ("null", "http://localhost:8080", "http://127.0.0.1", "file://", "", "http://[::1", "localhost", "x"):
        assert client.get("/", headers={"Origin": origin}).status_code == 403, origin


@pytest.mark.parametrize(
    ("host", "origin"), [("localhost:5000", "http://localhost:5000"), ("[::1]:1", "http://[::1]:1")]
)
def test_our_own_origin_is_welcome(client, host, origin):
    assert client.get("/api/v1/videos", headers={"Host": host, "Origin": origin}).status_code == 200


def test_changes_that_a_browser_calls_foreign_are_refused(app, client):
    for site in ("cross-site", "same-site"):
        for method, path, _ in requests_of(app):
            if method in ("POST", "PATCH", "DELETE"):
                assert client.open(path, method=method, headers={"Sec-Fetch-Site": site}).status_code == 403, path
        followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
        assert client.get("/", headers=followed).status_code == 200
        for mode in ("no-cors", "cors", "same-origin", "websocket"):
            assert client.get("/api/v1/videos", headers=followed | {"Sec-Fetch-Mode": mode}).status_code == 403


@pytest.mark.parametrize(
    ("chosen", "host", "known"),
    [
        ({}, "localhost:5000", True),
        ({}, "LOCALHOST", True),
        ({}, "127.0.0.1:5000", True),
        ({}, "[::1]:5000", True),
        ({}, "evil.example", False),
        ({}, "evil.example:5000", False),
        ({}, "192.168.7.5:5000", False),
        ({}, "localhost.evil.example", False),
        ({}, "127.0.0.1.evil.example", False),
        ({}, "[::1", False),
        ({}, "", False),
        ({"host": "127.0.0.3"}, "127.0.0.3:5000", True),
        ({"host": "::1"}, "[::1]:5000", True),
        ({"allowed_hosts": ("visagram.example", "other.example:443")}, "visagram.example", True),
        ({"allowed_hosts": ("visagram.example", "other.example:443")}, "other.example", True),
        ({"allowed_hosts": ("visagram.example",)}, "www.visagram.example", False),
        ({"host": "0.0.0.0"}, "192.168.7.5:5000", True),
        ({"host": "0.0.0.0"}, "[fe80::1]:5000", True),
        ({"host": "::"}, "10.0.0.1", True),
        ({"host": "0.0.0.0"}, "evil.example", False),
        ({"host": "10.0.0.1"}, "10.0.0.2", False),
    ],
    ids=str,
)
def test_a_server_knows_its_own_names(chosen, host, known):
    assert (host in OwnNames(ServerSettings(**chosen))) is known


def test_the_server_answers_to_its_own_names_only(app, client):
    for method, path, _ in requests_of(app):
        assert client.open(path, method=method, headers={"Host": "evil.example"}).status_code == 421, path
    for host in ("x@localhost:bad", "[::1", "localhost evil.example", "127.0.0.1.evil.example"):
        assert client.get("/", headers={"Host": host}).status_code == 421, host


def test_only_trusted_proxies_may_say_where_a_request_came_from(tmp_path):
    forwarded = {"X-Forwarded-Host": "visagram.example", "X-Forwarded-For": "203.0.113.9"}
    allowed = ("visagram.example",)
    trusting = create_app(open_service(tmp_path / "a", trusted_proxies=1, allowed_hosts=allowed, token=TOKEN))
    origin = {"Origin": "https://visagram.example", "Authorization": f"Bearer {TOKEN}"}
    assert trusting.test_client().get("/api/v1/videos", headers=forwarded | origin).status_code == 200
    plain = create_app(open_service(tmp_path / "b", allowed_hosts=allowed))
    assert plain.test_client().get("/api/v1/videos", headers=forwarded | origin).status_code == 403


def test_every_answer_carries_the_security_headers(app, client):
    for method, path, _ in requests_of(app):
        with client.open(path, method=method) as response:
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';"), path
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "same-origin"
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "camera=()" in response.headers["Permissions-Policy"]
            assert response.headers["Cache-Control"]


def test_private_answers_are_kept_nowhere(client):
    for path in ("/", "/api/v1/videos", "/api/v1/videos/none", "/stats/none", "/token"):
        assert client.get(path).headers["Cache-Control"] == "no-store"


def test_too_many_requests_are_told_when_to_come_back(tmp_path):
    client = create_app(open_service(tmp_path / "data", requests_per_minute=3)).test_client()
    assert [client.get("/api/v1/videos").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.get("/api/v1/models")
    assert refused.status_code == 429 and refused.json["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert client.get("/api/v1/videos", environ_base={"REMOTE_ADDR": "127.0.0.9"}).status_code == 200


def test_beginnings_of_uploads_are_counted_together(tmp_path):
    client = create_app(open_service(tmp_path / "data", uploads_per_minute=3)).test_client()
    begin = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    assert client.post("/api/v1/uploads", headers=begin).status_code == 201
    assert client.post("/upload").status_code == 415
    assert client.post("/api/v1/videos").status_code == 415
    for path in ("/upload", "/api/v1/videos", "/api/v1/uploads"):
        refused = client.post(path, headers=begin)
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1, path
    assert client.get("/api/v1/videos").status_code == 200
    assert client.options("/api/v1/uploads").status_code == 204


def raising(service, *errors):
    """A client of an application whose addresses /api/v1/fail/<n> and /fail/<n> raise the n-th error."""
    app = create_app(service)

    def fail(n):
        raise errors[n]() if callable(errors[n]) else errors[n]

    app.add_url_rule("/api/v1/fail/<int:n>", "fail_api", fail)
    app.add_url_rule("/fail/<int:n>", "fail_page", fail)
    return app.test_client()


def kinds(of=VisagramError):
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


def test_every_error_of_ours_is_a_problem(service):
    found = list(kinds())
    assert len(found) > 20
    client = raising(service, *(kind("/secret/place is damaged.") for kind in found))
    for n, kind in enumerate(found):
        response = client.get(f"/api/v1/fail/{n}")
        assert response.content_type == "application/problem+json"
        assert set(response.json) == {"type", "title", "status", "detail", "code"}
        assert response.json["status"] == response.status_code >= 400
        assert response.json["code"] == kind.code
        assert response.status_code < 500 or "/secret" not in response.text or kind.code == "missing_extra", kind


def test_people_get_a_page_for_an_error(service):
    response = raising(service, StorageFull("/secret is full")).get("/fail/0")
    assert response.status_code == 507 and response.content_type.startswith("text/html")
    assert b"507" in response.data and b"not enough space" in response.data and b"/secret" not in response.data


def test_an_unforeseen_error_shows_no_internals_and_is_logged(service, caplog):
    response = raising(service, RuntimeError("the secret inside")).get("/api/v1/fail/0")
    assert response.status_code == 500 and response.json["code"] == "internal"
    assert "secret" not in response.text
    assert "the secret inside" in caplog.text


def test_a_full_database_is_no_space(service):
    def fill():
        with service.store.write() as session:
            connection = session.connection()
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            try:
                session.add(Owner(name="x" * 10_000_000))
                session.flush()
            finally:
                connection.exec_driver_sql("PRAGMA max_page_count=1073741823")

    client = raising(service, fill)
    response = client.get("/api/v1/fail/0")
    assert (response.status_code, response.json["code"]) == (507, "storage_full")
    assert client.get("/api/v1/videos").status_code == 200


def test_a_busy_database_asks_to_come_back(service):
    def wait_in_vain():
        with service.store.read() as session:
            connection = session.connection()
            connection.exec_driver_sql("PRAGMA busy_timeout=10")
            session.add(Owner(name="x"))
            session.flush()

    client = raising(service, wait_in_vain)
    with service.store.write() as session:
        session.add(Owner(name="the lock is held"))
        session.flush()
        response = client.get("/api/v1/fail/0")
    assert (response.status_code, response.json["code"]) == (503, "busy")
    assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/none", 404, "not_found"),
        ("PUT", "/api/v1/videos", 405, "method_not_allowed"),
        ("GET", "/upload", 405, "method_not_allowed"),
        ("GET", "/api/v1/videos?limit=x", 422, "validation"),
        ("POST", "/api/v1/analyses", 422, "validation"),
    ],
)
def test_errors_of_the_frameworks_are_problems_too(client, method, path, status, code):
    response = client.open(path, method=method, json={} if method == "POST" else None)
    assert (response.status_code, response.json["code"]) == (status, code)
    assert response.content_type == "application/problem+json"
    assert ("errors" in response.json) == (code == "validation")
    assert status != 405 or response.headers["Allow"]


def test_broken_json_is_a_problem(client):
    response = client.post("/api/v1/analyses", data="{", content_type="application/json")
    assert response.status_code == 400 and response.json["detail"]


def test_a_body_that_is_no_video_has_a_limit(client):
    response = client.post("/api/v1/analyses", data=b" " * (17 << 20), content_type="application/json")
    assert (response.status_code, response.json["code"]) == (413, "too_large")
