"""The database: SQLite in WAL mode by default, anything SQLAlchemy reaches by address."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, update
from sqlalchemy.orm import Session, sessionmaker

from visagram.jobs.model import Clock

_BUSY_SECONDS = 15


class Store:
    """Sessions on the database. Safe to share between threads; every process opens its own."""

    def __init__(self, address: str) -> None:
        self._engine = _engine(address)
        # A store that nobody closed lets go of its connections when it goes.
        weakref.finalize(self, self._engine.dispose)
        self._read = sessionmaker(self._engine, expire_on_commit=False)
        self._write = sessionmaker(self._engine.execution_options(writes=True), expire_on_commit=False)

    @classmethod
    def of_folder(cls, folder: Path) -> Store:
        return cls(f"sqlite:///{folder / 'visagram.sqlite'}")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database and changes nothing."""
        with self._read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that holds the write lock from its first statement on, commits at its end, or leaves no trace."""
        with self._write.begin() as session:
            yield session

    def migrate(self) -> None:
        """Bring the tables to this version's form; a database of a newer version raises alembic's `CommandError`."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", "visagram.jobs:migrations")
        with self._engine.execution_options(writes=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        self._engine.dispose()


def tick(session: Session) -> int:
    """The clock's next value, for the version of whatever changes in this session."""
    session.execute(update(Clock).where(Clock.id == 1).values(value=Clock.value + 1))
    clock = session.get_one(Clock, 1, populate_existing=True)
    return clock.value


def _engine(address: str) -> Engine:
    engine = create_engine(address, pool_size=8, max_overflow=120)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _connected)
        event.listen(engine, "begin", _begin)
    return engine


def _connected(connection: Any, _record: Any) -> None:
    # Transactions are begun by hand: the driver's own would take the write lock too late and fail instead of waiting.
    connection.isolation_level = None
    for rule in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {rule}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
