"""Confidence: the reliability diagram beside the risk-coverage curve."""

from __future__ import annotations

from collections.abc import Sequence

from visagram.evaluate.json import RISKS, thinned
from visagram.evaluate.metrics import Figures
from visagram.evaluate.parts import span, table
from visagram.evaluate.run import Evaluation
from visagram.export.sections import text
from visagram.export.words import exact, thresholds
from visagram.plots import diagrams

Drawn = Sequence[tuple[str, Figures, Sequence[float] | None]]
"""Names, figures, and the posteriors below which the card says unsure."""


def calibration(evaluations: Sequence[Evaluation]) -> str:
    """The section about all faces."""
    drawn = [(each.name, each.figures, each.unsure_below) for each in evaluations]
    return f"""<section aria-labelledby="calibration">
<h2 id="calibration">Confidence</h2>
<p>A posterior is worth what it promises: of faces answered with 80 %, 80 % should be right. And a model that knows when
it is unsure can leave those faces out.</p>
<div class="pair">{reliability(drawn)}{risk(drawn)}</div>
</section>"""


def reliability(drawn: Drawn, after: str = "") -> str:
    """The panel with the diagram and its table. after: what the caption ends with, HTML."""
    rows = [
        (
            (f"{text(name)}, " if len(drawn) > 1 else "") + f"{b.low * 100:.0f} – {b.high * 100:.0f}",
            f"{b.faces:,}",
            exact(b.confidence),
            exact(b.accuracy),
        )
        for name, figures, _ in drawn
        for b in figures.reliability
    ]
    picture = diagrams.reliability([(name, figures.reliability) for name, figures, _ in drawn])
    heads = ("confidence from – to, %", "faces", "mean confidence", "right answers")
    return f"""<div class="panel"><h3>Reliability</h3>{picture}
<p class="muted">On the dotted line confidence and accuracy agree; larger marks stand for more faces.</p>
<details><summary>As a table</summary>{table(f"Reliability{after}", heads, rows)}</details></div>"""


def risk(drawn: Drawn, after: str = "") -> str:
    """The panel with the curve and what it allows. after: what the caption ends with, HTML."""
    curves, rows = [], []
    for name, figures, unsure_below in drawn:
        curve = figures.curve
        chosen = thinned(len(curve.risk))
        curves.append((name, [(float(curve.coverage[k]), float(curve.risk[k])) for k in chosen]))
        before = f"{text(name)}, " if len(drawn) > 1 else ""
        for most in RISKS:
            found = curve.at_risk(most)
            row = (f"{found[0]:.3f}", exact(found[1]), exact(found[2])) if found else ("–", "0 %", "–")
            rows.append((f"{before}at most {most:.0%}", *row))
        if unsure_below is not None:
            coverage, reached = figures.answers.above(unsure_below)
            rows.append(
                (
                    f"{before}by the card",
                    thresholds(unsure_below, 3),
                    exact(coverage),
                    "–" if reached is None else exact(reached),
                )
            )
    areas = ", ".join(f"{each.aurc.value:.4f} ({span(each.aurc, 1, 4)})" for _, each, _ in drawn)
    heads = ("wrong answers", "least posterior", "faces answered", "wrong among them")
    return f"""<div class="panel"><h3>Risk and coverage</h3>{diagrams.risk_coverage(curves)}
<p class="muted">Area under the curve: {areas}.</p>
{table(f"How many faces can be answered at which risk{after}", heads, rows)}</div>"""
