"""Apparent expression over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.bins import Bins, bin_person, runs
from visagram.core.certainty import unsure
from visagram.core.types import EXPRESSIONS
from visagram.plots.style import FONT, GRID, INK, PATTERNS, SEEN, UNSURE, fill, hatch, layout, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from visagram.report import Report

_EPOCH = 86_400_000.0
"""Milliseconds. Time zero on the date axis: there plotly takes numbers below 10,000 for years."""
LANE, STRIP = 1.0, 0.3
"""Height of a lane, and of the strip above it that carries the labels, in lanes."""
LANE_PIXELS, TOP_PIXELS, BOTTOM_PIXELS = 112, 8, 40
"""Pixels per lane with its strip, above the first and below the last: an HTML page aligns its lane heads with them."""
LABEL_FROM = 0.045
"""A stretch of one expression gets its name written above from this share of the timeline on."""

_Outline = tuple[NDArray[np.float64], NDArray[np.float32]]


def timeline(report: Report, smooth: float | None = None) -> go.Figure:
    """The mean posterior over time as stacked areas, one lane per person; gaps are time that was not measured, and what
    the model was unsure of is hatched.

    smooth: seconds over which posteriors are smoothed (`core.smoothing`), by default the report's setting.
    The x axis is milliseconds on a date axis (so that zooming refines the ticks), the y axis counts lanes downwards.
    """
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout())
    rows, (begin, finish) = report.smoothed(smooth), _range(report)
    doubtful = unsure(report.observations, report.unsure_below)
    lanes = []
    for person in report.people:
        mine = rows.person == person.id
        lanes.append((person, bin_person(rows[mine], begin, finish, doubtful[mine])))
    for k, name in enumerate(EXPRESSIONS):
        figure.add_trace(_area(go, name, [_polygon(bins, k, -row) for row, (_, bins) in enumerate(lanes)]))
    if any(bins.unsure.any() for _, bins in lanes):
        figure.add_trace(_doubt(go, [_boxes(bins, -row) for row, (_, bins) in enumerate(lanes)]))
    for row, (person, bins) in enumerate(lanes):
        figure.add_trace(_presence(go, bins, -row))
        figure.add_trace(_labels(go, bins, -row))
        figure.add_trace(_hover(go, bins, -row, plain(person.name)))
    start, end = _ms(begin), _ms(finish)
    for row in range(len(lanes)):
        figure.add_hline(_base(-row), line={"color": GRID, "width": 1}, layer="below")
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
            "tickcolor": GRID,
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
            "ticktext": [plain(person.name) for person, _ in lanes],
        },
    )
    if not lanes:
        figure.add_annotation(text="No face was found, so there is no apparent expression to show.", showarrow=False)
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


def _boxes(bins: Bins, row: int) -> _Outline:
    """A box over the lane's whole height around each stretch that is unsure."""
    edges = [(bins.edges[first], bins.edges[after]) for first, after in runs(bins.unsure)]
    xs = [edge for start, end in edges for edge in (start, start, end, end, np.nan)]
    ys = [_base(row), _base(row) + LANE, _base(row) + LANE, _base(row), np.nan] * len(edges)
    return _ms(np.array(xs, np.float64)), np.array(ys, np.float32)


def _area(go: Any, name: str, polygons: list[_Outline]) -> go.Scatter:
    look = {"fillcolor": fill(name), "fillpattern": {**hatch(PATTERNS[name]), "bgcolor": fill(name)}}
    return _filled(go, name, polygons, look)


def _doubt(go: Any, boxes: list[_Outline]) -> go.Scatter:
    return _filled(go, "unsure", boxes, {"fillcolor": UNSURE["bgcolor"], "fillpattern": UNSURE})


def _filled(go: Any, name: str, polygons: list[_Outline], look: dict[str, Any]) -> go.Scatter:
    return go.Scatter(
        x=np.concatenate([np.empty(0), *(outline[0] for outline in polygons)]),
        y=np.concatenate([np.empty(0, np.float32), *(outline[1] for outline in polygons)]),
        name=name,
        mode="lines",
        line={"width": 0, "simplify": True},
        fill="toself",
        hoverinfo="skip",
        legendgroup=name,
        showlegend=True,
        **look,
    )


def _presence(go: Any, bins: Bins, row: int) -> go.Scatter:
    """A line on the lane's floor where the person was in the picture but could not be measured."""
    unmeasured = bins.seen & np.isnan(bins.posterior[:, 0])
    x = [edge for first, after in runs(unmeasured) for edge in (bins.edges[first], bins.edges[after], np.nan)]
    return go.Scatter(
        x=_ms(np.array(x, np.float64)),
        y=np.full(len(x), _base(row) + 0.02, np.float32),
        mode="lines",
        line={"color": SEEN, "width": 3, "dash": "2px,3px"},
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
        textfont={"color": INK, "size": 12},
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
        doubt = ", unsure" if bins.unsure[bin] else ""
        texts[bin] = f"apparent expression {EXPRESSIONS[best]}, {probability[bin, best] * 100:.0f} %{doubt}"
    return go.Scatter(
        x=_ms((bins.edges[:-1] + bins.edges[1:]) / 2),
        y=np.full(len(texts), _base(row) + LANE / 2, np.float32),
        text=texts,
        mode="markers",
        marker={"opacity": 0, "size": 1},
        hovertemplate=f"{name}: %{{text}}<extra></extra>",
        hoverlabel={"bgcolor": "#1d2229", "bordercolor": "#1d2229", "font": {"color": "#f4f5f6", "family": FONT}},
        showlegend=False,
    )
