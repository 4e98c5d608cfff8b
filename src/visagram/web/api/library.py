"""The whole library of whoever asks: videos with their newest result, and what a spreadsheet says about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visagram.core.edits import Edit, from_json
from visagram.core.statistics import Window
from visagram.errors import UsageError
from visagram.export.sheets import Assignment, SheetError, WindowRow, parse_assignments, parse_windows
from visagram.export.study import StudyVideo
from visagram.jobs.analyses import state
from visagram.jobs.model import DONE, Video
from visagram.jobs.model import Window as WindowEntry
from visagram.jobs.service import Service
from visagram.jobs.videos import Who, log
from visagram.web.api.found import of_analysis

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_AT_ONCE = 500
_STATES = {
    "queued": "its analysis is waiting",
    "running": "its analysis is running",
    "failed": "its analysis failed",
    "cancelled": "its analysis was cancelled",
    "": "it was not analysed",
}


def study_videos(
    service: Service, asking: Who, tag: str, condition: str, only: str = ""
) -> tuple[list[StudyVideo], list[dict[str, Any]]]:
    """Videos with their newest finished analysis, oldest first, and the others as {id, name, reason}.

    only: id of the one video to look at. Raises `NotFound` where there is no such video.
    """
    found, excluded = study_sources(service, asking, tag, condition, only)
    return [video for video, _ in found], excluded


def study_sources(
    service: Service, asking: Who, tag: str, condition: str, only: str = ""
) -> tuple[list[tuple[StudyVideo, list[Edit]]], list[dict[str, Any]]]:
    """As `study_videos`, each video with what people changed in its result."""
    videos, excluded = [], []
    with service.store.read() as session:
        one = [service.videos.get(session, asking, only)] if only else None
        for video in one or _all(service, session, asking, tag=tag, condition=condition):
            done = [analysis for analysis in video.analyses if state(analysis) == DONE]
            if not done:
                newest = state(video.analyses[-1]) if video.analyses else ""
                excluded.append({"id": video.id, "name": video.name, "reason": _STATES[newest]})
                continue
            windows = tuple(Window(window.name, window.start, window.end) for window in video.windows)
            labels = (video.participant, video.condition, tuple(video.tags))
            folder = of_analysis(service, done[-1]).folder
            entry = StudyVideo(video.id, video.name, *labels, windows, folder, video.blob_id)
            videos.append((entry, [from_json(change.edit) for change in done[-1].changes]))
    return videos[::-1], excluded[::-1]


def take_over(service: Service, asking: Who, content: bytes, *, dry_run: bool) -> dict[str, Any]:
    """Labels or windows out of a spreadsheet: {kind, matched, unmatched, errors}, rows with their lines.

    matched: the rows that were taken over, or would be; each with the id of its video.
    """
    if is_about_windows(content):
        windows = parse_windows(content)
        kind, rows, errors = "windows", list[Assignment | WindowRow](windows.rows), list(windows.errors)
    else:
        labels = parse_assignments(content)
        kind, rows, errors = "labels", list[Assignment | WindowRow](labels.rows), list(labels.errors)
    names = _Names(service, asking)
    matched: list[tuple[str, Assignment | WindowRow]] = []
    unmatched = []
    for row in rows:
        ids = names.find(row.video)
        if len(ids) == 1:
            matched.append((ids[0], row))
        elif ids:
            errors.append(
                SheetError(row.line, f"There are {len(ids)} videos named '{row.video[:80]}': name one by its id.")
            )
        else:
            unmatched.append({"line": row.line, "video": row.video})
    if not dry_run:
        matched = _written(service, asking, matched, errors)
    return {
        "kind": kind,
        "matched": [{"video_id": id} | _shown(row) for id, row in matched],
        "unmatched": unmatched,
        "errors": [{"line": error.line, "detail": error.detail} for error in sorted(errors, key=lambda e: e.line)],
    }


def is_about_windows(content: bytes) -> bool:
    """Whether the first line names a column of windows."""
    head = content[:4096].replace(b"\0", b"").lstrip().split(b"\n", 1)[0].lower()
    return b"window" in head


class _Names:
    """Finds videos by what a spreadsheet calls them: the id, the name, or the name without its ending."""

    def __init__(self, service: Service, asking: Who) -> None:
        self._by: tuple[dict[str, list[str]], ...] = (defaultdict(list), defaultdict(list), defaultdict(list))
        with service.store.read() as session:
            for video in _all(service, session, asking):
                for known, name in zip(self._by, (video.id, video.name, Path(video.name).stem), strict=True):
                    known[name].append(video.id)

    def find(self, name: str) -> Sequence[str]:
        return next((known[name] for known in self._by if name in known), [])


def _all(service: Service, session: Session, asking: Who, **chosen: str) -> Iterator[Video]:
    """Every entry, newest first."""
    offset, total = 0, 1
    while offset < total:
        found, total = service.videos.find(session, asking, **chosen, limit=_AT_ONCE, offset=offset)
        yield from found
        offset += _AT_ONCE


def _written(
    service: Service, asking: Who, matched: list[tuple[str, Assignment | WindowRow]], errors: list[SheetError]
) -> list[tuple[str, Assignment | WindowRow]]:
    """Make the changes; those that were refused become errors."""
    written = []
    for id, row in matched:
        if isinstance(row, Assignment):
            given = {"participant": row.participant, "condition": row.condition, "tags": row.tags}
            values = {name: value for name, value in given.items() if value is not None}
            try:
                service.videos.change(asking, id, values)
            except UsageError as error:
                errors.append(SheetError(row.line, str(error)))
                continue
        written.append((id, row))
    _add_windows(service, asking, [(id, row) for id, row in written if isinstance(row, WindowRow)])
    return written


def _add_windows(service: Service, asking: Who, rows: list[tuple[str, WindowRow]]) -> None:
    """All in one transaction; a window that is there already is not added again."""
    if not rows:
        return
    with service.store.write() as session:
        for id in dict.fromkeys(id for id, _ in rows):
            video = service.videos.get(session, asking, id)
            there = {(window.name, window.start, window.end) for window in video.windows}
            new = [row for its, row in rows if its == id and (row.window, row.start, row.end) not in there]
            for row in {(row.window, row.start, row.end): row for row in new}.values():
                session.add(WindowEntry(video_id=id, name=row.window, start=row.start, end=row.end))
            log(session, asking, "import windows", video.name, f"{len(new)} windows")


def _shown(row: Assignment | WindowRow) -> dict[str, Any]:
    if isinstance(row, WindowRow):
        return {"line": row.line, "video": row.video, "window": row.window, "start": row.start, "end": row.end}
    labels = {"participant": row.participant, "condition": row.condition, "tags": row.tags}
    return {"line": row.line, "video": row.video} | {name: value for name, value in labels.items() if value is not None}
