"""A comparison written down before anybody looks at its result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from visagram.core.compare import LEAST


@dataclass(frozen=True, slots=True)
class Plan:
    """by, measure, window, tag: what is compared, of which videos. least, smallest: as in `compare.Comparison`.
    contrasts: pairs of groups; all pairs where there are none. visagram: the version that froze it. frozen: when, ISO
    8601 in UTC."""

    by: str = "condition"
    measure: str = "share"
    window: str = ""
    tag: str = ""
    least: float = LEAST
    smallest: float | None = None
    contrasts: tuple[tuple[str, str], ...] = ()
    visagram: str = ""
    frozen: str = ""

    @classmethod
    def read(cls, text: str) -> Plan:
        """What `text` wrote."""
        values: dict[str, Any] = json.loads(text)
        pairs = tuple((str(first), str(second)) for first, second in values.pop("contrasts"))
        return cls(**values, contrasts=pairs)

    @property
    def text(self) -> str:
        """All of it as JSON; equal plans give equal text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, ensure_ascii=False, indent=2) + "\n"

    @property
    def sha256(self) -> str:
        """Of the text in UTF-8: whoever has the file can check that it is the one that was frozen."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def departures(self, asked: Mapping[str, Any], groups: Iterable[str], version: str) -> list[str]:
        """Where a comparison departs from the plan, in sentences. asked: its by, measure, window, tag, least and
        smallest. groups: the names of those it has. version: of the program that makes it."""
        found = [
            f"The plan has {name} = {_word(planned)}; this comparison has {_word(asked.get(name))}."
            for name, planned in dataclasses.asdict(self).items()
            if name in _COMPARED and asked.get(name) != planned
        ]
        there = set(groups)
        missing = sorted({name for pair in self.contrasts for name in pair} - there)
        found += [f"The plan compares '{name}', of which nothing was measured." for name in missing]
        if version != self.visagram:
            found.append(f"The plan was frozen with version {self.visagram}; this comparison is made by {version}.")
        return found

    def holds(self, asked: Mapping[str, Any]) -> bool:
        """Whether that is the comparison that was planned."""
        return all(asked.get(name) == getattr(self, name) for name in _COMPARED)


_COMPARED = ("by", "measure", "window", "tag", "least", "smallest")


def _word(value: Any) -> str:
    return "none" if value in (None, "") else str(value)
