"""The SHA-256 of a file, computed beside the work on it, and whether the file stayed the same meanwhile."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20
"""Bytes that are hashed at a time."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held. sha256: empty where that is not known. changed: whether it was another one at the end."""

    sha256: str
    changed: bool


class FileDigest:
    """A context manager: leaving it ends the thread. Make it before anything reads the file; `begin` once it is known
    that the file is worth reading."""

    def __init__(self, path: Path) -> None:
        self._path, self._before = path, _state(path)
        self._over = threading.Event()
        self._found: str | None = None
        self._content: Content | None = None
        # Whoever interrupts the program does not wait for a slow disk.
        self._thread = threading.Thread(target=self._read, name="digest", daemon=True)

    def __enter__(self) -> FileDigest:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def begin(self) -> None:
        """Hash the file in a thread of its own."""
        self._thread.start()

    def finish(self) -> Content:
        """Wait for the digest. What a file is when this is called first is compared with what it was."""
        if self._content is None:
            self._thread.join()
            if self._found is None:
                self._over.clear()
                self._read()
            changed = not self._found or self._before is None or _state(self._path) != self._before
            self._content = Content("" if changed else self._found or "", changed)
        return self._content

    def _read(self) -> None:
        digest = hashlib.sha256()
        try:
            with self._path.open("rb") as file:
                while block := file.read(BLOCK):
                    if self._over.is_set():
                        return
                    digest.update(block)
        except (OSError, ValueError):
            self._found = ""
        else:
            self._found = digest.hexdigest()


def _state(path: Path) -> tuple[int, int, int, int] | None:
    """Which file lies at `path`, its size and when it was written; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
