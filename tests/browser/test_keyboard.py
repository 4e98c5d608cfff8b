"""Everything from the first page to a renamed person works without a mouse, and one sees where one is."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from browser.look import until
from media_factory import sample_frames, write_clip

_FOCUS = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const rings = (one) => {
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(one);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && !/, 0\\)$/.test(outlineColor);
  };
  // A control that only screen readers see shows its focus on what stands for it.
  const near = [node, node.parentElement, node.nextElementSibling, node.parentElement?.parentElement].filter(Boolean);
  const label = node.getAttribute("aria-label") ?? node.labels?.[0]?.textContent ?? node.textContent;
  return { name: label.trim().replace(/\\s+/g, " "), tag: node.tagName, seen: near.some(rings) };
}"""


def focused(page: Page) -> dict:
    """What has the focus. Fails where one does not see it."""
    found = page.evaluate(_FOCUS)
    assert found is None or found["seen"], f"the focus on {found['name']!r} ({found['tag']}) cannot be seen"
    return found or {"name": "", "tag": "BODY"}


def tab_to(page: Page, name: str, most: int = 60) -> None:
    """Press Tab until the control of that name has the focus."""
    passed = []
    for _ in range(most):
        page.keyboard.press("Tab")
        found = focused(page)
        if re.search(name, found["name"]):
            return
        passed.append(found["name"][:40])
    raise AssertionError(f"Tab does not reach {name!r}; it passed {passed}")


def test_a_person_is_renamed_without_a_mouse(visit, tmp_path):
    page = visit("/", noticed=False)
    expect(page.get_by_role("dialog", name="Before you start")).to_be_visible()
    tab_to(page, "I understand")
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")

    tab_to(page, "^Choose videos$")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(write_clip(tmp_path / "keys.mp4", sample_frames(60)))
    expect(page.get_by_role("button", name="Upload and analyse")).to_be_focused()
    focused(page)
    page.keyboard.press("Enter")

    expect(page.locator("#result")).to_be_visible(timeout=120_000)
    until(page, "window.visagram?.ready && !document.querySelector('#stage video').hidden")
    tab_to(page, "^Play$")
    page.keyboard.press("Enter")
    until(page, "window.visagram.mediaTime() > 0.2")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#stage video').paused")

    tab_to(page, "^Position in the lanes$", 80)
    page.keyboard.press("Home")
    until(page, "window.visagram.mediaTime() === 0")
    page.keyboard.press("ArrowRight")
    until(page, "Math.abs(window.visagram.mediaTime() - 0.04) < 0.002")

    page.locator("body").press("Shift+Tab")
    page.evaluate("() => document.activeElement.blur()")
    tab_to(page, "^Rename Person 1$", 120)
    page.keyboard.press("Enter")
    page.keyboard.type("Grace")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Rename Grace")).to_be_focused()
    focused(page)


@pytest.mark.slow
def test_every_control_of_a_result_can_be_reached_and_seen(visit, clips):
    page = visit(clips["two"].page)
    until(page, "window.visagram?.ready && !document.querySelector('#stage video').hidden")
    names = []
    for _ in range(120):
        page.keyboard.press("Tab")
        found = focused(page)
        if found["tag"] == "BODY" and names:
            break
        names.append(found["name"])
    wanted = ["Play", "One frame on (right arrow)", "Position in the video", "Position in the lanes", "Boxes", "Speed"]
    wanted += ["Rename Person 1", "Select Person 2", "Split Person 2", "Statistics", "Zoom in", "happy"]
    assert [name for name in wanted if not any(found.startswith(name) for found in names)] == []
