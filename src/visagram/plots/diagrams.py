"""Diagrams of how sure a model is, as inline SVG: no script, sharp at every size, coloured by `STYLE`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from visagram.export.sections import text
from visagram.export.words import exact

WIDTH, HEIGHT = 360, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 48
TICKS = 5


STYLE = """
.diagram { display: block; width: 100%; max-width: 440px; }
.diagram text { fill: var(--muted); font: 12px var(--sans); }
.diagram .grid { stroke: var(--line); fill: none; }
.diagram .ideal { stroke: var(--muted); stroke-dasharray: 2 4; fill: none; }
.line { fill: none; stroke-width: 2; }
.line.s0 { stroke: #2f6fb5; } .line.s1 { stroke: #c8501e; stroke-dasharray: 7 4; }
.mark.s0 { fill: #2f6fb5; } .mark.s1 { fill: #c8501e; }
.key { width: 34px; height: 12px; }
"""
"""Of every page with diagrams; their frame takes the page's own colours."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Faces whose best posterior lies in [low, high): how sure the model was on average, and how often right."""

    low: float
    high: float
    faces: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Series:
    """points: x, y in the axes' units, both shares. notes: what is told of each point, none for points without a mark.
    sizes: of the marks, shares of the largest. name: for the legend."""

    name: str
    points: Sequence[tuple[float, float]]
    notes: Sequence[str] = ()
    sizes: Sequence[float] = ()


def reliability(models: Sequence[tuple[str, Sequence[Bin]]]) -> str:
    """The share of right answers by confidence. models: name and bins of each."""
    series = []
    for name, bins in models:
        most = max((b.faces for b in bins), default=1)
        notes = [f"confidence {exact(b.confidence)}, right {exact(b.accuracy)}, {b.faces:,} faces" for b in bins]
        series.append(Series(name, [(b.confidence, b.accuracy) for b in bins], notes, [b.faces / most for b in bins]))
    title = "Reliability diagram: share of right answers by confidence"
    return diagram(title, series, ("confidence, %", "right answers, %"), diagonal=True) + legend(series)


def risk_coverage(
    models: Sequence[tuple[str, Sequence[tuple[float, float]]]], chosen: tuple[float, float, str] | None = None
) -> str:
    """The share of wrong answers by the share of faces that are answered, surest first.

    models: name and (coverage, risk) of each. chosen: a point to mark, with what is told of it.
    """
    # The few surest faces may be all wrong; they do not set the scale.
    largest = max((y for _, points in models for x, y in points if x > 0.05 or len(points) < 20), default=0.0)
    top = nice_top(largest)
    series = [Series(name, [(x, min(y, top)) for x, y in points]) for name, points in models]
    marked = [Series("", [(chosen[0], min(chosen[1], top))], [chosen[2]], [1.0])] if chosen else []
    title = "Risk-coverage curve: share of wrong answers by share of faces answered"
    axes = ("faces answered, surest first, %", "wrong answers among them, %")
    return diagram(title, [*series, *marked], axes, top=top) + legend(series)


def diagram(
    title: str, series: Sequence[Series], axes: tuple[str, str], *, top: float = 1.0, diagonal: bool = False
) -> str:
    """Lines over shares 0..1 from left to right and 0..`top` upwards. axes: names of x and y. diagonal: y = x in
    grey."""
    parts = [_grid(top), _titles(axes)]
    if diagonal:
        parts.append(f'<path class="ideal" d="{_path([(0, 0), (1, 1)], top)}"/>')
    for number, each in enumerate(series):
        parts.append(f'<path class="line s{number}" d="{_path(each.points, top)}"/>')
        marks = zip(each.points, each.notes, each.sizes, strict=False)
        parts += [_mark(place, note, size, number, top) for place, note, size in marks]
    return (
        f'<svg class="diagram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title)}">'
        f"{''.join(parts)}</svg>"
    )


def legend(series: Sequence[Series]) -> str:
    """Names beside their line; nothing where there is one line."""
    if len(series) < 2:
        return ""
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 34 12" aria-hidden="true"><path class="line s{number}" d="M1 6H33"/></svg>'
        f"{text(each.name)}</li>"
        for number, each in enumerate(series)
    )
    return f'<ul class="legend">{items}</ul>'


def nice_top(largest: float) -> float:
    """The upper end of an axis of shares: a round number above the largest value."""
    return next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if step >= min(largest, 1.0))


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float, top: float) -> float:
    return HEIGHT - BOTTOM - share / top * (HEIGHT - TOP - BOTTOM)


def _path(points: Sequence[tuple[float, float]], top: float) -> str:
    return "M" + "L".join(f"{_x(x):.1f} {_y(y, top):.1f}" for x, y in points)


def _grid(top: float) -> str:
    parts = []
    for step in range(TICKS + 1):
        share = step / TICKS
        y, x, value = _y(share * top, top), _x(share), share * top * 100
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{share * 100:.0f}</text>')
    return "".join(parts)


def _titles(axes: tuple[str, str]) -> str:
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="translate(14 {middle_y:.1f}) rotate(-90)"'
    return (
        f'<text x="{middle_x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{text(axes[0])}</text>'
        f'<text {turned} text-anchor="middle">{text(axes[1])}</text>'
    )


def _mark(place: tuple[float, float], note: str, size: float, number: int, top: float) -> str:
    """A circle, or a square for the second series, that tells its note when pointed at; its area stands for `size`."""
    x, y, radius = _x(place[0]), _y(place[1], top), 2 + 5 * size**0.5
    shape = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
        if number == 0
        else f'<rect x="{x - radius:.1f}" y="{y - radius:.1f}" width="{2 * radius:.1f}" height="{2 * radius:.1f}"/>'
    )
    return f'<g class="mark s{number}"><title>{text(note)}</title>{shape}</g>'
