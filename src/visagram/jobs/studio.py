"""The studio: faces that somebody asks for, made as jobs, and what people say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from visagram.errors import Conflict, DataError, NotFound, UsageError
from visagram.jobs import leases
from visagram.jobs.model import CANCELLED, FAILED, GENERATE, QUEUED, RUNNING, Making
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.jobs.videos import Who, log
from visagram.models.catalog import missing

MOST_COUNT = 512
"""Faces of one request: more are further requests."""
MOST_WAITING = 20
GENERATOR = "visagram-diffusion"
EDITED = (
    "The manifest of the generated faces was changed by another hand, so that nothing in it can be trusted: put the "
    "old one back into the data folder, or move its folder studio away."
)


class Studio:
    """Everything that concerns generated faces; each method is one transaction. The faces themselves lie in a folder of
    their owner, whose manifest is the truth about them (see `visagram.synth.collection`)."""

    def __init__(self, store: Store, storage: Storage) -> None:
        self._store, self._storage = store, storage

    @property
    def obstacle(self) -> str:
        """Why nothing can be made here, empty if it can."""
        return missing("generate", "Generating faces")

    def ask(self, who: Who, expression: str, count: int, seed: int, guidance: float | None) -> str:
        """Ask for faces; returns the request's id. Raises `UsageError` where nothing can be made, `Conflict` where
        enough waits already."""
        if self.obstacle:
            raise UsageError(self.obstacle)
        wanted = {"expression": expression, "count": count, "seed": seed, "guidance": guidance, "generator": GENERATOR}
        with self._store.write() as session:
            waiting = [row for row in self.all(session, who) if _state(row) in (QUEUED, RUNNING)]
            if len(waiting) >= MOST_WAITING:
                raise Conflict(f"{MOST_WAITING} requests are waiting already: wait until some are done.")
            if (same := next((row for row in waiting if row.request == wanted), None)) is not None:
                return same.id
            making = Making(owner_id=who.owner, request=wanted)
            session.add(making)
            session.flush()
            leases.add_job(session, GENERATE, leases.MAKE, making_id=making.id)
            log(session, who, "generate faces", expression, f"{count} of seed {seed}")
            return making.id

    def all(self, session: Session, who: Who) -> list[Making]:
        """Requests, newest first."""
        found = select(Making).where(Making.owner_id == who.owner).order_by(Making.created.desc(), Making.id)
        return list(session.scalars(found))

    def get(self, session: Session, who: Who, id: str) -> Making:
        """Raises `NotFound`."""
        making = session.get(Making, id)
        if making is None or making.owner_id != who.owner:
            raise NotFound("There is no such request.")
        return making

    def cancel(self, who: Who, id: str) -> None:
        """Stop a request; what it has made stays. Raises `NotFound`, `Conflict`."""
        with self._store.write() as session:
            making = self.get(session, who, id)
            if making.job is None or _state(making) not in (QUEUED, RUNNING):
                raise Conflict(f"This request cannot be cancelled: it is {_state(making)}.")
            leases.cancel(session, making.job)
            log(session, who, "cancel faces", str(making.request["expression"]))

    def retry(self, who: Who, id: str) -> None:
        """Begin a failed or cancelled request again; what it has made is not made twice. Raises `NotFound`,
        `Conflict`."""
        with self._store.write() as session:
            making = self.get(session, who, id)
            if making.job is None or _state(making) not in (FAILED, CANCELLED):
                raise Conflict(f"Only a failed or cancelled request can be tried again: this one is {_state(making)}.")
            leases.restart(session, making.job, leases.MAKE)

    def faces(self, who: Who) -> dict[str, Any]:
        """The records of the owner's faces by file name, in order; none where nothing can be made. Raises `Conflict`
        where their manifest was edited."""
        if self.obstacle:
            return {}
        # Imported here: it needs the extra.
        from visagram.synth.studio import shown

        try:
            return {record.file: record for record in shown(self._storage.studio(who.owner))}
        except DataError as error:
            raise Conflict(EDITED) from error

    def picture(self, who: Who, file: str) -> tuple[Path, str]:
        """The file of a face, and its SHA-256. Raises `NotFound`."""
        record = self.faces(who).get(file)
        if record is None:
            raise NotFound("There is no such face.")
        # A record names no file but its own: see `Record`.
        return self._storage.studio(who.owner) / record.file, record.sha256

    def review(self, who: Who, file: str, review: str) -> None:
        """Note what a person says of a face: 'accepted', 'rejected', or nothing. Raises `NotFound`, `Conflict`."""
        if file not in self.faces(who):
            raise NotFound("There is no such face.")
        from visagram.synth.studio import judge_by_hand

        judge_by_hand(self._storage.studio(who.owner), file, review)
        with self._store.write() as session:
            log(session, who, f"face {review or 'undone'}", file)


def _state(making: Making) -> str:
    return making.job.state if making.job is not None else FAILED
