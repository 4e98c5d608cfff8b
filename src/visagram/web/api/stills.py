"""Single pictures of videos. FFmpeg runs in a child process, one for all requests, which ends when nobody asks."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from pathlib import Path

from visagram.errors import InputError, OutputError
from visagram.files import replace_file
from visagram.jobs.storage import Storage
from visagram.settings import Settings
from visagram.web.problems import too_busy
from visagram.workers import Workers

IDLE_SECONDS = 60.0
PATIENCE = 20.0
"""Seconds for which a request waits for the pictures of others."""
MOST_KEPT = 400
"""Pictures that are kept of one video."""
_STEP = 80

Box = tuple[int, int, int, int]
"""x, y, w, h in pixels of the displayed picture."""


class Stills:
    """`get` is safe to call from several threads; the pictures are made one after the other and kept as files."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage, self._settings = storage, dataclasses.replace(settings, processes=1)
        self._lock = threading.Lock()
        self._workers: Workers | None = None
        self._idle: threading.Timer | None = None

    def get(self, sha256: str, time: float, width: int, box: Box | None = None) -> bytes:
        """The picture shown at `time` in seconds as JPEG, `width` pixels wide or the video's own width.

        box: only this part of it. Raises a `Problem` where too many ask, and the `InputError` that says what is wrong
        with the video.
        """
        width = max(_STEP, -(-width // _STEP) * _STEP)
        name = [round(time * 1000), width, *(box or ())]
        path = self._storage.media(sha256) / "stills" / f"{'-'.join(map(str, name))}.jpg"
        if (kept := _read(path)) is not None:
            return kept
        if not self._lock.acquire(timeout=PATIENCE):
            raise too_busy("The server is busy making other pictures: ask again in a moment.")
        try:
            if (kept := _read(path)) is not None:
                return kept
            content = self._made(self._storage.blob(sha256), time, width, box)
            self._keep(path, content)
            return content
        finally:
            self._wait_for_idleness()
            self._lock.release()

    def has_face(self, picture: bytes) -> bool:
        """Whether an analysis would find a face in a JPEG. Raises a `Problem` where too many ask."""
        if not self._lock.acquire(timeout=PATIENCE):
            raise too_busy("The server is busy making other pictures: ask again in a moment.")
        try:
            with self._storage.temporary() as folder:
                (folder / "face.jpg").write_bytes(picture)
                ((_, seen),) = self._children().pictures(folder, ["face.jpg"], "detect")
                return seen.luma is not None
        finally:
            self._wait_for_idleness()
            self._lock.release()

    def close(self) -> None:
        """End the child process; the next request starts another."""
        with self._lock:
            self._end()

    @property
    def pids(self) -> list[int]:
        """Process id of the child, if there is one."""
        workers = self._workers
        return workers.pids if workers is not None else []

    def _made(self, blob: Path, time: float, width: int, box: Box | None) -> bytes:
        try:
            return self._children().still(blob, time, width, box)
        except InputError as error:
            # Whoever asks has no business with the place of the bytes.
            raise type(error)(str(error).replace(str(blob), "The video")) from error

    def _children(self) -> Workers:
        if self._workers is None:
            self._workers = Workers(self._settings)
        return self._workers

    def _keep(self, path: Path, content: bytes) -> None:
        """Keep a picture as long as there is room; without it the next one who asks waits, that is all."""
        with contextlib.suppress(OutputError):
            self._storage.reserve(len(content))
            with replace_file(path) as partial:
                partial.write_bytes(content)
            _forget_oldest(path.parent)

    def _wait_for_idleness(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = threading.Timer(IDLE_SECONDS, self.close)
        self._idle.daemon = True
        self._idle.start()

    def _end(self) -> None:
        workers, self._workers = self._workers, None
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if workers is not None:
            workers.close()


def _read(path: Path) -> bytes | None:
    """What was kept, which is remembered to have been asked for; None where there is nothing."""
    try:
        os.utime(path)
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _forget_oldest(folder: Path) -> None:
    kept = sorted(folder.glob("*.jpg"), key=_age)
    for path in kept[: max(0, len(kept) - MOST_KEPT)]:
        path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0
