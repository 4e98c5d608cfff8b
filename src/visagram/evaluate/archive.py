"""Labelled data in a ZIP file: unpacked beside nothing of ours, for as long as it is used."""

from __future__ import annotations

import lzma
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from visagram.core.labels import expression_of
from visagram.errors import DataError
from visagram.evaluate.folders import SPLITS
from visagram.files import output_error

MOST_BYTES = 64 << 30
"""Unpacked. A small file can claim to hold more than any disk."""
MOST_FILES = 2_000_000
MOST_NAME = 240
"""Bytes of a file's or folder's name."""


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The data at `path`: itself, or what a ZIP file holds, in a folder that is gone afterwards.

    A name in it that leads elsewhere, a link or an encrypted file is refused before anything is written. Raises
    `DataError`.
    """
    if path.suffix.lower() != ".zip" or not path.is_file():
        yield path
        return
    with TemporaryDirectory(prefix="visagram-data-") as place:
        folder = Path(place) / path.stem
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, _checked(path, archive), folder, path)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, ValueError) as error:
            raise DataError(f"{path} cannot be read as a ZIP file ({error}).") from error
        except OSError as error:
            raise output_error(folder, error) from error
        yield _data_in(folder)


def _checked(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files. Raises `DataError` for what no data needs."""
    found, total, names, folders = [], 0, set[str](), set[str]()
    for entry in archive.infolist():
        parts = PurePosixPath(entry.filename).parts
        plain = parts and not entry.filename.startswith("/") and not {"..", "."} & set(entry.filename.split("/"))
        if not plain or "\\" in entry.orig_filename or ":" in parts[0] or "\0" in entry.orig_filename:
            raise DataError(f"{path} holds {entry.orig_filename[:80]!r}, a name that leads out of it: it is not used.")
        if any(len(part.encode("utf-8", "surrogatepass")) > MOST_NAME for part in parts):
            raise DataError(f"{path} holds {entry.filename[:40]!r}…, a name that is too long.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"{path} holds the symbolic link {entry.filename[:80]!r}: put the file itself into it.")
        if entry.flag_bits & 1:
            raise DataError(f"{path} is encrypted: unpack it and give the folder.")
        if entry.is_dir():
            continue
        # As a file system that does not tell capitals apart would see it.
        name = PurePosixPath(*parts)
        places = {each.as_posix().casefold() for each in name.parents[:-1]}
        whole = name.as_posix().casefold()
        if whole in names or whole in folders or names & places:
            raise DataError(f"{path} holds {entry.filename[:80]!r} twice.")
        names.add(whole)
        folders |= places
        total += entry.file_size
        found.append(entry)
        if total > MOST_BYTES or len(found) > MOST_FILES:
            raise DataError(f"{path} holds more than {MOST_FILES:,} files or {MOST_BYTES >> 30} GiB: unpack it first.")
    return found


def _unpack(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path, path: Path) -> None:
    folder.mkdir()
    if sum(entry.file_size for entry in entries) > shutil.disk_usage(folder).free:
        raise DataError(f"{path} does not fit on the disk when unpacked.")
    for entry in entries:
        target = folder / entry.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)


def _data_in(folder: Path) -> Path:
    """The folder itself, or the only one in it: what many programs make of a folder that they pack."""
    inside = [each for each in folder.iterdir() if each.name != "__MACOSX" and not each.name.startswith(".")]
    if len(inside) == 1 and inside[0].is_dir():
        name = inside[0].name
        if expression_of(name) is None and name.casefold() not in SPLITS:
            return inside[0]
    return folder
