"""Expression networks on 48x48 luma, built from stages of small blocks."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from visagram.core.types import EXPRESSIONS
from visagram.learn.recipes import Recipe

CONTRAST_FLOOR = 8.0
"""Grey levels added to a face's standard deviation, so that a flat patch is not blown up into noise."""


class Standardise(nn.Module):
    """Each face to zero mean and unit deviation, so that exposure and contrast do not matter."""

    def forward(self, luma: Tensor) -> Tensor:
        mean = luma.mean(dim=(1, 2, 3), keepdim=True)
        centred = luma - mean
        deviation = centred.pow(2).mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return centred / (deviation + CONTRAST_FLOOR)


class SqueezeExcitation(nn.Module):
    """Channel attention (Hu et al. 2018, doi 10.1109/CVPR.2018.00745)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean(dim=(2, 3), keepdim=True)
        gate: Tensor = self.excite(torch.relu(self.squeeze(pooled))).sigmoid()
        return x * gate


class Convolution(nn.Module):
    """A convolution with batch normalisation."""

    def __init__(self, inputs: int, outputs: int, side: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x))
        return y


class Rep(nn.Module):
    """A 3x3 convolution that learns with a 1x1 and an identity branch beside it (RepVGG, Ding et al. 2021,
    arXiv 2101.03697). `fold` makes one plain convolution of the three: what is shipped is faster than what learned."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.wide = Convolution(inputs, outputs, 3, stride)
        self.point = Convolution(inputs, outputs, 1, stride)
        self.same = nn.BatchNorm2d(inputs) if stride == 1 and inputs == outputs else None

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.wide(x) + self.point(x)
        return total if self.same is None else total + self.same(x)

    def fold(self) -> nn.Conv2d:
        """The same map, with the running statistics of the batch normalisations, as one convolution."""
        wide = self.wide.conv.weight.detach()
        branches = [(wide, self.wide.norm), (_centred(self.point.conv.weight.detach()), self.point.norm)]
        if self.same is not None:
            branches.append((_centred(torch.eye(wide.shape[1]).to(wide)[:, :, None, None]), self.same))
        kernel, bias = torch.zeros_like(wide), torch.zeros_like(wide[:, 0, 0, 0])
        for weight, norm in branches:
            mean, variance = norm.running_mean, norm.running_var
            assert mean is not None
            assert variance is not None
            gain = norm.weight.detach() / (variance + norm.eps).sqrt()
            kernel += weight * gain.view(-1, 1, 1, 1)
            bias += norm.bias.detach() - mean * gain
        folded = nn.Conv2d(wide.shape[1], wide.shape[0], 3, self.stride, 1).to(wide)
        folded.load_state_dict({"weight": kernel, "bias": bias})
        return folded


def _centred(weight: Tensor) -> Tensor:
    """A 1x1 kernel as a 3x3 one."""
    return functional.pad(weight, (1, 1, 1, 1))


class Residual(nn.Module):
    """Two 3x3 convolutions, perhaps with a gate, and a shortcut (He et al. 2016, doi 10.1109/CVPR.2016.90)."""

    def __init__(self, inputs: int, outputs: int, stride: int, gate: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            Convolution(inputs, outputs, 3, stride),
            nn.ReLU(inplace=True),
            Convolution(outputs, outputs),
            SqueezeExcitation(outputs) if gate else nn.Identity(),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, Convolution(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.residual(x) + self.shortcut(x)
        return total


class Inverted(nn.Module):
    """Widen, a 3x3 convolution per channel, narrow (MobileNetV2, Sandler et al. 2018, arXiv 1801.04381)."""

    def __init__(self, inputs: int, outputs: int, stride: int, gate: bool, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        self.residual = nn.Sequential(
            Convolution(inputs, hidden, 1),
            nn.ReLU(inplace=True),
            Convolution(hidden, hidden, 3, stride, hidden),
            nn.ReLU(inplace=True),
            Convolution(hidden, outputs, 1),
            SqueezeExcitation(outputs) if gate else nn.Identity(),
        )
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.residual(x)
        return x + y if self.skips else y


class ExpressionNetwork(nn.Module):
    """(n, 1, 48, 48) float32 luma in 0..255 to (n, 7) float32 logits."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        inputs = recipe.stem
        layers: list[nn.Module] = [Convolution(1, inputs, 3, recipe.stem_stride), nn.ReLU(inplace=True)]
        for kind, width, blocks, first, gate in recipe.stages:
            for stride in (first, *[1] * (blocks - 1)):
                layers += [_block(kind, inputs, width, stride, gate, recipe.expand), nn.ReLU(inplace=True)]
                inputs = width
        self.standardise = Standardise()
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = nn.Linear(inputs, len(EXPRESSIONS))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, luma: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.embed(luma)))
        return logits

    def embed(self, luma: Tensor) -> Tensor:
        """(n, d) features below the last layer."""
        features: Tensor = self.features(self.standardise(luma)).mean(dim=(2, 3))
        return features


def _block(kind: str, inputs: int, width: int, stride: int, gate: bool, expand: int) -> nn.Module:
    match kind:
        case "rep":
            return Rep(inputs, width, stride)
        case "residual":
            return Residual(inputs, width, stride, gate)
        case "inverted":
            return Inverted(inputs, width, stride, gate, expand)
    raise ValueError(f"no such block: {kind}")


def folded(network: nn.Module) -> nn.Module:
    """A copy for inference: evaluation mode, on the CPU, every `Rep` block one convolution."""
    copied = copy.deepcopy(network).cpu().eval()
    for module in list(copied.modules()):
        for name, child in module.named_children():
            if isinstance(child, Rep):
                setattr(module, name, child.fold())
    return copied
