"""Reading a result back: sizes, versions and numbers on their limits, and what is believed of what is written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from factories import TINY_JPEG, doubtful_report, make_report, report_of
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.export import read, save
from visagram.export.read import read_report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(make_report(), tmp_path, ["json", "parquet"])
    return tmp_path


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = folder / "report.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    return folder


def refused(folder: Path, words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_report(folder)
    assert str(caught.value) == words


def test_a_report_of_the_largest_size_is_read_and_no_larger_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (folder / "report.json").stat().st_size
    monkeypatch.setattr(read, "LARGEST_REPORT", size)
    assert len(read_report(folder).people) == 2
    monkeypatch.setattr(read, "LARGEST_REPORT", size - 1)
    refused(folder, f"{folder / 'report.json'} is larger than any report.")


def test_of_a_picture_sixteen_mebibytes_are_read(folder: Path) -> None:
    (folder / "face_1.jpg").write_bytes(TINY_JPEG + bytes((16 << 20) + 5))
    people = read_report(folder).people
    assert len(people[0].thumbnail) == 16 << 20 and people[1].thumbnail == TINY_JPEG


def test_a_picture_begins_like_a_jpeg(folder: Path) -> None:
    (folder / "face_1.jpg").write_bytes(b"\xff\xd8")
    assert read_report(folder).people[0].thumbnail == b"\xff\xd8"
    (folder / "face_1.jpg").write_bytes(b"\xff\xd7")
    refused(folder, f"{folder / 'face_1.jpg'} is not a JPEG picture. Analyse the video again.")
    changed(folder, lambda report: report["people"][0].update(thumbnail=None))
    assert [person.thumbnail for person in read_report(folder).people] == [b"", TINY_JPEG]


@pytest.mark.parametrize("seconds", [None, 0, 0.0, 0.5, 10, 10.0])
def test_smoothing_of_up_to_ten_seconds_is_read(seconds: float | None, folder: Path) -> None:
    found = read_report(changed(folder, lambda report: report["settings"].update(smooth=seconds)))
    assert found.smooth == (seconds or 0.0) and found.settings["smooth"] == seconds


@pytest.mark.parametrize("seconds", [-0.001, 10.001, 11])
def test_other_smoothing_is_refused(seconds: float, folder: Path) -> None:
    changed(folder, lambda report: report["settings"].update(smooth=seconds))
    place = f"{folder / 'report.json'} › settings"
    refused(folder, f"{place}: 'smooth' is not between 0 and 10 seconds. Analyse the video again.")


@pytest.mark.parametrize("version", ["0.9", "1.0", "1.2", "1.9999"])
def test_versions_that_are_read(version: str, folder: Path) -> None:
    changed(folder, lambda report: report.update(schema_version=version))
    assert len(read_report(folder).people) == 2


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2.0", " has the schema version 2.0; this Visagram reads up to 1.3. Update it."),
        ("9999.0", " has the schema version 9999.0; this Visagram reads up to 1.3. Update it."),
        ("1", ": the schema version '1' is damaged. Analyse the video again."),
        ("1.2.3", ": the schema version '1.2.3' is damaged. Analyse the video again."),
        ("10000.0", ": the schema version '10000.0' is damaged. Analyse the video again."),
        ("x" * 30, f": the schema version '{'x' * 20}' is damaged. Analyse the video again."),
    ],
)
def test_versions_that_are_not(version: str, words: str, folder: Path) -> None:
    changed(folder, lambda report: report.update(schema_version=version))
    refused(folder, f"{folder / 'report.json'}{words}")


def test_the_last_number_of_a_person_is_a_number(tmp_path: Path) -> None:
    last = 2**31 - 1
    report = make_report()
    renamed = np.where(report.observations.person == 2, last, report.observations.person).astype(np.int32)
    made = report_of(report.observations.with_columns(person=renamed), report.video)
    save(made, tmp_path, ["json", "parquet"])
    assert [person.id for person in read_report(tmp_path).people] == [1, last]
    assert read_report(tmp_path).people == made.people


def test_what_is_written_of_certainty_is_believed(folder: Path) -> None:
    """Counted again are only the reports that say nothing."""

    def write(report: dict[str, Any]) -> None:
        for number, part in enumerate([*report["people"], report["totals"]], 1):
            part["certain_counts"] = {name: number * k for k, name in enumerate(EXPRESSIONS)}
            part["unsure"] = number / 4

    found = read_report(changed(folder, write))
    for number, part in enumerate([*found.people, found.totals], 1):
        assert part.certain_counts == tuple(number * k for k in range(7)) and part.unsure == number / 4


def test_certainty_is_counted_again_where_nothing_is_written(tmp_path: Path) -> None:
    save(doubtful_report(), tmp_path, ["json", "parquet"])

    def forget(report: dict[str, Any]) -> None:
        for part in [*report["people"], report["totals"]]:
            part["certain_counts"] = None
        report["models"] = [{"task": "expression", "unsure_below": 0.8}]  # above all posteriors

    found = read_report(changed(tmp_path, forget))
    assert [part.certain_counts for part in [*found.people, found.totals]] == [(0,) * 7] * 3
    assert [round(part.unsure, 6) for part in [*found.people, found.totals]] == [3.6, 2.0, 5.6]


@pytest.mark.parametrize("segments", [[[1]], [[1, 2, 3]], [[1, "2"]], [["1", "2"]], [[True, 2]], [[]]])
def test_segments_are_pairs_of_seconds(segments: list[Any], folder: Path) -> None:
    changed(folder, lambda report: report["people"][1].update(segments=segments))
    place = f"{folder / 'report.json'} › people[1]"
    refused(folder, f"{place}: 'segments' holds something other than pairs of seconds. Analyse the video again.")


def test_segments_may_be_whole_seconds(folder: Path) -> None:
    changed(folder, lambda report: report["people"][1].update(segments=[[1, 2.5], [3, 4]]))
    assert read_report(folder).people[1].segments == ((1.0, 2.5), (3.0, 4.0))


def test_every_number_comes_back(tmp_path: Path) -> None:
    """Each is another, so that none can stand for another."""
    report = make_report()
    facts = dataclasses.replace(
        report.video, bytes=11, width=12, height=13, coded_width=14, coded_height=15, rotation=270, mirrored=True
    )
    facts = dataclasses.replace(facts, frames=16, variable_rate=True, has_audio=False, still=False, stream=0)
    totals = dataclasses.replace(
        report.totals, frames=21, frames_damaged=22, frames_with_faces=23, duration=24.5, coverage=0.25, unsure=26.0
    )
    person = dataclasses.replace(
        report.people[0], first_seen=31.0, last_seen=32.0, screen_time=33.0, measured=34.0, unsure=35.0, frames_seen=36
    )
    person = dataclasses.replace(person, frames_usable=37, tracks=(38, 39), unmeasured={"turned": 1.5, "odd": 2.5})
    made = dataclasses.replace(report, video=facts, totals=totals, people=(person, report.people[1]))
    save(made, tmp_path, ["json", "parquet"])
    found = read_report(tmp_path)
    assert (found.video, found.totals, found.people) == (facts, totals, made.people)
