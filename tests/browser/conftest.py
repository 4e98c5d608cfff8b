"""A browser, a server and pages in it that are watched. Without a browser these tests fail; they are never skipped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from browser.clips import Clips
from browser.guard import Guard
from browser.look import ARTEFACTS
from browser.served import Api, Served, serving
from chromium import launch

WAITS = 120_000
"""Milliseconds that a page has for anything; the machine may be busy."""

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=WAITS)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    started = launch(playwright)
    yield started
    started.close()


@pytest.fixture(scope="package")
def served(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server that the tests share."""
    with serving(playwright, tmp_path_factory.mktemp("served") / "data", undo_seconds=600) as started:
        yield started


@pytest.fixture(scope="package")
def api(served: Served) -> Api:
    return served.api


@pytest.fixture(scope="package")
def clips(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Videos that the shared server has analysed, made when first asked for."""
    return Clips(api, tmp_path_factory.mktemp("clips"))


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
def visit(
    request: pytest.FixtureRequest, browser: Browser, served: Served, guard: Guard
) -> Iterator[Callable[..., Page]]:
    """Opens a page in a browser profile of its own; fails the test for whatever the guard saw."""
    contexts = []

    def open_page(
        path: str | None = "/",
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        still: bool = False,
        noticed: bool = True,
        server: Served = served,
    ) -> Page:
        context = browser.new_context(
            base_url=server.url,
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce" if still else "no-preference",
        )
        contexts.append(context)
        context.set_default_timeout(WAITS)
        guard.watch(context)
        guard.allow(server.url)
        if noticed:
            context.add_cookies([{"name": "visagram-lawful-use", "value": "1", "url": server.url}])
        page = context.new_page()
        # From the start on: a chooser that opens before Playwright has taken them over is never seen.
        page.on("filechooser", lambda _: None)
        if path is not None:
            page.goto(path)
        return page

    yield open_page
    if request.node.stash.get(_FAILED, False):
        ARTEFACTS.mkdir(exist_ok=True)
        name = re.sub(r"[^\w-]+", "-", request.node.name)[:100]
        for number, page in enumerate([page for context in contexts for page in context.pages]):
            page.screenshot(path=ARTEFACTS / f"wrong-{name}-{number}.png")
    for context in contexts:
        context.close()
    assert guard.trouble() == []
