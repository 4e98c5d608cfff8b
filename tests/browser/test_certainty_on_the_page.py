"""How sure the model was is on the page as a share of its own, and a smoothed timeline says that it is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.look import until
from visagram.core.certainty import unsure_below
from visagram.core.types import EXPRESSIONS
from visagram.export.words import unsure_words
from visagram.models.card import COMMITTEE, read_card


@pytest.fixture
def analysed(clips, api) -> str:
    """The page of a clip of two people, analysed with a smoothed timeline."""
    video = api.done(api.upload(clips["two"].path, seed="3", smooth="1.5"))
    return f"/analyses/{video['latest']['id']}"


def opened(visit, path: str) -> Page:
    page = visit(path)
    until(page, "window.visagram?.ready")
    return page


def column(page: Page, caption: str, head: str) -> list[str]:
    """The cells under a heading of a table of statistics."""
    page.get_by_role("tab", name="Statistics").click()
    table = page.get_by_role("region", name=f"Table: {caption}").locator("table")
    place = table.locator("thead th").all_inner_texts().index(head)
    return [row.locator("th, td").nth(place).inner_text() for row in table.locator("tbody tr").all()]


def test_what_was_unsure_is_a_share_of_its_own(api, analysed, visit):
    page = opened(visit, analysed)
    people = api.get(f"{analysed}/people")["items"]
    lines = page.locator("#cards .doubt").all_inner_texts()
    assert len(lines) == len(people) == 2
    words = unsure_words(unsure_below([read_card(COMMITTEE).for_report()]))
    for line, person in zip(lines, people, strict=True):
        share = person["unsure"] / person["measured"]
        shown = "<1" if 0 < share < 0.01 else f"{share * 100:.0f}"
        assert line.replace("\u00a0", " ") == f"unsure {shown} % ({words})".replace("\u00a0", " ")
    assert column(page, "Time in seconds", "Of this unsure") == [f"{person['unsure']:.2f}" for person in people]
    certain = [f"{person['certain_counts'][name]:,}" for person in people for name in EXPRESSIONS]
    assert column(page, "Apparent expression", "Of these certain")[: len(certain)] == certain


def test_a_smoothed_timeline_says_that_it_is_one(analysed, clips, visit):
    note = "the drawing is smoothed over 1.5 s; the numbers are not"
    expect(opened(visit, analysed).locator("#legend")).to_contain_text(note)
    expect(opened(visit, clips["two"].page).locator("#legend")).not_to_contain_text("smoothed")


def test_the_form_offers_to_smooth_within_what_is_allowed(analysed, visit):
    page = opened(visit, analysed)
    page.get_by_role("tab", name="Method").click()
    expect(page.locator("#panel-method dl")).to_contain_text("Smooth the drawn timeline, in seconds")
    page.get_by_role("button", name="Analyse with other settings").click()
    field = page.get_by_role("dialog").get_by_label("Smooth the drawn timeline, in seconds")
    expect(field).to_have_value("1.5")
    field.fill("11")
    field.blur()
    expect(page.get_by_role("dialog")).to_contain_text("Must be at most 10.")


def test_a_result_of_an_older_version_leaves_out_what_it_does_not_say(api, clips, served, visit):
    video = api.done(api.upload(clips["two"].path, seed="4"))
    for path in served.data.rglob("report.json"):
        _make_older(path, seed=4)
    page = opened(visit, f"/analyses/{video['latest']['id']}")
    expect(page.locator("#cards .card")).to_have_count(2)
    expect(page.locator("#cards .doubt")).to_have_count(0)
    assert column(page, "Time in seconds", "Of this unsure") == ["–", "–"]
    assert set(column(page, "Apparent expression", "Of these certain")) == {"–"}


def _make_older(path: Path, seed: int) -> None:
    """Write the report of an analysis with this seed as version 1.0 did."""
    report = json.loads(path.read_text("utf-8"))
    if report["settings"]["seed"] != seed:
        return
    for part in [*report["people"], report["totals"]]:
        del part["certain_counts"], part["unsure"]
    path.write_text(json.dumps(report | {"schema_version": "1.0"}), "utf-8")
