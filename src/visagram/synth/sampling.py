"""From noise to latents: how a learned flow is followed back. NumPy alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS

SIDE = 6
"""Of the latents."""
NOBODY = len(EXPRESSIONS)
"""The label of no expression in particular, for classifier-free guidance."""
LAST = 0.001
"""The time of the last step, from which it goes to 0: the flow was taught thousandths of time."""
Floats = NDArray[np.float32]
Velocity = Callable[[Floats, Floats, NDArray[np.int64]], Floats]
"""Latents (n, c, 6, 6), times (n,) and labels (n,) to (n, c, 6, 6)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How faces are made of noise, unless somebody asks otherwise. guidance: how strongly the expression is insisted
    on. steps: of the sampler. candidates: at a time, of which a good one is taken; rounds: how often, until there is
    one."""

    guidance: float = 1.75
    steps: int = 16
    candidates: int = 4
    rounds: int = 12

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Sampling:
        """From a card. Raises `TypeError`, `KeyError` and `ValueError`."""
        return cls(float(facts["guidance"]), *(int(facts[name]) for name in ("steps", "candidates", "rounds")))


def flow_back(velocity: Velocity, noise: Floats, labels: NDArray[np.int64], guidance: float, steps: int) -> Floats:
    """From noise (n, c, 6, 6) to latents of the labels (n,), by Heun's method (Karras et al. 2022, arXiv 2206.00364):
    two evaluations a step, but one in the last, where the second would only repeat what is known."""
    both_labels = np.concatenate([labels, np.full_like(labels, NOBODY)])

    def guided(latents: Floats, time: np.float32) -> Floats:
        times = np.full(len(both_labels), time, np.float32)
        shown, plain = np.split(velocity(np.concatenate([latents, latents]), times, both_labels), 2)
        return plain + np.float32(guidance) * (shown - plain)

    latents, times = noise, np.append(np.linspace(1.0, LAST, steps), 0.0).astype(np.float32)
    for time, after in itertools.pairwise(times):
        step, slope = after - time, guided(latents, time)
        if after > 0:
            slope = (slope + guided(latents + step * slope, after)) * np.float32(0.5)
        latents = np.asarray(latents + step * slope, np.float32)
    return latents
