"""Edited views: how files come there, with which seed numbers are computed, and what is left behind."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from factories import make_report, observations, report_of, video_facts
from fakes import make_track
from visagram.core.edits import Edit, Rename, Split
from visagram.core.statistics import Window, window_statistics
from visagram.core.types import EXPRESSIONS
from visagram.errors import OutputError
from visagram.export import view
from visagram.export.windows import WindowStatistics
from visagram.report import Report, open_report

LINKED = ("observations.parquet", "moments.json", "tiles/0.bin", "tiles/index.json")


def mixed(seed: int | None) -> Report:
    """One person whose expression changes after stretches of very different lengths, so that intervals are the
    bootstrap's and depend on the seed."""
    labels = ([*[3] * 5, *[6] * 5] * 5 + [3] * 50) * 2
    report = report_of(observations(1, range(200), labels), video_facts(frames=200))
    return dataclasses.replace(report, settings={"start": 0.0, "seed": seed})


def written(report: Report, folder: Path) -> Path:
    numbers = np.unique(report.observations.track).tolist()
    view.write_view(report, [make_track(number, 0, 199, quality=0.5) for number in numbers], folder)
    return folder


def test_files_that_stay_the_same_are_not_copied(tmp_path: Path) -> None:
    machine = written(make_report(), tmp_path / "machine")
    view.write_edited_view(machine, [Rename(1, "Ada")], tmp_path / "edited")
    for name in LINKED:
        assert (tmp_path / "edited" / name).samefile(machine / name)
    assert not (tmp_path / "edited" / "report.json").samefile(machine / "report.json")
    assert sorted(path.name for path in (tmp_path / "edited" / "tiles").iterdir()) == ["0.bin", "index.json"]


@pytest.mark.parametrize("edit", [Rename(1, "Ada"), Split(1, at=0.8)])
def test_an_edited_view_says_which_version_analysed(edit: Edit, tmp_path: Path) -> None:
    machine = written(dataclasses.replace(make_report(), version="0.0.7"), tmp_path / "machine")
    assert view.write_edited_view(machine, [edit], tmp_path / "edited").version == "0.0.7"
    assert view.read_report_json(tmp_path / "edited")["visagram"] == "0.0.7"


def test_where_there_are_no_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = written(make_report(), tmp_path / "machine")

    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    view.write_edited_view(machine, [Rename(1, "Ada")], tmp_path / "edited")
    for name in LINKED:
        assert (tmp_path / "edited" / name).read_bytes() == (machine / name).read_bytes()
        assert not (tmp_path / "edited" / name).samefile(machine / name)


@pytest.mark.parametrize("edit", [Rename(1, "Ada"), Split(1, at=0.8)])
def test_an_edited_view_that_cannot_take_its_place_leaves_nothing(
    edit: Rename | Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = written(make_report(), tmp_path / "machine")
    replace = Path.replace

    def stubborn(path: Path, target: Path) -> Path:
        if target == tmp_path / "edits" / "a1":
            raise PermissionError(13, "Permission denied")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stubborn)
    with pytest.raises(OutputError, match="a1"):
        view.write_edited_view(machine, [edit], tmp_path / "edits" / "a1")
    assert list((tmp_path / "edits").iterdir()) == []


def test_numbers_of_edited_people_are_computed_with_the_seed_of_the_analysis(tmp_path: Path) -> None:
    found = {}
    for seed in (None, 0, 5):
        machine = written(mixed(seed), tmp_path / f"machine {seed}")
        people = view.write_edited_view(machine, [Split(1, at=4.0)], tmp_path / f"edited {seed}").people
        found[seed] = [person.shares for person in people]
        assert found[seed] == [person.shares for person in open_report(tmp_path / f"edited {seed}").people]
    assert found[None] == found[0] != found[5]


def test_numbers_of_windows_are_computed_with_the_seed_of_the_analysis(tmp_path: Path) -> None:
    window, found = Window("w", 1.0, 7.0), {}
    for seed in (None, 0, 5):
        folder = written(mixed(seed), tmp_path / f"{seed}")
        (person,) = WindowStatistics().people(folder, window)
        rows = mixed(seed).observations
        (expected,) = window_statistics(1, rows, [window], (0.0, 8.0), seed=seed or 0, unsure_below=0.5)
        found[seed] = person["shares"]
        assert found[seed] == {
            name: dataclasses.asdict(share) for name, share in zip(EXPRESSIONS, expected.shares, strict=True)
        }
    assert found[None] == found[0] != found[5]


@pytest.mark.parametrize(
    ("start", "end", "analysed"),
    [
        (0.0, 1.0, 0.0),
        (0.0, 2.5, 0.5),
        (2.5, 3.0, 0.5),
        (3.0, 9.0, 1.0),
        (0.0, 9.0, 2.0),
        (4.0, 9.0, 0.0),
        (5.0, 9.0, 0.0),
    ],
)
def test_of_a_window_counts_what_was_analysed(start: float, end: float, analysed: float, tmp_path: Path) -> None:
    report = make_report()
    totals = dataclasses.replace(report.totals, duration=2.0)
    rows = report.observations[report.observations.time >= 2.0]
    part = dataclasses.replace(report, settings={"start": 2.0}, totals=totals, observations=rows)
    view.write_view(part, None, tmp_path)
    people = WindowStatistics().people(tmp_path, Window("w", start, end))
    assert [(person["id"], person["name"], person["analysed"]) for person in people] == [
        *((1, "Person 1", analysed), (2, "Person 2", analysed))
    ]
    for person in people:
        assert person["measured"] + sum(person["unmeasured"].values()) == pytest.approx(analysed)
