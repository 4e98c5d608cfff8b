"""What a generator learns and how, as values that are stored with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visagram.synth.networks import Shape
from visagram.synth.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Recipe:
    """First an autoencoder, then a flow between noise and its latents.

    steps, batch, rate: of each; the rate falls along a cosine to nearly nothing, in the flow over the last `fall` of
    its steps. features, variance, adversary: weights of what the reconstruction must keep beside the pixels: the
    features of the expression network, latents near a normal distribution, and, from the share `adversary_from` of the
    steps on, patches that look real.

    variants: of each face, moved, turned, scaled and lit a little otherwise, from which the flow learns: with the faces
    alone it learns them by heart. sharpen: power of the share of votes with which a face stands for an expression,
    above 1 for those that are agreed upon; with the rest it stands for none. rare: 0 draws faces as they come, 1 as if
    all expressions were equally frequent (see `learn.balance`). unlabelled: share of faces shown without their label,
    for classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598). late: mean of the logit of the time that is
    drawn (Esser et al. 2024, arXiv 2403.03206), above 0 for more noise. keep: length of the running average of the
    flow's weights, as 1 - 1 / steps.

    sampling: which the card names; it decides nothing of what is learned.
    """

    name: str = "faces"
    shape: Shape = field(default_factory=Shape)
    encode_steps: int = 3000
    encode_batch: int = 64
    encode_rate: float = 1e-3
    features: float = 0.2
    variance: float = 2e-3
    adversary: float = 0.03
    adversary_from: float = 0.35
    variants: int = 4
    flow_steps: int = 10000
    flow_batch: int = 512
    flow_rate: float = 1e-3
    fall: float = 0.4
    sharpen: float = 3.0
    rare: float = 0.5
    unlabelled: float = 0.1
    late: float = 0.3
    keep: float = 0.9995
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Recipe:
        """From a checkpoint. Raises `TypeError`, `KeyError` and `ValueError`."""
        nested = {"shape": Shape.of(facts["shape"]), "sampling": Sampling.of(facts["sampling"])}
        return cls(**{**facts, **nested})


RECIPES = {
    "faces": Recipe(),
    "tiny": dataclasses.replace(
        Recipe(),
        name="tiny",
        shape=Shape(latents=4, widths=(8, 8, 16), width=16, hidden=16, layers=1, told=8),
        encode_steps=6,
        encode_batch=8,
        variants=1,
        flow_steps=40,
        flow_batch=8,
        flow_rate=0.05,
        sampling=Sampling(steps=4, candidates=2, rounds=1),
    ),
}
"""`faces`: the embedded generator. `tiny`: for tests."""
