"""A result names the file that it is of: where it lay, and by its content."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import jsonschema
import pytest

import media_factory as media
from command import result, visagram
from visagram.analysis import Analysis, analyze
from visagram.cli import SAMPLE
from visagram.export.json import schema
from visagram.settings import Settings

SHORT = Settings(end=0.4, processes=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.write_clip(tmp_path_factory.mktemp("clips") / "talk.mp4", media.numbered(96, 64, 20))


def test_a_report_names_path_and_content(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip.parent)
    report = analyze(clip.name, SHORT)
    sha256 = hashlib.sha256(clip.read_bytes()).hexdigest()
    assert (report.video.path, report.video.sha256, report.video_id) == (str(clip), sha256, sha256[:16])
    assert [warning.code for warning in report.warnings] == ["no_face"]


def test_two_files_of_one_name_are_told_apart_in_every_file(tmp_path: Path) -> None:
    for folder, count in (("a", 10), ("b", 11)):
        (tmp_path / folder).mkdir()
        path = media.write_clip(tmp_path / folder / "talk.mp4", media.sample_frames(count))
        analyze(path, Settings(processes=1)).save(tmp_path / "out" / folder, ["json", "csv", "npy"])
    named = []
    for folder in ("a", "b"):
        written = tmp_path / "out" / folder
        report = result(written)
        jsonschema.Draft202012Validator(schema("report")).validate(report)
        assert report["video"]["path"] == str(tmp_path / folder / "talk.mp4")
        ids = {report["video"]["video_id"], *(row["video_id"] for row in _rows(written))}
        ids |= {json.loads(path.read_text("utf-8"))["video_id"] for path in written.glob("*_*.json")}
        named.append(ids)
    assert [len(ids) for ids in named] == [1, 1] and named[0] != named[1]


def test_a_file_that_changes_while_it_is_analysed_is_said_to_have(tmp_path: Path) -> None:
    path = Path(shutil.copy(SAMPLE, tmp_path / "growing.mp4"))
    analysis = Analysis(path, SHORT)
    for number, _ in enumerate(analysis):
        if not number:
            with path.open("ab") as file:
                file.write(b"and more")
    report = analysis.report()
    assert [warning.code for warning in report.warnings] == ["file_changed"]
    assert (report.video.sha256, report.video_id) == ("", None)
    assert "Warning: The file changed while it was analysed" in report.summary()


def test_a_file_that_is_no_video_is_not_hashed_first(tmp_path: Path) -> None:
    """What cannot be analysed is refused as soon as that is known, however large it is."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(1 << 38)
    outcome = visagram("analyze", path, processes=1)
    assert outcome.status == 3 and outcome.codes


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "observations.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
