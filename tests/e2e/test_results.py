"""Results of one name: the command line keeps them apart, renews what is the same, and says where it put what."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from command import command, content, environment, result, unprivileged, visagram
from media_factory import sample_frames, write_clip
from visagram.cli import SAMPLE


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three videos called talk.mp4: the third has the content of the first."""
    folder = tmp_path_factory.mktemp("talks")
    for name in "abc":
        (folder / name).mkdir()
    first = write_clip(folder / "a" / "talk.mp4", sample_frames(8, 320, 240), options={"preset": "ultrafast"})
    other = folder / "b" / "talk.mp4"
    other.write_bytes(first.read_bytes() + struct.pack(">I4sI", 12, b"free", 1))
    return [first, other, Path(shutil.copy(first, folder / "c" / "talk.mp4"))]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in content(folder) if (folder / name).is_file()}


def folders(out: Path) -> list[str]:
    """Names of the result folders; nothing else may lie among them."""
    assert all(entry.is_dir() and not entry.name.startswith(".") for entry in out.iterdir())
    return sorted(entry.name for entry in out.iterdir())


def analyse(*arguments: object, out: Path) -> str:
    """What the command says on its good way to an end."""
    outcome = visagram("analyze", *arguments, "-o", out)
    assert (outcome.status, outcome.codes) == (0, []), outcome.err
    return outcome.err


def hash_of(folder: Path) -> str:
    return str(result(folder)["video"]["sha256"])


def test_a_later_call_does_not_replace_another_video_of_that_name(talks: list[Path], tmp_path: Path) -> None:
    assert analyse(talks[0], out=tmp_path) == f"Results in {tmp_path}/talk/\n"
    first = snapshot(tmp_path / "talk")
    said = analyse(talks[1], out=tmp_path)
    own = f"talk-{hash_of(tmp_path / folders(tmp_path)[1])[:6]}"
    assert said == (
        f"Results in {tmp_path}/{own}/, because {tmp_path}/talk holds the result of another video "
        "(--overwrite replaces it).\n"
    )
    assert folders(tmp_path) == ["talk", own]
    assert snapshot(tmp_path / "talk") == first
    assert hash_of(tmp_path / "talk") != hash_of(tmp_path / own)
    # Each call finds its folder again, wherever the video lies by now.
    analyse(talks[1], talks[2], out=tmp_path)
    assert folders(tmp_path) == ["talk", own]
    assert result(tmp_path / "talk")["video"]["path"] == str(talks[2])


def test_two_videos_of_one_name_in_one_call_get_a_folder_each(talks: list[Path], tmp_path: Path) -> None:
    analyse(*talks, "-f", "json", out=tmp_path)
    names = folders(tmp_path)
    assert len(names) == 2 and names[0] == "talk" and re.fullmatch("talk-[0-9a-f]{6}", names[1])
    analyse(*talks, "-f", "json", "--overwrite", out=tmp_path / "again")
    assert folders(tmp_path / "again") == names, "what a call has written it does not overwrite"


def test_one_format_is_never_put_beside_a_report_of_other_settings(talks: list[Path], tmp_path: Path) -> None:
    """Else observations.csv would end at 0.1 s beside a report.json of everything, or the other way round."""
    analyse(talks[0], out=tmp_path / "report first")
    before = snapshot(tmp_path / "report first" / "talk")
    analyse(talks[0], "--end", "0.1", "-f", "csv", out=tmp_path / "report first")
    assert snapshot(tmp_path / "report first" / "talk") == before
    analyse(talks[0], "--end", "0.1", "-f", "csv", out=tmp_path / "table first")
    analyse(talks[0], "-f", "json", out=tmp_path / "table first")
    assert content(tmp_path / "table first" / "talk") == ["observations.csv"]
    assert len(folders(tmp_path / "table first")) == len(folders(tmp_path / "report first")) == 2


def test_overwriting_puts_the_result_into_the_plain_folder(talks: list[Path], tmp_path: Path) -> None:
    analyse(talks[0], "--annotate", out=tmp_path)
    (tmp_path / "talk" / "notes.txt").write_text("mine")
    assert analyse(talks[1], "-f", "csv", "--overwrite", "-q", out=tmp_path) == ""
    assert folders(tmp_path) == ["talk"]
    assert content(tmp_path / "talk") == ["notes.txt", "observations.csv"]


def test_a_quiet_call_still_says_that_it_is_another_folder(talks: list[Path], tmp_path: Path) -> None:
    outcomes = [visagram("analyze", video, "-q", "--json", "-o", tmp_path) for video in talks[:2]]
    assert [outcome.status for outcome in outcomes] == [0, 0]
    assert outcomes[0].err == ""
    said = outcomes[1].err
    assert said.startswith(f"Results in {tmp_path}/talk-") and len(said.splitlines()) == 1
    reports = [json.loads(outcome.out) for outcome in outcomes]
    assert [result(tmp_path / name) for name in folders(tmp_path)] == reports


def test_a_result_of_an_earlier_version_stays_what_it_is(tmp_path: Path) -> None:
    """It does not say which content it is of; name, size and length prove nothing."""
    kept = Path(__file__).parent.parent / "kept" / "0.1.0" / "result"
    shutil.copytree(kept, tmp_path / "sample")
    before = snapshot(tmp_path / "sample")
    said = analyse(SAMPLE, "--end", "0.2", "-f", "json", out=tmp_path)
    assert "holds a result of an earlier version, which does not say which content it is of" in said
    assert snapshot(tmp_path / "sample") == before
    assert re.fullmatch("sample-[0-9a-f]{6}-end0.2-[0-9a-f]{6}", folders(tmp_path)[1])


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_a_folder_that_may_not_be_read_is_somebodys(talks: list[Path], tmp_path: Path) -> None:
    (tmp_path / "talk").mkdir(mode=0)
    try:
        outcome = visagram("analyze", talks[0], "-f", "json", "-o", tmp_path, prefix=unprivileged())
    finally:
        (tmp_path / "talk").chmod(0o700)
    assert (outcome.status, outcome.codes) == (0, [])
    assert "talk cannot be read (--overwrite replaces it)" in outcome.err
    assert content(tmp_path / "talk") == [] and len(folders(tmp_path)) == 2


def test_the_annotated_video_stays_with_its_result(talks: list[Path], tmp_path: Path) -> None:
    for _ in range(2):
        analyse(talks[0], "-f", "csv", "--annotate", out=tmp_path)
        assert folders(tmp_path) == ["talk"]
        assert content(tmp_path / "talk") == ["annotated.mp4", "observations.csv"]


def test_an_annotated_video_is_renewed_with_its_result(talks: list[Path], tmp_path: Path) -> None:
    analyse(talks[0], "--annotate", out=tmp_path)
    folder = tmp_path / "talk"
    before = snapshot(folder)
    # As an older model may have left it: the same video, the same settings, other numbers.
    for name in ("observations.csv", "annotated.mp4", "report.html"):
        (folder / name).write_bytes(b"what another model saw")
    report = json.loads(before["report.json"])
    report["models"][0]["version"] = "0"
    (folder / "report.json").write_text(json.dumps(report))
    analyse(talks[0], "-f", "vtt", out=tmp_path)
    assert snapshot(folder) == before


def test_processes_at_the_same_time_do_not_mix(talks: list[Path], tmp_path: Path) -> None:
    calls = [(talks[0],), (talks[1],), (talks[0], "--end", "0.2"), (talks[2],)]
    running = [
        subprocess.Popen(
            command("analyze", *call, "-o", tmp_path, "-q", "--processes", "1"),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for call in calls
    ]
    for process in running:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
    found = {}
    for name in folders(tmp_path):
        report = result(tmp_path / name)
        rows = pyarrow.parquet.read_table(tmp_path / name / "observations.parquet")
        frames = 8 if report["settings"]["end"] is None else 5
        assert report["totals"]["frames"] == frames and len(set(rows["frame"].to_pylist())) == frames
        assert set(rows["video_id"].to_pylist()) == {report["video"]["sha256"][:16]}
        assert not [entry for entry in content(tmp_path / name) if entry.startswith(".")]
        found[report["video"]["sha256"], report["settings"]["end"]] = name
    assert len(found) == len(folders(tmp_path)) == 3
