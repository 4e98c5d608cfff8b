"""Rows of the database as the JSON objects of the API; to be called inside the session that the rows come from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from visagram.jobs import leases
from visagram.jobs.analyses import state
from visagram.jobs.model import (
    DONE,
    FAILED,
    LEASED,
    MEDIA,
    QUEUED,
    RUNNING,
    Analysis,
    Change,
    Entry,
    Job,
    Making,
    Unit,
    Video,
    Window,
)
from visagram.jobs.passes import Passes, sets
from visagram.jobs.storage import Storage

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from visagram.jobs.corrections import Correction
    from visagram.models.card import Card
    from visagram.models.promotion import Promotion

API = "/api/v1"
RATE_AFTER = 2.0
"""Seconds of measured work before a rate and the time left are told."""
_DISK = {
    "storage_full": "There is not enough space on the server's disk: delete videos or free some space, then try again.",
    "output_unwritable": "The server cannot write to its data folder.",
}
"""Errors whose own words name places on the server."""
_GONE = {"code": "not_found", "detail": "What this pass found is gone: start another."}
_FIGURES = {
    "accuracy": "accuracy",
    "macro_recall": "mean recall",
    "macro_f1": "macro F1",
    "ece_debiased": "calibration error",
    "ece": "calibration error, uncorrected",
}
_FACTS = ("width", "height", "frames", "variable_rate", "codec", "container", "pixel_format", "has_audio", "still")
_SHAPE = ("frame", "time", "width", "height")
_STAGES = ("wait", "probe", "analyse", "summarise", "done")


def video(session: Session, storage: Storage, row: Video) -> dict[str, Any]:
    """A video with its newest analysis."""
    media, blob = storage.media(row.blob_id), row.blob
    newest = row.analyses[-1] if row.analyses else None
    return {
        "id": row.id,
        "name": row.name,
        "created": moment(row.created),
        "bytes": blob.bytes,
        "sha256": blob.sha256,
        "participant": row.participant,
        "condition": row.condition,
        "tags": list(row.tags),
        "notes": row.notes,
        "facts": facts(blob.facts),
        "poster_url": f"{API}/videos/{row.id}/poster" if (media / "poster.jpg").is_file() else None,
        "strip": _strip(row),
        "content_url": f"{API}/videos/{row.id}/content",
        "playback": playback(session, storage, row),
        "latest": None if newest is None else analysis(newest),
        "windows": len(row.windows),
        "deleted_at": moment(row.purge_at),
    }


def facts(packed: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the probe found out, with times in seconds; None before it looked, and for what an older one did not."""
    if packed is None:
        return None
    times = {name: float(Fraction(packed[name])) for name in ("duration", "rate")}
    found = packed.get("shapes")
    changes = None if found is None else [{name: each[name] for name in _SHAPE} for each in found]
    known = {name: packed.get(name) for name in ("stream", "time_basis")}
    return times | {name: packed[name] for name in _FACTS} | known | {"shapes": changes}


def playback(session: Session, storage: Storage, row: Video) -> dict[str, Any]:
    """Whether a browser can play the video, and from where."""
    url, reason = f"{API}/videos/{row.id}/playback", row.blob.playback
    if reason == "":
        return _playback("direct", url)
    if reason is not None and (storage.media(row.blob_id) / "proxy.mp4").is_file():
        return _playback("ready", url, 1.0, reason)
    job = session.query(Job).filter(Job.blob_id == row.blob_id, Job.kind == MEDIA).first()
    if job is None or job.state not in (QUEUED, RUNNING):
        return _playback("failed", None, 0.0, _why(job, reason))
    proxies = session.query(Unit.id).filter(Unit.job_id == job.id, Unit.kind == leases.PROXY)
    if proxies.filter(Unit.state == LEASED).first() is None:
        return _playback("pending", None, 0.0, reason)
    return _playback("making", None, min(1.0, job.completed / job.total) if job.total else 0.0, reason)


def analysis(row: Analysis) -> dict[str, Any]:
    """An analysis and how far it is."""
    shown, job = state(row), row.output.job
    failed = shown == FAILED
    return {
        "id": row.id,
        "video_id": row.video.id,
        "video_name": row.video.name,
        "created": moment(row.created),
        "finished": moment(_finished(row, shown)),
        "settings": dict(row.output.settings),
        "state": shown,
        "progress": _progress(row, shown),
        "attempt": job.attempt if job is not None else 0,
        "people": _people(row) if shown == DONE else None,
        "revision": row.revision,
        "error": _error(job) if failed else None,
        "shared": row.shared,
    }


def making(row: Making) -> dict[str, Any]:
    """A request to the studio and how far it is."""
    job, wanted = row.job, row.request
    return {
        "id": row.id,
        "created": moment(row.created),
        **{name: wanted[name] for name in ("expression", "count", "seed", "guidance", "generator")},
        "state": job.state if job is not None else FAILED,
        "completed": job.completed if job is not None else 0,
        "total": job.total if job is not None else 0,
        "error": _error(job) if job is not None and job.state == FAILED else None,
    }


def improvement(passes: Passes, row: Making) -> dict[str, Any]:
    """A pass of the loop, how far it is and what it found."""
    job, wanted, found = row.job, row.request, passes.verdict(row)
    over = job is not None and job.state == DONE
    return {
        "id": row.id,
        "created": moment(row.created),
        "ratio": wanted["ratio"],
        "seed": wanted["seed"],
        "state": job.state if job is not None else FAILED,
        "completed": job.completed if job is not None else 0,
        "total": job.total if job is not None else 0,
        "said": (job.preview or {}).get("said", "") if job is not None else "",
        "error": _error(job) if job is not None and job.state == FAILED else None if found or not over else _GONE,
        "outcome": None if found is None else _outcome(passes, row, found),
    }


def _outcome(passes: Passes, row: Making, found: Mapping[str, Any]) -> dict[str, Any]:
    candidate, preview = passes.candidate(row), passes.preview(row)
    return {
        "promote": found["promote"],
        "reasons": found["reasons"],
        "candidate": candidate,
        "in_force": candidate is not None and passes.hash_in_force == candidate,
        "needs": found["needs"],
        "videos": None if preview is None else preview["videos"],
        "sets": [
            {
                "name": figures["data"]["name"],
                "faces": figures["comparison"]["faces"],
                "url": f"{API}/studio/passes/{row.id}/comparisons/{which}",
                "figures": _figures(figures),
            }
            for which, figures in sets(found).items()
        ],
    }


def _figures(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Both models' figures on a set, and by how much they differ. Passes of before know no debiased error, and their
    interval of the other does not hold what it promised."""
    (before, after), changes = found["models"], found["comparison"]["second_minus_first"]
    rows = [(name, before[key], after[key], changes[key]) for key, name in _FIGURES.items() if key in changes]
    rows += [
        (f"recall, {name}", before["per_class"][name]["recall"], after["per_class"][name]["recall"], change)
        for name, change in changes["recall"].items()
    ]
    return [
        {"name": name, "before": one, "after": other, "change": change["value"]}
        | {end: None if name.startswith("calibration") else change[end] for end in ("low", "high")}
        for name, one, other, change in rows
    ]


def in_force(card: Card, promotions: Sequence[Promotion]) -> dict[str, Any]:
    """The expression model that visagram stands for."""
    return {
        "sha256": card.sha256,
        "version": str(card.facts.get("version", "")),
        "trained_on": str(card.facts.get("trained_on", "")),
        "promotions": [{name: getattr(each, name) for name in ("sha256", "at", "reason")} for each in promotions],
    }


def correction(row: Correction) -> dict[str, Any]:
    """A face whose apparent expression somebody corrected."""
    return {
        "id": row.id,
        "expression": row.label,
        "instead_of": row.instead_of,
        "at": row.at,
        "who": row.who,
        "url": f"{API}/studio/corrections/{row.id}/picture",
    }


def face(record: Any) -> dict[str, Any]:
    """A generated face, a `visagram.synth.collection.Record`."""
    shown = ("file", "expression", "seed", "number", "accepted", "decision", "reason", "review")
    return {
        **{name: getattr(record, name) for name in shown},
        "url": f"{API}/studio/faces/{record.file}?v={record.sha256[:12]}",
        "agreement": record.scores.get("agreement"),
    }


def preview(row: Analysis) -> dict[str, Any] | None:
    """The newest analysed picture's faces and its address, while there is one."""
    job = row.output.job
    if state(row) != RUNNING or job is None or job.preview is None:
        return None
    return {**job.preview, "url": f"{API}/analyses/{row.id}/preview"}


def window(row: Window) -> dict[str, Any]:
    return {"id": row.id, "video_id": row.video_id, "name": row.name, "start": row.start, "end": row.end}


def change(row: Change) -> dict[str, Any]:
    """A change of people."""
    detail = {name: value for name, value in row.edit.items() if name != "kind"}
    return {"id": str(row.id), "at": moment(row.at), "who": row.who, "kind": row.edit["kind"], "detail": detail}


def entry(row: Entry) -> dict[str, Any]:
    """A line of the log of changes."""
    return {
        "at": moment(row.at),
        "who": row.who,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
    }


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _strip(row: Video) -> dict[str, Any] | None:
    stored = row.blob.strip
    if not stored:
        return None
    urls = [f"{API}/videos/{row.id}/strip/{number}" for number in range(_sheets(stored))]
    return {**{k: stored[k] for k in ("width", "height", "columns", "rows", "interval", "count")}, "urls": urls}


def _sheets(stored: Mapping[str, Any]) -> int:
    per_sheet = int(stored["columns"]) * int(stored["rows"])
    return -(-int(stored["count"]) // per_sheet)


def _playback(state: str, url: str | None, progress: float = 1.0, reason: str | None = None) -> dict[str, Any]:
    return {"state": state, "url": url, "progress": progress, "reason": reason or None}


def _why(job: Job | None, reason: str | None) -> str | None:
    return job.error_detail if job is not None and job.error_detail else reason


def _progress(row: Analysis, shown: str) -> dict[str, Any]:
    job = row.output.job
    stage = "done" if shown == DONE else job.stage if job is not None and shown in (QUEUED, RUNNING) else "wait"
    completed, total = (job.completed, job.total) if job is not None else (0, 0)
    rate = _rate(job) if shown == RUNNING and stage == "analyse" else None
    left = max(0, total - completed) / rate if rate and total else None
    return {
        "stage": stage if stage in _STAGES else "wait",
        "completed": total if shown == DONE else completed,
        "total": total,
        "rate": None if rate is None else round(rate, 1),
        "seconds_left": None if left is None else round(left, 1),
    }


def _rate(job: Job | None) -> float | None:
    """Frames per second since the first segment began."""
    if job is None or job.measured_since is None or not job.completed:
        return None
    spent = time.time() - job.measured_since
    return job.completed / spent if spent >= RATE_AFTER else None


def _finished(row: Analysis, shown: str) -> float | None:
    if row.cancelled is not None:
        return row.cancelled
    if shown == DONE:
        return row.output.published
    return row.output.job.finished if shown == FAILED and row.output.job is not None else None


def _people(row: Analysis) -> int | None:
    return row.people if row.people is not None else row.output.people


def _error(job: Job | None) -> dict[str, str]:
    if job is None or job.error_code is None:
        return {"code": "internal", "detail": "The analysis ended without a result: try it again."}
    return {"code": job.error_code, "detail": _DISK.get(job.error_code, job.error_detail or "")}
