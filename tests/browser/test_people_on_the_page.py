"""People are renamed, merged, split and put back, and every number on the page follows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.look import until


@pytest.fixture
def page(clips, api, visit, tmp_path) -> Page:
    """The result of a clip with a cut between two people, in an entry of the test's own."""
    clip = clips["two"]
    video = api.done(api.upload(clip.path))
    page = visit(f"/analyses/{video['latest']['id']}")
    until(page, "window.visagram?.ready")
    expect(page.locator("#cards .card")).to_have_count(2)
    return page


def lanes(page: Page) -> list[str]:
    return page.locator("#timeline .rail-name bdi").all_inner_texts()


def cards(page: Page) -> list[str]:
    return page.locator("#cards .card .who-text").all_inner_texts()


def statistics(page: Page) -> str:
    page.get_by_role("tab", name="Statistics").click()
    table = page.locator("#panel-statistics table").first
    expect(table).to_be_visible()
    return page.locator("#panel-statistics").inner_text()


def rename(page: Page, name: str, to: str) -> None:
    page.get_by_role("button", name=f"Rename {name}", exact=True).click()
    page.get_by_label(f"Name of {name}", exact=True).fill(to)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Rename {to}", exact=True)).to_be_focused()


def merge(page: Page) -> None:
    for box in page.locator("#cards .pick input").all():
        box.check()
    page.locator("#merge-bar").get_by_role("button", name="Merge").click()
    page.get_by_role("dialog", name="Merge 2 people").get_by_role("button", name="Merge").click()
    expect(page.locator("#cards .card")).to_have_count(1)


def test_a_person_is_renamed_everywhere(page):
    rename(page, "Person 1", "Ada <b>")
    assert lanes(page) == ["Ada <b>", "Person 2"]
    assert "Ada <b>" in statistics(page)
    page.reload()
    until(page, "window.visagram?.ready")
    expect(page.locator("#cards .card").first).to_contain_text("Ada <b>")


def test_two_people_become_one_and_two_again(page):
    before = statistics(page)
    shown = cards(page)
    merge(page)
    assert lanes(page) == ["Person 1"]
    assert statistics(page) != before
    assert cards(page)[0] not in shown
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#cards .card")).to_have_count(2)
    assert lanes(page) == ["Person 1", "Person 2"]
    assert cards(page) == shown
    assert statistics(page) == before


def test_a_person_is_split_by_appearance_and_by_moment(page):
    merge(page)
    page.get_by_role("button", name="Split Person 1").click()
    dialog = page.get_by_role("dialog", name="Split Person 1")
    appearances = dialog.locator("input[name=track]")
    expect(appearances).to_have_count(2)
    appearances.last.check()
    dialog.get_by_role("button", name="Split").click()
    expect(page.locator("#cards .card")).to_have_count(2)
    assert len(lanes(page)) == 2

    page.evaluate("() => { location.hash = 't=1.5'; }")
    expect(page.locator("#stage .clock")).to_contain_text("0:01.5")
    page.get_by_role("button", name="Split Person 1").click()
    dialog.get_by_label("From the current moment on").check()
    dialog.get_by_role("button", name="Split").click()
    expect(page.locator("#cards .card")).to_have_count(3)
    assert len(lanes(page)) == 3


def test_a_face_is_corrected_with_consent_and_lies_in_the_studio(page, api):
    page.locator("#cards .card").first.get_by_role("button", name="Correct Person 1").click()
    dialog = page.get_by_role("dialog", name="Correct Person 1")
    expect(dialog.get_by_role("img", name="Face of Person 1 at")).to_have_js_property("complete", True)
    keep = dialog.get_by_role("button", name="Keep as an example")
    keep.click()
    expect(dialog.get_by_role("alert")).to_have_text("Choose an expression.")
    dialog.get_by_label("What this face shows at").select_option("fear")
    keep.click()
    expect(dialog.get_by_role("alert")).to_have_text("Without consent the picture is not kept.")
    assert api.get("/studio/corrections")["items"] == []
    dialog.get_by_role("checkbox").check()
    keep.click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("shows fear at").first).to_be_visible()
    page.goto(page.url.split("/analyses")[0] + "/studio")
    faces = page.get_by_role("list", name="Corrected faces")
    kept = faces.get_by_role("img", name="Face that shows fear")
    expect(kept).to_be_visible()
    # Whoever forgets a face while its picture is on its way gets none.
    expect(kept).to_have_js_property("complete", True)
    faces.get_by_role("button", name="Forget the face that shows fear").click()
    expect(page.get_by_text("None yet. On the page of a result, Correct says")).to_be_visible()
    assert api.get("/studio/corrections")["items"] == []
