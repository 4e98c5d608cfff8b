"""Figures that set people or groups side by side: a mark with its 95 % interval for each expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from visagram.core.compare import Comparison
from visagram.core.types import EXPRESSIONS

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS = ("#2f6fb5", "#c8501e", "#0f8f6b", "#b565a7", "#f0a81c", "#67bde8", "#7b828c")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "triangle-down", "cross")
"""The second cue beside the colour."""
_SPREAD = 0.7
"""Of the room between two expressions, the part that the marks of one share."""
_INK, _GRID = "#7b828c", "rgba(128,136,148,0.22)"
_FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


class Mark(NamedTuple):
    """A share in 0..1 with the ends of its interval, None where there is none."""

    value: float
    low: float | None
    high: float | None


def of_people(people: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Each person's share of measured time under each apparent expression. people: as in `report.json`."""
    series = [(p["name"], [Mark(**p["shares"][name]) for name in EXPRESSIONS]) for p in people if p["shares"]]
    return _side_by_side(series, "share of measured time", "Nobody was measured.")


def of_groups(comparison: Comparison, label: str) -> go.Figure:
    """Each group's mean of each apparent expression."""
    series = [(g.name, [Mark(m.value, m.low, m.high) for m in g.means]) for g in comparison.groups]
    return _side_by_side(series, label, "There is nothing to compare yet.")


def _side_by_side(series: Sequence[tuple[str, Sequence[Mark]]], label: str, empty: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, (name, marks) in enumerate(series):
        place = (number + 0.5) / len(series) - 0.5
        figure.add_trace(
            go.Scatter(
                x=[k + place * _SPREAD for k in range(len(EXPRESSIONS))],
                y=[mark.value * 100 for mark in marks],
                mode="markers",
                name=_plain(name),
                marker={
                    "color": COLOURS[number % len(COLOURS)],
                    "symbol": SYMBOLS[number % len(SYMBOLS)],
                    "size": 9,
                },
                error_y={
                    "array": [_distance(mark.high, mark.value) for mark in marks],
                    "arrayminus": [_distance(mark.value, mark.low) for mark in marks],
                    "thickness": 1.5,
                    "width": 3,
                },
                customdata=[[name_of, *_ends(mark)] for name_of, mark in zip(EXPRESSIONS, marks, strict=True)],
                hovertemplate="%{customdata[0]}: %{y:.1f} %<br>%{customdata[1]}<extra>%{fullData.name}</extra>",
            )
        )
    if not series:
        figure.add_annotation(text=empty, showarrow=False)
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _FONT, "size": 13, "color": _INK},
        height=360,
        margin={"l": 64, "r": 12, "t": 8, "b": 44},
        showlegend=True,
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        xaxis={
            "tickvals": list(range(len(EXPRESSIONS))),
            "ticktext": list(EXPRESSIONS),
            "range": [-0.5, len(EXPRESSIONS) - 0.5],
            "zeroline": False,
            "showgrid": False,
            "fixedrange": True,
        },
        yaxis={
            "ticksuffix": " %",
            "rangemode": "tozero",
            "gridcolor": _GRID,
            "zeroline": False,
            "fixedrange": True,
            "title": {"text": label},
        },
    )
    return figure


def _distance(end: float | None, start: float | None) -> float | None:
    return None if end is None or start is None else max(0.0, end - start) * 100


def _ends(mark: Mark) -> list[str]:
    if mark.low is None or mark.high is None:
        return ["no interval"]
    return [f"95 % interval {mark.low * 100:.1f}–{mark.high * 100:.1f} %"]


def _plain(name: str) -> str:
    """A name as plotly shows it: what looks like markup to it is none."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
