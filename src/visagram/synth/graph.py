"""A trained generator as one ONNX file: flow, decoder and encoder side by side, each with inputs of its own. Who wants
one of them gives the others nothing, of which they make nothing (see `embedded.Networks`)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visagram.core.geometry import CROP
from visagram.models.quantise import in_half_precision
from visagram.synth.networks import Autoencoder, Flow, Shape
from visagram.synth.sampling import SIDE


class Whole(nn.Module):
    """All networks of a generator. centre, spread: (1, c, 1, 1) of the latents that the flow learned from."""

    def __init__(self, autoencoder: Autoencoder, flow: Flow, centre: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.autoencoder, self.flow = autoencoder, flow
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)

    centre: Tensor
    spread: Tensor

    def forward(
        self, latents: Tensor, times: Tensor, labels: Tensor, codes: Tensor, luma: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The flow's velocity; latents `codes` as luma in about -1..1; luma in -1..1 as latents."""
        drawn = self.autoencoder.decode(codes * self.spread + self.centre)
        encoded = (self.autoencoder.encode(luma)[0] - self.centre) / self.spread
        return self.flow(latents, times, labels), drawn, encoded


def write(whole: Whole, shape: Shape, known: NDArray[np.uint64], path: Path) -> None:
    """Write the networks with weights in half precision, computing in single. known: (n, 6) sketches of the faces that
    were learned from, which are an output that takes no input."""
    from onnx import TensorProto, helper, load, numpy_helper, save

    given = {
        "latents": torch.zeros(2, shape.latents, SIDE, SIDE),
        "times": torch.zeros(2),
        "labels": torch.zeros(2, dtype=torch.int64),
        "codes": torch.zeros(2, shape.latents, SIDE, SIDE),
        "luma": torch.zeros(2, 1, CROP, CROP),
    }
    axes = {"latents": "n", "times": "n", "labels": "n", "velocity": "n"}
    axes |= {"codes": "drawings", "drawn": "drawings", "luma": "faces", "encoded": "faces"}
    with warnings.catch_warnings():
        # The exporter's own deprecation notices; the tracing exporter is the one without further dependencies.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            whole.cpu().eval(),
            tuple(given.values()),
            str(path),
            input_names=list(given),
            output_names=["velocity", "drawn", "encoded"],
            dynamic_axes={name: {0: axis} for name, axis in axes.items()},
            opset_version=17,
            dynamo=False,
        )
    in_half_precision(path, path)
    model = load(str(path))
    model.graph.initializer.append(numpy_helper.from_array(known.view(np.int64), "sketches"))
    model.graph.node.append(helper.make_node("Identity", ["sketches"], ["known"]))
    model.graph.output.append(helper.make_tensor_value_info("known", TensorProto.INT64, list(known.shape)))
    save(model, str(path))
