"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visagram.errors import OutputUnwritable, StorageFull


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the place of `path` in one step, else it is removed.

    Raises `StorageFull` or `OutputUnwritable` for what the disk refuses.
    """
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        partial = Path(name)
        yield partial
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
        partial = None
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def output_error(path: Path, error: OSError) -> StorageFull | OutputUnwritable:
    """Say what the operating system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"The disk is full: {path} was not written. Free some space and run again.")
    reason = error.strerror or str(error)
    return OutputUnwritable(f"{path} cannot be written ({reason}): choose another folder with --output.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
