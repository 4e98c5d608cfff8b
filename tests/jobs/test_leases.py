"""Who works on what: claims, heartbeats, fences and attempts."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from sqlalchemy import select

from visagram.jobs import leases
from visagram.jobs.leases import LeaseLost, Leases
from visagram.jobs.model import ANALYSE, CANCELLED, DONE, FAILED, QUEUED, RUNNING, Blob, Job, Output, Unit


def _job(service, name="a", kind=leases.PREPARE):
    with service.store.write() as session:
        session.add(Blob(sha256=name, bytes=1))
        session.flush()
        session.add(Output(key=name, blob_id=name, settings={}))
        session.flush()
        return leases.add_job(session, ANALYSE, kind, output_id=name).id


def _get(service, kind, id):
    with service.store.read() as session:
        return session.get(kind, id)


def test_a_unit_is_claimed_once(service):
    _job(service)
    queue = Leases(service.store, "one", 10)
    lease = queue.claim()
    assert (lease.kind, lease.attempt, lease.fence) == ("prepare", 1, 1)
    assert queue.claim() is None
    assert Leases(service.store, "two", 10).claim() is None


def test_many_claimers_never_get_the_same_unit(service):
    job = _job(service)
    with service.store.write() as session:
        for number in range(40):
            leases.add_unit(session, session.get(Job, job), leases.SEGMENT, number)
    got, lock = Counter(), threading.Lock()

    def claim(name):
        queue = Leases(service.store, name, 30)
        while (lease := queue.claim()) is not None:
            with lock:
                got[lease.unit] += 1

    threads = [threading.Thread(target=claim, args=(f"t{k}",)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 41
    assert set(got.values()) == {1}


def test_a_lease_that_ran_out_goes_to_another_and_the_first_cannot_publish(service, clock):
    _job(service)
    slow, quick = Leases(service.store, "slow", 5, clock), Leases(service.store, "quick", 10, clock)
    first = slow.claim()
    clock.now += 4.9
    assert quick.claim() is None
    clock.now += 0.2
    second = quick.claim()
    assert (second.unit, second.attempt, second.fence) == (first.unit, 2, 2)
    with pytest.raises(LeaseLost):
        slow.beat(first, 5)
    with pytest.raises(LeaseLost), service.store.write() as session:
        slow.publish(session, first)
    with service.store.write() as session:
        quick.publish(session, second, "file")
    assert _get(service, Unit, first.unit).file == "file"


def test_a_heartbeat_keeps_a_lease(service, clock):
    _job(service)
    queue, other = Leases(service.store, "a", 30, clock), Leases(service.store, "b", 30, clock)
    lease = queue.claim()
    for _ in range(5):
        clock.now += 20
        queue.beat(lease, 1)
        clock.now += 9
        assert other.claim() is None
    clock.now += 22
    assert other.claim().unit == lease.unit


def test_progress_is_the_sum_over_a_jobs_units_and_moves_the_clock(service):
    job = _job(service)
    with service.store.write() as session:
        for number in (0, 1):
            leases.add_unit(session, session.get(Job, job), leases.SEGMENT, number)
    queue = Leases(service.store, "a", 10)
    queue.claim()
    one, two = queue.claim(), queue.claim()
    before = _get(service, Job, job).version
    queue.beat(one, 30)
    queue.beat(two, 12, preview={"time": 1.0})
    after = _get(service, Job, job)
    assert (after.completed, after.preview, after.stage) == (42, {"time": 1.0}, "analyse")
    assert after.version > before


def test_the_urgent_comes_first_then_the_older(service):
    first, second = _job(service, "a", leases.PROXY), _job(service, "b", leases.SEGMENT)
    third = _job(service, "c", leases.SEGMENT)
    queue = Leases(service.store, "a", 10)
    assert [queue.claim().job for _ in range(3)] == [second, third, first]


def test_a_short_video_does_not_wait_for_a_long_one(service):
    long, short = _job(service, "a", leases.SEGMENT), _job(service, "b", leases.SEGMENT)
    with service.store.write() as session:
        for number in range(1, 5):
            leases.add_unit(session, session.get(Job, long), leases.SEGMENT, number)
    one, two = Leases(service.store, "one", 10), Leases(service.store, "two", 10)
    assert [one.claim().job, two.claim().job] == [long, short]


def test_a_unit_whose_process_dies_each_time_ends_its_job_and_no_other(service, clock):
    job, other = _job(service, "a"), _job(service, "b")
    for attempt in range(1, leases.MOST_ATTEMPTS + 1):
        assert Leases(service.store, "dies", 10, clock).claim().attempt == attempt
        clock.now += 11
    assert Leases(service.store, "lives", 10, clock).claim().job == other
    failed = _get(service, Job, job)
    assert (failed.state, failed.error_code) == (FAILED, "worker_lost")


def test_cancelling_ends_every_unit_and_takes_the_lease_away(service):
    job = _job(service)
    queue = Leases(service.store, "a", 10)
    lease = queue.claim()
    with service.store.write() as session:
        leases.cancel(session, session.get(Job, job))
    assert _get(service, Job, job).state == CANCELLED
    with pytest.raises(LeaseLost):
        queue.beat(lease, 1)
    assert queue.claim() is None
    with service.store.read() as session:
        assert leases.active_jobs(session) == set()


def _finished(service, queue, lease):
    with service.store.write() as session:
        leases.finish(session, queue.publish(session, lease))


def _cancelled(service, _queue, lease):
    with service.store.write() as session:
        leases.cancel(session, session.get(Job, lease.job))


def _failed(_service, queue, lease):
    queue.give_up(lease, "decode_failed", "It broke.")


def _begun_again(service, queue, lease):
    _failed(service, queue, lease)
    with service.store.write() as session:
        leases.restart(session, session.get(Job, lease.job), leases.PREPARE)


@pytest.mark.parametrize("end", [_finished, _cancelled, _failed, _begun_again])
def test_the_faces_of_a_preview_are_forgotten_as_soon_as_its_job_is_over(service, end):
    job = _job(service)
    queue = Leases(service.store, "a", 10)
    lease = queue.claim()
    queue.beat(lease, 1, preview={"faces": [{"box": [1, 2, 3, 4], "emotion": "happy"}]})
    assert _get(service, Job, job).preview["faces"]
    end(service, queue, lease)
    assert _get(service, Job, job).preview is None


def test_a_job_that_is_over_can_begin_again(service):
    job = _job(service)
    queue = Leases(service.store, "a", 10)
    queue.give_up(queue.claim(), "decode_failed", "It broke.")
    assert (_get(service, Job, job).state, _get(service, Job, job).error_detail) == (FAILED, "It broke.")
    with service.store.write() as session:
        leases.restart(session, session.get(Job, job), leases.PREPARE)
    again = _get(service, Job, job)
    assert (again.state, again.error_code, again.attempt) == (QUEUED, None, 0)
    lease = queue.claim()
    assert _get(service, Job, job).state == RUNNING
    with service.store.write() as session:
        leases.finish(session, queue.publish(session, lease))
    assert _get(service, Job, job).state == DONE


def test_what_fails_inside_a_session_leaves_no_trace(service):
    with pytest.raises(RuntimeError), service.store.write() as session:
        session.add(Blob(sha256="x", bytes=1))
        session.flush()
        raise RuntimeError
    with service.store.read() as session:
        assert session.scalars(select(Blob)).all() == []
