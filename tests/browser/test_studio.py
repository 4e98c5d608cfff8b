"""Asking for faces that do not exist, seeing them come, and having the last word."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.served import serving

MADE = 120_000
"""Milliseconds for a few faces, a cold start of the generator included."""


@pytest.fixture(scope="module")
def studio(playwright, tmp_path_factory):
    with serving(playwright, tmp_path_factory.mktemp("studio") / "data") as started:
        yield started


@pytest.fixture
def page(visit, studio, guard):
    guard.allow(studio.url)
    return visit("/studio", server=studio)


def test_faces_are_asked_for_appear_and_are_overruled(page):
    expect(page.get_by_text("Nothing was generated yet.")).to_be_visible()
    page.get_by_label("Apparent expression").select_option("happy")
    page.get_by_role("spinbutton", name="Faces").fill("4")
    page.get_by_label("Seed").fill("5")
    page.get_by_role("button", name="Generate", exact=True).click()
    requests = page.get_by_role("list", name="Requests")
    expect(requests.get_by_text("4 faces, happy, seed 5")).to_be_visible()
    expect(requests.get_by_text("done")).to_be_visible(timeout=MADE)
    pictures = page.get_by_role("img", name="Generated face meant to look happy")
    expect(pictures).to_have_count(4)
    expect(page.get_by_text(re.compile(r"^4 faces, [1-4] accepted for training\.$"))).to_be_visible()
    first = page.get_by_role("button", name="Reject face", exact=False).first
    name = first.get_attribute("aria-label").removeprefix("Reject ")
    first.click()
    expect(page.get_by_text("You rejected it.")).to_be_visible()
    page.get_by_role("button", name=f"Undo {name}").click()
    expect(page.get_by_role("button", name=f"Reject {name}")).to_be_visible()


def test_what_was_made_is_there_after_a_reload_and_can_be_chosen_by_expression(page):
    expect(page.get_by_role("img", name="Generated face meant to look happy")).to_have_count(4)
    page.get_by_role("button", name="happy 4").click()
    expect(page.get_by_role("button", name="happy 4")).to_have_attribute("aria-pressed", "true")
