"""Looking at a page as a person does: what its screenshots show, and where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from playwright.sync_api import Page
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade

ARTEFACTS = Path(__file__).parent / "artefacts"


_PLAYER = """() => {
  const [still, video] = document.querySelectorAll("#stage .picture");
  const { hidden, readyState, currentTime, seeking } = video ?? {};
  const frame = window.visagram?.mediaTime();
  return { frame, hidden, readyState, currentTime, seeking, still: still && !still.hidden };
}"""


class Box(NamedTuple):
    """Left, top, width and height in CSS pixels of the page."""

    x: float
    y: float
    w: float
    h: float

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.w / 2, self.y + self.h / 2

    def holds(self, point: tuple[float, float]) -> bool:
        return self.x <= point[0] <= self.x + self.w and self.y <= point[1] <= self.y + self.h

    def overlap(self, other: Box) -> float:
        """Intersection over union."""
        w = min(self.x + self.w, other.x + other.w) - max(self.x, other.x)
        h = min(self.y + self.h, other.y + other.h) - max(self.y, other.y)
        shared = max(0.0, w) * max(0.0, h)
        return shared / (self.w * self.h + other.w * other.h - shared)


def until(page: Page, condition: str, milliseconds: int = 120_000) -> Any:
    """The first value of a JavaScript expression that counts as true.

    Playwright's own `wait_for_function` evaluates text in the page, which the pages' policy forbids.
    """
    found = page.evaluate(
        f"""(limit) => new Promise((resolve) => {{
          const begun = performance.now();
          const look = () => {{
            const value = ({condition});
            if (value || performance.now() - begun > limit) resolve(value);
            else setTimeout(look, 10);
          }};
          look();
        }})""",
        milliseconds,
    )
    assert found, f"waited in vain for {condition}; the player: {page.evaluate(_PLAYER)}"
    return found


def picture_place(page: Page) -> Box:
    """Where the video's picture is on the page: the element without its black bars."""
    return Box(
        *page.evaluate("""() => {
          const video = document.querySelector("#stage video");
          const { x, y, width, height } = video.getBoundingClientRect();
          const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
          const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
          return [x + (width - w) / 2, y + (height - h) / 2, w, h];
        }""")
    )


def screenshot(page: Page, place: Box) -> np.ndarray:
    """(height, width, 3) uint8 of a part of the page."""
    clip = {"x": place.x, "y": place.y, "width": place.w, "height": place.h}
    content = np.frombuffer(page.screenshot(clip=clip), np.uint8)
    return cv2.cvtColor(cv2.imdecode(content, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def faces(picture: np.ndarray) -> list[Box]:
    """The faces in a picture, found by a detector that is not Visagram's: local binary patterns."""
    scale = min(1.0, 400 / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    side = min(small.shape[:2])
    sizes = {"min_size": (side // 6,) * 2, "max_size": (int(side * 0.95),) * 2}
    found = Cascade(lbp_frontal_face_cascade_filename()).detect_multi_scale(
        img=small, scale_factor=1.1, step_ratio=1, **sizes
    )
    return [Box(*(face[key] / scale for key in ("c", "r", "width", "height"))) for face in found]


def boxes_shown(page: Page, place: Box, size: Sequence[int]) -> list[Box]:
    """The boxes that the overlay draws, in pixels of a screenshot of `place`. size: of the displayed picture."""
    sx, sy = place.w / size[0], place.h / size[1]
    shown = page.evaluate("() => window.visagram.boxesShown().map(({ box }) => box)")
    return [Box(x * sx, y * sy, w * sx, h * sy) for x, y, w, h in shown]
