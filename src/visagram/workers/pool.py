"""A pool of worker processes: start, ask, listen, and replace those that die or hang."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Sequence
from typing import Any

import visagram.wire as wire
from visagram.errors import BY_CODE, Stopped, VisagramError
from visagram.interpreter import command, environment
from visagram.settings import Settings, cores
from visagram.workers.checks import check

Message = tuple[str, dict[str, Any], wire.Arrays]
GONE: Message = ("gone", {}, {})
ENDS = ("answer", "done")
"""Kinds of the last message of a task."""


class _Worker:
    """One child process and the thread that listens to it."""

    def __init__(self, debug: bool) -> None:
        self.heard = time.monotonic()
        self.gone = False
        self._inbox: queue.Queue[tuple[_Worker, Message]] = queue.Queue()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            command("visagram.worker"),
            # Without threads of its own numpy starts faster, needs less address space and gives the same bits on every
            # machine.
            env=environment(OPENBLAS_NUM_THREADS="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if debug else subprocess.DEVNULL,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, inbox: queue.Queue[tuple[_Worker, Message]], task: Message) -> None:
        """Send a task; what the worker says from now on goes into `inbox`, at last that it is gone."""
        with self._lock:
            self._inbox, self.heard = inbox, time.monotonic()
            if self.gone:
                inbox.put((self, GONE))
        assert self._process.stdin is not None
        # A dead worker is noticed by its listener; the task is given to another there.
        with contextlib.suppress(OSError, ValueError):
            wire.send(self._process.stdin, *task)  # type: ignore[arg-type]

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Kill the process if it still runs, and wait for it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if stream:
                    stream.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            while (message := wire.receive(self._process.stdout)) is not None:  # type: ignore[arg-type]
                self.heard = time.monotonic()
                check(*message)
                self._say(message)
        except (ValueError, OSError, KeyError, TypeError):
            # Not a message: the process is out of its mind.
            self._process.kill()
        self._say(GONE)

    def _say(self, message: Message) -> None:
        with self._lock:
            self.gone = message is GONE
            self._inbox.put((self, message))


class Pool:
    """Worker processes, started when first needed and kept. Threads may share it."""

    def __init__(self, settings: Settings, debug: bool) -> None:
        self.size = settings.processes or cores()
        self._settings, self._debug = settings, debug
        self._unexplained = (
            "the decoder crashed, hung or needed more memory than the "
            f"{settings.worker_memory} MiB of the setting worker_memory"
        )
        self._lock = threading.RLock()
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._stopped = False

    @property
    def pids(self) -> list[int]:
        with self._lock:
            return [worker.pid for worker in self._busy + self._idle]

    def warm(self, count: int) -> None:
        """Start up to `count` idle processes."""
        with self._lock:
            while not self._stopped and len(self._idle) + len(self._busy) < min(count, self.size):
                self._idle.append(_Worker(self._debug))

    def stop(self) -> None:
        """End all processes; every task, running or to come, ends with `Stopped`."""
        with self._lock:
            self._stopped = True
            workers = self._idle + self._busy
            self._idle = []
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.end()

    def run(self, tasks: Sequence[Message]) -> Generator[tuple[int, Message], None, None]:
        """Messages of the workers as they come, with the number of their task; `lost` for one that failed every time.

        A task's messages come in order; after a worker died the next attempt does not repeat what was passed on, except
        for a `preview`. Raises `Stopped`, and the error that a worker reported.
        """
        inbox: queue.Queue[tuple[_Worker, Message]] = queue.Queue()
        waiting = deque(range(len(tasks)))
        running: dict[_Worker, int] = {}
        attempts, passed, heard = Counter[int](), Counter[int](), Counter[int]()
        try:
            while waiting or running:
                while waiting and len(running) < self.size:
                    worker, task = self._claim(), waiting.popleft()
                    running[worker] = task
                    attempts[task] += 1
                    heard[task] = 0
                    worker.ask(inbox, tasks[task])
                worker, message = self._next(inbox, running)
                kind = message[0]
                # The last words of one that was ended have no task any more.
                if worker not in running or kind == "alive":
                    continue
                task = running[worker]
                if kind == "gone" or (kind == "error" and message[1]["code"] == "decode_failed"):
                    # One that ran out of memory may not have got all of it back.
                    del running[worker]
                    self._discard(worker)
                    if attempts[task] < self._settings.attempts:
                        waiting.appendleft(task)
                    else:
                        yield task, ("lost", {"reason": message[1].get("message", self._unexplained)}, {})
                elif kind == "error":
                    del running[worker]
                    self._release(worker)
                    raise _rebuilt(message[1])
                elif kind == "preview":
                    yield task, message
                else:
                    heard[task] += 1
                    if kind in ENDS:
                        del running[worker]
                        self._release(worker)
                    if heard[task] > passed[task]:
                        passed[task] = heard[task]
                        yield task, message
        finally:
            # Whoever stopped listening does not want the rest; a busy worker cannot be told, only ended.
            for worker in running:
                self._discard(worker)

    def _claim(self) -> _Worker:
        with self._lock:
            if self._stopped:
                raise Stopped("The work was stopped.")
            for worker in [idle for idle in self._idle if idle.gone]:
                self._idle.remove(worker)
                worker.end()
            worker = self._idle.pop() if self._idle else _Worker(self._debug)
            self._busy.append(worker)
            return worker

    def _release(self, worker: _Worker) -> None:
        """Keep a worker for later, unless there are enough."""
        with self._lock:
            if not self._stopped and len(self._idle) + len(self._busy) <= self.size:
                self._busy.remove(worker)
                self._idle.append(worker)
                return
        self._discard(worker)

    def _discard(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.remove(worker)
        worker.end()

    def _next(
        self, inbox: queue.Queue[tuple[_Worker, Message]], running: dict[_Worker, int]
    ) -> tuple[_Worker, Message]:
        """The next message; ends workers that gave no sign of life for too long, which makes them say `gone`."""
        while True:
            for worker in running:
                if time.monotonic() - worker.heard > self._settings.stall_timeout:
                    worker.heard = time.monotonic()
                    worker.kill()
            with contextlib.suppress(queue.Empty):
                message = inbox.get(timeout=0.2)
                if self._stopped:
                    raise Stopped("The work was stopped.")
                return message


def _rebuilt(values: dict[str, Any]) -> VisagramError:
    """The error that a worker reported, as its own class."""
    error = BY_CODE.get(values["code"], VisagramError)(values["message"])
    if "trace" in values:
        error.add_note(values["trace"])
    return error
