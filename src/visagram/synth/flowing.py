"""The second phase: the way from noise to latents, for each expression and for none."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from visagram.core.geometry import CROP
from visagram.evaluate.duplicates import Prints, clusters
from visagram.learn import balance
from visagram.learn.data import Faces48
from visagram.learn.draws import Draws
from visagram.learn.machine import has_bfloat16
from visagram.synth.checkpoint import FLOW, Checkpoint
from visagram.synth.learning import (
    CHOICE,
    DROPPED,
    LABEL,
    MIRROR,
    NOISE,
    TIME,
    VARIANT,
    Learning,
    descend_by,
    falling,
    scaled,
)
from visagram.synth.networks import Autoencoder, Flow, blend
from visagram.synth.recipes import Recipe
from visagram.synth.sampling import NOBODY

CHUNK = 256


class Flowing(Learning):
    """Learns the straight way from noise to latents (Lipman et al. 2023, arXiv 2210.02747; Liu et al. 2023, arXiv
    2209.03003), for each expression and for none."""

    phase = FLOW

    def __init__(self, recipe: Recipe, faces: Faces48, autoencoder: Autoencoder, stored: Checkpoint | None) -> None:
        self.recipe, self.steps = recipe, recipe.flow_steps
        self.device = next(autoencoder.parameters()).device
        latents, deviation = encoded(autoencoder, faces, recipe)
        self.centre = latents.mean(dim=(0, 2, 3), keepdim=True)
        self.spread = latents.std(dim=(0, 2, 3), keepdim=True)
        # In half precision: they are many.
        self._latents, self._deviation = ((latents - self.centre) / self.spread).half(), deviation / self.spread
        self._copies = len(latents) // len(faces)
        votes = torch.from_numpy(faces.targets())
        # A face stands for an expression as far as people agree on it, and for the rest for none: guidance leads from
        # the ambiguous to the clear.
        self._ballots = votes.pow(recipe.sharpen)
        # A photograph that the data hold ten times would be learned by heart.
        alike = torch.from_numpy(np.bincount(shown := clusters(Prints.of(faces.luma)))[shown])
        self._weights = balance.face_weights(votes, recipe.rare) / alike
        torch.manual_seed(recipe.seed + 1)
        self.network, self.averaged = Flow(recipe.shape), Flow(recipe.shape)
        self.averaged.load_state_dict(self.network.state_dict())
        self.network.to(self.device).train()
        self.averaged.to(self.device).eval()
        # The latents' scale belongs to what was learned.
        self.parts = {"autoencoder": autoencoder, "network": self.network, "averaged": self.averaged}
        self.optimisers = {
            "optimiser": torch.optim.AdamW(
                self.network.parameters(), recipe.flow_rate, betas=(0.9, 0.98), weight_decay=1e-2
            )
        }
        if stored is not None:
            self.restore(stored, self.device)

    def descend(self, step: int) -> dict[str, float]:
        recipe, n = self.recipe, self.recipe.flow_batch
        chosen, labels = self._drawn(step)
        shape = (n, *self._latents.shape[1:])
        noise = Draws(recipe.seed, 1, NOISE, step, device=self.device)
        latents = self._latents[chosen].float() + self._deviation * noise.normal(shape)
        far = noise.normal(shape)
        time_ = torch.sigmoid(Draws(recipe.seed, 1, TIME, step, device=self.device).normal((n,)) + recipe.late)
        at = time_.view(-1, 1, 1, 1)
        done = step / self.steps
        rate = recipe.flow_rate * min(1.0, (step + 1) / 300)
        rate *= falling((done - 1 + recipe.fall) / recipe.fall) if done > 1 - recipe.fall else 1.0
        for group in self.optimisers["optimiser"].param_groups:
            group["lr"] = rate
        # Dropout draws from the global generator.
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            velocity = self.network(torch.lerp(latents, far, at), time_, labels)
        loss = (velocity.float() - (far - latents)).square().mean()
        descend_by(self.optimisers["optimiser"], loss)
        blend(self.averaged, self.network, min(recipe.keep, (1 + step) / (10 + step)))
        return {"loss": float(loss.detach())}

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | {"scale.centre": self.centre, "scale.spread": self.spread}

    def _drawn(self, step: int) -> tuple[Tensor, Tensor]:
        """Places of a batch of latents, mirrored ones among them, and the expressions they stand for, or
        `NOBODY`."""
        recipe, n = self.recipe, self.recipe.flow_batch
        ends = self._weights.cumsum(0)
        at = Draws(recipe.seed, 1, CHOICE, step).uniform(n, 0, 1).double() * ends[-1]
        faces = torch.searchsorted(ends, at).clamp(max=len(ends) - 1)
        drawn = Draws(recipe.seed, 1, LABEL, step).uniform(n, 0, 1, 1)
        labels = (drawn > self._ballots[faces].cumsum(1)).sum(dim=1)
        labels = torch.where(Draws(recipe.seed, 1, DROPPED, step).chance(n, recipe.unlabelled), NOBODY, labels)
        copy = (Draws(recipe.seed, 1, MIRROR, step).uniform(n, 0, 1) * self._copies).long().clamp(max=self._copies - 1)
        return (faces + len(self._ballots) * copy).to(self.device), labels.to(self.device)


@torch.no_grad()
def encoded(autoencoder: Autoencoder, faces: Faces48, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Latents (2 * variants * n, c, 6, 6): of all faces, of their mirror images, and so on with each variant; and their
    mean deviation (1, c, 1, 1)."""
    device = next(autoencoder.parameters()).device
    means, deviations = [], []
    for variant in range(2 * recipe.variants):
        for start in range(0, len(faces), CHUNK):
            part = torch.from_numpy(faces.luma[start : start + CHUNK]).unsqueeze(1).float()
            if variant > 1:
                part = varied(part, Draws(recipe.seed, 1, VARIANT, variant // 2, start))
            if variant % 2:
                part = part.flip(3)
            with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
                mean, log_variance = autoencoder.encode(scaled(part).to(device))
            means.append(mean.float())
            deviations.append((log_variance.float() / 2).exp().mean(dim=(0, 2, 3)))
    return torch.cat(means), torch.stack(deviations).mean(dim=0).view(1, -1, 1, 1)


def varied(luma: Tensor, draws: Draws) -> Tensor:
    """(n, 1, 48, 48) faces moved by up to a pixel, turned by up to four degrees, and a little larger, smaller, lighter
    or darker."""
    n = len(luma)
    angle, scale = draws.uniform(n, -0.07, 0.07), torch.exp(draws.uniform(n, -0.06, 0.06))
    theta = luma.new_zeros((n, 2, 3))
    theta[:, 0, 0] = theta[:, 1, 1] = scale * torch.cos(angle)
    theta[:, 1, 0] = scale * torch.sin(angle)
    theta[:, 0, 1] = -theta[:, 1, 0]
    theta[:, :, 2] = draws.uniform(2 * n, -2 / CROP, 2 / CROP).view(n, 2)
    grid = functional.affine_grid(theta, list(luma.shape), align_corners=False)
    moved = functional.grid_sample(luma, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    gain = torch.exp(draws.uniform(n, -0.15, 0.15, 3))
    return ((moved - 127.5) * gain + 127.5 + draws.uniform(n, -12, 12, 3)).clamp(0, 255)
