"""The SHA-256 of a file is that of its bytes, or none where they changed while it was read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from visagram.digest import BLOCK, Content, FileDigest


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 7])
def test_it_is_that_of_the_bytes(size: int, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(os.urandom(size))
    with FileDigest(path) as digest:
        digest.begin()
        found = digest.finish()
    assert found == Content(hashlib.sha256(path.read_bytes()).hexdigest(), changed=False)


def test_a_link_stands_for_its_file(tmp_path: Path) -> None:
    path, link = tmp_path / "clip.mp4", tmp_path / "link.mp4"
    path.write_bytes(b"clip")
    link.symlink_to(path)
    with FileDigest(link) as digest:
        digest.begin()
        assert digest.finish() == Content(hashlib.sha256(b"clip").hexdigest(), changed=False)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _rewrite(path: Path) -> None:
    before = path.stat().st_mtime_ns
    path.write_bytes(b"plic")
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def _replace(path: Path) -> None:
    """With a file of the same size and time."""
    before = path.stat().st_mtime_ns
    other = path.with_suffix(".new")
    other.write_bytes(b"plic")
    os.utime(other, ns=(before, before))
    other.replace(path)


@pytest.mark.parametrize("change", [_grow, _rewrite, _replace, Path.unlink])
def test_a_file_that_changed_has_none(change, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"clip")
    with FileDigest(path) as digest:
        change(path)
        digest.begin()
        assert digest.finish() == Content("", changed=True)


def test_what_happens_after_the_end_is_nobodys_business(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"clip")
    with FileDigest(path) as digest:
        digest.begin()
        found = digest.finish()
    path.unlink()
    assert digest.finish() == found == Content(hashlib.sha256(b"clip").hexdigest(), changed=False)


def test_a_file_that_was_left_early_is_read_when_somebody_asks(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(5 * BLOCK))
    with FileDigest(path) as digest:
        digest.begin()
    assert digest.finish() == Content(hashlib.sha256(bytes(5 * BLOCK)).hexdigest(), changed=False)


@pytest.mark.parametrize("name", ["nowhere.mp4", "nul\0.mp4"])
def test_a_file_that_is_not_there_is_no_error_here(name: str, tmp_path: Path) -> None:
    with FileDigest(tmp_path / name) as digest:
        digest.begin()
        assert digest.finish() == Content("", changed=True)
