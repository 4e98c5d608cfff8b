"""What happens to analyses, as it happens: the event stream, and waiting for the end of one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from visagram.jobs.analyses import state
from visagram.jobs.model import QUEUED, RUNNING, Analysis, Job, Video
from visagram.jobs.service import Service
from visagram.jobs.videos import Who
from visagram.web.broadcaster import Broadcaster, Happening, Listener, happenings
from visagram.web.connection import is_gone
from visagram.web.problems import Problem
from visagram.web.security import who

WAKE_SECONDS = 1.0
"""How often a stream looks whether its reader is still there."""
HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000


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


def _event(happening: Happening) -> str:
    return f"id: {happening.version}\nevent: analysis\ndata: {json.dumps(happening.analysis)}\n\n"


def _last_event() -> int | None:
    text = request.headers.get("Last-Event-ID", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Problem(400, "bad_header", "The header Last-Event-ID must be the id of an event.")
    return int(text)
