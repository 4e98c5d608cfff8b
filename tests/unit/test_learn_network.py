"""Networks: what is shipped computes what learned, and the embedding that a teacher starts from is the package's."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from visagram.learn.build import build
from visagram.learn.calibrate import softmax64
from visagram.learn.export import write_onnx
from visagram.learn.faceres import CONTRAST, Faceres, load_pretrained
from visagram.learn.network import ExpressionNetwork, Rep, folded
from visagram.learn.predict import predict
from visagram.learn.recipes import RECIPES, Recipe, Stage
from visagram.models.catalog import EMBEDDING, read_card
from visagram.models.quantise import in_eight_bits

MOST_BYTES = 8 << 20
MIXED = Recipe(
    stem=8, stages=(Stage("rep", 8, 2, 1), Stage("residual", 16, 1, 2, True), Stage("inverted", 16, 2, 2, True))
)


def _lived_in(network):
    """Give every normalisation statistics and weights as if it had learned, so that folding has something to fold."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.5, generator=generator)
            module.running_var.uniform_(0.3, 2, generator=generator)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            torch.nn.init.normal_(module.bias, 0, 0.3, generator=generator)
    return network.eval()


def _luma(count):
    return np.random.default_rng(count).integers(0, 256, (count, 48, 48)).astype(np.uint8)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("outputs", [8, 12])
def test_a_folded_block_computes_what_its_branches_computed(stride, outputs):
    block = _lived_in(Rep(8, outputs, stride))
    assert (block.same is None) == (stride == 2 or outputs != 8)
    x = torch.randn(3, 8, 10, 10, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(block.fold()(x), block(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("recipe", [MIXED, RECIPES["small"], RECIPES["tiny"]])
def test_a_folded_network_computes_what_learned_and_leaves_it_as_it_was(recipe):
    torch.manual_seed(0)
    network = _lived_in(ExpressionNetwork(recipe))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    shipped = folded(network)
    assert not any(isinstance(module, Rep) for module in shipped.modules())
    np.testing.assert_allclose(predict(shipped, _luma(4)), predict(network, _luma(4)), rtol=1e-3, atol=1e-3)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("count", [1, 2, 17])
def test_the_onnx_file_computes_what_learned(tmp_path, count):
    torch.manual_seed(0)
    network = _lived_in(ExpressionNetwork(MIXED))
    write_onnx(folded(network), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"luma": _luma(count)[:, None].astype(np.float32)})
    np.testing.assert_allclose(logits, predict(network, _luma(count)), rtol=1e-3, atol=1e-3)


def test_in_eight_bits_weights_keep_to_seven_and_the_first_convolution_stays_exact(tmp_path):
    torch.manual_seed(0)
    write_onnx(folded(_lived_in(ExpressionNetwork(MIXED))), tmp_path / "exact.onnx")
    in_eight_bits(tmp_path / "exact.onnx", _luma(70)[:, None].astype(np.float32), tmp_path / "rounded.onnx")
    graph = onnx.load(tmp_path / "rounded.onnx").graph
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    rounded = [value for value in values.values() if value.dtype == np.int8 and value.ndim == 4]
    assert len(rounded) > 5
    assert max(np.abs(value.astype(int)).max() for value in rounded) <= 64
    first = next(node for node in graph.node if node.op_type == "Conv")
    assert values[first.input[1]].dtype == np.float32
    luma, answers = _luma(40)[:, None].astype(np.float32), []
    for name in ("exact", "rounded"):
        session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"])
        answers.append(session.run(["logits"], {"luma": luma})[0])
    assert 0 < np.abs(answers[0] - answers[1]).mean() < 0.1 * answers[0].std()


def test_the_embedded_network_fits_its_file(tmp_path):
    """Also before it is in 8-bit integers."""
    write_onnx(folded(ExpressionNetwork(RECIPES["small"])), tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").stat().st_size < MOST_BYTES


def test_the_teacher_starts_from_the_embedding_that_ships():
    network = Faceres(RECIPES["teacher"])
    load_pretrained(network)
    grey = torch.nn.functional.interpolate(
        torch.randn(2, 1, 14, 14, generator=torch.Generator().manual_seed(0)) * 50, size=(224, 224), mode="bicubic"
    )
    colours = grey.permute(0, 2, 3, 1) + torch.tensor([103.939, 116.779, 123.68])
    session = onnxruntime.InferenceSession(read_card(EMBEDDING).file, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"input": colours.numpy()})
    with torch.no_grad():
        found = network.eval().embed(grey).numpy()
    assert wanted.std() > 0.05
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_the_teacher_leaves_its_first_layers_alone_and_learns_the_others():
    recipe = dataclasses.replace(RECIPES["teacher"], side=64, frozen=3)
    network = build(recipe, pretrained=True)
    network(torch.from_numpy(_luma(2)).unsqueeze(1).float()).square().mean().backward()
    learns = [parameter.grad is not None for parameter in network.features.parameters()]
    assert learns == [False] * 6 + [True] * (len(learns) - 6)
    assert CONTRAST > 0


def test_exposure_hardly_matters_to_any_architecture():
    torch.manual_seed(0)
    luma = _luma(8) // 2 + 60
    darker = (luma * 0.7).astype(np.uint8)
    for recipe in (MIXED, dataclasses.replace(RECIPES["teacher"], side=64)):
        network = build(recipe, pretrained=True)
        before, after = (softmax64(predict(network, faces)) for faces in (luma, darker))
        assert np.abs(before - after).max() < 0.1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_memory_stays_with_the_process_between_steps():
    """The steps of a training touch fresh pages only at first."""
    code = """
import resource, sys, torch
from visagram.learn.machine import keep_memory
if sys.argv[1] == "keep":
    keep_memory()
network = torch.nn.Sequential(*[torch.nn.Conv2d(16, 16, 1) for _ in range(4)])
x = torch.rand(64, 16, 96, 96)
def step():
    network(x).square().mean().backward()
step(), step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step(), step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = {
        how: int(subprocess.run([sys.executable, "-c", code, how], check=True, capture_output=True, text=True).stdout)
        for how in ("keep", "plain")
    }
    assert faults["keep"] < faults["plain"] / 10
