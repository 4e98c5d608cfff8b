"""Faces from the base install: nothing of the extras is needed, or loaded where it is there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "diffusers", "transformers", "safetensors", "onnx", "accelerate"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT + code, *arguments], capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    began = time.monotonic()
    done = run(
        "from visagram.cli import main; main()",
        *("synth", "generate", "--emotion", "happy", "--count", "16", "--output", str(folder), "--quiet"),
    )
    assert done.returncode == 0, done.stderr
    # About four seconds; ten times as many on a machine that is busy.
    assert time.monotonic() - began < 120
    return folder


def test_the_generator_that_comes_with_visagram_needs_no_extra(faces: Path) -> None:
    records = json.loads((faces / "manifest.json").read_text())["faces"]
    pictures = [cv2.imread(str(faces / record["file"]), cv2.IMREAD_GRAYSCALE) for record in records]
    assert len(pictures) == 16 and {picture.shape for picture in pictures} == {(48, 48)}
    assert len({picture.tobytes() for picture in pictures}) == 16
    assert min(picture.std() for picture in pictures) > 10


def test_they_are_judged_and_reviewed_without_it_too(faces: Path) -> None:
    done = run("from visagram.cli import main; main()", "synth", "review", str(faces))
    assert done.returncode == 0 and "review.html" in done.stdout, done.stderr


def test_one_face_from_the_library(tmp_path: Path) -> None:
    done = run(
        "from visagram.synth import generate_face; generate_face('happiness', seed=7).save(sys.argv[1])",
        str(tmp_path / "happy.png"),
    )
    assert done.returncode == 0, done.stderr
    assert np.ptp(cv2.imread(str(tmp_path / "happy.png"))) > 100


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["synth", "train", "--data", "x", "--output", "y"], "train"),
        (["improve", "--data", "x", "--second", "y", "--output", "z"], "train"),
        (["synth", "generate", "--emotion", "sad", "--generator", "diffusers:a/b", "--output", "y"], "generate"),
    ],
    ids=["train", "improve", "diffusers"],
)
def test_what_needs_an_extra_names_it(arguments: list[str], extra: str, tmp_path: Path) -> None:
    hidden = f"import visagram.models.catalog as c; c.EXTRAS[{extra!r}] = ('no_such_package',)\n"
    done = run(hidden + "from visagram.cli import main; main()", *arguments)
    assert done.returncode == 2 and f"visagram[{extra}]" in done.stderr.replace("\n", " "), done.stderr


def test_the_shipped_networks_draw_what_pytorch_drew_of_the_same_noise() -> None:
    """`tests/kept/visagram-diffusion.npz`: noise and labels, and what PyTorch and the scheduler of diffusers made of it
    with the trained weights, guidance 1.75 and 16 steps."""
    from visagram.synth.embedded import Networks, embedded_card
    from visagram.synth.sampling import flow_back

    kept = np.load(Path(__file__).parents[1] / "kept" / "visagram-diffusion.npz")
    networks = Networks(embedded_card(), threads=1)
    drawn = networks.drawn(flow_back(networks.velocity, kept["noise"], kept["labels"], 1.75, 16))
    assert np.abs(drawn.astype(int) - kept["images"]).max() <= 1
