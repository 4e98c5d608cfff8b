"""The generator that comes with Visagram: grey faces of 48x48 pixels, from noise along a learned flow.

Everything here runs on ONNX Runtime, so that it works wherever Visagram does; learning the networks takes PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError
from visagram.models.card import Card, open_session, read_card
from visagram.settings import cores
from visagram.synth.batches import in_batches
from visagram.synth.chooser import Chooser
from visagram.synth.generator import Face, check_sampling, image_seed
from visagram.synth.sampling import SIDE, Sampling, flow_back

if TYPE_CHECKING:
    import onnxruntime

NAME = "visagram-diffusion"
BATCH = 16
DRAWS = 8
"""Pairs of time and noise on which the flow is asked which expression explains a face."""
TIMES = (0.3, 0.9)
"""Between which they lie: nearer to the face all expressions explain it, nearer to the noise none."""
Floats = NDArray[np.float32]


def embedded_card() -> Card:
    """Raises `ModelError` where it does not come with this installation."""
    return read_card(NAME)


class Networks:
    """The networks of a generator's file. latents: shape of a face's, (channels, 6, 6).

    Raises `ModelError` for a card that contradicts its file.
    """

    def __init__(self, card: Card, *, threads: int) -> None:
        try:
            self.latents = (int(card.facts["shape"]["latents"]), SIDE, SIDE)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The card of {card.name} lacks its shape: {card.remedy}.") from error
        self._session: onnxruntime.InferenceSession | None = open_session(card, threads)
        nothing = np.zeros((1, *self.latents), np.float32)
        try:
            self.velocity(nothing, np.zeros(1, np.float32), np.zeros(1, np.int64))
            if self.drawn(nothing).shape != (1, CROP, CROP):
                raise ValueError(f"it does not draw faces of {CROP}x{CROP}")
            self.encoded(np.zeros((1, CROP, CROP), np.uint8))
        except ModelError:
            raise
        except Exception as error:
            # The runtime has classes of its own for whatever a graph can do wrong.
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"The generator {card.file} cannot be opened ({reason}): {card.remedy}.") from error

    def velocity(self, latents: Floats, times: Floats, labels: NDArray[np.int64]) -> Floats:
        """(n, c, 6, 6): where the flow leads from latents at times (n,) in 0..1 towards labels (n,), of which `NOBODY`
        means none."""
        return np.asarray(self._run("velocity", latents=latents, times=times, labels=labels), np.float32)

    def drawn(self, latents: Floats) -> NDArray[np.uint8]:
        """What the flow gives as luma (n, 48, 48)."""
        luma = (self._run("drawn", codes=latents)[:, 0].clip(-1, 1) + 1) * 127.5
        return np.asarray(luma.round(), np.uint8)

    def encoded(self, luma: NDArray[np.uint8]) -> Floats:
        """Faces (n, 48, 48) as latents (n, c, 6, 6) that the flow knows."""
        return np.asarray(self._run("encoded", luma=luma[:, None].astype(np.float32) / 127.5 - 1), np.float32)

    @property
    def known(self) -> NDArray[np.uint64]:
        """(n, 6) sketches of the faces that were learned from."""
        return np.asarray(self._run("known"), np.int64).view(np.uint64)

    def close(self) -> None:
        self._session = None

    def _run(self, output: str, **given: NDArray[Any]) -> Any:
        """One output of the file. The networks that are not asked get no faces, so that they cost nothing."""
        if self._session is None:
            raise ModelError("The generator was closed.")
        absent = {
            "latents": np.zeros((0, *self.latents), np.float32),
            "times": np.zeros(0, np.float32),
            "labels": np.zeros(0, np.int64),
            "codes": np.zeros((0, *self.latents), np.float32),
            "luma": np.zeros((0, 1, CROP, CROP), np.float32),
        }
        (found,) = self._session.run([output], absent | given)
        return found


class EmbeddedGenerator:
    """`Generator` over a flow that `visagram synth train` has learned. chooser: of its candidates; without one the
    first is taken, whatever it shows.

    Raises `ModelError` for a card that contradicts its file.
    """

    def __init__(self, card: Card | None = None, chooser: Chooser | None = None) -> None:
        self._card, self._chooser = card or embedded_card(), chooser
        self._networks = Networks(self._card, threads=cores())
        try:
            self._sampling = Sampling.of(self._card.facts["sampling"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The card of {self._card.name} lacks its sampling: {self._card.remedy}.") from error
        self._known = self._networks.known if chooser is not None else np.empty((0, 6), np.uint64)

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
        self._networks.close()
        if self._chooser is not None:
            self._chooser.close()

    def _sample(self, label: int, seeds: Sequence[int], guidance: float, steps: int) -> list[NDArray[np.uint8]]:
        """One image for each seed: the first candidate where nobody chooses; else, of a few at a time until there is a
        good one, the best."""
        # Always as many at a time: the last bits of a sum depend on that.
        padded = [*seeds, *[0] * (BATCH - len(seeds))]
        sources = [np.random.Generator(np.random.Philox(own)) for own in padded]
        if self._chooser is None:
            return list(self._drawn(label, sources, 1, guidance, steps)[: len(seeds), 0])
        best, images = np.full(len(seeds), -np.inf), np.zeros((len(seeds), CROP, CROP), np.uint8)
        waiting = np.ones(len(seeds), bool)
        for _ in range(self._sampling.rounds):
            drawn = self._drawn(label, sources, self._sampling.candidates, guidance, steps)
            merits = self._chooser.merits(drawn.reshape(-1, CROP, CROP), label, self._known)
            value, good = (part.reshape(BATCH, -1)[: len(seeds)] for part in merits)
            places, first = np.arange(len(seeds)), value.argmax(axis=1)
            better = waiting & (value[places, first] > best)
            best[better], images[better] = value[places, first][better], drawn[places, first][better]
            waiting &= ~good.any(axis=1)
            if not waiting.any():
                break
        return list(images)

    def _drawn(
        self, label: int, sources: Sequence[np.random.Generator], candidates: int, guidance: float, steps: int
    ) -> NDArray[np.uint8]:
        """(sources, candidates, 48, 48): the next ones of each source of noise."""
        shape = (candidates, *self._networks.latents)
        noise = np.concatenate([source.standard_normal(shape, np.float32) for source in sources])
        labels = np.full(len(noise), label, np.int64)
        latents = flow_back(self._networks.velocity, noise, labels, guidance, steps)
        return self._networks.drawn(latents).reshape(len(sources), candidates, CROP, CROP)


def class_errors(networks: Networks, latents: Floats, draws: int = DRAWS) -> NDArray[np.float64]:
    """(n, 7) mean squared errors of the velocity for each expression, over `draws` pairs of time and noise that are the
    same for all faces: the better an expression explains a face, the smaller (Li et al. 2023, arXiv 2303.16203)."""
    classes, n = len(EXPRESSIONS), len(latents)
    noise = np.random.Generator(np.random.Philox(0)).standard_normal((draws, *networks.latents), np.float32)
    labels = np.tile(np.arange(classes), n)
    total = np.zeros((n, classes))
    for each, time in zip(noise, np.linspace(*TIMES, draws, dtype=np.float32), strict=True):
        mixed = np.repeat(latents + time * (each - latents), classes, axis=0)
        wanted = np.repeat(each - latents, classes, axis=0)
        velocity = networks.velocity(mixed, np.full(len(mixed), time), labels)
        total += np.square(velocity - wanted).mean(axis=(1, 2, 3), dtype=np.float64).reshape(n, classes)
    return total / draws


def read_own_generator(file: Path) -> Card:
    """The card beside a file that `visagram synth train` has written. Raises `ModelError`."""
    if file.suffix != ".onnx" or not file.is_file():
        raise ModelError(f"{file} is no ONNX file of a generator: give what visagram synth train has written.")
    card = read_card(file.with_suffix("").name, file.parent)
    if card.task != "generation":
        raise ModelError(f"{file} is a model for {card.task}, not a generator of faces.")
    return card
