"""A trained network as an ONNX file with its card."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visagram import __version__
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.files import replace_file
from visagram.learn.balance import face_weights, prior_shift
from visagram.learn.card import cost_of_rounding, judge
from visagram.learn.data import Faces48
from visagram.learn.network import folded
from visagram.learn.origin import Origin
from visagram.learn.predict import predict
from visagram.learn.recipes import Recipe
from visagram.learn.words import sentences
from visagram.models.card import EMOTION
from visagram.models.catalog import read_card
from visagram.models.emotion import OnnxClassifier
from visagram.models.quantise import in_eight_bits, in_half_precision

MODEL = "visagram-emotion"
RANGED = 512
"""About as many faces give the ranges of activations in 8 bits."""
TIMED = 40
"""Runs of which the fastest counts."""


def export(
    network: nn.Module,
    recipe: Recipe,
    *,
    origin: Origin,
    faces: Faces48,
    held_out: Faces48,
    history: Sequence[Any],
    folder: Path,
    fitted: Faces48 | None = None,
) -> Path:
    """Write `visagram-emotion.onnx` and its card into `folder`; returns the ONNX file's path.

    origin: where that comes from. faces: what it was trained on. held_out: what it is judged on. fitted: what its last
    layer was fitted to, where that is more than the faces.
    """
    # Whoever looks into the folder finds both files whole, or those of before.
    with TemporaryDirectory() as draft:
        card = _written(network, recipe, faces, Path(draft)) | origin.facts(len(faces))
        classifier = OnnxClassifier(read_card(MODEL, Path(draft)), threads=1)
        # A last layer is fitted to the generated faces, too; a whole network ends on real ones.
        card["prior"] = stated_prior(recipe, fitted if recipe.refit and fitted is not None else faces)
        card |= judge(classifier.logits, faces, held_out, origin.split(recipe.fold))
        if recipe.eight_bits:
            card["eight_bits"] = cost_of_rounding(lambda luma: predict(network, luma), classifier.logits, held_out)
        card |= sentences(np.array(card["confusion"]), ferplus=origin.ferplus)
        card |= {
            "recipe": dataclasses.asdict(recipe),
            "history": [dataclasses.asdict(epoch) for epoch in history],
            "speed": speed(classifier),
        }
        _write_card(card, Path(draft))
        for name in (f"{MODEL}.onnx", f"{MODEL}.json"):
            with replace_file(folder / name) as partial:
                shutil.copyfile(Path(draft) / name, partial)
    return folder / f"{MODEL}.onnx"


def stated_prior(recipe: Recipe, faces: Faces48) -> dict[str, float]:
    """The shares of the expressions under which the posteriors hold: those of the labels, as far as neither the recipe
    leans towards an even prior nor a part of the draw stayed in."""
    wanted = torch.from_numpy(faces.targets(recipe.first))
    logs = (1 - recipe.lean) * wanted.mean(dim=0).clamp(min=1e-6).log()
    if not recipe.refit:
        logs += (1 - recipe.compensate) * prior_shift(wanted, face_weights(wanted, recipe.rare))
    shares = logs.double().softmax(dim=0).tolist()
    return {name: round(share, 6) for name, share in zip(EXPRESSIONS, shares, strict=True)}


def _written(network: nn.Module, recipe: Recipe, faces: Faces48, folder: Path) -> dict[str, Any]:
    """Write the network's file into `folder`, and a card that says what it is but not yet how good."""
    path = folder / f"{MODEL}.onnx"
    write_onnx(folded(network), path)
    if recipe.eight_bits:
        seen = faces.luma[:: max(1, len(faces) // RANGED), None].astype(np.float32)
        in_eight_bits(path, seen, path)
    elif recipe.half_weights:
        in_half_precision(path, path)
    content = path.read_bytes()
    card: dict[str, Any] = {
        "name": MODEL,
        "version": __version__,
        "task": "expression",
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "labels": list(EXPRESSIONS),
        "input": {
            "name": "luma",
            "layout": f"n,1,{CROP},{CROP}",
            "dtype": "float32",
            "range": "0 to 255, full-range luma",
            "framing": "aligned by five landmarks onto eyes (15,19) (33,19), nose (24,29), mouth (17,38) (31,38)",
        },
        "output": [
            {
                "name": "logits",
                "meaning": "one logit per label; posterior = softmax(scale * logits / temperature + bias), with scale "
                "and bias of the calibration",
            }
        ],
    }
    if recipe.architecture == "committee":
        card["quick"] = EMOTION
    _write_card(card, folder)
    return card


def write_onnx(network: nn.Module, path: Path) -> None:
    """A network on the CPU, in evaluation mode, as ONNX: `luma` (n, 1, 48, 48) to `logits` (n, 7)."""
    to_onnx(network, {"luma": torch.zeros(2, 1, CROP, CROP)}, "logits", path)


def to_onnx(network: nn.Module, example: dict[str, Tensor], output: str, path: Path) -> None:
    """A network that takes any number of faces. example: what it takes, by name and in its order."""
    with warnings.catch_warnings():
        # The exporter's own deprecation notices; the tracing exporter is the one without further dependencies.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            tuple(example.values()),
            str(path),
            input_names=list(example),
            output_names=[output],
            dynamic_axes={name: {0: "faces"} for name in (*example, output)},
            opset_version=17,
            dynamo=False,
        )


def speed(classifier: OnnxClassifier) -> dict[str, Any]:
    """Milliseconds a face with one thread on this machine, alone and in a batch of 16; the fastest of `TIMED` runs."""
    found: dict[str, Any] = {"threads": 1, "note": "fastest run on the machine that trained"}
    for name, count in (("one_face_ms", 1), ("face_of_16_ms", 16)):
        crops = np.zeros((count, CROP, CROP), np.uint8)
        found[name] = round(min(_seconds(classifier, crops) for _ in range(TIMED)) * 1e3 / count, 3)
    return found


def _seconds(classifier: OnnxClassifier, crops: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    classifier.classify(crops)
    return time.perf_counter() - started


def _write_card(card: dict[str, Any], folder: Path) -> None:
    with replace_file(folder / f"{MODEL}.json") as partial:
        partial.write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", "utf-8")
