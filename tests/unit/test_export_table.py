"""The per-frame table and the matrices of posteriors."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import VIDEO_ID, make_report, no_people, one_frame, unnamed_content, unusable_person
from visagram.core.types import EXPRESSIONS
from visagram.export import save, table

COLUMNS = [
    *("video", "video_id", "frame", "time_s", "person", "track", "x", "y", "w", "h", "detection_score", "detected"),
    *("usable", "reason", "quality", "p_angry", "p_disgust", "p_fear", "p_happy", "p_sad", "p_surprise", "p_neutral"),
    *("emotion", "lm_right_eye_x", "lm_right_eye_y", "lm_left_eye_x", "lm_left_eye_y", "lm_nose_x", "lm_nose_y"),
    *("lm_right_mouth_x", "lm_right_mouth_y", "lm_left_mouth_x", "lm_left_mouth_y", "span_s"),
]


def test_columns_are_the_contract_s() -> None:
    assert make_report().to_arrow().column_names == COLUMNS
    assert no_people().to_arrow().column_names == COLUMNS


def test_one_row_per_face_per_frame() -> None:
    report = make_report()
    found = report.to_arrow()
    assert found.num_rows == len(report.observations) == 160
    row = found.slice(0, 1).to_pylist()[0]
    assert (row["video"], row["video_id"]) == ("talk.mp4", VIDEO_ID)
    assert (row["frame"], row["time_s"], row["person"], row["track"]) == (0, 0.0, 1, 7)
    assert row["emotion"] == "happy" and row["usable"] and row["reason"] is None
    assert row["p_happy"] == pytest.approx(0.76)
    assert (row["lm_nose_x"], row["lm_nose_y"]) == (80.0, 90.0)


def test_unusable_faces_have_nulls_and_a_reason_not_nan() -> None:
    rows = [row for row in make_report().to_arrow().to_pylist() if not row["usable"]]
    assert len(rows) == 20
    assert {row["reason"] for row in rows} == {"turned", "blurred"}
    for row in rows:
        assert row["emotion"] is None
        assert all(row[f"p_{name}"] is None for name in EXPRESSIONS)


def test_nothing_in_the_table_is_nan() -> None:
    for report in (make_report(), one_frame(), unusable_person()):
        for column in report.to_arrow().columns:
            if pa.types.is_floating(column.type):
                assert not np.isnan(column.drop_null().to_numpy()).any()


def test_types_are_small_and_the_version_is_in_the_metadata() -> None:
    schema = make_report().to_arrow().schema
    assert schema.field("frame").type == pa.int64()
    assert schema.field("time_s").type == pa.float64()
    assert schema.field("p_happy").type == pa.float32()
    assert all(pa.types.is_dictionary(schema.field(name).type) for name in ("video", "video_id", "emotion"))
    assert schema.metadata == {b"visagram.table": b"1.1"}


def test_parquet_holds_the_same_table(tmp_path: Path) -> None:
    report = make_report()
    save(report, tmp_path, ["parquet"])
    found = pq.read_table(tmp_path / "observations.parquet")
    assert found.equals(report.to_arrow())
    assert found.schema.metadata[b"visagram.table"] == b"1.1"
    assert pq.ParquetFile(tmp_path / "observations.parquet").metadata.row_group(0).column(1).compression == "ZSTD"


def test_long_tables_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_report().to_arrow()
    monkeypatch.setattr(table, "ROWS_AT_ONCE", 7)
    save(make_report(), tmp_path, ["parquet", "csv"])
    assert pq.read_table(tmp_path / "observations.parquet").equals(whole)
    assert len((tmp_path / "observations.csv").read_text("utf-8").splitlines()) == 161


def test_pandas_gets_the_table() -> None:
    frame = make_report().to_pandas()
    assert list(frame.columns) == COLUMNS
    assert frame.groupby("person").size().to_dict() == {1: 100, 2: 60}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_has_empty_fields_for_what_was_not_measured(tmp_path: Path) -> None:
    save(make_report(), tmp_path, ["csv"])
    rows = rows_of(tmp_path / "observations.csv")
    assert list(rows[0]) == COLUMNS
    turned = next(row for row in rows if row["reason"] == "turned")
    assert turned["p_happy"] == turned["emotion"] == ""
    assert turned["usable"] == "false"
    assert float(rows[0]["p_happy"]) == pytest.approx(0.76)


def test_a_video_whose_content_is_not_known_has_no_id(tmp_path: Path) -> None:
    report = unnamed_content()
    save(report, tmp_path, ["csv", "parquet", "npy"])
    assert {row["video_id"] for row in rows_of(tmp_path / "observations.csv")} == {""}
    found = pq.read_table(tmp_path / "observations.parquet")
    assert found.equals(report.to_arrow()) and set(found["video_id"].to_pylist()) == {None}
    assert json.loads((tmp_path / "face_1_embeddings.json").read_text("utf-8"))["video_id"] is None


def test_two_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    one, other = make_report(), unnamed_content("fedcba9876543210" * 4)
    both = pa.concat_tables([one.to_arrow(), other.to_arrow()]).to_pandas()
    assert both.groupby("video").size().to_dict() == {"talk.mp4": 320}
    assert both.groupby("video_id").size().to_dict() == {VIDEO_ID: 160, "fedcba9876543210": 160}


def test_csv_and_parquet_of_nobody_have_a_header_and_no_rows(tmp_path: Path) -> None:
    save(no_people(), tmp_path, ["csv", "parquet"])
    assert rows_of(tmp_path / "observations.csv") == []
    assert pq.read_table(tmp_path / "observations.parquet").num_rows == 0


FULL_WIDTH = ("＝1+1.mp4", "＋1.mp4", "－1.mp4", "＠SUM(A1).mp4")
"""Spreadsheets in Chinese, Japanese and Korean take these for the narrow signs."""


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0.mp4", "+1.mp4", "-1.mp4", "@SUM(A1).mp4", "\t=1.mp4", "\r=1.mp4", *FULL_WIDTH]
)
def test_csv_does_not_run_file_names_as_formulas(name: str, tmp_path: Path) -> None:
    save(make_report(name), tmp_path, ["csv", "parquet"])
    assert {row["video"] for row in rows_of(tmp_path / "observations.csv")} == {f"'{name}"}
    assert pq.read_table(tmp_path / "observations.parquet")["video"][0].as_py() == name, (
        "only spreadsheets run formulas"
    )


@given(st.text())
def test_neutral_text_never_starts_like_a_formula(name: str) -> None:
    assert not table.neutral(name).startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n"))
    assert table.neutral(name).removeprefix("'") == name.removeprefix("'") or table.neutral(name) == f"'{name}"


def test_ordinary_names_stay_as_they_are() -> None:
    assert table.neutral("talk = cheap.mp4") == "talk = cheap.mp4"


def test_matrix_holds_the_usable_frames_in_time_order(tmp_path: Path) -> None:
    report = make_report()
    save(report, tmp_path, ["npy"])
    matrix = np.load(tmp_path / "face_1_embeddings.npy", allow_pickle=False)
    assert matrix.shape == (90, 7) and matrix.dtype == np.float32
    assert matrix.argmax(axis=1).tolist() == [EXPRESSIONS.index("happy")] * 30 + [EXPRESSIONS.index("neutral")] * 60


def test_matrix_in_json_has_frames_times_names_and_the_same_numbers(tmp_path: Path) -> None:
    save(make_report(), tmp_path, ["npy"])
    named = json.loads((tmp_path / "face_2_embeddings.json").read_text("utf-8"))
    assert (named["video_id"], named["face_id"]) == (VIDEO_ID, 2)
    assert named["names"] == list(EXPRESSIONS)
    assert named["shape"] == [50, 7] == [len(named["vectors"]), 7]
    assert named["frames"] == [*range(10, 40), *range(70, 90)]
    assert named["times"][0] == 0.4
    assert np.array_equal(np.float32(named["vectors"]), np.load(tmp_path / "face_2_embeddings.npy"))


def test_matrix_of_a_person_never_measured_is_empty(tmp_path: Path) -> None:
    save(unusable_person(), tmp_path, ["npy"])
    assert np.load(tmp_path / "face_1_embeddings.npy").shape == (0, 7)
    assert json.loads((tmp_path / "face_1_embeddings.json").read_text("utf-8"))["vectors"] == []
