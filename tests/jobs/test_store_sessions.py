"""Sessions on the database: what they see, what they leave, how long they wait for each other."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy.exc import OperationalError

from visagram.jobs.model import Blob, Clock
from visagram.jobs.store import Store, tick


def test_the_rules_of_every_connection(service) -> None:
    with service.store.read() as session:
        rules = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert rules == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15_000}


def test_the_clock_counts_by_one(service) -> None:
    with service.store.write() as session:
        first = session.get_one(Clock, 1).value
        assert [tick(session) for _ in range(3)] == [first + 1, first + 2, first + 3]
    with service.store.write() as session:
        assert tick(session) == first + 4
        session.rollback()
    with service.store.read() as session:
        assert session.get_one(Clock, 1).value == first + 3


def test_a_reader_sees_one_moment_and_what_was_read_stays_readable(service) -> None:
    with service.store.write() as session:
        kept = Blob(sha256="a", bytes=1)
        session.add(kept)
    assert kept.bytes == 1
    with service.store.read() as reading:
        assert reading.query(Blob).count() == 1
        with service.store.write() as session:
            session.add(Blob(sha256="b", bytes=2))
        assert reading.query(Blob).count() == 1
        seen = reading.query(Blob).one()
        reading.commit()
    assert seen.bytes == 1
    with service.store.read() as session:
        assert session.query(Blob).count() == 2


def test_writers_come_one_after_the_other(service) -> None:
    began = threading.Event()

    def write() -> None:
        with service.store.write() as session:
            began.set()
            value = session.get_one(Clock, 1).value
            session.get_one(Clock, 1).value = value * 2

    with service.store.write() as session:
        session.get_one(Clock, 1).value = 5
        thread = threading.Thread(target=write)
        thread.start()
        assert began.wait(60)
        session.flush()
        session.get_one(Clock, 1).value = 7
    thread.join(60)
    with service.store.read() as session:
        assert session.get_one(Clock, 1).value == 14


def test_a_reader_writes_nothing_by_chance_and_a_folder_is_a_file(service) -> None:
    with service.store.read() as session:
        session.add(Blob(sha256="x", bytes=1))
        session.flush()
    with service.store.read() as session:
        assert session.query(Blob).count() == 0
    other = Store.of_folder(service.storage.folder)
    with other.read() as session:
        assert session.query(Clock).count() == 1
    other.close()
    assert (service.storage.folder / "visagram.sqlite").is_file()
    lost = Store.of_folder(service.storage.folder / "nowhere")
    with pytest.raises(OperationalError), lost.read() as session:
        session.query(Clock).count()
    lost.close()
