"""Parts of a stored table: a stretch, a person, a page; and that no more of the file is read than has to be."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factories import make_report, observations, report_of, video_facts
from visagram.core.types import EXPRESSIONS, Observations, Reason
from visagram.errors import DataError, UsageError
from visagram.export import slices
from visagram.report import Report

HAPPY, TURNED = EXPRESSIONS.index("happy"), -int(Reason.TURNED)
GROUP = 8
"""Rows of a row group: two people, so four frames or 0.16 s."""


def stored(folder: Path, report: Report, *, rows: int = GROUP, statistics: bool = True) -> Path:
    """A folder with nothing but the table of a report, in row groups of so many rows."""
    folder.mkdir(exist_ok=True)
    pq.write_table(report.to_arrow(), folder / "observations.parquet", row_group_size=rows, write_statistics=statistics)
    # As of a result under the everyday prior; another one is in tests/e2e/test_other_prior.py.
    (folder / "report.json").write_text('{"settings": {}, "models": []}')
    return folder


def side_by_side(frames: int = 40, rate: float = 25.0) -> Report:
    """Two people in every frame, the second of whom looks away in the odd ones."""
    one = observations(1, range(frames), [HAPPY] * frames, rate)
    two = observations(2, range(frames), [HAPPY if k % 2 == 0 else TURNED for k in range(frames)], rate)
    rows = Observations.concatenate([one, two])
    return report_of(rows[np.lexsort((rows.person, rows.frame))], video_facts(frames=frames))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("slices"), side_by_side())


def damaged(source: Path, target: Path, whole: Collection[int]) -> Path:
    """A copy in which the rows of all groups but these cannot be read."""
    target.mkdir()
    shutil.copyfile(source / "report.json", target / "report.json")
    content = bytearray((source / "observations.parquet").read_bytes())
    facts = pq.ParquetFile(source / "observations.parquet").metadata
    for group in set(range(facts.num_row_groups)) - set(whole):
        for number in range(facts.num_columns):
            column = facts.row_group(group).column(number)
            start = min(filter(None, (column.dictionary_page_offset, column.data_page_offset)))
            content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    (target / "observations.parquet").write_bytes(content)
    return target


def frames(found: pa.Table | Observations) -> list[int]:
    return (found["frame"].to_numpy() if isinstance(found, pa.Table) else found.frame).tolist()


# --- Which rows ------------------------------------------------------------------------------------------------------


def test_a_stretch_begins_with_the_row_at_its_start_and_ends_before_the_one_at_its_end(folder: Path) -> None:
    assert frames(slices.read_observations(folder, 0.4, 0.48)) == [10, 10, 11, 11]
    assert slices.count(folder, 0.4, 0.48) == 4
    assert frames(slices.read_observations(folder, 0.401, 0.481, person=2)) == [11, 12]
    assert slices.count(folder, 0.401, 0.481, person=2) == 2


def test_what_is_shown_includes_rows_that_began_before_and_are_not_over(folder: Path) -> None:
    assert frames(slices.rows_between(folder, 0.41, 0.45, person=1)) == [10, 11]
    assert frames(slices.rows_between(folder, 0.4, 0.44, person=1)) == [10]
    assert frames(slices.rows_between(folder, 0.41, 0.42)) == [10, 10]
    assert frames(slices.rows_between(folder, 1.6, 9.0)) == []


def test_a_row_that_is_held_for_long_is_found_from_far_behind(tmp_path: Path) -> None:
    """A picture that stood for half an hour before a film went on."""
    report = side_by_side()
    held = report.observations.with_columns(
        time=np.where(report.observations.frame > 3, report.observations.time + 1800, report.observations.time),
        span=np.where(report.observations.frame == 3, 1800.04, report.observations.span),
    )
    place = stored(tmp_path / "held", report_of(held, report.video))
    assert frames(slices.rows_between(place, 900.0, 900.1)) == [3, 3]
    assert slices.boxes(place, 900.0, 900.1)["time"] == [0.12, 0.12]
    assert slices.count(place, 900.0, 900.1) == 0, "no row begins there"


def test_everything_is_everything(folder: Path) -> None:
    assert slices.count(folder) == 80
    assert slices.count(folder, person=2) == 40
    assert frames(slices.read_observations(folder)) == [k for k in range(40) for _ in range(2)]
    whole = slices.rows_between(folder, -1.0, 1e9)
    for name in ("frame", "time", "person", "track", "box", "reason", "posterior", "landmarks", "detected"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(side_by_side().observations, name), err_msg=name)


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [
        (0, 3, [0, 0, 1]),
        (7, 3, [3, 4, 4]),
        (8, 2, [4, 4]),
        (9, 1, [4]),
        (78, 10, [39, 39]),
        (80, 10, []),
        (500, None, []),
        (0, 0, []),
        (75, None, [37, 38, 38, 39, 39]),
    ],
)
def test_a_page_may_begin_and_end_in_the_middle_of_a_group(
    folder: Path, offset: int, limit: int | None, expected: list[int]
) -> None:
    assert frames(slices.read_observations(folder, offset=offset, limit=limit)) == expected


def test_a_page_of_one_person_counts_their_rows_alone(folder: Path) -> None:
    found = slices.read_observations(folder, 0.2, 1.2, person=2, columns=["frame", "person"], offset=6, limit=3)
    assert found.to_pylist() == [{"frame": frame, "person": 2} for frame in (11, 12, 13)]


def test_columns_come_in_the_order_that_was_asked_for(folder: Path) -> None:
    found = slices.read_observations(folder, columns=["p_happy", "time_s", "frame"], limit=1)
    assert found.column_names == ["p_happy", "time_s", "frame"]
    assert found["p_happy"].to_pylist() == [pytest.approx(0.76)]
    assert found["frame"].to_pylist() == [0]
    with pytest.raises(UsageError, match=r"no column 'nose'; the columns are video,"):
        slices.read_observations(folder, columns=["frame", "nose"])


# --- How much is read ------------------------------------------------------------------------------------------------


def test_of_a_stretch_only_the_groups_that_can_hold_it_are_read(folder: Path, tmp_path: Path) -> None:
    place = damaged(folder, tmp_path / "damaged", whole=[3])
    # Group 3 holds frames 12 to 15, which begin at 0.48 to 0.6 s.
    assert frames(slices.read_observations(place, 0.48, 0.64)) == [12, 12, 13, 13, 14, 14, 15, 15]
    assert frames(slices.read_observations(place, 0.5, 0.6, person=1)) == [13, 14]
    for start, end in ((0.3, 0.5), (0.5, 0.7)):
        with pytest.raises(DataError, match=r"observations\.parquet"):
            slices.read_observations(place, start, end)


def test_a_group_whose_last_row_is_still_shown_is_read_too_and_no_other(folder: Path, tmp_path: Path) -> None:
    place = damaged(folder, tmp_path / "damaged", whole=[2, 3])
    assert frames(slices.rows_between(place, 0.47, 0.6, person=1)) == [11, 12, 13, 14]
    assert frames(slices.rows_between(place, 0.49, 0.5, person=1)) == [12]
    with pytest.raises(DataError):
        slices.rows_between(place, 0.3, 0.5)


def test_counting_whole_groups_reads_none_and_parts_only_those_at_the_ends(folder: Path, tmp_path: Path) -> None:
    nothing = damaged(folder, tmp_path / "nothing", whole=[])
    assert slices.count(nothing) == 80
    assert slices.count(nothing, end=100.0) == 80
    assert slices.count(nothing, start=100.0) == 0
    assert slices.count(nothing, start=0.0) == 80, "the first row of the first group is at the start"
    with pytest.raises(DataError):
        slices.count(nothing, person=1)
    ends = damaged(folder, tmp_path / "ends", whole=[1, 8])
    assert slices.count(ends, 0.2, 1.4) == 60


def test_a_page_far_behind_skips_what_lies_before_it_without_reading(folder: Path, tmp_path: Path) -> None:
    place = damaged(folder, tmp_path / "damaged", whole=[6])
    assert frames(slices.read_observations(place, offset=49, limit=3)) == [24, 25, 25]
    assert frames(slices.read_observations(place, offset=48, limit=8)) == [24, 24, 25, 25, 26, 26, 27, 27]
    with pytest.raises(DataError):
        slices.read_observations(place, offset=47, limit=3)


def test_a_file_that_tells_nothing_of_its_groups_gives_the_same(folder: Path, tmp_path: Path) -> None:
    place = stored(tmp_path / "plain", side_by_side(), statistics=False)
    ask: list[Callable[[Path], Any]] = [
        slices.count,
        lambda where: slices.count(where, 0.3, 0.7, 2),
        lambda where: frames(slices.read_observations(where, 0.3, 0.7, 2, offset=2, limit=5)),
        lambda where: frames(slices.rows_between(where, 0.31, 0.33)),
        lambda where: slices.boxes(where, 0.31, 0.5),
    ]
    for question in ask:
        assert question(place) == question(folder)


def test_long_files_are_handed_out_group_by_group(folder: Path) -> None:
    parts = [part for part in slices.filtered_csv(folder, person=1) if part]
    assert len(parts) >= 10
    assert max(map(len, parts)) < 0.3 * sum(map(len, parts))
    assert b"".join(parts).count(b"\n") == 41


# --- What is said of a row -------------------------------------------------------------------------------------------


def test_boxes_are_rounded_and_unmeasured_posteriors_are_none(tmp_path: Path) -> None:
    rows = observations(1, [0, 1], [HAPPY, TURNED]).with_columns(
        box=np.float32([[1.04, 2.06, 30.123, 40.987], [1, 2, 3, 4]]),
        time=np.array([1 / 3, 2 / 3]),
        span=np.full(2, 1 / 7),
    )
    found = slices.boxes(stored(tmp_path / "boxes", report_of(rows, video_facts())), 0.0, 1.0)
    assert found["box"] == [[1.0, 2.1, 30.1, 41.0], [1.0, 2.0, 3.0, 4.0]]
    assert (found["time"], found["span"]) == ([0.333333, 0.666667], [0.142857, 0.142857])
    assert found["posterior"] == [[10, 10, 10, 194, 10, 10, 10], None]
    assert (found["start"], found["end"]) == (0.0, 1.0)


def test_a_still_picture_has_rows_that_last_no_time(tmp_path: Path) -> None:
    rows = observations(1, [0], [HAPPY]).with_columns(span=np.array([np.nan]))
    place = stored(tmp_path / "still", report_of(rows, video_facts(frames=1, still=True)))
    assert slices.boxes(place, 0.0, 1.0)["span"] == [0.0]
    assert slices.observation_rows(place)[0]["span"] is None
    assert frames(slices.rows_between(place, 0.0, 1.0)) == [0]
    assert frames(slices.rows_between(place, 0.5, 1.0)) == []


def test_rows_as_objects_say_what_was_measured_or_why_not(folder: Path) -> None:
    happy, away = slices.observation_rows(folder, 0.04, 0.08)
    assert (happy["person"], happy["reason"], happy["emotion"]) == (1, None, "happy")
    assert happy["posterior"]["happy"] == 0.76 and list(happy["posterior"]) == list(EXPRESSIONS)
    assert (away["person"], away["reason"], away["emotion"], away["posterior"]) == (2, "turned", None, None)
    assert away["box"] == [80.125, 30.125, 80.125, 100.125]
    assert (away["score"], away["quality"], away["detected"], away["track"]) == (0.987, 0.5, False, 8)


def test_fields_of_rows_can_be_chosen(folder: Path) -> None:
    assert slices.observation_rows(folder, person=2, columns=["emotion", "frame"], offset=1, limit=2) == [
        {"emotion": None, "frame": 1},
        {"emotion": "happy", "frame": 2},
    ]
    assert len(slices.observation_rows(folder)) == 80 and slices.observation_rows(folder, limit=0) == []
    with pytest.raises(UsageError, match="no column 'landmarks'"):
        slices.observation_rows(folder, columns=["frame", "landmarks"])


def test_a_page_of_rows_is_a_hundred_where_nothing_else_is_asked_for(tmp_path: Path) -> None:
    place = stored(tmp_path / "long", side_by_side(frames=60))
    assert len(slices.observation_rows(place)) == 100
    assert len(slices.observation_rows(place, offset=100)) == 20


def test_files_of_a_part_hold_that_part_alone(folder: Path) -> None:
    text = b"".join(slices.filtered_csv(folder, 0.4, 0.52, 2)).decode()
    assert [(row["frame"], row["person"]) for row in csv.DictReader(io.StringIO(text))] == [
        ("10", "2"),
        ("11", "2"),
        ("12", "2"),
    ]
    table = pq.read_table(pa.BufferReader(b"".join(slices.filtered_parquet(folder, 0.4, 0.52, 2))))
    assert table.equals(slices.read_observations(folder, 0.4, 0.52, 2))


@pytest.mark.parametrize("name", ["=1+1.mp4", "＝1+1.mp4"])
def test_a_videos_other_name_is_in_every_row_and_runs_nowhere(folder: Path, name: str) -> None:
    text = b"".join(slices.filtered_csv(folder, video=name)).decode()
    assert {row["video"] for row in csv.DictReader(io.StringIO(text))} == {f"'{name}"}
    table = pq.read_table(pa.BufferReader(b"".join(slices.filtered_parquet(folder, video=name))))
    assert set(table["video"].to_pylist()) == {name}


def test_nobody_is_an_empty_table(tmp_path: Path) -> None:
    place = stored(tmp_path / "nobody", report_of(Observations.empty(), video_facts()))
    assert slices.count(place) == 0
    assert slices.observation_rows(place) == []
    assert slices.boxes(place, 0.0, 9.0)["person"] == []
    assert len(slices.rows_between(place, 0.0, 9.0)) == 0
    assert b"".join(slices.filtered_csv(place)).count(b"\n") == 1


def test_what_is_no_table_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        slices.count(tmp_path)
    pq.write_table(make_report().to_arrow().drop(["p_sad"]), tmp_path / "observations.parquet")
    with pytest.raises(DataError, match="columns"):
        slices.count(tmp_path)
