"""The embedded expression network: a small residual network with squeeze-excitation on 48x48 luma."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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


class Block(nn.Module):
    """Two 3x3 convolutions with a gate and a shortcut (He et al. 2016, doi 10.1109/CVPR.2016.90)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            SqueezeExcitation(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.residual(x) + self.shortcut(x))


class ExpressionNetwork(nn.Module):
    """(n, 1, 48, 48) float32 luma in 0..255 to (n, classes) float32 logits.

    The first convolution works at full resolution with few channels; everything dear happens at 24x24 and below.
    """

    def __init__(
        self, widths: tuple[int, ...], blocks: tuple[int, ...], classes: int = 7, dropout: float = 0.2
    ) -> None:
        super().__init__()
        stem = widths[0] // 2
        layers: list[nn.Module] = [
            nn.Conv2d(1, stem, 3, 1, 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
        ]
        inputs = stem
        for width, count in zip(widths, blocks, strict=True):
            for index in range(count):
                layers.append(Block(inputs, width, 2 if index == 0 else 1))
                inputs = width
        self.standardise = Standardise()
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, luma: Tensor) -> Tensor:
        features = self.features(self.standardise(luma)).mean(dim=(2, 3))
        logits: Tensor = self.head(self.dropout(features))
        return logits
