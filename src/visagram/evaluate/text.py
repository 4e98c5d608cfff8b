"""Results as plain text for the terminal."""

from __future__ import annotations

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.calibration import CalibrationError
from visagram.evaluate.check import Check
from visagram.evaluate.intervals import Estimate
from visagram.evaluate.run import Evaluation, Result
from visagram.evaluate.suite import Suite
from visagram.export.words import count, exact, printable, storable

MOST_COPIES = 10
"""Of two sets that are named one by one; JSON has all."""


def summary(result: Result) -> str:
    """The figures of an evaluation, a line each."""
    used = result.data
    lines = [f"{_plain(used.name)}: {used.judged:,} of {count(used.pictures, 'picture')} counted ({used.rule})"]
    if used.not_found:
        lines.append(f"  no face was found in {len(used.not_found):,} of them")
    if used.several:
        lines.append(f"  {used.several:,} held several faces; the largest was taken")
    lines += [f"  left out: {_plain(name)} ({number:,})" for name, number in used.skipped.items()]
    lines += _figures(result)
    if used.copies:
        other, rest = _plain(used.copies.other), result.without
        if not used.copies.pictures:
            lines += ["", f"{other} holds none of them"]
        elif rest is None:
            lines += [
                "",
                f"{other} holds {used.copies.pictures:,} of them too, and none that counts is left without those",
            ]
        else:
            held = f"{other} holds {used.copies.pictures:,} of them too"
            lines += ["", f"{held}; on the {rest.data.judged:,} counted without those:", *_figures(rest)]
    return "\n".join(lines) + "\n"


def _figures(result: Result) -> list[str]:
    lines = []
    for each in result.evaluations:
        lines += ["", *_evaluation(each)]
    if found := result.comparison:
        first, second = (_plain(each.name) for each in result.evaluations)
        lines += [
            "",
            f"Right is only {first}: {found.only_first:,}, only {second}: {found.only_second:,}, "
            f"both: {found.both:,}, neither: {found.neither:,}",
            f"McNemar's exact test: p = {found.p:.3g}",
            f"{second} minus {first}: accuracy {_points(found.accuracy)}, macro recall "
            f"{_points(found.macro_recall)}, calibration error {found.ece_debiased * 100:+.1f}, uncorrected "
            f"{found.ece * 100:+.1f} (percentage points)",
        ]
    return lines


def _evaluation(each: Evaluation) -> list[str]:
    figures = each.figures
    names = ("accuracy", "macro recall", "macro F1")
    estimates = (figures.accuracy, figures.macro_recall, figures.macro_f1)
    lines = [_plain(each.name)]
    lines += [f"  {name:<18} {_share(found)}" for name, found in zip(names, estimates, strict=True)]
    lines.append(f"  {'calibration error':<18} {_error(figures.ece)}")
    if each.agreement:
        lines.append(f"  {'KL from the votes':<18} {each.agreement.kl.value:6.3f} nats")
    lines.append("  recall by expression")
    lines += [f"    {found.expression:<16} {_share(found.recall)}  {found.faces:,}" for found in figures.classes]
    if each.groups:
        lines.append("  accuracy by group")
        for group in each.groups:
            p = "" if group.p_holm is None else f"  p = {group.p_holm:.3g}"
            lines.append(f"    {_plain(group.name):<16} {_share(group.figures.accuracy)}  {group.figures.faces:,}{p}")
    return lines


def suite_summary(suite: Suite) -> str:
    """A line for each set."""
    heads = ("pictures", "found", "accuracy", "macro recall", "calibration error", "uncorrected", "if perfect")
    answers = ("answered", "right of those", "neutral answers")
    rows: list[tuple[str, ...]] = [(_plain(suite.evaluation.name), *heads, *answers)]
    for part in suite.parts:
        figures = part.evaluation.figures
        error, of_answers = figures.ece, (part.answered, part.right, part.neutral)
        cells = (figures.accuracy.value, figures.macro_recall.value, error.debiased, error.plug_in, error.perfect.mean)
        sure = ("–" if each is None else exact(each.value) for each in of_answers)
        pictures = (f"{part.result.data.pictures:,}", f"{part.found:,}")
        rows.append((_plain(part.name), *pictures, *map(exact, cells), *sure))
    name, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = (
        f"{first:<{name}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(rest, widths, strict=True))
        for first, *rest in rows
    )
    return "\n".join(lines) + "\n"


def check_summary(found: Check) -> str:
    """What was found in the data, problems named."""
    lines = []
    for each in found.sets:
        balance = ", ".join(f"{name} {each.counts[name]:,}" for name in EXPRESSIONS)
        lines.append(f"{_plain(each.name)}: {count(each.pictures, 'picture')}; {balance}")
        absent = [name for name in EXPRESSIONS if not each.counts[name]]
        lines += [f"  none of {', '.join(absent)}"] if absent else []
        lines += [f"  {each.repeated:,} resemble another of the same set"] if each.repeated else []
        lines += [f"  cannot be read: {_plain(reason)}" for reason in each.unreadable.values()]
        if each.generated:
            verdict = "may be trained on" if each.training else "must not be tested on"
            lines.append(f"  {count(len(each.generated), 'file')} marked as generated, which {verdict}:")
            lines += [f"    {_plain(name)}" for name in each.generated[:MOST_COPIES]]
    for pair in found.shared:
        named = f"{_plain(pair.first)} and {_plain(pair.second)}"
        if not pair.copies:
            lines.append(f"{named} share nothing")
            continue
        lines.append(f"{named} share {count(pair.faces, 'picture')} of the second")
        for copy in pair.copies[:MOST_COPIES]:
            mirrored = ", mirrored" if copy.mirrored else ""
            other = "" if copy.labels[0] == copy.labels[1] else f", labelled {' and '.join(copy.labels)}"
            lines.append(f"  {_plain(copy.first)} = {_plain(copy.second)} ({copy.likeness:.2f}{mirrored}{other})")
        more = len(pair.copies) - MOST_COPIES
        lines += [f"  and {more:,} more: --json names all"] if more > 0 else []
    return "\n".join(lines) + "\n"


def _share(found: Estimate) -> str:
    return f"{exact(found.value):>7}  ({found.low * 100:.1f} to {found.high * 100:.1f})"


def _error(found: CalibrationError) -> str:
    perfect = found.perfect
    likely = f"{perfect.low * 100:.1f} to {perfect.high * 100:.1f}"
    return (
        f"{exact(found.debiased):>7}  (uncorrected {exact(found.plug_in)}; if perfect {exact(perfect.mean)}, {likely})"
    )


def _points(found: Estimate) -> str:
    return f"{found.value * 100:+.1f} ({found.low * 100:+.1f} to {found.high * 100:+.1f})"


def _plain(name: str) -> str:
    return printable(storable(name))
