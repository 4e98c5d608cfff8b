"""Models for tests: other people's networks with weights drawn at random, and small ones whose answer is known."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from visagram.core.types import EXPRESSIONS

FACE = 128
"""Side in input pixels of the faces that `export_knowing_retinaface` finds."""
POINTS = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0.05], [-0.15, 0.25], [0.15, 0.25]])
"""Where it finds their landmarks, in units of the box from its middle."""


def export_emotion(path: Path, seed: int = 0) -> Path:
    """DeepFace's own expression network with random weights, as (n, 48, 48, 1) to (n, 7)."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from deepface.models.demography.pytorch.Emotion import EmotionModel

        class ChannelsLast(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = EmotionModel()

            def forward(self, x: Any) -> Any:
                return self.inner(x.permute(0, 3, 1, 2))

        torch.manual_seed(seed)
        model = ChannelsLast()
        # So that the answers differ between faces.
        for name, part in model.named_parameters():
            part.data *= 2.5 if name.endswith("weight") else 0.1
        _export(model, torch.rand(2, 48, 48, 1), path, {0: "n"})
    return path


def export_retinaface(path: Path, seed: int = 0) -> Path:
    """RetinaFace with its ResNet-50 and random weights, (n, h, w, 3) to nine arrays; scores sharpened, so that some are
    above the threshold of 0.9."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from retinaface.model.retinaface_pth_model import RetinaFace

        torch.manual_seed(seed)
        model = RetinaFace()
        _export(model, torch.rand(1, 256, 320, 3), path, {0: "n", 1: "h", 2: "w"})
    return path


def _export(model: Any, example: Any, path: Path, axes: dict[int, str]) -> None:
    import torch

    torch.onnx.export(
        model.eval(), (example,), str(path), input_names=["input"], dynamic_axes={"input": axes}, opset_version=17,
        dynamo=False,
    )  # fmt: skip


def export_knowing_retinaface(path: Path) -> Path:
    """A graph of RetinaFace's signature that finds red squares of 128 input pixels."""
    nodes, outputs = [], []
    constants: dict[str, Any] = {}

    def add(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(name: str, values: Any) -> str:
        constants[name] = numpy_helper.from_array(np.asarray(values, np.float32), name)
        return name

    planes = add("Transpose", ["input"], "planes", perm=[0, 3, 1, 2])
    red = add("Conv", [planes, constant("redness", np.array([1, -1, 0]).reshape(1, 3, 1, 1) / 255)], "red")
    zero = constant("zero", [0.0])
    for stride in (32, 16, 8):
        side = FACE if stride == 16 else stride
        pad = (side - stride) // 2
        mean = add("AveragePool", [red], f"mean{stride}", kernel_shape=[side] * 2, strides=[stride] * 2,
                   pads=[pad] * 4, count_include_pad=1)  # fmt: skip
        # 0 up to half of red, above 0.9 from six sevenths on: anchors are 16 pixels apart.
        gain = 2.6 if stride == 16 else 0.0
        score = add("Clip", [add("Mul", [add("Sub", [mean, constant(f"from{stride}", [0.5])], f"above{stride}"),
                                         constant(f"gain{stride}", [gain])], f"raw{stride}"), "zero", "one"],
                    f"score{stride}")  # fmt: skip
        none = add("Mul", [score, zero], f"none{stride}")
        scores = add("Concat", [none, none, score, none], f"scores{stride}", axis=1)
        boxes = add("Concat", [none] * 8, f"boxes{stride}", axis=1)
        offsets = constant(f"points{stride}", np.tile(POINTS.reshape(-1), 2).reshape(1, 20, 1, 1))
        points = add("Add", [add("Concat", [none] * 20, f"blank{stride}", axis=1), offsets], f"where{stride}")
        for what in (scores, boxes, points):
            outputs.append(add("Transpose", [what], f"out{len(outputs)}", perm=[0, 2, 3, 1]))
    constants["zero"] = numpy_helper.from_array(np.array(0, np.float32), "zero")
    constants["one"] = numpy_helper.from_array(np.array(1, np.float32), "one")
    shape = ["n", None, None, None]
    graph = helper.make_graph(
        nodes,
        "knowing",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        list(constants.values()),
    )
    return _save(graph, path)


def write_linear(
    path: Path,
    *,
    layout: Sequence[int] = (1, 48, 48),
    classes: int = len(EXPRESSIONS),
    labels: Sequence[str] = EXPRESSIONS,
    seed: int = 0,
    gain: float = 0.02,
    **facts: Any,
) -> Path:
    """A linear expression model in ONNX with the card that `visagram train` would write; facts: that differ in it."""
    size = int(np.prod(layout))
    weights = np.random.default_rng(seed).normal(0, gain / size**0.5, (size, classes)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["luma"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])],
        "linear",
        [helper.make_tensor_value_info("luma", TensorProto.FLOAT, ["n", *layout])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(weights, "w")],
    )
    _save(graph, path)
    card = {
        "name": path.stem,
        "task": "expression",
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "labels": list(labels),
        "licence": "MIT",
        "input": {"name": "luma", "layout": ",".join(["n", *map(str, layout)]), "dtype": "float32"},
        "output": [{"name": "logits"}],
        "temperature": 0.8,
    }
    path.with_suffix(".json").write_text(json.dumps(card | facts))
    return path


def _save(graph: Any, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


LABELS = ("anger", "contempt", "happiness", "sadness", "surprise", "fear", "disgust", "neutral")


def write_vit(folder: Path, labels: Sequence[str] = tuple(n for n in LABELS if n != "contempt"), seed: int = 0) -> Path:
    """A tiny vision transformer with random weights, saved as Hugging Face does."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

        torch.manual_seed(seed)
        names = dict(enumerate(labels))
        config = ViTConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32,
            patch_size=8, id2label=names, label2id={name: k for k, name in names.items()}, initializer_range=0.5,
        )  # fmt: skip
        ViTForImageClassification(config).save_pretrained(str(folder))
        ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(str(folder))
    return folder
