"""The sections of the evaluation page. Every piece of text from outside goes through `text`."""

from __future__ import annotations

from collections.abc import Sequence

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.intervals import Estimate
from visagram.evaluate.metrics import Agreement, Figures
from visagram.evaluate.parts import span, table, uncorrected
from visagram.evaluate.run import Evaluation, Result, Used
from visagram.export.sections import text
from visagram.export.words import count, exact, listed

FEW = 30
"""Faces of an expression below which its recall is little more than a guess."""


def intro(result: Result) -> str:
    """Which model on which faces, the key figures, and what a reader has to know first."""
    used = result.data
    names = [text(each.name) for each in result.evaluations]
    return f"""<section class="intro">
<h1>{listed(names)} on {text(used.name)}</h1>
{facts(used)}
<p class="lead">{_lead(result)}</p>
{warnings(result)}
{"".join(_key_figures(each, len(names) > 1) for each in result.evaluations)}
</section>"""


def facts(used: Used) -> str:
    """How many pictures count, which, and how their faces were found, as a line of HTML."""
    taken = "faces found by the detector and aligned as in video"
    if used.cropped:
        mixed = f"cropped faces: {used.cropped:,}; in the other pictures the detector looked for one"
        taken = "cropped faces" if used.cropped == used.pictures else mixed
    shown = (f"{used.judged:,} of {count(used.pictures, 'picture')}", text(used.rule), taken)
    return f'<p class="facts">{"".join(f"<span>{fact}</span>" for fact in shown)}</p>'


def warnings(result: Result) -> str:
    """What makes these figures weaker than they look, as a list of HTML; empty where there is nothing."""
    notices = "".join(f"<li>{notice}</li>" for notice in _notices(result))
    return f'<ul class="notice" aria-label="Warnings">{notices}</ul>' if notices else ""


def _notices(result: Result) -> list[str]:
    used, notices = result.data, []
    if used.not_found:
        seen = "in one picture" if len(used.not_found) == 1 else f"in {len(used.not_found):,} pictures"
        share = exact(len(used.not_found) / used.pictures)
        notices.append(f"The detector found no face {seen} ({share}); they are not in these figures.")
    if used.several:
        notices.append(f"{count(used.several, 'picture')} held more than one face; the largest was taken.")
    if used.copies and used.copies.pictures:
        left = "the figures without those stand below" if result.without else "without those none that counts is left"
        notices.append(
            f"{text(used.copies.other)} holds {count(used.copies.pictures, 'picture')} of these too: {left}."
        )
    if used.skipped:
        left = ", ".join(f"{text(name)} ({number:,})" for name, number in used.skipped.items())
        notices.append(f"Left out: {left}.")
    few = [f"{name} ({number})" for name, number in used.counts.items() if 0 < number < FEW]
    if few:
        notices.append(f"Few faces, so wide intervals: {listed(few)}.")
    absent = [name for name, number in used.counts.items() if not number]
    if absent:
        notices.append(f"No faces of {listed(absent)}; means over classes leave them out.")
    return notices


def _lead(result: Result) -> str:
    first = result.evaluations[0].figures
    if result.comparison is None:
        return f"{exact(first.accuracy.value)} of the faces were answered as people labelled them."
    difference, p = result.comparison.accuracy, result.comparison.p
    better = result.evaluations[0 if difference.value < 0 else 1].name
    if p >= 0.05:
        return f"These faces do not tell which of the two is better (p = {p:.2f})."
    points = f"{abs(difference.value) * 100:.1f} percentage points"
    return f"{text(better)} is right more often, by {points} ({_p_of(p)})."


def _p_of(p: float) -> str:
    return "p < 0.001".replace("<", "&lt;") if p < 0.001 else f"p = {p:.3f}"


def _key_figures(each: Evaluation, several: bool) -> str:
    found = each.figures
    cells = [
        ("Accuracy", exact(found.accuracy.value), f"95 % interval {span(found.accuracy)}"),
        ("Macro recall", exact(found.macro_recall.value), f"95 % interval {span(found.macro_recall)}"),
        ("Calibration error", exact(found.ece.debiased), uncorrected(found.ece)),
        ("Macro F1", exact(found.macro_f1.value), f"95 % interval {span(found.macro_f1)}"),
    ]
    items = "".join(f'<div><dt>{a}</dt><dd>{b}</dd><dd class="note">{c}</dd></div>' for a, b, c in cells)
    head = f"<h2>{text(each.name)}</h2>" if several else ""
    return f'{head}<dl class="figures">{items}</dl>'


def recalls(evaluations: Sequence[Evaluation]) -> str:
    """How many faces of each expression were recognised, with intervals, as bars and as a table."""
    return f"""<section aria-labelledby="recall">
<h2 id="recall">By expression</h2>
<p>Of the faces with this label, how many the model answered with it; the whisker is the 95 % interval.</p>
<div class="pair">{"".join(_recall_panel(each, len(evaluations) > 1) for each in evaluations)}</div>
{"".join(recall_table(each.figures, _after(each, len(evaluations) > 1)) for each in evaluations)}
</section>"""


def _recall_panel(each: Evaluation, several: bool) -> str:
    head = f"<h3>{text(each.name)}</h3>" if several else ""
    return f'<div class="panel">{head}{recall_bars(each.figures)}</div>'


def recall_bars(figures: Figures) -> str:
    """Each expression's recall as a bar with a whisker."""
    rows = []
    for found in figures.classes:
        recall, name = found.recall, found.expression
        place = f"--value:{recall.value:.2%};--low:{recall.low:.2%};--spread:{recall.high - recall.low:.2%}"
        rows.append(
            f'<li><span>{name}</span><span class="track x-{name}" style="{place}"><i></i><b></b></span>'
            f'<span class="value">{exact(recall.value)}</span><span class="range">{span(recall)}</span></li>'
        )
    return f'<ul class="bars" aria-label="Recall by expression">{"".join(rows)}</ul>'


def recall_table(figures: Figures, after: str) -> str:
    """after: what the caption ends with, HTML."""
    rows = [
        (
            found.expression,
            f"{found.faces:,}",
            exact(found.recall.value),
            span(found.recall),
            "–" if found.precision is None else exact(found.precision),
            f"{found.f1:.3f}",
        )
        for found in figures.classes
    ]
    heads = ("label", "faces", "recall", "95 % interval, %", "precision", "F1")
    return table(f"Recall, precision and F1{after}", heads, rows)


def confusion(evaluations: Sequence[Evaluation]) -> str:
    """What each label was answered with; a heat map that is a table."""
    tables = "".join(matrix(each.figures, _after(each, len(evaluations) > 1)) for each in evaluations)
    return f"""<section aria-labelledby="confusion">
<h2 id="confusion">What was taken for what</h2>
<p>A row is a label, a column the model's answer: number of faces, and the share of the row.</p>
{tables}
</section>"""


def matrix(found: Figures, after: str) -> str:
    """after: what the caption ends with, HTML."""
    rows = []
    for k, expression in enumerate(EXPRESSIONS):
        total = int(found.confusion[k].sum())
        if not total:
            continue
        cells = []
        for j, number in enumerate(found.confusion[k].tolist()):
            kind = "right" if j == k else "" if number else "none"
            inner = f"{number:,}<br>{number / total:.0%}" if number else "0"
            cells.append(f'<td class="{kind}" style="--share:{number / total:.3f}">{inner}</td>')
        rows.append([expression, *cells])
    return table(f"Labels and answers{after}", ("label", *EXPRESSIONS), rows, kind="matrix")


def _after(each: Evaluation, several: bool) -> str:
    return f", {text(each.name)}" if several else ""


def votes(evaluations: Sequence[Evaluation]) -> str:
    """Posteriors against the distribution of people's votes."""
    known = [(each, each.agreement) for each in evaluations if each.agreement is not None]
    if not known:
        return ""
    faces = known[0][1].faces
    rows = [("KL divergence, nats", *(_estimate(found.kl) for _, found in known))]
    rows += [(f"correlation, {name}", *(_pearson(found, name) for _, found in known)) for name in EXPRESSIONS]
    heads = ("measure", *(text(each.name) for each, _ in known))
    return f"""<section aria-labelledby="votes">
<h2 id="votes">Agreement with people</h2>
<p>People disagree about faces. Here the posteriors are held against the shares of their votes, on {faces:,} faces where
at least half of the votes went to the seven expressions.</p>
{table("Posteriors and votes, with 95 % intervals", heads, rows)}
</section>"""


def _estimate(found: Estimate) -> str:
    return f"{found.value:.3f} ({span(found, 1, 3)})"


def _pearson(found: Agreement, name: str) -> str:
    return _estimate(found.pearson[name]) if name in found.pearson else "–"
