"""Worker processes as the main program sees them: start, ask, listen, and replace those that die or hang."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import visagram.wire as wire
from visagram.core.segments import Segment, Timeline
from visagram.core.types import Progress, VideoFacts
from visagram.errors import BY_CODE, DecodeFailed, OutputError, VisagramError
from visagram.files import replace_file
from visagram.settings import Settings, cores

if TYPE_CHECKING:
    from visagram.report import Report

_ROOT = Path(__file__).resolve().parent.parent
# Without threads of its own numpy starts faster, needs less address space and gives the same bits on every machine.
_START = (
    "import os, sys; os.environ['OPENBLAS_NUM_THREADS'] = '1'; sys.path.insert(0, sys.argv[1]); "
    "from visagram.worker import main; main()"
)

Message = tuple[str, dict[str, Any], wire.Arrays]
GONE: Message = ("gone", {}, {})


class _Worker:
    """One child process and the thread that listens to it."""

    def __init__(self, inbox: queue.Queue[tuple[_Worker, Message]], debug: bool) -> None:
        self.task: int | None = None
        self.heard = time.monotonic()
        self._inbox = inbox
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(_ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if debug else subprocess.DEVNULL,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, task: int, kind: str, values: dict[str, Any], arrays: wire.Arrays | None = None) -> None:
        self.task, self.heard = task, time.monotonic()
        assert self._process.stdin is not None
        # A dead worker is noticed by its listener; the task is given to another there.
        with contextlib.suppress(OSError):
            wire.send(self._process.stdin, kind, values, arrays)  # type: ignore[arg-type]

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
                if message[0] == "observations":
                    wire.unpack_observations(message[2])
                self._inbox.put((self, message))
        except (ValueError, OSError, KeyError, TypeError):
            # Not a message: the process is out of its mind.
            self._process.kill()
        self._inbox.put((self, GONE))


class Workers:
    """A pool of worker processes; a context manager. They are started when first needed and kept for further videos."""

    def __init__(self, settings: Settings, *, debug: bool = False) -> None:
        self._settings = settings
        self._size = settings.processes or cores()
        self._unexplained = (
            "the decoder crashed, hung or needed more memory than the "
            f"{settings.worker_memory} MiB of the setting worker_memory"
        )
        self._debug = debug
        self._inbox: queue.Queue[tuple[_Worker, Message]] = queue.Queue()
        self._pool: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        while self._pool:
            self._pool.pop().end()

    @property
    def pids(self) -> list[int]:
        """Process ids of the running workers."""
        return [worker.pid for worker in self._pool]

    def probe(self, path: Path) -> tuple[VideoFacts, Timeline]:
        """Probe a file in a worker. Raises the `InputError` that says what is wrong with it."""
        values = {"path": str(path.absolute()), "settings": dataclasses.asdict(self._settings)}
        for _, (kind, answer, arrays) in self._run([("probe", values, {})]):
            if kind == "probed":
                return wire.unpack_facts(answer["facts"]), wire.unpack_timeline(answer["timeline"], arrays)
            raise DecodeFailed(f"{path} could not be probed ({answer.get('reason', 'no answer')}): it may be damaged.")
        raise AssertionError("a task always ends with a message")

    def analyse(
        self, path: Path, facts: VideoFacts, timeline: Timeline, segments: list[Segment]
    ) -> Iterator[tuple[Segment, Message]]:
        """Messages of the workers as they come: `observations`, `track` and `done` of each segment, or `lost`.

        A segment's messages come in order; after a worker died the next attempt does not repeat what was passed on.
        """
        # One segment cannot share the cores with others, so its models and decoder may use two.
        threads = 2 if len(segments) == 1 else 1
        common = {
            "path": str(path.absolute()),
            "settings": dataclasses.asdict(self._settings),
            "facts": wire.pack_facts(facts),
            "timeline": wire.pack_timeline(timeline)[0],
            "threads": threads,
        }
        tasks = []
        for segment in segments:
            values, arrays = wire.pack_segment(segment)
            tasks.append(("segment", common | {"segment": values}, arrays))
        for task, message in self._run(tasks):
            yield segments[task], message

    def annotate(self, path: Path, report: Report, output: Path, progress: Progress) -> None:
        """Write the video at `path` with its `report` drawn in to `output`; whole or not at all.

        Raises `InputError`, `OutputError`, and `UsageError` where it is not the video of the report.
        """
        values = {
            "path": str(path.absolute()),
            "settings": dataclasses.asdict(self._settings),
            "shape": [report.video.bytes, report.video.frames, report.video.width, report.video.height],
            "names": {person.id: person.name for person in report.people},
        }
        rows = wire.pack_observations(report.observations)
        with replace_file(output) as partial:
            task = ("annotate", values | {"output": str(partial.absolute())}, rows)
            try:
                # Closed in time: the worker must be gone before its file is removed.
                with contextlib.closing(self._run([task])) as messages:
                    for _, (kind, answer, _) in messages:
                        if kind == "lost":
                            raise DecodeFailed(
                                f"{path} could not be annotated ({answer['reason']}): it may be damaged."
                            )
                        if kind == "progress":
                            progress("annotate", int(answer["completed"]), int(answer["total"]))
            except OutputError as error:
                raise type(error)(str(error).replace(str(partial.absolute()), str(output))) from None
        progress("annotate", report.video.frames, report.video.frames)

    def _run(self, tasks: list[Message]) -> Generator[tuple[int, Message], None, None]:
        waiting = deque(range(len(tasks)))
        attempts = dict.fromkeys(waiting, 0)
        passed = dict.fromkeys(waiting, 0)
        heard = dict.fromkeys(waiting, 0)
        running: set[int] = set()
        try:
            while waiting or running:
                self._assign(tasks, waiting, running, attempts, heard)
                worker, message = self._next()
                task, kind = worker.task, message[0]
                if worker not in self._pool:
                    # The last words of one that was ended.
                    continue
                failed = kind == "gone" or (kind == "error" and message[1]["code"] == "decode_failed")
                if failed:
                    # One that ran out of memory may not have got all of it back.
                    self._pool.remove(worker)
                    worker.end()
                if task is None or kind == "alive":
                    continue
                if failed:
                    running.discard(task)
                    worker.task = None
                    if attempts[task] < self._settings.attempts:
                        waiting.appendleft(task)
                    else:
                        yield task, ("lost", {"reason": message[1].get("message", self._unexplained)}, {})
                elif kind == "error":
                    worker.task = None
                    raise _rebuilt(message[1])
                else:
                    heard[task] += 1
                    if kind in ("done", "probed"):
                        running.discard(task)
                        worker.task = None
                    if heard[task] > passed[task]:
                        passed[task] = heard[task]
                        yield task, message
        finally:
            # Whoever stopped listening does not want the rest; a busy worker cannot be told, only ended.
            for worker in [w for w in self._pool if w.task is not None]:
                self._pool.remove(worker)
                worker.end()

    def _assign(
        self,
        tasks: list[Message],
        waiting: deque[int],
        running: set[int],
        attempts: dict[int, int],
        heard: dict[int, int],
    ) -> None:
        while waiting and len(running) < self._size:
            idle = next((w for w in self._pool if w.task is None), None)
            if idle is None:
                idle = _Worker(self._inbox, self._debug)
                self._pool.append(idle)
            task = waiting.popleft()
            attempts[task] += 1
            heard[task] = 0
            running.add(task)
            idle.ask(task, *tasks[task])

    def _next(self) -> tuple[_Worker, Message]:
        """The next message; ends workers that gave no sign of life for too long, which makes them say `gone`."""
        while True:
            for worker in self._pool:
                if worker.task is not None and time.monotonic() - worker.heard > self._settings.stall_timeout:
                    worker.heard = time.monotonic()
                    worker._process.kill()
            with contextlib.suppress(queue.Empty):
                return self._inbox.get(timeout=0.2)

    def warm(self, count: int) -> None:
        """Start up to `count` idle processes now, because starting takes longer than probing."""
        while len(self._pool) < min(count, self._size):
            self._pool.append(_Worker(self._inbox, self._debug))


def _rebuilt(values: dict[str, Any]) -> VisagramError:
    """The error that a worker reported, as its own class."""
    error = BY_CODE.get(values["code"], VisagramError)(values["message"])
    if "trace" in values:
        error.add_note(values["trace"])
    return error
