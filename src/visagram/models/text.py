"""A card as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from visagram.export.words import count, exact, printable, size, storable
from visagram.models.listing import Offer
from visagram.models.sheet import Elsewhere, Figure, Measured, Sheet, duration

INDENT = "  "
NARROWEST = 40
LONG = ("history", "recipe")
"""What only the whole card shows."""


def text(offer: Offer, width: int) -> str:
    """The card in sections, those that it has, wrapped to `width` columns. Ends with a line break."""
    sheet, width = offer.sheet, max(width, NARROWEST)
    head = (sheet.role, sheet.licence, size(sheet.bytes) if sheet.bytes else "", sheet.fastest, offer.cost)
    lines = [_safe(f"{sheet.name} {sheet.version}".strip()), *_wrapped(", ".join(filter(None, head)), width)]
    lines += _wrapped(offer.obstacle, width)
    for title, body in _sections(sheet, width):
        if body:
            lines += ["", title.upper(), *body]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _sections(sheet: Sheet, width: int) -> Iterable[tuple[str, list[str]]]:
    yield "What it is for", _wrapped(sheet.intended_use, width)
    yield "What it measures", _wrapped(sheet.apparent, width)
    yield "What it is not for", _listed(sheet.misuse, width)
    yield "Where it fails", _listed(sheet.limits, width)
    if sheet.measured:
        yield "How well it does", _measured(sheet.measured, width)
    rows = [each.row for each in sheet.elsewhere]
    about = _listed((each.about for each in sheet.elsewhere), width)
    yield (
        "On faces from elsewhere",
        [*_table(Elsewhere.HEADS, rows), *_wrapped(Elsewhere.EXPLAINED, width), *about] if rows else [],
    )
    bins = [
        (f"{b.low * 100:.0f} – {b.high * 100:.0f} %", f"{b.faces:,}", exact(b.confidence), exact(b.accuracy))
        for b in sheet.reliability
    ]
    heads = ("confidence", "faces", "mean confidence", "right")
    yield "What its probabilities mean", [*_listed(sheet.calibration, width), *_after(_table(heads, bins))]
    yield "What it takes for what", _confusion(sheet)
    steady = [(name, f"{value:.3f}") for name, value in sheet.steady.items()]
    moves = "How much its probabilities move (total variation, 0 to 1) when a face is changed:"
    yield (
        "How steady it is",
        [*_wrapped(moves, width), *_table((), steady), *_wrapped(sheet.changes, width)] if steady else [],
    )
    times = [(name, duration(value)) for name, value in sheet.speed.items()]
    yield "How fast it is", [*_table((), times), *_wrapped(sheet.speed_note, width)]
    told = {each.name: (each.what.rstrip("."), each.terms and f"Terms: {each.terms}") for each in sheet.data}
    data = [": ".join(filter(None, (name, ". ".join(filter(None, words))))) for name, words in told.items()]
    yield "What it learned from", [*_wrapped(sheet.trained_on, width), *_listed(data, width)]
    facts = {"SHA-256": sheet.sha256 or "not on this machine"} | {
        key: value for key, value in sheet.more.items() if key not in LONG
    }
    yield "Facts", [line for key, value in facts.items() for line in _fact(key, value, width)]


def _measured(found: Measured, width: int) -> list[str]:
    faces = count(found.faces, "face") if found.faces is not None else ""
    lines = _wrapped("; ".join(filter(None, (found.split, faces))), width)
    lines += _estimates(found.figures)
    if found.recalls:
        lines += ["", INDENT + "Recall by expression", *_estimates(found.recalls)]
    if found.kl is not None:
        lines += ["", *_wrapped(f"Divergence from people's votes (KL): {found.kl:.3f} nats", width)]
    pearson = [(name, f"{value:.2f}") for name, value in found.correlations.items()]
    return lines + (["", INDENT + "Correlation with people's votes", *_table((), pearson)] if pearson else [])


def _estimates(figures: Sequence[Figure]) -> list[str]:
    """Figures with the columns for which any of them has something."""
    columns = [("", [figure.name for figure in figures]), ("", [str(figure.all) for figure in figures])]
    columns += [("95 % interval", [figure.all.span for figure in figures])]
    others = [figure.without_copies for figure in figures]
    columns += [("without copies", [str(other or "") for other in others])]
    columns += [("95 % interval", [other.span if other else "" for other in others])]
    shown = [(head, cells) for head, cells in columns if any(cells)]
    rows = list(zip(*(cells for _, cells in shown), strict=True))
    return _table([head for head, _ in shown] if len(shown) > 2 else (), rows)


def _confusion(sheet: Sheet) -> list[str]:
    rows = [(label, *(f"{n:,}" for n in row)) for label, row in zip(sheet.labels, sheet.confusion, strict=False)]
    head = INDENT + "A row is a label, a column the model's answer; numbers are faces."
    return [head, *_table(("", *sheet.labels), rows)] if rows else []


def _fact(key: str, value: Any, width: int) -> list[str]:
    words = _safe(key.replace("_", " "))
    if isinstance(value, dict) and len(f"{INDENT}{words}: {_inline(value)}") > width:
        inner = [line for name, item in value.items() for line in _fact(str(name), item, width - len(INDENT))]
        return [f"{INDENT}{words}", *(INDENT + line for line in inner)]
    return _wrapped(f"{words}: {_inline(value)}", width, INDENT)


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"({_inline(item)})" if isinstance(item, list) else _inline(item) for item in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_inline(item)}".replace("_", " ") for name, item in value.items())
    return str(value)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns, numbers to the right; nothing without rows."""
    if not rows:
        return []
    cells = [[_safe(cell) for cell in row] for row in ([heads, *rows] if heads else rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = []
    for first, *rest in cells:
        numbers = "".join(f"  {cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        lines.append(f"{INDENT}{first:<{widths[0]}}{numbers}")
    return lines


def _listed(texts: Iterable[str], width: int) -> list[str]:
    return [line for each in texts for line in _wrapped(each, width, INDENT, "- ")]


def _wrapped(words: str, width: int, hanging: str = "", mark: str = "") -> list[str]:
    return textwrap.wrap(
        _safe(words),
        width,
        initial_indent=INDENT + mark,
        subsequent_indent=INDENT + (hanging or " " * len(mark)),
        # Addresses and names stay whole, to be copied.
        break_long_words=False,
        break_on_hyphens=False,
    )


def _after(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _safe(words: str) -> str:
    """Foreign text that a terminal shows and does not obey."""
    return printable(storable(words))
