"""Who works on what: units are claimed under a lease, kept by a heartbeat, and published under a fence.

A lease that nobody renewed for `seconds` may be claimed again; the fence, which grows with each claim, keeps whoever
lost it from publishing. Lost messages, killed processes and stopped clocks therefore cost time and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, aliased

from visagram.jobs.model import (
    CANCELLED,
    DONE,
    FAILED,
    LEASED,
    QUEUED,
    READY,
    RUNNING,
    Job,
    Unit,
)
from visagram.jobs.store import Store, tick

MOST_ATTEMPTS = 3
PREPARE, STRIP, SEGMENT, MERGE, PROXY, DRAW = "prepare", "strip", "segment", "merge", "proxy", "annotate"
MAKE, IMPROVE = "generate", "improve"
URGENCY = {PREPARE: 0, MERGE: 0, STRIP: 1, SEGMENT: 2, DRAW: 3, PROXY: 4, MAKE: 4, IMPROVE: 5}
"""Lower comes first: results before what only makes them nicer."""
STAGES = {PREPARE: "probe", SEGMENT: "analyse", MERGE: "summarise", STRIP: "strip", PROXY: "proxy", DRAW: "annotate"}
STAGES |= {MAKE: "generate", IMPROVE: "improve"}


class LeaseLost(Exception):
    """Somebody else has this unit now, or nobody wants it any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed unit. number: its place among its kind, the segment's number for one."""

    unit: int
    job: int
    kind: str
    number: int
    fence: int
    attempt: int


class Leases:
    """The queue as a worker process sees it. seconds: for how long a lease holds without a heartbeat. clock: seconds
    since the epoch, the same for every process."""

    def __init__(self, store: Store, owner: str, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._store, self._owner, self.seconds, self._clock = store, owner, seconds, clock

    def claim(self) -> Lease | None:
        """The next unit, or None where there is nothing to do. Jobs on which fewer processes work come first, so that a
        short video does not wait for a long one."""
        with self._store.read() as session:
            if session.scalar(_next(self._clock())) is None:
                return None
        with self._store.write() as session:
            now = self._clock()
            while (unit := session.scalar(_next(now))) is not None:
                if unit.attempt >= MOST_ATTEMPTS:
                    why = f"The work was given up after {MOST_ATTEMPTS} attempts: its process died each time."
                    fail(session, unit.job, "worker_lost", why)
                    session.flush()
                    continue
                unit.state, unit.attempt, unit.fence = LEASED, unit.attempt + 1, unit.fence + 1
                unit.lease_owner, unit.lease_until, unit.completed = self._owner, now + self.seconds, 0
                job = unit.job
                job.state, job.started = RUNNING, job.started or now
                job.attempt = max(job.attempt, unit.attempt)
                job.stage = STAGES[unit.kind]
                if unit.kind == SEGMENT:
                    job.measured_since = job.measured_since or now
                job.version = tick(session)
                return Lease(unit.id, job.id, unit.kind, unit.number, unit.fence, unit.attempt)
        return None

    def beat(
        self, lease: Lease, completed: int, total: int | None = None, preview: dict[str, Any] | None = None
    ) -> None:
        """Renew a lease and tell how far the work is. Raises `LeaseLost`."""
        with self._store.write() as session:
            unit = _held(session, lease)
            unit.lease_until = self._clock() + self.seconds
            job = unit.job
            if unit.completed != completed or preview is not None:
                unit.completed = completed
                session.flush()
                done = select(func.sum(Unit.completed)).where(Unit.job_id == job.id, Unit.kind == unit.kind)
                job.completed = session.scalar(done) or 0
                job.total = total if total is not None else job.total
                job.preview = preview or job.preview
                job.version = tick(session)

    def publish(self, session: Session, lease: Lease, file: str | None = None, completed: int | None = None) -> Job:
        """Mark a unit as done inside the session that records what came of it. Raises `LeaseLost`."""
        unit = _held(session, lease)
        unit.state, unit.file, unit.lease_owner, unit.lease_until = DONE, file, None, None
        unit.completed = unit.completed if completed is None else completed
        session.flush()
        unit.job.version = tick(session)
        return unit.job

    def give_up(self, lease: Lease, code: str, detail: str) -> None:
        """End the job of a unit with an error. Raises `LeaseLost`."""
        with self._store.write() as session:
            fail(session, _held(session, lease).job, code, detail)


def add_job(session: Session, kind: str, first: str, **of: Any) -> Job:
    """A new job with its first unit."""
    job = Job(kind=kind, version=tick(session), **of)
    session.add(job)
    session.flush()
    add_unit(session, job, first)
    return job


def add_unit(session: Session, job: Job, kind: str, number: int = 0) -> None:
    session.add(Unit(job_id=job.id, kind=kind, number=number, urgency=URGENCY[kind]))


def restart(session: Session, job: Job, first: str) -> None:
    """Begin a job that failed or was cancelled once more."""
    for unit in list(job.units):
        session.delete(unit)
    session.flush()
    job.state, job.stage, job.completed, job.total, job.attempt = QUEUED, "wait", 0, 0, 0
    job.started = job.measured_since = job.finished = job.error_code = job.error_detail = job.preview = None
    job.version = tick(session)
    add_unit(session, job, first)


def finish(session: Session, job: Job) -> None:
    job.state, job.stage, job.finished, job.preview, job.version = DONE, "done", time.time(), None, tick(session)


def fail(session: Session, job: Job, code: str, detail: str) -> None:
    job.state, job.error_code, job.error_detail, job.finished = FAILED, code, detail, time.time()
    job.preview, job.version = None, tick(session)
    _end_units(session, job, FAILED)


def cancel(session: Session, job: Job) -> None:
    """End a job; whoever works on it notices at the next heartbeat."""
    if job.state in (QUEUED, RUNNING):
        job.state, job.finished, job.preview, job.version = CANCELLED, time.time(), None, tick(session)
        _end_units(session, job, CANCELLED)


def unfinished(session: Session, job: Job, kinds: Sequence[str]) -> int:
    """How many units of these kinds are not done."""
    count = select(func.count()).where(Unit.job_id == job.id, Unit.kind.in_(kinds), Unit.state != DONE)
    return session.scalar(count) or 0


def active_jobs(session: Session) -> set[int]:
    """Jobs whose work folder is still needed."""
    return set(session.scalars(select(Job.id).where(Job.state.in_((QUEUED, RUNNING)))))


def _end_units(session: Session, job: Job, state: str) -> None:
    over = update(Unit).where(Unit.job_id == job.id, Unit.state.in_((READY, LEASED)))
    session.execute(over.values(state=state, lease_owner=None, lease_until=None, fence=Unit.fence + 1))


def _next(now: float) -> Any:
    free = or_(Unit.state == READY, (Unit.state == LEASED) & (Unit.lease_until < now))
    other = aliased(Unit)
    at_work = (other.job_id == Unit.job_id) & (other.state == LEASED) & (other.lease_until >= now)
    busy = select(func.count()).where(at_work).scalar_subquery()
    return select(Unit).where(free).order_by(Unit.urgency, busy, Unit.job_id, Unit.number, Unit.id).limit(1)


def _held(session: Session, lease: Lease) -> Unit:
    held = select(Unit).where(Unit.id == lease.unit, Unit.fence == lease.fence, Unit.state == LEASED)
    unit = session.scalar(held)
    if unit is None:
        raise LeaseLost
    return unit
