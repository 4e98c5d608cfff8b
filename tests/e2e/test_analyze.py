"""The main job on the sample clip, through the command line and as a library, the way people use both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

import visagram
from visagram.cli import SAMPLE
from visagram.core.types import EXPRESSIONS
from visagram.settings import Settings

COMMAND = str(Path(sys.executable).with_name("visagram"))


def run(*arguments: str | Path, cwd: Path | None = None, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(argument) for argument in arguments]
    return subprocess.run(command, cwd=cwd, input=text, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    done = run(COMMAND, "analyze", SAMPLE, "--output", folder)
    assert done.returncode == 0, done.stderr
    assert "Person 1" in done.stdout
    assert "apparent expression" in done.stdout
    return folder / "sample"


def test_the_default_files_are_all_there_and_nothing_else(result: Path) -> None:
    assert sorted(path.name for path in result.iterdir()) == [
        "expressions.vtt",
        "face_1.jpg",
        "face_1_embeddings.json",
        "face_1_embeddings.npy",
        "face_1_statistics.json",
        "observations.csv",
        "observations.parquet",
        "overall_statistics.json",
        "report.html",
        "report.json",
    ]


def test_the_man_of_the_sample_is_one_person_seen_in_every_frame(result: Path) -> None:
    overall = json.loads((result / "overall_statistics.json").read_text())
    assert overall["total_frames_processed"] == 765
    assert overall["total_faces_detected"] == 1
    assert overall["faces"] == [1]
    table = pyarrow.parquet.read_table(result / "observations.parquet")
    assert table["frame"].to_pylist() == list(range(765))
    assert table["time_s"].to_numpy() == pytest.approx(np.arange(765) / 25)


def test_the_numbers_of_all_files_agree(result: Path) -> None:
    face = json.loads((result / "face_1_statistics.json").read_text())
    vectors = np.load(result / "face_1_embeddings.npy", allow_pickle=False)
    assert face["probabilistic_embeddings_shape"] == list(vectors.shape)
    assert vectors.dtype == np.float32
    assert vectors.sum(axis=1) == pytest.approx(1, abs=1e-5)
    counts = np.bincount(vectors.argmax(axis=1), minlength=7)
    assert face["emotion_counts"] == dict(zip(EXPRESSIONS, counts.tolist(), strict=True))
    assert face["most_common_emotion"] == EXPRESSIONS[counts.argmax()]
    below = np.array(visagram.open_report(result).unsure_below)[vectors.argmax(axis=1)]
    certain = np.bincount(vectors[vectors.max(axis=1) >= below].argmax(axis=1), minlength=7)
    assert face["certain_counts"] == dict(zip(EXPRESSIONS, certain.tolist(), strict=True))
    assert face["unsure"] == pytest.approx((vectors.max(axis=1) < below).sum() / 25)
    means = dict(zip(EXPRESSIONS, vectors.mean(axis=0).tolist(), strict=True))
    assert face["average_confidences"] == pytest.approx(means, abs=1e-6)


def test_json_goes_to_standard_output_alone_and_writes_no_file(tmp_path: Path, result: Path) -> None:
    done = run(COMMAND, "analyze", SAMPLE, "--json", cwd=tmp_path)
    assert done.stdout == (result / "report.json").read_text()
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_only_the_chosen_formats_are_written(tmp_path: Path) -> None:
    done = run(COMMAND, "analyze", SAMPLE, "-o", tmp_path, "-f", "csv", "-f", "vtt", "--end", "2", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(p.name for p in (tmp_path / "sample").iterdir()) == ["expressions.vtt", "observations.csv"]


UNGUARDED = """
import visagram
report = visagram.analyze({path!r}, visagram.Settings(end=1))
print(len(report.people))
"""


def test_analyze_works_from_a_script_without_a_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED.format(path=str(SAMPLE)))
    assert run(sys.executable, script).stdout == "1\n"


def test_analyze_works_where_there_is_no_script_as_in_a_notebook() -> None:
    assert run(sys.executable, "-", text=UNGUARDED.format(path=str(SAMPLE))).stdout == "1\n"


def test_observations_can_be_watched_as_they_come() -> None:
    calls: list[tuple[str, int, int]] = []
    analysis = visagram.Analysis(SAMPLE, Settings(end=3), lambda *call: calls.append(call))
    rounds = list(analysis)
    assert len(rounds) > 1
    assert sum(map(len, rounds)) == 75
    assert [(s, d) for s, d, _ in calls if s == "analyse"][-1] == ("analyse", 75)
    report = analysis.report()
    assert len(report.observations) == 75
    assert len(report.to_pandas()) == 75
    assert "Person 1" in repr(report)
    assert "<table" in report._repr_html_()
    assert len(report.figure().data) > 0


def test_a_range_and_a_rate_choose_the_frames() -> None:
    report = visagram.analyze(SAMPLE, Settings(start=10, end=12, sample_fps=5))
    times = report.observations.time
    assert times == pytest.approx(np.arange(10, 12, 0.2))
    assert report.totals.duration == pytest.approx(2)
    assert report.people[0].measured + sum(report.people[0].unmeasured.values()) == pytest.approx(2)


def test_smoothing_changes_the_drawing_and_no_number(tmp_path: Path) -> None:
    for name, more in (("plain", ()), ("smooth", ("--smooth", "1.5"))):
        done = run(COMMAND, "analyze", SAMPLE, "-o", tmp_path / name, "--end", "3", *more)
        assert done.returncode == 0, done.stderr
    plain, smooth = tmp_path / "plain" / "sample", tmp_path / "smooth" / "sample"
    different = {path.name for path in plain.iterdir() if path.read_bytes() != (smooth / path.name).read_bytes()}
    assert different == {"report.json", "report.html"}
    reports = [visagram.open_report(folder) for folder in (plain, smooth)]
    assert reports[0].people == reports[1].people and reports[0].totals == reports[1].totals
    assert (reports[0].settings["smooth"], reports[1].settings["smooth"]) == (0.0, 1.5)
    assert reports[1].figure() != reports[0].figure() == reports[1].figure(smooth=0.0)


def test_a_region_without_a_face_shows_nobody() -> None:
    corner = visagram.analyze(SAMPLE, Settings(end=1, region=(0, 0, 90, 60)))
    assert corner.people == ()
    assert any("No face" in warning.message for warning in corner.warnings)
    around = visagram.analyze(SAMPLE, Settings(end=1, region=(100, 20, 250, 270)))
    assert len(around.people) == 1


def test_a_saved_report_can_be_opened_again(result: Path) -> None:
    again = visagram.open_report(result)
    assert [p.id for p in again.people] == [1]
    assert len(again.observations) == 765
