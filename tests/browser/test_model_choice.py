"""Choosing another model: what can be chosen, what cannot and why, and that everything that comes of it says so."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from browser.served import Served, serving
from browser.test_journey import choose, watchable
from media_factory import SAMPLE
from weights import export_emotion

EXPRESSION, FACES = "Model that reads apparent expression", "Model that finds faces"


@pytest.fixture(scope="module")
def offline(playwright, tmp_path_factory) -> Iterator[Served]:
    """A server that fetches nothing and has DeepFace's expression network, but not its detector."""
    pytest.importorskip("deepface")
    folder = tmp_path_factory.mktemp("offline")
    (folder / "models").mkdir()
    export_emotion(folder / "models" / "facial_expression_model_weights.onnx")
    with serving(playwright, folder / "data", models=folder / "models", offline=1) as started:
        yield started


@pytest.fixture
def form(visit, offline, guard) -> Page:
    """The form with all settings open."""
    guard.allow(offline.url)
    page = visit("/", server=offline)
    choose(page, SAMPLE)
    page.get_by_text("All settings").click()
    return page


def test_the_form_tells_what_each_model_costs_and_why_one_cannot_be_chosen(form):
    for group, ours in ((EXPRESSION, "visagram-committee (default)"), (FACES, "retinaface-mobilenet025 (default)")):
        radio = form.get_by_role("group", name=group).get_by_role("radio", name=ours)
        expect(radio).to_be_checked()
        expect(radio).to_have_accessible_description(re.compile(r"MIT, \d\.\d MB.*Comes with Visagram\."))
    deepface = form.get_by_role("radio", name="deepface", exact=True)
    expect(deepface).to_be_enabled()
    expect(deepface).to_have_accessible_description(re.compile(r"1\.2 ms a face\..*57\.0.% right \(FER2013 test"))
    finder = form.get_by_role("radio", name="deepface-retinaface", exact=True)
    expect(finder).to_be_disabled()
    expect(finder).to_have_accessible_description(
        re.compile(r"Put retinaface\.onnx there, or run visagram models fetch deepface-retinaface")
    )
    expect(form.get_by_role("radio", name="Original")).to_be_disabled()
    expect(form.get_by_text("onnx:")).to_have_count(0)


def test_each_model_leads_to_its_card(form):
    with form.context.expect_page() as opened:
        form.get_by_role("link", name="Card of deepface", exact=True).click()
    expect(opened.value.locator("h1")).to_have_text("deepface")
    # Looking at a card chooses nothing.
    expect(form.get_by_role("radio", name="deepface", exact=True)).not_to_be_checked()


def test_a_result_of_another_model_says_so_and_a_comparison_warns(form, offline):
    usual = offline.api.done(offline.api.upload(SAMPLE, "usual.mp4", end=2, participant="P1", condition="calm"))
    form.get_by_role("radio", name="deepface", exact=True).check()
    expect(form.get_by_text("1 not at the default")).to_be_visible()
    expect(form.get_by_role("radio", name="Standard")).not_to_be_checked()
    form.get_by_label("End, in seconds").fill("2")
    form.get_by_role("button", name="Upload and analyse").click()
    form.wait_for_url(re.compile(r"/analyses/\w+$"))
    watchable(form)
    facts = form.locator("#facts")
    expect(facts).to_contain_text("expressions read by deepface 0.0.103")
    expect(facts.get_by_role("link", name="deepface")).to_have_attribute("href", "/models/deepface")

    (other,) = [video for video in offline.api.get("/videos")["items"] if video["id"] != usual["id"]]
    offline.api.patch(f"/videos/{other['id']}", {"participant": "P2", "condition": "stress"})
    form.goto("/study")
    expect(form.locator("#compare .study-caution")).to_contain_text("not all analysed with the same models")
    expect(form.locator("#methods-text")).to_contain_text("should not be compared")

    # The form of a second analysis begins with the model of the first.
    form.goto(f"/videos/{other['id']}")
    form.get_by_role("tab", name="Method").click()
    form.get_by_role("button", name="Analyse with other settings").click()
    expect(form.get_by_role("radio", name="deepface", exact=True)).to_be_checked()


def test_a_result_of_the_usual_models_does_not_name_them_at_its_head(visit, offline, guard):
    guard.allow(offline.url)
    video = offline.api.done(offline.api.upload(SAMPLE, "again.mp4", end=2))
    page = visit(f"/analyses/{video['latest']['id']}", server=offline)
    expect(page.locator("#facts")).to_contain_text("frames/s")
    expect(page.locator("#facts")).not_to_contain_text("read by")
