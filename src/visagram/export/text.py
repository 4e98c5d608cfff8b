"""The report as a few lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from visagram.export.words import (
    NO_INTERVAL,
    clock,
    count,
    facts,
    mostly,
    percent,
    printable,
    ranked,
    reason_words,
    storable,
    unmeasured,
    unsure_words,
    untold,
    with_interval,
)

if TYPE_CHECKING:
    from visagram.core.types import Person
    from visagram.report import Report

NAMED_FROM = 0.05
"""Shares below this are left to the files."""


def summary(report: Report) -> str:
    """Video, people, and for each person the screen time, the apparent expression and what was not measured."""
    lines = [", ".join([printable(storable(report.video.name)), *facts(report)]).replace("×", "x")]
    totals = report.totals
    seen = count(len(report.people), "person", "people") if report.people else "No face found"
    lines.append(f"{seen} in {count(totals.frames, 'frame')}; {percent(totals.coverage)} of the time measured")
    if totals.frames_damaged:
        lines.append(f"{count(totals.frames_damaged, 'frame')} could not be decoded")
    for person in report.people:
        lines += ["", *_person(person, report)]
    if not report.video.still and any(untold(person.shares) for person in report.people):
        lines += ["", NO_INTERVAL]
    if report.warnings:
        lines += ["", *(f"Warning: {printable(storable(warning.message))}" for warning in report.warnings)]
    return "\n".join(lines)


def _person(person: Person, report: Report) -> list[str]:
    dominant = f"apparent expression {mostly(person)}" if mostly(person) else "no frame was clear enough to measure"
    present = "" if report.video.still else f"in the picture for {clock(person.screen_time)}, "
    lines = [f"{printable(storable(person.name))}: {present}{dominant}"]
    shares = [f"{name} {with_interval(share)}" for name, share in ranked(person, NAMED_FROM)]
    if shares:
        lines.append("  " + ", ".join(shares))
    if person.unsure_share:
        lines.append(f"  unsure {percent(person.unsure_share)} ({unsure_words(report.unsure_below)})")
    reasons = [f"{reason_words(reason)} {clock(seconds)}" for reason, seconds in unmeasured(person)]
    if reasons:
        lines.append("  not measured: " + ", ".join(reasons))
    return lines
