"""The results of all segments, which lie in files, become a view folder; of a long video they are never in memory
together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import visagram.wire as wire
from visagram.analysis import Part, assemble
from visagram.core.segments import Probed, Segment, SegmentResult
from visagram.core.types import Observations, Progress
from visagram.errors import DecodeFailed
from visagram.export.view import write_view
from visagram.report import Report
from visagram.settings import Settings
from visagram.workers import Message

Files = Sequence[tuple[Segment, Path]]
"""Each segment and the file of the messages that its analysis sent."""


@dataclass
class StoredPart(Part):
    """A part whose observations stay in its file until they are asked for."""

    path: Path = field(kw_only=True)

    def take(self, message: Message) -> Observations | None:
        found = super().take(message)
        self.observations.clear()
        return found

    def result(self) -> SegmentResult:
        found = Part(self.segment)
        for message in _messages(self.path):
            found.take(message)
        return found.result()


def merge(name: str, probed: Probed, files: Files, settings: Settings, folder: Path, progress: Progress) -> Report:
    """Put the results together and write the view folder. Raises `DecodeFailed`, `NoFrames`, `OutputError`."""
    parts = [_read_part(path, segment) for segment, path in files]
    done = assemble(name, probed, parts, settings, progress)
    write_view(done.report, done.tracks, folder)
    return done.report


def _read_part(path: Path, segment: Segment) -> StoredPart:
    part = StoredPart(segment, path=path)
    for message in _messages(path):
        part.take(message)
    if not part.done:
        raise DecodeFailed(f"The result of segment {segment.number} is incomplete: start the analysis again.")
    return part


def _messages(path: Path) -> Iterator[Message]:
    with path.open("rb") as file:
        while (message := wire.receive(file)) is not None:
            yield message
