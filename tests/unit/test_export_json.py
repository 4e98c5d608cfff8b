"""`report.json`, the statistics files and their published schemas."""

import dataclasses
import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import (
    SHA256,
    TINY_JPEG,
    UGLY_NAMES,
    VIDEO_ID,
    doubtful_report,
    make_report,
    no_people,
    one_frame,
    unnamed_content,
    unusable_person,
)
from older import age
from visagram import __version__
from visagram.core.types import EXPRESSIONS, REPAIRED, ResultWarning, Shape
from visagram.errors import OutputUnwritable, UsageError
from visagram.export import CHOICES, FORMATS, save
from visagram.export.json import SCHEMA_VERSION, SCHEMAS, dumps, report_dict, schema
from visagram.export.stored import read_report_json
from visagram.report import Report

REPORTS = [make_report, doubtful_report, no_people, one_frame, unusable_person, unnamed_content]


def strict(text: str) -> object:
    """Parse JSON that holds no NaN or Infinity, which `json.loads` would let pass."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def valid(name: str, value: object, version: str = SCHEMA_VERSION) -> None:
    jsonschema.Draft202012Validator(schema(name, version)).validate(value)


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3"])
@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schemas_are_valid_schemas(name: str, version: str) -> None:
    found = schema(name, version)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$id"].endswith(f"{name}-{version}")


@pytest.mark.parametrize("make", REPORTS)
def test_every_json_file_follows_its_schema(make, tmp_path: Path) -> None:
    report = make()
    save(report, tmp_path, ["json"])
    valid("report", strict((tmp_path / "report.json").read_text("utf-8")))
    valid("overall_statistics", strict((tmp_path / "overall_statistics.json").read_text("utf-8")))
    for person in report.people:
        valid("face_statistics", strict((tmp_path / f"face_{person.id}_statistics.json").read_text("utf-8")))


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_report_of_a_version_before_follows_the_schema_that_was_published_then(version: str, tmp_path: Path) -> None:
    save(make_report(warnings=["2 damaged frames skipped; …"]), tmp_path, ["json", "parquet"])
    age(tmp_path, version)
    valid("report", strict((tmp_path / "report.json").read_text("utf-8")), version)
    valid("overall_statistics", strict((tmp_path / "overall_statistics.json").read_text("utf-8")), version)
    valid("face_statistics", strict((tmp_path / "face_1_statistics.json").read_text("utf-8")), version)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("make", REPORTS)
def test_an_older_report_is_shown_in_the_form_of_today(make, version: str, tmp_path: Path) -> None:
    save(make(), tmp_path, ["json", "parquet"])
    found = read_report_json(age(tmp_path, version))
    assert found["schema_version"] == SCHEMA_VERSION
    valid("report", found)


def test_video_names_its_content_and_what_is_known_of_the_file() -> None:
    report = make_report()
    upright = Shape(50, 2.0, "yuv420p", 360, 640, 368, 640, 90, False)
    facts = dataclasses.replace(report.video, stream=2, time_basis=REPAIRED, shapes=(upright,))
    video = report_dict(dataclasses.replace(report, video=facts))["video"]
    assert (video["path"], video["sha256"], video["video_id"]) == ("/videos/talk.mp4", SHA256, VIDEO_ID)
    assert (video["stream"], video["time_basis"]) == (2, "repaired")
    assert video["shapes"] == [dataclasses.asdict(upright)]
    valid("report", report_dict(dataclasses.replace(report, video=facts)))
    unknown = report_dict(unnamed_content())["video"]
    assert (unknown["sha256"], unknown["video_id"]) == (None, None)


def test_a_report_says_which_version_analysed() -> None:
    assert report_dict(make_report())["visagram"] == __version__
    assert report_dict(dataclasses.replace(make_report(), version="0.0.7"))["visagram"] == "0.0.7"
    unknown = report_dict(dataclasses.replace(make_report(), version=""))
    assert unknown["visagram"] is None
    valid("report", unknown)


def test_warnings_are_objects_with_a_code_for_programs() -> None:
    repaired = ResultWarning("times_repaired", "The times of 2 frames were repaired.", 2, 0.08)
    chosen = ResultWarning("stream_chosen", "The file holds two videos; stream 0 was analysed.", 1)
    content = report_dict(dataclasses.replace(make_report(), warnings=(repaired, chosen)))
    assert content["warnings"] == [
        {
            "code": "times_repaired",
            "message": "The times of 2 frames were repaired.",
            "count": 2,
            "seconds": 0.08,
        },
        {
            "code": "stream_chosen",
            "message": "The file holds two videos; stream 0 was analysed.",
            "count": 1,
            "seconds": None,
        },
    ]
    valid("report", content)


def test_schema_refuses_a_field_that_is_not_documented() -> None:
    with pytest.raises(jsonschema.ValidationError):
        valid("report", report_dict(make_report()) | {"mood": 1})


def test_files_of_a_report_with_two_people(tmp_path: Path) -> None:
    names = {path.name for path in save(make_report(), tmp_path, ["json"])}
    assert names == {
        "report.json",
        "overall_statistics.json",
        "face_1_statistics.json",
        "face_2_statistics.json",
        "face_1.jpg",
        "face_2.jpg",
    }
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "face_1.jpg").read_bytes() == TINY_JPEG


def test_overall_statistics_count_people(tmp_path: Path) -> None:
    save(make_report(), tmp_path, ["json"])
    assert strict((tmp_path / "overall_statistics.json").read_text("utf-8")) == {
        "video_id": VIDEO_ID,
        "total_frames_processed": 100,
        "total_faces_detected": 2,
        "faces": [1, 2],
        "duration": 4.0,
        "coverage": 1.0,
    }


def test_face_statistics_hold_the_contract(tmp_path: Path) -> None:
    save(make_report(), tmp_path, ["json"])
    first = strict((tmp_path / "face_1_statistics.json").read_text("utf-8"))
    assert isinstance(first, dict)
    assert (first["video_id"], first["face_id"]) == (VIDEO_ID, 1)
    assert first["most_common_emotion"] == "neutral"
    assert first["emotion_counts"] == dict.fromkeys(EXPRESSIONS, 0) | {"happy": 30, "neutral": 60}
    assert first["total_frames_processed"] == sum(first["emotion_counts"].values()) == 90
    assert first["probabilistic_embeddings_shape"] == [90, 7]
    assert first["embedding_example"] == dict.fromkeys(EXPRESSIONS, 0.04) | {"happy": 0.76}
    assert math.isclose(sum(first["average_confidences"].values()), 1, abs_tol=1e-5)
    assert set(first["shares"]["happy"]) == {"value", "low", "high", "episodes", "least", "most"}
    assert math.isclose(first["unmeasured"]["turned"], 0.4)
    assert first["segments"] == [[0.0, 4.0]]
    assert first["thumbnail"] == "face_1.jpg"
    second = strict((tmp_path / "face_2_statistics.json").read_text("utf-8"))
    assert isinstance(second, dict)
    assert len(second["segments"]) == 2


def test_certain_frames_are_counted_beside_all_frames(tmp_path: Path) -> None:
    report = doubtful_report()
    save(report, tmp_path, ["json"])
    face = strict((tmp_path / "face_1_statistics.json").read_text("utf-8"))
    whole = strict((tmp_path / "report.json").read_text("utf-8"))
    assert isinstance(face, dict) and isinstance(whole, dict)
    for part in (face, whole["people"][0]):
        assert part["emotion_counts"] == dict.fromkeys(EXPRESSIONS, 0) | {"happy": 30, "neutral": 60}
        assert part["certain_counts"] == dict.fromkeys(EXPRESSIONS, 0) | {"happy": 20, "neutral": 60}
        assert part["unsure"] == pytest.approx(0.4)
    assert whole["totals"]["certain_counts"] == dict.fromkeys(EXPRESSIONS, 0) | {"happy": 20, "sad": 50, "neutral": 60}
    assert whole["totals"]["unsure"] == pytest.approx(0.4)


def test_person_without_a_usable_frame_has_no_example_and_no_dominant_expression(tmp_path: Path) -> None:
    save(unusable_person(), tmp_path, ["json"])
    only = strict((tmp_path / "face_1_statistics.json").read_text("utf-8"))
    assert isinstance(only, dict)
    assert only["embedding_example"] is None
    assert only["most_common_emotion"] is None
    assert only["probabilistic_embeddings_shape"] == [0, 7]
    assert only["shares"] == only["average_confidences"] == {}


def test_rate_is_a_number_and_an_exact_fraction() -> None:
    report = make_report()
    ntsc = dataclasses.replace(report, video=dataclasses.replace(report.video, rate=Fraction(30000, 1001)))
    video = report_dict(ntsc)["video"]
    assert video["rate"] == pytest.approx(29.97, abs=0.001)
    assert video["rate_exact"] == "30000/1001"


def test_equal_reports_give_equal_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        save(make_report(), tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_text_ends_with_a_newline_and_is_indented_by_two(tmp_path: Path) -> None:
    save(make_report(), tmp_path, ["json"])
    text = (tmp_path / "report.json").read_text("utf-8")
    assert text.startswith('{\n  "schema": "visagram.report",\n  "schema_version": "1.3",\n  "visagram": "')
    assert text.endswith("}\n")


@pytest.mark.parametrize("name", UGLY_NAMES)
def test_ugly_names_save_in_every_format(name: str, tmp_path: Path) -> None:
    written = save(make_report(name), tmp_path)
    assert all(path.parent == tmp_path and path.stat().st_size for path in written)
    content = strict((tmp_path / "report.json").read_text("utf-8"))
    assert isinstance(content, dict)
    assert content["video"]["name"] == name.encode("utf-8", "replace").decode()


_json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.floats(width=32).map(np.float32),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_json_like)
def test_json_never_holds_nan(value: object) -> None:
    strict(dumps({"value": value}))


@given(st.floats(), st.floats())
def test_report_never_holds_nan(measured: float, coverage: float) -> None:
    report = make_report()
    person = dataclasses.replace(report.people[0], measured=measured, mean_posterior=(math.nan,) * 7)
    totals = dataclasses.replace(report.totals, coverage=coverage)
    strict(dumps(report_dict(dataclasses.replace(report, people=(person,), totals=totals))))


def test_default_is_every_format(tmp_path: Path) -> None:
    names = {path.name for path in make_report().save(tmp_path)}
    assert {"report.json", "observations.csv", "observations.parquet", "report.html", "expressions.vtt"} <= names
    assert {"face_1_embeddings.npy", "face_1_embeddings.json"} <= names


def test_unknown_format_names_the_choices_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xml") as caught:
        save(make_report(), tmp_path, ["json", "xml"])
    assert all(name in str(caught.value) for name in CHOICES)
    assert not list(tmp_path.iterdir())


def test_annotated_video_is_named_but_made_elsewhere(tmp_path: Path) -> None:
    assert "mp4" in CHOICES and "mp4" not in FORMATS
    with pytest.raises(UsageError, match="source video"):
        save(make_report(), tmp_path, ["mp4"])


def test_one_format_may_be_given_as_text(tmp_path: Path) -> None:
    assert [path.name for path in save(make_report(), tmp_path, "vtt")] == ["expressions.vtt"]


def test_saving_again_leaves_nobody_of_the_old_report_behind(tmp_path: Path) -> None:
    save(make_report(), tmp_path)
    (tmp_path / "face_7.jpg").write_bytes(b"my own picture")
    save(one_frame(), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert not {name for name in names if name.startswith("face_2")}
    assert "face_1_statistics.json" in names
    assert "face_7.jpg" in names, "only files that the old report names may go"


@pytest.mark.parametrize(
    "old", ["", "[]", "{", '{"schema": "other", "people": [{"id": 1}]}', '{"people": 3}', "[" * 99999]
)
def test_saving_over_a_report_that_is_not_ours_removes_nothing(old: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(old)
    (tmp_path / "face_1.jpg").write_bytes(b"my own picture")
    with pytest.raises(UsageError, match=r"not one of Visagram's"):
        save(no_people(), tmp_path, ["json"])
    assert (tmp_path / "report.json").read_text() == old
    save(no_people(), tmp_path, ["json"], overwrite=True)
    assert (tmp_path / "face_1.jpg").exists()


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(make_report(), tmp_path, ["json"])
    before = (tmp_path / "report.json").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputUnwritable):
        save(no_people(), tmp_path, ["json"])
    assert (tmp_path / "report.json").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_importing_the_writers_loads_neither_arrow_nor_plotly() -> None:
    """They cost a second, and `visagram --help` shall not pay for it."""
    code = "import sys, visagram.export, visagram.plots; print({'plotly', 'pyarrow', 'pandas'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_report_is_the_same_from_the_method() -> None:
    report: Report = make_report()
    assert report.to_dict() == report_dict(report)
