"""The wheel that a user installs holds everything the program needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "visagram"


def test_the_wheel_holds_the_package_with_its_models_and_its_sample(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
    ]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("visagram-*-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    packed = {name for name in names if name.startswith("visagram/")}
    wanted = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == wanted
    assert {"visagram/data/sample.mp4", "visagram/models/data/visagram-emotion.onnx", "visagram/py.typed"} <= packed
    assert any(name.endswith("/entry_points.txt") for name in names)
    # More than half of it is the generator, which works offline as everything else does.
    assert wheel.stat().st_size < 55e6
