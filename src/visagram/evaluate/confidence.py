"""The section on confidence: the reliability diagram beside the risk-coverage curve."""

from __future__ import annotations

from collections.abc import Sequence

from visagram.evaluate.json import RISKS, thinned
from visagram.evaluate.parts import span, table
from visagram.evaluate.run import Evaluation
from visagram.export.sections import text
from visagram.export.words import exact
from visagram.plots import diagrams


def calibration(evaluations: Sequence[Evaluation]) -> str:
    """The reliability diagram beside the risk-coverage curve."""
    return f"""<section aria-labelledby="calibration">
<h2 id="calibration">Confidence</h2>
<p>A posterior is worth what it promises: of faces answered with 80 %, 80 % should be right. And a model that knows when
it is unsure can leave those faces out.</p>
<div class="pair">{_reliability(evaluations)}{_risk(evaluations)}</div>
</section>"""


def _reliability(evaluations: Sequence[Evaluation]) -> str:
    rows = [
        (
            (f"{text(each.name)}, " if len(evaluations) > 1 else "") + f"{b.low * 100:.0f} – {b.high * 100:.0f}",
            f"{b.faces:,}",
            exact(b.confidence),
            exact(b.accuracy),
        )
        for each in evaluations
        for b in each.figures.reliability
    ]
    drawn = diagrams.reliability([(each.name, each.figures.reliability) for each in evaluations])
    heads = ("confidence from – to, %", "faces", "mean confidence", "right answers")
    return f"""<div class="panel"><h3>Reliability</h3>{drawn}
<p class="muted">On the dotted line confidence and accuracy agree; larger marks stand for more faces.</p>
<details><summary>As a table</summary>{table("Reliability", heads, rows)}</details></div>"""


def _risk(evaluations: Sequence[Evaluation]) -> str:
    curves, rows = [], []
    for each in evaluations:
        curve = each.figures.curve
        chosen = thinned(len(curve.risk))
        curves.append((each.name, [(float(curve.coverage[k]), float(curve.risk[k])) for k in chosen]))
        before = f"{text(each.name)}, " if len(evaluations) > 1 else ""
        for risk in RISKS:
            found = curve.at_risk(risk)
            row = (f"{found[0]:.3f}", exact(found[1]), exact(found[2])) if found else ("–", "0 %", "–")
            rows.append((f"{before}at most {risk:.0%}", *row))
        if (below := each.unsure_below) is not None:
            coverage, reached = curve.above(below)
            rows.append(
                (f"{before}by the card", f"{below:.3f}", exact(coverage), "–" if reached is None else exact(reached))
            )
    areas = ", ".join(f"{each.figures.aurc.value:.4f} ({span(each.figures.aurc, 1, 4)})" for each in evaluations)
    heads = ("wrong answers", "least posterior", "faces answered", "wrong among them")
    return f"""<div class="panel"><h3>Risk and coverage</h3>{diagrams.risk_coverage(curves)}
<p class="muted">Area under the curve: {areas}.</p>
{table("How many faces can be answered at which risk", heads, rows)}</div>"""
