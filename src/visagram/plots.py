"""The figures, once: the web page, the HTML report and notebooks show the same ones."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.bins import Bins, bin_person, runs
from visagram.core.types import EXPRESSIONS

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from visagram.core.types import Person
    from visagram.report import Report

PALETTE = {
    "angry": "#c8501e",
    "disgust": "#0f8f6b",
    "fear": "#b565a7",
    "happy": "#f0a81c",
    "sad": "#2f6fb5",
    "surprise": "#67bde8",
    "neutral": "#a9aeb5",
}
"""Colour of each expression: Okabe and Ito's colour-blind-safe set, toned to stand on white and on black."""

PATTERNS = {"angry": "/", "disgust": "x", "fear": "\\", "happy": "", "sad": "-", "surprise": ".", "neutral": ""}
"""The second cue: hatching in the notation of plotly, so that colour is never the only difference."""

_EPOCH = 86_400_000.0
"""Milliseconds. Time zero on the date axis: there plotly takes numbers below 10,000 for years."""
LANE, STRIP = 1.0, 0.3
"""Height of a lane, and of the strip above it that carries the labels, in lanes."""
LANE_PIXELS, TOP_PIXELS, BOTTOM_PIXELS = 112, 8, 40
"""Pixels per lane with its strip, above the first and below the last: an HTML page aligns its lane heads with them."""
LABEL_FROM = 0.045
"""A stretch of one expression gets its name written above from this share of the timeline on."""

_FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
_INK, _GRID, _SEEN = "#7b828c", "rgba(128,136,148,0.22)", "rgba(128,136,148,0.55)"


_Outline = tuple[NDArray[np.float64], NDArray[np.float32]]


def timeline(report: Report) -> go.Figure:
    """The mean posterior over time as stacked areas, one lane per person; gaps are time that was not measured.

    The x axis is milliseconds on a date axis (so that zooming refines the ticks), the y axis counts lanes downwards.
    """
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout())
    rows, (begin, finish) = report.observations, _range(report)
    lanes = [(person, bin_person(rows[rows.person == person.id], begin, finish)) for person in report.people]
    for k, name in enumerate(EXPRESSIONS):
        figure.add_trace(_area(go, name, [_polygon(bins, k, -row) for row, (_, bins) in enumerate(lanes)]))
    for row, (person, bins) in enumerate(lanes):
        figure.add_trace(_presence(go, bins, -row))
        figure.add_trace(_labels(go, bins, -row))
        figure.add_trace(_hover(go, bins, -row, _name(person)))
    start, end = _ms(begin), _ms(finish)
    for row in range(len(lanes)):
        figure.add_hline(_base(-row), line={"color": _GRID, "width": 1}, layer="below")
    hours = end - _EPOCH > 3_600_000
    figure.update_layout(
        height=TOP_PIXELS + BOTTOM_PIXELS + LANE_PIXELS * max(1, len(lanes)),
        margin={"l": 88, "r": 24, "t": TOP_PIXELS, "b": BOTTOM_PIXELS},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "itemsizing": "constant"},
        hovermode="x",
        xaxis={
            "type": "date",
            "range": [start, end],
            "minallowed": start,
            "maxallowed": end,
            "tickformat": "%-H:%M:%S" if hours else "%-M:%S",
            "tickformatstops": [{"dtickrange": [None, 999], "value": "%-M:%S.%L"}],
            "hoverformat": "%-H:%M:%S.%1f" if hours else "%-M:%S.%1f",
            "showgrid": False,
            "zeroline": False,
            "ticks": "outside",
            "tickcolor": _GRID,
            "nticks": 9,
            "tickangle": 0,
            "ticklabeloverflow": "allow",
        },
        yaxis={
            "range": [_base(1 - max(1, len(lanes))), LANE + STRIP],
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "tickvals": [_base(-row) + LANE / 2 for row in range(len(lanes))],
            "ticktext": [_name(person) for person, _ in lanes],
        },
    )
    if not lanes:
        figure.add_annotation(text="No face was found, so there is no apparent expression to show.", showarrow=False)
    return figure


def distribution(person: Person) -> go.Figure:
    """Share of measured time under each apparent expression, as horizontal bars with 95 % intervals."""
    import plotly.graph_objects as go

    names = list(reversed(EXPRESSIONS))
    shares = dict(zip(EXPRESSIONS, person.shares, strict=False))
    shown = [shares[name] for name in names if name in shares]
    figure = go.Figure(layout=_layout())
    if shown:
        values = np.array([share.value for share in shown]) * 100
        low, high = np.array([share.low for share in shown]) * 100, np.array([share.high for share in shown]) * 100
        figure.add_trace(
            go.Bar(
                y=names,
                x=values,
                orientation="h",
                marker={"color": [PALETTE[name] for name in names], "pattern": _hatch([PATTERNS[n] for n in names])},
                error_x={
                    "array": high - values,
                    "arrayminus": values - low,
                    "color": _INK,
                    "thickness": 1.5,
                    "width": 3,
                },
                customdata=np.stack([low, high], axis=1),
                hovertemplate="%{y}: %{x:.1f} %<br>"
                "95 % interval %{customdata[0]:.1f}-%{customdata[1]:.1f} %<extra></extra>",
            )
        )
    else:
        figure.add_annotation(text="Nothing was measured.", showarrow=False)
    figure.update_layout(
        height=280,
        margin={"l": 72, "r": 12, "t": 8, "b": 44},
        bargap=0.35,
        xaxis={"range": [0, 100], "ticksuffix": " %", "gridcolor": _GRID, "zeroline": False, "fixedrange": True},
        yaxis={"fixedrange": True},
    )
    figure.update_xaxes(title="share of measured time by apparent expression")
    return figure


def _range(report: Report) -> tuple[float, float]:
    """Start and end of the analysed time in seconds; a still picture gets one second."""
    start = float(report.settings.get("start") or 0.0)
    rows = report.observations
    last = float((rows.time + rows.span).max()) if len(rows) else start
    end = max(start + report.totals.duration, last)
    return start, end if end > start else start + 1.0


def _ms(seconds: Any) -> Any:
    """Seconds as plotly's date axis wants them."""
    return np.round(seconds * 1000, 1) + _EPOCH


def _base(row: int) -> float:
    """Floor of a lane; rows count down from 0."""
    return row * (LANE + STRIP)


def _polygon(bins: Bins, k: int, row: int) -> _Outline:
    """Outline of one expression's area in one lane, x in ms of the date axis; NaN between stretches."""
    top = np.cumsum(bins.posterior, axis=1)[:, k]
    lower = top - bins.posterior[:, k]
    xs: list[NDArray[np.float64]] = []
    ys: list[NDArray[np.float64]] = []
    for first, after in runs(~np.isnan(top)):
        # Values belong to the middle of their bin; the first and last reach out to the edge of the measured time.
        middle = (bins.edges[first:after] + bins.edges[first + 1 : after + 1]) / 2
        x = np.concatenate([bins.edges[first : first + 1], middle, bins.edges[after : after + 1]])
        upper, below = (np.pad(side[first:after], 1, mode="edge") for side in (top, lower))
        xs += [x, x[::-1], np.array([np.nan])]
        ys += [upper, below[::-1], np.array([np.nan])]
    if not xs:
        return np.empty(0), np.empty(0, np.float32)
    return _ms(np.concatenate(xs)), np.asarray(np.concatenate(ys) * LANE + _base(row), np.float32)


def _area(go: Any, name: str, polygons: list[_Outline]) -> go.Scatter:
    x = np.concatenate([np.empty(0), *(outline[0] for outline in polygons)])
    y = np.concatenate([np.empty(0, np.float32), *(outline[1] for outline in polygons)])
    return go.Scatter(
        x=x,
        y=y,
        name=name,
        mode="lines",
        line={"width": 0, "simplify": True},
        fill="toself",
        fillcolor=_fill(name),
        fillpattern={**_hatch(PATTERNS[name]), "bgcolor": _fill(name)},
        hoverinfo="skip",
        legendgroup=name,
        showlegend=True,
    )


def _name(person: Person) -> str:
    """The name for plotly, which reads tags and %{fields} in texts, and breaks on what is not Unicode."""
    return escape(person.name.encode("utf-8", "replace").decode()).replace("%{", "%&#123;")


def _fill(name: str) -> str:
    """Neutral stands back, on white and on black, so that the expressions stand out."""
    return "rgba(150,157,167,0.5)" if name == "neutral" else PALETTE[name]


def _hatch(shape: Any) -> dict[str, Any]:
    return {"shape": shape, "fgcolor": "#ffffff", "fgopacity": 0.32, "size": 7, "solidity": 0.16, "fillmode": "overlay"}


def _presence(go: Any, bins: Bins, row: int) -> go.Scatter:
    """A line on the lane's floor where the person was in the picture but could not be measured."""
    unmeasured = bins.seen & np.isnan(bins.posterior[:, 0])
    x = [edge for first, after in runs(unmeasured) for edge in (bins.edges[first], bins.edges[after], np.nan)]
    return go.Scatter(
        x=_ms(np.array(x, np.float64)),
        y=np.full(len(x), _base(row) + 0.02, np.float32),
        mode="lines",
        line={"color": _SEEN, "width": 3, "dash": "2px,3px"},
        name="in the picture, not measured",
        hoverinfo="skip",
        legendgroup="seen",
        showlegend=row == 0,
    )


def _labels(go: Any, bins: Bins, row: int) -> go.Scatter:
    """The name of the dominant expression above each stretch that is wide enough to read it. `customdata` holds every
    stretch's name and milliseconds, for a page that knows how wide its figure is drawn."""
    best = np.where(np.isnan(bins.posterior[:, 0]), -1, np.nan_to_num(bins.posterior).argmax(axis=1))
    stretches = [(*run, name) for k, name in enumerate(EXPRESSIONS) for run in runs(best == k)]
    width = bins.edges[1] - bins.edges[0]
    return go.Scatter(
        x=[float(_ms((bins.edges[first] + bins.edges[after]) / 2)) for first, after, _ in stretches],
        y=[_base(row) + LANE + STRIP * 0.08] * len(stretches),
        text=[name if after - first >= LABEL_FROM * len(best) else "" for first, after, name in stretches],
        customdata=[[name, round((after - first) * width * 1000)] for first, after, name in stretches],
        mode="text",
        textposition="top center",
        textfont={"color": _INK, "size": 12},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
        meta="labels",
    )


def _hover(go: Any, bins: Bins, row: int, name: str) -> go.Scatter:
    """An invisible point in the middle of each bin that carries the hover text, so that gaps say what they are."""
    probability = np.nan_to_num(bins.posterior)
    texts = np.where(bins.seen, "in the picture, not measured", "not in the picture").tolist()
    for bin in np.flatnonzero(~np.isnan(bins.posterior[:, 0])):
        best = int(probability[bin].argmax())
        texts[bin] = f"apparent expression {EXPRESSIONS[best]}, {probability[bin, best] * 100:.0f} %"
    return go.Scatter(
        x=_ms((bins.edges[:-1] + bins.edges[1:]) / 2),
        y=np.full(len(texts), _base(row) + LANE / 2, np.float32),
        text=texts,
        mode="markers",
        marker={"opacity": 0, "size": 1},
        hovertemplate=f"{name}: %{{text}}<extra></extra>",
        hoverlabel={"bgcolor": "#1d2229", "bordercolor": "#1d2229", "font": {"color": "#f4f5f6", "family": _FONT}},
        showlegend=False,
    )


def _layout() -> dict[str, Any]:
    """Reads on white and on black: no background, a grey between the two for everything that is not data."""
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": _INK},
    }
