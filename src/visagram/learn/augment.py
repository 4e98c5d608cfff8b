"""Faces as video shows them, and blends of them. Every draw comes from one generator on the CPU, so that a run can be
repeated, on any device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from visagram.core.geometry import CROP, TEMPLATE
from visagram.learn.degrade import cover, expose, soften, transmit
from visagram.learn.draws import Draws


@dataclass(frozen=True, slots=True)
class Strength:
    """Ranges and chances of the augmentation.

    frame: 0..1 of the range of turning, scaling, stretching and shifting. landmarks: greatest deviation of the five
    landmarks that align a face, pixels of the crop. light, wear: 0..1, chance and range of exposure, and of noise,
    compression, blur and cover.
    """

    frame: float
    landmarks: float
    light: float
    wear: float

    def times(self, share: float) -> Strength:
        """That share of all ranges and chances."""
        return Strength(self.frame * share, self.landmarks * share, self.light * share, self.wear * share)


STRONG = Strength(frame=1.0, landmarks=1.5, light=1.0, wear=1.0)
CALM = Strength(frame=0.35, landmarks=1.0, light=0.4, wear=0.3)


def augment(luma: Tensor, draws: Draws, strength: Strength) -> Tensor:
    """(n, 1, 48, 48) float32 0..255 to the same.

    In the order of the world: something lies before the face, light falls on it, the sensor adds noise and the codec
    takes detail away; then the crop is aligned by uncertain landmarks, and resampled.
    """
    luma = cover(luma, draws, strength.wear)
    luma = expose(luma, draws, strength.light)
    luma = transmit(luma, draws, strength.wear)
    # Resampling may leave the range by a rounding.
    return soften(reframe(luma, draws, strength), draws, strength.wear).clamp(0, 255)


def reframe(luma: Tensor, draws: Draws, strength: Strength) -> Tensor:
    """Turn, scale, stretch, shift and mirror: what differs between data sets, detectors and looks."""
    n = len(luma)
    angle = strength.frame * draws.uniform(n, -0.3, 0.3)
    # Up to 1.43 times as close: some data sets cut faces from the brows to the chin.
    scale = torch.exp(strength.frame * draws.uniform(n, -0.36, 0.24))
    stretch = torch.exp(strength.frame * draws.uniform(n, -0.08, 0.08))
    turned, shift = landmark_noise(draws.normal((n, len(TEMPLATE), 2)) * draws.uniform(n, 0, strength.landmarks, 2))
    mirrored = draws.chance(n, 0.5)
    theta = luma.new_zeros((n, 2, 3))
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    theta[:, 0, 0], theta[:, 0, 1] = cosine * stretch, -sine
    theta[:, 1, 0], theta[:, 1, 1] = sine, cosine / stretch
    theta[:, :, :2] = turned @ theta[:, :, :2]
    theta[:, :, 0] *= torch.where(mirrored, -1.0, 1.0).view(-1, 1)
    theta[:, :, 2] = strength.frame * draws.uniform(2 * n, -0.2, 0.2).view(n, 2) + shift * (2 / CROP)
    grid = functional.affine_grid(theta, list(luma.shape), align_corners=False)
    # Outside a picture the cropper repeats its edge; data sets have black there.
    padding = "border" if draws.one() < 0.7 else "zeros"
    return functional.grid_sample(luma, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def landmark_noise(noise: Tensor) -> tuple[Tensor, Tensor]:
    """What noise of the landmarks (n, 5, 2), pixels, does to the alignment: (n, 2, 2) linear part around the crop's
    middle and (n, 2) shift in pixels, by the same least squares as `core.geometry.align`."""
    model = torch.from_numpy(TEMPLATE).to(noise) - (CROP - 1) / 2
    centred = model - model.mean(dim=0)
    points = model + noise
    spread = points - points.mean(dim=1, keepdim=True)
    total = centred.square().sum()
    real = (spread * centred).sum(dim=(1, 2)) / total
    imaginary = (spread[..., 1] * centred[:, 0] - spread[..., 0] * centred[:, 1]).sum(dim=1) / total
    linear = torch.stack([torch.stack([real, -imaginary], -1), torch.stack([imaginary, real], -1)], -2)
    return linear, points.mean(dim=1) - linear @ model.mean(dim=0)


def mix(luma: Tensor, targets: list[Tensor], draws: Draws, blend: float, patch: float) -> tuple[Tensor, list[Tensor]]:
    """Blend a share `blend` of the faces with another (mixup, Zhang et al. 2018, arXiv 1710.09412), or give a share
    `patch` a rectangle of another (cutmix, Yun et al. 2019, arXiv 1905.04899). targets: (n, k) each, mixed alike."""
    n = len(luma)
    partner = draws.permutation(n)
    which, weight = draws.uniform(n, 0, 1), draws.uniform(n, 0, 0.5)
    blended, patched = which < blend, which > 1 - patch
    # A rectangle of the face's shape whose area is `weight`.
    half = CROP * weight.sqrt() / 2
    centre = draws.uniform(2 * n, 0, CROP).view(n, 2)
    axis = torch.arange(CROP, device=luma.device)
    inside = (axis - centre[:, :, None]).abs() < half.view(-1, 1, 1)
    mask = (inside[:, 0, :, None] & inside[:, 1, None, :] & patched.view(-1, 1, 1)).unsqueeze(1)
    weight = torch.where(patched, mask.float().mean(dim=(1, 2, 3)), torch.where(blended, weight, 0.0))
    mixed = torch.where(
        mask, luma[partner], torch.lerp(luma, luma[partner], torch.where(blended, weight, 0.0).view(-1, 1, 1, 1))
    )
    return mixed, [torch.lerp(t, t[partner], weight.view(-1, 1).to(t)) for t in targets]
