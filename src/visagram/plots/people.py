"""Shares of one person, and of several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from visagram.core.types import EXPRESSIONS
from visagram.plots.rows import BOTTOM, TOP, Panel, percent_axis
from visagram.plots.style import GRID, INK, PALETTE, PATTERNS, distinct, hatch, layout

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from visagram.core.types import Person, Share

HOVER = "%{hovertext}: %{x:.1f} %<br>%{customdata}<extra></extra>"
TITLE = "share of measured time by apparent expression"


def distribution(person: Person) -> go.Figure:
    """Share of measured time under each apparent expression, as horizontal bars with 95 % intervals."""
    import plotly.graph_objects as go

    names = list(reversed(EXPRESSIONS))
    shares = dict(zip(EXPRESSIONS, person.shares, strict=False))
    shown = [shares[name] for name in names if name in shares]
    figure = go.Figure(layout=layout())
    if shown:
        figure.add_trace(
            go.Bar(
                y=names,
                x=[share.value * 100 for share in shown],
                hovertext=names,
                hovertemplate=HOVER,
                orientation="h",
                marker={"color": [PALETTE[name] for name in names], "pattern": hatch([PATTERNS[n] for n in names])},
                **_interval(shown),
            )
        )
    else:
        figure.add_annotation(text="Nothing was measured.", showarrow=False)
    figure.update_layout(
        height=280,
        margin={"l": 72, "r": 12, "t": 8, "b": 44},
        bargap=0.35,
        xaxis={"range": [0, 100], "ticksuffix": " %", "gridcolor": GRID, "zeroline": False, "fixedrange": True},
        yaxis={"fixedrange": True},
    )
    figure.update_xaxes(title=TITLE)
    return figure


def people_figure(people: Sequence[tuple[str, Sequence[Share]]]) -> go.Figure:
    """Share of measured time of each person, expression by expression, with 95 % intervals. Who was never measured has
    a row without a bar.

    people: name and shares of each, in the order of `EXPRESSIONS`, none where nothing was measured.
    """
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout())
    if not people:
        figure.add_annotation(text="No face was found, so there is nobody to compare.", showarrow=False)
        return figure
    names = distinct([name for name, _ in people])
    panel = Panel(names)
    for k, expression in enumerate(EXPRESSIONS):
        shown = [(row, shares[k]) for row, (_, shares) in enumerate(people) if shares]
        figure.add_trace(
            go.Bar(
                y=[panel.position(k, row) for row, _ in shown],
                x=[share.value * 100 for _, share in shown],
                width=0.72,
                name=expression,
                hovertext=[f"{names[row]}, {expression}" for row, _ in shown],
                hovertemplate=HOVER,
                orientation="h",
                marker={"color": PALETTE[expression], "pattern": hatch(PATTERNS[expression])},
                **_interval([share for _, share in shown]),
            )
        )
    figure.update_layout(
        height=panel.height + TOP + BOTTOM,
        margin={"l": 8, "r": 28, "t": TOP, "b": BOTTOM},
        showlegend=False,
        yaxis=panel.yaxis(),
        xaxis=percent_axis("share of measured time<br>by apparent expression", range=[0, 100]),
        annotations=panel.heads(),
    )
    return figure


def _interval(shares: Sequence[Share]) -> dict[str, Any]:
    """Whiskers in percent, none where there is no interval, and what the hover text says of them."""
    told = [(s.value, s.low, s.high) if s.low is not None and s.high is not None else None for s in shares]
    whiskers = {
        "array": [None if each is None else (each[2] - each[0]) * 100 for each in told],
        "arrayminus": [None if each is None else (each[0] - each[1]) * 100 for each in told],
        "color": INK,
        "thickness": 1.5,
        "width": 3,
    }
    said = [
        "no interval: too few changes" if each is None else f"95 % interval {each[1] * 100:.1f}-{each[2] * 100:.1f} %"
        for each in told
    ]
    return {"error_x": whiskers, "customdata": said}
