"""Many videos as one tidy table, event windows, and the sheets that people import."""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from factories import VIDEO_ID, make_report, no_people, observations, one_frame, report_of, video_facts
from fakes import make_rows
from older import age
from visagram.core.compare import compare
from visagram.core.edits import clean_name
from visagram.core.statistics import Window, analysed_range, person_statistics, window_statistics, within
from visagram.core.types import EXPRESSIONS, Reason
from visagram.errors import DataError, UsageError
from visagram.export import study, view
from visagram.export.sheets import LARGEST, MOST_ERRORS, MOST_ROWS, parse_assignments, parse_windows
from visagram.export.study import StudyVideo, tidy_csv, tidy_page, tidy_parquet, tidy_rows, units
from visagram.export.windows import WindowStatistics

WHOLE: dict[str, Any] = {"seed": 0, "unsure_below": 0.5}
HAPPY, SAD, NEUTRAL = (EXPRESSIONS.index(name) for name in ("happy", "sad", "neutral"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("study") / "talk"
    view.write_view(make_report(), None, made)
    return made


def video(folder: Path, **changes) -> StudyVideo:
    known = StudyVideo("v1", "talk.mp4", "ada", "film", ("pilot", "long"), (), folder)
    return dataclasses.replace(known, **changes)


def test_a_row_is_a_video_and_a_person(folder: Path) -> None:
    rows = tidy_rows([video(folder)])
    assert rows.schema.equals(study.schema())
    first, second = rows.to_pylist()
    assert {k: first[k] for k in ("video_id", "video", "participant", "condition", "tags", "window")} == {
        **{"video_id": "v1", "video": "talk.mp4", "participant": "ada", "condition": "film"},
        **{"tags": "pilot; long", "window": None},
    }
    assert (first["person"], second["person"], second["person_name"]) == (1, 2, "Person 2")
    person = make_report().people[0]
    assert (first["analysed"], first["screen_time"], first["measured"]) == (4.0, person.screen_time, person.measured)
    assert (first["frames"], first["frames_measured"], first["frames_certain"], first["unsure"]) == (100, 90, 90, 0.0)
    assert first["unmeasured_turned"] == pytest.approx(0.4)
    share = person.shares[HAPPY]
    told = [first[f"share_happy{end}"] for end in ("", "_low", "_high", "_episodes", "_least", "_most")]
    assert tuple(told) == dataclasses.astuple(share)
    assert first["mean_happy"] == person.mean_posterior[HAPPY]
    assert first["models"] == f"retinaface-mobilenet025 {'ab' * 32}; expression-net {'cd' * 32}"
    for row in (first, second):
        parts = [value for name, value in row.items() if name.startswith("unmeasured_")]
        assert row["measured"] + sum(parts) == pytest.approx(row["analysed"])


def test_rows_name_the_content_of_their_video(folder: Path, tmp_path: Path) -> None:
    assert set(tidy_rows([video(folder)])["content_id"].to_pylist()) == {VIDEO_ID}
    assert set(make_report().to_arrow()["video_id"].to_pylist()) == {VIDEO_ID}
    old = tmp_path / "old"
    view.write_view(make_report(), None, old)
    age(old, "1.1")
    assert set(tidy_rows([video(old)])["content_id"].to_pylist()) == {None}
    known = video(old, sha256="fedcba9876543210" * 4)
    assert set(tidy_rows([known])["content_id"].to_pylist()) == {"fedcba9876543210"}


def test_windows_follow_their_person(folder: Path) -> None:
    windows = (Window("stimulus", 1.0, 1.4), Window("rest", 3.0, 9.0), Window("after", 50.0, 60.0))
    rows = tidy_rows([video(folder, windows=windows)]).to_pylist()
    assert [(row["person"], row["window"]) for row in rows] == [
        (person, window) for person in (1, 2) for window in (None, "stimulus", "rest", "after")
    ]
    stimulus, rest, after = rows[1:4]
    assert (stimulus["window_start"], stimulus["window_end"]) == (1.0, 1.4)
    assert (stimulus["analysed"], stimulus["measured"]) == (pytest.approx(0.4), pytest.approx(0.2))
    assert stimulus["share_happy"] == 1.0 and stimulus["unmeasured_turned"] == pytest.approx(0.2)
    assert (rest["analysed"], rest["share_neutral"]) == (1.0, 1.0)
    assert (after["analysed"], after["measured"], after["share_happy"]) == (0.0, 0.0, None)


def test_nobody_has_no_row_and_a_missing_result_is_named(folder: Path, tmp_path: Path) -> None:
    view.write_view(no_people(), None, tmp_path / "empty")
    assert tidy_rows([video(tmp_path / "empty")]).num_rows == 0
    assert tidy_rows([]).column_names == study.schema().names
    with pytest.raises(DataError, match=r"report\.json"):
        tidy_rows([video(tmp_path / "gone")])
    (tmp_path / "empty" / "report.json").write_text('{"people": 3}')
    with pytest.raises(DataError, match="damaged"):
        tidy_rows([video(tmp_path / "empty")])


def test_csv_is_the_table_and_runs_in_no_spreadsheet(folder: Path) -> None:
    rows = tidy_rows([video(folder, name="=cmd()", participant="@SUM(A1)", condition='a,"b"\n', tags=("+1",))])
    (first, _) = csv.DictReader(io.StringIO(tidy_csv(rows).decode(), newline=""))
    assert list(first) == study.schema().names
    assert (first["video"], first["participant"], first["tags"]) == ("'=cmd()", "'@SUM(A1)", "'+1")
    assert (first["condition"], first["window"]) == ('a,"b"\n', "")
    assert float(first["share_happy"]) == pytest.approx(1 / 3)


def test_parquet_is_the_table(folder: Path) -> None:
    rows = tidy_rows([video(folder, name="=cmd()\udce9")])
    found = pq.read_table(pa.BufferReader(tidy_parquet(rows)))
    assert found.equals(rows)
    assert found.schema.metadata[b"visagram.study"] == b"1.3"
    assert found["video"][0].as_py() == "=cmd()?"


def test_units_are_what_is_compared(folder: Path) -> None:
    videos = [
        video(folder),
        video(folder, id="v2", participant="bob", condition="call"),
        video(folder, id="v3", participant="", condition="call", tags=()),
        video(folder, id="v4", condition=""),
    ]
    rows = tidy_rows(videos)
    found, notes = units(rows)
    assert {(u.group, u.participant) for u in found} == {("film", "ada"), ("call", "bob"), ("call", "(video v3)")}
    # Of ada and bob the person who was measured longest; of nobody in particular, both.
    assert [u.measured for u in found] == [pytest.approx(each) for each in (3.6, 3.6, 3.6, 2.0)]
    assert [note.partition(":")[0] for note in notes] == [
        "1 video without a condition left out.",
        "1 video without a participant taken for participants of their own.",
        "In 2 videos several people were seen",
        "In talk.mp4 somebody else was measured at least half as long. Name the participant there to be sure.",
    ]
    film, call = compare(found).groups
    assert film.values[0][HAPPY] == pytest.approx(1 / 3)
    assert call.values[0][HAPPY] == pytest.approx(1 / 3 * 3.6 / 5.6)
    tagged, _ = units(rows, "tag")
    assert {u.group for u in tagged} == {"pilot", "long"}
    people, notes = units(rows, "participant")
    assert {(u.group, u.participant) for u in people} >= {("ada", "(video v1)"), ("ada", "(video v4)")}
    assert "the unit is the video" in notes[-1]
    means, _ = units(rows, measure="mean_posterior")
    assert means[0].values == pytest.approx(make_report().people[0].mean_posterior)
    for wrong in ({"by": "weather"}, {"measure": "joy"}):
        with pytest.raises(UsageError):
            units(rows, **wrong)


def test_windows_of_one_name_are_compared_by_themselves(folder: Path) -> None:
    rows = tidy_rows([video(folder, windows=(Window("stimulus", 1.0, 1.4), Window("rest", 3.0, 4.0)))])
    found, _ = units(rows, window="rest")
    assert found[0].values[NEUTRAL] == 1.0 and found[0].measured == pytest.approx(1.0)
    assert units(rows, window="other")[0] == []


def test_still_pictures_count_alike(tmp_path: Path) -> None:
    view.write_view(one_frame(), None, tmp_path / "still")
    found, _ = units(tidy_rows([video(tmp_path / "still")]))
    assert [(u.measured, u.values[EXPRESSIONS.index("surprise")]) for u in found] == [(1.0, 1.0)]


# Windows.


def test_a_row_across_an_edge_counts_for_what_lies_inside() -> None:
    rows = make_rows(range(10), 0, rate=10)
    inside, begun = within(rows, 0.25, 0.55)
    np.testing.assert_allclose(inside.time, [0.25, 0.3, 0.4, 0.5])
    assert begun.tolist() == [False, True, True, True], "as a frame it belongs to the window in which it begins"
    np.testing.assert_allclose(inside.span, [0.05, 0.1, 0.1, 0.05])
    assert len(within(rows, 5.0, 6.0)[0]) == len(within(rows, 0.5, 0.5)[0]) == 0


@settings(deadline=None)
@given(st.lists(st.floats(-1, 12), min_size=2, max_size=5), st.integers(0, 999))
def test_adjacent_windows_share_out_the_time(edges: list[float], seed: int) -> None:
    edges = sorted({-1.0, 12.0, *(round(edge, 3) for edge in edges)})
    random = np.random.default_rng(seed)
    frames = np.flatnonzero(random.random(250) < 0.7)
    reason = (random.random(len(frames)) < 0.3) * Reason.BLURRED
    rows = make_rows(frames, 0, expression=random.integers(0, 7, len(frames)), reason=reason)
    windows = [Window("", a, b) for a, b in pairwise(edges)]
    random = np.random.default_rng(seed)
    posterior = np.where(random.random(len(frames))[:, None] < 0.4, np.float32(1 / 7), rows.posterior)
    rows = rows.with_columns(posterior=posterior)
    whole = person_statistics(1, rows, 10.0, 0.0, b"", **WHOLE)
    parts = window_statistics(1, rows, windows, (0.0, 10.0), **WHOLE)
    assert sum(part.measured for part in parts) == pytest.approx(whole.measured)
    assert sum(part.unsure for part in parts) == pytest.approx(whole.unsure)
    assert sum(part.screen_time for part in parts) == pytest.approx(whole.screen_time)
    for name in ("frames_seen", "frames_usable"):
        assert sum(getattr(part, name) for part in parts) == getattr(whole, name)
    for name in ("emotion_counts", "certain_counts"):
        assert np.sum([getattr(part, name) for part in parts], axis=0).tolist() == list(getattr(whole, name))
    for reason in whole.unmeasured:
        assert sum(part.unmeasured[reason] for part in parts) == pytest.approx(whole.unmeasured[reason], abs=1e-6)
    for part, window in zip(parts, windows, strict=True):
        length = max(0.0, min(window.end, 10.0) - max(window.start, 0.0))
        assert part.measured + sum(part.unmeasured.values()) == pytest.approx(length, abs=1e-6)


def test_somebody_who_is_not_in_a_window_has_no_times_and_no_shares() -> None:
    (person,) = window_statistics(3, make_rows(range(10), 0), [Window("later", 5.0, 6.0)], (0.0, 8.0), **WHOLE)
    assert np.isnan(person.first_seen) and np.isnan(person.last_seen)
    assert (person.shares, person.segments, person.dominant) == ((), (), None)
    assert person.unmeasured["not_visible"] == 1.0


def test_the_analysed_range_begins_at_the_setting() -> None:
    assert analysed_range(None, 3.0) == (0.0, 3.0)
    assert analysed_range(2.0, 3.0) == (2.0, 5.0)


def test_windows_of_a_part_of_the_video_are_cut_to_it(tmp_path: Path) -> None:
    rows = observations(1, range(50, 100), [HAPPY] * 50)
    report = report_of(rows, video_facts())
    part = dataclasses.replace(
        report, settings={"start": 2.0, "seed": 0}, totals=dataclasses.replace(report.totals, duration=2.0)
    )
    view.write_view(part, None, tmp_path / "part")
    (_, window) = tidy_rows([video(tmp_path / "part", windows=(Window("x", 1.0, 3.0),))]).to_pylist()
    assert (window["analysed"], window["measured"]) == (1.0, pytest.approx(1.0))


# Sheets.


def test_assignments_are_read() -> None:
    found = parse_assignments("video,participant,condition,tags\na.mp4,ada,film,pilot; long ;pilot\nb.mp4,,,\n")
    assert found.errors == ()
    assert [dataclasses.astuple(row) for row in found.rows] == [
        (2, "a.mp4", "ada", "film", ("pilot", "long")),
        (3, "b.mp4", "", "", ()),
    ]


def test_columns_that_are_not_there_say_nothing() -> None:
    (row,) = parse_assignments("condition,video\nfilm,a.mp4\n").rows
    assert (row.participant, row.condition, row.tags) == (None, "film", None)


EXPECTED = [("a, b.mp4", 'the "film"', ("x", "y"))]


@pytest.mark.parametrize(
    "content",
    [
        'video,condition,tags\n"a, b.mp4","the ""film""",x;y\n',
        'video,condition,tags\r\n"a, b.mp4","the ""film""",x;y\r\n',
        'video,condition,tags\r"a, b.mp4","the ""film""",x;y\r',
        '\ufeffVideo, Condition ,TAGS,,\n\n"a, b.mp4","the ""film""",x;y,,\n , ,\n',
        'video;condition;tags\na, b.mp4;"the ""film""";"x;y"',
        '\n \nvideo;condition;tags\na, b.mp4;"the ""film""";"x;y"',
        'video\tcondition\ttags\na, b.mp4\t"the ""film"""\tx;y\n',
        'video,condition,tags\n"a, b.mp4","the ""film""",x;y\n'.encode("utf-16"),
        '\ufeffvideo,condition,tags\n"a, b.mp4","the ""film""",x;y\n'.encode(),
    ],
    ids=["lf", "crlf", "cr", "bom and blanks", "semicolons", "blanks first", "tabs", "utf-16", "utf-8 bytes"],
)
def test_sheets_are_read_as_any_spreadsheet_writes_them(content: str | bytes) -> None:
    found = parse_assignments(content)
    assert found.errors == ()
    assert [(row.video, row.condition, row.tags) for row in found.rows] == EXPECTED


def test_old_spreadsheets_write_the_code_page_of_western_europe() -> None:
    assert parse_assignments("video,participant\na.mp4,Zoë\n".encode("cp1252")).rows[0].participant == "Zoë"


def test_windows_are_read() -> None:
    found = parse_windows("video;window;start;end\na.mp4;stimulus;12,5;1:02.5\na.mp4;rest;1:00:00;3601\n")
    assert found.errors == ()
    assert [(row.window, row.start, row.end) for row in found.rows] == [
        ("stimulus", 12.5, 62.5),
        ("rest", 3600.0, 3601.0),
    ]


@pytest.mark.parametrize(
    ("parse", "content", "line", "words"),
    [
        (parse_assignments, "", 1, "empty; its first line must name the columns video, participant"),
        (parse_assignments, "\n\n", 1, "empty"),
        (parse_assignments, "vidoe,participant\n", 1, "'vidoe' is not known"),
        (parse_assignments, "video,tags,video\n", 1, "'video' is there more than once"),
        (parse_assignments, "participant\nada\n", 1, "'video' is missing"),
        (parse_assignments, "\nvideo,tags\na,b,c\n", 3, "3 fields for 2 columns"),
        (parse_assignments, "video,tags\n\n,x\n", 3, "'video' is empty"),
        (parse_assignments, "video\na\nb\na\n", 4, "'a' is in line 2 already"),
        (parse_assignments, "video\n" + 2 * ("x" * 99 + "\n"), 3, f"The video '{'x' * 40}' is in line 2 already"),
        (parse_assignments, 'video\na\n"b\nc\n', 3, "quotes do not fit"),
        (parse_assignments, 'video\n"a"b\n', 2, "quotes do not fit"),
        (parse_assignments, b"\x89PNG\r\n\x1a\n\x00\x00", 1, "not text"),
        (parse_assignments, b"\xff\xfe\x00", 1, "not text"),
        (parse_assignments, "video\n" + "x" * LARGEST, 1, "larger than 4 MB"),
        (parse_windows, "video,window,start\n", 1, "'end' is missing"),
        (parse_windows, 'video,window,start,end\na,"w\nx",1,2\na,w,2,1\n', 4, "which is not after its start"),
        (parse_windows, "video,window,start,end\na,w,-1,2\n", 2, "'-1' in the column 'start' is not a time"),
        (parse_windows, "video,window,start,end\na,w,1,nan\n", 2, "'nan' in the column 'end'"),
        (parse_windows, "video,window,start,end\na,w,1,1:60\n", 2, "'1:60'"),
        (parse_windows, "video,window,start,end\na,w,1,1e9\n", 2, "'1e9'"),
        (parse_windows, "video,window,start,end\na,\u202e,1,2\n", 2, "no name"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(parse, content: str | bytes, line: int, words: str) -> None:
    (error,) = parse(content).errors
    assert error.line == line
    assert words in error.detail


def test_right_lines_count_beside_wrong_ones() -> None:
    found = parse_windows("video,window,start,end\na,w,2,1\na,v,1,2\n")
    assert ([e.line for e in found.errors], [r.line for r in found.rows]) == ([2], [3])


def test_errors_and_rows_have_an_end() -> None:
    found = parse_assignments("video,tags\n" + ",x\n" * 1000)
    assert len(found.errors) == MOST_ERRORS + 1 and "too many errors" in found.errors[-1].detail
    found = parse_assignments("video\n" + "".join(f"{k}\n" for k in range(MOST_ROWS + 5)))
    assert len(found.rows) == MOST_ROWS and f"more than {MOST_ROWS:,} rows" in found.errors[-1].detail


@given(st.one_of(st.text(), st.binary(), st.text('video,window;start\tend"\n\r 1:'), st.text('video,tags"\n\r;')))
@example('video\n"')
@example("video\x85window\n")
def test_no_file_makes_the_parsers_fail(content: str | bytes) -> None:
    for parse in (parse_assignments, parse_windows):
        found = parse(content)
        assert found.rows or found.errors or "video" in str(content).casefold()
        assert all(error.line >= 1 and error.detail for error in found.errors)


names = st.text(st.characters(exclude_categories=["C", "Z", "M"]), min_size=1, max_size=8)
sheet_rows = st.lists(st.tuples(names, names, names), max_size=6, unique_by=lambda row: row[0])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(sheet_rows, st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_what_a_spreadsheet_writes_is_what_is_read(rows, delimiter: str, end: str, quoted: bool, mark: bool) -> None:
    file = io.StringIO()
    writer = csv.writer(
        file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    writer.writerows([("video", "participant", "condition"), *rows])
    found = parse_assignments(("\ufeff" if mark else "") + file.getvalue())
    assert found.errors == ()
    cleaned = [(row.video, row.participant, row.condition) for row in found.rows]
    assert cleaned == [(a, clean_name(b), clean_name(c)) for a, b, c in rows]


def test_what_was_seen_in_a_window_is_computed_once(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    remembered = WindowStatistics(most=2)
    first = remembered.people(copy, Window("x", 0.0, 2.0))
    assert remembered.people(copy, Window("x", 0.0, 3.0)) != first
    (copy / "observations.parquet").unlink()
    assert remembered.people(copy, Window("renamed", 0.0, 2.0)) == first
    with pytest.raises(DataError):
        remembered.people(copy, Window("x", 0.0, 2.5))
    with pytest.raises(DataError):
        WindowStatistics().people(copy, Window("x", 0.0, 2.0))


def test_people_in_a_window_are_those_of_the_core(folder: Path) -> None:
    report, window = make_report(), Window("x", 0.5, 2.5)
    for found, person in zip(WindowStatistics().people(folder, window), report.people, strict=True):
        mine = report.observations[report.observations.person == person.id]
        (expected,) = window_statistics(person.id, mine, [window], (0.0, 4.0), **WHOLE)
        assert (found["id"], found["name"], found["analysed"]) == (person.id, person.name, 2.0)
        assert (found["measured"], found["unmeasured"]) == (expected.measured, expected.unmeasured)
        assert tuple(found["emotion_counts"].values()) == expected.emotion_counts
        assert (tuple(found["certain_counts"].values()), found["unsure"]) == (expected.certain_counts, expected.unsure)
        assert [tuple(share.values()) for share in found["shares"].values()] == [
            dataclasses.astuple(share) for share in expected.shares
        ]


def test_windows_of_a_damaged_report_are_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"people": [{}]}')
    with pytest.raises(DataError, match=r"report\.json is damaged"):
        WindowStatistics().people(tmp_path, Window("x", 0.0, 1.0))


@given(st.integers(0, 12), st.none() | st.integers(1, 12))
def test_a_page_is_a_slice_of_the_table_and_leaves_out_the_rest(folder: Path, offset: int, limit: int | None) -> None:
    videos = [video(folder, id=f"v{k}", windows=(Window("x", 0.0, 1.0),) if k == 1 else ()) for k in range(4)]
    page, total = tidy_page(videos, offset, limit)
    assert total == 10
    assert page.to_pylist() == tidy_rows(videos).slice(offset, limit).to_pylist()


def test_windows_of_videos_that_are_not_on_the_page_are_not_computed(folder: Path, tmp_path: Path) -> None:
    """What cannot be read is only missed by the page that shows it."""
    gone = Path(shutil.copytree(folder, tmp_path / "gone"))
    (gone / "observations.parquet").unlink()
    broken = video(gone, id="v2", windows=(Window("x", 0.0, 1.0),))
    videos = [video(folder, id="v1"), broken, video(folder, id="v3")]
    assert tidy_page(videos, 0, 2)[1] == 8
    page, _ = tidy_page(videos, 6, 2)
    assert set(page["video_id"].to_pylist()) == {"v3"}
    for offset, limit in ((0, 3), (5, 3), (2, None)):
        with pytest.raises(DataError):
            tidy_page(videos, offset, limit)
