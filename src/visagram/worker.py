"""The worker process: probes and analyses segments that the main process names, under limits of its own.

Started as a fresh interpreter by `visagram.workers`, never by fork or from the caller's `__main__`. It reads requests
from standard input and writes messages to standard output; it ends when its input does.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import visagram.wire as wire
from visagram.core.segments import Segment
from visagram.core.types import Frame
from visagram.errors import UsageError, VisagramError
from visagram.settings import Settings

if TYPE_CHECKING:
    from visagram.compose import Models


SAY_EVERY = 0.1
"""Seconds between two messages about progress."""
ALIVE_EVERY = 1.0
"""Seconds of silence after which a worker says that it is alive."""


def main() -> None:
    """Serve requests until standard input ends."""
    requests, replies = _take_streams()
    # The models' libraries take longer to load than a probe to run.
    warm_up = _WarmUp()
    warm_up.start()
    models: Models | None = None
    while (request := wire.receive(requests)) is not None:
        kind, values, arrays = request
        settings = Settings(**_tuples(values["settings"]))
        _limit(settings, writes=kind == "annotate")
        try:
            if kind == "probe":
                _probe(replies, Path(values["path"]), settings)
            elif kind == "annotate":
                _annotate(replies, values, arrays, settings)
            else:
                warm_up.finish()
                models = _analyse(replies, values, arrays, settings, models)
        except VisagramError as error:
            replies.send("error", {"code": error.code, "message": str(error)})
        except Exception as error:
            if _is_shortage(error):
                reason = f"more than the {settings.worker_memory} MiB of the setting worker_memory were needed"
                replies.send("error", {"code": "decode_failed", "message": reason})
                continue
            trace = traceback.format_exc()
            replies.send("error", {"code": "internal", "message": f"{type(error).__name__}: {error}", "trace": trace})


class Replies:
    """The way back to the main process; any thread may use it."""

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


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


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


def _probe(replies: Replies, path: Path, settings: Settings) -> None:
    from visagram.media.probe import probe

    facts, timeline = probe(path, settings, replies.alive)
    values, arrays = wire.pack_timeline(timeline)
    replies.send("probed", {"facts": wire.pack_facts(facts), "timeline": values}, arrays)


def _analyse(
    replies: Replies, values: dict[str, Any], arrays: wire.Arrays, settings: Settings, models: Models | None
) -> Models:
    """Analyse one segment: a message per round, then one with its tracks and counts."""
    from visagram.compose import Models, open_frames, open_stretch

    facts = wire.unpack_facts(values["facts"])
    segment = wire.unpack_segment(values["segment"], arrays)
    timeline = wire.unpack_timeline(values["timeline"], {"pts": segment.pts[:0], "keys": segment.pts[:0]})
    threads = int(values["threads"])
    with open_frames(Path(values["path"]), facts, timeline, segment, settings, threads, replies.alive) as source:
        if models is None or models.threads != threads:
            models = Models(threads)
        counted = _Counted(source, segment)
        stretch = open_stretch(counted, models, facts, settings)
        for observations in stretch:
            replies.send("observations", {"frames": counted.frames}, wire.pack_observations(observations))
        for track in stretch.tracks():
            replies.send("track", *wire.pack_track(track))
        done = {"frames": counted.frames, "span": counted.span, "damaged": source.damaged}
        replies.send("done", done)
    return models


def _annotate(replies: Replies, values: dict[str, Any], arrays: wire.Arrays, settings: Settings) -> None:
    """Write the annotated video to the path that the main process made for it."""
    from visagram.media.annotate import annotate
    from visagram.media.probe import probe

    path, said = Path(values["path"]), 0.0
    facts, timeline = probe(path, settings, replies.alive)
    if [facts.bytes, facts.frames, facts.width, facts.height] != values["shape"]:
        raise UsageError(f"{path} is not the video that was analysed, or it has changed since: analyse it again.")

    def progress(_stage: str, completed: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            replies.send("progress", {"completed": completed, "total": total})

    names = {int(person): name for person, name in values["names"].items()}
    rows = wire.unpack_observations(arrays)
    annotate(path, facts, timeline, rows, names, Path(values["output"]), settings, progress)
    replies.send("done")


class _Counted:
    """Frames passed on, and counted up to the overlap."""

    def __init__(self, frames: Iterable[Frame], segment: Segment) -> None:
        self._frames = frames
        overlap = segment.frames[segment.core : segment.core + 1]
        self._stop = int(overlap[0]) if len(overlap) else None
        self.frames, self.span = 0, 0.0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if self._stop is None or frame.index < self._stop:
                self.frames += 1
                self.span += float(frame.span)
            yield frame
