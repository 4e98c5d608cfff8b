"""The report as one HTML file that needs nothing else, and as a table for notebooks.

Everything in it is built from text that passed `text`, which escapes: names of files and people come from outside. The
content security policy allows the scripts by their hashes and no load from anywhere.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from visagram.core.types import EXPRESSIONS
from visagram.export.sections import intro, method, nobody, numbers, person_card, responsible_use, text, thumbnail
from visagram.export.words import clock, mostly, percent, ranked, smooth_words, unsure_words
from visagram.files import replace_file
from visagram.plots import LANE, LANE_PIXELS, PALETTE, PATTERNS, STRIP, timeline

if TYPE_CHECKING:
    from visagram.report import Report

_HATCHES = {
    "/": "repeating-linear-gradient(135deg, var(--hatch) 0 1.5px, transparent 1.5px 6px)",
    "\\": "repeating-linear-gradient(45deg, var(--hatch) 0 1.5px, transparent 1.5px 6px)",
    "-": "repeating-linear-gradient(0deg, transparent 0 4px, var(--hatch) 4px 5.5px)",
    "x": "repeating-linear-gradient(135deg, var(--hatch) 0 1px, transparent 1px 6px),"
    " repeating-linear-gradient(45deg, var(--hatch) 0 1px, transparent 1px 6px)",
    ".": "radial-gradient(var(--hatch) 1.2px, transparent 1.6px) 0 0 / 6px 6px",
}
"""The hatching of the figures, in CSS."""


def write(report: Report, folder: Path) -> list[Path]:
    """Write `report.html`. Raises `OutputError`."""
    path = folder / "report.html"
    with replace_file(path) as partial:
        partial.write_text(page(report), "utf-8", newline="\n")
    return [path]


def page(report: Report) -> str:
    """The whole page."""
    moving = bool(report.people) and not report.video.still
    main = [intro(report)]
    main += [_timeline(report)] if moving else []
    main += [_people(report), numbers(report)] if report.people else [nobody(report)]
    main += [method(report), responsible_use()]
    programs = _programs() if moving else []
    return document(report.video.name, "\n".join(main), figure=_figure(report) if moving else "", programs=programs)


def document(title: str, main: str, style: str = "", *, figure: str = "", programs: Sequence[str] = ()) -> str:
    """A page in the look of the report that needs nothing else.

    title: foreign text. main: HTML. style: CSS after the report's. figure, programs: a script element of data, and the
    scripts that may run.
    """
    scripts = [*([figure] if figure else []), *(f"<script>{code}</script>" for code in programs)]
    return Template(_asset("report.html")).substitute(
        title=text(title),
        policy=_policy(programs),
        style=_asset("report.css") + expression_styles() + style,
        main=main,
        scripts="\n".join(scripts),
    )


def fragment(report: Report) -> str:
    """A compact table for a notebook: one row per person."""
    cell = 'style="text-align:left;vertical-align:middle"'
    names = ("", "person", "in the picture", "apparent expression", "shares")
    heads = "".join(f"<th {cell}>{name}</th>" for name in names)
    rows = []
    for person in report.people:
        shares = ", ".join(f"{name} {percent(share.value)}" for name, share in ranked(person, 0.05)) or "–"
        seen, shown = clock(person.screen_time), mostly(person) or "not measured"
        cells = (thumbnail(person, 40), text(person.name), seen, shown, shares)
        rows.append("<tr>" + "".join(f"<td {cell}>{value}</td>" for value in cells) + "</tr>")
    body = "".join(rows) or f'<tr><td {cell} colspan="5">No face was found.</td></tr>'
    measured = f"{percent(report.totals.coverage)} of {clock(report.totals.duration)} measured"
    caption = f"{text(report.video.name)}: {measured}"
    return f"<table><caption {cell}>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _timeline(report: Report) -> str:
    legend = "".join(f'<li><span class="swatch x-{name}"></span>{name}</li>' for name in EXPRESSIONS)
    rail = "".join(f"<li>{thumbnail(person, 56)}<span>{text(person.name)}</span></li>" for person in report.people)
    strip = round(LANE_PIXELS * STRIP / (LANE + STRIP))
    smooth = f" {smooth_words(report.smooth)}" if report.smooth else ""
    signs = '<li><span class="swatch seen"></span>in the picture, not measured</li>'
    signs += f'<li><span class="swatch unsure"></span>unsure: {unsure_words(report.unsure_below)}</li>'
    return f"""<section aria-labelledby="over-time">
<h2 id="over-time">Apparent expression over time</h2>
<p>The taller a colour, the more probable that expression looked. Gaps were not measured.{smooth}</p>
<div class="panel">
<ul class="legend">{legend}{signs}</ul>
<div class="timeline" style="--lane:{LANE_PIXELS}px;--strip:{strip}px;--plot:{LANE_PIXELS * len(report.people)}px">
<ol class="rail">{rail}</ol>
<div class="plot" id="timeline" role="img"
aria-label="Timeline of apparent expression, one lane per person; the tables under Numbers hold its totals"></div>
</div>
<noscript><p class="muted">The timeline needs JavaScript; everything else on this page does not.</p></noscript>
<p class="muted hint fine">Drag to zoom in, double-click to see everything again.</p>
</div>
</section>"""


def _people(report: Report) -> str:
    cards = "\n".join(person_card(person, report) for person in report.people)
    return f"""<section aria-labelledby="people">
<h2 id="people">People</h2>
<p>Share of the measured time under each apparent expression; the whisker is the 95 % interval.
Where the model was unsure ({unsure_words(report.unsure_below)}), the best expression counts all the same.</p>
<div class="people">
{cards}
</div>
</section>"""


def _figure(report: Report) -> str:
    """The figure as data. The page has its own legend and lane heads, so the figure leaves them out."""
    figure = timeline(report)
    figure.update_layout(showlegend=False, margin={"l": 22, "r": 22})
    figure.update_yaxes(showticklabels=False)
    # "</script" and "<!--" end or change a script element wherever they stand.
    data = figure.to_json().replace("<", "\\u003c")
    return f'<script type="application/json" id="figure">{data}</script>'


def _programs() -> list[str]:
    from plotly.offline import get_plotlyjs

    return [get_plotlyjs().replace("\r\n", "\n"), _asset("report.js")]


def _policy(programs: Sequence[str]) -> str:
    """Only our own scripts run, known by their hashes; styles stay open because the figure sets them as it draws."""
    hashes = [f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'" for code in programs] or ["'none'"]
    rules = ("default-src 'none'", "img-src data:", "style-src 'unsafe-inline'", f"script-src {' '.join(hashes)}")
    return escape("; ".join([*rules, "base-uri 'none'", "form-action 'none'"]), quote=False)


def expression_styles() -> str:
    """CSS classes `x-<expression>` that set `--colour` and `--pattern`."""
    lines = []
    for name in EXPRESSIONS:
        pattern = f"--pattern: {_HATCHES[PATTERNS[name]]};" if PATTERNS[name] in _HATCHES else ""
        # Neutral stands back as in the figure, where it is translucent; the style sheet knows its two opaque greys.
        colour = "var(--neutral)" if name == "neutral" else PALETTE[name]
        lines.append(f".x-{name} {{ --colour: {colour}; {pattern} }}\n")
    return "".join(lines)


def _asset(name: str) -> str:
    return resources.files("visagram.export").joinpath("page", name).read_text("utf-8")
