"""Panels of rows in blocks, one block per expression with its name above: what figures that compare are made of. Rows
lie below each other, so that they read on a telephone as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from visagram.core.types import EXPRESSIONS
from visagram.plots.style import GRID

ROW_PIXELS, HEAD_PIXELS, TOP, BOTTOM = 22, 30, 8, 64
"""Pixels of a row (the unit of the y axis), above each block, above the first one, and below the last for the axis."""


@dataclass(frozen=True, slots=True)
class Panel:
    """labels: of the rows, the same in each block."""

    labels: Sequence[str]

    @property
    def height(self) -> int:
        return len(EXPRESSIONS) * (len(self.labels) * ROW_PIXELS + HEAD_PIXELS)

    def position(self, block: int, row: int) -> float:
        """Height of a row on the y axis; it counts down from the first block's head."""
        head = HEAD_PIXELS / ROW_PIXELS
        return -(block * (len(self.labels) + head) + head + row + 0.5)

    def yaxis(self) -> dict[str, Any]:
        rows = range(len(self.labels))
        return {
            "range": [-self.height / ROW_PIXELS, 0],
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
            "layer": "below traces",
            "tickvals": [self.position(block, row) for block in range(len(EXPRESSIONS)) for row in rows],
            "ticktext": list(self.labels) * len(EXPRESSIONS),
        }

    def heads(self) -> list[dict[str, Any]]:
        """The expressions' names as annotations."""
        place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom"}
        look = {"showarrow": False, "font": {"size": 14}}
        return [
            {"text": name, "y": self.position(block, 0) + 0.5} | place | look for block, name in enumerate(EXPRESSIONS)
        ]


def percent_axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis of percent; a title may have two lines, because a telephone is narrow."""
    look = {"ticksuffix": " %", "tickangle": 0, "nticks": 6, "gridcolor": GRID, "zeroline": False, "fixedrange": True}
    return look | {"title": {"text": title, "standoff": 8}} | more
