"""From the first visit to a finished result, as a person who has never seen it does it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from browser.look import until
from media_factory import SAMPLE, hollow, loop_sample, sample_frames, write_clip

FRAME = 1 / 25
"""Seconds that a frame of the sample lasts."""


def choose(page: Page, *paths) -> None:
    """Choose files as the file dialog does."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose videos").locator("visible=true").first.click()
    chooser.value.set_files(paths)


def media_time(page: Page) -> float:
    return page.evaluate("() => window.visagram.mediaTime()")


def watchable(page: Page) -> None:
    """Wait for the result with its video."""
    expect(page.locator("#result")).to_be_visible(timeout=120_000)
    until(page, "window.visagram?.ready && !document.querySelector('#stage video').hidden")


def test_the_notice_on_lawful_use_is_acknowledged_once(visit):
    page = visit("/", noticed=False)
    notice = page.get_by_role("dialog", name="Before you start")
    expect(notice).to_contain_text("apparent expression")
    page.keyboard.press("Escape")
    expect(notice).to_be_visible()
    notice.get_by_role("button", name="I understand").click()
    expect(notice).to_be_hidden()
    for path in ("/", "/study"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        expect(notice).to_be_hidden()


def test_a_new_user_uploads_the_sample_and_explores_its_result(visit):
    page = visit("/")
    choose(page, SAMPLE)
    dialog = page.get_by_role("dialog", name="Analyse 1 video")
    expect(dialog).to_contain_text("sample.mp4")
    dialog.get_by_text("All settings").click()
    # A setting of its own, so that no other test's result is shared.
    dialog.get_by_label("Seed of the bootstrap").fill("7")
    dialog.get_by_role("button", name="Upload and analyse").click()

    page.wait_for_url(re.compile(r"/analyses/\w+$"))
    stages = page.locator("#stages li")
    expect(stages).to_have_count(4)
    expect(page.locator("#stages li[aria-current=step], #result").first).to_be_visible()

    watchable(page)
    expect(page.locator("h1")).to_have_text("sample.mp4")
    expect(page.locator("#lead")).not_to_be_empty()
    expect(page.locator("#cards .card")).to_have_count(1)

    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "window.visagram.mediaTime() > 0.3")
    page.get_by_role("button", name="Pause", exact=True).click()
    until(page, "document.querySelector('#stage video').paused")

    lanes = page.get_by_role("slider", name="Position in the lanes")
    box = lanes.bounding_box()
    lanes.click(position={"x": box["width"] / 2, "y": 20})
    until(page, "Math.abs(window.visagram.mediaTime() - 15.3) < 0.3")

    for key, step in [("ArrowRight", 1), ("ArrowRight", 1), ("ArrowLeft", -1)]:
        before = media_time(page)
        page.keyboard.press(key)
        until(page, f"Math.abs(window.visagram.mediaTime() - {before}) > 0.001")
        assert media_time(page) == pytest.approx(before + step * FRAME, abs=0.002)


def test_the_sample_is_one_click_away(visit, clips):
    assert clips["sample"].video["latest"]["state"] == "done"
    page = visit("/")
    page.get_by_role("button", name=re.compile("Try the sample")).locator("visible=true").click()
    page.wait_for_url(re.compile(r"/analyses/\w+$"))
    watchable(page)


def test_an_analysis_is_cancelled_and_tried_again(visit, tmp_path):
    page = visit("/")
    choose(page, loop_sample(tmp_path / "long.mp4", 30))
    page.get_by_role("button", name="Upload and analyse").click()
    page.wait_for_url(re.compile(r"/analyses/\w+$"))
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#rate")).to_have_text(re.compile(r"\d"))
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the analysis").click()
    expect(page.locator("#headline")).to_have_text("The analysis was cancelled.")
    page.get_by_role("button", name="Analyse it after all").click()
    expect(page.locator("#working")).to_be_visible()
    expect(page.locator("#picture")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the analysis").click()
    expect(page.locator("#stopped")).to_be_visible()


def test_a_failure_says_its_cause_and_the_next_step(visit, tmp_path):
    page = visit("/")
    choose(page, hollow(write_clip(tmp_path / "broken.mp4", sample_frames(20))))
    page.get_by_role("button", name="Upload and analyse").click()
    page.wait_for_url(re.compile(r"/analyses/\w+$"))
    expect(page.locator("#headline")).to_have_text("Not one picture of this video could be decoded.")
    expect(page.locator("#next")).to_contain_text("Copy it from the camera again")
    page.goto("/")
    expect(page.locator("#videos > li", has_text="broken.mp4")).to_contain_text("Failed")


def test_a_file_that_is_no_video_is_refused_before_it_is_sent(visit, tmp_path):
    page = visit("/")
    text = tmp_path / "notes.txt"
    text.write_text("These are notes.")
    choose(page, text)
    expect(page.get_by_role("dialog", name="This file cannot be analysed")).to_contain_text("This is no video")


def test_a_deleted_video_comes_back_with_undo_and_can_go_for_good(visit, api, tmp_path):
    video = api.done(api.upload(write_clip(tmp_path / "short.mp4", sample_frames(25)), "to delete.mp4"))
    page = visit("/")
    row = page.locator("#videos > li", has_text="to delete.mp4")

    def delete() -> None:
        row.get_by_role("button", name="More for to delete.mp4").click()
        page.get_by_role("menuitem", name="Delete").click()
        expect(row).to_have_count(0)

    delete()
    page.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    row.get_by_role("link", name="to delete.mp4").click()
    watchable(page)

    page.goto("/")
    delete()
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(row).to_have_count(0)
    freed = api.delete(f"/videos/{video['id']}", now=1)
    assert freed["bytes_freed"] >= video["bytes"]
    page.goto("/log")
    expect(page.locator("main")).to_contain_text("to delete.mp4")


def test_an_answer_that_is_older_than_a_deletion_brings_nothing_back(visit, api, tmp_path):
    """A list asked for before a video was deleted may arrive afterwards, or while the server is at it."""
    kept = api.done(api.upload(write_clip(tmp_path / "kept.mp4", sample_frames(24)), "kept beside.mp4"))
    gone = api.done(api.upload(write_clip(tmp_path / "gone.mp4", sample_frames(26)), "gone early.mp4"))
    page = visit("/")
    row = page.locator("#videos > li", has_text=gone["name"])
    expect(row).to_be_visible()
    held = []
    page.route(re.compile(r"/api/v1/videos\?"), lambda route: held.append((route, route.fetch())), times=1)
    with page.expect_request(re.compile(r"/api/v1/videos\?")):
        page.evaluate("dispatchEvent(new Event('online'))")
    row.get_by_role("button", name=f"More for {gone['name']}").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(row).to_have_count(0)
    ((route, answer),) = held
    route.fulfill(response=answer)
    expect(page.locator("#videos > li", has_text=kept["name"])).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(row).to_have_count(0)


def test_a_list_that_comes_anew_leaves_an_open_menu_alone(visit, api, tmp_path):
    video = api.done(api.upload(write_clip(tmp_path / "menu.mp4", sample_frames(28)), "menu open.mp4"))
    page = visit("/")
    row = page.locator("#videos > li", has_text=video["name"])
    row.get_by_role("button", name=f"More for {video['name']}").click()
    with page.expect_response(re.compile(r"/api/v1/videos\?")):
        page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_load_state("networkidle")
    page.get_by_role("menuitem", name="Delete").click()
    expect(row).to_have_count(0)
