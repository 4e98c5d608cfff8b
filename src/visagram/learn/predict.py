"""What a network says about faces."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from visagram.core.types import EXPRESSIONS, Progress


@torch.no_grad()
def predict(
    network: nn.Module, luma: NDArray[np.uint8], batch: int = 128, progress: Progress | None = None
) -> NDArray[np.float32]:
    """(n, 48, 48) uint8 faces to (n, 7) float32 logits."""
    network.eval()
    device = next(network.parameters()).device
    parts = [np.empty((0, len(EXPRESSIONS)), np.float32)]
    for start in range(0, len(luma), batch):
        faces = torch.from_numpy(np.ascontiguousarray(luma[start : start + batch])).unsqueeze(1).to(device)
        faces = faces.float().contiguous(memory_format=torch.channels_last)
        parts.append(network(faces).float().cpu().numpy())
        if progress is not None:
            progress("teach", start + len(faces), len(luma))
    return np.concatenate(parts)
