"""Rare expressions are drawn more often than they come, and the posteriors know of it.

Drawing by label changes what the votes say about a face: the network would learn posteriors of a world in which fear is
common, and say "fear" too often and too surely. Adding `shift`, the logarithm of how much each expression's share
grew, to the logits in the loss on votes gives that back (logit adjustment, Menon et al. 2021, arXiv 2007.07314): the
plain logits then belong to the world as it is, while rare faces still had their say in the features. With `compensate`
below 1 some of the shift stays in the posteriors: recall of rare expressions rises, accuracy and calibration on data as
it comes fall; what temperature or vector scaling cannot mend of that shows in the card's ECE. A teacher's posteriors
are of a face, not of the draw, so the loss against them takes no shift.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visagram.learn.draws import Draws

MOST = 5.0
"""No face is drawn more often than this many times the average."""


def face_weights(targets: Tensor, rare: float) -> Tensor:
    """(n,) float64 how often each face is drawn, 1 on average. targets: (n, 7) soft labels. rare: 0..1, see
    `Recipe`."""
    votes = targets.double()
    shares = votes.mean(dim=0).clamp(min=1e-6)
    weights = (votes * shares.pow(-rare)).sum(dim=1)
    for _ in range(20):
        weights = (weights / weights.mean()).clamp(max=MOST)
    return weights / weights.mean()


def prior_shift(targets: Tensor, weights: Tensor, real: int | None = None) -> Tensor:
    """(7,) float32 logarithm of how much the draw raises each expression's share among the first `real` faces, None
    for all: generated ones behind them are part of the draw and not of the world."""
    votes = targets.double()
    drawn = (votes * weights.view(-1, 1)).sum(dim=0) / weights.sum()
    return (drawn.clamp(min=1e-9) / votes[:real].mean(dim=0).clamp(min=1e-9)).log().float()


def order(weights: Tensor, draws: Draws) -> Tensor:
    """(n,) int64 indices for one epoch: each face as often as its weight, rounded up or down (systematic resampling),
    in random order."""
    n = len(weights)
    mixed = draws.permutation(n).cpu()
    edges = weights[mixed].double().cumsum(0)
    at = (torch.arange(n, dtype=torch.float64) + draws.one()) * (edges[-1] / n)
    chosen = torch.searchsorted(edges, at, right=True).clamp(max=n - 1)
    return mixed[chosen][draws.permutation(n).cpu()]
