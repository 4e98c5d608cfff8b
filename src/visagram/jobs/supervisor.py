"""The process behind `visagram serve`: holds the data folder, keeps worker processes and the web server alive, tidies.

One per data folder, by a lock that the operating system releases with the process. Its children end with it, because
they watch the pipe to it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy.exc import OperationalError

from visagram.errors import FolderInUse, UsageError
from visagram.interpreter import command, environment
from visagram.jobs.owners import Owners
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.jobs.videos import Videos
from visagram.settings import ServerSettings, Settings, cores

LOCK_SECONDS = 5.0
"""How long to wait for the lock: a server that was just killed may take a moment to vanish."""
WATCH_SECONDS = 0.5
TIDY_SECONDS = 60.0
RESTART_SECONDS = (0.2, 1.0, 5.0, 20.0)
"""Waits before a child that dies at once is started again."""
LIVED = 30.0


class Supervisor:
    """`with Supervisor(...) as supervisor: supervisor.run()`. web: the module that serves, none for workers alone."""

    def __init__(self, settings: Settings, server: ServerSettings, web: str | None = None) -> None:
        self._settings, self._server = settings, server
        self._storage = Storage(server.folder, server.keep_free << 20)
        self._lock = FileLock(server.folder / "lock", timeout=LOCK_SECONDS)
        self._children = [_Child("visagram.jobs.runner") for _ in range(server.workers or cores())]
        self._children += [_Child(web)] if web else []
        self._over = threading.Event()
        self.store = Store.of_folder(server.folder)

    def __enter__(self) -> Supervisor:
        self._storage.make()
        try:
            self._lock.acquire()
        except Timeout:
            raise FolderInUse(
                f"Another Visagram server works on {self._server.folder}: stop it, or choose another folder with "
                "VISAGRAM_DATA."
            ) from None
        self._storage.empty_temporary()
        self.store.migrate()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for child in self._children:
            child.end()
        self.store.close()
        self._lock.release()

    def address(self) -> str:
        """Where a browser finds the server, with a token where one is needed. Raises `UsageError` for a port in use."""
        server = self._server
        _check_port(server)
        shown = "localhost" if server.is_loopback or server.host in ("0.0.0.0", "::") else server.host
        page = f"http://{f'[{shown}]' if ':' in shown else shown}:{server.port}/"
        if not server.needs_token:
            return page
        return f"{page}?token={server.token or Owners(self.store).issue('start')}"

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Start the children and keep them alive until `stop`. ready: called once when the server answers."""
        videos = Videos(self.store, self._storage, self._server)
        message = {"settings": dataclasses.asdict(self._settings), "server": dataclasses.asdict(self._server)}
        tidied, waiting = 0.0, ready
        while not self._over.is_set():
            for child in self._children:
                if (gone := child.keep(message)) is not None:
                    self._storage.empty_temporary(gone)
            # A full disk must not end the server: deleting is how space comes back.
            with contextlib.suppress(OperationalError, OSError):
                if not tidied or time.monotonic() - tidied > TIDY_SECONDS or videos.untidy():
                    videos.tidy()
                    tidied = time.monotonic()
            if waiting is not None and _answers(self._server):
                waiting()
                waiting = None
            self._over.wait(WATCH_SECONDS)

    def stop(self) -> None:
        self._over.set()

    @property
    def pids(self) -> list[int]:
        """Process ids of the children that run."""
        return [child.process.pid for child in self._children if child.process and child.process.poll() is None]


def _check_port(server: ServerSettings) -> None:
    try:
        with socket.create_server((server.host, server.port), family=_family(server.host)):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"Port {server.port} of {server.host} cannot be used ({reason}): choose another with --port."
        ) from error


def _answers(server: ServerSettings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)
    with contextlib.suppress(OSError), socket.create_connection((host, server.port), timeout=0.2):
        return True
    return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@dataclass
class _Child:
    module: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    again: float = 0.0

    def keep(self, message: dict[str, Any]) -> int | None:
        """Start the process where it does not run; one that keeps dying is given more and more time. Returns the id of
        a process that has died since."""
        now, gone = time.monotonic(), None
        if self.process is not None:
            if self.process.poll() is None:
                return None
            gone = self.process.pid
            self.end()
            self.deaths = 0 if now - self.started > LIVED else self.deaths + 1
            self.again = now + RESTART_SECONDS[min(self.deaths, len(RESTART_SECONDS) - 1)]
        if now < self.again:
            return gone
        self.process = subprocess.Popen(command(self.module), env=environment(), stdin=subprocess.PIPE)
        self.started = now
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        return gone

    def end(self) -> None:
        """Ask the process to end by closing its input, and insist after a while."""
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
