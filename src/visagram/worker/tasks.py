"""What a worker process can be asked for. Each request ends with `answer` or `done`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import visagram.wire as wire
from visagram.core.segments import Probed, Segment
from visagram.core.types import Frame
from visagram.errors import UsageError
from visagram.settings import Settings
from visagram.worker.replies import Replies

if TYPE_CHECKING:
    from visagram.compose import Models
    from visagram.media.source import Source

WRITING = ("annotate", "proxy")
"""Requests that write a file."""
MOST_KNOWN = 4
"""Videos whose timelines are kept: pictures of one video are asked for one after the other."""


class Tasks:
    """Handlers by kind of request, and what is kept from one request to the next.

    models_imported: waits until the models' libraries are there.
    """

    def __init__(self, replies: Replies, models_imported: Callable[[], None]) -> None:
        self._replies, self._models_imported = replies, models_imported
        self._models: Models | None = None
        self._known: dict[tuple[Path, int, int, Settings], Source] = {}
        self._handlers = {
            "probe": self._probe,
            "playable": self._playable,
            "segment": self._segment,
            "annotate": self._annotate,
            "proxy": self._proxy,
            "strip": self._strip,
            "still": self._still,
            "faces": self._faces,
            "pictures": self._pictures,
        }

    def do(self, kind: str, path: Path, settings: Settings, values: dict[str, Any], arrays: wire.Arrays) -> None:
        """Handle one request. Raises `VisagramError`, and whatever a library raises."""
        self._handlers[kind](path, settings, values, arrays)

    def _source(self, path: Path, settings: Settings) -> Source:
        """The probed file, from memory if it did not change since."""
        from visagram.media.container import check_path
        from visagram.media.source import Source

        check_path(path)
        stat = path.stat()
        key = (path, stat.st_size, stat.st_mtime_ns, settings)
        source = self._known.pop(key, None) or Source.probed(path, settings, self._replies.alive)
        self._known[key] = source
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return source

    def _probe(self, path: Path, settings: Settings, _values: dict[str, Any], _arrays: wire.Arrays) -> None:
        source = self._source(path, settings)
        self._replies.send("answer", *wire.pack_probed(Probed(source.facts, source.timeline, source.warnings)))

    def _playable(self, path: Path, settings: Settings, _values: dict[str, Any], _arrays: wire.Arrays) -> None:
        from visagram.media.playable import obstacle

        self._replies.send("answer", {"reason": obstacle(self._source(path, settings))})

    def _segment(self, path: Path, settings: Settings, values: dict[str, Any], arrays: wire.Arrays) -> None:
        """Analyse one segment: a message per round, then one with its tracks and counts."""
        self._models_imported()
        from visagram.compose import open_frames, open_stretch
        from visagram.media.preview import Preview

        facts, replies = wire.unpack_facts(values["facts"]), self._replies
        segment = wire.unpack_segment(values["segment"], arrays)
        timeline = wire.unpack_timeline(values["timeline"], dict.fromkeys(wire.TIMELINE[:2], segment.pts[:0]))
        threads = int(values["threads"])
        with open_frames(path, facts, timeline, segment, settings, threads, replies.alive) as source:
            models = self._opened(threads, settings)
            preview = Preview() if values["preview"] else None
            counted = _Counted(source, segment)
            stretch = open_stretch(counted, models, facts, settings)
            for observations in stretch:
                replies.send("observations", {"frames": counted.frames}, wire.pack_observations(observations))
                if preview and counted.last and (shown := preview.of(counted.last, observations)):
                    replies.send("preview", shown[0], {"jpeg": np.frombuffer(shown[1], np.uint8)})
            for track in stretch.tracks():
                replies.send("track", *wire.pack_track(track))
            done = {"frames": counted.frames, "span": counted.span, "damaged": source.damaged}
            replies.send("done", done)

    def _annotate(self, path: Path, settings: Settings, values: dict[str, Any], arrays: wire.Arrays) -> None:
        """Write the annotated video to the path that the main process made for it."""
        from visagram.media.annotate import annotate

        source = self._analysed(path, settings, values["shape"])
        names = {int(person): name for person, name in values["names"].items()}
        rows = wire.unpack_observations(arrays)
        annotate(source, rows, names, Path(values["output"]), self._replies.progress)
        self._replies.send("done")

    def _analysed(self, path: Path, settings: Settings, shape: list[int]) -> Source:
        """The probed file of a result. shape: its bytes, frames, width and height. Raises `UsageError` where these
        differ."""
        source = self._source(path, settings)
        facts = source.facts
        if [facts.bytes, facts.frames, facts.width, facts.height] != shape:
            raise UsageError(f"{path} is not the video that was analysed, or it has changed since: analyse it again.")
        return source

    def _proxy(self, path: Path, settings: Settings, values: dict[str, Any], _arrays: wire.Arrays) -> None:
        from visagram.media.proxy import write_proxy

        write_proxy(self._source(path, settings), Path(values["output"]), self._replies.progress)
        self._replies.send("done")

    def _strip(self, path: Path, settings: Settings, values: dict[str, Any], _arrays: wire.Arrays) -> None:
        from visagram.media.strip import poster, read_strip

        source = self._source(path, settings)
        strip = read_strip(source, self._replies.alive)
        pictures = {f"strip-{number}.jpg": sheet for number, sheet in enumerate(strip.sheets)}
        pictures["poster"] = poster(source, strip, values["poster_time"], self._replies.alive)
        arrays = {name: np.frombuffer(picture, np.uint8) for name, picture in pictures.items()}
        self._replies.send("answer", strip.facts(), arrays)

    def _still(self, path: Path, settings: Settings, values: dict[str, Any], _arrays: wire.Arrays) -> None:
        from visagram.media.still import still

        source = self._source(path, settings)
        picture = still(source, float(values["time"]), int(values["width"]), values["box"], self._replies.alive)
        self._replies.send("answer", {}, {"jpeg": np.frombuffer(picture, np.uint8)})

    def _faces(self, path: Path, settings: Settings, values: dict[str, Any], arrays: wire.Arrays) -> None:
        from visagram.media.faces import faces_at

        source = self._analysed(path, settings, values["shape"])
        luma = faces_at(source, arrays["frame"], arrays["landmarks"], self._replies.alive)
        self._replies.send("answer", {}, {"luma": luma})

    def _pictures(self, folder: Path, settings: Settings, values: dict[str, Any], _arrays: wire.Arrays) -> None:
        """A message for each named picture of a folder: its luma, or why it cannot be had."""
        from visagram.worker.pictures import Pictures

        opened = partial(self._opened, settings=settings)
        pictures = Pictures(settings, values["look"], values["framings"], opened, self._replies.alive)
        for name in values["names"]:
            self._replies.send("picture", *pictures.seen(folder / name))
        self._replies.send("done")

    def _opened(self, threads: int, settings: Settings) -> Models:
        """The networks, kept from one request to the next."""
        self._models_imported()
        from visagram.compose import Models

        if self._models is None or not self._models.fit(threads, settings):
            self._models = None
            self._models = Models(threads, settings, self._replies.alive)
        return self._models


class _Counted:
    """Frames passed on, and counted up to the overlap. last: the one passed on last."""

    def __init__(self, frames: Iterable[Frame], segment: Segment) -> None:
        self._frames = frames
        overlap = segment.frames[segment.core : segment.core + 1]
        self._stop = int(overlap[0]) if len(overlap) else None
        self.frames, self.span = 0, 0.0
        self.last: Frame | None = None

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if self._stop is None or frame.index < self._stop:
                self.frames += 1
                self.span += float(frame.span)
            self.last = frame
            yield frame
