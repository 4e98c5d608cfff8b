"""Labelled data in ZIP files: read as their folder would be, and refused where they try to get out."""

from __future__ import annotations

import stat
import zipfile

import cv2
import numpy as np
import pytest

from command import visagram
from visagram.errors import DataError
from visagram.evaluate import archive
from visagram.evaluate import data as labelled

PNG = cv2.imencode(".png", np.full((48, 48), 90, np.uint8))[1].tobytes()


@pytest.fixture
def packed(tmp_path):
    def make(entries, name="faces.zip"):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as file:
            for entry, content in entries.items():
                file.writestr(entry, content)
        return path

    return make


@pytest.mark.parametrize("above", ["", "faces/"])
def test_what_it_holds_is_read_and_gone_afterwards(packed, above):
    path = packed({f"{above}{name}/a.png": PNG for name in ("happy", "sad")})
    with archive.opened(path) as folder:
        assert labelled.read(folder).counts["sad"] == 1
        assert folder.name == "faces"
    assert not folder.exists() and path.exists()


def test_a_folder_is_what_it_is(tmp_path):
    with archive.opened(tmp_path) as folder:
        assert folder == tmp_path
    assert tmp_path.exists()


@pytest.mark.parametrize(
    "name", ["../evil.png", "happy/../../evil.png", "/evil.png", "happy\\..\\evil.png", "C:/evil.png", "./../evil.png"]
)
def test_a_name_that_leads_out_is_refused_before_anything_is_written(packed, tmp_path, name, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = packed({"happy/a.png": PNG, name: PNG})
    with pytest.raises(DataError, match="leads out"), archive.opened(path):
        pass
    assert not list(tmp_path.rglob("*evil*")) and not list((tmp_path / "temporary").iterdir())


def test_links_doubles_and_encryption_are_refused(packed, tmp_path):
    link = zipfile.ZipInfo("happy/a.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DataError, match="symbolic link"), archive.opened(packed({link: "/etc/passwd"})):
        pass
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as file:
        file.writestr("happy/a.png", PNG)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("happy/a.png", PNG)
    with pytest.raises(DataError, match="twice"), archive.opened(tmp_path / "twice.zip"):
        pass
    locked = bytearray(packed({"happy/a.png": PNG}).read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + place] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(DataError, match="encrypted"), archive.opened(tmp_path / "locked.zip"):
        pass


def test_more_than_a_disk_holds_is_refused(packed, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    path = packed({"happy/a.png": bytes(2000)})
    with pytest.raises(DataError, match="unpack it first"), archive.opened(path):
        pass


def test_a_damaged_or_clashing_one_is_refused_in_a_sentence(packed, tmp_path):
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("happy/a.png", bytes(range(256)) * 40)
    whole = bytearray(path.read_bytes())
    whole[45:60] = b"\xff" * 15
    path.write_bytes(whole)
    with pytest.raises(DataError, match="ZIP"), archive.opened(path):
        pass
    for entries in ({"happy": b"", "happy/a.png": PNG}, {"happy/a.png": PNG, "Happy/A.png": PNG}):
        with pytest.raises(DataError, match="twice"), archive.opened(packed(entries)):
            pass
    with pytest.raises(DataError, match="too long"), archive.opened(packed({f"happy/{'ä' * 200}.png": PNG})):
        pass


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"noise" * 100])
def test_what_is_no_zip_file_is_refused(tmp_path, content):
    path = tmp_path / "faces.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match="ZIP"), archive.opened(path):
        pass


def test_the_commands_take_one(packed):
    path = packed({f"{name}/a.png": PNG for name in ("happy", "sad")})
    found = visagram("data", "check", path, "--quiet")
    assert found.status == 0 and "happy 1, sad 1" in found.out, found.err
    evil = visagram("data", "check", packed({"../happy/a.png": PNG}, "evil.zip"), "--quiet")
    assert evil.status == 1 and "leads out" in evil.err
