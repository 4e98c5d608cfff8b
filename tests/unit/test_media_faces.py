"""Faces of single frames are cut out as in a run over the whole video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import media_factory as media
from visagram.media.crop import aligned
from visagram.media.faces import faces_at
from visagram.media.source import Source
from visagram.settings import Settings

FACE = np.float32([[40, 30], [60, 30], [50, 42], [42, 54], [58, 54]])


def landmarks(count: int) -> np.ndarray:
    """Faces that lie in other places each."""
    return np.stack([FACE + np.float32([3 * k % 50, k % 20]) for k in range(count)]).astype(np.float32)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.h264"])
def test_they_are_those_of_the_frames_that_were_asked_for(tmp_path: Path, name: str) -> None:
    """Two in one frame, neighbours, and frames behind other key frames in files that can be sought in and not."""
    raw = {"container": "h264"} if name.endswith("h264") else {"time_base": Fraction(1, 1000)}
    options = {"g": "12", "bf": "0" if name.endswith("h264") else "2", "sc_threshold": "0"}
    path = media.write_clip(tmp_path / name, media.numbered(160, 96, 60), options=options, **raw)  # type: ignore[arg-type]
    frames = np.array([3, 3, 4, 20, 21, 50, 59])
    places = landmarks(len(frames))
    shown = {frame.index: frame for frame in media.read(path, straight=True).frames}
    expected = [aligned(shown[number], place[None])[0] for number, place in zip(frames, places, strict=True)]
    found = faces_at(Source.probed(path, Settings()), frames, places)
    assert np.array_equal(found, expected)
    assert len(np.unique(found, axis=0)) == len(found)


def test_every_stretch_is_decoded_once(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mkv", media.numbered(64, 48, 250), options={"g": "25", "bf": "0"})
    source, read = Source.probed(path, Settings()), list[int]()
    faces_at(source, np.arange(100, 120), landmarks(20), lambda: read.append(1))
    assert 20 <= len(read) <= 60


def test_frames_that_do_not_decode_and_that_are_none_are_left_out(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mkv", media.numbered(64, 48, 40), options={"g": "10", "bf": "0"})
    source = Source.probed(path, Settings())
    content = bytearray(path.read_bytes())
    for place, size, _, _ in source.timeline.marks[12:16].tolist():
        at = content.index(path.read_bytes()[place : place + 16], place)
        content[at + 4 : at + size] = bytes(size - 4)
    path.write_bytes(content)
    assert faces_at(source, np.array([11, 13, 31]), landmarks(3)).shape == (2, 48, 48)
    assert faces_at(source, np.array([11, 40, 9999]), landmarks(3)).shape == (1, 48, 48)
    assert faces_at(source, np.array([40]), landmarks(1)).shape == (0, 48, 48)
