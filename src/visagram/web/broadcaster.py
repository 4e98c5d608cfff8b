"""One thread that reads from the store what happens to analyses, for everybody who listens."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from queue import Full, Queue
from typing import TYPE_CHECKING, Any

from visagram.jobs.model import ANALYSE, Analysis, Clock, Job, Output, Video
from visagram.jobs.service import Service
from visagram.web import shapes
from visagram.web.problems import is_database_trouble, too_busy

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

LOOK_SECONDS = 0.25
"""How often the store is asked what is new."""
MOST_WAITING = 256
"""Events that may wait for a slow reader before it is dropped; it takes up from its last one when it comes back."""
MOST_AT_ONCE = 500
"""Analyses told together."""


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
        try:
            while self._tell():
                pass
        except Exception:
            with self._change:
                self._thread = None
                # Their streams end, and they come back to a new thread.
                for listener in self._listeners:
                    listener.dropped = True
            raise

    def _tell(self) -> bool:
        """Look once and tell what is new; whether to go on."""
        with self._change:
            self._change.wait_for(lambda: not self._listeners or self.over, LOOK_SECONDS)
            if not self._listeners or self.over:
                self._thread = None
                return False
            listeners, since = list(self._listeners), self._seen
        happened, now = self._news(since)
        for happening in happened:
            for listener in listeners:
                listener.take(happening)
        with self._change:
            # Whoever came when nobody listened any more may have set it anew.
            self._seen = max(self._seen, now)
        return True

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
    newest = rows.order_by(Job.version.desc(), Analysis.created.desc()).limit(MOST_AT_ONCE).all()
    return [_happening(analysis, job) for analysis, job in reversed(newest)]


def _happening(analysis: Analysis, job: Job) -> Happening:
    shown = shapes.analysis(analysis)
    seen = shapes.preview(analysis)
    return Happening(job.version, analysis.video.owner_id, shown | ({"preview": seen} if seen else {}))


def _clock(session: Session) -> int:
    clock = session.get(Clock, 1)
    return clock.value if clock is not None else 0
