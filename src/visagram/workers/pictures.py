"""Many pictures shared out to worker processes; one that ends its worker costs no other picture."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

import visagram.wire as wire
from visagram.core.stages import Framing
from visagram.workers.pool import Message, Pool

Look = Literal["whole", "cropped", "detect", "by size"]
"""The luma as it is stored; the picture as one face of 48x48; the largest face that the detector finds, aligned; of a
picture of at most `SMALL` pixels the second, of a larger one the third."""
CHUNK = {"whole": 1, "cropped": 256, "detect": 16, "by size": 16}
"""Pictures in one request."""


class Seen(NamedTuple):
    """luma: (h, w) uint8, None where there is none. crops: (h, w, 3) uint8 BGR, one per framing that was asked for.
    faces: how many were found. error: why it cannot be read, or ''. cropped: the picture was taken as a face."""

    luma: NDArray[np.uint8] | None
    crops: tuple[NDArray[np.uint8], ...]
    faces: int
    error: str
    cropped: bool = False


def look_at(
    pool: Pool, common: dict[str, Any], names: Sequence[str], look: Look, framings: Sequence[Framing]
) -> Iterator[tuple[int, Seen]]:
    """Each picture with its place in `names`, as they come. common: the values that every request has."""
    common = common | {"look": look, "framings": [dataclasses.asdict(framing) for framing in framings]}
    size = CHUNK[look]
    waiting = [range(start, min(start + size, len(names))) for start in range(0, len(names), size)]
    while waiting:
        chunks, waiting = waiting, []
        answered = [0] * len(chunks)
        tasks: list[Message] = [
            ("pictures", common | {"names": [names[index] for index in chunk]}, {}) for chunk in chunks
        ]
        with contextlib.closing(pool.run(tasks)) as messages:
            for task, (said, values, arrays) in messages:
                chunk, done = chunks[task], answered[task]
                if said == "picture" and done < len(chunk):
                    answered[task] += 1
                    yield chunk[done], _seen(values, arrays, len(framings))
                elif said == "lost" and done < len(chunk):
                    # The picture after the last that was answered ended every worker that tried it.
                    yield chunk[done], Seen(None, (), 0, f"{names[chunk[done]]} cannot be read: {values['reason']}.")
                    waiting += [chunk[done + 1 :]] if done + 1 < len(chunk) else []


def _seen(values: dict[str, Any], arrays: wire.Arrays, crops: int) -> Seen:
    """A worker's answer. One that lacks what was asked for holds no face."""
    wanted = [f"crop{k}" for k in range(crops)]
    if values["error"] or "luma" not in arrays or any(name not in arrays for name in wanted):
        return Seen(None, (), 0, values["error"])
    return Seen(arrays["luma"], tuple(arrays[name] for name in wanted), values["faces"], "", values["cropped"])
