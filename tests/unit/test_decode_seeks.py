"""A stretch late in a file is found without reading all that is before it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import media_factory as media
from visagram.core.segments import segment
from visagram.media.decode import SegmentFrames
from visagram.media.probe import probe
from visagram.settings import Settings

COUNT, GAP = 250, 25
KINDS = {
    "a.mp4": {},
    "a.mkv": {},
    "a.ts": {},
    "b.mp4": {"options": {"g": str(GAP), "bf": "0", "sc_threshold": "0"}},
    "intra.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "options": {}},
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("first", [0, 110, 230])
def test_a_late_stretch_is_read_from_a_key_frame_near(tmp_path: Path, name: str, first: int) -> None:
    options = {"g": str(GAP), "bf": "2", "sc_threshold": "0"}
    how = {"options": options} | KINDS[name]
    path = media.write_clip(tmp_path / name, media.numbered(64, 48, COUNT), **how)  # type: ignore[arg-type]
    facts, timeline, _ = probe(path, Settings())
    wanted = np.arange(first, first + 10)
    stretch = segment(timeline, wanted, np.full(10, 3), 10)
    read: list[int] = []
    with SegmentFrames(
        path, facts, timeline, stretch, Settings(), threads=1, depth=99, alive=lambda: read.append(1)
    ) as source:
        frames = list(source)
    assert [media.read_number(frame.luma) for frame in frames] == wanted.tolist()
    assert [frame.index for frame in frames] == wanted.tolist()
    assert [frame.time for frame in frames] == [timeline.seconds(int(timeline.pts[k])) for k in wanted]
    assert {frame.span for frame in frames} == {3 * timeline.base}
    assert {frame.size for frame in frames} == {(64, 48)}
    assert source.damaged == 0
    # From the key frame before, at most a second further back, and to the end of what the decoder holds.
    assert len(read) <= (first % GAP) + 2 * GAP + 30


def test_what_does_not_decode_is_counted_in_the_core_alone(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mkv", media.numbered(64, 48, 40), options={"g": "10", "bf": "0"})
    facts, timeline, _ = probe(path, Settings())
    content = bytearray(path.read_bytes())
    # The pictures 12 to 15 are no pictures any more: those up to the next key frame are lost or damaged.
    for place, size, _, _ in timeline.marks[12:16].tolist():
        at = content.index(path.read_bytes()[place : place + 16], place)
        content[at + 4 : at + size] = bytes(size - 4)
    path.write_bytes(content)
    for core, damaged in ((20, True), (12, False)):
        stretch = segment(timeline, np.arange(20), np.ones(20, np.int64), core)
        with SegmentFrames(path, facts, timeline, stretch, Settings(), threads=1, depth=99) as source:
            shown = [frame.index for frame in source]
        assert source.damaged == len(set(range(core)) - set(shown))
        assert (source.damaged > 0) == damaged


def test_seconds_are_those_of_the_timeline(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", media.numbered(64, 48, 10), rate=Fraction(30000, 1001))
    facts, timeline, _ = probe(path, Settings())
    stretch = segment(timeline, np.arange(3, 6), np.ones(3, np.int64), 3)
    with SegmentFrames(path, facts, timeline, stretch, Settings(), threads=1, depth=1) as source:
        assert [frame.time for frame in source] == [Fraction(1001 * k, 30000) for k in (3, 4, 5)]
