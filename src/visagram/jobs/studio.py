"""The studio: faces that somebody asks for, made as jobs, and what people say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visagram.errors import Conflict, DataError, NotFound, UsageError
from visagram.jobs import leases
from visagram.jobs.model import GENERATE, QUEUED, RUNNING, Making
from visagram.jobs.requests import Requests, state
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.jobs.videos import Who, log
from visagram.settings import Settings

MOST_COUNT = 512
"""Faces of one request: more are further requests."""
MOST_WAITING = 20
EDITED = (
    "The manifest of the generated faces was changed by another hand, so that nothing in it can be trusted: put the "
    "old one back into the data folder, or move its folder studio away."
)


class Studio(Requests):
    """Everything that concerns generated faces; each method is one transaction. The faces themselves lie in a folder of
    their owner, whose manifest is the truth about them (see `visagram.synth.collection`)."""

    kind, unit, what = GENERATE, leases.MAKE, "generate faces"

    def __init__(self, store: Store, storage: Storage, settings: Settings) -> None:
        super().__init__(store, storage)
        self._models = settings.models_folder

    @property
    def generators(self) -> list[str]:
        """What can make faces here: nothing is ever fetched because a page asked for it."""
        from visagram.synth.catalog import generators

        return generators(self._models)

    def ask(self, who: Who, expression: str, count: int, seed: int, guidance: float | None, generator: str) -> str:
        """Ask for faces; returns the request's id. Raises `UsageError` for a generator that is not here, `Conflict`
        where enough waits already."""
        if generator not in (known := self.generators):
            raise UsageError(f"There is no such generator here; those are {', '.join(known)}.")
        wanted = {"expression": expression, "count": count, "seed": seed, "guidance": guidance, "generator": generator}
        with self._store.write() as session:
            waiting = [row for row in self.all(session, who) if state(row) in (QUEUED, RUNNING)]
            if len(waiting) >= MOST_WAITING:
                raise Conflict(f"{MOST_WAITING} requests are waiting already: wait until some are done.")
            if (same := next((row for row in waiting if row.request == wanted), None)) is not None:
                return same.id
            return self.add(session, who, wanted, f"{count} of seed {seed}")

    def title(self, making: Making) -> str:
        return str(making.request["expression"])

    def faces(self, who: Who) -> dict[str, Any]:
        """The records of the owner's faces by file name, in order. Raises `Conflict` where their manifest was
        edited."""
        from visagram.synth.shelf import shown

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
        from visagram.synth.shelf import judge_by_hand

        judge_by_hand(self._storage.studio(who.owner), file, review)
        with self._store.write() as session:
            log(session, who, f"face {review or 'undone'}", file)
