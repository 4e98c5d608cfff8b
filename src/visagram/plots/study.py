"""Conditions of a study side by side: everybody's value, means with intervals, and differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from visagram.core.compare import MEASURES, Comparison, Difference, Group, Mean
from visagram.core.types import EXPRESSIONS
from visagram.plots.rows import BOTTOM, TOP, Panel, percent_axis
from visagram.plots.style import INK, PALETTE, distinct, layout

if TYPE_CHECKING:
    import plotly.graph_objects as go

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
"""One per group, so that groups differ by more than the place of their rows."""
ROW_PIXELS, HEAD_PIXELS = 40, 40
"""Of the figure of differences: height of a row, and of the lines above that say which side is which."""
LONGEST_NAME = 16
"""Characters of a group's name on an axis, beside which its number of participants stands."""
LEAST_REACH = 5.0
"""Percentage points that the axis of differences shows to both sides at least: a small difference should look small."""
_ALIKE = (0.0, None, None)
"""No whisker where all are alike: a bound that holds for any distribution says little of this one."""
_HOVER = "%{text}<extra></extra>"


def means_figure(comparison: Comparison) -> go.Figure:
    """Each group's mean with its 95 % interval over small dots for the participants, a block per expression."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout())
    groups = comparison.groups
    if not groups:
        figure.add_annotation(
            text="Nothing was measured in any group, so there is nothing to compare.", showarrow=False
        )
        return figure
    names = distinct([group.name for group in groups], LONGEST_NAME)
    panel = Panel([f"{name}, n = {group.n}" for name, group in zip(names, groups, strict=True)])
    for row, (group, name) in enumerate(zip(groups, names, strict=True)):
        figure.add_trace(_participants(go, group, row, panel))
        figure.add_trace(_means(go, group, name, row, panel))
    figure.update_layout(
        height=panel.height + TOP + BOTTOM,
        margin={"l": 8, "r": 28, "t": TOP, "b": BOTTOM},
        showlegend=False,
        yaxis=panel.yaxis(),
        xaxis=percent_axis(f"{MEASURES[comparison.measure]}<br>by apparent expression", rangemode="tozero"),
        annotations=panel.heads(),
    )
    return figure


def differences_figure(differences: Sequence[Difference]) -> go.Figure:
    """The differences of one pair of groups with their 95 % intervals around zero, a row per expression."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout())
    if not differences:
        figure.add_annotation(text="There are no two groups to compare.", showarrow=False)
        return figure
    rows, names = len(differences), [each.expression for each in differences]
    first, second = distinct([differences[0].first, differences[0].second])
    figure.add_trace(
        go.Scatter(
            x=[each.value * 100 for each in differences],
            y=list(range(rows)),
            text=[_difference(each) for each in differences],
            mode="markers",
            marker={"color": [PALETTE[name] for name in names], "size": 11, "line": {"color": INK, "width": 1}},
            hovertemplate=_HOVER,
            cliponaxis=False,
            error_x=_whiskers([(each.value, each.low, each.high) if each.test else _ALIKE for each in differences]),
        )
    )
    ends = [end for d in differences for end in (d.value, *((d.low, d.high) if d.test else ())) if end]
    reach = max([LEAST_REACH, *(abs(end) * 108 for end in ends)])
    figure.update_layout(
        height=rows * ROW_PIXELS + TOP + HEAD_PIXELS + BOTTOM,
        margin={"l": 8, "r": 16, "t": TOP + HEAD_PIXELS, "b": BOTTOM},
        showlegend=False,
        yaxis={
            "range": [rows - 0.5, -0.5],
            "tickvals": list(range(rows)),
            "ticktext": names,
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
        },
        xaxis=percent_axis("difference in percentage points", ticksuffix="", range=[-reach, reach])
        | {"zeroline": True, "zerolinecolor": INK},
        annotations=[_side(f"← more in<br>{first}", "right"), _side(f"more in →<br>{second}", "left")],
    )
    return figure


def _side(text: str, anchor: str) -> dict[str, Any]:
    """Above the rows, beside the line of no difference; two lines, because a telephone is narrow."""
    place = {"x": 0, "xref": "x", "xanchor": anchor, "align": anchor, "xshift": 12 if anchor == "left" else -12}
    return place | {"y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 6, "text": text, "showarrow": False}


def _participants(go: Any, group: Group, row: int, panel: Panel) -> go.Scatter:
    people = distinct(group.participants)
    values = [(k, people[p], shares[k] * 100) for p, shares in enumerate(group.values) for k in range(len(EXPRESSIONS))]
    return go.Scatter(
        x=[value for _, _, value in values],
        y=[panel.position(k, row) for k, _, _ in values],
        text=[f"{who}, {EXPRESSIONS[k]}: {value:.1f} %" for k, who, value in values],
        mode="markers",
        marker={"color": [PALETTE[EXPRESSIONS[k]] for k, _, _ in values], "size": 5, "opacity": 0.45},
        hovertemplate=_HOVER,
        cliponaxis=False,
    )


def _means(go: Any, group: Group, name: str, row: int, panel: Panel) -> go.Scatter:
    colours = [PALETTE[expression] for expression in EXPRESSIONS]
    return go.Scatter(
        x=[mean.value * 100 for mean in group.means],
        y=[panel.position(k, row) for k in range(len(EXPRESSIONS))],
        text=[f"{name}, {_mean(mean)}" for mean in group.means],
        mode="markers",
        marker={
            "color": colours,
            "size": 10,
            "symbol": SYMBOLS[row % len(SYMBOLS)],
            "line": {"color": INK, "width": 1},
        },
        hovertemplate=_HOVER,
        cliponaxis=False,
        error_x=_whiskers([(mean.value, mean.low, mean.high) if mean.deviation else _ALIKE for mean in group.means]),
    )


def _whiskers(values: Sequence[tuple[float, float | None, float | None]]) -> dict[str, Any]:
    """No whisker where there is no interval: one of length zero would claim to be exact."""
    return {
        "array": [None if high is None else (high - value) * 100 for value, _, high in values],
        "arrayminus": [None if low is None else (value - low) * 100 for value, low, _ in values],
        "color": INK,
        "thickness": 1.5,
        "width": 4,
    }


def _mean(mean: Mean) -> str:
    text = f"{mean.expression}: mean {mean.value * 100:.1f} %"
    if mean.low is None or mean.high is None:
        return f"{text}, no interval"
    kind = "95 % interval" if mean.deviation else "the same in all, 95 % bounds"
    return f"{text}<br>{kind} {mean.low * 100:.1f}-{mean.high * 100:.1f} %"


def _difference(found: Difference) -> str:
    text = f"{found.expression}: {found.value * 100:+.1f} points"
    if found.low is None or found.high is None:
        return f"{text}, no interval"
    if found.p_family is None:
        return f"{text}<br>the same in all, 95 % bounds {found.low * 100:+.1f} to {found.high * 100:+.1f}"
    p = f"p = {found.p_family:.3f}" if found.p_family >= 0.001 else "p &lt; 0.001"
    return f"{text}<br>95 % interval {found.low * 100:+.1f} to {found.high * 100:+.1f}, {p} (family-wise; {found.test})"
