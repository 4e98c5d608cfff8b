"""A suite as one HTML page in the look of an evaluation: all sets side by side, then each by itself."""

from __future__ import annotations

from urllib.parse import quote

from visagram.core.geometry import SMALL
from visagram.core.types import EXPRESSIONS
from visagram.evaluate.calibration import CalibrationError
from visagram.evaluate.confidence import reliability
from visagram.evaluate.intervals import Estimate
from visagram.evaluate.page import finished, method
from visagram.evaluate.parts import span, table, uncorrected
from visagram.evaluate.sections import facts, matrix, warnings
from visagram.evaluate.suite import Part, Suite
from visagram.export.sections import text
from visagram.export.words import count, exact, listed

HEADS = ("data", "pictures", "faces<br>found", "accuracy", "macro<br>recall", "calibration<br>error")
MORE = ("clear<br>labels", "answered", "right of<br>those", "neutral<br>answers")


def suite_page(suite: Suite) -> str:
    """The whole page."""
    sets = [_by_itself(part, suite.folder(k)) for k, part in enumerate(suite.parts)]
    how = method("as is said with each set.", [suite.evaluation], suite.seed)
    names = ", ".join(part.name for part in suite.parts)
    return finished(f"{suite.evaluation.name} on {names}", [_intro(suite), _side_by_side(suite), *sets, how])


def _intro(suite: Suite) -> str:
    rows = [
        (
            text(part.name),
            f"{part.result.data.pictures:,}",
            f"{part.found:,}",
            *map(_cell, (figures.accuracy, figures.macro_recall)),
            _error(figures.ece),
            f"{part.clear:,}",
            *map(_cell, (part.answered, part.right, part.neutral)),
        )
        for part in suite.parts
        for figures in [part.evaluation.figures]
    ]
    right = listed([f"{exact(part.evaluation.figures.accuracy.value)} on {text(part.name)}" for part in suite.parts])
    return f"""<section class="intro">
<h1>{text(suite.evaluation.name)} on {count(len(suite.parts), "set")} of faces</h1>
<p class="lead">Of the faces found, the apparent expression was answered as people labelled it: {right}.</p>
{table("Sets, with 95 % intervals in %", (*HEADS, *MORE), rows)}
<p class="muted">Accuracy, macro recall (the mean over the expressions), calibration error and neutral answers are of
the faces that were found and have a clear label. Answered is of all pictures with a clear label: {_answered(suite)}
{_taken(suite)}</p>
</section>"""


def _answered(suite: Suite) -> str:
    if suite.evaluation.unsure_below is None:
        return "the model's card does not say which answers are unsure, so there is no such figure."
    return "the face was found, and the model is not unsure by its card. A face that is not found is not answered."


def _taken(suite: Suite) -> str:
    if not suite.by_size:
        return "All pictures were taken as cropped faces."
    small = f"A picture whose longer side is at most {SMALL} pixels was taken as a cropped face"
    return f"{small}; in larger ones the detector looked for a face."


def _side_by_side(suite: Suite) -> str:
    rows = []
    for part in suite.parts:
        found = {each.expression: each for each in part.evaluation.figures.classes}
        cells = (
            _cell(found[name].recall, f"<br>of {found[name].faces:,}") if name in found else "–" for name in EXPRESSIONS
        )
        rows.append((text(part.name), *cells))
    return f"""<section aria-labelledby="recall">
<h2 id="recall">By expression</h2>
<p>Of the faces found with this label, how many the model answered with it; below, the 95 % interval and the number of
faces.</p>
{table("Recall by expression", ("data", *EXPRESSIONS), rows)}
</section>"""


def _by_itself(part: Part, folder: str) -> str:
    name, figures = text(part.name), part.evaluation.figures
    return f"""<section aria-labelledby="set-{quote(folder)}">
<h2 id="set-{quote(folder)}">{name}</h2>
{facts(part.result.data)}
<p class="muted"><a href="{quote(folder)}/evaluation.html">The whole evaluation on {name}</a></p>
{warnings(part.result)}
{matrix(figures, f", {name}")}
<div class="pair">{reliability([(part.name, figures, None)], f", {name}")}</div>
</section>"""


def _error(found: CalibrationError) -> str:
    return f'{exact(found.debiased)}<br><span class="muted">{uncorrected(found)}</span>'


def _cell(found: Estimate | None, after: str = "") -> str:
    return "–" if found is None else f'{exact(found.value)}<br><span class="muted">{span(found)}{after}</span>'
