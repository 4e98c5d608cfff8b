"""The work behind each kind of unit. `Runner.run` is the one way in, whichever process or machine calls it.

an output: prepare ─▶ segment 0 … n ─▶ merge     bytes: strip ─▶ proxy     an analysis: annotate
the studio: generate, improve

A unit reads what others published in the job's work folder, writes under its own fence and publishes in one
transaction.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

import visagram.wire as wire
from visagram.analysis import plan_video, prepare_models
from visagram.core.segments import Probed, Segment
from visagram.errors import StorageFull, UsageError, VisagramError
from visagram.export.read import read_report
from visagram.files import output_error, replace_file
from visagram.jobs import leases
from visagram.jobs.corrections import Corrections
from visagram.jobs.effects import effects, newest
from visagram.jobs.heart import BEAT_SECONDS, Heart
from visagram.jobs.leases import Lease, LeaseLost, Leases
from visagram.jobs.merge import merge
from visagram.jobs.model import Analysis, Blob, Job, Making, Unit
from visagram.jobs.passes import CANDIDATE, NO_DATA, PREVIEW
from visagram.jobs.storage import Storage, annotated_file, preview_file, view_folder
from visagram.jobs.store import Store
from visagram.models.card import EMOTION
from visagram.models.promotion import promotions
from visagram.settings import Settings
from visagram.workers import Workers

GIVE_UP_TRIES = 5
FRESH_PREVIEW = 1.0
"""Seconds for which another process' preview of the same job is not replaced."""


class OtherVersion(Exception):
    """A job was planned by an older version, which knew less of the video."""


class Runner:
    """Does units, one at a time. settings: limits of the worker children; what decides results comes with each job.
    training: data for the loop."""

    def __init__(
        self, store: Store, storage: Storage, queue: Leases, settings: Settings, training: Path | None = None
    ) -> None:
        self._store, self._storage, self._queue, self._training = store, storage, queue, training
        self._settings = dataclasses.replace(settings, processes=1)
        self._workers: Workers | None = None
        self._given = (self._settings, "")
        self._tasks: dict[str, Callable[[Lease, Heart], None]] = {
            leases.PREPARE: self._prepare,
            leases.SEGMENT: self._segment,
            leases.MERGE: self._merge,
            leases.STRIP: self._strip,
            leases.PROXY: self._proxy,
            leases.DRAW: self._annotate,
            leases.MAKE: self._make,
            leases.IMPROVE: self._improve,
        }

    def run(self, lease: Lease) -> None:
        """Do one unit and publish it, or end its job with the error that stopped it. A lost lease is no error."""
        heart = Heart(self._queue, lease, self._stop)
        try:
            with heart:
                self._tasks[lease.kind](lease, heart)
        except LeaseLost:
            self._stop()
        except OtherVersion:
            self._begin_again(lease)
        except VisagramError as error:
            self._give_up(lease, heart, error)
        except OSError as error:
            self._give_up(lease, heart, output_error(self._storage.work(lease.job), error))
        except OperationalError as error:
            # A database that is only busy is no reason to give up: the lease runs out and the unit is done again.
            if _is_full(error):
                self._give_up(lease, heart, StorageFull("The disk is full: free some space and try again."))

    def _begin_again(self, lease: Lease) -> None:
        """Plan a job anew: two versions would cut one video in two ways, or number its frames in two."""
        with contextlib.suppress(LeaseLost), self._store.write() as session:
            leases.restart(session, self._queue.publish(session, lease), leases.PREPARE)

    def _give_up(self, lease: Lease, heart: Heart, error: VisagramError) -> None:
        """End the job; on a full disk its own files go first, so that this can be written."""
        self._stop()
        if heart.lost:
            return
        if isinstance(error, StorageFull):
            self._storage.remove(self._storage.work(lease.job))
        for _ in range(GIVE_UP_TRIES):
            try:
                return self._queue.give_up(lease, error.code, self._without_paths(str(error)))
            except LeaseLost:
                return
            except OperationalError:
                time.sleep(BEAT_SECONDS)

    def _without_paths(self, text: str) -> str:
        """A message for people who know their videos by other names than the data folder does."""
        known = (self._settings.models_folder, self._storage.folder, self._training)
        places = "|".join(re.escape(str(place)) for place in known if place is not None)
        named = re.sub(rf"({places})[^\s:,;]*", "the file", text)
        return named[:1].upper() + named[1:]

    def close(self) -> None:
        self._stop()

    def _stop(self) -> None:
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.close()

    def _children(self, settings: Settings | None = None) -> Workers:
        """The child processes, kept between units of the same settings while the same model is in force: they hold it
        open."""
        wanted = settings or self._settings
        given = (wanted, "".join(each.sha256 for each in promotions(wanted.models_folder)))
        if self._workers is None or self._given != given:
            self._stop()
            self._workers, self._given = Workers(wanted), given
        return self._workers

    def _prepare(self, lease: Lease, _heart: Heart) -> None:
        blob, settings = self._task(lease)
        prepare_models(settings, lambda _stage, _completed, _total: None)
        workers = self._children(settings)
        probed = workers.probe(blob)
        facts = probed.facts
        segments = plan_video("The video", facts, probed.timeline, settings)
        work = self._storage.work(lease.job)
        name = f"plan-{lease.fence}"
        with replace_file(work / name) as partial, partial.open("wb") as raw, gzip.open(raw, "wb", 1) as file:
            wire.send(file, "plan", *wire.pack_probed(probed))  # type: ignore[arg-type]
        with self._store.write() as session:
            job = self._queue.publish(session, lease, name)
            job.total = sum(segment.core for segment in segments) or facts.frames
            job.completed = 0
            if (row := session.get(Blob, blob.name)) is not None:
                row.facts = wire.pack_facts(facts)
            for segment in segments:
                leases.add_unit(session, job, leases.SEGMENT, segment.number)

    def _segment(self, lease: Lease, heart: Heart) -> None:
        blob, settings = self._task(lease)
        (facts, timeline, _), segments = self._plan(lease.job, settings)
        segment, threads = segments[lease.number], 2 if len(segments) == 1 else 1
        work = self._storage.work(lease.job)
        name = f"segment-{lease.number}-{lease.fence}"
        with replace_file(work / name) as partial, partial.open("wb") as file:
            messages = self._children(settings).analyse(blob, facts, timeline, [segment], threads=threads, preview=True)
            for _, (kind, values, arrays) in messages:
                heart.check()
                if kind == "preview":
                    with contextlib.suppress(OSError):
                        self._preview(work, heart, values, arrays)
                    continue
                wire.send(file, kind, values, arrays)
                heart.completed = int(values.get("frames", heart.completed))
            heart.check()
        with self._store.write() as session:
            job = self._queue.publish(session, lease, name, segment.core or heart.completed)
            if not leases.unfinished(session, job, (leases.SEGMENT,)):
                leases.add_unit(session, job, leases.MERGE)

    def _merge(self, lease: Lease, heart: Heart) -> None:
        blob, settings = self._task(lease)
        probed, segments = self._plan(lease.job, settings)
        work, files = self._storage.work(lease.job), self._published(lease.job, leases.SEGMENT)
        parts = [(segment, work / files[segment.number]) for segment in segments]
        nameless = probed._replace(facts=dataclasses.replace(probed.facts, name="video", path="", sha256=blob.name))
        with self._storage.temporary() as folder:
            report = merge("The video", nameless, parts, settings, folder / "view", heart.progress)
            with self._store.write() as session:
                job = self._queue.publish(session, lease)
                output = job.output
                assert output is not None
                self._storage.publish_folder(folder / "view", self._storage.output(output.key))
                output.published, output.people = time.time(), len(report.people)
                leases.finish(session, job)
        self._storage.remove(work)

    def _strip(self, lease: Lease, _heart: Heart) -> None:
        blob = self._storage.blob(self._job(lease).blob_id or "")
        workers = self._children()
        facts = workers.probe(blob).facts
        reason = workers.playable(blob)
        with self._storage.temporary() as folder:
            strip = workers.derive_strip(blob, folder)
            media = self._storage.media(blob.name)
            with self._store.write() as session:
                job = self._queue.publish(session, lease)
                row = session.get_one(Blob, blob.name)
                row.facts, row.playback, row.strip = wire.pack_facts(facts), reason or "", strip
                media.mkdir(parents=True, exist_ok=True)
                for file in folder.iterdir():
                    file.replace(media / file.name)
                if reason:
                    leases.add_unit(session, job, leases.PROXY)
                else:
                    leases.finish(session, job)

    def _proxy(self, lease: Lease, heart: Heart) -> None:
        blob = self._storage.blob(self._job(lease).blob_id or "")
        with self._storage.temporary() as folder:
            self._children().derive_proxy(blob, folder / "proxy.mp4", heart.progress)
            with self._store.write() as session:
                job = self._queue.publish(session, lease)
                place = self._storage.media(blob.name) / "proxy.mp4"
                place.parent.mkdir(parents=True, exist_ok=True)
                (folder / "proxy.mp4").replace(place)
                leases.finish(session, job)

    def _annotate(self, lease: Lease, heart: Heart) -> None:
        with self._store.read() as session:
            analysis = session.get(Analysis, self._job(lease).analysis_id)
            if analysis is None:
                raise LeaseLost
            blob, revision = self._storage.blob(analysis.video.blob_id), analysis.revision
            report = read_report(view_folder(self._storage, analysis))
        stream = report.video.stream if report.video.stream >= 0 else None
        with self._storage.temporary() as folder:
            self._children(dataclasses.replace(self._settings, stream=stream)).annotate(
                blob, report, folder / "annotated.mp4", heart.progress
            )
            with self._store.write() as session:
                job = self._queue.publish(session, lease)
                place = annotated_file(self._storage, analysis.id, revision)
                place.parent.mkdir(parents=True, exist_ok=True)
                (folder / "annotated.mp4").replace(place)
                leases.finish(session, job)
        for older in place.parent.glob("annotated-*.mp4"):
            if older != place:
                self._storage.remove(older)

    def _make(self, lease: Lease, heart: Heart) -> None:
        """Generated faces into their owner's folder, each judged by the teacher; an interrupted request goes on."""
        with self._store.read() as session:
            making = session.get(Making, self._job(lease).making_id)
            if making is None:
                raise LeaseLost
            owner, wanted = making.owner_id, dict(making.request)
        # Imported here: it needs the extra.
        from visagram.synth.studio import fill

        self._storage.reserve(0)
        fill(self._storage.studio(owner), wanted, self._settings, heart.progress)
        with self._store.write() as session:
            leases.finish(session, self._queue.publish(session, lease))

    def _improve(self, lease: Lease, heart: Heart) -> None:
        """One pass of the loop; an interrupted one goes on."""
        with self._store.read() as session:
            making = session.get(Making, self._job(lease).making_id)
            if making is None:
                raise LeaseLost
            id, owner, wanted = making.id, making.owner_id, dict(making.request)
        if self._training is None:
            raise UsageError(NO_DATA)
        # Imported here: it needs the extra.
        from visagram.synth.studio import Places, improve

        def say(text: str) -> None:
            heart.preview = {"said": text}

        self._storage.reserve(0)
        work = self._storage.improvement(id)
        also = Corrections(self._store, self._storage).copy_to(owner, work / "corrections")
        places = Places(self._training, self._storage.studio(owner), also, work)
        improve(places, wanted, self._settings, heart.progress, say)
        # Whoever withdraws consent later is forgotten everywhere.
        self._storage.remove(work / "corrections")
        self._foresee(owner, work, heart)
        with self._store.write() as session:
            leases.finish(session, self._queue.publish(session, lease))

    def _foresee(self, owner: int, work: Path, heart: Heart) -> None:
        """Write down what the candidate of a pass, if there is one, would change on its owner's newest videos."""
        candidate = work / CANDIDATE / f"{EMOTION}.onnx"
        if not candidate.is_file():
            return
        heart.preview = {"said": "Both models look at your own videos."}
        with self._store.read() as session:
            videos = newest(session, self._storage, owner)
        found = effects(videos, candidate, self._settings, self._children, self._without_paths, heart.progress)
        with replace_file(work / PREVIEW) as partial:
            partial.write_text(json.dumps({"videos": found}, indent=2) + "\n", "utf-8")

    def _job(self, lease: Lease) -> Job:
        with self._store.read() as session:
            job = session.get(Job, lease.job)
            if job is None:
                raise LeaseLost
            return job

    def _task(self, lease: Lease) -> tuple[Path, Settings]:
        """The bytes of an analysing job, and the settings under which it was asked for."""
        with self._store.read() as session:
            job = session.get(Job, lease.job)
            if job is None or job.output is None:
                raise LeaseLost
            return self._storage.blob(job.output.blob_id), dataclasses.replace(self._settings, **job.output.settings)

    def _published(self, job: int, kind: str) -> dict[int, str]:
        """File names by unit number."""
        with self._store.read() as session:
            rows = session.query(Unit.number, Unit.file).where(Unit.job_id == job, Unit.kind == kind)
            return {number: file for number, file in rows if file is not None}

    def _plan(self, job: int, settings: Settings) -> tuple[Probed, list[Segment]]:
        """What `_prepare` found out, and the segments that follow from it. Raises `OtherVersion`."""
        path = self._storage.work(job) / self._published(job, leases.PREPARE)[0]
        try:
            with gzip.open(path, "rb") as file:
                message = wire.receive(file)  # type: ignore[arg-type]
        except gzip.BadGzipFile:
            raise OtherVersion from None
        assert message is not None
        _, values, arrays = message
        probed = wire.unpack_probed(values, arrays)
        if not len(probed.timeline.marks):
            raise OtherVersion
        return probed, plan_video("The video", probed.facts, probed.timeline, settings)

    def _preview(self, work: Path, heart: Heart, values: dict[str, Any], arrays: wire.Arrays) -> None:
        picture = preview_file(work)
        with contextlib.suppress(FileNotFoundError):
            if time.time() - picture.stat().st_mtime < FRESH_PREVIEW:
                return
        with replace_file(picture) as partial:
            partial.write_bytes(arrays["jpeg"].tobytes())
        heart.preview = values


def _is_full(error: OperationalError) -> bool:
    return "full" in str(error.orig)
