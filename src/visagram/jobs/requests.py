"""What somebody asked the studio for, as rows with a job each: faces, or a pass of the loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from visagram.errors import Conflict, NotFound
from visagram.jobs import leases
from visagram.jobs.model import CANCELLED, FAILED, QUEUED, RUNNING, Job, Making
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.jobs.videos import Who, log


class Requests(ABC):
    """Requests of one kind; each method is one transaction. kind: of their jobs. unit: the only one of each job. what:
    such a thing is called in the log."""

    kind: ClassVar[str]
    unit: ClassVar[str]
    what: ClassVar[str]

    def __init__(self, store: Store, storage: Storage) -> None:
        self._store, self._storage = store, storage

    def all(self, session: Session, who: Who) -> list[Making]:
        """Newest first."""
        mine = select(Making).join(Job).where(Making.owner_id == who.owner, Job.kind == self.kind)
        return list(session.scalars(mine.order_by(Making.created.desc(), Making.id)))

    def get(self, session: Session, who: Who, id: str) -> Making:
        """Raises `NotFound`."""
        making = session.get(Making, id)
        mine = making is not None and making.owner_id == who.owner
        if making is None or not mine or making.job is None or making.job.kind != self.kind:
            raise NotFound("There is no such request.")
        return making

    def cancel(self, who: Who, id: str) -> None:
        """Stop a request; what it has made stays. Raises `NotFound`, `Conflict`."""
        with self._store.write() as session:
            making = self.get(session, who, id)
            if making.job is None or state(making) not in (QUEUED, RUNNING):
                raise Conflict(f"This request cannot be cancelled: it is {state(making)}.")
            leases.cancel(session, making.job)
            log(session, who, f"cancel {self.what}", self.title(making))

    def retry(self, who: Who, id: str) -> None:
        """Begin a failed or cancelled request again; what it has made is not made twice. Raises `NotFound`,
        `Conflict`."""
        with self._store.write() as session:
            making = self.get(session, who, id)
            if making.job is None or state(making) not in (FAILED, CANCELLED):
                raise Conflict(f"Only a failed or cancelled request can be tried again: this one is {state(making)}.")
            leases.restart(session, making.job, self.unit)

    @abstractmethod
    def title(self, making: Making) -> str:
        """What a request is about, for the log."""

    def add(self, session: Session, who: Who, wanted: dict[str, Any], detail: str) -> str:
        """A new request; returns its id."""
        making = Making(owner_id=who.owner, request=wanted)
        session.add(making)
        session.flush()
        leases.add_job(session, self.kind, self.unit, making_id=making.id)
        log(session, who, self.what, self.title(making), detail)
        return making.id


def state(making: Making) -> str:
    return making.job.state if making.job is not None else FAILED
