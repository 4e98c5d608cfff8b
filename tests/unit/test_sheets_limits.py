"""Imported sheets, line by line: the limits, the times, and the words for what is wrong."""

from __future__ import annotations

import pytest

from visagram.export.sheets import Assignment, SheetError, WindowRow, parse_assignments, parse_windows

NO_TEXT = "The file is not text: save it as CSV, encoded as UTF-8."


def wrong(content: str | bytes) -> list[tuple[int, str]]:
    """What is wrong with a sheet of assignments."""
    return [(error.line, error.detail) for error in parse_assignments(content).errors]


def seconds(text: str) -> float | None:
    """A time of a sheet of windows, None where it is none."""
    found = parse_windows(f"video;window;start;end\na;w;{text};999999999\n")
    return found.rows[0].start if found.rows else None


# --- Limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lines", "errors"), [(49, 49), (50, 51), (51, 51), (400, 51)])
def test_fifty_errors_are_enough(lines: int, errors: int) -> None:
    found = wrong("video,tags\n" + ",x\n" * lines)
    assert len(found) == errors
    assert found[:49] == [(line, "The field 'video' is empty.") for line in range(2, 51)]
    if errors == 51:
        assert found[49:] == [
            (51, "The field 'video' is empty."),
            (51, "There are too many errors; the rest was not read."),
        ]


def test_twenty_thousand_rows_are_read_and_no_more() -> None:
    text = "video\n" + "".join(f"{k}\n" for k in range(20_000))
    assert len(parse_assignments(text).rows) == 20_000 and wrong(text) == []
    found = parse_assignments(f"{text}more\nand more\n")
    assert len(found.rows) == 20_000 and found.rows[-1].video == "19999"
    assert found.errors == (SheetError(20_002, "There are more than 20,000 rows; the rest was not read."),)


def test_four_mebibytes_are_read_and_no_more() -> None:
    text = "video\na\n" + (" " * 99_999 + "\n") * 41
    text += " " * ((4 << 20) - len(text))
    for content in (text, text.encode()):
        assert len(content) == 4 << 20
        assert len(parse_assignments(content).rows) == 1 and wrong(content) == []
    for content in (f"{text} ", f"{text} ".encode()):
        assert wrong(content) == [(1, "The file is larger than 4 MB; a table of videos is not.")]


# --- Assignments -----------------------------------------------------------------------------------------------------


def test_a_whole_sheet_of_assignments() -> None:
    found = parse_assignments(
        "VIDEO , Tags,participant,condition,,\n\n a.mp4 ,x; y ;;x;\u202e, A\u202eda \n"
        '"b\n.mp4",,,film,,\n , ,\nc.mp4,t\nd.mp4,,"a ""b""",\n'
    )
    assert found.rows == (
        Assignment(3, "a.mp4", "Ada", "", ("x", "y")),
        Assignment(4, "b\n.mp4", "", "film", ()),
        Assignment(7, "c.mp4", "", "", ("t",)),
        Assignment(8, "d.mp4", 'a "b"', "", ()),
    )
    assert found.errors == ()
    assert parse_assignments("video\na").rows == (Assignment(2, "a", None, None, None),)


def test_a_video_comes_once() -> None:
    long = "v" * 50
    assert wrong(f"video\na\n{long}\n\na\n{long}\na\n") == [
        (5, "The video 'a' is in line 2 already."),
        (6, f"The video '{'v' * 40}' is in line 3 already."),
        (7, "The video 'a' is in line 2 already."),
    ]


LISTED = "the columns are video, participant, condition, tags."


@pytest.mark.parametrize(
    ("content", "line", "detail"),
    [
        ("", 1, f"The file is empty; its first line must name {LISTED.replace(' are', '')}"),
        (" \n,,\n", 1, f"The file is empty; its first line must name {LISTED.replace(' are', '')}"),
        (f"\n\nvideo,{'w' * 41}\n", 3, f"The column '{'w' * 40}' is not known; {LISTED}"),
        ("video,,tags\n", 1, f"The column '' is not known; {LISTED}"),
        ("video,Tags,tags \n", 1, "The column 'tags' is there more than once."),
        ("tags\n", 1, f"The column 'video' is missing; {LISTED}"),
        ("video,tags\na,b,\n", 0, ""),
        ("video,tags\na,b,,c\n", 2, "There are 4 fields for 2 columns."),
        ("video,tags\n ,b\n", 2, "The field 'video' is empty."),
        ("video\n\x00\n", 1, NO_TEXT),
        (b"video\n\x81\n", 1, NO_TEXT),
        (b"\xfe\xff\x00", 1, NO_TEXT),
    ],
)
def test_what_is_wrong_letter_by_letter(content: str | bytes, line: int, detail: str) -> None:
    assert wrong(content) == ([(line, detail)] if detail else [])


def test_quotes_that_do_not_fit_end_the_reading() -> None:
    (line, detail), *more = wrong('video\na\n"b"c\nd\n')
    assert line == 3 and more == []
    assert detail.startswith("The quotes do not fit (") and detail.endswith("); nothing from here on was read.")
    assert [row.video for row in parse_assignments('video\na\n"b"c\nd\n').rows] == ["a"]


@pytest.mark.parametrize(
    "content",
    [
        "video,tags;x\n",  # as many of each: commas separate
        "video;tags,x\n",
        "video\ttags,x;y\n",
    ],
)
def test_commas_separate_where_nothing_is_more_frequent(content: str) -> None:
    assert "is not known" in wrong(content)[0][1]
    assert wrong("video;tags;condition\n\na,b;x;y\n") == wrong("video\ttags\tcondition\na,b\tx;y\tz\n") == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_letters_come_through_every_encoding(encoding: str) -> None:
    assert parse_assignments("video,participant\na,Zoë\n".encode(encoding)).rows[0].participant == "Zoë"
    big = "\ufeffvideo\nZoë\n".encode("utf-16-be")
    assert parse_assignments(big).rows[0].video == "Zoë"


# --- Windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("12.5", 12.5),
        ("12,25", 12.25),
        ("99999999", 99_999_999.0),
        ("1234567890", None),
        ("1.123456789", 1.123456789),
        ("1.1234567891", None),
        ("1:2", 62.0),
        ("1:02,5", 62.5),
        ("0:59.999", 59.999),
        ("0:60", None),
        ("1:02:03.5", 3723.5),
        ("1:99:00", 3600.0 + 99 * 60),
        ("9999:00:01", 9999 * 3600.0 + 1),
        ("10000:00:01", None),
        ("10000:01", None),
        ("1:2:3:4", None),
        (":5", None),
        ("1:", None),
        ("1:123", None),
        (".5", None),
        ("5.", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("nan", None),
        ("one", None),
    ],
)
def test_times(text: str, value: float | None) -> None:
    assert seconds(text) == value


def test_a_whole_sheet_of_windows() -> None:
    found = parse_windows(
        "start,end,video,window\n"
        f"1,2,a, w\u202e \n1,1,a,{'n' * 41}\n2,1.5,a,w\n1:60,3,a,w\n3,x{'y' * 50},a,w\n"
        "1,2,a,\u202e\n1,2,,w\n0,0.5,a,w\n"
    )
    assert found.rows == (WindowRow(2, "a", "w", 1.0, 2.0), WindowRow(9, "a", "w", 0.0, 0.5))
    assert [(error.line, error.detail) for error in found.errors] == [
        (3, f"The window '{'n' * 40}' ends at 1 s, which is not after its start at 1 s."),
        (4, "The window 'w' ends at 1.5 s, which is not after its start at 2 s."),
        (5, "'1:60' in the column 'start' is not a time such as 12.5 or 1:02.5."),
        (6, f"'x{'y' * 39}' in the column 'end' is not a time such as 12.5 or 1:02.5."),
        (7, "The window has no name."),
        (8, "The field 'video' is empty."),
    ]


def test_columns_of_windows_are_all_needed() -> None:
    (error,) = parse_windows("video,start,end\na,1,2\n").errors
    assert error == SheetError(1, "The column 'window' is missing; the columns are video, window, start, end.")
    (error,) = parse_windows("video,window,start,end\na,w,1\n").errors
    assert error == SheetError(2, "The field 'end' is empty.")
