"""What processes under a supervisor have in common: a line to begin with, and an end that comes with their parent's.

The descriptor is read, not `sys.stdin`: a thread that holds its lock would hang a fork and abort an orderly exit.
"""

from __future__ import annotations

import os
import threading


def first_line() -> bytes:
    """What the parent writes at the start."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def end_with_input() -> None:
    """End this process as soon as standard input does, which it does however the parent died."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, name="parent", daemon=True).start()
