"""The tables. Times are seconds since the epoch (UTC); ids that people see are random, so that they cannot be guessed.

owner ─< token
owner ─< video ─< analysis >─ output >─ blob      a video is an entry of somebody's library, a blob its bytes
                     ^< change      ^─ job ─< unit
owner ─< making ─ job                             what the studio was asked for
blob ─ job                                        what is derived from the bytes alone (poster, strip, proxy)
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

LOCAL_OWNER = 1
"""The owner of everything that was uploaded without a login; made by the first migration."""

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
"""States of a job; an analysis shows its job's state unless it was itself cancelled."""
READY, LEASED = "ready", "leased"
"""States of a unit that is not over; over are `DONE`, `FAILED` and `CANCELLED`."""
ANALYSE, MEDIA, ANNOTATE, GENERATE, IMPROVE = "analyse", "media", "annotate", "generate", "improve"
"""Kinds of jobs."""


def new_id() -> str:
    return secrets.token_hex(8)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON, int: BigInteger().with_variant(Integer, "sqlite")}  # noqa: RUF012


class Owner(Base):
    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))


class Token(Base):
    """An access token; only its SHA-256 is kept."""

    __tablename__ = "token"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(80), default="")
    created: Mapped[float] = mapped_column(default=time.time)
    last_used: Mapped[float | None]


class Blob(Base):
    """Bytes by their SHA-256. facts: the probe's findings as `visagram.wire` packs them. playback: None until known,
    '' where browsers play the original, else why they need a proxy. strip: what `strip.json` holds."""

    __tablename__ = "blob"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    bytes: Mapped[int]
    created: Mapped[float] = mapped_column(default=time.time)
    facts: Mapped[dict[str, Any] | None]
    playback: Mapped[str | None] = mapped_column(Text)
    strip: Mapped[dict[str, Any] | None]


class Video(Base):
    """An entry of a library. purge_at: set when it was deleted; until then it can be restored."""

    __tablename__ = "video"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    blob_id: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), index=True)
    created: Mapped[float] = mapped_column(default=time.time, index=True)
    participant: Mapped[str] = mapped_column(String(200), default="")
    condition: Mapped[str] = mapped_column(String(200), default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    notes: Mapped[str] = mapped_column(Text, default="")
    purge_at: Mapped[float | None] = mapped_column(index=True)

    blob: Mapped[Blob] = relationship()
    analyses: Mapped[list[Analysis]] = relationship(
        back_populates="video", cascade="all, delete-orphan", order_by="Analysis.created"
    )
    windows: Mapped[list[Window]] = relationship(
        back_populates="video", cascade="all, delete-orphan", order_by="Window.start"
    )


class Window(Base):
    """A named stretch of a video, in seconds."""

    __tablename__ = "window"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    video_id: Mapped[str] = mapped_column(ForeignKey("video.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    start: Mapped[float]
    end: Mapped[float]

    video: Mapped[Video] = relationship(back_populates="windows")


class Output(Base):
    """What the machine makes of bytes under settings, once, whoever asked. published: its folder is complete."""

    __tablename__ = "output"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    blob_id: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), index=True)
    settings: Mapped[dict[str, Any]]
    created: Mapped[float] = mapped_column(default=time.time)
    published: Mapped[float | None]
    people: Mapped[int | None]

    blob: Mapped[Blob] = relationship()
    job: Mapped[Job | None] = relationship(back_populates="output", uselist=False)


class Analysis(Base):
    """A video's entry for an output, with what people did to it. revision: grows with each change, also when one is
    taken back. view: the revision whose view folder counts, 0 for the machine's own."""

    __tablename__ = "analysis"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    video_id: Mapped[str] = mapped_column(ForeignKey("video.id"), index=True)
    output_id: Mapped[str] = mapped_column(ForeignKey("output.key"), index=True)
    created: Mapped[float] = mapped_column(default=time.time)
    shared: Mapped[bool] = mapped_column(default=False)
    cancelled: Mapped[float | None]
    revision: Mapped[int] = mapped_column(default=0)
    view: Mapped[int] = mapped_column(default=0)
    people: Mapped[int | None]

    video: Mapped[Video] = relationship(back_populates="analyses")
    output: Mapped[Output] = relationship()
    changes: Mapped[list[Change]] = relationship(
        back_populates="analysis", cascade="all, delete-orphan", order_by="Change.id"
    )


class Change(Base):
    """One edit of an analysis' people, as `visagram.core.edits` writes it."""

    __tablename__ = "change"
    id: Mapped[int] = mapped_column(primary_key=True)
    analysis_id: Mapped[str] = mapped_column(ForeignKey("analysis.id"), index=True)
    at: Mapped[float] = mapped_column(default=time.time)
    who: Mapped[str] = mapped_column(String(80))
    edit: Mapped[dict[str, Any]]

    analysis: Mapped[Analysis] = relationship(back_populates="changes")


class Making(Base):
    """What somebody asked the studio for. request: expression, count, seed, guidance and generator of faces; ratio and
    seed of a pass of the loop."""

    __tablename__ = "making"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"), index=True)
    created: Mapped[float] = mapped_column(default=time.time)
    request: Mapped[dict[str, Any]]

    job: Mapped[Job | None] = relationship(back_populates="making", uselist=False)


class Job(Base):
    """Work for an output, a blob, an analysis or the studio. version: the store's clock at its last change."""

    __tablename__ = "job"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    output_id: Mapped[str | None] = mapped_column(ForeignKey("output.key"), unique=True)
    blob_id: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"), index=True)
    analysis_id: Mapped[str | None] = mapped_column(ForeignKey("analysis.id"), index=True)
    making_id: Mapped[str | None] = mapped_column(ForeignKey("making.id"), index=True)
    state: Mapped[str] = mapped_column(String(16), default=QUEUED, index=True)
    created: Mapped[float] = mapped_column(default=time.time)
    started: Mapped[float | None]
    measured_since: Mapped[float | None]
    finished: Mapped[float | None]
    stage: Mapped[str] = mapped_column(String(16), default="wait")
    completed: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str | None] = mapped_column(String(40))
    error_detail: Mapped[str | None] = mapped_column(Text)
    preview: Mapped[dict[str, Any] | None]
    version: Mapped[int] = mapped_column(default=0, index=True)

    output: Mapped[Output | None] = relationship(back_populates="job")
    making: Mapped[Making | None] = relationship(back_populates="job")
    units: Mapped[list[Unit]] = relationship(back_populates="job", cascade="all, delete-orphan", order_by="Unit.id")


class Unit(Base):
    """A piece of a job that one process does in one go, under a lease. fence: grows with each lease, so that whoever
    lost one cannot publish. file: the name of what it published in the job's work folder."""

    __tablename__ = "unit"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    number: Mapped[int] = mapped_column(default=0)
    urgency: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default=READY)
    attempt: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[float | None]
    completed: Mapped[int] = mapped_column(default=0)
    file: Mapped[str | None] = mapped_column(String(80))

    job: Mapped[Job] = relationship(back_populates="units")
    __table_args__ = (Index("unit_next", "state", "urgency", "id"),)


class Upload(Base):
    """A file on its way in. settings and labels: what to do with it once it is whole. video_id: what became of it."""

    __tablename__ = "upload"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"))
    name: Mapped[str] = mapped_column(Text)
    length: Mapped[int]
    request: Mapped[dict[str, Any]]
    created: Mapped[float] = mapped_column(default=time.time)
    touched: Mapped[float] = mapped_column(default=time.time, index=True)
    video_id: Mapped[str | None] = mapped_column(String(32))


class Entry(Base):
    """The log of who changed what."""

    __tablename__ = "log"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float] = mapped_column(default=time.time)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"), index=True)
    who: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, default="")


class FrozenPlan(Base):
    """A comparison as it was written down beforehand, see `core.plan`."""

    __tablename__ = "plan"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"), index=True)
    frozen: Mapped[float]
    text: Mapped[str] = mapped_column(Text)


class Clock(Base):
    """One row: counts changes of jobs, so that a listener can ask for what is new."""

    __tablename__ = "clock"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)
