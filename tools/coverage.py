"""How often intervals hold the truth, and tests err: `python tools/coverage.py [RUNS]`.

Simulated people show one expression for a while and something else for a while, again and again. Each cell is many such
videos, analysed as real ones are. Likewise studies in which nothing differs.
Writes the tables of `docs/statistics.md`; with 1,000 runs it takes some minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from visagram.core.difference import Two, estimate, exchanged
from visagram.core.statistics import FEWEST, shares_of, shares_of_all

PAGE = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"
BEGIN, END = "<!-- coverage: written by tools/coverage.py -->\n", "<!-- end of coverage -->\n"
BEGIN_STUDIES, END_STUDIES = "<!-- differences: written by tools/coverage.py -->\n", "<!-- end of differences -->\n"
RATE = 12.5
SHOWN, ELSE = 3, 6
LENGTHS = ("exponential", "log-normal", "Pareto")
"""How the lengths of stretches are spread: memoryless; log-normal with sigma 1; Pareto with exponent 2.2."""


class Cell(NamedTuple):
    """share: of the time in the long run. dwell: mean length of a stretch that shows it, seconds. seconds: of video.
    change: '' or what is irregular: 'trend' (from half to one and a half times the share), 'gaps' (a third of the time
    is missing, some seconds at a time), 'rate' (frames of 1/60 and 1/24 s), 'flicker' (one frame in 50 is misread),
    'together' (people react to the same thing, each up to 0.8 s late)."""

    share: float
    dwell: float
    seconds: float
    lengths: str = "exponential"
    people: int = 1
    change: str = ""


CELLS = (
    *(
        Cell(0.3, dwell, seconds)
        for dwell, seconds in ((0.3, 60), (1, 20), (1, 60), (3, 60), (3, 300), (10, 60), (10, 300))
    ),
    *(Cell(0.3, 1, 60, lengths) for lengths in LENGTHS[1:]),
    *(Cell(0.3, 3, 120, lengths) for lengths in LENGTHS[1:]),
    *(Cell(0.8, 3, 120, lengths) for lengths in LENGTHS),
    *(Cell(share, 1, seconds) for share, seconds in ((0.05, 120), (0.05, 600), (0.01, 600))),
    *(Cell(0.05, 1, 300, lengths) for lengths in LENGTHS[1:]),
    *(Cell(0.3, 1, 120, change=change) for change in ("trend", "gaps", "rate", "flicker")),
    *(Cell(0.3, 2, 60, people=people) for people in (2, 5, 10, 20)),
    *(Cell(0.3, dwell, 60, people=people, change="together") for dwell, people in ((2, 5), (4, 10), (10, 5))),
    Cell(0.3, 2, 60, "log-normal", 5),
)


class Found(NamedTuple):
    """Over all runs: the share of those with an interval; of these, the share that holds the truth; and the median
    width."""

    told: float
    holds: float
    width: float


def simulate(cell: Cell, runs: int, seed: int = 0) -> Found:
    """`runs` videos of a cell."""
    random = np.random.default_rng([seed, *(int(1000 * value) for value in cell[:3]), cell.people])
    held, widths = 0, []
    for run in range(runs):
        time, span = _frames(cell, random)
        if cell.change == "together":
            state = random.bit_generator.state
            late = random.uniform(0, 0.8, cell.people)
            random.bit_generator.state = state
            shown = []
            for lag in late:
                random.bit_generator.state = state
                shown.append(_person(cell, time - lag, random))
            emotion = np.stack(shown, axis=1)
        else:
            emotion = np.stack([_person(cell, time, random) for _ in range(cell.people)], axis=1)
        if cell.people == 1:
            share = shares_of(emotion[:, 0], span, run)[SHOWN]
        else:
            frame, person = (part.ravel() for part in np.indices(emotion.shape))
            times, spans = np.repeat(time, cell.people), np.repeat(span, cell.people)
            share = shares_of_all(frame, times, person.astype(np.int32), emotion.ravel(), spans, run)[SHOWN]
        if share.low is not None and share.high is not None:
            held += share.low <= _truth(cell) <= share.high
            widths.append(share.high - share.low)
    return Found(len(widths) / runs, held / max(len(widths), 1), float(np.median(widths)) if widths else float("nan"))


def _truth(cell: Cell) -> float:
    # One frame in 50 of either kind is read as the other.
    return cell.share * 0.98 + (1 - cell.share) * 0.02 if cell.change == "flicker" else cell.share


def _frames(cell: Cell, random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) times and spans of the frames that are measured."""
    count = round(cell.seconds * RATE)
    span = random.choice([1 / 60, 1 / 24], count) * 2.8 if cell.change == "rate" else np.full(count, 1 / RATE)
    time = np.cumsum(span) - span
    if cell.change == "gaps":
        edges = np.cumsum(random.uniform(2, 10, 2 * int(cell.seconds)))
        # Of three stretches one is missing.
        kept = np.searchsorted(edges, time) % 3 > 0
        return time[kept], span[kept]
    return time, span


def _person(cell: Cell, time: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int8]:
    """(n,) what one person shows."""
    if cell.change == "trend":
        # Fast and slow turn at a share that grows: drawn frame by frame with the stretches' mean length.
        share = cell.share * (0.5 + time / time[-1])
        change = 1 - np.exp(-1 / RATE / (cell.dwell * (1 - cell.share)))
        anew = random.random(len(time)) < change
        anew[0] = True
        drawn = random.random(len(time)) < share
        return np.where(drawn[np.maximum.accumulate(np.where(anew, np.arange(len(time)), 0))], SHOWN, ELSE).astype(
            np.int8
        )
    other = cell.dwell * (1 - cell.share) / cell.share
    until = time[-1] + 1
    # Long enough before the beginning that it is forgotten.
    start = -20 * (cell.dwell + other) * (1 + random.random())
    means = np.tile([cell.dwell, other], int(4 * (until - start) / (cell.dwell + other)) + 40)
    edges = start + np.cumsum(_lengths(cell.lengths, means, random))
    shown = np.searchsorted(edges, time, "right") % 2 == 0
    if cell.change == "flicker":
        shown ^= random.random(len(time)) < 0.02
    return np.where(shown, SHOWN, ELSE).astype(np.int8)


def _lengths(kind: str, means: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    if kind == "log-normal":
        return means * random.lognormal(-0.5, 1.0, len(means))
    if kind == "Pareto":
        return means * (1.2 / 2.2) * (1 + random.pareto(2.2, len(means)))
    return means * random.exponential(1.0, len(means))


def table(runs: int) -> str:
    """All cells as a table in Markdown."""
    lines = [
        "| share | mean stretch | video | people | stretches "
        "| episodes expected | interval told | holds the truth | width |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in CELLS:
        found = simulate(cell, runs)
        # Together they begin and end together.
        expected = cell.seconds * cell.share / cell.dwell * (1 if cell.change == "together" else cell.people)
        # So few videos tell nothing of how often.
        held = f"{found.holds:.1%}" if found.told >= 0.1 else "–"
        kind = cell.lengths + (f", {cell.change}" if cell.change else "")
        facts = f"{cell.share:.0%} | {cell.dwell:g} s | {cell.seconds:g} s | {cell.people} | {kind} | {expected:.0f}"
        lines.append(f"| {facts} | {found.told:.0%} | {held} | {100 * found.width:.0f} points |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


DESIGNS = ((40, 4, 2), (5, 5, 1), (6, 6, 3), (10, 10, 5), (12, 5, 5), (8, 8, 8), (8, 8, 0), (20, 5, 0))
"""Participants in one condition, in another, and in both."""


def differences(runs: int) -> str:
    """Comparisons without a difference, as a table in Markdown. wide: the second condition spreads three times as
    much."""
    lines = [
        "| participants | in both | spreads | interval holds the truth | some family-wise p below 0.05 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for n, m, both in DESIGNS:
        for spread in (1, 3):
            random = np.random.default_rng([n, m, both, spread])
            held = wrong = 0
            for _ in range(runs):
                one, other = random.normal(size=(n, 7)), random.normal(size=(m, 7))
                # A correlation of 0.5 between both values of one participant.
                other[:both] = 0.5 * one[:both] + np.sqrt(0.75) * other[:both]
                two = Two(one, other * spread, both)
                found = estimate(two)
                held += int((np.abs(found.value) <= student.ppf(0.975, found.freedom) * found.error).sum())
                wrong += bool(exchanged(two, 0)[1].min() < 0.05)
            lines.append(f"| {n} and {m} | {both} | 1 and {spread} | {held / runs / 7:.1%} | {wrong / runs:.1%} |")
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main(runs: int) -> None:
    note = f"`python tools/coverage.py {runs}`, so many videos a cell; intervals from {FEWEST} episodes on.\n\n"
    _write(BEGIN, END, note + table(runs))
    _write(
        BEGIN_STUDIES, END_STUDIES, f"`python tools/coverage.py {runs}`, so many studies a row.\n\n" + differences(runs)
    )


def _write(begin: str, end: str, text: str) -> None:
    page = PAGE.read_text("utf-8")
    PAGE.write_text(page[: page.index(begin) + len(begin)] + "\n" + text + "\n" + page[page.index(end) :], "utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
