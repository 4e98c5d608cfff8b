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
        came before it.

        guidance: how strongly the expression is insisted on; steps: of the sampler; None for the generator's own.
        Raises `GenerationFailed` where memory does not suffice for a single one.
        """
        ...

    def close(self) -> None:
        """Give the memory of its networks back."""
        ...


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
