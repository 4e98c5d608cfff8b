"""What every generator of faces does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visagram.core.labels import NAMES, expression_of
from visagram.core.types import EXPRESSIONS
from visagram.errors import UsageError

MOST_STEPS = 1000
MOST_GUIDANCE = 20.0


@dataclass(frozen=True, slots=True)
class Face:
    """A generated face and where it comes from.

    image: (h, w) grey or (h, w, 3) RGB, uint8. number: its place under the seed that was asked for, from 0. seed: its
    own. prompt: words that it was made from, empty where it was made from an expression alone. parameters: of the
    generator, as JSON types. refused: why the generator itself will not give the image (a safety checker), else empty.
    """

    image: NDArray[np.uint8]
    number: int
    seed: int
    prompt: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


class Generator(Protocol):
    """Makes faces that show an expression.

    name: as the catalogue has it. facts: what a manifest keeps of its card: name, version, sha256, licence.
    """

    @property
    def name(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...

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
        """Faces `first` to `count - 1` of a seed, as they come. The same seed and number give the same image, whatever
        came before it, but for rounding where the networks of others make batches of other sizes (one grey level).

        expression: one of `EXPRESSIONS`. guidance: how strongly it is insisted on, 0 to 20; steps: of the sampler, 1 to
        1000; None for the generator's own, and both are told among the parameters of a face. Raises `UsageError` for
        others, `GenerationFailed` where memory does not suffice for a single one, `ModelError` after `close`.
        """
        ...

    def close(self) -> None:
        """Give the memory of its networks back."""
        ...


def check_sampling(guidance: float | None, steps: int | None) -> None:
    """Raises `UsageError` for what no sampler can do."""
    if guidance is not None and not 0 <= guidance <= MOST_GUIDANCE:
        raise UsageError(f"The guidance is {guidance}; it must be 0 to {MOST_GUIDANCE:.0f}.")
    if steps is not None and not 1 <= steps <= MOST_STEPS:
        raise UsageError(f"The sampler was asked for {steps} steps; it takes 1 to {MOST_STEPS}.")


def image_seed(seed: int, expression: str, number: int) -> int:
    """The seed of one image, 0 to 2**63 - 1: neighbouring ones have nothing in common."""
    digest = hashlib.blake2b(f"{seed}/{expression}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def expression_named(name: str) -> str:
    """Our name of an expression: `happiness`, `anger` … are known too. Raises `UsageError` that lists them."""
    found = expression_of(name)
    if found is None:
        known = ", ".join(f"{ours} ({', '.join(NAMES[ours][1:])})" for ours in EXPRESSIONS)
        raise UsageError(f"There is no expression {name[:40]!r}; there are {known}.")
    return found
