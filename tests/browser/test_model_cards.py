"""Reading a model's card: from the list to the card, its figures as diagrams and as tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from browser.served import Served, serving
from cards import full_card
from weights import write_linear


@pytest.fixture(scope="module")
def whole(playwright, tmp_path_factory) -> Iterator[Served]:
    """A server whose own model has a card that holds everything."""
    folder = tmp_path_factory.mktemp("whole")
    file = write_linear(folder / "mine.onnx", **full_card())
    with serving(playwright, folder / "data", emotion=f"onnx:{file}") as started:
        yield started


@pytest.fixture
def card(visit, whole, guard) -> Page:
    guard.allow(whole.url)
    page = visit("/models", server=whole)
    tile = page.locator("li", has_text="mine")
    expect(tile).to_contain_text("92.6 %")
    tile.get_by_role("link", name="mine").click()
    expect(page.locator("h1")).to_have_text("onnx:mine.onnx")
    return page


def test_a_card_says_what_for_what_not_and_how_sure(card):
    for name, words in (
        ("What it is not for", "Deciding about a person."),
        ("Where it fails", "Fear is taken for surprise."),
        ("What it learned from", "Terms: For research."),
        ("How well it does", "91.6 – 93.5 %"),
        ("How sure it is", "Below p = 0.58 this model says “unsure”"),
        ("How fast it is", "0.93 ms"),
    ):
        expect(card.get_by_role("region", name=name, exact=True)).to_contain_text(words)


def test_its_diagrams_are_seen_and_can_be_read_as_tables(card):
    for title, cell in (("Reliability diagram", "87 – 93 %"), ("Risk-coverage curve", "0.580")):
        diagram = card.get_by_role("img", name=title)
        expect(diagram).to_be_visible()
        assert diagram.bounding_box()["width"] > 250
        panel = diagram.locator("xpath=..")
        table = panel.get_by_role("table")
        expect(table).to_be_hidden()
        panel.get_by_text("As a table").click()
        expect(table.get_by_role("rowheader", name=cell)).to_be_visible()


def test_the_threshold_is_marked_on_the_curve(card):
    place = card.locator(".mark.s1")
    expect(place).to_have_count(1)
    assert "unsure below 0.58" in place.locator("title").text_content()


def test_every_bar_has_its_interval_within_the_track(card):
    bars = card.locator(".bars.recall li")
    expect(bars).to_have_count(7)
    for bar in bars.all():
        track, amount = bar.locator(".ground").bounding_box(), bar.locator(".amount").bounding_box()
        whisker = bar.locator(".whisker").first.bounding_box()
        assert track["x"] <= whisker["x"] < amount["x"] + amount["width"] < whisker["x"] + whisker["width"]
        assert whisker["x"] + whisker["width"] <= track["x"] + track["width"]


def test_the_training_history_opens(card):
    facts = card.get_by_role("region", name="Facts")
    table = facts.get_by_role("table").last
    expect(table).to_be_hidden()
    facts.get_by_text("6 entries").click()
    expect(table).to_contain_text("loss")


def test_the_whole_card_is_there_as_json(card, whole):
    link = card.get_by_role("link", name="The whole card as JSON")
    expect(link).to_have_attribute("href", "/api/v1/models/onnx%3Amine.onnx")
    assert whole.api.get("/models/onnx:mine.onnx")["card"]["reviewed_by"] == "somebody"
