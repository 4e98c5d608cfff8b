"""Faces whose apparent expression somebody corrected, collected with consent as a labelled set for the loop.

A folder of each owner: pictures below `faces`, and `corrections.csv`, a table that `visagram train --also`, `improve
--also` and `evaluate` read like any other.
"""

from __future__ import annotations

import csv
import io
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from visagram.errors import Conflict, NotFound, UsageError
from visagram.files import replace_file
from visagram.jobs.model import new_id
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.jobs.videos import Who, log

TABLE, FACES = "corrections.csv", "faces"
MOST = 20_000
PATIENCE = 10.0
"""Seconds for which one waits for another."""
CONSENT = "A face is only kept for training with the consent of the person whom it shows: say that there is one."


@dataclass(frozen=True, slots=True)
class Correction:
    """path: of the picture, below the folder. label: what the face shows. instead_of: what the model said, empty where
    it was not measured. at: when, ISO 8601 in UTC. who: said so. consent: always yes."""

    path: str
    label: str
    instead_of: str
    at: str
    who: str
    consent: str = "yes"

    @property
    def id(self) -> str:
        return Path(self.path).stem


class Corrections:
    """Everything that concerns corrections; each method is one transaction."""

    def __init__(self, store: Store, storage: Storage) -> None:
        self._store, self._storage = store, storage

    def table(self, who: Who) -> Path:
        """Where the table lies, if there is one."""
        return self._storage.corrections(who.owner) / TABLE

    def all(self, who: Who) -> list[Correction]:
        """Oldest first. Raises `Conflict` for a table that was damaged."""
        return _read(self.table(who))

    def add(self, who: Who, jpeg: bytes, label: str, instead_of: str, *, consent: bool) -> Correction:
        """Keep a face as an example of an expression. jpeg: the face with some of what surrounds it. Raises
        `UsageError` without consent, `Conflict` where there is no room for more."""
        if not consent:
            raise UsageError(CONSENT)
        self._storage.reserve(len(jpeg))
        at = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
        found = Correction(f"{FACES}/{new_id()}.jpg", label, instead_of, at, who.name)
        with self._alone(who.owner):
            rows = self.all(who)
            if len(rows) >= MOST:
                raise Conflict(f"{MOST:,} corrections are kept already: remove some.")
            # The picture first: a table never names one that is not there.
            with replace_file(self._storage.corrections(who.owner) / found.path) as partial:
                partial.write_bytes(jpeg)
            _write(self.table(who), [*rows, found])
        with self._store.write() as session:
            log(session, who, "correct expression", found.id, f"{instead_of or 'unmeasured'} to {label}")
        return found

    def remove(self, who: Who, id: str) -> None:
        """Forget a face, for instance because its consent was withdrawn, also in passes that are under way: these must
        be begun again. Raises `NotFound`."""
        with self._alone(who.owner):
            gone = self._get(who, id)
            tables = [self.table(who), *self._storage.folder.glob(f"improvements/*/corrections/{TABLE}")]
            for table in tables:
                rows = _read(table)
                kept = [row for row in rows if row.id != id]
                if len(kept) < len(rows):
                    _write(table, kept)
                    self._storage.remove(table.parent / FACES / f"{gone.id}.jpg")
        with self._store.write() as session:
            log(session, who, "forget correction", id)

    def picture(self, who: Who, id: str) -> Path:
        """The file of a face. Raises `NotFound`."""
        return self._storage.corrections(who.owner) / FACES / f"{self._get(who, id).id}.jpg"

    def copy_to(self, owner: int, folder: Path) -> Path | None:
        """Copy an owner's corrections, as they are when that is first asked for; returns the table of the copy, None
        where there were none."""
        who, table = Who(owner, ""), folder / TABLE
        with self._alone(owner):
            if not table.is_file():
                (folder / FACES).mkdir(parents=True, exist_ok=True)
                rows = self.all(who)
                for row in rows:
                    shutil.copyfile(self._storage.corrections(owner) / row.path, folder / row.path)
                _write(table, rows)
            return table if _read(table) else None

    def _get(self, who: Who, id: str) -> Correction:
        for row in self.all(who):
            if row.id == id:
                return row
        raise NotFound("There is no such correction.")

    @contextmanager
    def _alone(self, owner: int) -> Iterator[None]:
        """While nobody else reads and writes an owner's corrections."""
        folder = self._storage.corrections(owner)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock", timeout=PATIENCE):
                yield
        except Timeout as error:
            raise Conflict("The corrections are in use: try again in a moment.") from error


def _read(table: Path) -> list[Correction]:
    """Oldest first, none where there is no table."""
    names = [field.name for field in fields(Correction)]
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = [{name: row[name] for name in names} for row in csv.DictReader(file)]
            if any(value is None for row in rows for value in row.values()):
                raise ValueError("a row with too few fields")
            return [Correction(**row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise Conflict(f"The table {TABLE} of corrections in the data folder was damaged: mend or move it.") from error


def _write(table: Path, rows: list[Correction]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Correction)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    with replace_file(table) as partial:
        partial.write_text(text.getvalue(), "utf-8", newline="")
