"""The evaluation as one HTML page that needs nothing else, in the look of the report."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from visagram.evaluate import compare
from visagram.evaluate.bygroup import by_group
from visagram.evaluate.confidence import calibration
from visagram.evaluate.copies import without_copies
from visagram.evaluate.parts import chance, table
from visagram.evaluate.run import Evaluation, Result
from visagram.evaluate.sections import confusion, intro, recalls, votes
from visagram.export.html import document
from visagram.export.sections import responsible_use, text
from visagram.plots.diagrams import STYLE


def page(result: Result) -> str:
    """The whole page."""
    each = result.evaluations
    main = [intro(result), _comparison(result), without_copies(result), recalls(each), confusion(each)]
    main += [calibration(each), votes(each), by_group(each), _method(result)]
    return finished(f"{', '.join(e.name for e in each)} on {result.data.name}", main)


def finished(title: str, sections: Sequence[str]) -> str:
    """The page that these sections make, with the use that is responsible at its end. title: foreign text."""
    style = STYLE + resources.files("visagram.evaluate").joinpath("page.css").read_text("utf-8")
    return document(title, "\n".join(filter(None, [*sections, responsible_use()])), style)


def _comparison(result: Result) -> str:
    found = result.comparison
    if found is None:
        return ""
    first, second = (text(each.name) for each in result.evaluations)
    counts = [
        (f"{first} right", f"{found.both:,}", f"{found.only_first:,}"),
        (f"{first} wrong", f"{found.only_second:,}", f"{found.neither:,}"),
    ]
    differences: list[tuple[str, ...]] = [
        (name, f"{estimate.value * 100:+.1f}", f"{estimate.low * 100:+.1f} to {estimate.high * 100:+.1f}")
        for name, estimate in (
            ("accuracy", found.accuracy),
            ("macro recall", found.macro_recall),
            ("macro F1", found.macro_f1),
            *((f"recall, {name}", each) for name, each in found.recalls.items()),
        )
    ]
    # Before the recalls.
    differences[3:3] = [
        ("calibration error", f"{found.ece_debiased * 100:+.1f}", "–"),
        ("the same, uncorrected", f"{found.ece * 100:+.1f}", "–"),
    ]
    return f"""<section aria-labelledby="comparison">
<h2 id="comparison">One against the other</h2>
<p>{compare.METHOD}</p>
<div class="pair">
{table("Faces by who is right", ("", f"{second} right", f"{second} wrong"), counts)}
{table(f"{second} minus {first}, percentage points", ("figure", "difference", "95 % interval"), differences)}
</div>
<p class="muted">{found.only_first + found.only_second:,} discordant faces, exact p {chance(found.p)}.</p>
</section>"""


def _method(result: Result) -> str:
    used = result.data
    counted = f"{text(used.rule)}, {used.judged:,} of {used.pictures:,}"
    mapping = ", ".join(f"{text(label)} → {name}" for label, name in used.mapping.items() if label != name)
    return method(f"{counted}.{f' Labels were read as {mapping}.' if mapping else ''}", result.evaluations, result.seed)


def method(counted: str, evaluations: Sequence[Evaluation], seed: int) -> str:
    """How the figures came about. counted: which faces, HTML."""
    rows = [
        (
            text(each.name),
            f'<td class="hash">{text(each.model.get("sha256", "–"))}</td>',
            f'<td class="long">{text(each.model.get("trained_on", "–"))}</td>',
        )
        for each in evaluations
    ]
    return f"""<section class="prose" aria-labelledby="method">
<h2 id="method">Method</h2>
<p>Counted: {counted} The answer is the expression with the largest posterior, among all seven. Macro recall is
over the expressions that are among the labels, macro F1 over those that are among the labels or the answers.</p>
<p>Intervals hold 95 %. Those of accuracy and recall come from the Bayesian bootstrap with half a face added on each
side (Rubin 1981; Brown, Cai and DasGupta 2001), all others from 1,000 resamples of the faces, moved by their bias; seed
{seed}. Faces are taken to be independent: several pictures of one person make the intervals too narrow. The
calibration error has 15 equal bins of the largest posterior (Naeini et al. 2015). As counted (uncorrected) chance makes
it larger, so its bias is taken off (Kumar, Liang and Ma 2019); where a model is nearly perfect, three fifths of the
bias stay. So beside it stands what a perfectly calibrated model
would show uncorrected on these faces: the mean, and the range of 95 % of its labels, drawn 1,000 times from the
model's own confidences.</p>
{table("Models", ("model", "SHA-256", "trained on"), rows)}
</section>"""
