"""The worker process: does what the main process asks for with one file, under limits of its own.

Started as a fresh interpreter by `visagram.workers`, never by fork or from the caller's `__main__`. It reads requests
from standard input and writes messages to standard output; it ends when its input does.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from pathlib import Path
from typing import BinaryIO

import visagram.wire as wire
from visagram.errors import VisagramError
from visagram.settings import Settings
from visagram.worker.replies import Replies
from visagram.worker.tasks import WRITING, Tasks


def main() -> None:
    """Serve requests until standard input ends."""
    requests, replies = _take_streams()
    # The models' libraries take longer to load than a probe to run.
    warm_up = _WarmUp()
    warm_up.start()
    tasks = Tasks(replies, warm_up.finish)
    while (request := wire.receive(requests)) is not None:
        kind, values, arrays = request
        settings = Settings(**values["settings"])
        _limit(settings, writes=kind in WRITING)
        try:
            tasks.do(kind, Path(values["path"]), settings, values, arrays)
        except VisagramError as error:
            replies.send("error", {"code": error.code, "message": str(error)})
        except Exception as error:
            if _is_shortage(error):
                reason = f"more than the {settings.worker_memory} MiB of the setting worker_memory were needed"
                replies.send("error", {"code": "decode_failed", "message": reason})
                continue
            trace = traceback.format_exc()
            replies.send("error", {"code": "internal", "message": f"{type(error).__name__}: {error}", "trace": trace})


def _take_streams() -> tuple[BinaryIO, Replies]:
    """Keep the pipes for messages alone: whatever a library prints goes to standard error."""
    requests, replies = os.fdopen(os.dup(0), "rb"), Replies(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return requests, replies


class _WarmUp(threading.Thread):
    """Imports the models' libraries beside the first request."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            import visagram.compose  # noqa: F401
        except Exception as error:
            self._error = error

    def finish(self) -> None:
        """Wait, and raise what went wrong: a second import would only find half a module and hide the reason."""
        self.join()
        if self._error is not None:
            raise self._error


def _limit(settings: Settings, *, writes: bool) -> None:
    """Bound what a hostile file can take: memory, and files it could write (none, unless the task `writes`)."""
    if sys.platform == "win32":
        return
    import resource

    wanted = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: resource.RLIM_INFINITY if writes else 0}
    if sys.platform == "linux":
        wanted[resource.RLIMIT_AS] = settings.worker_memory << 20
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, hard))


def _is_shortage(error: Exception) -> bool:
    """Whether the memory limit was hit: libraries have their own ways to say so."""
    signs = ("bad_alloc", "allocate memory", "failed to map segment", "can't start new thread")
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)
