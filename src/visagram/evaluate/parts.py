"""What the sections of the evaluation page are made of."""

from __future__ import annotations

from collections.abc import Sequence

from visagram.evaluate.calibration import CalibrationError
from visagram.evaluate.intervals import Estimate
from visagram.export.words import exact


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "") -> str:
    """A table whose first column names the row; cells are HTML already, so that foreign text must be escaped."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heads)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="Table: {caption}"><table class="{kind}">
<caption>{caption}</caption>
<thead><tr>{head}</tr></thead>
<tbody>{body}</tbody></table></div>"""


def span(estimate: Estimate, factor: float = 100, digits: int = 1) -> str:
    """The interval as '87.7–91.4'."""
    return f"{estimate.low * factor:.{digits}f} – {estimate.high * factor:.{digits}f}"


def uncorrected(error: CalibrationError) -> str:
    """What stands beside a debiased calibration error: '5.1 % uncorrected; if perfect 1.1 % (0.6 – 1.7)'."""
    perfect = error.perfect
    likely = f"{perfect.low * 100:.1f} – {perfect.high * 100:.1f}"
    return f"{exact(error.plug_in)} uncorrected; if perfect {exact(perfect.mean)} ({likely})"


def chance(p: float | None) -> str:
    """A p value for people."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
