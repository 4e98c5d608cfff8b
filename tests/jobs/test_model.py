"""The tables as the migrations make them, field by field, and what a new row says."""

from __future__ import annotations

import re
import time

import pytest
from sqlalchemy import inspect

from visagram.jobs.model import (
    LOCAL_OWNER,
    Analysis,
    Base,
    Blob,
    Change,
    Clock,
    Entry,
    Job,
    Making,
    Output,
    Owner,
    Token,
    Unit,
    Upload,
    Video,
    Window,
    new_id,
)


def test_the_tables_have_the_columns_keys_and_indexes_of_the_models(service) -> None:
    with service.store.read() as session:
        connection = session.connection()
        found = inspect(connection)
        assert set(found.get_table_names()) - {"alembic_version"} == set(Base.metadata.tables)
        for table in Base.metadata.sorted_tables:
            dialect = connection.dialect
            there = {c["name"]: (c["type"].compile(dialect), c["nullable"]) for c in found.get_columns(table.name)}
            assert there == {c.name: (c.type.compile(dialect), c.nullable) for c in table.columns}, table.name
            keys = found.get_pk_constraint(table.name)["constrained_columns"]
            assert keys == [c.name for c in table.primary_key.columns] != [], table.name
            indexes = {(tuple(i["column_names"]), bool(i["unique"])) for i in found.get_indexes(table.name)}
            assert indexes == {(tuple(c.name for c in i.columns), bool(i.unique)) for i in table.indexes}, table.name
            unique = {tuple(u["column_names"]) for u in found.get_unique_constraints(table.name)}
            assert unique == {(c.name,) for c in table.columns if c.unique and not c.index}, table.name


def test_ids_are_sixteen_random_digits() -> None:
    ids = {new_id() for _ in range(50)}
    assert len(ids) == 50 and all(re.fullmatch("[0-9a-f]{16}", id) for id in ids)


DEFAULTS = [
    (Token(owner_id=LOCAL_OWNER, digest="d"), {"name": "", "last_used": None}),
    (Blob(sha256="b", bytes=5), {"facts": None, "playback": None, "strip": None}),
    (
        Video(owner_id=LOCAL_OWNER, name="v", blob_id="a"),
        {"participant": "", "condition": "", "tags": [], "notes": "", "purge_at": None},
    ),
    (Output(key="o", blob_id="a", settings={}), {"published": None, "people": None}),
    (
        Analysis(video_id="v", output_id="k"),
        {"shared": False, "cancelled": None, "revision": 0, "view": 0, "people": None},
    ),
    (
        Job(kind="analyse"),
        {
            **{"state": "queued", "stage": "wait", "completed": 0, "total": 0, "attempt": 0, "version": 0},
            **dict.fromkeys(("started", "measured_since", "finished", "error_code", "error_detail", "preview")),
            **dict.fromkeys(("output_id", "blob_id", "analysis_id", "making_id")),
        },
    ),
    (
        Unit(job_id=1, kind="strip"),
        {
            **{"number": 0, "urgency": 0, "state": "ready", "attempt": 0, "fence": 0, "completed": 0},
            **dict.fromkeys(("lease_owner", "lease_until", "file")),
        },
    ),
    (Upload(owner_id=LOCAL_OWNER, name="u", length=1, request={}), {"video_id": None}),
    (Entry(owner_id=LOCAL_OWNER, who="w", action="a", subject="s"), {"detail": ""}),
    (Making(owner_id=LOCAL_OWNER, request={}), {}),
    (Change(analysis_id="n", who="w", edit={}), {}),
]


@pytest.mark.parametrize(("row", "values"), DEFAULTS, ids=lambda each: type(each).__name__)
def test_what_a_new_row_says(row: Base, values: dict[str, object], service) -> None:
    before = time.time()
    with service.store.write() as session:
        session.add(Blob(sha256="a", bytes=1))
        session.flush()
        session.add(Output(key="k", blob_id="a", settings={}))
        session.add(Video(id="v", owner_id=LOCAL_OWNER, name="x", blob_id="a"))
        session.flush()
        session.add(Analysis(id="n", video_id="v", output_id="k"))
        session.add(Job(id=1, kind="media"))
        session.flush()
        session.add(row)
        session.flush()
        session.refresh(row)
        assert {name: getattr(row, name) for name in values} == values
        for name in ("created", "at", "touched"):
            if name in row.__table__.columns:
                assert before <= getattr(row, name) <= time.time()
        session.rollback()


def test_a_new_folder_has_an_owner_and_a_clock(service) -> None:
    with service.store.read() as session:
        assert session.get(Owner, LOCAL_OWNER) is not None and LOCAL_OWNER == 1
        assert [clock.id for clock in session.query(Clock)] == [1]


def test_an_entry_takes_what_is_its_own_along(service) -> None:
    with service.store.write() as session:
        session.add(Blob(sha256="a", bytes=1))
        session.flush()
        session.add(Output(key="k", blob_id="a", settings={}))
        video = Video(owner_id=LOCAL_OWNER, name="x", blob_id="a")
        session.add(video)
        session.flush()
        for start in (2.0, 1.0):
            session.add(Window(video_id=video.id, name="w", start=start, end=9.0))
        analysis = Analysis(video_id=video.id, output_id="k")
        session.add(analysis)
        session.flush()
        session.add(Change(analysis_id=analysis.id, who="w", edit={}))
        job = Job(kind="analyse", output_id="k")
        session.add(job)
        session.flush()
        session.add(Unit(job_id=job.id, kind="prepare"))
        session.flush()
        session.refresh(video)
        output = session.get(Output, "k")
        assert [window.start for window in video.windows] == [1.0, 2.0]
        assert output.job is job and isinstance(output.job, Job)
        session.delete(job)
        session.delete(video)
        session.flush()
        for kind in (Window, Analysis, Change, Unit, Job, Video):
            assert session.query(kind).count() == 0
        assert session.query(Output).count() == 1
        making = Making(owner_id=LOCAL_OWNER, request={})
        session.add(making)
        session.flush()
        session.add(Job(kind="generate", making_id=making.id))
        session.flush()
        session.refresh(making)
        assert isinstance(making.job, Job) and making.job.making is making
