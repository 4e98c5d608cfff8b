"""The database's form: migrations and models say the same, and an old database is brought up to date."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from visagram.jobs.model import Base
from visagram.jobs.store import Store


def test_the_migrations_make_the_tables_that_the_models_describe(tmp_path):
    store = Store.of_folder(tmp_path)
    store.migrate()
    with store.read() as session:
        assert compare_metadata(MigrationContext.configure(session.connection()), Base.metadata) == []
        assert session.connection().exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert session.connection().exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    store.migrate()
    store.close()
