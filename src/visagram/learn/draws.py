"""Random draws that do not depend on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Draws:
    """One stream of draws, made on the CPU and handed out on `device`. The seeds (whole numbers) decide it."""

    def __init__(self, *seeds: int, device: torch.device | str = "cpu") -> None:
        mixed = 0
        for seed in seeds:
            # Odd multiplier of a linear congruential generator: neighbouring seeds end far apart.
            mixed = (mixed + seed + 1) * 6364136223846793005 % (1 << 63)
        self._generator = torch.Generator().manual_seed(mixed)
        self.device = torch.device(device)

    def uniform(self, n: int, low: float, high: float, further: int = 0) -> Tensor:
        """(n,) float32, with `further` axes of length one."""
        values = torch.rand(n, generator=self._generator) * (high - low) + low
        return values.view(n, *[1] * further).to(self.device)

    def normal(self, shape: Sequence[int]) -> Tensor:
        return torch.randn(*shape, generator=self._generator).to(self.device)

    def chance(self, n: int, probability: float) -> Tensor:
        """(n,) bool."""
        return (torch.rand(n, generator=self._generator) < probability).to(self.device)

    def permutation(self, n: int) -> Tensor:
        return torch.randperm(n, generator=self._generator).to(self.device)

    def one(self) -> float:
        return float(torch.rand(1, generator=self._generator))
