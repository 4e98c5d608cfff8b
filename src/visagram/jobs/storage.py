"""The data folder: where everything lies, and how nothing is lost or left over."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visagram.errors import StorageFull
from visagram.files import output_error
from visagram.jobs.model import Analysis

_FOLDERS = ("blobs", "results", "media", "edits", "uploads", "work", "studio", "improvements", "corrections", "tmp")


class Storage:
    """Paths by id. Names that people gave to files never become part of a path.

    keep_free: bytes that stay free on the disk, so that the database can always be written.
    """

    def __init__(self, folder: Path, keep_free: int) -> None:
        self.folder, self.keep_free = folder.absolute(), keep_free

    def make(self) -> None:
        """Make the folders. Raises `OutputError`."""
        try:
            for name in _FOLDERS:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise output_error(self.folder, error) from error

    def blob(self, sha256: str) -> Path:
        """The bytes of an upload."""
        return self.folder / "blobs" / sha256[:2] / sha256

    def output(self, key: str) -> Path:
        """The view folder of a machine's output."""
        return self.folder / "results" / key

    def media(self, sha256: str) -> Path:
        """What is derived from the bytes alone: poster.jpg, strip-<n>.jpg, proxy.mp4."""
        return self.folder / "media" / sha256

    def edits(self, analysis: str) -> Path:
        """What belongs to one analysis: the view folder of its edits, and exports made on demand."""
        return self.folder / "edits" / analysis

    def studio(self, owner: int) -> Path:
        """Somebody's generated faces, with their manifest."""
        return self.folder / "studio" / str(owner)

    def improvement(self, making: str) -> Path:
        """The work of one pass of the loop."""
        return self.folder / "improvements" / making

    def corrections(self, owner: int) -> Path:
        """Faces whose apparent expression somebody corrected, with their table."""
        return self.folder / "corrections" / str(owner)

    def upload(self, upload: str) -> Path:
        return self.folder / "uploads" / upload

    def work(self, job: int) -> Path:
        """Where a job's units publish what the next need."""
        return self.folder / "work" / str(job)

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A new folder on the same disk that is gone afterwards."""
        path = self.folder / "tmp" / f"{os.getpid()}-{os.urandom(6).hex()}"
        try:
            path.mkdir()
        except OSError as error:
            raise output_error(path, error) from error
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def free(self) -> int:
        """Bytes that may still be written."""
        return shutil.disk_usage(self.folder).free - self.keep_free

    def reserve(self, size: int) -> None:
        """Raise `StorageFull` where `size` more bytes do not fit."""
        if self.free() < size:
            raise StorageFull(
                f"There is not enough space for {size / 2**20:,.0f} MiB: delete videos or free space on the disk."
            )

    def publish_blob(self, part: Path, sha256: str) -> None:
        """Make an upload's bytes a blob; inside the write session that makes its row, so that no sweep can meet it.

        The upload keeps its name as well where the file system can do that: until the session is committed it must not
        be lost.
        """
        place = self.blob(sha256)
        try:
            place.parent.mkdir(exist_ok=True)
            place.unlink(missing_ok=True)
            try:
                place.hardlink_to(part)
            except OSError:
                part.replace(place)
        except OSError as error:
            raise output_error(place, error) from error

    def publish_folder(self, part: Path, place: Path) -> None:
        """Put a finished folder in the place of what is there."""
        try:
            with self.temporary() as old:
                if place.exists():
                    place.replace(old / "replaced")
                part.replace(place)
        except OSError as error:
            raise output_error(place, error) from error

    def names(self, kind: str) -> list[str]:
        """The ids that have something in `kind`, one of the folder's names."""
        found = [path for path in (self.folder / kind).iterdir() if not path.name.startswith(".")]
        return [leaf.name for path in found for leaf in path.iterdir()] if kind == "blobs" else [p.name for p in found]

    def discard(self, kind: str, name: str) -> Path | None:
        """Take a file or folder out of its place at once, to be removed afterwards: that can take long."""
        place = self.blob(name) if kind == "blobs" else self.folder / kind / name
        waste = self.folder / "tmp" / f"waste-{os.urandom(6).hex()}"
        try:
            place.replace(waste)
        except OSError:
            return None
        return waste

    def empty_temporary(self, process: int | None = None) -> None:
        """Remove what killed processes left behind: one that is gone, or all while none uses the folder."""
        for path in (self.folder / "tmp").glob("*" if process is None else f"{process}-*"):
            self.remove(path)

    def remove(self, path: Path) -> int:
        """Remove a file or folder and return how many bytes that freed."""
        size = size_of(path)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        return size


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is nothing."""
    total = 0
    for leaf in [path, *path.rglob("*")] if path.is_dir() else [path]:
        with contextlib.suppress(OSError):
            total += leaf.stat().st_size if leaf.is_file() else 0
    return total


def preview_file(work: Path) -> Path:
    """The last analysed picture of a job, as JPEG."""
    return work / "preview.jpg"


def view_folder(storage: Storage, analysis: Analysis) -> Path:
    """Where the report of an analysis lies: the machine's, or the one that people's changes made of it."""
    if not analysis.view:
        return storage.output(analysis.output_id)
    return storage.edits(analysis.id) / f"view-{analysis.view}"


def annotated_file(storage: Storage, analysis: str, revision: int) -> Path:
    """The annotated video of an analysis as it was at a revision."""
    return storage.edits(analysis) / f"annotated-{revision}.mp4"
