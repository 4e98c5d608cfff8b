"""A comparison written down before anybody looks at its result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from visagram.core.compare import LEAST

COMPARED = {
    "by": "what makes a group",
    "measure": "the measure",
    "window": "the event window",
    "tag": "the tag of the videos",
    "condition": "the condition of the videos",
    "least": "the least measured time in seconds",
    "smallest": "the smallest difference of interest",
}
"""What has to be the same in a comparison as in its plan, in words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """by, measure, window, tag, condition: what is compared, of which videos. least, smallest: as in
    `compare.Comparison`. contrasts: pairs of groups; all pairs where there are none. visagram: the version that froze
    it. frozen: when, ISO 8601 in UTC. analysed: how many videos had a result by then. replaces: SHA-256 of the plan
    before it."""

    by: str = "condition"
    measure: str = "share"
    window: str = ""
    tag: str = ""
    condition: str = ""
    least: float = LEAST
    smallest: float | None = None
    contrasts: tuple[tuple[str, str], ...] = ()
    visagram: str = ""
    frozen: str = ""
    analysed: int = 0
    replaces: str = ""

    @classmethod
    def read(cls, text: str) -> Plan:
        """What is known of a plan's text; other versions may have written more, or less."""
        known = {field.name for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in known}
        pairs = tuple((str(first), str(second)) for first, second in values.pop("contrasts", ()))
        return cls(**values, contrasts=pairs)

    @property
    def text(self) -> str:
        """All of it as JSON; equal plans give equal text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, ensure_ascii=False, indent=2) + "\n"

    def departures(self, asked: Mapping[str, Any], groups: Iterable[str], version: str) -> list[str]:
        """Where a comparison departs from the plan, and what of the plan itself a reader has to know, in sentences.

        asked: its values of `COMPARED`. groups: the names of those it has. version: of the program that makes it.
        """
        found = [
            f"Planned was {words}: {_word(getattr(self, name))}; here it is {_word(asked.get(name))}."
            for name, words in COMPARED.items()
            if asked.get(name) != getattr(self, name)
        ]
        if found and self.contrasts:
            found.append("All pairs of groups are compared, not only those of the plan.")
        missing = sorted({name for pair in self.contrasts for name in pair} - set(groups))
        found += [f"The plan compares '{name}', of which nothing was measured." for name in missing[:5]]
        if len(missing) > 5:
            found.append(f"The plan compares {len(missing) - 5} further groups of which nothing was measured.")
        if version != self.visagram:
            found.append(f"The plan was frozen with version {self.visagram}; this comparison is made by {version}.")
        if self.replaces:
            found.append(f"The plan replaces an earlier one ({self.replaces[:12]}).")
        if self.analysed:
            number = "1 video was" if self.analysed == 1 else f"{self.analysed} videos were"
            found.append(f"When it was frozen, {number} analysed already.")
        return found

    def holds(self, asked: Mapping[str, Any]) -> bool:
        """Whether that is the comparison that was planned."""
        return all(asked.get(name) == getattr(self, name) for name in COMPARED)


def digest(text: str) -> str:
    """SHA-256 of a plan's text in UTF-8: whoever has the file can check that it is the one that was frozen."""
    return hashlib.sha256(text.encode()).hexdigest()


def _word(value: Any) -> str:
    return "none" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)
