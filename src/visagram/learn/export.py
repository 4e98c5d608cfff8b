"""A trained network as an ONNX file with its card."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from visagram import __version__
from visagram.core.types import EXPRESSIONS
from visagram.files import replace_file
from visagram.learn.data import Faces48
from visagram.learn.network import ExpressionNetwork

MODEL = "visagram-emotion"


def export(
    network: ExpressionNetwork, recipe: Any, *, faces: int, held_out: Faces48, history: Sequence[Any], folder: Path
) -> Path:
    """Write `visagram-emotion.onnx` and its card into `folder`; returns the ONNX file's path."""
    from visagram.learn.train import predict

    judged = held_out.select(held_out.majority)
    logits = predict(network, judged.luma)
    temperature = fit_temperature(logits, judged.labels)
    network = network.cpu().eval()
    path = folder / f"{MODEL}.onnx"
    with replace_file(path) as partial, warnings.catch_warnings():
        # The exporter's own deprecation notices; the tracing exporter is the one without further dependencies.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, 1, 48, 48),),
            str(partial),
            input_names=["luma"],
            output_names=["logits"],
            dynamic_axes={"luma": {0: "faces"}, "logits": {0: "faces"}},
            opset_version=17,
            dynamo=False,
        )
    content = path.read_bytes()
    card = {
        "name": MODEL,
        "version": __version__,
        "task": "expression",
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "licence": "MIT",
        "trained_on": "FER2013 faces (Goodfellow et al. 2013) with FER+ votes (Barsoum et al. 2016), "
        f"{faces} faces with soft labels",
        "labels": list(EXPRESSIONS),
        "input": {
            "name": "luma",
            "layout": "n,1,48,48",
            "dtype": "float32",
            "range": "0 to 255, full-range luma",
            "framing": "aligned by five landmarks onto eyes (15,19) (33,19), nose (24,29), mouth (17,38) (31,38)",
        },
        "output": [{"name": "logits", "meaning": "one logit per label; posterior = softmax(logits / temperature)"}],
        "temperature": round(temperature, 4),
        "metrics": metrics(softmax64(logits / temperature), judged),
        "recipe": dataclasses.asdict(recipe),
        "history": [dataclasses.asdict(epoch) for epoch in history],
        "intended_use": "Apparent facial expression in video, for research and review by people. Not what a person "
        "feels, and not a ground for decisions about a person.",
        "limits": "Learned from web photographs labelled by crowd workers. Weak on disgust and fear, on dark, turned "
        "or covered faces, on children and on drawings.",
    }
    with replace_file(folder / f"{MODEL}.json") as partial:
        partial.write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", "utf-8")
    return path


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature of least cross-entropy with the labels (Guo et al. 2017, arXiv 1706.04599), from a fine grid."""
    grid = np.exp(np.linspace(np.log(0.2), np.log(3), 200))
    chosen = np.arange(len(labels)), labels
    losses = [-np.log(softmax64(logits / t)[chosen] + 1e-12).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def softmax64(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Rows to probabilities in double precision."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def metrics(posteriors: NDArray[np.float64], judged: Faces48) -> dict[str, Any]:
    """Figures on the validation faces where one expression has more than half of all votes."""
    guesses, labels = posteriors.argmax(axis=1), judged.labels
    hits = guesses == labels
    recalls = {
        name: round(float(hits[labels == k].mean()), 4) for k, name in enumerate(EXPRESSIONS) if (labels == k).any()
    }
    return {
        "split": "FER+ validation, 7 classes, faces where one has more than half of all votes",
        "faces": len(judged),
        "accuracy": round(float(hits.mean()), 4),
        "macro_recall": round(float(np.mean(list(recalls.values()))), 4),
        "recall": recalls,
        "ece_15": round(expected_calibration_error(posteriors, labels), 4),
    }


def expected_calibration_error(posteriors: NDArray[np.float64], labels: NDArray[np.int64], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence (Naeini et al. 2015)."""
    confidence, hits = posteriors.max(axis=1), posteriors.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(hits[which == b].mean() - confidence[which == b].mean()) * (which == b).mean() for b in np.unique(which)
    ]
    return float(np.sum(gaps))
