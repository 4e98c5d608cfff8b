"""Where an MPEG transport stream says that its clock is discontinuous: FFmpeg reads that and does not pass it on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SYNC, SIZES = 0x47, (188, 192, 204)
BLOCK = 1 << 16
"""Transport packets that are read at a time."""
ADAPTATION, DISCONTINUITY, CLOCK = 0x20, 0x80, 0x10
"""Bits: a packet has an adaptation field; that says discontinuity; it carries the program's clock."""


def discontinuities(path: Path, pid: int, alive: Callable[[], None]) -> NDArray[np.int64]:
    """Bytes of the file at which a packet of the stream `pid`, or one with the program's clock, is marked as
    discontinuous (ISO/IEC 13818-1, 2.4.3.5). alive: called now and then."""
    size, start = _packing(path)
    if not size:
        return np.empty(0, np.int64)
    found = []
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        while len(content := file.read(size * BLOCK)) >= size:
            alive()
            rows = np.frombuffer(content, np.uint8)[: len(content) // size * size].reshape(-1, size)
            flags = np.where((rows[:, 3] & ADAPTATION > 0) & (rows[:, 4] > 0), rows[:, 5], 0)
            number = (rows[:, 1].astype(np.int64) & 31) << 8 | rows[:, 2]
            marked = (flags & DISCONTINUITY > 0) & ((number == pid) | (flags & CLOCK > 0)) & (rows[:, 0] == SYNC)
            found.append(offset + size * np.flatnonzero(marked))
            offset += len(content)
    return np.concatenate([np.empty(0, np.int64), *found]).astype(np.int64)


def _packing(path: Path) -> tuple[int, int]:
    """Size of a packet with what lies around it, and where the first begins; 0 where that cannot be told."""
    with path.open("rb") as file:
        head = np.frombuffer(file.read(8192), np.uint8)
    for size in SIZES:
        for start in range(size):
            rows = head[start::size]
            if len(rows) > 4 and (rows == SYNC).all():
                return size, start
    return 0, 0
