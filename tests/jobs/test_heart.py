"""The heartbeat: a lease holds as long as its unit is worked on, and the work ends as soon as the lease is gone."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from service import wait_for
from visagram.jobs import leases
from visagram.jobs.heart import Heart
from visagram.jobs.leases import LeaseLost, Leases
from visagram.jobs.model import ANALYSE, Blob, Job, Output, Unit

SECONDS, QUICK, PATIENCE = 30.0, 0.005, 20.0


@pytest.fixture
def queue(service, clock):
    """A queue with one unit in it."""
    with service.store.write() as session:
        session.add(Blob(sha256="a", bytes=1))
        session.flush()
        session.add(Output(key="a", blob_id="a", settings={}))
        session.flush()
        leases.add_job(session, ANALYSE, leases.SEGMENT, output_id="a")
    return Leases(service.store, "one", SECONDS, clock)


class Work:
    """Something that can be stopped, which it remembers."""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def stop(self) -> None:
        self.stopped.set()


def unit(service) -> Unit:
    with service.store.read() as session:
        return session.query(Unit).one()


def job(service) -> Job:
    with service.store.read() as session:
        return session.query(Job).one()


@contextmanager
def in_trouble(service):
    """The database, while it cannot be asked."""

    def rename(old: str, new: str) -> None:
        with service.store.write() as session:
            session.connection().exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")

    rename("clock", "aside")
    try:
        yield
    finally:
        rename("aside", "clock")


def test_a_lease_holds_for_as_long_as_the_work_takes(service, queue, clock):
    lease, other = queue.claim(), Leases(service.store, "two", SECONDS, clock)
    with Heart(queue, lease, Work().stop, every=QUICK) as heart:
        for _ in range(5):
            clock.now += 0.9 * SECONDS
            wait_for(lambda: unit(service).lease_until == clock.now + SECONDS, PATIENCE)
            assert other.claim() is None
        heart.check()
    clock.now += SECONDS + 1
    assert other.claim().unit == lease.unit, "after the work nobody renews it"


def test_how_far_the_work_is_and_its_preview_are_told(service, queue):
    with Heart(queue, queue.claim(), Work().stop, every=QUICK) as heart:
        heart.progress("segment", 7, 90)
        wait_for(lambda: (job(service).completed, job(service).total) == (7, 90), PATIENCE)
        heart.preview = {"time": 1.5}
        wait_for(lambda: job(service).preview == {"time": 1.5}, PATIENCE)
        heart.preview = {"time": 2.5}
        wait_for(lambda: job(service).preview == {"time": 2.5}, PATIENCE)


def test_a_preview_is_told_once(service, queue, clock):
    with Heart(queue, queue.claim(), Work().stop, every=QUICK) as heart:
        heart.preview = {"time": 1.5}
        wait_for(lambda: job(service).preview is not None, PATIENCE)
        told = job(service).version
        before = unit(service).lease_until
        clock.now += 1
        wait_for(lambda: unit(service).lease_until > before, PATIENCE)
        assert job(service).version == told, "what did not change is no news"


def test_work_whose_lease_another_took_is_stopped(service, queue, clock):
    lease, work = queue.claim(), Work()
    clock.now += SECONDS + 1
    assert Leases(service.store, "two", SECONDS, clock).claim().unit == lease.unit
    with Heart(queue, lease, work.stop, every=QUICK) as heart:
        assert work.stopped.wait(PATIENCE)
        assert heart.lost
        with pytest.raises(LeaseLost):
            heart.check()
        with pytest.raises(LeaseLost):
            heart.progress("segment", 1, 2)


def test_work_that_nobody_wants_any_more_is_stopped(service, queue):
    lease, work = queue.claim(), Work()
    with Heart(queue, lease, work.stop, every=QUICK):
        with service.store.write() as session:
            leases.cancel(session, session.get(Job, lease.job))
        assert work.stopped.wait(PATIENCE)


def test_a_database_that_is_in_trouble_for_a_moment_ends_nothing(service, queue, clock):
    work, beats = Work(), []

    def watch() -> float:
        beats.append(clock.now)
        return clock.now

    with Heart(queue, queue.claim(), work.stop, every=QUICK, clock=watch) as heart:
        with in_trouble(service):
            heart.completed = 5  # so that a beat needs the table that is gone
            asked = len(beats)
            clock.now += SECONDS - 1
            wait_for(lambda: len(beats) > asked + 3, PATIENCE)
        wait_for(lambda: job(service).completed == 5, PATIENCE)
        assert unit(service).lease_until == clock.now + SECONDS
        heart.check()
    assert not work.stopped.is_set()


def test_work_is_stopped_when_trouble_lasts_longer_than_its_lease(service, queue, clock):
    work = Work()
    with Heart(queue, queue.claim(), work.stop, every=QUICK, clock=clock) as heart, in_trouble(service):
        heart.completed = 5
        assert not work.stopped.wait(0.1)
        clock.now += SECONDS + 1
        assert work.stopped.wait(PATIENCE)
        with pytest.raises(LeaseLost):
            heart.check()


def test_nothing_beats_once_the_work_is_over_however_it_ended(service, queue, clock):
    before = threading.active_count()
    lease, work = queue.claim(), Work()
    with pytest.raises(RuntimeError), Heart(queue, lease, work.stop, every=QUICK):
        raise RuntimeError
    assert threading.active_count() == before
    until = unit(service).lease_until
    clock.now += 5
    assert unit(service).lease_until == until and not work.stopped.is_set()
