"""The generator that comes with Visagram: grey faces of 48x48 pixels, from noise along a learned flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError, UsageError
from visagram.models.card import Card, file_hash, read_card
from visagram.synth.batches import in_batches
from visagram.synth.generator import Face, image_seed
from visagram.synth.networks import NOBODY, SIDE, Autoencoder, Flow, Shape

NAME = "visagram-diffusion"
BATCH = 16
MOST_STEPS = 1000
MOST_GUIDANCE = 20.0


def embedded_card() -> Card:
    """Raises `ModelError` where it does not come with this installation."""
    return read_card(NAME)


@dataclass(frozen=True, slots=True)
class Networks:
    """What a generator's file holds. latents: shape of a face's. centre, spread: of those that it learned from."""

    autoencoder: Autoencoder
    flow: Flow
    centre: Tensor
    spread: Tensor
    latents: tuple[int, int, int]

    def normed(self, latents: Tensor) -> Tensor:
        """Latents as the flow knows them."""
        return (latents - self.centre) / self.spread

    def drawn(self, latents: Tensor) -> Tensor:
        """What the flow gives as luma (n, 1, 48, 48) in about -1..1."""
        return self.autoencoder.decode(latents * self.spread + self.centre)


def load_networks(card: Card, device: torch.device | str = "cpu") -> Networks:
    """The networks of a generator. Raises `ModelError` for a card that contradicts its file."""
    if file_hash(card.file) != card.sha256:
        raise ModelError(f"The model file {card.file} does not match its card: {card.remedy}.")
    try:
        shape = Shape.of(card.facts["shape"])
        tensors = {name: tensor.float() for name, tensor in load_file(card.file).items()}
        autoencoder, flow = Autoencoder(shape), Flow(shape)
        autoencoder.load_state_dict(_below(tensors, "autoencoder"))
        flow.load_state_dict(_below(tensors, "flow"))
        centre, spread = (tensors[f"scale.{name}"].to(device) for name in ("centre", "spread"))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"The generator {card.file} cannot be opened ({reason}): {card.remedy}.") from error
    for network in (autoencoder, flow):
        network.to(device).eval()
    return Networks(autoencoder, flow, centre, spread, (shape.latents, SIDE, SIDE))


class EmbeddedGenerator:
    """`Generator` over a flow that `visagram synth train` has learned. threads: of torch, which has one number for the
    whole process; None leaves it.

    Raises `ModelError` for a card that contradicts its file.
    """

    def __init__(self, card: Card | None = None, *, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._card = card or embedded_card()
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._networks: Networks | None = load_networks(self._card, self._device)
        try:
            sampling = self._card.facts["sampling"]
            self._guidance, self._steps = float(sampling["guidance"]), int(sampling["steps"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The card of {self._card.name} lacks its sampling: {self._card.remedy}.") from error

    @property
    def name(self) -> str:
        return self._card.name

    @property
    def facts(self) -> Mapping[str, Any]:
        return self._card.for_report()

    def generate(
        self,
        expression: str,
        count: int,
        seed: int,
        *,
        first: int = 0,
        guidance: float | None = None,
        steps: int | None = None,
    ) -> Iterator[Face]:
        guidance = self._guidance if guidance is None else guidance
        steps = self._steps if steps is None else steps
        if not 0 <= guidance <= MOST_GUIDANCE:
            raise UsageError(f"The guidance is {guidance}; it must be 0 to {MOST_GUIDANCE:.0f}.")
        if not 1 <= steps <= MOST_STEPS:
            raise UsageError(f"The sampler was asked for {steps} steps; it takes 1 to {MOST_STEPS}.")
        given = {"guidance": guidance, "steps": steps}

        def make(numbers: Sequence[int]) -> list[Face]:
            seeds = [image_seed(seed, expression, number) for number in numbers]
            images = self._sample(EXPRESSIONS.index(expression), seeds, guidance, steps)
            return [Face(image, n, own, "", given) for image, n, own in zip(images, numbers, seeds, strict=True)]

        return in_batches(make, range(first, count), BATCH, self.name)

    def close(self) -> None:
        self._networks = None

    @torch.inference_mode()
    def _sample(self, label: int, seeds: Sequence[int], guidance: float, steps: int) -> list[NDArray[np.uint8]]:
        """One image for each seed, by Heun's method over even steps of time."""
        if (networks := self._networks) is None:
            raise ModelError("The generator was closed.")
        # Always as many at a time: the last bits of a sum depend on that.
        padded = [*seeds, *[0] * (BATCH - len(seeds))]
        noise = torch.stack([_noise(own, networks.latents) for own in padded]).to(self._device)
        labels = torch.full((len(padded),), label, device=self._device)
        luma = networks.drawn(flow_back(networks.flow, noise, labels, guidance, steps))
        images = ((luma[:, 0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
        return list(images[: len(seeds)])


def flow_back(flow: Flow, noise: Tensor, labels: Tensor, guidance: float, steps: int) -> Tensor:
    """From noise (n, c, 6, 6) to latents of the labels (n,), by Heun's method (Karras et al. 2022, arXiv 2206.00364):
    two evaluations a step, but one in the last, where the second would only repeat what is known."""
    from diffusers import FlowMatchHeunDiscreteScheduler

    scheduler: Any = FlowMatchHeunDiscreteScheduler()  # type: ignore[no-untyped-call]
    scheduler.set_timesteps(steps, device=noise.device)
    nobody = torch.full_like(labels, NOBODY)
    latents = noise
    for time in scheduler.timesteps:
        # The scheduler counts time in thousandths.
        at = (time / 1000).expand(2 * len(latents))
        both = flow(torch.cat([latents, latents]), at, torch.cat([labels, nobody]))
        shown, plain = both.chunk(2)
        velocity = torch.lerp(plain, shown, guidance)
        latents = scheduler.step(velocity, time, latents).prev_sample
    return latents


def _noise(seed: int, shape: tuple[int, int, int]) -> Tensor:
    """Drawn on the processor, so that a seed means the same on every machine."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def _below(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}.")}


def read_own_generator(file: Path) -> Card:
    """The card beside a file that `visagram synth train` has written. Raises `ModelError`."""
    if file.suffix != ".safetensors" or not file.is_file():
        raise ModelError(f"{file} is no safetensors file of a generator: give what visagram synth train has written.")
    card = read_card(file.with_suffix("").name, file.parent)
    if card.task != "generation":
        raise ModelError(f"{file} is a model for {card.task}, not a generator of faces.")
    return card
