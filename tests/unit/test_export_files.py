"""The files of the formats json, npy and table, whole and in order, and which file belongs to which format."""

from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from factories import SHA256, TINY_JPEG, VIDEO_ID, make_report, no_people, observations, report_of, video_facts
from visagram.core.types import EXPRESSIONS, Observations, Reason
from visagram.errors import UsageError
from visagram.export import FORMATS, table
from visagram.export.formats import checked, format_of
from visagram.export.json import dumps, face_statistics, report_dict
from visagram.export.npy import shortest, usable_rows
from visagram.report import Report

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")


def small() -> Report:
    """One person in four frames, of which the second is turned away; the frames are not in order."""
    rows = observations(1, [4, 2, 3, 8], [HAPPY, -int(Reason.TURNED), SAD, HAPPY])
    return report_of(rows, video_facts())


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_files_are_named_in_the_order_in_which_they_are_written(tmp_path: Path) -> None:
    one, two = make_report().people
    report = dataclasses.replace(make_report(), people=(one, dataclasses.replace(two, thumbnail=b"")))
    assert [path.relative_to(tmp_path).as_posix() for path in FORMATS["json"](report, tmp_path)] == [
        *("face_1_statistics.json", "face_1.jpg", "face_2_statistics.json"),
        *("overall_statistics.json", "report.json"),
    ]
    assert (tmp_path / "face_1.jpg").read_bytes() == TINY_JPEG and not (tmp_path / "face_2.jpg").exists()
    said = [json.loads((tmp_path / f"face_{k}_statistics.json").read_text("utf-8"))["thumbnail"] for k in (1, 2)]
    assert said == ["face_1.jpg", None]
    assert [person["thumbnail"] for person in report_dict(report)["people"]] == ["face_1.jpg", None]


def test_values_as_text() -> None:
    value = {
        "é": (1, 2.5, True, None),
        3: np.array([[1.5, math.inf]], np.float32),
        "number": [np.float64(0.5), np.int32(7), np.float32("nan"), Fraction(1, 4), -math.inf, False],
        "\udce9": "\ud800",
    }
    assert dumps(value) == (
        '{\n  "é": [\n    1,\n    2.5,\n    true,\n    null\n  ],\n'
        '  "3": [\n    [\n      1.5,\n      null\n    ]\n  ],\n'
        '  "number": [\n    0.5,\n    7,\n    null,\n    0.25,\n    null,\n    false\n  ],\n  "?": "?"\n}\n'
    )


def test_the_facts_of_a_video() -> None:
    report = make_report()
    facts = dataclasses.replace(report.video, rate=Fraction(30_000, 1001), duration=Fraction(1, 3), stream=3)
    assert report_dict(dataclasses.replace(report, video=facts))["video"] == {
        **{"name": "talk.mp4", "bytes": 4_215_331, "container": "mov,mp4", "codec": "h264", "pixel_format": "yuv420p"},
        **{"width": 640, "height": 360, "coded_width": 640, "coded_height": 368, "rotation": 0, "mirrored": False},
        **{"frames": 100, "duration": pytest.approx(1 / 3), "rate": pytest.approx(29.97003), "variable_rate": False},
        **{"has_audio": True, "still": False, "stream": 3, "time_basis": "exact", "shapes": []},
        **{"path": "/videos/talk.mp4", "sha256": SHA256, "video_id": VIDEO_ID},
        **{"duration_exact": "1/3", "rate_exact": "30000/1001"},
    }
    for stream, said in ((0, 0), (1, 1), (-1, None)):
        facts = dataclasses.replace(report.video, stream=stream, time_basis="", path="", sha256="")
        found = report_dict(dataclasses.replace(report, video=facts))["video"]
        assert found["stream"] == said
        assert {found[name] for name in ("time_basis", "path", "sha256", "video_id", "shapes")} == {None}


def test_the_totals_are_all_there() -> None:
    report = make_report()
    assert report_dict(report)["totals"] == {
        **{"frames": 100, "frames_damaged": 0, "frames_with_faces": 100, "duration": 4.0, "coverage": 1.0},
        **{"emotion_counts": dict.fromkeys(EXPRESSIONS, 0) | {"happy": 30, "sad": 50, "neutral": 60}},
        **{"certain_counts": dict.fromkeys(EXPRESSIONS, 0) | {"happy": 30, "sad": 50, "neutral": 60}, "unsure": 0.0},
        "shares": {
            name: dataclasses.asdict(share) for name, share in zip(EXPRESSIONS, report.totals.shares, strict=True)
        },
    }
    assert report_dict(no_people())["totals"]["shares"] == {}


def test_reasons_come_in_their_order_and_unknown_ones_after_them() -> None:
    unmeasured = {"zz": 1.0, "not_visible": 2.0, "aa": 3.0, "too_small": 4.0, "turned": 0.0}
    person = dataclasses.replace(make_report().people[0], unmeasured=unmeasured)
    order = ["too_small", "turned", "not_visible", "aa", "zz"]
    assert list(face_statistics(make_report(), person)["unmeasured"].items()) == [(k, unmeasured[k]) for k in order]


def test_the_example_is_the_first_frame_that_was_measured() -> None:
    found = face_statistics(small(), small().people[0])
    assert found["embedding_example"] == dict.fromkeys(EXPRESSIONS, 0.04) | {"sad": 0.76}
    assert found["probabilistic_embeddings_shape"] == [3, 7]


# --- Matrices --------------------------------------------------------------------------------------------------------


def test_usable_rows_are_of_one_person_in_order() -> None:
    assert usable_rows(small().observations, 1).frame.tolist() == [3, 4, 8]
    assert len(usable_rows(small().observations, 2)) == 0
    assert usable_rows(make_report().observations, 2).person.tolist() == [2] * 50


def test_numbers_are_the_shortest_that_name_them() -> None:
    assert shortest(np.float32([[0.1, 1 / 3], [2.0, 16_777_216.0]])) == [[0.1, 0.33333334], [2.0, 16_777_216.0]]
    assert shortest(np.empty((0, 2), np.float32)) == []


def test_the_whole_text_of_a_matrix(tmp_path: Path) -> None:
    written = FORMATS["npy"](small(), tmp_path)
    assert [path.name for path in written] == ["face_1_embeddings.npy", "face_1_embeddings.json"]
    sad, happy = ("0.04, 0.04, 0.04, 0.04, 0.76, 0.04, 0.04", "0.04, 0.04, 0.04, 0.76, 0.04, 0.04, 0.04")
    assert (tmp_path / "face_1_embeddings.json").read_text("utf-8") == (
        f'{{\n  "video_id": "{VIDEO_ID}",\n  "face_id": 1,\n'
        '  "names": ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],\n'
        '  "shape": [3, 7],\n  "frames": [3, 4, 8],\n  "times": [0.12, 0.16, 0.32],\n'
        f'  "vectors": [\n    [{sad}],\n    [{happy}],\n    [{happy}]\n  ]\n}}\n'
    )
    matrix = np.load(tmp_path / "face_1_embeddings.npy")
    assert matrix.dtype == np.float32 and matrix.argmax(axis=1).tolist() == [SAD, HAPPY, HAPPY]


def test_the_whole_text_of_an_empty_matrix(tmp_path: Path) -> None:
    away = report_of(observations(1, [0], [-int(Reason.TURNED)]), video_facts())
    FORMATS["npy"](away, tmp_path)
    text = (tmp_path / "face_1_embeddings.json").read_text("utf-8")
    assert text.endswith('  "shape": [0, 7],\n  "frames": [],\n  "times": [],\n  "vectors": []\n}\n')


@pytest.mark.parametrize("frames", [4096, 4097, 9000])
def test_long_matrices_are_whole(frames: int, tmp_path: Path) -> None:
    labels = [k % 7 for k in range(frames)]
    FORMATS["npy"](report_of(observations(1, range(frames), labels), video_facts(frames=frames)), tmp_path)
    found = json.loads((tmp_path / "face_1_embeddings.json").read_text("utf-8"))
    assert np.argmax(found["vectors"], axis=1).tolist() == labels and found["shape"] == [frames, 7]


# --- Tables ----------------------------------------------------------------------------------------------------------


def test_a_row_of_the_table_field_by_field() -> None:
    rows = observations(2, [3, 5], [SAD, -int(Reason.BLURRED)]).with_columns(
        span=np.array([0.25, np.nan]), quality=np.float32([0.75, np.nan]), score=np.float32([0.5, 1.0])
    )
    rows = rows.with_columns(
        landmarks=np.arange(20, dtype=np.float32).reshape(2, 5, 2), detected=np.array([True, False])
    )
    rows = rows.with_columns(box=np.float32([[1, 2, 3, 4], [5, 6, 7, np.nan]]), track=np.int32([9, 10]))
    first, second = table.to_arrow(report_of(rows, video_facts())).to_pylist()
    names = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
    marks = {f"lm_{name}_{axis}": 2.0 * k + at for k, name in enumerate(names) for at, axis in enumerate("xy")}
    assert first == {
        **{"video": "talk.mp4", "video_id": VIDEO_ID, "frame": 3, "time_s": 0.12, "person": 2, "track": 9},
        **{"x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0, "detection_score": 0.5, "detected": True, "usable": True},
        **{"reason": None, "quality": 0.75, "emotion": "sad", "span_s": 0.25, **marks},
        **{f"p_{name}": pytest.approx(0.76 if name == "sad" else 0.04) for name in EXPRESSIONS},
    }
    assert second == {
        **{"video": "talk.mp4", "video_id": VIDEO_ID, "frame": 5, "time_s": 0.2, "person": 2, "track": 10},
        **{"x": 5.0, "y": 6.0, "w": 7.0, "h": None, "detection_score": 1.0, "detected": False, "usable": False},
        **{"reason": "blurred", "quality": None, "emotion": None, "span_s": None},
        **{name: value + 10 for name, value in marks.items()},
        **{f"p_{name}": None for name in EXPRESSIONS},
    }


def test_every_reason_and_expression_has_its_word_and_comes_back() -> None:
    labels = [*range(7), *(-int(reason) for reason in Reason if reason)]
    report = report_of(observations(1, range(len(labels)), labels), video_facts())
    found = table.to_arrow(report)
    assert found["emotion"].to_pylist() == [*EXPRESSIONS, *[None] * 5]
    assert found["reason"].to_pylist() == [*[None] * 7, "too_small", "blurred", "turned", "cut_off", "lying"]
    back = table.from_arrow(found)
    for field in dataclasses.fields(Observations):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(report.observations, field.name))


def test_formulas_are_taken_out_of_texts_and_of_nothing_else() -> None:
    made = pa.table(
        {
            "plain": pa.array(["=a", None, "b"]),
            "words": pa.DictionaryArray.from_arrays(pa.array([1, 0, None], pa.int8()), ["+c", "d"]),
            "number": pa.array([-1, None, 2]),
        }
    )
    assert table.without_formulas(made).to_pydict() == {
        "plain": ["'=a", None, "b"],
        "words": ["d", "'+c", None],
        "number": [-1, None, 2],
    }
    assert table.without_formulas(made).schema == made.schema


def test_a_column_of_one_text() -> None:
    assert table.constant("a", 2).to_pylist() == ["a", "a"] and table.constant(None, 2).to_pylist() == [None, None]
    assert len(table.constant("a", 0)) == 0


# --- Formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("report.json", "json"),
        ("overall_statistics.json", "json"),
        ("observations.csv", "csv"),
        ("observations.parquet", "parquet"),
        ("report.html", "html"),
        ("expressions.vtt", "vtt"),
        ("annotated.mp4", "mp4"),
        ("face_1_statistics.json", "json"),
        ("face_9_statistics.json", "json"),
        ("face_2_embeddings.npy", "npy"),
        ("face_9_embeddings.json", "npy"),
        ("face_2.jpg", "json"),
        ("face_12.jpg", "json"),
        ("face_1.jpg", None),
        ("face_0_statistics.json", None),
        ("face_01_statistics.json", None),
        ("face_12345678901_statistics.json", None),
        ("face_2_embeddings.csv", None),
        ("face_2.png", None),
        ("notes.txt", None),
        ("report.json.bak", None),
    ],
)
def test_a_file_belongs_to_a_format_by_its_name(name: str, format: str | None) -> None:
    assert format_of(name, [2, 12]) == format


def test_formats_are_chosen_once_each() -> None:
    assert checked(None) == ["json", "csv", "parquet", "npy", "html", "vtt"]
    assert checked("csv") == ["csv"] and checked([]) == []
    assert checked(iter(["vtt", "json", "vtt"])) == ["vtt", "json"]
    with pytest.raises(UsageError) as caught:
        checked(["json", "xml"])
    assert str(caught.value) == ("'xml' is not a format; the formats are json, csv, parquet, npy, html, vtt, mp4.")
    with pytest.raises(UsageError) as caught:
        checked(["json", "mp4"])
    assert str(caught.value) == ("The format 'mp4' needs the source video: use visagram.media.annotate, or --annotate.")
