"""The overlay's box lies on the face, on the screen: an independent detector looks at the page's screenshots.

The clips show a face that moves by up to eight pixels a frame and each frame's number, so that a box of another frame,
or a time of another frame, does not pass.
"""

from __future__ import annotations

from bisect import bisect_right

import pytest
from playwright.sync_api import Page, expect

from browser.clips import FACE_MIDDLE, HEIGHT, WIDTH, Clip, face_left, number_on
from browser.look import boxes_shown, faces, picture_place, screenshot, until

SIZE = (WIDTH, HEIGHT)
KINDS = [
    "plain",
    "rotated",
    "variable",
    "avi",
    pytest.param("hevc", marks=pytest.mark.slow),
]
MOMENTS = (0.7, 2.31, 4.05)
_RECORD = """(seconds) => new Promise((resolve) => {
  const video = document.querySelector("#stage video");
  const seen = [];
  const look = (_, { mediaTime }) => {
    // After the page's own callback of this frame, whichever was asked for first.
    queueMicrotask(() => setTimeout(() => {
      const { boxesShown, mediaTime: shown } = window.visagram;
      seen.push([mediaTime, shown(), boxesShown().map(({ box }) => box)]);
    }));
    if (mediaTime < seconds && !video.ended) video.requestVideoFrameCallback(look);
    else { video.pause(); setTimeout(() => resolve(seen), 50); }
  };
  video.requestVideoFrameCallback(look);
  document.querySelector('#stage [aria-label="Play"]').click();
})"""


@pytest.fixture(params=KINDS)
def clip(request, clips) -> Clip:
    # All of them at once, so that the workers are never idle.
    clips.send(*(kind for kind in KINDS if isinstance(kind, str)))
    return clips[request.param]


@pytest.fixture
def page(clip, api, visit) -> Page:
    """The result page, its video ready to play, with boxes and nothing else drawn over it."""
    api.playable(clip.video)
    page = visit(clip.page)
    until(page, "window.visagram?.ready && !document.querySelector('#stage video').hidden")
    for layer in ("Names", "Bars"):
        page.get_by_role("group", name="Drawn over the picture").get_by_role("button", name=layer).click()
    until(page, "window.visagram.boxesShown().length")
    return page


def seek(page: Page, time: float) -> None:
    """Go to a moment by the page's address, and wait for its picture."""
    page.evaluate("(time) => { location.hash = `t=${time}`; }", time)
    settled(page)


def settled(page: Page) -> None:
    """Wait until the picture of the cursor's moment is on the screen, with its boxes."""
    until(page, "!document.querySelector('#stage video').seeking")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    until(page, "window.visagram.boxesShown().length")


def shown_frame(page: Page, clip: Clip) -> int:
    """Check the box on the screen against the face on the screen; returns the number of the frame that is shown."""
    place = picture_place(page)
    boxes = boxes_shown(page, place, SIZE)
    assert len(boxes) == 1
    layer = page.get_by_role("group", name="Drawn over the picture").get_by_role("button", name="Boxes")
    layer.click()
    picture = screenshot(page, place)
    layer.click()
    found = faces(picture)
    best = max(found, key=boxes[0].overlap, default=None)
    assert best is not None, "the detector finds no face on the screenshot"
    assert boxes[0].overlap(best) >= 0.4 and boxes[0].holds(best.centre), (boxes[0], best)
    return number_on(picture)


def assert_time_is_right(page: Page, clip: Clip, frame: int) -> None:
    """What the page takes for the time of the picture is that of the frame on it, to less than half its length."""
    taken = page.evaluate("() => window.visagram.mediaTime()")
    assert abs(taken - clip.times[frame]) < clip.span(frame) / 2, (taken, clip.times[frame], frame)


def test_the_box_lies_on_the_face_after_seeking(page, clip):
    for time in MOMENTS:
        seek(page, time)
        frame = shown_frame(page, clip)
        assert frame == bisect_right(clip.times, time) - 1
        assert_time_is_right(page, clip, frame)


@pytest.mark.parametrize("speed", ["1", *(pytest.param(speed, marks=pytest.mark.slow) for speed in ("0.5", "4"))])
def test_the_box_follows_the_face_at_any_speed(page, clip, speed):
    page.get_by_role("combobox", name="Speed").select_option(speed)
    seek(page, 0)
    seen = page.evaluate(_RECORD, 2.5)
    assert len(seen) >= 5
    seek(page, 2.0)
    for media_time, taken, boxes in seen:
        assert abs(media_time - taken) < 1e-4 and len(boxes) == 1
        x, _, w, _ = boxes[0]
        assert abs(x + w / 2 - (face_left(taken) + FACE_MIDDLE)) < 12, (taken, boxes)
    frame = shown_frame(page, clip)
    assert_time_is_right(page, clip, frame)


def test_the_frame_number_is_the_frame_s_own(visit, clips, api):
    clip = clips["plain"]
    page = visit(f"{clip.page}#t=1")
    until(page, "window.visagram?.ready && !document.querySelector('#stage video').hidden")
    for time in MOMENTS:
        seek(page, time)
        number = number_on(screenshot(page, picture_place(page)))
        expect(page.locator("#stage .clock")).to_contain_text(f"frame {number}")
