"""The connection goes and comes back, the page is reloaded: nothing is lost."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.look import until
from media_factory import loop_sample

CHUNK = 8 << 20
"""Bytes that the page sends at a time."""
NO_CONNECTION = r"ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED"


@pytest.fixture
def video(tmp_path) -> Path:
    """A file of several chunks; what a test does with its analysis is to cancel it."""
    return loop_sample(tmp_path / "long.mp4", 30)


class Network:
    """The network between a page and the server. Playwright's own `set_offline` cannot be slow as well."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")

    def slow(self, bytes_a_second: float) -> None:
        """Make the way up slow."""
        self._be(offline=False, up=bytes_a_second)

    def cut(self) -> None:
        self._be(offline=True, up=0)

    def mend(self) -> None:
        self._be(offline=False, up=-1)

    def _be(self, *, offline: bool, up: float) -> None:
        state = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": up}
        self._session.send("Network.emulateNetworkConditions", state)


def begin(page: Page, video: Path, button: str = "Choose videos") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).locator("visible=true").first.click()
    chooser.value.set_files(video)


def some_of_it(page: Page) -> None:
    """Wait until the server has at least one chunk."""
    kept = "Object.values(JSON.parse(localStorage.getItem('visagram-uploads') ?? '{}'))"
    until(page, f"{kept}.some(({{ sent }}) => sent >= {CHUNK})")


def assert_arrived(page: Page, api, video: Path) -> None:
    page.wait_for_url(re.compile(r"/analyses/\w+$"))
    analysis = api.get(f"/analyses/{page.url.rsplit('/', 1)[1]}")
    api.post(f"/analyses/{analysis['id']}/cancel")
    stored = api.get(f"/videos/{analysis['video_id']}")
    assert stored["sha256"] == hashlib.sha256(video.read_bytes()).hexdigest()


def test_an_upload_waits_for_the_connection_and_goes_on(visit, guard, api, video):
    guard.expect(NO_CONNECTION)
    page = visit("/")
    network = Network(page)
    network.slow(6e6)
    begin(page, video)
    page.get_by_role("button", name="Upload and analyse").click()
    some_of_it(page)
    network.cut()
    expect(page.locator("#offline")).to_be_visible()
    expect(page.locator("#uploads")).to_contain_text("No connection. Goes on from")
    network.mend()
    expect(page.locator("#offline")).to_be_hidden()
    assert_arrived(page, api, video)


@pytest.mark.slow
def test_an_upload_goes_on_after_the_page_was_reloaded(visit, guard, api, video):
    page = visit("/")
    Network(page).slow(6e6)
    begin(page, video)
    page.get_by_role("button", name="Upload and analyse").click()
    some_of_it(page)
    page.on("dialog", lambda dialog: dialog.accept())
    offsets: list[int] = []
    page.on("request", lambda r: offsets.append(int(r.headers["upload-offset"])) if r.method == "PATCH" else None)
    page.reload()
    left = page.locator("#uploads li", has_text="long.mp4")
    expect(left).to_contain_text("Interrupted at")
    offsets.clear()
    begin(page, video, "Choose file")
    assert_arrived(page, api, video)
    assert offsets[0] >= CHUNK


def test_a_result_without_a_connection_says_so_and_comes_back(visit, guard, clips, api):
    guard.expect(NO_CONNECTION)
    video = api.done(api.upload(clips["two"].path))
    page = visit(f"/analyses/{video['latest']['id']}#t=1&person=1")
    until(page, "window.visagram?.ready && window.visagram.boxesShown().length")

    def rename(to: str) -> None:
        page.locator("#cards .name").first.click()
        page.locator("#cards input[type=text]").fill(to)
        page.keyboard.press("Enter")

    page.context.set_offline(True)
    expect(page.locator("#offline")).to_be_visible()
    rename("Lost")
    expect(page.locator("#toasts")).to_contain_text("Visagram does not answer")
    expect(page.locator("#cards .name").first).to_contain_text("Person 1")
    page.get_by_role("button", name="One frame on").click()
    expect(page.locator("#stage .clock")).to_contain_text("frame 26")

    page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()
    page.wait_for_url(re.compile(r"#t=1\.0\d?&person=1$"))
    rename("Kept")
    expect(page.locator("#cards .name").first).to_contain_text("Kept")
    people = api.get(f"/analyses/{video['latest']['id']}/people")["items"]
    assert people[0]["name"] == "Kept"
