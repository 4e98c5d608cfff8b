"""How often the intervals of shares hold the truth, by the command that writes the table of docs/statistics.md."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "coverage.py"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_tool", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


coverage = loaded()


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        # What rows by frame and person, taken for one series, held in 55 to 87 %.
        (coverage.Cell(0.3, 2, 60, people=5), 1.0),
        # What a bootstrap alone held in 78 to 89 %: few episodes, of which some videos have too few for an interval.
        (coverage.Cell(0.3, 1, 20), 0.6),
        # What a renewal process alone held in 86 %.
        (coverage.Cell(0.3, 1, 300, "log-normal"), 1.0),
    ],
)
def test_intervals_hold_where_one_method_alone_did_not(cell: tuple[object, ...], told: float) -> None:
    found = coverage.simulate(cell, 150)
    assert found.told >= told - 0.05
    # 150 videos of an interval that holds 95 % fall below in one of a thousand tries.
    assert found.holds >= 0.895


def test_one_state_for_the_whole_video_has_no_interval() -> None:
    """Ten of ten seconds of one state held the truth in 34 %."""
    found = coverage.simulate(coverage.Cell(0.5, 60, 10), 60)
    assert found.told <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("cell", coverage.CELLS, ids=str)
def test_every_cell_of_the_table_holds(cell: tuple[object, ...]) -> None:
    found = coverage.simulate(cell, 400, seed=1)
    # Of two people in a hundred videos an interval is told, which says nothing of how often it holds.
    assert found.told < 0.1 or found.holds >= 0.92


def test_the_page_has_a_row_for_each_cell() -> None:
    page = coverage.PAGE.read_text("utf-8")
    table = page[page.index(coverage.BEGIN) : page.index(coverage.END)]
    assert table.count("\n| ") == len(coverage.CELLS) + 2
    for cell in coverage.CELLS:
        assert f"\n| {cell.share:.0%} | {cell.dwell:g} s | {cell.seconds:g} s | {cell.people} | {cell.lengths}" in table
    studies = page[page.index(coverage.BEGIN_STUDIES) : page.index(coverage.END_STUDIES)]
    assert studies.count("\n| ") == 2 * len(coverage.DESIGNS) + 2


@pytest.mark.slow
def test_studies_without_a_difference_err_as_seldom_as_they_say() -> None:
    for line in coverage.differences(300).splitlines()[2:]:
        *_, holds, wrong, _ = (cell.strip(" %") for cell in line.split("|"))
        # Of 300 studies of which 5 % err more than 9 % do in one of a thousand tries; unequal spread is another matter.
        assert float(holds) >= 91 and ("1 and 3" in line or float(wrong) <= 9), line
