"""The first phase: latents from which faces can be drawn again."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from visagram.learn.checkpoint import WEIGHTS, finished
from visagram.learn.data import Faces48
from visagram.learn.draws import Draws
from visagram.learn.machine import has_bfloat16
from visagram.learn.network import ExpressionNetwork
from visagram.models.card import EMBEDDED
from visagram.synth.checkpoint import ENCODE, Checkpoint
from visagram.synth.learning import CHOICE, MIRROR, NOISE, Learning, descend_by, falling, scaled
from visagram.synth.networks import Autoencoder, Discriminator, blend
from visagram.synth.recipes import Recipe
from visagram.synth.sampling import SIDE

WATCHED = (3, 7, 11)
"""Layers of the expression network whose features a reconstruction keeps: at 24, 12 and 6 pixels."""


class Encoding(Learning):
    """Learns latents from which faces can be drawn again: pixels, the features that tell expressions apart, latents
    near a normal distribution, and at last patches that look real (Esser et al. 2021, arXiv 2012.09841)."""

    phase = ENCODE

    def __init__(self, recipe: Recipe, faces: Faces48, device: torch.device, stored: Checkpoint | None) -> None:
        self.recipe, self.device, self.steps = recipe, device, recipe.encode_steps
        self._luma = torch.from_numpy(faces.luma).unsqueeze(1)
        torch.manual_seed(recipe.seed)
        self.network, self.averaged = Autoencoder(recipe.shape), Autoencoder(recipe.shape)
        self.adversary = Discriminator()
        self.averaged.load_state_dict(self.network.state_dict())
        watched = finished(EMBEDDED / WEIGHTS).network
        assert isinstance(watched, ExpressionNetwork)
        self._watched = watched.requires_grad_(False)
        for part in (self.network, self.averaged, self.adversary, self._watched):
            part.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged.eval()
        self.parts = {"network": self.network, "averaged": self.averaged, "adversary": self.adversary}
        self.optimisers = {
            "network_optimiser": torch.optim.AdamW(
                self.network.parameters(), recipe.encode_rate, betas=(0.9, 0.99), weight_decay=1e-3
            ),
            "adversary_optimiser": torch.optim.AdamW(
                self.adversary.parameters(), recipe.encode_rate / 2, betas=(0.5, 0.99)
            ),
        }
        if stored is not None:
            self.restore(stored, device)

    def descend(self, step: int) -> dict[str, float]:
        recipe, n = self.recipe, self.recipe.encode_batch
        choice = Draws(recipe.seed, 0, CHOICE, step)
        chosen = (choice.uniform(n, 0, 1) * len(self._luma)).long().clamp(max=len(self._luma) - 1)
        real = _mirrored(scaled(self._luma[chosen]), Draws(recipe.seed, 0, MIRROR, step).chance(n, 0.5))
        real = real.to(self.device).contiguous(memory_format=torch.channels_last)
        noise = Draws(recipe.seed, 0, NOISE, step, device=self.device).normal((n, recipe.shape.latents, SIDE, SIDE))
        contest = step >= recipe.adversary_from * self.steps
        for group in self.optimisers["network_optimiser"].param_groups:
            group["lr"] = recipe.encode_rate * min(1.0, (step + 1) / 200) * falling(step / self.steps)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            mean, log_variance = self.network.encode(real)
            drawn = self.network.decode(mean + noise * (log_variance / 2).exp())
            with torch.no_grad():
                wanted = self._features(real)
            kept = sum(
                ((ours.float() - theirs.float()).square().mean() / (theirs.float().square().mean() + 1e-4))
                for ours, theirs in zip(self._features(drawn), wanted, strict=True)
            )
            fooled = -self.adversary(drawn).float().mean() if contest else drawn.new_zeros(())
        drawn, mean, log_variance = drawn.float(), mean.float(), log_variance.float()
        pixels = (drawn - real).abs().mean()
        spread = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        loss = pixels + 2 * (drawn - real).square().mean() + recipe.features * kept
        loss = loss + recipe.variance * spread + recipe.adversary * fooled
        descend_by(self.optimisers["network_optimiser"], loss)
        if contest:
            self._judge(real, drawn.detach())
        blend(self.averaged, self.network, min(0.995, (1 + step) / (10 + step)))
        return {"pixels": float(pixels.detach()), "features": float(torch.as_tensor(kept).detach())}

    def _judge(self, real: Tensor, drawn: Tensor) -> None:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            true, false = self.adversary(real), self.adversary(drawn)
        hinge = functional.relu(1 - true.float()).mean() + functional.relu(1 + false.float()).mean()
        descend_by(self.optimisers["adversary_optimiser"], hinge)

    def _features(self, luma: Tensor) -> list[Tensor]:
        x, found = self._watched.standardise((luma + 1) * 127.5), []
        for place, layer in enumerate(self._watched.features):
            x = layer(x)
            if place in WATCHED:
                found.append(x)
        return found


def _mirrored(luma: Tensor, which: Tensor) -> Tensor:
    return torch.where(which.view(-1, 1, 1, 1), luma.flip(3), luma)
