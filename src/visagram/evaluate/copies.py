"""The section that holds the figures of all faces against those without copies of the training data."""

from __future__ import annotations

from collections.abc import Iterator

from visagram.evaluate.duplicates import LIKENESS
from visagram.evaluate.metrics import Figures
from visagram.evaluate.parts import chance, span, table, uncorrected
from visagram.evaluate.run import Result
from visagram.export.sections import text
from visagram.export.words import exact


def without_copies(result: Result) -> str:
    """Both side by side; nothing where there are no copies or nothing is left without them."""
    used, rest = result.data, result.without
    if used.copies is None or not used.copies.pictures or rest is None:
        return ""
    tables = []
    for all_faces, own in zip(result.evaluations, rest.evaluations, strict=True):
        theirs = dict(_cells(own.figures))
        rows = [(name, *found, *theirs.get(name, ("–", "–"))) for name, found in _cells(all_faces.figures)]
        caption = "With and without copies" + (f", {text(own.name)}" if len(rest.evaluations) > 1 else "")
        tables.append(table(caption, ("figure", "all faces", "95 % interval, %", "without", "95 % interval, %"), rows))
    return f"""<section aria-labelledby="copies">
<h2 id="copies">Without copies of the training data</h2>
<p>{text(used.copies.other)} holds {used.copies.pictures:,} of these pictures too, as a perceptual hash and a
correlation of at least {LIKENESS} tell. A model that learned from them has seen their answers; {rest.data.judged:,} of
the {used.judged:,} faces that count remain without them.</p>
{"".join(tables)}{_tested(rest)}
</section>"""


def _tested(rest: Result) -> str:
    found = rest.comparison
    if found is None:
        return ""
    first, second = (text(each.name) for each in rest.evaluations)
    gain = found.accuracy
    points = f"{gain.value * 100:+.1f} ({gain.low * 100:+.1f} to {gain.high * 100:+.1f}) percentage points"
    return f"<p>Without copies {second} minus {first} is {points} of accuracy, exact p {chance(found.p)}.</p>"


def _cells(figures: Figures) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each figure's name, value and interval."""
    error = figures.ece
    estimates = {
        "accuracy": figures.accuracy,
        "macro recall": figures.macro_recall,
        "macro F1": figures.macro_f1,
        **{f"recall, {each.expression}": each.recall for each in figures.classes},
    }
    yield from ((name, (exact(found.value), span(found))) for name, found in estimates.items())
    yield "calibration error", (exact(error.debiased), uncorrected(error))
