"""Videos of which it is known what each frame shows, and the results that the shared server has for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from skimage.data import data_dir

from browser.served import Api
from media_factory import SAMPLE, sample_frames, turn, write_clip

WIDTH, HEIGHT, STRIP = 640, 400, 40
FACE = (320, 240)
"""Width and height of the moving picture of a face."""
FACE_MIDDLE = 167
"""Where the middle of the face is in it, give or take two pixels, measured with the detector of `look`."""
MILLISECONDS = Fraction(1, 1000)
UNEVEN = (20, 40, 100, 30, 60, 30, 20, 60)
"""Milliseconds that the frames of a clip with a variable rate last, over and over."""


@dataclass(frozen=True)
class Clip:
    """A clip on the server. times: seconds at which each frame begins. video: what the API says of it."""

    path: Path
    times: tuple[float, ...]
    video: dict[str, Any]

    @property
    def page(self) -> str:
        return f"/analyses/{self.video['latest']['id']}"

    def span(self, frame: int) -> float:
        """Seconds that a frame lasts."""
        return self.times[min(frame + 1, len(self.times) - 1)] - self.times[min(frame, len(self.times) - 2)]


def face_left(time: float) -> float:
    """Where the picture of the face lies at a time: it swings, up to 8 pixels from frame to frame."""
    return (WIDTH - FACE[0]) / 2 + 130 * math.sin(time * math.pi / 2)


def moving(times: Sequence[float]) -> Iterator[np.ndarray]:
    """(HEIGHT, WIDTH, 3) uint8 pictures of a face that moves, each with its number as eight bars along the top."""
    for number, (time, frame) in enumerate(zip(times, sample_frames(len(times), *FACE), strict=True)):
        picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        bits = np.array([number >> k & 1 for k in range(8)], np.uint8) * 255
        picture[:STRIP] = np.repeat(bits, WIDTH // 8)[:, None]
        left = round(face_left(time))
        picture[STRIP + 60 : STRIP + 60 + FACE[1], left : left + FACE[0]] = frame.to_ndarray(format="rgb24")
        yield picture


def number_on(picture: np.ndarray) -> int:
    """The number that a picture by `moving` shows, at any size of at least 80 pixels."""
    height, width = picture.shape[:2]
    row = picture[height // 40 : height * STRIP // HEIGHT - height // 40].mean(axis=(0, 2))
    side = width / 8
    return sum(int(row[int((k + 0.3) * side) : int((k + 0.7) * side)].mean() > 128) << k for k in range(8))


class Clips:
    """Analysed clips by name, each made and sent once."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api, self._folder = api, folder
        self._sent: dict[str, Clip] = {}
        self._done: dict[str, Clip] = {}

    def __getitem__(self, name: str) -> Clip:
        if name not in self._done:
            self.send(name)
            clip = self._sent[name]
            self._done[name] = Clip(clip.path, clip.times, self._api.done(clip.video))
        return self._done[name]

    def send(self, *names: str) -> None:
        """Begin analyses, so that they are done when they are asked for."""
        for name in names:
            if name not in self._sent:
                path, times = _MAKERS[name](self._folder)
                self._sent[name] = Clip(path, tuple(times), self._api.upload(path))


_Made = tuple[Path, Sequence[float]]


def _even(count: int = 125) -> list[float]:
    return [k / 25 for k in range(count)]


def _uneven(count: int = 100) -> list[int]:
    return [0, *np.cumsum(np.resize(UNEVEN, count - 1)).tolist()]


def _frames(pictures: Iterator[np.ndarray], pixel_format: str = "yuv420p") -> Iterator[av.VideoFrame]:
    for picture in pictures:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        yield frame.reformat(format=pixel_format)


def _sample(folder: Path) -> _Made:
    return SAMPLE, _even(765)


def _plain(folder: Path) -> _Made:
    times = _even()
    # Two B-frames in a row, and a key frame every two seconds, as cameras write them.
    return write_clip(folder / "plain.mp4", _frames(moving(times)), options={"g": "50", "bf": "2"}), times


def _rotated(folder: Path) -> _Made:
    times = _even()
    lying = (np.rot90(picture) for picture in moving(times))
    return turn(write_clip(folder / "rotated.mp4", _frames(lying)), 90), times


def _variable(folder: Path) -> _Made:
    pts = _uneven()
    times = [at / 1000 for at in pts]
    return write_clip(folder / "variable.mp4", _frames(moving(times)), pts=pts, time_base=MILLISECONDS), times


def _avi(folder: Path) -> _Made:
    times = _even()
    return write_clip(folder / "old.avi", _frames(moving(times)), codec="mpeg4", options={"qscale": "3"}), times


def _hevc(folder: Path) -> _Made:
    """From a phone: HEVC with a variable rate, in Matroska, where time does not begin at zero."""
    pts = _uneven()
    times = [at / 1000 for at in pts]
    options = {"x265-params": "log-level=none", "preset": "ultrafast"}
    late = [at + 1400 for at in pts]
    frames = _frames(moving(times))
    return write_clip(
        folder / "phone.mkv", frames, codec="libx265", pts=late, time_base=MILLISECONDS, options=options
    ), times


def _two(folder: Path) -> _Made:
    """Three seconds of the sample's face, then three of another: a cut between two people."""
    astronaut = cv2.cvtColor(cv2.imread(str(Path(data_dir) / "astronaut.png")), cv2.COLOR_BGR2RGB)
    woman = [frame.to_ndarray(format="rgb24") for frame in sample_frames(75)]
    height, width = woman[0].shape[:2]
    # The second face drifts a little, as people do.
    other = [astronaut[k // 4 : k // 4 + height, 20 + k // 2 : 20 + k // 2 + width] for k in range(75)]
    return write_clip(folder / "two people.mp4", _frames(iter(woman + other))), _even(150)


_MAKERS: dict[str, Callable[[Path], _Made]] = {
    "sample": _sample,
    "plain": _plain,
    "rotated": _rotated,
    "variable": _variable,
    "avi": _avi,
    "hevc": _hevc,
    "two": _two,
}
