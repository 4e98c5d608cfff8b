"""The way back from a worker process."""

from __future__ import annotations

import threading
import time
from typing import Any, BinaryIO

import visagram.wire as wire

SAY_EVERY = 0.1
"""Seconds between two messages about progress."""
ALIVE_EVERY = 1.0
"""Seconds of silence after which a worker says that it is alive."""


class Replies:
    """Messages to the main process; any thread may send them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._spoke = time.monotonic()

    def send(self, kind: str, values: dict[str, Any] | None = None, arrays: wire.Arrays | None = None) -> None:
        with self._lock:
            wire.send(self._stream, kind, values, arrays)
            self._spoke = time.monotonic()

    def alive(self) -> None:
        """Say that work goes on, where nothing else was said for a while: a round of frames can take minutes."""
        if time.monotonic() - self._spoke > ALIVE_EVERY:
            self.send("alive")

    def progress(self, _stage: str, completed: int, total: int) -> None:
        """Say how far a task is, not too often."""
        if time.monotonic() - self._spoke > SAY_EVERY:
            self.send("progress", {"completed": completed, "total": total})
