from __future__ import annotations

import errno
import os
import stat
import sys
import threading

import pytest

from visagram.errors import OutputUnwritable, StorageFull
from visagram.files import output_error, replace_file


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_whole_and_nothing_else_stays(tmp_path):
    path = tmp_path / "result.json"
    with replace_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
        assert partial.parent == path.parent
        assert partial.suffix == path.suffix
    assert path.read_text() == "new"
    assert _names(tmp_path) == ["result.json"]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    with replace_file(path) as partial:
        partial.write_text("new, longer")
        assert path.read_text() == "old"
    assert path.read_text() == "new, longer"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, OSError])
def test_after_a_failure_the_old_file_stays_and_nothing_else(tmp_path, failure):
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises((failure, OutputUnwritable)), replace_file(path) as partial:
        partial.write_text("half")
        raise failure
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["result.json"]


def test_missing_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    with replace_file(path) as partial:
        partial.write_text("x")
    assert path.read_text() == "x"


def test_a_name_as_long_as_the_system_allows_works(tmp_path):
    path = tmp_path / ("n" * 250 + ".txt")
    with replace_file(path) as partial:
        partial.write_text("x")
    assert path.read_text() == "x"


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputUnwritable, match="--output"), replace_file(tmp_path / "file" / "result.json"):
        pass


def test_a_folder_in_the_place_of_the_file_is_said_and_nothing_stays(tmp_path):
    (tmp_path / "result.json").mkdir()
    with pytest.raises(OutputUnwritable), replace_file(tmp_path / "result.json") as partial:
        partial.write_text("x")
    assert _names(tmp_path) == ["result.json"]


def test_a_full_disk_is_said(tmp_path):
    path = tmp_path / "result.json"
    with pytest.raises(StorageFull, match="disk is full"), replace_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EACCES, OutputUnwritable),
        (errno.EROFS, OutputUnwritable),
    ],
)
def test_what_the_disk_refused_becomes_an_error_that_names_the_file(tmp_path, number, kind):
    error = output_error(tmp_path / "result.json", OSError(number, os.strerror(number)))
    assert type(error) is kind
    assert "result.json" in str(error)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_file_has_the_permissions_that_any_new_file_has(tmp_path, mask):
    before = os.umask(mask)
    try:
        with replace_file(tmp_path / "result.json") as partial:
            partial.write_text("x")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "result.json").stat().st_mode) == 0o666 & ~mask


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path):
    path = tmp_path / "result.txt"
    texts = [str(k) * 100_000 for k in range(8)]
    start = threading.Barrier(len(texts) + 1)
    seen: list[str] = []

    def write(text):
        start.wait()
        with replace_file(path) as partial:
            partial.write_text(text)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    start.wait()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            seen.append(path.read_text())
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert set(seen) <= set(texts)
    assert _names(tmp_path) == ["result.txt"]
