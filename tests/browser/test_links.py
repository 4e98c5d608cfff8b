"""A link leads to a moment and a person; several tabs listen through one stream."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.look import until
from media_factory import sample_frames, write_clip


def test_a_link_to_a_moment_opens_there(clips, visit):
    page = visit(f"{clips['two'].page}#t=4.3&person=2")
    until(page, "window.visagram?.ready && !document.querySelector('#stage video').hidden")
    until(page, "Math.abs(window.visagram.mediaTime() - 4.3) <= 0.04")
    expect(page.locator("#cards .card.chosen")).to_have_attribute("aria-label", "Person 2")
    expect(page.locator("#stage .clock")).to_contain_text("0:04.3")
    until(page, "window.visagram.boxesShown().length")
    assert page.evaluate("() => window.visagram.boxesShown().map(({ person }) => person)") == [2]


@pytest.mark.slow
def test_the_address_follows_the_moment_and_is_copied(clips, visit):
    page = visit(clips["two"].page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    until(page, "window.visagram?.ready && !document.querySelector('#stage video').hidden")
    page.locator("body").press("Shift+ArrowRight")
    page.get_by_role("button", name="Copy a link to this moment").click()
    expect(page.locator("#toasts").get_by_text("The link to this moment is copied.")).to_be_visible()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == page.url and copied.endswith("#t=1")
    other = visit(copied)
    until(other, "window.visagram?.ready && Math.abs(window.visagram.mediaTime() - 1) <= 0.04")


def test_two_tabs_share_one_event_stream(api, visit, tmp_path):
    first = visit(None)
    context = first.context
    streams = []
    context.on("request", lambda request: streams.append(request.url) if "/api/v1/events" in request.url else None)
    second = context.new_page()
    for page in (first, second):
        page.goto("/")
        page.wait_for_load_state("load")
    expect(first.locator("#shelf, #hero").locator("visible=true")).to_have_count(1)
    api.upload(write_clip(tmp_path / "news.mp4", sample_frames(10)), "news.mp4")
    for page in (first, second):
        expect(page.locator("#videos > li", has_text="news.mp4")).to_contain_text("Done")
    assert len(streams) == 1
    first.close()
    api.upload(write_clip(tmp_path / "more.mp4", sample_frames(12)), "more news.mp4")
    expect(second.locator("#videos > li", has_text="more news.mp4")).to_contain_text("Done")
    assert len(streams) == 2


@pytest.mark.slow
def test_every_part_of_the_result_goes_to_its_moment(clips, visit):
    page: Page = visit(clips["two"].page)
    until(page, "window.visagram?.ready && !document.querySelector('#stage video').hidden")
    page.get_by_role("tab", name="Moments").click()
    moment = page.locator("#panel-moments .moment").filter(has_text="Person 2").first
    moment.click()
    until(page, "window.visagram.mediaTime() >= 3")
    expect(page.locator("#cards .card.chosen")).to_have_attribute("aria-label", "Person 2")
    page.get_by_role("button", name="Go to the first appearance of Person 1").click()
    until(page, "window.visagram.mediaTime() < 0.05")
