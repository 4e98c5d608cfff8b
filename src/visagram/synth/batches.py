"""Many images in batches that memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from visagram.errors import GenerationFailed

Made = TypeVar("Made")


def in_batches(
    make: Callable[[Sequence[int]], list[Made]],
    numbers: Sequence[int],
    size: int,
    name: str,
    out_of_memory: tuple[type[Exception], ...] = (MemoryError,),
) -> Iterator[Made]:
    """What `make` gives for the numbers, at most `size` at a time; where memory runs out, which one of `out_of_memory`
    says, half as many from there on.

    Raises `GenerationFailed` where it does not suffice for one.
    """
    at = 0
    while at < len(numbers):
        part = numbers[at : at + size]
        try:
            made = make(part)
        except out_of_memory as error:
            if len(part) == 1:
                raise GenerationFailed(
                    f"{name} has not enough memory for a single image: close other programs, use a smaller model, or "
                    "generate on the processor."
                ) from error
            size = len(part) // 2
            continue
        yield from made
        at += len(part)
