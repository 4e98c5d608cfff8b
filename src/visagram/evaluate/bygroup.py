"""The section on groups: who is answered rightly as often as the others, and everything of each group to unfold."""

from __future__ import annotations

from collections.abc import Sequence

from visagram.evaluate import groups
from visagram.evaluate.confidence import reliability, risk
from visagram.evaluate.groups import GroupFigures
from visagram.evaluate.parts import chance, span, table
from visagram.evaluate.run import Evaluation
from visagram.evaluate.sections import matrix, recall_bars, recall_table
from visagram.export.sections import text
from visagram.export.words import exact

HEADS = (
    "group",
    "faces",
    "accuracy",
    "95 % interval, %",
    "expected",
    "macro recall",
    "macro F1",
    "calibration error",
    "uncorrected",
    "if perfect",
)


def by_group(evaluations: Sequence[Evaluation]) -> str:
    """Empty where the faces have no groups."""
    tables = "".join(_of(each, len(evaluations) > 1) for each in evaluations)
    if not tables:
        return ""
    return f"""<section aria-labelledby="groups">
<h2 id="groups">By group</h2>
<p>{groups.METHOD}</p>
{tables}
</section>"""


def _of(each: Evaluation, several: bool) -> str:
    if each.groups is None:
        return ""
    after = f", {text(each.name)}" if several else ""
    bars = "".join(_bar(group) for group in each.groups)
    rows = [_row(group) for group in each.groups]
    return f"""<div class="panel"><ul class="bars" aria-label="Accuracy by group">{bars}</ul></div>
{table(f"Groups{after}", (*HEADS, "p", "p, corrected"), rows)}
{"".join(_whole(group, each.unsure_below, after) for group in each.groups)}"""


def _bar(group: GroupFigures) -> str:
    found = group.figures.accuracy
    return (
        f'<li><span>{text(group.name)}</span><span class="track group" style="--value:{found.value:.2%};'
        f'--low:{found.low:.2%};--spread:{found.high - found.low:.2%}"><i></i><b></b></span>'
        f'<span class="value">{exact(found.value)}</span><span class="range">{span(found)}</span></li>'
    )


def _row(group: GroupFigures) -> tuple[str, ...]:
    found = group.figures
    return (
        text(group.name),
        f"{found.faces:,}",
        exact(found.accuracy.value),
        span(found.accuracy),
        exact(group.expected),
        exact(found.macro_recall.value),
        exact(found.macro_f1.value),
        exact(found.ece.debiased),
        exact(found.ece.plug_in),
        exact(found.ece.perfect.mean),
        chance(group.p),
        chance(group.p_holm),
    )


def _whole(group: GroupFigures, unsure_below: Sequence[float] | None, after: str) -> str:
    name, found = text(group.name), [(group.name, group.figures, unsure_below)]
    return f"""<details><summary>{name}{after}: by expression, what was taken for what, confidence</summary>
<div class="pair"><div class="panel">{recall_bars(group.figures)}</div></div>
{recall_table(group.figures, f", {name}{after}")}
{matrix(group.figures, f", {name}{after}")}
<div class="pair">{reliability(found, f", {name}{after}")}{risk(found, f", {name}{after}")}</div>
</details>"""
