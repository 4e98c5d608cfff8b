"""The last layer of a trained network, fitted anew on the features below it.

Crowd votes on everyday photographs say "neutral" where an older single label, or an actor's intention, says anger or
fear, and most everyday faces are neutral or happy. A network that learned both answers posed and selected faces with a
certain "neutral". Its features still tell those faces apart: the last layer alone, with other labels and a flatter
prior, carries over to them without costing the others much.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from visagram.core.types import Progress
from visagram.learn.data import Faces48
from visagram.learn.recipes import Recipe
from visagram.learn.views import WEIGHTS, views

BATCH = 256
STEPS = 80


def refit(network: nn.Module, faces: Faces48, recipe: Recipe, progress: Progress) -> None:
    """Replace the weights of `network.head` by those of least cross-entropy with the labels, over several views of each
    face (`views.py`), `recipe.lean` of the prior's logarithm added to the logits (logit adjustment, Menon et al. 2021,
    arXiv 2007.07314)."""
    head = network.head
    assert isinstance(head, nn.Linear)
    wanted = torch.from_numpy(faces.targets(recipe.first)).double()
    seen = [features(network, luma, progress) for luma in views(faces.luma, recipe.seed)]
    given = torch.from_numpy(np.concatenate(seen)).double()
    centre, spread = given.mean(dim=0), given.std(dim=0) + 1e-3
    weight, bias = fitted((given - centre) / spread, wanted, lean=recipe.lean, decay=recipe.decay)
    with torch.no_grad():
        head.weight.copy_((weight / spread[:, None]).T)
        head.bias.copy_(bias - (centre / spread) @ weight)


def fitted(given: Tensor, wanted: Tensor, *, lean: float, decay: float) -> tuple[Tensor, Tensor]:
    """Weights (d, 7) and summands (7,) for features of even size and soft labels (n, 7). given: (n, d), or (k * n, d):
    each of the first k views of all faces after the other, which count as `WEIGHTS` says."""
    counts = torch.tensor(WEIGHTS[: len(given) // len(wanted)]).to(given).repeat_interleave(len(wanted))
    counts /= counts.sum()
    labels = wanted.repeat(len(given) // len(wanted), 1)
    weight = given.new_zeros((given.shape[1], wanted.shape[1]), requires_grad=True)
    bias = given.new_zeros(wanted.shape[1], requires_grad=True)
    shift = lean * wanted.mean(dim=0).clamp(min=1e-6).log()
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, history_size=10, line_search_fn="strong_wolfe", tolerance_change=1e-10
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        each = functional.cross_entropy(given @ weight + bias + shift, labels, reduction="none")
        found = each @ counts + decay * weight.square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


@torch.no_grad()
def features(network: nn.Module, luma: NDArray[np.uint8], progress: Progress) -> NDArray[np.float32]:
    """(n, 48, 48) faces to what reaches the last layer, (n, d)."""
    network.eval()
    head, device = network.head, next(network.parameters()).device
    assert isinstance(head, nn.Linear)
    found: list[NDArray[np.float32]] = []
    hook = head.register_forward_pre_hook(lambda _, given: found.append(given[0].float().cpu().numpy()))
    try:
        for start in range(0, len(luma), BATCH):
            part = torch.from_numpy(np.ascontiguousarray(luma[start : start + BATCH])).unsqueeze(1)
            network(part.to(device).float().contiguous(memory_format=torch.channels_last))
            progress("refit", min(start + BATCH, len(luma)), len(luma))
    finally:
        hook.remove()
    return np.concatenate(found)
