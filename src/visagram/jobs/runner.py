"""A worker process: claims units and does them until its supervisor is gone.

Started by `visagram.jobs.supervisor`, which writes one line of JSON to its standard input and keeps that open: when it
closes, however the supervisor died, the process ends at once and its lease runs out.
"""

from __future__ import annotations

import json
import os
import socket
import time

from sqlalchemy.exc import OperationalError

from visagram.jobs.child import end_with_input, first_line
from visagram.jobs.leases import Leases
from visagram.jobs.run import Runner
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.settings import ServerSettings, Settings

IDLE_SECONDS = 0.2
"""How often an idle process looks for work."""


def main() -> None:
    """Work until standard input ends."""
    started = json.loads(first_line())
    settings, server = Settings(**started["settings"]), ServerSettings(**started["server"])
    end_with_input()
    store = Store.of_folder(server.folder)
    storage = Storage(server.folder, server.keep_free << 20)
    queue = Leases(store, f"{socket.gethostname()}:{os.getpid()}", server.lease_seconds)
    runner = Runner(store, storage, queue, settings, server.training_folder)
    while True:
        try:
            lease = queue.claim()
        except OperationalError:
            # The database is busy or the disk is full: whoever can help will, and the work is not lost.
            time.sleep(1)
            continue
        if lease is None:
            time.sleep(IDLE_SECONDS)
        else:
            runner.run(lease)


if __name__ == "__main__":
    main()
