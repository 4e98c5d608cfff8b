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

from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError
from visagram.models.card import Card, file_hash, read_card
from visagram.synth.batches import in_batches
from visagram.synth.chooser import Chooser
from visagram.synth.generator import Face, check_sampling, image_seed
from visagram.synth.networks import NOBODY, SIDE, Autoencoder, Flow, Shape
from visagram.synth.recipes import Sampling

NAME = "visagram-diffusion"
BATCH = 16
DRAWS = 8
"""Pairs of time and noise on which the flow is asked which expression explains a face."""
TIMES = (0.3, 0.9)
"""Between which they lie: nearer to the face all expressions explain it, nearer to the noise none."""
EIGHT_BITS, SCALE = "modulation.weight", ".scale"


def embedded_card() -> Card:
    """Raises `ModelError` where it does not come with this installation."""
    return read_card(NAME)


@dataclass(frozen=True, slots=True)
class Networks:
    """What a generator's file holds. latents: shape of a face's. centre, spread: of those that it learned from. known:
    sketches (n, 6) of the faces that it learned from."""

    autoencoder: Autoencoder
    flow: Flow
    centre: Tensor
    spread: Tensor
    latents: tuple[int, int, int]
    known: NDArray[np.uint64]

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
        tensors = unpacked(load_file(card.file))
        autoencoder, flow = Autoencoder(shape), Flow(shape)
        autoencoder.load_state_dict(_below(tensors, "autoencoder"))
        flow.load_state_dict(_below(tensors, "flow"))
        centre, spread = (tensors[f"scale.{name}"].float().to(device) for name in ("centre", "spread"))
        known = tensors["known.sketches"].numpy().view(np.uint64)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"The generator {card.file} cannot be opened ({reason}): {card.remedy}.") from error
    for network in (autoencoder, flow):
        network.to(device).eval()
    return Networks(autoencoder, flow, centre, spread, (shape.latents, SIDE, SIDE), known)


class EmbeddedGenerator:
    """`Generator` over a flow that `visagram synth train` has learned. chooser: of its candidates; without one the
    first is taken, whatever it shows.

    Raises `ModelError` for a card that contradicts its file.
    """

    def __init__(self, card: Card | None = None, chooser: Chooser | None = None) -> None:
        self._card, self._chooser = card or embedded_card(), chooser
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._networks: Networks | None = load_networks(self._card, self._device)
        try:
            self._sampling = Sampling.of(self._card.facts["sampling"])
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
        guidance = self._sampling.guidance if guidance is None else guidance
        steps = self._sampling.steps if steps is None else steps
        check_sampling(guidance, steps)
        given = {"guidance": guidance, "steps": steps}

        def make(numbers: Sequence[int]) -> list[Face]:
            seeds = [image_seed(seed, expression, number) for number in numbers]
            images = self._sample(EXPRESSIONS.index(expression), seeds, guidance, steps)
            return [Face(image, n, own, "", given) for image, n, own in zip(images, numbers, seeds, strict=True)]

        return in_batches(make, range(first, count), BATCH, self.name)

    def close(self) -> None:
        self._networks = None
        if self._chooser is not None:
            self._chooser.close()

    def _sample(self, label: int, seeds: Sequence[int], guidance: float, steps: int) -> list[NDArray[np.uint8]]:
        """One image for each seed: the first candidate where nobody chooses; else, of a few at a time until there is a
        good one, the best."""
        # Always as many at a time: the last bits of a sum depend on that.
        padded = [*seeds, *[0] * (BATCH - len(seeds))]
        sources = [torch.Generator("cpu").manual_seed(own) for own in padded]
        if self._chooser is None:
            return list(self._drawn(label, sources, 1, guidance, steps)[: len(seeds), 0])
        best, images = np.full(len(seeds), -np.inf), np.zeros((len(seeds), CROP, CROP), np.uint8)
        waiting = np.ones(len(seeds), bool)
        for _ in range(self._sampling.rounds):
            drawn = self._drawn(label, sources, self._sampling.candidates, guidance, steps)
            merits = self._chooser.merits(drawn.reshape(-1, CROP, CROP), label, self._opened.known)
            value, good = (part.reshape(BATCH, -1)[: len(seeds)] for part in merits)
            places, first = np.arange(len(seeds)), value.argmax(axis=1)
            better = waiting & (value[places, first] > best)
            best[better], images[better] = value[places, first][better], drawn[places, first][better]
            waiting &= ~good.any(axis=1)
            if not waiting.any():
                break
        return list(images)

    @torch.inference_mode()
    def _drawn(
        self, label: int, sources: Sequence[torch.Generator], candidates: int, guidance: float, steps: int
    ) -> NDArray[np.uint8]:
        """(sources, candidates, 48, 48): the next ones of each source of noise, which is on the processor, so that a
        seed means the same on every machine."""
        networks = self._opened
        noise = torch.cat([torch.randn((candidates, *networks.latents), generator=source) for source in sources])
        labels = torch.full((len(noise),), label, device=self._device)
        latents = flow_back(networks.flow, noise.to(self._device), labels, guidance, steps)
        luma = (networks.drawn(latents)[:, 0].clamp(-1, 1) + 1) * 127.5
        return luma.round().to(torch.uint8).cpu().numpy().reshape(len(sources), candidates, CROP, CROP)

    @property
    def _opened(self) -> Networks:
        if self._networks is None:
            raise ModelError("The generator was closed.")
        return self._networks


@torch.inference_mode()
def class_errors(networks: Networks, latents: Tensor, draws: int = DRAWS) -> NDArray[np.float64]:
    """(n, 7) mean squared errors of the velocity for each expression, over `draws` pairs of time and noise that are the
    same for all faces: the better an expression explains a face, the smaller (Li et al. 2023, arXiv 2303.16203)."""
    classes, n = len(EXPRESSIONS), len(latents)
    noise = torch.randn((draws, *networks.latents), generator=torch.Generator("cpu").manual_seed(0)).to(latents)
    labels = torch.arange(classes, device=latents.device).repeat(n)
    total = np.zeros((n, classes))
    for each, time in zip(noise, torch.linspace(*TIMES, draws).to(latents), strict=True):
        mixed = torch.lerp(latents, each.expand_as(latents), time).repeat_interleave(classes, dim=0)
        wanted = (each - latents).repeat_interleave(classes, dim=0)
        velocity = networks.flow(mixed, time.expand(len(mixed)), labels)
        total += (velocity - wanted).square().mean(dim=(1, 2, 3)).view(n, classes).double().cpu().numpy()
    return total / draws


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights for a file: in half precision, those of the modulation, which are many and matter little, in 8 bits with
    a scale beside them."""
    found = {}
    for name, tensor in tensors.items():
        if name.endswith(EIGHT_BITS):
            scale = tensor.float().abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / 127
            found[name] = (tensor.float() / scale).round().to(torch.int8)
            found[f"{name}{SCALE}"] = scale
        else:
            found[name] = tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
    return {name: tensor.contiguous() for name, tensor in found.items()}


def unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` has stored."""
    found = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(f"{name}{SCALE}")
        whole = tensor.float() if tensor.is_floating_point() else tensor
        found[name] = whole if scale is None else tensor.float() * scale
    return found


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
