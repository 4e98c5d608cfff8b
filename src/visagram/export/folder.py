"""The folder of a result: it belongs to one content and one set of settings, and never holds files of two results.

Content is the SHA-256 of the video. The same content and settings renew a folder, also where a model or a version of
Visagram gives other numbers now: then every format that lies there is written anew. Anything else is refused by `save`,
which was told the folder, and gets a folder of its own from `save_apart`. Files are written beside their places and put
there at the end, under a lock; a failure on the way leaves what was there.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import json as stdlib_json
import os
import re
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visagram.errors import OutputError, UsageError
from visagram.export import json
from visagram.export.formats import ANNOTATED_FILE, FORMATS, REPORT, checked, format_of
from visagram.files import output_error
from visagram.settings import Settings

if TYPE_CHECKING:
    from visagram.report import Report

STAGING = ".visagram-"
"""How the name of a folder begins in which files are written before they take their places."""
_DIGITS = (6, 12, 64)
"""Digits of the content's hash in a folder's name: more where fewer are taken."""
_LONGEST_NAME = 200
_LONGEST_WORDS = 32
_NO_LOCKS = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
_VIDEO_IDENTITY = ("path", "sha256", "video_id")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a result was written. files: those that were. gone: names of files that an older result had there and this
    one has not. renewed: whether that was of the same content and settings. why: empty where the folder has the plain
    name, else what the folder of that name holds instead."""

    folder: Path
    files: list[Path]
    gone: list[str]
    renewed: bool
    why: str = ""


def save(report: Report, folder: Path, formats: Iterable[str] | None = None, *, overwrite: bool = False) -> list[Path]:
    """Write the report's files into `folder` (made if missing) and return their paths. formats: all `FORMATS` if None.

    overwrite: take the place of whatever result lies there; files of it that this one does not write are removed, other
    files stay. Raises `UsageError` for an unknown format, and where the folder holds another result, `OutputError`.
    """
    chosen = checked(formats)
    if not chosen:
        return []
    with _held(folder, report) as held:
        found = held.find()
        if found.why and not overwrite:
            raise UsageError(f"{folder} {found.why}: choose another folder, or pass overwrite=True to replace it.")
        return held.write(chosen, found).files


def save_apart(
    report: Report,
    parent: Path,
    name: str,
    formats: Iterable[str] | None = None,
    *,
    annotated: Path | None = None,
    overwrite: bool = False,
    keep: Collection[Path] = (),
) -> Place:
    """Write the report's files into a folder of its own below `parent`, and say which.

    It is `name`, unless that holds another result; then it is `name` with a few digits of the content's hash, or what
    was set and a few digits of a hash of that. The same result always finds the same folder again. annotated: the
    annotated video, which is moved there. overwrite: replace what `name` holds, unless that folder is in `keep`.
    Raises as `save` does.
    """
    chosen = checked(formats)
    choices = _choices(report, parent, name)
    plain = choices[0]
    if overwrite and plain not in keep:
        with _held(plain, report) as held:
            return held.write(chosen, held.find(annotated), annotated)
    why, same_content = "", False
    # Its own folder first, wherever that is, so that the same call later finds the same one.
    for position, folder in enumerate(choices):
        if not _can_look(folder):
            if position == 0 and os.path.lexists(folder):
                why = "cannot be read" if folder.is_dir() else "is a file"
            continue
        with _held(folder, report) as held:
            # A name that tells content and settings is believed where the files do not.
            found = held.find(annotated, named=position > 1)
            if found.ours:
                return held.write(chosen, found, annotated, why)
            if position == 0:
                why, same_content = found.why, found.same_content
    for position, folder in enumerate(choices):
        if (position == 1 and not same_content) or (os.path.lexists(folder) and not _can_look(folder)):
            continue
        with _held(folder, report) as held:
            found = held.find(annotated, named=position > 1)
            if not found.why:
                return held.write(chosen, found, annotated, why if position else "")
            if position == 0:  # others may have come since
                why, same_content = found.why, found.same_content
    raise UsageError(f"{plain} {why}, and so do all folders named after it: choose another one with --output.")


def add(report: Report, folder: Path, annotated: Path) -> Path:
    """Move the annotated video into the folder where the rest of the result was saved. Raises `UsageError` where that
    holds something else by now, `OutputError`."""
    with _held(folder, report) as held:
        found = held.find(annotated)
        if found.why or (found.ours and not found.equal):
            raise UsageError(f"{folder} was written by another call meanwhile: annotate the video again.")
        return held.write([], found, annotated).files[0]


@dataclass(slots=True)
class _Found:
    """What lies in a folder. names: files of a result with their formats; removable: those that go with it. ours:
    whether it is of this content and these settings. equal: whether its report is this one. why: what it is instead,
    empty where it is ours or there is nothing."""

    names: dict[str, str]
    removable: set[str] = field(default_factory=set)
    ours: bool = False
    equal: bool = False
    same_content: bool = False
    why: str = ""


class _Held:
    """A folder while its lock is held, and what is written before it takes its place."""

    def __init__(self, folder: Path, report: Report) -> None:
        self.folder, self.report = folder, report
        self._written: dict[str, list[str]] = {}
        self._made: Path | None = None

    def close(self) -> None:
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)

    @property
    def _staging(self) -> Path:
        """A folder on the same disk, made when it is first needed."""
        if self._made is None:
            # Whoever began others is gone, because we have the lock.
            for left in self.folder.glob(f"{STAGING}*"):
                shutil.rmtree(left, ignore_errors=True)
            self._made = Path(tempfile.mkdtemp(prefix=STAGING, dir=self.folder))
        return self._made

    def find(self, annotated: Path | None = None, *, named: bool = False) -> _Found:
        """What lies there. annotated: the annotated video of this result, to compare. named: whether the folder's name
        tells that it is of this result."""
        stored = _stored(self.folder / REPORT)
        theirs = _people(stored)
        mine = [person.id for person in self.report.people]
        names = {name: kind for name in self._listed() if (kind := format_of(name, {*theirs, *mine}))}
        found = _Found(names, {name for name in names if format_of(name, theirs)})
        if not names:
            return found
        if stored is not None:
            _compare(stored, json.report_dict(self.report), found)
        elif REPORT in names:
            found.why = "holds a report.json that is damaged, or not one of Visagram's"
        elif self._is_proven(names, annotated):
            found.ours = found.equal = True
        elif named:
            found.ours = True
        else:
            found.why = "holds files that do not say which video and settings they are of"
        return found

    def write(self, chosen: list[str], found: _Found, annotated: Path | None = None, why: str = "") -> Place:
        """Write these formats, and every other that lies there where they would not fit together."""
        replaced = bool(found.why) or (found.ours and not found.equal)
        there = set(found.names.values()) if found.ours and not found.equal else set()
        formats = [*chosen, *(name for name in FORMATS if name in there and name not in chosen)]
        new = [name for kind in formats for name in self._stage(kind)]
        if annotated is not None:
            shutil.move(annotated, self._staging / ANNOTATED_FILE)
            new.append(ANNOTATED_FILE)
        gone = sorted(found.removable - set(new)) if replaced else []
        self._publish(new, gone, replaced=replaced)
        return Place(self.folder, [self.folder / name for name in new], gone, found.ours, why)

    def _listed(self) -> list[str]:
        return [entry.name for entry in self.folder.iterdir()]

    def _stage(self, kind: str) -> list[str]:
        """Names of the files of a format, written if they are not yet."""
        if kind not in self._written:
            try:
                self._written[kind] = [path.name for path in FORMATS[kind](self.report, self._staging)]
            except OutputError as error:
                raise type(error)(str(error).replace(str(self._staging), str(self.folder))) from error
        return self._written[kind]

    def _is_proven(self, names: Mapping[str, str], annotated: Path | None) -> bool:
        """Whether the files of a folder without a report are, byte by byte, those that this result would write."""
        for kind in sorted(set(names.values())):
            if kind in FORMATS:
                mine = {name: self._staging / name for name in self._stage(kind)}
            else:
                mine = {} if annotated is None else {ANNOTATED_FILE: annotated}
            for name in (name for name, of in names.items() if of == kind):
                there = self.folder / name
                if name not in mine or not there.is_file() or not filecmp.cmp(there, mine[name], shallow=False):
                    return False
        return True

    def _publish(self, new: list[str], gone: list[str], *, replaced: bool) -> None:
        """Put the new files into their places, all or none. Where they replace another result its report goes first,
        and ours always comes last: no file ever lies beside a report that is not its own."""
        old = self._staging / "old"
        old.mkdir()
        touched: dict[str, None] = {}
        try:
            for name in dict.fromkeys([REPORT, *gone] if replaced else []):
                if os.path.lexists(self.folder / name):
                    touched[name] = None
                    (self.folder / name).rename(old / name)
            for name in sorted(new, key=lambda name: name == REPORT):
                touched[name] = None
                _set_aside(self.folder / name, old / name)
                (self._staging / name).replace(self.folder / name)
        except BaseException:
            for name in touched:
                if os.path.lexists(old / name):
                    (old / name).replace(self.folder / name)
                elif not os.path.lexists(self._staging / name):
                    (self.folder / name).unlink(missing_ok=True)
            raise


def _can_look(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)


def _set_aside(path: Path, old: Path) -> None:
    """Keep a file that is about to be replaced, under a second name where the disk has those."""
    if not os.path.lexists(path) or os.path.lexists(old):
        return
    try:
        os.link(path, old, follow_symlinks=False)
    except (OSError, NotImplementedError):
        path.rename(old)


# --- Whose a folder is -----------------------------------------------------------------------------------------------


def _stored(path: Path) -> dict[str, Any] | None:
    """The report that lies in a folder; None where there is none of ours, or a damaged one."""
    try:
        if path.stat().st_size > json.LARGEST_REPORT:
            return None
        found = stdlib_json.loads(path.read_text("utf-8"))
        parts = (found["video"], found["settings"])
        fits = found["schema"] == json.SCHEMA and all(isinstance(part, dict) for part in parts)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if fits else None


def _people(stored: Mapping[str, Any] | None) -> set[int]:
    """Ids of the people of a stored report; none of what is damaged."""
    try:
        ids = [person["id"] for person in stored["people"]] if stored else []
    except (LookupError, TypeError):
        return set()
    return {id for id in ids if type(id) is int and id > 0}


def _compare(stored: Mapping[str, Any], mine: Mapping[str, Any], found: _Found) -> None:
    """Fill in whether the stored report is of my content and settings."""
    theirs, ours = _content(stored["video"]), _content(mine["video"])
    found.same_content = theirs == ours if theirs or ours else _is_same_result(stored, mine)
    if not found.same_content:
        found.why = (
            "holds the result of another video"
            if theirs
            else "holds a result of an earlier version, which does not say which content it is of"
        )
    elif _chosen(stored["settings"]) != _chosen(mine["settings"]):
        found.why = "holds the result of this video with other settings"
    else:
        found.ours, found.equal = True, stored == mine


def _content(video: Mapping[str, Any]) -> str:
    """The hash of a video's content, empty where the report does not say it."""
    value = video.get("sha256")
    return value if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else ""


def _is_same_result(stored: Mapping[str, Any], mine: Mapping[str, Any]) -> bool:
    """Whether two reports, neither of which knows the content's hash, tell the same of the same file."""
    facts = {name: value for name, value in stored["video"].items() if name not in _VIDEO_IDENTITY}
    known = all(mine["video"].get(name) == value for name, value in facts.items())
    return known and all(stored.get(name) == mine[name] for name in ("people", "totals"))


def _chosen(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are not the default, numbers as floats; what an older version did not know is the default."""
    usual = Settings().for_report()
    order = [*usual, *sorted(set(settings) - set(usual))]
    values = {name: settings[name] for name in order if name in settings and settings[name] != usual.get(name)}
    plain = stdlib_json.loads(stdlib_json.dumps(values, default=str))
    return {name: _number(value) for name, value in plain.items()}


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(part) for part in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


# --- Names -----------------------------------------------------------------------------------------------------------


def _choices(report: Report, parent: Path, name: str) -> list[Path]:
    """The folders that may be this result's: the plain one, one for its settings, and some that tell its content too.

    Names that differ only in case are one, as they are on many disks.
    """
    try:
        listed = {_folded(entry.name): entry for entry in parent.iterdir()} if parent.is_dir() else {}
    except OSError as error:
        raise output_error(parent, error) from error
    tag = settings_tag(report.settings)
    content = report.video.sha256 or hashlib.sha256(repr(report.video).encode("utf-8", "replace")).hexdigest()
    endings = ["", tag or "defaults", *("-".join(filter(None, (content[:digits], tag))) for digits in _DIGITS)]
    names = [_joined(name, ending) for ending in endings]
    return [listed.get(_folded(each), parent / each) for each in names]


def settings_tag(settings: Mapping[str, Any]) -> str:
    """What was set, for a folder's name: `start5-9c01d2`; empty for the defaults. Other settings have another tag."""
    chosen = _chosen(settings)
    if not chosen:
        return ""
    digest = hashlib.sha256(stdlib_json.dumps(chosen, sort_keys=True).encode()).hexdigest()[: _DIGITS[0]]
    words = ""
    for name, value in chosen.items():
        more = f"{words}-{_word(name, value)}".strip("-")
        if len(more) > _LONGEST_WORDS:
            break
        words = more
    return f"{words}-{digest}".strip("-")


def _word(name: str, value: Any) -> str:
    short = name.replace("_", "")
    if isinstance(value, bool) or value is None:
        return short if value else f"no{short}"
    parts = value if isinstance(value, list) else [value]
    text = ".".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)
    return short + re.sub(r"[^A-Za-z0-9.]+", "", text).strip(".")


def _joined(name: str, ending: str) -> str:
    """A name with an ending, short enough for any disk."""
    if not ending:
        return name
    room = _LONGEST_NAME - len(ending) - 1
    while len(name.encode("utf-8", "replace")) > room:
        name = name[:-1]
    return f"{name}-{ending}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


# --- Locks -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _held(folder: Path, report: Report) -> Iterator[_Held]:
    """The folder for us alone, made if it is missing; one that was made for nothing is removed again."""
    try:
        with _locked(folder):
            held = _Held(folder, report)
            try:
                yield held
            finally:
                held.close()
    except OSError as error:
        raise output_error(folder, error) from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process at a time goes on with a folder. The folder itself is locked, so no file stays behind; where a
    disk or a system cannot lock folders, a file in it is."""
    fresh = not folder.exists()
    handle = _lock_folder(folder)
    try:
        if handle is None:
            from filelock import FileLock

            with FileLock(folder / ".visagram.lock"):
                yield
        else:
            yield
    finally:
        if fresh:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if handle is not None:
            os.close(handle)


def _lock_folder(folder: Path) -> int | None:
    """A descriptor that holds the lock until it is closed, None where folders cannot be locked."""
    if sys.platform == "win32":
        folder.mkdir(parents=True, exist_ok=True)
        return None
    import fcntl

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Whoever had the lock may have removed the folder.
            if os.path.samestat(os.fstat(handle), folder.stat()):
                return handle
            os.close(handle)
        except FileNotFoundError:
            os.close(handle)
        except OSError as error:
            os.close(handle)
            if error.errno in _NO_LOCKS:
                return None
            raise
        except BaseException:
            os.close(handle)
            raise
