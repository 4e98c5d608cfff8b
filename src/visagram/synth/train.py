"""Train the embedded generator: align the faces, learn latents, learn the flow, write the weights and their card.

One file, top to bottom. A run is a folder; it can be killed at any time and goes on from its last checkpoint with the
same command. Every random draw derives from (seed, purpose, step), so a resumed run ends where an unbroken one does.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from visagram.core.geometry import CROP
from visagram.core.types import Progress
from visagram.errors import DataError
from visagram.evaluate.data import TRAIN
from visagram.evaluate.duplicates import Prints, clusters
from visagram.files import output_error
from visagram.learn import balance
from visagram.learn.checkpoint import WEIGHTS, finished
from visagram.learn.data import Faces48
from visagram.learn.draws import Draws
from visagram.learn.machine import has_bfloat16, keep_memory
from visagram.learn.network import ExpressionNetwork
from visagram.models.card import EMBEDDED
from visagram.synth.checkpoint import CHECKPOINT, Checkpoint
from visagram.synth.faces import read_aligned
from visagram.synth.networks import NOBODY, SIDE, Autoencoder, Discriminator, Flow, blend
from visagram.synth.recipes import Recipe

ENCODE, FLOW = "encode", "flow"
CHOICE, NOISE, MIRROR, LABEL, TIME, DROPPED, VARIANT = range(7)
"""What a stream of draws is for, so that no two share their numbers."""
WATCHED = (3, 7, 11)
"""Layers of the expression network whose features a reconstruction keeps: at 24, 12 and 6 pixels."""
LONGEST = 1.0
"""Gradients are cut to this length."""
SAY_EVERY = 200
CHUNK = 256


def train(
    data: Path,
    output: Path,
    recipe: Recipe,
    progress: Progress,
    *,
    say: Callable[[str], None] = lambda _: None,
    checkpoint_seconds: float = 120.0,
) -> Path:
    """Train `recipe` on the sheets in `data`; returns the checkpoint in `output`, of a finished run. Resumes a run
    found there.

    say: told a sentence now and then. checkpoint_seconds: about as much work is lost by a kill. Raises `DataError`.
    """
    keep_memory()
    faces = read_aligned(data, TRAIN, progress)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(output, error) from error
    saver = _Saver(output / CHECKPOINT, recipe, faces.digest(), checkpoint_seconds)
    stored = saver.stored()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    autoencoder = Autoencoder(recipe.shape)
    if stored is None or stored.phase == ENCODE:
        learning = Encoding(recipe, faces, device, stored)
        learning.run(saver, progress, say)
        autoencoder.load_state_dict(learning.averaged.state_dict())
        stored = None
    else:
        autoencoder.load_state_dict(stored.part("autoencoder"))
    flow = Flowing(recipe, faces, autoencoder.to(device).eval(), stored)
    flow.run(saver, progress, say)
    return output / CHECKPOINT


class _Saver:
    """Writes the checkpoint of a run when it is time to."""

    def __init__(self, path: Path, recipe: Recipe, data: str, every: float) -> None:
        self._path, self._recipe, self._data, self._every = path, recipe, data, every
        self._saved = time.monotonic()

    def stored(self) -> Checkpoint | None:
        """What an earlier call left. Raises `DataError` for another run's."""
        if not self._path.exists():
            return None
        found = Checkpoint.load(self._path)
        found.check(self._path, self._recipe, self._data)
        return found

    def save(self, phase: str, step: int, tensors: Callable[[], Mapping[str, Tensor]], *, now: bool) -> None:
        if now or time.monotonic() - self._saved > self._every:
            Checkpoint(self._recipe, self._data, phase, step, dict(tensors())).save(self._path)
            self._saved = time.monotonic()


class _Learning(ABC):
    """What both phases do: steps, a sentence now and then, checkpoints."""

    phase = ""
    steps = 0
    step = 0
    parts: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]

    @abstractmethod
    def descend(self, step: int) -> dict[str, float]:
        """One step; returns figures for people."""

    def run(self, saver: _Saver, progress: Progress, say: Callable[[str], None]) -> None:
        began, before, figures, sums = time.monotonic(), self.step, 0, dict[str, float]()
        for step in range(self.step, self.steps):
            for name, value in self.descend(step).items():
                if not math.isfinite(value):
                    raise DataError(f"Training diverged at step {step + 1} of {self.steps} ({self.phase}).")
                sums[name] = sums.get(name, 0.0) + value
            self.step, figures = step + 1, figures + 1
            if self.step % SAY_EVERY == 0 or self.step == self.steps:
                left = (time.monotonic() - began) / (self.step - before) * (self.steps - self.step)
                shown = ", ".join(f"{name} {value / figures:.4f}" for name, value in sums.items())
                say(f"{self.phase.capitalize()}, step {self.step} of {self.steps}: {shown}; {left / 60:.0f} min left.")
                figures, sums = 0, {}
            saver.save(self.phase, self.step, self.tensors, now=self.step == self.steps)
            progress(self.phase, self.step, self.steps)

    def tensors(self) -> dict[str, Tensor]:
        found = {f"{name}.{key}": v for name, part in self.parts.items() for key, v in part.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            for index, parameter in enumerate(_parameters(optimiser)):
                found |= {f"{name}.{index}.{key}": v for key, v in optimiser.state[parameter].items()}
        return found

    def restore(self, stored: Checkpoint, device: torch.device) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(stored.part(name))
        for name, optimiser in self.optimisers.items():
            for index, parameter in enumerate(_parameters(optimiser)):
                for key, tensor in stored.part(f"{name}.{index}").items():
                    # AdamW counts its steps on the CPU.
                    optimiser.state[parameter][key] = tensor if tensor.ndim == 0 else tensor.to(device)
        self.step = stored.step


class Encoding(_Learning):
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
        real = _mirrored(_scaled(self._luma[chosen]), Draws(recipe.seed, 0, MIRROR, step).chance(n, 0.5))
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
        _step(self.optimisers["network_optimiser"], loss)
        if contest:
            self._judge(real, drawn.detach())
        blend(self.averaged, self.network, min(0.995, (1 + step) / (10 + step)))
        return {"pixels": float(pixels.detach()), "features": float(torch.as_tensor(kept).detach())}

    def _judge(self, real: Tensor, drawn: Tensor) -> None:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            true, false = self.adversary(real), self.adversary(drawn)
        hinge = functional.relu(1 - true.float()).mean() + functional.relu(1 + false.float()).mean()
        _step(self.optimisers["adversary_optimiser"], hinge)

    def _features(self, luma: Tensor) -> list[Tensor]:
        x, found = self._watched.standardise((luma + 1) * 127.5), []
        for place, layer in enumerate(self._watched.features):
            x = layer(x)
            if place in WATCHED:
                found.append(x)
        return found


class Flowing(_Learning):
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
        votes = torch.from_numpy(faces.targets()).pow(recipe.sharpen)
        self._targets = votes / votes.sum(dim=1, keepdim=True)
        # A photograph that the data hold ten times would be learned by heart.
        alike = torch.from_numpy(np.bincount(shown := clusters(Prints.of(faces.luma)))[shown])
        self._weights = balance.face_weights(self._targets, recipe.rare) / alike
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
        _step(self.optimisers["optimiser"], loss)
        blend(self.averaged, self.network, min(recipe.keep, (1 + step) / (10 + step)))
        return {"loss": float(loss.detach())}

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | {"scale.centre": self.centre, "scale.spread": self.spread}

    def _drawn(self, step: int) -> tuple[Tensor, Tensor]:
        """Places of a batch of latents, mirrored ones among them, and the expressions they stand for: one vote of each
        face, or none."""
        recipe, n = self.recipe, self.recipe.flow_batch
        ends = self._weights.cumsum(0)
        at = Draws(recipe.seed, 1, CHOICE, step).uniform(n, 0, 1).double() * ends[-1]
        faces = torch.searchsorted(ends, at).clamp(max=len(ends) - 1)
        votes = self._targets[faces].cumsum(1)
        ballot = Draws(recipe.seed, 1, LABEL, step).uniform(n, 0, 1, 1)
        labels = (ballot > votes).sum(dim=1).clamp(max=NOBODY - 1)
        labels = torch.where(Draws(recipe.seed, 1, DROPPED, step).chance(n, recipe.unlabelled), NOBODY, labels)
        copy = (Draws(recipe.seed, 1, MIRROR, step).uniform(n, 0, 1) * self._copies).long().clamp(max=self._copies - 1)
        return (faces + len(self._targets) * copy).to(self.device), labels.to(self.device)


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
                mean, log_variance = autoencoder.encode(_scaled(part).to(device))
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


def falling(done: float) -> float:
    """Share of the rate at a share of the way down: a cosine, to two hundredths."""
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def _scaled(luma: Tensor) -> Tensor:
    return luma.float() / 127.5 - 1


def _mirrored(luma: Tensor, which: Tensor) -> Tensor:
    return torch.where(which.view(-1, 1, 1, 1), luma.flip(3), luma)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(_parameters(optimiser), LONGEST)
    optimiser.step()


def _parameters(optimiser: torch.optim.Optimizer) -> list[Any]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
