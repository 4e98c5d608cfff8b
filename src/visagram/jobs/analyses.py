"""Analyses: ask for one, share what was computed already, cancel, retry, delete, and what people change in them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from visagram import __version__
from visagram.core import edits
from visagram.errors import Conflict, NotFound
from visagram.export.read import read_report
from visagram.export.view import write_edited_view
from visagram.jobs import leases
from visagram.jobs.model import (
    ANALYSE,
    ANNOTATE,
    CANCELLED,
    DONE,
    FAILED,
    Analysis,
    Change,
    Job,
    Output,
    Video,
)
from visagram.jobs.storage import Storage, annotated_file, view_folder
from visagram.jobs.store import Store, tick
from visagram.jobs.videos import Videos, Who, log
from visagram.models.catalog import check_offered, model_cards
from visagram.settings import Settings


class Analyses:
    """Everything that concerns analyses; each method is one transaction."""

    def __init__(self, store: Store, storage: Storage, videos: Videos, defaults: Settings) -> None:
        self._store, self._storage, self._videos, self._defaults = store, storage, videos, defaults

    def create(self, who: Who, video_id: str, given: Mapping[str, Any]) -> tuple[str, bool]:
        """Ask for an analysis; returns its id and whether it is new: the same video under the same settings has one.

        given: settings by name; those not named have the server's values. Raises `UsageError`, `NotFound`.
        """
        settings = self._settings(given)
        with self._store.write() as session:
            video = self._videos.get(session, who, video_id)
            key = _key(video.blob_id, settings, self._defaults.models_folder)
            mine = [a for a in video.analyses if a.output_id == key and state(a) not in (FAILED, CANCELLED)]
            if mine:
                return mine[-1].id, False
            output = session.get(Output, key)
            if output is None:
                output = Output(key=key, blob_id=video.blob_id, settings=settings)
                session.add(output)
                session.flush()
                leases.add_job(session, ANALYSE, leases.PREPARE, output_id=key)
            elif output.job is not None and output.job.state in (FAILED, CANCELLED):
                leases.restart(session, output.job, leases.PREPARE)
            analysis = Analysis(video_id=video.id, output_id=key, shared=output.published is not None)
            session.add(analysis)
            log(session, who, "analyse", video.name)
            session.flush()
            return analysis.id, True

    def get(self, session: Session, who: Who, id: str) -> Analysis:
        """Raises `NotFound`."""
        analysis = session.get(Analysis, id)
        if analysis is None or analysis.video.owner_id != who.owner or analysis.video.purge_at is not None:
            raise NotFound("There is no such analysis; it may have been deleted.")
        return analysis

    def finished(self, session: Session, who: Who, id: str) -> Analysis:
        """An analysis that has a result. Raises `NotFound`, `Conflict`."""
        analysis = self.get(session, who, id)
        if state(analysis) != DONE:
            raise Conflict(f"This analysis has no result: it is {state(analysis)}.")
        return analysis

    def cancel(self, who: Who, id: str) -> None:
        """Stop an analysis; the work ends unless somebody else waits for the same output. Raises `Conflict`."""
        with self._store.write() as session:
            analysis = self.get(session, who, id)
            if state(analysis) in (DONE, FAILED, CANCELLED):
                raise Conflict(f"This analysis cannot be cancelled: it is {state(analysis)}.")
            analysis.cancelled = time.time()
            job = analysis.output.job
            session.flush()
            if job is not None:
                job.version = tick(session)
                if not _wanted(session, analysis.output):
                    leases.cancel(session, job)
            log(session, who, "cancel analysis", analysis.video.name)

    def retry(self, who: Who, id: str) -> None:
        """Begin a failed or cancelled analysis again. Raises `Conflict`."""
        with self._store.write() as session:
            analysis = self.get(session, who, id)
            if state(analysis) not in (FAILED, CANCELLED):
                raise Conflict(
                    f"Only a failed or cancelled analysis can be tried again: this one is {state(analysis)}."
                )
            analysis.cancelled = None
            job = analysis.output.job
            if job is not None and job.state in (FAILED, CANCELLED):
                leases.restart(session, job, leases.PREPARE)
            elif job is not None:
                job.version = tick(session)
            log(session, who, "retry analysis", analysis.video.name)

    def delete(self, who: Who, id: str) -> None:
        """Remove an analysis with its changes; the bytes go when nothing else shows them."""
        with self._store.write() as session:
            analysis = self.get(session, who, id)
            log(session, who, "delete analysis", analysis.video.name)
            for job in session.scalars(select(Job).where(Job.analysis_id == analysis.id)):
                session.delete(job)
            session.flush()
            session.delete(analysis)

    def edit(self, who: Who, id: str, edit: edits.Edit) -> None:
        """Rename, merge or split people: statistics are computed anew and the change is recorded. Raises `UsageError`
        for an edit that makes no sense."""
        with self._store.read() as session:
            analysis = self.finished(session, who, id)
            before = [edits.from_json(change.edit) for change in analysis.changes]
        self._recompute(who, analysis, [*before, edit], Change(analysis_id=id, who=who.name, edit=edits.to_json(edit)))

    def undo(self, who: Who, id: str) -> None:
        """Take the last change back. Raises `Conflict` where there is none."""
        with self._store.read() as session:
            analysis = self.finished(session, who, id)
            if not analysis.changes:
                raise Conflict("There is no change to take back.")
            kept = [edits.from_json(change.edit) for change in analysis.changes[:-1]]
        self._recompute(who, analysis, kept, None)

    def annotate(self, who: Who, id: str) -> None:
        """Ask for the annotated video of an analysis as it is now."""
        with self._store.write() as session:
            analysis = self.finished(session, who, id)
            if annotated_file(self._storage, id, analysis.revision).exists():
                return
            job = drawing(session, id)
            if job is None:
                leases.add_job(session, ANNOTATE, leases.DRAW, analysis_id=id)
            elif job.state in (DONE, FAILED, CANCELLED):
                leases.restart(session, job, leases.DRAW)

    def _settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        values = self._defaults.for_report() | Settings.parse(given)
        check_offered(values["emotion"], values["detector"], self._defaults.emotion)
        return Settings(**values).for_report()

    def _recompute(self, who: Who, analysis: Analysis, chosen: list[edits.Edit], change: Change | None) -> None:
        """Write the view folder of these edits, then make it the one that counts."""
        machine = self._storage.output(analysis.output_id)
        with self._storage.temporary() as folder:
            if chosen:
                write_edited_view(machine, chosen, folder / "view")
            view = read_report(folder / "view" if chosen else machine)
            with self._store.write() as session:
                current = self.finished(session, who, analysis.id)
                if [c.id for c in current.changes] != [c.id for c in analysis.changes]:
                    raise Conflict("Somebody else changed these people meanwhile: look again.")
                if change is None:
                    session.delete(current.changes[-1])
                else:
                    session.add(change)
                current.revision += 1
                before, current.view = current.view, current.revision if chosen else 0
                if chosen:
                    place = view_folder(self._storage, current)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    self._storage.publish_folder(folder / "view", place)
                current.people = len(view.people)
                what = change.edit["kind"] if change is not None else "undo"
                log(session, who, f"people: {what}", current.video.name)
        # The one before stays a while for whoever reads it now.
        self._drop_views(analysis.id, {before, current.view})

    def _drop_views(self, analysis: str, kept: set[int]) -> None:
        for folder in self._storage.edits(analysis).glob("view-*"):
            if int(folder.name.removeprefix("view-")) not in kept:
                self._storage.remove(folder)


def state(analysis: Analysis) -> str:
    """The state that people see."""
    if analysis.cancelled is not None:
        return CANCELLED
    if analysis.output.published is not None:
        return DONE
    job = analysis.output.job
    return job.state if job is not None else FAILED


def drawing(session: Session, analysis: str) -> Job | None:
    """The job that draws an annotated video."""
    return session.scalar(select(Job).where(Job.analysis_id == analysis, Job.kind == ANNOTATE))


def _wanted(session: Session, output: Output) -> bool:
    """Whether a live analysis waits for this output."""
    live = (
        select(Analysis.id)
        .join(Video)
        .where(Analysis.output_id == output.key, Analysis.cancelled.is_(None), Video.purge_at.is_(None))
    )
    return session.scalar(live.limit(1)) is not None


def _key(blob: str, settings: dict[str, Any], models_folder: Path) -> str:
    """Names an output by all that it depends on. A model that is still to be fetched has no hash yet."""
    cards = model_cards(settings["emotion"], settings["detector"], models_folder, refined=settings["refine"])
    models = [[each["name"], each["sha256"]] for card in cards for each in (card, card.get("quick")) if each]
    text = json.dumps([blob, settings, models, __version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
