"""The embedded face embedding as a PyTorch network that can be fine-tuned to expressions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, ModelError
from visagram.learn.network import Standardise
from visagram.learn.recipes import Recipe
from visagram.models.card import EMBEDDING, file_hash, read_card

WIDTHS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Output channels and stride of each separable block (MobileNet, Howard et al. 2017, arXiv 1704.04861)."""
STEM = 32
CONTRAST = 64.0
"""Grey levels that a standard deviation becomes: about that of the photographs the embedding was trained on."""


class Faceres(nn.Module):
    """(n, 1, 48, 48) float32 luma in 0..255 to (n, 7) float32 logits, by way of the embedding's 1024 features.

    The batch normalisations are those that the file holds, folded into the convolutions: for fine-tuning they would be
    frozen anyway. The three colours of a grey face are one channel, and the mean of the photographs is its zero.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.side = recipe.side
        self.standardise = Standardise()
        layers: list[nn.Module] = [_Same(1, STEM, 3, 2)]
        inputs = STEM
        for outputs, stride in WIDTHS:
            layers += [_Same(inputs, inputs, 3, stride, inputs), _Same(inputs, outputs, 1)]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        for parameter in self.features[: recipe.frozen].parameters():
            parameter.requires_grad_(False)
        # The features are small and of uneven size: without this the head would learn slowly.
        self.even = nn.BatchNorm1d(inputs)
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = nn.Linear(inputs, len(EXPRESSIONS))
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, luma: Tensor) -> Tensor:
        size = (self.side, self.side)
        large = functional.interpolate(self.standardise(luma), size, mode="bilinear", align_corners=False)
        logits: Tensor = self.head(self.dropout(self.even(self.embed(large * CONTRAST))))
        return logits

    def embed(self, photographs: Tensor) -> Tensor:
        """(n, 1, h, w) grey levels around their mean to (n, 1024) pooled features."""
        features: Tensor = self.features(photographs).mean(dim=(2, 3))
        return features


class _Same(nn.Module):
    """A convolution padded as TensorFlow does (odd pixels at the bottom right), clipped to 0..6.

    A depthwise one with stride 2 is computed as every second pixel of the evenly padded one: a step backwards through
    an unevenly padded one costs PyTorch two to eight times as much.
    """

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.stride, self.thinned = stride, stride == 2 and groups > 1
        padding = 0 if stride == 2 and not self.thinned else side // 2
        self.conv = nn.Conv2d(inputs, outputs, side, 1 if self.thinned else stride, padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.thinned:
            return functional.relu6(self.conv(x)[:, :, 1::2, 1::2])
        padded = functional.pad(x, (0, 1, 0, 1)) if self.stride == 2 else x
        return functional.relu6(self.conv(padded), inplace=True)


def load_pretrained(network: Faceres) -> None:
    """Put the weights of the package's embedding into `network`.

    Raises `DataError` where they do not fit and `ModelError` for a damaged file.
    """
    import onnx
    from onnx import numpy_helper

    card = read_card(EMBEDDING)
    path = card.file
    if file_hash(path) != card.sha256:
        raise ModelError(f"The model file {path} does not match its card: {card.remedy}.")
    graph = onnx.load(str(path)).graph
    held = {i.name: torch.from_numpy(numpy_helper.to_array(i).astype("float32")) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in held:
            held[node.output[0]] = held[node.input[0]]
    targets = iter(m.conv for m in network.features if isinstance(m, _Same))
    current: nn.Conv2d | None = None
    for node in graph.node:
        constants = [held[name] for name in node.input if name in held]
        if node.op_type == "Conv":
            current = next(targets)
            weight = constants[0].sum(dim=1, keepdim=True) if constants[0].shape[1] == 3 else constants[0]
            if current.weight.shape != weight.shape or current.bias is None:
                raise DataError(f"{path} is not the embedding that this version fine-tunes.")
            current.weight.data.copy_(weight)
            current.bias.data.copy_(constants[1] if len(constants) > 1 else torch.zeros(len(weight)))
        elif current is not None and current.bias is not None and node.op_type in ("Mul", "Add") and constants:
            # The normalisation of the convolution before, as a factor and a summand per channel.
            values = constants[0].flatten()
            if node.op_type == "Mul":
                current.weight.data.mul_(values.view(-1, 1, 1, 1))
                current.bias.data.mul_(values)
            else:
                current.bias.data.add_(values)
