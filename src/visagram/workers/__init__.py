"""Worker processes as the main program sees them: everything that is done with a hostile file is asked for here."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import visagram.wire as wire
from visagram.core.segments import Probed, Segment, Timeline
from visagram.core.stages import Framing
from visagram.core.types import Observations, Progress, VideoFacts
from visagram.errors import DecodeFailed, OutputError, Stopped
from visagram.files import replace_file
from visagram.settings import Settings
from visagram.workers import checks
from visagram.workers.pictures import Look, Seen, look_at
from visagram.workers.pool import Message, Pool

if TYPE_CHECKING:
    from visagram.report import Report

__all__ = ["Look", "Message", "Seen", "Stopped", "Workers"]


class Workers:
    """A pool of worker processes; a context manager. They are started when first needed and kept for further videos.

    Threads may share one, and any thread may `close` it. Every method raises `Stopped` once it is closed.
    """

    def __init__(self, settings: Settings, *, debug: bool = False) -> None:
        self.settings = settings
        self._pool = Pool(settings, debug)
        self._stills = threading.BoundedSemaphore(self._pool.size)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes at once; what still runs in other threads raises `Stopped`."""
        self._pool.stop()

    stop = close

    @property
    def pids(self) -> list[int]:
        """Process ids of the running workers."""
        return self._pool.pids

    def warm(self, count: int) -> None:
        """Start up to `count` idle processes now, because starting takes longer than probing."""
        self._pool.warm(count)

    def probe(self, path: Path) -> Probed:
        """Probe a file in a worker. Raises the `InputError` that says what is wrong with it."""
        values, arrays = self._answer("probe", path, "probed")
        return wire.unpack_probed(values, arrays)

    def playable(self, path: Path) -> str | None:
        """None where browsers play the file as it is and at our times, else why they do not. Raises `InputError`."""
        reason = self._answer("playable", path, "probed")[0]["reason"]
        return None if reason is None else str(reason)

    def analyse(
        self,
        path: Path,
        facts: VideoFacts,
        timeline: Timeline,
        segments: list[Segment],
        *,
        threads: int | None = None,
        preview: bool = False,
    ) -> Iterator[tuple[Segment, Message]]:
        """Messages of the workers as they come: `observations`, `track` and `done` of each segment, or `lost`.

        A segment's messages come in order; after a worker died the next attempt does not repeat what was passed on.

        threads: of each worker's models, on which the last bits of the result depend: 2 where the video's plan has one
        segment, else 1; by default `segments` are the whole plan. preview: about once a second each worker also sends
        a `preview`, the last frame of a round: values `time` in seconds, `width` and `height` of the displayed picture
        and `faces`, each with `box` (x, y, w, h in its pixels), `emotion` (None where unusable) and `probability`;
        array `jpeg`, (n,) uint8, the picture at most 480 pixels wide.
        """
        common = self._values(path) | {
            "facts": wire.pack_facts(facts),
            "timeline": wire.pack_timeline(timeline)[0],
            # One segment cannot share the cores with others, so its models and decoder may use two.
            "threads": threads or (2 if len(segments) == 1 else 1),
            "preview": preview,
        }
        tasks: list[Message] = []
        for segment in segments:
            values, arrays = wire.pack_segment(segment)
            tasks.append(("segment", common | {"segment": values}, arrays))
        for task, message in self._pool.run(tasks):
            yield segments[task], message

    def annotate(self, path: Path, report: Report, output: Path, progress: Progress) -> None:
        """Write the video at `path` with its `report` drawn in to `output`; whole or not at all.

        Raises `InputError`, `OutputError`, and `UsageError` where it is not the video of the report.
        """
        values = _shape(report) | {"names": {person.id: person.name for person in report.people}}
        self._write("annotate", path, values, wire.pack_observations(report.observations), output, progress)
        progress("annotate", report.video.frames, report.video.frames)

    def derive_proxy(self, path: Path, output: Path, progress: Progress) -> None:
        """Write a copy of the video that every browser plays to `output`, an MP4 file; whole or not at all.

        Its times are the original's, from the video's start. progress: its stage is `proxy`. Raises `InputError` and
        `OutputError`.
        """
        self._write("proxy", path, {}, {}, output, progress)

    def derive_strip(self, path: Path, folder: Path, poster_time: float | None = None) -> dict[str, Any]:
        """Write `poster.jpg`, `strip-<k>.jpg` and, when those are whole, `strip.json` into `folder`; gives its content.

        That is {width, height, columns, rows, interval, count, files}: thumbnail `i` stands for the seconds from
        `i * interval` on; it is the cell `i % (columns * rows)` of sheet `i // (columns * rows)`, row by row. All
        sheets have the same size. poster_time: in seconds, by default a bright moment near the beginning. Raises
        `InputError` and `OutputError`.
        """
        values, arrays = self._answer("strip", path, "read", {"poster_time": poster_time})
        with _sense(path):
            facts, files = checks.strip(values, arrays)
        for name, content in (files | {"strip.json": json.dumps(facts).encode()}).items():
            with replace_file(folder / name) as partial:
                partial.write_bytes(content)
        return facts

    def still(self, path: Path, time: float, width: int, box: Sequence[float] | None = None) -> bytes:
        """The picture that is displayed at `time` in seconds, at most `width` pixels wide, as JPEG.

        box: x, y, w, h in its pixels, to show this part alone, as far as the picture holds it. Times outside the video
        give its first or last picture. The first call for a file reads it to its end, further ones are quick. Raises
        `InputError`, and `UsageError` for what is no time or no box.
        """
        with self._stills:
            _, arrays = self._answer("still", path, "read", {"time": time, "width": width, "box": box})
        with _sense(path):
            return checks.jpeg(arrays["jpeg"])

    def faces(self, path: Path, report: Report, rows: Observations) -> NDArray[np.uint8]:
        """(m, 48, 48) luma of those faces of the `report` of the video at `path` that `rows` holds, by frame, as an
        analysis cuts them out; without those whose frames do not decode.

        Raises `InputError`, and `UsageError` where it is not the video of the report.
        """
        wanted: wire.Arrays = {"frame": rows.frame, "landmarks": rows.landmarks}
        _, arrays = self._answer("faces", path, "read", _shape(report), wanted)
        with _sense(path):
            return checks.faces(arrays, len(rows))

    def pictures(
        self, folder: Path, names: Sequence[str], look: Look, framings: Sequence[Framing] = ()
    ) -> Iterator[tuple[int, Seen]]:
        """What there is to see in pictures below `folder`, each with its place in `names`, as they come.

        framings: further crops that are wanted of each face, besides the aligned luma. A picture that cannot be read is
        reported as such, also where its reading ends a worker.
        """
        return look_at(self._pool, self._values(folder), names, look, framings)

    def _values(self, path: Path) -> dict[str, Any]:
        return {"path": str(path.absolute()), "settings": dataclasses.asdict(self.settings)}

    def _answer(
        self,
        kind: str,
        path: Path,
        done: str,
        values: dict[str, Any] | None = None,
        arrays: wire.Arrays | None = None,
    ) -> tuple[dict[str, Any], wire.Arrays]:
        """What a worker answers to a request. done: what could not be, in words, where none lives to answer."""
        task: Message = (kind, self._values(path) | (values or {}), arrays or {})
        with contextlib.closing(self._pool.run([task])) as messages:
            for _, (said, answer, found) in messages:
                if said == "answer":
                    return answer, found
                reason = answer.get("reason", "no answer")
                raise DecodeFailed(f"{path} could not be {done} ({reason}): it may be damaged.")
        raise AssertionError("a task always ends with a message")

    def _write(
        self, kind: str, path: Path, values: dict[str, Any], arrays: wire.Arrays, output: Path, progress: Progress
    ) -> None:
        """Have a worker write a video; whole or not at all."""
        with replace_file(output) as partial:
            task: Message = (kind, self._values(path) | values | {"output": str(partial.absolute())}, arrays)
            try:
                # Closed in time: the worker must be gone before its file is removed.
                with contextlib.closing(self._pool.run([task])) as messages:
                    for _, (said, answer, _) in messages:
                        if said == "lost":
                            done = "annotated" if kind == "annotate" else "converted"
                            raise DecodeFailed(f"{path} could not be {done} ({answer['reason']}): it may be damaged.")
                        if said == "progress":
                            progress(kind, int(answer["completed"]), int(answer["total"]))
            except OutputError as error:
                raise type(error)(str(error).replace(str(partial.absolute()), str(output))) from None


def _shape(report: Report) -> dict[str, Any]:
    """By which a worker knows the video of a report."""
    return {"shape": [report.video.bytes, report.video.frames, report.video.width, report.video.height]}


@contextlib.contextmanager
def _sense(path: Path) -> Iterator[None]:
    """Nonsense in a worker's answer as `DecodeFailed`."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeFailed(f"{path} could not be read (its worker answered nonsense): it may be damaged.") from error
