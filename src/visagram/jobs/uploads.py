"""Files on their way in: written straight into the data folder, resumable, forgotten when they are abandoned."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from visagram.errors import Conflict, EmptyInput, NotFound, StorageFull, TooLarge
from visagram.files import output_error
from visagram.jobs.analyses import Analyses
from visagram.jobs.model import Upload
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.jobs.videos import Labels, Videos, Who
from visagram.settings import ServerSettings, Settings

BLOCK = 1 << 20
UNKNOWN = -1
"""The length of an upload that says its own end."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to become of an upload: settings of its analysis by name (None: it is not analysed), and labels."""

    settings: Mapping[str, Any] | None
    labels: Labels = field(default_factory=Labels)

    def to_json(self) -> dict[str, Any]:
        labels = {name: getattr(self.labels, name) for name in ("participant", "condition", "notes")}
        settings = None if self.settings is None else dict(self.settings)
        return {"settings": settings, "labels": labels | {"tags": list(self.labels.tags)}}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Wanted:
        return cls(values["settings"], Labels(**values["labels"]))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is. video: what became of it once it was whole."""

    offset: int
    length: int
    video: str | None


class Uploads:
    """Begin, append, finish. The offset is the file's own size, so that a killed server never believes too much."""

    def __init__(
        self, store: Store, storage: Storage, videos: Videos, analyses: Analyses, server: ServerSettings
    ) -> None:
        self._store, self._storage, self._videos, self._analyses = store, storage, videos, analyses
        self._most, self._server = server.max_upload << 20, server

    @property
    def most(self) -> int:
        """Bytes of the largest upload."""
        return self._most

    def begin(self, who: Who, name: str, length: int, wanted: Wanted) -> str:
        """Make room for a file of `length` bytes and return the upload's id.

        Raises `TooLarge`, `EmptyInput`, `StorageFull`, and `UsageError` for settings that make no sense.
        """
        if length == 0:
            raise EmptyInput("The file is empty.")
        self._check_size(length)
        Settings(**Settings.parse(wanted.settings or {}))
        with self._store.write() as session:
            promised = self._promised(session) + max(length, 0)
            self._storage.reserve(promised)
            upload = Upload(owner_id=who.owner, name=name, length=length, request=wanted.to_json())
            session.add(upload)
            session.flush()
            try:
                self._storage.upload(upload.id).touch()
            except OSError as error:
                raise output_error(self._storage.upload(upload.id), error) from error
            return upload.id

    def describe(self, who: Who, id: str, wanted: Wanted) -> None:
        """Say anew what is to become of an upload. Raises `NotFound`."""
        with self._store.write() as session:
            self._get(session, who, id).request = wanted.to_json()

    def progress(self, who: Who, id: str) -> Progress:
        """Raises `NotFound`."""
        with self._store.read() as session:
            upload = self._get(session, who, id)
        return Progress(self._offset(upload), upload.length, upload.video_id)

    def append(self, who: Who, id: str, offset: int, stream: BinaryIO | Iterable[bytes]) -> Progress:
        """Write what the stream brings from `offset` on; what arrived before it broke off is kept.

        Raises `Conflict` where the offset is not where the file ends, `TooLarge` beyond the promised length,
        `StorageFull`.
        """
        with self._store.write() as session:
            upload = self._get(session, who, id)
            if upload.video_id is not None or offset != self._offset(upload):
                raise Conflict(f"The upload goes on at byte {self._offset(upload)}, not at {offset}.")
            upload.touched = time.time()
        path = self._storage.upload(id)
        limit = self._most if upload.length == UNKNOWN else upload.length
        try:
            # Unbuffered, so that what the stream brought is in the file when the stream breaks.
            with path.open("rb+", buffering=0) as file:
                _lock(file)
                if file.seek(0, os.SEEK_END) != offset:
                    raise Conflict("Another request writes to this upload: ask for its offset again.")
                for block in _blocks(stream):
                    offset += len(block)
                    if offset > limit:
                        raise TooLarge(f"The upload is larger than the {limit:,} bytes that it may have.")
                    self._storage.reserve(len(block))
                    _write(file, block)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("The disk is full: free some space, then the upload can go on.") from error
            raise
        return Progress(offset, upload.length, None)

    def finish(self, who: Who, id: str) -> tuple[str, str | None]:
        """Make a whole upload an entry of the library and return its id and that of its analysis.

        Can be called again after a crash or a lost answer. Raises `Conflict` where bytes are missing.
        """
        with self._store.read() as session:
            upload = self._get(session, who, id)
        path, wanted = self._storage.upload(id), Wanted.from_json(upload.request)
        if upload.video_id is not None:
            return upload.video_id, self._analysis(who, upload.video_id, wanted)
        size = path.stat().st_size
        if upload.length not in (UNKNOWN, size):
            raise Conflict(f"The upload is not complete: {size:,} of {upload.length:,} bytes arrived.")
        if size == 0:
            self.drop(who, id)
            raise EmptyInput("The file is empty.")
        with path.open("rb") as file:
            os.fsync(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        video = self._videos.add(who, path, sha256, upload.name, wanted.labels, upload=id)
        return video, self._analysis(who, video, wanted)

    def drop(self, who: Who, id: str) -> None:
        """Forget an upload and its bytes."""
        with self._store.write() as session:
            session.delete(self._get(session, who, id))
            waste = self._storage.discard("uploads", id)
        if waste is not None:
            self._storage.remove(waste)

    def _check_size(self, length: int) -> None:
        if length > self._most:
            raise TooLarge(f"The file has {length / 2**20:,.0f} MiB; at most {self._most / 2**20:,.0f} are taken.")

    def _promised(self, session: Session) -> int:
        """Bytes that other uploads have still to bring."""
        rows = session.scalars(select(Upload).where(Upload.video_id.is_(None), Upload.length > 0))
        return sum(max(0, row.length - self._offset(row)) for row in rows)

    def _offset(self, upload: Upload) -> int:
        try:
            return self._storage.upload(upload.id).stat().st_size
        except FileNotFoundError:
            return upload.length if upload.video_id is not None else 0

    def _analysis(self, who: Who, video: str, wanted: Wanted) -> str | None:
        """The analysis that was asked for with an upload: asking again gives the same."""
        return None if wanted.settings is None else self._analyses.create(who, video, wanted.settings)[0]

    def _get(self, session: Session, who: Who, id: str) -> Upload:
        upload = session.scalar(select(Upload).where(Upload.id == id, Upload.owner_id == who.owner))
        if upload is None:
            raise NotFound("There is no such upload; it may have expired.")
        return upload


def _blocks(stream: BinaryIO | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(stream, Iterable) and not hasattr(stream, "read"):
        return stream
    return iter(lambda: stream.read(BLOCK), b"")


def _write(file: Any, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) or 0 :]


def _lock(file: Any) -> None:
    """Two requests must not write one upload at a time."""
    if os.name == "nt":
        return
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict("Another request writes to this upload: ask for its offset again.") from None
