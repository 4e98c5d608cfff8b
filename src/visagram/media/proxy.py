"""A copy of a video that every browser plays, at the original's times and quick to seek in."""

from __future__ import annotations

from pathlib import Path

from visagram.core.types import Progress
from visagram.media.source import Source
from visagram.media.write import Style, write_mp4

STYLE = Style(
    stage="proxy",
    # Without frames in another order than they are shown no edit list is needed, which players read differently.
    encoding={"crf": "23", "preset": "superfast", "profile": "high", "bf": "0", "forced-idr": "1"},
    copied=frozenset({"aac"}),
    longest=1920,
    key_every=1.0,
)


def write_proxy(source: Source, output: Path, progress: Progress) -> None:
    """Write `source` as 8-bit H.264 and AAC in MP4 to `output`.

    Every frame that decodes is there, upright, in square pixels, at most `STYLE.longest` pixels long and at its own
    time from the video's start; a key frame each second. Raises `InputError`, and `OutputError` for what the disk
    refuses.
    """
    write_mp4(source, output, STYLE, progress)
