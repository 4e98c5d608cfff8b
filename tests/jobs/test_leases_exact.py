"""Every field of jobs and units at each step of their life, with a clock that the test sets."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import select

from visagram.jobs import leases
from visagram.jobs.leases import Lease, LeaseLost, Leases
from visagram.jobs.model import (
    ANALYSE,
    CANCELLED,
    DONE,
    FAILED,
    LEASED,
    QUEUED,
    READY,
    RUNNING,
    Blob,
    Job,
    Output,
    Unit,
)


def add(service, name: str, *kinds: str, numbers: tuple[int, ...] = ()) -> int:
    """A job of its own bytes with a unit of each kind; returns its id."""
    with service.store.write() as session:
        session.add(Blob(sha256=name, bytes=1))
        session.flush()
        session.add(Output(key=name, blob_id=name, settings={}))
        session.flush()
        job = leases.add_job(session, ANALYSE, kinds[0], output_id=name)
        for kind, number in zip(kinds[1:], numbers or range(1, len(kinds)), strict=True):
            leases.add_unit(session, job, kind, number)
        return job.id


def job(service, id: int, *fields: str) -> Any:
    with service.store.read() as session:
        found = session.get(Job, id)
        values = tuple(getattr(found, name) for name in fields)
        return values if len(fields) > 1 else values[0]


def units(service, id: int, *fields: str) -> list[tuple[Any, ...]]:
    with service.store.read() as session:
        found = session.scalars(select(Unit).where(Unit.job_id == id).order_by(Unit.id))
        return [tuple(getattr(unit, name) for name in fields) for unit in found]


def test_a_new_job_waits(service) -> None:
    id = add(service, "a", leases.PREPARE)
    assert job(service, id, "state", "stage", "completed", "total", "attempt") == (QUEUED, "wait", 0, 0, 0)
    assert job(service, id, "started", "measured_since", "finished", "error_code", "error_detail", "preview") == (
        *(None, None, None, None, None, None),
    )
    assert units(service, id, "kind", "number", "urgency", "state", "attempt", "fence", "completed", "file") == [
        ("prepare", 0, 0, READY, 0, 0, 0, None)
    ]
    assert units(service, id, "lease_owner", "lease_until") == [(None, None)]


def test_each_kind_has_its_urgency(service) -> None:
    kinds = [leases.IMPROVE, leases.MAKE, leases.PROXY, leases.DRAW, leases.SEGMENT, leases.STRIP]
    for kind in (*kinds, leases.MERGE, leases.PREPARE):
        add(service, kind, kind)
    queue = Leases(service.store, "a", 10)
    claimed = [queue.claim() for _ in range(8)]
    assert [lease.kind for lease in claimed] == [
        *("merge", "prepare", "strip", "segment", "annotate", "generate", "proxy", "improve")
    ]
    assert [job(service, lease.job, "stage") for lease in claimed] == [
        *("summarise", "probe", "strip", "analyse", "annotate", "generate", "proxy", "improve")
    ]


def test_a_claim_is_written_down(service, clock) -> None:
    id = add(service, "a", leases.PREPARE, leases.SEGMENT, numbers=(3,))
    queue = Leases(service.store, "me", 10, clock)
    before = job(service, id, "version")
    first = queue.claim()
    assert first == Lease(first.unit, id, "prepare", 0, 1, 1)
    fields = ("state", "attempt", "fence", "lease_owner", "lease_until", "completed")
    assert units(service, id, *fields) == [(LEASED, 1, 1, "me", 1010.0, 0), (READY, 0, 0, None, None, 0)]
    assert job(service, id, "state", "stage", "attempt", "started", "measured_since") == (
        *(RUNNING, "probe", 1, 1000.0, None),
    )
    assert job(service, id, "version") == before + 1
    clock.now = 1005.0
    second = queue.claim()
    assert (second.kind, second.number) == ("segment", 3)
    assert job(service, id, "stage", "attempt", "started", "measured_since") == ("analyse", 1, 1000.0, 1005.0)
    # Claimed again it has its fields anew, but the job began when it began.
    queue.beat(second, 7)
    clock.now = 1015.1
    assert queue.claim().unit == first.unit
    assert job(service, id, "stage", "attempt", "started", "measured_since") == ("probe", 2, 1000.0, 1005.0)
    assert queue.claim() is not None
    assert units(service, id, *fields) == [(LEASED, 2, 2, "me", 1025.1, 0), (LEASED, 2, 2, "me", 1025.1, 0)]
    assert job(service, id, "attempt", "started", "measured_since") == (2, 1000.0, 1005.0)


def test_the_attempts_of_a_job_are_the_most_of_its_units(service, clock) -> None:
    id = add(service, "a", leases.SEGMENT, leases.SEGMENT)
    queue = Leases(service.store, "me", 10, clock)
    queue.claim()
    clock.now += 10.1
    assert [queue.claim().attempt, job(service, id, "attempt")] == [2, 2]
    assert [queue.claim().attempt, job(service, id, "attempt")] == [1, 2]


def test_three_attempts_and_no_more(service, clock) -> None:
    id = add(service, "a", leases.SEGMENT, leases.SEGMENT)
    queue = Leases(service.store, "me", 10, clock)
    for attempt in (1, 2, 3):
        assert queue.claim().attempt == attempt
        clock.now += 10.1
    assert queue.claim() is None
    assert job(service, id, "state", "error_code", "error_detail") == (
        *(FAILED, "worker_lost", "The work was given up after 3 attempts: its process died each time."),
    )
    assert units(service, id, "state", "fence") == [(FAILED, 4), (FAILED, 1)]


def test_a_lease_holds_up_to_its_last_moment(service, clock) -> None:
    add(service, "a", leases.PREPARE)
    queue, other = Leases(service.store, "a", 10, clock), Leases(service.store, "b", 10, clock)
    lease = queue.claim()
    clock.now = 1010.0
    assert other.claim() is None
    queue.beat(lease, 0)
    clock.now = 1020.0
    assert other.claim() is None
    clock.now = 1020.001
    assert other.claim() is not None


def test_a_job_is_worked_on_up_to_the_last_moment_of_its_lease(service, clock) -> None:
    first = add(service, "a", leases.SEGMENT, leases.SEGMENT)
    second = add(service, "b", leases.SEGMENT)
    queue = Leases(service.store, "a", 10, clock)
    assert queue.claim().job == first
    clock.now = 1010.0
    assert queue.claim().job == second


def test_units_of_a_job_are_claimed_by_number(service) -> None:
    id = add(service, "a", leases.SEGMENT, leases.SEGMENT, leases.SEGMENT, numbers=(2, 1))
    queue = Leases(service.store, "a", 10)
    claimed = [queue.claim() for _ in range(3)]
    assert [(lease.job, lease.number) for lease in claimed] == [(id, 0), (id, 1), (id, 2)]


# --- Heartbeats ------------------------------------------------------------------------------------------------------


def test_a_heartbeat_tells_how_far_the_work_is(service, clock) -> None:
    id = add(service, "a", leases.PREPARE, leases.SEGMENT, leases.SEGMENT)
    other = add(service, "b", leases.SEGMENT)
    queue = Leases(service.store, "me", 10, clock)
    claimed = [queue.claim() for _ in range(4)]
    prepare, theirs = claimed[0], next(lease for lease in claimed if lease.job == other)
    one, two = (lease for lease in claimed[1:] if lease.job == id)
    queue.beat(theirs, 500)
    queue.beat(prepare, 70)
    assert job(service, id, "completed", "total") == (70, 0)
    queue.beat(one, 3, 100, {"time": 1.0})
    assert job(service, id, "completed", "total", "preview") == (3, 100, {"time": 1.0})
    queue.beat(two, 4)
    assert job(service, id, "completed", "total", "preview") == (7, 100, {"time": 1.0})
    queue.beat(two, 0, 0, {"time": 2.0})
    assert job(service, id, "completed", "total", "preview") == (3, 0, {"time": 2.0})
    assert job(service, other, "completed") == 500


def test_a_heartbeat_without_news_changes_the_lease_alone(service, clock) -> None:
    id = add(service, "a", leases.PREPARE)
    queue = Leases(service.store, "me", 10, clock)
    lease = queue.claim()
    queue.beat(lease, 5, 50)
    version = job(service, id, "version")
    clock.now = 1007.0
    queue.beat(lease, 5, 60)
    assert job(service, id, "version", "total") == (version, 50)
    assert units(service, id, "lease_until", "completed") == [(1017.0, 5)]
    queue.beat(lease, 6)
    assert job(service, id, "version", "completed") == (version + 1, 6)
    queue.beat(lease, 6, preview={"time": 1})
    assert job(service, id, "version", "preview") == (version + 2, {"time": 1})


# --- Ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("completed", "kept"), [(None, 5), (0, 0), (9, 9)])
def test_what_is_published_is_done(completed: int | None, kept: int, service, clock) -> None:
    id = add(service, "a", leases.PREPARE)
    queue = Leases(service.store, "me", 10, clock)
    lease = queue.claim()
    queue.beat(lease, 5)
    version = job(service, id, "version")
    with service.store.write() as session:
        assert queue.publish(session, lease, "plan-1", completed).id == id
    assert units(service, id, "state", "file", "lease_owner", "lease_until", "completed", "fence") == [
        (DONE, "plan-1", None, None, kept, 1)
    ]
    assert job(service, id, "version", "state") == (version + 1, RUNNING)
    with pytest.raises(LeaseLost):
        queue.beat(lease, 6)


def test_a_lease_is_of_a_unit_and_a_fence(service) -> None:
    add(service, "a", leases.SEGMENT, leases.SEGMENT)
    queue = Leases(service.store, "me", 10)
    one, two = queue.claim(), queue.claim()
    wrong = Lease(one.unit, one.job, one.kind, one.number, one.fence + 1, one.attempt)
    with pytest.raises(LeaseLost):
        queue.beat(wrong, 1)
    queue.beat(two, 2)
    with service.store.read() as session:
        assert {unit.id: unit.completed for unit in session.scalars(select(Unit))} == {one.unit: 0, two.unit: 2}


def test_a_job_that_is_finished(service) -> None:
    id = add(service, "a", leases.PREPARE)
    queue = Leases(service.store, "me", 10)
    lease, before = queue.claim(), time.time()
    queue.beat(lease, 1, preview={"time": 1})
    version = job(service, id, "version")
    with service.store.write() as session:
        leases.finish(session, queue.publish(session, lease))
    assert job(service, id, "state", "stage", "preview", "version") == (DONE, "done", None, version + 2)
    assert before <= job(service, id, "finished") <= time.time()


@pytest.mark.parametrize("how", [FAILED, CANCELLED])
def test_a_job_that_ends_early_ends_its_units_and_no_others(how: str, service, clock) -> None:
    id = add(service, "a", leases.PREPARE, leases.SEGMENT, leases.SEGMENT)
    other = add(service, "b", leases.SEGMENT)
    queue = Leases(service.store, "me", 10, clock)
    first = queue.claim()
    with service.store.write() as session:
        queue.publish(session, first)
    held = queue.claim()
    assert held.kind == "segment" and held.job == id
    version, before = job(service, id, "version"), time.time()
    if how == FAILED:
        queue.give_up(held, "decode_failed", "It broke.")
    else:
        with service.store.write() as session:
            leases.cancel(session, session.get(Job, id))
    assert units(service, id, "state", "fence", "lease_owner", "lease_until") == [
        *((DONE, 1, None, None), (how, 2, None, None), (how, 1, None, None))
    ]
    assert units(service, other, "state", "fence") == [(READY, 0)]
    assert job(service, id, "state", "preview", "version") == (how, None, version + 1)
    assert before <= job(service, id, "finished") <= time.time()
    said = ("decode_failed", "It broke.") if how == FAILED else (None, None)
    assert job(service, id, "error_code", "error_detail") == said
    with service.store.read() as session:
        assert leases.active_jobs(session) == {other}


def test_only_a_job_that_is_not_over_can_be_cancelled(service) -> None:
    ids = {state: add(service, state, leases.PREPARE) for state in (QUEUED, RUNNING, DONE, FAILED, CANCELLED)}
    with service.store.write() as session:
        for state, id in ids.items():
            session.get(Job, id).state = state
    with service.store.read() as session:
        assert leases.active_jobs(session) == {ids[QUEUED], ids[RUNNING]}
    with service.store.write() as session:
        for id in ids.values():
            leases.cancel(session, session.get(Job, id))
    assert [job(service, id, "state") for id in ids.values()] == [CANCELLED, CANCELLED, DONE, FAILED, CANCELLED]
    assert [job(service, id, "finished") is None for id in ids.values()] == [False, False, True, True, True]


def test_a_job_that_begins_again_is_as_new(service) -> None:
    id = add(service, "a", leases.PREPARE, leases.SEGMENT, leases.SEGMENT)
    queue = Leases(service.store, "me", 10)
    for lease in [queue.claim(), queue.claim()]:
        queue.beat(lease, 5, 50, {"time": 1})
    queue.give_up(lease, "decode_failed", "It broke.")
    version = job(service, id, "version")
    with service.store.write() as session:
        leases.restart(session, session.get(Job, id), leases.STRIP)
    assert job(service, id, "state", "stage", "completed", "total", "attempt") == (QUEUED, "wait", 0, 0, 0)
    assert job(service, id, "started", "measured_since", "finished", "error_code", "error_detail", "preview") == (
        *(None, None, None, None, None, None),
    )
    assert job(service, id, "version") == version + 1
    assert units(service, id, "kind", "number", "state", "fence") == [("strip", 0, READY, 0)]


def test_units_that_are_not_done_are_counted_by_job_and_kind(service) -> None:
    id = add(service, "a", leases.PREPARE, leases.SEGMENT, leases.SEGMENT, leases.SEGMENT)
    other = add(service, "b", leases.SEGMENT)
    queue = Leases(service.store, "me", 10)

    def left(*kinds: str) -> int:
        with service.store.read() as session:
            return leases.unfinished(session, session.get(Job, id), kinds)

    assert (left(leases.SEGMENT), left(leases.PREPARE), left(leases.SEGMENT, leases.PREPARE)) == (3, 1, 4)
    assert left(leases.MERGE) == left() == 0
    claimed = [queue.claim() for _ in range(5)]
    assert left(leases.SEGMENT) == 3
    for lease in claimed:
        if lease.job == other or lease.number == 2:
            with service.store.write() as session:
                queue.publish(session, lease)
    assert (left(leases.SEGMENT), left(leases.SEGMENT, leases.PREPARE)) == (2, 3)
