"""What both phases of a generator's training share: steps, checkpoints, what is drawn, how far the rate has fallen."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from visagram.core.types import Progress
from visagram.errors import DataError
from visagram.synth.checkpoint import Checkpoint
from visagram.synth.recipes import Recipe

CHOICE, NOISE, MIRROR, LABEL, TIME, DROPPED, VARIANT = range(7)
"""What a stream of draws is for, so that no two share their numbers."""
LONGEST = 1.0
"""Gradients are cut to this length."""
SAY_EVERY = 200


class Saver:
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


class Learning(ABC):
    """What both phases do: steps, a sentence now and then, checkpoints."""

    phase = ""
    steps = 0
    step = 0
    parts: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]

    @abstractmethod
    def descend(self, step: int) -> dict[str, float]:
        """One step; returns figures for people."""

    def run(self, saver: Saver, progress: Progress, say: Callable[[str], None]) -> None:
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
            for index, parameter in enumerate(parameters_of(optimiser)):
                found |= {f"{name}.{index}.{key}": v for key, v in optimiser.state[parameter].items()}
        return found

    def restore(self, stored: Checkpoint, device: torch.device) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(stored.part(name))
        for name, optimiser in self.optimisers.items():
            for index, parameter in enumerate(parameters_of(optimiser)):
                for key, tensor in stored.part(f"{name}.{index}").items():
                    # AdamW counts its steps on the CPU.
                    optimiser.state[parameter][key] = tensor if tensor.ndim == 0 else tensor.to(device)
        self.step = stored.step


def falling(done: float) -> float:
    """Share of the rate at a share of the way down: a cosine, to two hundredths."""
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def scaled(luma: Tensor) -> Tensor:
    return luma.float() / 127.5 - 1


def descend_by(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(parameters_of(optimiser), LONGEST)
    optimiser.step()


def parameters_of(optimiser: torch.optim.Optimizer) -> list[Any]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
