"""A saved result reads back as the report it was; anything else is refused with a reason."""

import dataclasses
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import (
    UGLY_NAMES,
    doubtful_report,
    make_report,
    no_people,
    observations,
    one_frame,
    report_of,
    unnamed_content,
    unusable_person,
    video_facts,
)
from older import age
from visagram.core.types import GUESSED, REPAIRED, Observations, Reason, ResultWarning, Shape
from visagram.errors import DataError
from visagram.export import save
from visagram.export.json import report_dict
from visagram.export.read import UNKNOWN_STREAM, read_report
from visagram.report import Report, open_report


def saved(report: Report, folder: Path) -> Path:
    save(report, folder, ["json", "parquet"], overwrite=True)
    return folder


def assert_equal(found: Report, expected: Report) -> None:
    for field in dataclasses.fields(Report):
        if field.name != "observations":
            assert getattr(found, field.name) == getattr(expected, field.name), field.name
    for field in dataclasses.fields(Observations):
        ours, theirs = getattr(found.observations, field.name), getattr(expected.observations, field.name)
        assert ours.dtype == theirs.dtype, field.name
        np.testing.assert_array_equal(ours, theirs, err_msg=field.name)


@pytest.mark.parametrize("make", [make_report, doubtful_report, no_people, one_frame, unusable_person, unnamed_content])
def test_round_trip(make, tmp_path: Path) -> None:
    assert_equal(open_report(saved(make(), tmp_path)), make())


@pytest.mark.parametrize("name", [name for name in UGLY_NAMES if name.isprintable() or "\udce9" not in name])
def test_round_trip_of_ugly_names(name: str, tmp_path: Path) -> None:
    report = make_report(name, warnings=[name], names=[name])
    assert_equal(read_report(saved(report, tmp_path)), report)


def turned_phone() -> Report:
    """A file of two videos, of which the second was analysed: two shapes, some times repaired."""
    report = make_report()
    upright = Shape(50, 2.0, "yuv420p", 360, 640, 368, 640, 90, False)
    lying = dataclasses.replace(upright, frame=0, time=0.0, width=640, height=360, rotation=0)
    facts = dataclasses.replace(report.video, stream=1, time_basis=REPAIRED, shapes=(lying, upright))
    warnings = (
        ResultWarning("times_repaired", "The times of 12 frames were repaired.", 12, 0.48),
        ResultWarning("streams_left_out", "Stream 1 was analysed; the file holds another video, stream 0.", 1),
    )
    return dataclasses.replace(report, video=facts, warnings=warnings)


def test_round_trip_of_what_was_repaired_and_chosen(tmp_path: Path) -> None:
    assert_equal(open_report(saved(turned_phone(), tmp_path)), turned_phone())


_floats = st.floats(0, 1e6, width=32)
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_warnings = st.builds(ResultWarning, _text, _text, st.integers(0, 1 << 40), st.none() | _floats)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    people = draw(st.lists(st.integers(1, 1 << 30), max_size=3, unique=True))
    parts = []
    for person in people:
        frames = sorted(draw(st.sets(st.integers(0, 500), min_size=1, max_size=12)))
        labels = [draw(st.integers(-int(max(Reason)), 6).filter(bool)) for _ in frames]
        parts.append(observations(1, frames, labels).with_columns(person=np.full(len(frames), person, np.int32)))
    rows = Observations.concatenate(parts)
    posterior = rows.posterior * np.float32(draw(st.floats(0.5, 1, width=32)))
    nowhere = np.full_like(rows.landmarks, np.nan) if draw(st.booleans()) else rows.landmarks
    rate = draw(st.fractions(1, 240, max_denominator=1001))
    basis, path = draw(st.sampled_from(["exact", REPAIRED, GUESSED])), draw(_text)
    named = dataclasses.replace(video_facts(draw(_text)), time_basis=basis, path=path)
    facts = dataclasses.replace(named, rate=rate, duration=Fraction(501) / rate)
    made = report_of(rows.with_columns(posterior=posterior, landmarks=nowhere), facts)
    totals = dataclasses.replace(made.totals, duration=draw(_floats), coverage=draw(st.floats(0, 1)))
    named = tuple(dataclasses.replace(person, name=draw(_text), screen_time=draw(_floats)) for person in made.people)
    warnings = tuple(draw(st.lists(_warnings, max_size=2)))
    return dataclasses.replace(made, people=named, totals=totals, warnings=warnings)


@given(reports())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_round_trip_of_any_report(tmp_path_factory: pytest.TempPathFactory, report: Report) -> None:
    assert_equal(read_report(saved(report, tmp_path_factory.mktemp("report"))), report)


@pytest.mark.parametrize("column", ["frame", "time_s", "person", "track", "detected"])
def test_a_table_with_empty_fields_where_none_can_be_is_refused(column: str, tmp_path: Path) -> None:
    path = saved(make_report(), tmp_path) / "observations.parquet"
    whole = pq.read_table(path)
    at = whole.schema.get_field_index(column)
    holes = pa.array([None, *whole[column].to_pylist()[1:]], whole.schema.field(column).type)
    pq.write_table(whole.set_column(at, whole.schema.field(column), holes), path)
    with pytest.raises(DataError, match=f"'{column}' has empty fields"):
        read_report(tmp_path)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_no_json_are_refused(constant: str, tmp_path: Path) -> None:
    path = saved(make_report(), tmp_path) / "report.json"
    text = path.read_text("utf-8")
    path.write_text(re.sub(r'"coverage": [0-9.]+', f'"coverage": {constant}', text), "utf-8")
    with pytest.raises(DataError, match=f"{constant} is no JSON"):
        read_report(tmp_path)


def test_rows_of_nobody_beside_those_of_everybody_are_read(tmp_path: Path) -> None:
    report = make_report()
    person = report.observations.person.copy()
    person[:5] = 0
    both = dataclasses.replace(report, observations=report.observations.with_columns(person=person))
    assert read_report(saved(both, tmp_path)).observations.person[:5].tolist() == [0] * 5


def test_numbers_that_do_not_exist_come_back_as_nan(tmp_path: Path) -> None:
    report = make_report()
    totals = dataclasses.replace(report.totals, coverage=float("nan"))
    found = read_report(saved(dataclasses.replace(report, totals=totals), tmp_path))
    assert np.isnan(found.totals.coverage)


@pytest.mark.parametrize("name", ["report.json", "observations.parquet", "face_2.jpg"])
def test_missing_file_is_named(name: str, tmp_path: Path) -> None:
    (saved(make_report(), tmp_path) / name).unlink()
    with pytest.raises(DataError, match=name):
        read_report(tmp_path)


@pytest.mark.parametrize("name", ["report.json", "observations.parquet", "face_2.jpg"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe garbage", b"[" * 100_000, b"[]", b"null", b"NaN", b"PAR1PAR1"])
def test_damaged_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (saved(make_report(), tmp_path) / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_report(tmp_path)


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_never_crash(tmp_path: Path, data: st.DataObject) -> None:
    path = saved(make_report(), tmp_path) / data.draw(st.sampled_from(["report.json", "observations.parquet"]))
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read_report(tmp_path)
    except DataError as error:
        assert path.name in str(error)


HOSTILE: list[tuple[tuple[Any, ...], Any, str]] = [
    (("schema",), "other", "visagram.report"),
    (("schema_version",), "2.0", "Update it"),
    (("schema_version",), "99999999999999999999.0", "damaged"),
    (("schema_version",), 1.0, "schema_version"),
    (("visagram",), 1.0, "visagram"),
    (("people",), {}, "people"),
    (("people", 0), "x", "object"),
    (("people", 0, "id"), -1, "id"),
    (("people", 0, "id"), 0, "'id' is not between 1 and 2147483647"),
    (("people", 0, "id"), 2**31, "'id' is not between 1 and 2147483647"),
    (("people", 0, "id"), True, "id"),
    (("people", 0, "thumbnail"), "../../../etc/passwd", "thumbnail"),
    (("people", 0, "thumbnail"), "/etc/passwd", "thumbnail"),
    (("people", 0, "name"), None, "name"),
    (("people", 0, "segments"), [[1]], "segments"),
    (("people", 0, "segments"), [[1, "2"]], "segments"),
    (("people", 0, "tracks"), ["1"], "tracks"),
    (("people", 0, "tracks"), [7, "1"], "tracks"),
    (("people", 0, "screen_time"), "long", "screen_time"),
    (("people", 0, "screen_time"), 10**400, "screen_time"),
    (("people", 0, "frames_seen"), 10**30, "frames_seen"),
    (("people", 0, "emotion_counts", "bored"), 1, "seven expressions"),
    (("people", 0, "shares", "happy"), 1, "object"),
    (("video", "rate_exact"), "1/0", "rate_exact"),
    (("video", "rate_exact"), "1e999999999", "rate_exact"),
    (("video", "duration_exact"), "9" * 1000 + "/1", "duration_exact"),
    (("video", "still"), "false", "still"),
    (("video", "width"), -5, "width"),
    (("totals",), None, "totals"),
    (("warnings",), [1], "warnings"),
    (("warnings",), "none", "warnings"),
    (("warnings",), [{"code": "note", "message": "text", "count": -1, "seconds": None}], "count"),
    (("warnings",), [{"code": "note", "message": "text", "count": 1, "seconds": "long"}], "seconds"),
    (("warnings",), [{"code": "note", "count": 1, "seconds": None}], "message"),
    (("video", "sha256"), "ab", "sha256"),
    (("video", "sha256"), 7, "sha256"),
    (("video", "path"), [], "path"),
    (("video", "stream"), -2, "stream"),
    (("video", "time_basis"), 1, "time_basis"),
    (("video", "shapes"), {}, "shapes"),
    (("video", "shapes"), [{"frame": 0}], "time"),
    (("models",), [1], "models"),
    (("models", 0, "unsure_below"), "often", "unsure_below"),
    (("people", 0, "certain_counts", "bored"), 1, "seven expressions"),
    (("people", 0, "unsure"), "long", "unsure"),
    (("totals", "certain_counts"), 3, "certain_counts"),
    (("settings", "smooth"), "much", "smooth"),
    (("settings", "smooth"), 1e300, "smooth"),
    (("settings",), [], "settings"),
]


@pytest.mark.parametrize(("where", "value", "named"), HOSTILE)
def test_hostile_value_is_refused_by_name(where: tuple[Any, ...], value: Any, named: str, tmp_path: Path) -> None:
    path = saved(make_report(), tmp_path) / "report.json"
    content = json.loads(path.read_text("utf-8"))
    place = content
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(DataError, match=named):
        read_report(tmp_path)


def test_two_people_with_one_id_are_refused(tmp_path: Path) -> None:
    path = saved(make_report(), tmp_path) / "report.json"
    content = json.loads(path.read_text("utf-8"))
    content["people"][1] = content["people"][0]
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(DataError, match="same id"):
        read_report(tmp_path)


def test_newer_minor_version_with_more_fields_is_read(tmp_path: Path) -> None:
    path = saved(make_report(), tmp_path) / "report.json"
    content = json.loads(path.read_text("utf-8")) | {"schema_version": "1.7", "more": 1}
    path.write_text(json.dumps(content), "utf-8")
    assert_equal(read_report(tmp_path), make_report())


def unknown_file(report: Report) -> Report:
    """The report as far as versions before 1.2 of the form wrote it."""
    nothing = {"stream": UNKNOWN_STREAM, "time_basis": "", "shapes": (), "path": "", "sha256": ""}
    return dataclasses.replace(report, video=dataclasses.replace(report.video, **nothing), version="")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("make", [make_report, doubtful_report, no_people, one_frame, unusable_person])
def test_older_versions_are_read_and_certainty_is_counted_again(make, version: str, tmp_path: Path) -> None:
    folder = age(saved(make(), tmp_path), version)
    assert_equal(read_report(folder), unknown_file(make()))


def test_the_version_that_analysed_stays_whichever_reads_and_saves(tmp_path: Path) -> None:
    old = dataclasses.replace(make_report(), version="0.0.7")
    again = saved(read_report(saved(old, tmp_path / "a")), tmp_path / "b")
    assert (read_report(again).version, json.loads((again / "report.json").read_text())["visagram"]) == ("0.0.7",) * 2
    unknown = age(saved(old, tmp_path / "c"), "1.2")
    assert_equal(read_report(unknown), dataclasses.replace(old, version=""))


def test_what_an_older_version_did_not_say_stays_unknown_when_it_is_saved_again(tmp_path: Path) -> None:
    folder = age(saved(make_report(), tmp_path), "1.1")
    video = report_dict(read_report(folder))["video"]
    assert {video[name] for name in ("stream", "time_basis", "path", "sha256", "video_id")} == {None}
    assert video["shapes"] is None
    assert_equal(read_report(saved(read_report(folder), tmp_path)), unknown_file(make_report()))


@pytest.mark.parametrize(
    ("text", "code", "count", "seconds"),
    [
        ("1 damaged frame skipped; their time counts as not decoded.", "damaged_frames", 1, None),
        ("312 damaged frames skipped; their time counts as not decoded.", "damaged_frames", 312, None),
        ("4.0 s to 61.5 s could not be decoded (it ended unexpectedly).", "segment_lost", 0, 57.5),
        ("No face was found. Small faces need a smaller min_face.", "no_face", 0, None),
        ("Something else.", "note", 0, None),
        ("", "note", 0, None),
    ],
)
def test_warnings_of_older_versions_get_their_codes(
    text: str, code: str, count: int, seconds: float | None, tmp_path: Path
) -> None:
    folder = age(saved(make_report(warnings=[text]), tmp_path), "1.1")
    assert read_report(folder).warnings == (ResultWarning(code, text, count, seconds),)


def changed_table(folder: Path, change: Any) -> None:
    path = saved(make_report(), folder) / "observations.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def replace(name: str, values: Any) -> Any:
    return lambda found: found.set_column(found.column_names.index(name), name, values(found.column(name)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda found: found.drop_columns(["p_fear"]), "p_fear"),
        (replace("frame", lambda column: pa.nulls(len(column), pa.int64())), "frame"),
        (replace("frame", lambda column: pa.array(["x"] * len(column))), "does not hold"),
        (replace("time_s", lambda column: pa.array([[0.0]] * len(column))), "does not hold"),
        (replace("person", lambda column: pa.array([9] * len(column))), "person"),
        (replace("reason", lambda column: pa.array(["bored"] * len(column))), "reason"),
        (replace("p_sad", lambda column: pa.nulls(len(column), pa.float32())), "probabilities"),
        (replace("time_s", lambda column: pa.array([float("inf")] * len(column))), "time"),
    ],
)
def test_table_that_does_not_fit_is_refused(change: Any, named: str, tmp_path: Path) -> None:
    changed_table(tmp_path, change)
    with pytest.raises(DataError, match=named):
        read_report(tmp_path)


def test_column_order_and_additional_columns_do_not_matter(tmp_path: Path) -> None:
    changed_table(tmp_path, lambda found: found.select(found.column_names[::-1]).append_column("new", found["frame"]))
    assert_equal(read_report(tmp_path), make_report())


def test_plain_words_are_as_good_as_a_dictionary(tmp_path: Path) -> None:
    changed_table(tmp_path, replace("reason", lambda column: column.cast(pa.string())))
    assert_equal(read_report(tmp_path), make_report())
