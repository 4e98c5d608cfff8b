"""What light, lenses, sensors and codecs do to a face; all on (n, 1, 48, 48) float32 in 0..255."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from visagram.core.geometry import CROP
from visagram.learn.draws import Draws

BLOCK = 8
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""JPEG's example table for luminance (ITU-T T.81, table K.1)."""


def cover(luma: Tensor, draws: Draws, strength: float) -> Tensor:
    """A hand, hair or a microphone: a rectangle of one shade, or a band along the lower or upper edge."""
    n = len(luma)
    applies, band = draws.chance(n, 0.35 * strength), draws.chance(n, 0.25)
    side = draws.uniform(2 * n, 6, 20).view(n, 2)
    centre = draws.uniform(2 * n, 0, CROP).view(n, 2)
    edge = torch.where(draws.chance(n, 0.7), float(CROP), 0.0)
    centre = torch.where(band.view(-1, 1), torch.stack([edge, centre[:, 1]], -1), centre)
    side = torch.where(band.view(-1, 1), torch.stack([1.5 * side[:, 0], side[:, 1] + CROP], -1), side)
    axis = torch.arange(CROP, device=luma.device)
    inside = (axis - centre[:, :, None]).abs() * 2 < side[:, :, None]
    mask = inside[:, 0, :, None] & inside[:, 1, None, :] & applies.view(-1, 1, 1)
    return torch.where(mask.unsqueeze(1), draws.uniform(n, 0, 255, 3), luma)


def occlude(luma: Tensor, draws: Draws) -> Tensor:
    """Every face behind something: a mask over nose and mouth, a hand or a cup over a part of it, dark glasses, or a
    bar across it; of one shade with a slope of light and the grain of cloth or skin. Places are those of the template,
    give or take some pixels."""
    n = len(luma)
    axis = torch.arange(CROP, device=luma.device, dtype=luma.dtype)
    across, down = axis.view(1, 1, CROP), axis.view(1, CROP, 1)
    # A mask is open downwards and hangs lower at the sides.
    middle, top, bend = draws.uniform(n, 21, 27, 2), draws.uniform(n, 22, 31, 2), draws.uniform(n, 0, 0.02, 2)
    mask = (down > top + bend * (across - middle).square()) & ((across - middle).abs() < draws.uniform(n, 15, 24, 2))
    turn, wide, high = draws.uniform(n, 0, math.pi, 2), draws.uniform(n, 8, 16, 2), draws.uniform(n, 5, 10, 2)
    right, below = across - draws.uniform(n, 10, 38, 2), down - draws.uniform(n, 18, 42, 2)
    along = (right * turn.cos() + below * turn.sin()) / wide
    hand = along.square() + ((below * turn.cos() - right * turn.sin()) / high).square() < 1
    glasses = ((down - draws.uniform(n, 13, 17, 2)).abs() < draws.uniform(n, 3, 6, 2)) & (
        (across - middle).abs() < draws.uniform(n, 13, 20, 2)
    )
    bar = (along * wide).abs() < draws.uniform(n, 3, 9, 2)
    kind = draws.uniform(n, 0, 1, 2)
    hidden = torch.where(kind < 0.45, mask, torch.where(kind < 0.8, hand, torch.where(kind < 0.9, glasses, bar)))
    shade = draws.uniform(n, 10, 245, 2) * (kind < 0.8) + draws.uniform(n, 0, 60, 2) * (kind >= 0.8)
    slope = draws.uniform(n, -1.2, 1.2, 2) * (across - CROP / 2) + draws.uniform(n, -1.2, 1.2, 2) * (down - CROP / 2)
    cloth = shade + slope + draws.uniform(n, 0, 8, 2) * draws.normal((n, CROP, CROP))
    return torch.where(hidden.unsqueeze(1), cloth.unsqueeze(1).clamp(0, 255), luma)


def expose(luma: Tensor, draws: Draws, strength: float) -> Tensor:
    """Gamma, gain, and light from one side: a linear ramp of up to half the range across the face."""
    n = len(luma)
    gamma = torch.exp(strength * draws.uniform(n, -0.5, 0.5, 3))
    gain = 1 + strength * (draws.uniform(n, 0.5, 1.3, 3) - 1)
    slope = strength * draws.uniform(2 * n, -0.25, 0.25).view(n, 2, 1, 1)
    axis = torch.linspace(-1, 1, CROP, device=luma.device)
    ramp = 1 + slope[:, :1] * axis.view(1, 1, 1, CROP) + slope[:, 1:] * axis.view(1, 1, CROP, 1)
    return (255 * (luma / 255).clamp(0, 1).pow(gamma) * gain * ramp).clamp(0, 255)


def transmit(luma: Tensor, draws: Draws, strength: float) -> Tensor:
    """A dim sensor's noise, then block compression, each on some of the faces."""
    n = len(luma)
    luma = _on_some(luma, draws.chance(n, 0.3 * strength), draws, _dim)
    return _on_some(luma, draws.chance(n, 0.25 * strength), draws, _compress)


def soften(luma: Tensor, draws: Draws, strength: float) -> Tensor:
    """Defocus and motion, or a face that was enlarged from fewer pixels, on some of the faces."""
    n = len(luma)
    luma = _on_some(luma, draws.chance(n, 0.2 * strength), draws, _blur)
    return _on_some(luma, draws.chance(n, 0.15 * strength), draws, _enlarge)


def _on_some(luma: Tensor, chosen: Tensor, draws: Draws, change: object) -> Tensor:
    some = chosen.nonzero().flatten()
    if not len(some):
        return luma
    changed: Tensor = change(luma[some], draws)  # type: ignore[operator]
    return luma.index_copy(0, some, changed)


def _dim(luma: Tensor, draws: Draws) -> Tensor:
    """Shot and read noise of a scene with a share of the light, brightened again by the camera."""
    n = len(luma)
    share = torch.exp(draws.uniform(n, math.log(0.25), 0, 3))
    sigma = (draws.uniform(n, 0.2, 0.8, 3) * luma / share).clamp(min=0).sqrt() + draws.uniform(n, 0, 0.5, 3) / share
    # Most cameras brighten only in part.
    shown = luma * share.pow(draws.uniform(n, 0, 0.5, 3))
    return (shown + sigma * draws.normal(luma.shape)).clamp(0, 255).round()


def _compress(luma: Tensor, draws: Draws) -> Tensor:
    return compress(luma, draws.uniform(len(luma), 12, 80))


def compress(luma: Tensor, quality: Tensor) -> Tensor:
    """As JPEG of that quality (n,), 1..100, would leave it: 8x8 cosine transform, quantisation, and back."""
    n, cells = len(luma), CROP // BLOCK
    basis = cosine_basis().to(luma)
    table = torch.tensor(LUMINANCE, dtype=luma.dtype, device=luma.device)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50).view(n, 1, 1, 1, 1)
    steps = (table * factor).round().clamp(1, 255)
    blocks = (luma - 128).view(n, cells, BLOCK, cells, BLOCK).transpose(2, 3)
    waves = basis @ blocks @ basis.T
    restored = basis.T @ ((waves / steps).round() * steps) @ basis
    return (restored.transpose(2, 3).reshape(n, 1, CROP, CROP) + 128).clamp(0, 255)


def cosine_basis() -> Tensor:
    """(8, 8) orthonormal DCT-II."""
    at = torch.arange(BLOCK, dtype=torch.float64)
    basis = torch.cos(math.pi / BLOCK * (at + 0.5) * at.view(-1, 1)) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis.float()


def _blur(luma: Tensor, draws: Draws) -> Tensor:
    """A Gaussian with its own width along each axis (motion is mostly along one), at most 1.4 pixels."""
    n = len(luma)
    at = torch.arange(-4, 5, device=luma.device, dtype=luma.dtype)
    planes = luma.view(1, n, CROP, CROP)
    for axis in (0, 1):
        kernel = torch.exp(-0.5 * (at / draws.uniform(n, 0.2, 1.4, 1)).square())
        kernel = kernel / kernel.sum(dim=1, keepdim=True)
        shape, pad = ((n, 1, 9, 1), (0, 0, 4, 4)) if axis else ((n, 1, 1, 9), (4, 4, 0, 0))
        planes = functional.conv2d(functional.pad(planes, pad, mode="replicate"), kernel.view(shape), groups=n)
    return planes.view(n, 1, CROP, CROP)


def _enlarge(luma: Tensor, draws: Draws) -> Tensor:
    """As from a picture in which the face has 20 to 36 pixels; one size for all of them."""
    side = int(draws.uniform(1, 20, 37)[0])
    small = functional.interpolate(luma, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
    return functional.interpolate(small, size=(CROP, CROP), mode="bilinear", align_corners=False)
