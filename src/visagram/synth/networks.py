"""The networks of the embedded generator: faces to latents and back, and the flow between noise and latents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from visagram.synth.sampling import NOBODY, SIDE

WAVES = 64
"""Frequencies by which the flow is told the time."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the networks are. latents: channels of the 6x6 latents. widths: of the autoencoder at 24, 12 and 6
    pixels. width, hidden, layers: of the flow; told: of what it knows of time and label; dropout: inside its blocks."""

    latents: int = 8
    widths: tuple[int, int, int] = (48, 96, 160)
    width: int = 576
    hidden: int = 1152
    layers: int = 6
    told: int = 128
    dropout: float = 0.15

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Shape:
        """From a card or a checkpoint. Raises `TypeError` and `KeyError`."""
        return cls(**{**facts, "widths": tuple(facts["widths"])})


class Residual(nn.Module):
    """Two 3x3 convolutions whose sum starts as nothing (Zhang et al. 2019, arXiv 1901.09321): no normalisation, which
    at small batches costs more than it gives."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        _silence(self.second)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(functional.silu(self.first(functional.silu(x))))
        return x + y


class Autoencoder(nn.Module):
    """(n, 1, 48, 48) luma in -1..1 to (n, latents, 6, 6) and back, by a variational autoencoder (Kingma & Welling 2014,
    arXiv 1312.6114)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        fine, middle, coarse = shape.widths
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4, fine, 3, padding=1),
            Residual(fine),
            nn.Conv2d(fine, middle, 3, 2, 1),
            Residual(middle),
            Residual(middle),
            nn.Conv2d(middle, coarse, 3, 2, 1),
            Residual(coarse),
            Residual(coarse),
            nn.SiLU(),
            nn.Conv2d(coarse, 2 * shape.latents, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(shape.latents, coarse, 3, padding=1),
            Residual(coarse),
            Residual(coarse),
            nn.Conv2d(coarse, 4 * middle, 1),
            nn.PixelShuffle(2),
            Residual(middle),
            Residual(middle),
            nn.Conv2d(middle, 4 * fine, 1),
            nn.PixelShuffle(2),
            Residual(fine),
            Residual(fine),
            nn.SiLU(),
            nn.Conv2d(fine, 4, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def encode(self, luma: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the latents."""
        mean, log_variance = self.encoder(luma).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)

    def decode(self, latents: Tensor) -> Tensor:
        luma: Tensor = self.decoder(latents)
        return luma


class Discriminator(nn.Module):
    """Which patches of a face are real (Isola et al. 2017, arXiv 1611.07004), with spectral normalisation."""

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 96)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        layers: list[nn.Module] = []
        for inputs, outputs, side, stride in ((1, fine, 4, 2), (fine, middle, 4, 2), (middle, coarse, 3, 1)):
            layers += [_normed(nn.Conv2d(inputs, outputs, side, stride, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, _normed(nn.Conv2d(coarse, 1, 3, 1, 1)))

    def forward(self, luma: Tensor) -> Tensor:
        score: Tensor = self.layers(luma)
        return score


def _silence(layer: nn.Module) -> None:
    """Have a layer begin as zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _normed(layer: nn.Module) -> nn.Module:
    normed: nn.Module = nn.utils.parametrizations.spectral_norm(layer)
    return normed


class Flow(nn.Module):
    """The velocity of the flow: latents (n, c, 6, 6), time (n,) in 0..1 and labels (n,), of which `NOBODY` means none,
    to (n, c, 6, 6).

    All latents of a face as one vector, through residual blocks that time and label modulate (Peebles & Xie 2023, arXiv
    2212.09748). The faces are aligned, so that each place has a meaning of its own, which an attention or a convolution
    over 36 places would first have to find out, at several times the cost.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        size, width, told = shape.latents * SIDE * SIDE, shape.width, shape.told
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, -math.log(1000), WAVES)), persistent=False)
        self.time = nn.Sequential(nn.Linear(2 * WAVES, told), nn.SiLU(), nn.Linear(told, told))
        self.label = nn.Embedding(NOBODY + 1, told)
        self.first = nn.Linear(size, width)
        self.blocks = nn.ModuleList(Modulated(width, shape.hidden, told, shape.dropout) for _ in range(shape.layers))
        self.last = nn.Linear(width, size)
        _silence(self.last)

    frequencies: Tensor

    def forward(self, latents: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        angles = 1000 * time[:, None] * self.frequencies
        told = functional.silu(self.time(torch.cat([angles.cos(), angles.sin()], dim=1)) + self.label(labels))
        x = self.first(latents.flatten(1))
        for block in self.blocks:
            x = block(x, told)
        velocity: Tensor = self.last(functional.layer_norm(x, [self.last.in_features]))
        return velocity.view(-1, *latents.shape[1:])


class Modulated(nn.Module):
    """Two layers beside a shortcut; what is told shifts and scales what goes in and gates what comes out."""

    def __init__(self, width: int, hidden: int, told: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.modulation = nn.Linear(told, 3 * width)
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width))
        _silence(self.modulation)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift, gate = self.modulation(told).chunk(3, dim=1)
        y: Tensor = x + gate * self.layers(functional.layer_norm(x, [self.width]) * (1 + scale) + shift)
        return y


@torch.no_grad()
def blend(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move a running average of weights towards the network's."""
    for ours, theirs in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if ours.is_floating_point():
            ours.lerp_(theirs, 1 - keep)
        else:
            ours.copy_(theirs)
