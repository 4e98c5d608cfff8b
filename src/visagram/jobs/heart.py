"""What keeps a lease while its unit is worked on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import OperationalError

from visagram.jobs.leases import Lease, LeaseLost, Leases

BEAT_SECONDS = 1.0


class Heart:
    """Keeps a lease while its unit is worked on, and stops the work when the lease is gone.

    stop: ends the work, called from another thread. every: seconds between two beats. clock: seconds from any point on.
    """

    def __init__(
        self,
        queue: Leases,
        lease: Lease,
        stop: Callable[[], None],
        *,
        every: float = BEAT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue, self._lease, self._stop = queue, lease, stop
        self._every, self._clock = every, clock
        self.completed = 0
        self.total: int | None = None
        self.preview: dict[str, Any] | None = None
        self.lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raise `LeaseLost` as soon as there is no use in going on."""
        if self.lost:
            raise LeaseLost

    def progress(self, _stage: str, completed: int, total: int) -> None:
        """Takes what a stage says of its progress."""
        self.check()
        self.completed, self.total = completed, total

    def _beat(self) -> None:
        renewed = self._clock()
        while not self._over.wait(self._every):
            preview, self.preview = self.preview, None
            try:
                self._queue.beat(self._lease, self.completed, self.total, preview)
                renewed = self._clock()
            except LeaseLost:
                break
            except OperationalError:
                # A busy or full database: the lease holds on for a while without us.
                if self._clock() - renewed > self._queue.seconds:
                    break
        else:
            return
        self.lost = True
        self._stop()
