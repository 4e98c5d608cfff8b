"""Exit statuses are those of the table in docs/cli.md: a mistake in the call is 2, at once, whatever the videos are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from command import Outcome, content, environment, visagram
from media_factory import sample_frames, write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", sample_frames(3, 320, 240))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--emotion", "nonsense"),
        ("--detector", "nonsense"),
        ("--emotion", "hf:"),
        ("--emotion", "onnx:missing.onnx"),
        ("--frame-interval", "0"),
        ("--stream", "-1"),
        ("--region", "1,2,3"),
    ],
    ids=" ".join,
)
def test_a_mistake_in_the_call_is_said_once_for_all_videos(
    arguments: tuple[str, ...], clip: Path, tmp_path: Path
) -> None:
    outcome = visagram("analyze", clip, clip, tmp_path / "missing.mp4", "-o", tmp_path / "out", *arguments)
    outcome.refused("usage", 2)
    assert content(tmp_path / "out") == []


@pytest.mark.parametrize(("name", "value"), [("emotion", "nonsense"), ("sede", "1"), ("seed", "often")])
def test_a_mistake_in_the_environment_is_one_too(name: str, value: str, clip: Path, tmp_path: Path) -> None:
    visagram("analyze", clip, "-o", tmp_path / "out", **{name: value}).refused("usage", 2)
    visagram("serve", "--data", tmp_path / "data", "--port", "0", **{name: value}).refused("usage", 2)


WITHOUT = """
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
sys.argv = ["visagram", *sys.argv[2:]]
from visagram.cli import main
main()
"""
"""The command line where some libraries are not installed."""


@pytest.mark.parametrize(
    ("absent", "arguments"),
    [
        ("deepface", ("--emotion", "deepface")),
        ("retinaface", ("--detector", "deepface-retinaface")),
        ("transformers", ("--emotion", "hf:somebody/something")),
    ],
)
def test_a_missing_extra_is_said_once_for_all_videos(
    absent: str, arguments: tuple[str, ...], clip: Path, tmp_path: Path
) -> None:
    call = ["analyze", clip, clip, "-o", tmp_path / "out", *arguments]
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT, absent, *map(str, call)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    Outcome(done.returncode, done.stdout, done.stderr).refused("missing_extra", 2)
    assert "pip install 'visagram[" in done.stderr and absent in done.stderr
    assert content(tmp_path / "out") == []


def test_a_range_that_no_video_has_is_a_mistake_in_the_call(clip: Path, tmp_path: Path) -> None:
    visagram("analyze", clip, "--start", "99", "-o", tmp_path / "out").refused("usage", 2)


def test_other_statuses_depend_on_how_many_videos_failed(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("Dear diary")
    outcome = visagram("analyze", tmp_path / "text.mp4", clip, "--start", "99", "-o", tmp_path / "out")
    assert (outcome.status, outcome.codes) == (3, ["not_a_video", "usage"])
    outcome = visagram("analyze", tmp_path / "text.mp4", clip, "-q", "-o", tmp_path / "out")
    assert (outcome.status, outcome.codes) == (1, ["not_a_video"])
