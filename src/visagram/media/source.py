"""A probed video: what every reader of its frames needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from visagram.core.segments import Timeline
from visagram.core.types import ResultWarning, VideoFacts
from visagram.media.packets import Alive
from visagram.media.probe import probe
from visagram.settings import Settings


@dataclass(frozen=True, slots=True)
class Source:
    """A file with its facts, its timeline and the limits under which it is read."""

    path: Path
    facts: VideoFacts
    timeline: Timeline
    settings: Settings
    warnings: tuple[ResultWarning, ...] = ()

    @classmethod
    def probed(cls, path: Path, settings: Settings, alive: Alive = lambda: None) -> Source:
        """Probe a file. Raises `InputError`."""
        facts, timeline, warnings = probe(path, settings, alive)
        return cls(path, facts, timeline, settings, warnings)
