"""Conditions of a study side by side: everybody's value, means with intervals, and differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from visagram.core.compare import MEASURES, Comparison, Difference, Group, Mean
from visagram.core.types import EXPRESSIONS
from visagram.plots.rows import BOTTOM, TOP, Panel, percent_axis
from visagram.plots.style import INK, PALETTE, distinct, layout

if TYPE_CHECKING:
    import plotly.graph_objects as go

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
"""One per group, so that groups differ by more than the place of their rows."""
_HOVER = "%{text}<extra></extra>"
_GAP = 24


def study_figure(comparison: Comparison) -> go.Figure:
    """Above, each group's mean with its 95 % interval over small dots for the participants; below, the differences
    with theirs; a block per expression. Of more than three groups the differences from the first are drawn; those of
    all pairs are in the comparison."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout())
    groups = comparison.groups
    if not groups:
        figure.add_annotation(
            text="Nothing was measured in any group, so there is nothing to compare.", showarrow=False
        )
        return figure
    names = distinct([group.name for group in groups])
    means = Panel([f"{name}, n = {group.n}" for name, group in zip(names, groups, strict=True)])
    for row, (group, name) in enumerate(zip(groups, names, strict=True)):
        figure.add_trace(_participants(go, group, row, means))
        figure.add_trace(_means(go, group, name, row, means))
    called = dict(zip([group.name for group in groups], names, strict=True))
    pairs = _pairs(groups)
    # Two lines in each label.
    below = Panel([f"{called[second]}<br>minus {called[first]}" for first, second in pairs], pixels=40)
    for row, pair in enumerate(pairs):
        found = [d for d in comparison.differences if (d.first, d.second) == pair]
        figure.add_trace(_differences(go, found, called, row, below))
    height = means.height + (BOTTOM + _GAP + below.height if pairs else 0)
    figure.update_layout(
        height=height + TOP + BOTTOM,
        margin={"l": 8, "r": 28, "t": TOP, "b": BOTTOM},
        showlegend=False,
        yaxis=means.yaxis(domain=[1 - means.height / height, 1]),
        xaxis=percent_axis(f"{MEASURES[comparison.measure]}<br>by apparent expression", rangemode="tozero"),
        annotations=means.heads(),
    )
    if pairs:
        figure.update_layout(
            yaxis2=below.yaxis(domain=[0, below.height / height], anchor="x2"),
            xaxis2=percent_axis("difference in percentage points", ticksuffix="", anchor="y2"),
            annotations=[*means.heads(), *below.heads("y2")],
            shapes=[_zero(below.height / height)],
        )
    return figure


def _zero(top: float) -> dict[str, Any]:
    """The line of no difference."""
    look = {"line": {"color": INK, "width": 1}, "layer": "below"}
    return {"type": "line", "xref": "x2", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": top} | look


def _pairs(groups: Sequence[Group]) -> list[tuple[str, str]]:
    names = [group.name for group in groups]
    if len(names) <= 3:
        return [(a, b) for k, a in enumerate(names) for b in names[k + 1 :]]
    return [(names[0], other) for other in names[1:]]


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
    return go.Scatter(
        x=[mean.value * 100 for mean in group.means],
        y=[panel.position(k, row) for k in range(len(EXPRESSIONS))],
        text=[f"{name}, {text}" for text in _mean_texts(group.means)],
        error_x=_whiskers([(mean.value, mean.low, mean.high) for mean in group.means]),
        **_marks(row),
    )


def _differences(go: Any, found: Sequence[Difference], labels: dict[str, str], row: int, panel: Panel) -> go.Scatter:
    return go.Scatter(
        x=[d.value * 100 for d in found],
        y=[panel.position(EXPRESSIONS.index(d.expression), row) for d in found],
        text=[
            f"{labels[d.second]} minus {labels[d.first]}, {text}" for d, text in zip(found, _texts(found), strict=True)
        ],
        error_x=_whiskers([(d.value, d.low, d.high) for d in found]),
        xaxis="x2",
        yaxis="y2",
        **_marks(row),
    )


def _marks(row: int) -> dict[str, Any]:
    colours = [PALETTE[name] for name in EXPRESSIONS]
    marker = {"color": colours, "size": 10, "symbol": SYMBOLS[row % len(SYMBOLS)], "line": {"color": INK, "width": 1}}
    return {"mode": "markers", "marker": marker, "hovertemplate": _HOVER, "cliponaxis": False}


def _whiskers(values: Sequence[tuple[float, float | None, float | None]]) -> dict[str, Any]:
    high = [0.0 if top is None else (top - value) * 100 for value, _, top in values]
    low = [0.0 if bottom is None else (value - bottom) * 100 for value, bottom, _ in values]
    # No whisker where there is no interval: one of length zero would claim to be exact.
    none = [top is None for _, _, top in values]
    return {
        "array": [None if missing else h for h, missing in zip(high, none, strict=True)],
        "arrayminus": [None if missing else v for v, missing in zip(low, none, strict=True)],
        "color": INK,
        "thickness": 1.5,
        "width": 4,
    }


def _mean_texts(means: Sequence[Mean]) -> Iterator[str]:
    for mean in means:
        if mean.low is None or mean.high is None:
            yield f"{mean.expression}: mean {mean.value * 100:.1f} %, no interval"
        else:
            bounds = f"{mean.low * 100:.1f}-{mean.high * 100:.1f} %"
            yield f"{mean.expression}: mean {mean.value * 100:.1f} %<br>95 % interval {bounds}"


def _texts(found: Sequence[Difference]) -> Iterator[str]:
    for d in found:
        text = f"{d.expression}: {d.value * 100:+.1f} points"
        if d.low is None or d.high is None or d.p_holm is None:
            yield f"{text}, no interval"
        else:
            p = f"p = {d.p_holm:.3f}" if d.p_holm >= 0.001 else "p &lt; 0.001"
            yield f"{text}<br>95 % interval {d.low * 100:+.1f} to {d.high * 100:+.1f}, {p} (Holm, {d.test})"
