"""Every page in every state, narrow and wide, light and dark: axe-core finds nothing, nothing overflows, and there is a
picture of it to look at in `artefacts/`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.look import ARTEFACTS
from browser.places import PLACES, Place, World, stop, world

NARROW, USUAL, WIDE = 375, 1280, 1920
THEMES = ("light", "dark")
EVERYWHERE = pytest.mark.parametrize("place", PLACES, ids=str)


@pytest.fixture(scope="package")
def known(playwright, served, clips, tmp_path_factory) -> Iterator[World]:
    with world(playwright, served, clips, tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def arrive(known, visit, guard):
    """Opens a place at a width and in a theme."""

    def open_place(place: Place, width: int, theme: str) -> Page:
        page = visit(None, width=width, height=812 if width < 600 else 1080, theme=theme, still=True)
        if place.name in ("unknown", "token"):
            guard.expect(r"the server responded with a status of (404|401)")
        address = place.address(known)
        guard.allow(address)
        page.goto(address)
        place.arrive(page)
        return page

    yield open_place
    stop(known)


def findings(page: Page) -> list[str]:
    """What axe-core finds: the rule, where, and why."""
    return [
        f"{found['id']} ({found['impact']}): {node['target']} {node['failureSummary']}"
        for found in Axe().run(page).response["violations"]
        for node in found["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """What reaches beyond the right edge of a page that can be scrolled sideways."""
    return page.evaluate("""() => {
      if (document.documentElement.scrollWidth <= innerWidth) return [];
      const right = (node) => Math.round(node.getBoundingClientRect().right);
      const beyond = [...document.body.querySelectorAll("*")].filter((node) => right(node) > innerWidth);
      return beyond.slice(0, 12).map((node) => `${node.tagName}.${node.className} ends at ${right(node)}`);
    }""")


@pytest.mark.parametrize("path", ["/", "result"])
def test_axe_finds_nothing_on_the_library_and_on_a_result(clips, visit, path):
    two = clips["two"]
    page = visit(two.page if path == "result" else path, still=True)
    expect(page.locator("#videos > li, #cards .card").first).to_be_visible()
    assert findings(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [NARROW, USUAL])
@EVERYWHERE
def test_axe_finds_nothing_on_any_page(arrive, place, width, theme):
    assert findings(arrive(place, width, theme)) == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [NARROW, WIDE])
@EVERYWHERE
def test_every_page_has_its_picture_taken_and_fits(arrive, place, width, theme):
    page = arrive(place, width, theme)
    ARTEFACTS.mkdir(exist_ok=True)
    path = ARTEFACTS / f"{place}-{width}-{theme}.png"
    if place.part:
        page.locator(place.part).screenshot(path=path)
    else:
        page.screenshot(path=path, full_page=page.get_by_role("dialog").count() == 0)
    assert overflow(page) == []
