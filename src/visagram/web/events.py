"""What happens to analyses, as it happens: one thread reads the store and feeds whoever listens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint
from flask import Response, request

from visagram.jobs.analyses import state
from visagram.jobs.model import ANALYSE, QUEUED, RUNNING, Analysis, Clock, Job, Output, Video
from visagram.jobs.service import Service
from visagram.jobs.videos import Who
from visagram.web import shapes
from visagram.web.connection import is_gone
from visagram.web.problems import Problem, is_database_trouble, too_busy
from visagram.web.security import who

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

LOOK_SECONDS = 0.25
"""How often the store is asked what is new."""
WAKE_SECONDS = 1.0
"""How often a stream looks whether its reader is still there."""
HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000
MOST_WAITING = 256
"""Events that may wait for a slow reader before it is dropped; it takes up from its last one when it comes back."""
MOST_CATCH_UP = 500
"""Analyses told at the beginning of a stream."""


@dataclass(frozen=True, slots=True)
class Happening:
    """The state of an analysis at a version of the store's clock."""

    version: int
    owner: int
    analysis: dict[str, Any]


@dataclass(eq=False)
class Listener:
    """Somebody who listens: for everything of an owner, or for one analysis."""

    owner: int
    analysis: str | None
    waiting: Queue[Happening] = field(default_factory=lambda: Queue(MOST_WAITING))
    dropped: bool = False

    def take(self, happening: Happening) -> None:
        if happening.owner == self.owner and self.analysis in (None, happening.analysis["id"]):
            try:
                self.waiting.put_nowait(happening)
            except Full:
                self.dropped = True


class Broadcaster:
    """Reads what is new once for everybody, and only while somebody listens."""

    def __init__(self, service: Service) -> None:
        self._service, self._most = service, service.server.event_streams
        self._listeners: list[Listener] = []
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._seen = 0
        self.over = False

    def close(self) -> None:
        """End every stream soon. Only sets a flag, so that a signal's handler may call it."""
        self.over = True

    def join(self, owner: int, analysis: str | None = None) -> Listener:
        """Somebody who is told what happens from now on, until `leave`. Raises `Problem` where too many listen."""
        listener = Listener(owner, analysis)
        with self._change:
            if self.over or len(self._listeners) >= self._most:
                raise too_busy("Too many listen for events: ask for the analysis every few seconds instead.")
            if not self._listeners:
                # What happens between here and the thread's first look must not be missed.
                self._seen = self._now()
            self._listeners.append(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="events", daemon=True)
                self._thread.start()
        return listener

    def leave(self, listener: Listener) -> None:
        with self._change:
            self._listeners.remove(listener)
            self._change.notify_all()

    @property
    def listening(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: not self._listeners or self.over, LOOK_SECONDS)
                if not self._listeners or self.over:
                    self._thread = None
                    return
                listeners, since = list(self._listeners), self._seen
            happened, now = self._news(since)
            for happening in happened:
                for listener in listeners:
                    listener.take(happening)
            with self._change:
                # Whoever came when nobody listened any more may have set it anew.
                self._seen = max(self._seen, now)

    def _news(self, since: int) -> tuple[list[Happening], int]:
        try:
            with self._service.store.read() as session:
                now = _clock(session)
                if now == since:
                    return [], now
                return happenings(session, Job.version > since), now
        except Exception as error:
            if not is_database_trouble(error):
                raise
            # The next look finds what this one missed.
            return [], since

    def _now(self) -> int:
        with self._service.store.read() as session:
            return _clock(session)


def happenings(session: Session, *which: Any) -> list[Happening]:
    """The present state of analyses, the longest unchanged first."""
    rows = session.query(Analysis, Job).join(Output, Analysis.output_id == Output.key)
    rows = rows.join(Job, Job.output_id == Output.key).join(Video, Analysis.video_id == Video.id)
    rows = rows.filter(Job.kind == ANALYSE, Video.purge_at.is_(None), *which)
    newest = rows.order_by(Job.version.desc(), Analysis.created.desc()).limit(MOST_CATCH_UP).all()
    return [_happening(analysis, job) for analysis, job in reversed(newest)]


def events_routes(service: Service, broadcaster: Broadcaster) -> APIBlueprint:
    """The route of the event stream."""
    routes = APIBlueprint("events", __name__, enable_openapi=False, url_prefix="/api/v1")

    @routes.get("/events")
    def listen() -> Response:
        owner, asked = who(), request.args.get("analysis") or None
        last = _last_event()
        if asked is not None:
            with service.store.read() as session:
                service.analyses.get(session, owner, asked)
        # Joined here and not in the stream, so that a refusal can still be an answer.
        listener = broadcaster.join(owner.owner, asked)
        environ = request.environ
        stream = _Stream(service, broadcaster, listener, last, lambda: is_gone(environ))
        response = Response(stream.lines(), mimetype="text/event-stream")
        response.call_on_close(lambda: broadcaster.leave(listener))
        response.headers.update({"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"})
        return response

    return routes


def wait_until_over(
    service: Service, broadcaster: Broadcaster, owner: Who, analysis: str, is_alone: Callable[[], bool]
) -> None:
    """Return when an analysis is over, when nobody waits any more, or when the server stops. Raises `Problem` where too
    many wait, and `NotFound` where the analysis was deleted meanwhile."""
    listener = broadcaster.join(owner.owner, analysis)
    try:
        while not broadcaster.over and not is_alone():
            with service.store.read() as session:
                if state(service.analyses.get(session, owner, analysis)) not in (QUEUED, RUNNING):
                    return
            _wait_for_news(listener)
    finally:
        broadcaster.leave(listener)


class _Stream:
    """One reader's stream: the state of things first, then what happens to them."""

    def __init__(
        self,
        service: Service,
        broadcaster: Broadcaster,
        listener: Listener,
        last: int | None,
        is_gone: Callable[[], bool],
    ) -> None:
        self._service, self._broadcaster, self._listener = service, broadcaster, listener
        self._last, self._is_gone = last, is_gone

    def lines(self) -> Iterator[str]:
        yield f"retry: {RETRY_MILLISECONDS}\n\n"
        told: dict[str, int] = {}
        for happening in self._present():
            told[happening.analysis["id"]] = happening.version
            yield _event(happening)
        spoken = time.monotonic()
        while not (self._broadcaster.over or self._listener.dropped or self._is_gone()):
            try:
                happening = self._listener.waiting.get(timeout=WAKE_SECONDS)
            except Empty:
                if time.monotonic() - spoken < HEARTBEAT_SECONDS:
                    continue
                yield ":\n\n"
            else:
                if happening.version <= told.get(happening.analysis["id"], -1):
                    continue
                yield _event(happening)
            spoken = time.monotonic()

    def _present(self) -> list[Happening]:
        which: list[Any] = [Video.owner_id == self._listener.owner]
        if self._listener.analysis is not None:
            which.append(Analysis.id == self._listener.analysis)
        elif self._last is None:
            which.append(Job.state.in_((QUEUED, RUNNING)))
        else:
            # The last one too: several analyses share a version where they share a job.
            which.append(Job.version >= self._last)
        with self._service.store.read() as session:
            return happenings(session, *which)


def _wait_for_news(listener: Listener) -> None:
    try:
        listener.waiting.get(timeout=WAKE_SECONDS)
        while True:
            listener.waiting.get_nowait()
    except Empty:
        return


def _happening(analysis: Analysis, job: Job) -> Happening:
    shown = shapes.analysis(analysis)
    seen = shapes.preview(analysis)
    return Happening(job.version, analysis.video.owner_id, shown | ({"preview": seen} if seen else {}))


def _event(happening: Happening) -> str:
    return f"id: {happening.version}\nevent: analysis\ndata: {json.dumps(happening.analysis)}\n\n"


def _clock(session: Session) -> int:
    clock = session.get(Clock, 1)
    return clock.value if clock is not None else 0


def _last_event() -> int | None:
    text = request.headers.get("Last-Event-ID", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Problem(400, "bad_header", "The header Last-Event-ID must be the id of an event.")
    return int(text)
