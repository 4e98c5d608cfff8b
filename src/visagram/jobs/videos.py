"""A library's entries: add, find, change, delete with undo, and forget for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Select, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, selectinload

from visagram.errors import NotFound, UsageError
from visagram.jobs import leases
from visagram.jobs.model import (
    ANALYSE,
    CANCELLED,
    MEDIA,
    Analysis,
    Blob,
    Entry,
    Job,
    Output,
    Upload,
    Video,
    Window,
)
from visagram.jobs.storage import Storage
from visagram.jobs.store import Store
from visagram.settings import ServerSettings

LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks: an owner, and the name that the log shows."""

    owner: int
    name: str = "local"


@dataclass(frozen=True, slots=True)
class Labels:
    """What people say about a video."""

    participant: str = ""
    condition: str = ""
    tags: Sequence[str] = field(default_factory=tuple)
    notes: str = ""


class Videos:
    """Everything that concerns entries; each method is one transaction."""

    def __init__(self, store: Store, storage: Storage, settings: ServerSettings) -> None:
        self._store, self._storage, self._settings = store, storage, settings

    def add(
        self, who: Who, part: Path, sha256: str, name: str, labels: Labels | None = None, upload: str | None = None
    ) -> str:
        """Take over a file, whose bytes have this hash, and return the new entry's id. upload: whose file it is."""
        labels, size = labels or Labels(), part.stat().st_size
        with self._store.write() as session:
            if session.get(Blob, sha256) is None:
                self._storage.publish_blob(part, sha256)
                session.add(Blob(sha256=sha256, bytes=size))
                session.flush()
                leases.add_job(session, MEDIA, leases.STRIP, blob_id=sha256)
            video = Video(owner_id=who.owner, name=shown_name(name), blob_id=sha256)
            _label(video, labels)
            session.add(video)
            log(session, who, "add video", video.name)
            session.flush()
            if upload is not None:
                session.get_one(Upload, upload).video_id = video.id
        part.unlink(missing_ok=True)
        return video.id

    def get(self, session: Session, who: Who, id: str, *, deleted: bool = False) -> Video:
        """Raises `NotFound`."""
        video = session.get(Video, id)
        if video is None or video.owner_id != who.owner or (video.purge_at is not None and not deleted):
            raise NotFound("There is no such video; it may have been deleted.")
        return video

    def find(
        self,
        session: Session,
        who: Who,
        *,
        query: str = "",
        state: str = "",
        tag: str = "",
        condition: str = "",
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Video], int]:
        """Entries, newest first, and how many there are. query: words that name, participant, condition, tags or notes
        hold. state: of the newest analysis."""
        chosen = select(Video).where(Video.owner_id == who.owner, Video.purge_at.is_(None))
        for word in query.split()[:10]:
            like = f"%{_escaped(word)}%"
            each = _each_tag()
            texts = (Video.name, Video.participant, Video.condition, Video.notes)
            tagged = exists(select(1).select_from(each).where(each.c.value.ilike(like, escape="\\")))
            chosen = chosen.where(or_(tagged, *(text.ilike(like, escape="\\") for text in texts)))
        if condition:
            chosen = chosen.where(Video.condition == condition)
        if tag:
            each = _each_tag()
            chosen = chosen.where(exists(select(1).select_from(each).where(each.c.value == tag)))
        if state:
            chosen = chosen.where(_newest_state(state))
        total = session.scalar(select(func.count()).select_from(chosen.subquery())) or 0
        page = chosen.order_by(Video.created.desc(), Video.id).limit(limit).offset(offset)
        return list(session.scalars(_with_everything(page))), total

    def by_name(self, session: Session, who: Who, name: str) -> Video | None:
        """The newest entry of that name."""
        named = select(Video).where(Video.owner_id == who.owner, Video.name == name, Video.purge_at.is_(None))
        return session.scalar(named.order_by(Video.created.desc(), Video.id).limit(1))

    def change(self, who: Who, id: str, values: dict[str, Any]) -> None:
        """Set name, participant, condition, tags or notes."""
        with self._store.write() as session:
            video = self.get(session, who, id)
            if all(getattr(video, name) == value for name, value in values.items()):
                return
            if "name" in values:
                video.name = shown_name(values["name"])
            kept = {k: values.get(k, getattr(video, k)) for k in ("participant", "condition", "tags", "notes")}
            _label(video, Labels(**kept))
            log(session, who, "change video", video.name, ", ".join(sorted(values)))

    def delete(self, who: Who, id: str, *, at_once: bool = False) -> None:
        """Delete an entry; until the undo time is over it can be restored."""
        with self._store.write() as session:
            video = self.get(session, who, id, deleted=True)
            video.purge_at = time.time() + (0 if at_once else self._settings.undo_seconds)
            log(session, who, "delete video", video.name)

    def restore(self, who: Who, id: str) -> None:
        with self._store.write() as session:
            video = self.get(session, who, id, deleted=True)
            video.purge_at = None
            log(session, who, "restore video", video.name)

    def add_window(self, who: Who, id: str, name: str, start: float, end: float) -> str:
        """Mark a stretch of a video and return its id. Raises `UsageError`."""
        with self._store.write() as session:
            window = Window(video_id=self.get(session, who, id).id)
            _set_window(window, name, start, end)
            session.add(window)
            log(session, who, "add window", window.name)
            session.flush()
            return window.id

    def change_window(self, who: Who, id: str, window_id: str, values: dict[str, Any]) -> None:
        with self._store.write() as session:
            window = self._window(session, who, id, window_id)
            kept = {k: values.get(k, getattr(window, k)) for k in ("name", "start", "end")}
            _set_window(window, **kept)
            log(session, who, "change window", window.name)

    def delete_window(self, who: Who, id: str, window_id: str) -> None:
        with self._store.write() as session:
            window = self._window(session, who, id, window_id)
            log(session, who, "delete window", window.name)
            session.delete(window)

    def untidy(self) -> bool:
        """Whether `tidy` has something to do that people wait for; cheap enough to ask every few seconds."""
        with self._store.read() as session:
            over = select(Video.id).where(Video.purge_at <= time.time()).limit(1)
            unused = select(Output.key).where(Output.key.not_in(select(Analysis.output_id))).limit(1)
            if session.scalar(over) is not None or session.scalar(unused) is not None:
                return True
            return bool(set(self._storage.names("work")) - set(map(str, leases.active_jobs(session))))

    def tidy(self) -> int:
        """Forget what was deleted, is too old or was abandoned, and return how many bytes that freed."""
        now, settings = time.time(), self._settings
        with self._store.write() as session:
            over = Video.purge_at <= now
            if settings.keep_days:
                over = or_(over, Video.created <= now - settings.keep_days * 86_400)
            for video in session.scalars(select(Video).where(over)):
                log(session, Who(video.owner_id, "visagram"), "purge video", video.name)
                _drop_jobs(session, Job.analysis_id.in_([analysis.id for analysis in video.analyses]))
                session.delete(video)
            session.flush()
            _drop_unused(session)
            session.execute(delete(Upload).where(Upload.touched <= now - settings.upload_hours * 3600))
        return self._sweep()

    def _sweep(self) -> int:
        """Remove files that no row speaks of. Under the write lock, which whoever publishes files holds as well."""
        with self._store.write() as session:
            known: dict[str, Callable[[], Iterable[Any]]] = {
                "blobs": lambda: session.scalars(select(Blob.sha256)),
                "media": lambda: session.scalars(select(Blob.sha256)),
                "results": lambda: session.scalars(select(Output.key)),
                "edits": lambda: session.scalars(select(Analysis.id)),
                "uploads": lambda: session.scalars(select(Upload.id)),
                "work": lambda: map(str, leases.active_jobs(session)),
            }
            waste = []
            for kind, rows in known.items():
                names = set(self._storage.names(kind))
                waste += [self._storage.discard(kind, name) for name in names - set(rows())] if names else []
        return sum(self._storage.remove(path) for path in waste if path is not None)

    def _window(self, session: Session, who: Who, id: str, window_id: str) -> Window:
        found = [window for window in self.get(session, who, id).windows if window.id == window_id]
        if not found:
            raise NotFound("There is no such window; it may have been deleted.")
        return found[0]


def log(session: Session, who: Who, action: str, subject: str, detail: str = "") -> None:
    """Remember who changed what."""
    session.add(Entry(owner_id=who.owner, who=who.name, action=action, subject=subject, detail=detail))


def shown_name(name: str) -> str:
    """A file's name as it is kept and shown: its last part, without what moves a cursor or cannot be stored."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return clean(last)[:LONGEST_NAME] or "video"


def clean(text: str) -> str:
    """Text on one line, without control, direction and unpaired surrogate characters."""
    kept = "".join(c for c in text if c.isprintable() and not "\ud800" <= c <= "\udfff")
    return kept.strip()


def _label(video: Video, labels: Labels) -> None:
    for name, longest in (("participant", 200), ("condition", 200), ("notes", 10_000)):
        value = getattr(labels, name)
        if not isinstance(value, str) or len(value) > longest:
            raise UsageError(f"The {name} must be a text of at most {longest} characters.")
        setattr(video, name, value.strip() if name == "notes" else clean(value))
    tags = labels.tags
    if isinstance(tags, str) or len(tags) > 50 or not all(isinstance(t, str) and len(t) <= 80 for t in tags):
        raise UsageError("Tags must be at most 50 texts of at most 80 characters.")
    video.tags = list(dict.fromkeys(tag for tag in map(clean, tags) if tag))


def _set_window(window: Window, name: str, start: float, end: float) -> None:
    if not clean(name) or len(name) > 200:
        raise UsageError("A window needs a name of at most 200 characters.")
    if not 0 <= start < end < float("inf"):
        raise UsageError("A window ends later than it starts, and starts at 0 or later.")
    window.name, window.start, window.end = clean(name), float(start), float(end)


def _drop_unused(session: Session) -> None:
    """Forget outputs that no analysis shows, and bytes that no entry and no output needs."""
    shown = select(Analysis.output_id)
    unused = session.scalars(select(Output.key).where(Output.key.not_in(shown))).all()
    if unused:
        _drop_jobs(session, Job.output_id.in_(unused))
        session.execute(delete(Output).where(Output.key.in_(unused)))
    needed = select(Video.blob_id).union(select(Output.blob_id))
    bytes_ = session.scalars(select(Blob.sha256).where(Blob.sha256.not_in(needed))).all()
    if bytes_:
        _drop_jobs(session, Job.blob_id.in_(bytes_))
        session.execute(delete(Blob).where(Blob.sha256.in_(bytes_)))


def _drop_jobs(session: Session, which: Any) -> None:
    for job in session.scalars(select(Job).where(which)):
        session.delete(job)
    session.flush()


def _newest_state(state: str) -> Any:
    """Whether the newest analysis of a video is in this state."""
    other = aliased(Analysis)
    newest = select(func.max(other.created)).where(other.video_id == Analysis.video_id).scalar_subquery()
    mine = select(1).select_from(Analysis).where(Analysis.video_id == Video.id, Analysis.created == newest)
    if state == CANCELLED:
        return exists(mine.where(Analysis.cancelled.is_not(None)))
    of_job = mine.join(Job, Job.output_id == Analysis.output_id)
    return exists(of_job.where(Analysis.cancelled.is_(None), Job.state == state, Job.kind == ANALYSE))


def _with_everything(chosen: Select[Video]) -> Select[Video]:
    analyses = selectinload(Video.analyses).selectinload(Analysis.output).selectinload(Output.job)
    return chosen.options(selectinload(Video.blob), selectinload(Video.windows), analyses)


def _each_tag() -> Any:
    return func.json_each(Video.tags).table_valued("value")


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
