"""Train an expression network: read the sheets, run the recipe, write ONNX and card.

One file, top to bottom. A run is a folder; it can be killed at any time and goes on from its last whole epoch with the
same command. Every random draw derives from (seed, epoch), so a resumed run ends where an unbroken one does.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.files import replace_file
from visagram.learn.data import Faces48, augment, read_sheets, trainable
from visagram.learn.network import ExpressionNetwork

Progress = Callable[[str, int, int], None]

CALM = 0.4
"""Strength of the augmentation in the calm epochs."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run learns; stored in its checkpoint and its card.

    calm_epochs: the last epochs run with gentle augmentation and without mixup, so that the network ends on faces like
    those it will see. ema_steps: length of the running average of weights.
    """

    name: str = "small"
    widths: tuple[int, ...] = (32, 64, 128, 256)
    blocks: tuple[int, ...] = (2, 2, 2, 1)
    epochs: int = 30
    calm_epochs: int = 3
    batch: int = 128
    peak_rate: float = 0.1
    weight_decay: float = 5e-4
    mixup: float = 0.3
    ema_steps: float = 100.0
    seed: int = 0


RECIPES = {
    "small": Recipe(),
    "tiny": Recipe(
        name="tiny", widths=(8, 16), blocks=(1, 1), epochs=2, calm_epochs=1, batch=32, peak_rate=0.05, ema_steps=5
    ),
}


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one finished epoch measured on the validation split."""

    epoch: int
    loss: float
    accuracy: float
    macro_recall: float
    seconds: float


def train(data: Path, output: Path, recipe: Recipe, progress: Progress) -> Path:
    """Train `recipe` on the sheets in `data`; returns the ONNX file in `output`. Resumes a run found there."""
    output.mkdir(parents=True, exist_ok=True)
    faces, held_out = trainable(read_sheets(data, "train")), read_sheets(data, "validation")
    if not len(faces) or not held_out.majority.any():
        raise DataError(f"{data} holds no faces with clear votes in the splits 'train' and 'validation'.")
    run = _Run(recipe, len(faces))
    checkpoint = output / "checkpoint.safetensors"
    if checkpoint.exists():
        run.restore(checkpoint)
    luma, targets = torch.from_numpy(faces.luma).unsqueeze(1), torch.from_numpy(faces.targets())
    while run.epoch < recipe.epochs:
        run.train_epoch(luma, targets, progress)
        run.measure(held_out)
        run.save(checkpoint)
    from visagram.learn.export import export

    return export(run.averaged, recipe, faces=len(faces), held_out=held_out, history=run.history, folder=output)


class _Run:
    """The state of a training run: network, momentum, running average, epoch."""

    def __init__(self, recipe: Recipe, faces: int) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = self._network()
        self.averaged = self._network()
        self.averaged.load_state_dict(self.network.state_dict())
        self.averaged.eval()
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.SGD(
            [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=0.0,
            momentum=0.9,
            nesterov=True,
        )
        self.steps_per_epoch = max(1, faces // recipe.batch)
        self.epoch = 0
        self.history: list[Epoch] = []
        self.loss = math.nan
        self.seconds = 0.0

    def _network(self) -> ExpressionNetwork:
        network = ExpressionNetwork(self.recipe.widths, self.recipe.blocks, len(EXPRESSIONS))
        network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def train_epoch(self, luma: Tensor, targets: Tensor, progress: Progress) -> None:
        """One pass over the faces in an order, and with an augmentation, that only (seed, epoch) decide."""
        started = time.monotonic()
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + self.epoch)
        # Dropout draws from the global generator.
        torch.manual_seed(self.recipe.seed * 100_003 + self.epoch)
        order = torch.randperm(len(luma), generator=generator)
        total = self.steps_per_epoch * self.recipe.epochs
        loss_sum = 0.0
        self.network.train()
        for step in range(self.steps_per_epoch):
            chosen = order[step * self.recipe.batch : (step + 1) * self.recipe.batch]
            batch, wanted = self._mixed(luma[chosen], targets[chosen], generator)
            done = self.epoch * self.steps_per_epoch + step
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.peak_rate * one_cycle(done / total)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                logits = self.network(batch)
            loss = functional.cross_entropy(logits.float(), wanted)
            if not torch.isfinite(loss):
                raise DataError(f"Training diverged in epoch {self.epoch + 1}: lower the recipe's peak rate.")
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self._average(done)
            loss_sum += float(loss.detach())
            progress("train", done + 1, total)
        self.loss = loss_sum / self.steps_per_epoch
        self.seconds = time.monotonic() - started
        self.epoch += 1

    def _mixed(self, luma: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented faces, a share of them blended with another (mixup, Zhang et al. 2018, arXiv 1710.09412)."""
        calm = self.epoch >= self.recipe.epochs - self.recipe.calm_epochs
        batch = augment(luma.float(), generator, CALM if calm else 1.0)
        partner = torch.randperm(len(batch), generator=generator)
        weight = torch.rand(len(batch), generator=generator) * 0.5
        share = 0.0 if calm else self.recipe.mixup
        weight = torch.where(torch.rand(len(batch), generator=generator) < share, weight, torch.zeros(()))
        batch = torch.lerp(batch, batch[partner], weight.view(-1, 1, 1, 1))
        targets = torch.lerp(targets, targets[partner], weight.view(-1, 1))
        batch = batch.to(self.device, memory_format=torch.channels_last)
        return batch, targets.to(self.device)

    @torch.no_grad()
    def _average(self, done: int) -> None:
        """Exponential moving average of weights and batch statistics, short at first."""
        keep = min(1 - 1 / self.recipe.ema_steps, (1 + done) / (10 + done))
        for ours, theirs in zip(self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True):
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - keep)
            else:
                ours.copy_(theirs)

    def measure(self, held_out: Faces48) -> None:
        """Append this epoch's figures on the validation faces that have a majority."""
        judged = held_out.select(held_out.majority)
        guesses = predict(self.averaged, judged.luma).argmax(axis=1)
        hits = guesses == judged.labels
        recalls = [hits[judged.labels == k].mean() for k in range(len(EXPRESSIONS)) if (judged.labels == k).any()]
        self.history.append(
            Epoch(self.epoch, self.loss, float(hits.mean()), float(np.mean(recalls)), round(self.seconds, 1))
        )

    def save(self, path: Path) -> None:
        """Write the whole state; a reader finds either the old file or the new one."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        for index, parameter in enumerate(self._parameters()):
            tensors[f"momentum.{index}"] = self.optimiser.state[parameter]["momentum_buffer"]
        meta = {
            "recipe": json.dumps(dataclasses.asdict(self.recipe)),
            "epoch": str(self.epoch),
            "history": json.dumps([dataclasses.asdict(epoch) for epoch in self.history]),
        }
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        with replace_file(path) as partial:
            save_file(contiguous, str(partial), metadata=meta)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint. Raises `DataError` when it is damaged or comes from another recipe."""
        try:
            with safe_open(str(path), "pt") as stored:
                meta: dict[str, Any] = stored.metadata()
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
        except SafetensorError as error:
            raise DataError(f"The checkpoint {path} is damaged ({error}): delete it to start again.") from error
        theirs, ours = json.loads(meta["recipe"]), json.loads(json.dumps(dataclasses.asdict(self.recipe)))
        if theirs != ours:
            differing = sorted(key for key in ours if theirs.get(key) != ours[key])
            raise DataError(
                f"{path} was made with another recipe (different: {', '.join(differing)}): choose another output."
            )
        self.network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
        self.averaged.load_state_dict({k[9:]: v for k, v in tensors.items() if k.startswith("averaged.")})
        for index, parameter in enumerate(self._parameters()):
            buffer = tensors[f"momentum.{index}"].to(self.device)
            self.optimiser.state[parameter]["momentum_buffer"] = buffer.clone(memory_format=torch.preserve_format)
        self.epoch = int(meta["epoch"])
        self.history = [Epoch(**epoch) for epoch in json.loads(meta["history"])]

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimiser.param_groups for parameter in group["params"]]


def one_cycle(done: float) -> float:
    """Share of the peak rate at a share of the run: linear up over a tenth, cosine down (Smith 2018, arXiv
    1803.09820)."""
    warm = 0.1
    if done < warm:
        return 0.05 + 0.95 * done / warm
    return 0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))


@torch.no_grad()
def predict(network: ExpressionNetwork, luma: NDArray[np.uint8], batch: int = 256) -> NDArray[np.float32]:
    """(n, 48, 48) uint8 faces to (n, 7) float32 logits."""
    network.eval()
    device = next(network.parameters()).device
    parts = [
        network(torch.from_numpy(luma[i : i + batch]).unsqueeze(1).float().to(device)).cpu()
        for i in range(0, len(luma), batch)
    ]
    return np.asarray(torch.cat(parts).numpy(), np.float32)
