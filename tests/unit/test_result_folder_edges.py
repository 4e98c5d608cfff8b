"""Folders of results, case by case: what a place is told to be, names on their limits, odd files, odd disks."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factories import MODELS, make_report, one_frame, unnamed_content
from visagram.errors import OutputError, UsageError
from visagram.export import Place, add, save, save_apart
from visagram.export import json as json_format
from visagram.export.folder import settings_tag
from visagram.report import Report
from visagram.settings import Settings

A, B = "a" * 64, "b" * 64
JSON_FILES = ["face_1_statistics.json", "face_1.jpg", "overall_statistics.json", "report.json"]
"""Of a report with one person, in the order in which they are written."""


def result(content: str = A, model: str = "2", **settings: object) -> Report:
    """A report of this content. model: its version; another one than 2 sees one person instead of two."""
    seen = make_report() if model == "2" else one_frame()
    facts = dataclasses.replace(seen.video, name="talk.mp4", sha256=content)
    models = (MODELS[0], MODELS[1] | {"version": model})
    return dataclasses.replace(seen, video=facts, models=models, settings=Settings(**settings).for_report())  # type: ignore[arg-type]


def apart(report: Report, parent: Path, name: str = "talk", formats: tuple[str, ...] = ("json",), **more: Any) -> str:
    """Save a result in a folder of its own and return the folder's name."""
    return save_apart(report, parent, name, formats, **more).folder.name


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the report of a folder says."""
    path = folder / "report.json"
    stored = json.loads(path.read_text("utf-8"))
    change(stored)
    path.write_text(json.dumps(stored), "utf-8")


def opened() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- What a place is told to be --------------------------------------------------------------------------------------


def test_a_place_tells_what_was_written_what_went_and_what_was_there(tmp_path: Path) -> None:
    talk = tmp_path / "talk"
    one = [talk / name for name in JSON_FILES]
    two = [talk / f"face_{name}" for name in ("1_statistics.json", "1.jpg", "2_statistics.json", "2.jpg")] + one[2:]
    assert save_apart(result(), tmp_path, "talk", ["json"]) == Place(talk, two, [], False, "")
    assert save_apart(result(), tmp_path, "talk", ["json"]) == Place(talk, two, [], True, "")
    csv = talk / "observations.csv"
    assert save_apart(result(), tmp_path, "talk", ["csv"]) == Place(talk, [csv], [], True, "")
    # Another model renews what is there, and one person less has fewer files.
    gone = ["face_2.jpg", "face_2_statistics.json"]
    vtt = talk / "expressions.vtt"
    assert save_apart(result(model="3"), tmp_path, "talk", ["vtt"]) == Place(talk, [vtt, *one, csv], gone, True, "")
    assert sorted(path.name for path in talk.iterdir()) == sorted([*JSON_FILES, csv.name, vtt.name])
    # Another content takes its place where that is asked for.
    gone = [*sorted([*JSON_FILES, vtt.name])]
    place = save_apart(result(B, model="3"), tmp_path, "talk", ["csv"], overwrite=True)
    assert place == Place(talk, [csv], gone, False, "")
    assert [path.name for path in talk.iterdir()] == [csv.name]


def test_nothing_to_write_makes_no_folder(tmp_path: Path) -> None:
    assert save(result(), tmp_path / "talk", []) == []
    assert not (tmp_path / "talk").exists()


def test_a_renewed_folder_has_no_reason_where_the_plain_one_is_gone(tmp_path: Path) -> None:
    assert apart(result(A), tmp_path) == "talk"
    assert save_apart(result(B), tmp_path, "talk", ["json"]).why == "holds the result of another video"
    place = save_apart(result(B), tmp_path, "talk", ["json"])
    assert (place.why, place.renewed) == ("holds the result of another video", True)
    shutil.rmtree(tmp_path / "talk")
    place = save_apart(result(B), tmp_path, "talk", ["json"])
    assert (place.folder.name, place.why, place.renewed) == ("talk-bbbbbb", "", True)


def test_an_annotated_video_goes_where_nothing_is_yet(tmp_path: Path) -> None:
    video = tmp_path / "made.mp4"
    video.write_bytes(b"boxes")
    assert add(result(), tmp_path / "talk", video) == tmp_path / "talk" / "annotated.mp4"
    assert (tmp_path / "talk" / "annotated.mp4").read_bytes() == b"boxes" and not video.exists()
    # Beside its own report it goes too, beside that of another model it does not.
    save(result(), tmp_path / "own", ["json"])
    video.write_bytes(b"boxes")
    assert add(result(), tmp_path / "own", video).name == "annotated.mp4"
    save(result(model="3"), tmp_path / "other", ["json"])
    video.write_bytes(b"boxes")
    with pytest.raises(UsageError, match="other was written by another call meanwhile: annotate the video again"):
        add(result(), tmp_path / "other", video)
    assert video.read_bytes() == b"boxes" and not (tmp_path / "other" / "annotated.mp4").exists()


def test_an_annotated_video_alone_does_not_say_whose_it_is(tmp_path: Path) -> None:
    (tmp_path / "talk").mkdir()
    (tmp_path / "talk" / "annotated.mp4").write_bytes(b"boxes")
    with pytest.raises(UsageError, match="holds files that do not say which video and settings they are of"):
        save(result(), tmp_path / "talk", ["csv"])


def test_several_formats_that_came_alone_are_proven_together(tmp_path: Path) -> None:
    save(result(), tmp_path / "talk", ["csv", "vtt", "npy"])
    assert save(result(), tmp_path / "talk", ["csv"]) == [tmp_path / "talk" / "observations.csv"]
    (tmp_path / "talk" / "expressions.vtt").write_text("WEBVTT\n")
    with pytest.raises(UsageError, match="do not say"):
        save(result(), tmp_path / "talk", ["csv"])


# --- Names -----------------------------------------------------------------------------------------------------------


def test_a_name_is_as_long_as_it_may_be(tmp_path: Path) -> None:
    for length, kept in ((193, 193), (194, 193), (230, 193)):
        name = "n" * length
        (tmp_path / name).write_text("in the way")
        assert apart(result(B), tmp_path, name) == f"{'n' * kept}-bbbbbb"
        shutil.rmtree(tmp_path / f"{'n' * kept}-bbbbbb")


def test_the_whole_hash_is_the_last_resort(tmp_path: Path) -> None:
    contents = [A, B, B[:6] + A[6:], B[:12] + A[12:], B[:12] + "c" * 52]
    names = [apart(result(content), tmp_path) for content in contents]
    twelve = ["talk-bbbbbbaaaaaa", "talk-bbbbbbbbbbbb"]
    assert names == ["talk", "talk-bbbbbb", *twelve, f"talk-{contents[-1]}"]
    for name in names:
        (tmp_path / name / "report.json").write_text("{")
    with pytest.raises(UsageError) as caught:
        apart(result(contents[-1]), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'talk'} holds a report.json that is damaged, or not one of Visagram's, and so do all folders "
        "named after it: choose another one with --output."
    )


def test_a_folder_named_after_settings_alone_is_no_proof(tmp_path: Path) -> None:
    tag = settings_tag(result(start=5).settings)
    assert apart(result(A), tmp_path) == "talk"
    assert apart(result(A, start=5), tmp_path, formats=("csv",)) == f"talk-{tag}"
    kept = (tmp_path / f"talk-{tag}" / "observations.csv").read_bytes()
    # Neither another content nor another model may take it for its own.
    assert apart(result(B, "3", start=5), tmp_path, formats=("csv",)) == f"talk-bbbbbb-{tag}"
    assert apart(result(A, "3", start=5), tmp_path, formats=("csv",)) == f"talk-aaaaaa-{tag}"
    assert (tmp_path / f"talk-{tag}" / "observations.csv").read_bytes() == kept


def test_a_result_without_a_hash_is_named_after_what_is_known_of_its_file(tmp_path: Path) -> None:
    assert apart(result(A), tmp_path) == "talk"
    report = unnamed_content()
    digest = hashlib.sha256(repr(report.video).encode()).hexdigest()
    tag = settings_tag(report.settings)
    assert apart(report, tmp_path) == f"talk-{digest[:6]}-{tag}"


def test_a_link_to_nowhere_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "talk").symlink_to(tmp_path / "nowhere")
    place = save_apart(result(), tmp_path, "talk", ["json"])
    assert (place.folder.name, place.why) == ("talk-aaaaaa", "is a file")
    place = save_apart(result(), tmp_path, "talk", ["json"])
    assert (place.folder.name, place.why, place.renewed) == ("talk-aaaaaa", "is a file", True)


def test_a_folder_that_cannot_be_read_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(result(), tmp_path / "talk", ["json"])
    access = os.access
    for refused in (os.R_OK, os.X_OK):

        def forbidding(path: Path, mode: int, refused: int = refused) -> bool:
            return access(path, mode) and not (Path(path).name == "talk" and mode & refused)

        monkeypatch.setattr(os, "access", forbidding)
        place = save_apart(result(), tmp_path, "talk", ["json"])
        assert (place.folder.name, place.why) == ("talk-aaaaaa", "cannot be read")
        shutil.rmtree(place.folder)


def tag_of(chosen: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:6]


@pytest.mark.parametrize(
    ("settings", "words", "chosen"),
    [
        ({"start": 5}, "start5-", {"start": 5.0}),
        ({"start": 5.25, "end": 60}, "start5.25-end60-", {"start": 5.25, "end": 60.0}),
        ({"refine": True, "other": False}, "refine-noother-", {"refine": True, "other": False}),
        ({"start": None}, "nostart-", {"start": None}),
        ({"zz": 1, "a_b": 2.5, "start": 5}, "start5-ab2.5-zz1-", {"start": 5.0, "a_b": 2.5, "zz": 1.0}),
        ({"region": (1, 2, 3, 4)}, "region1.2.3.4-", {"region": [1.0, 2.0, 3.0, 4.0]}),
        ({"emotion": "..a/b:c.."}, "emotionabc-", {"emotion": "..a/b:c.."}),
        ({"emotion": Path("/tmp/x.onnx")}, "emotiontmpx.onnx-", {"emotion": "/tmp/x.onnx"}),
        # Thirty-two characters of words at most; what comes after a word that is too long is left out too.
        ({"emotion": "x" * 25}, "emotion" + "x" * 25 + "-", {"emotion": "x" * 25}),
        ({"emotion": "x" * 26}, "", {"emotion": "x" * 26}),
        (
            {"start": 5, "emotion": "x" * 26, "refine": True},
            "start5-",
            {"start": 5.0, "emotion": "x" * 26, "refine": True},
        ),
    ],
)
def test_tags_letter_by_letter(settings: dict[str, Any], words: str, chosen: dict[str, Any]) -> None:
    assert settings_tag(settings) == words + tag_of(chosen)


# --- Whose a folder is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [7, "xyz", None, "A" * 64, "a" * 63])
def test_a_hash_that_is_none_says_nothing(stored: object, tmp_path: Path) -> None:
    save(result(), tmp_path / "talk", ["json"])
    changed(tmp_path / "talk", lambda report: report["video"].update(sha256=stored))
    with pytest.raises(UsageError, match="a result of an earlier version, which does not say which content it is of"):
        save(result(), tmp_path / "talk", ["csv"])


@pytest.mark.parametrize(
    ("part", "field", "value", "own"),
    [
        ("video", "path", "/elsewhere/talk.mp4", True),
        ("video", "video_id", "0" * 16, True),
        ("video", "codec", "vp9", False),
        ("video", "unheard_of", 1, False),
        ("totals", "coverage", 0.5, False),
        ("people", 0, {}, False),
    ],
)
def test_a_result_without_a_hash_is_known_by_all_that_it_says(
    part: str, field: Any, value: object, own: bool, tmp_path: Path
) -> None:
    save(unnamed_content(), tmp_path / "talk", ["json"])
    changed(tmp_path / "talk", lambda report: report[part].__setitem__(field, value))
    if own:
        assert save(unnamed_content(), tmp_path / "talk", ["csv"])[0].name == "observations.csv"
    else:
        with pytest.raises(UsageError, match="earlier version"):
            save(unnamed_content(), tmp_path / "talk", ["csv"])


@pytest.mark.parametrize(
    "old",
    [
        {"schema": "other", "video": {}, "settings": {}},
        {"schema": "visagram.report", "video": {}, "settings": []},
        {"schema": "visagram.report", "video": [], "settings": {}},
        {"schema": "visagram.report", "video": {}},
    ],
)
def test_a_report_without_its_parts_is_not_ours(old: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(old))
    with pytest.raises(UsageError, match="damaged, or not one of Visagram's"):
        save(result(), tmp_path, ["csv"])


def test_a_report_may_be_as_large_as_any_and_no_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(result(), tmp_path, ["json"])
    size = (tmp_path / "report.json").stat().st_size
    monkeypatch.setattr(json_format, "LARGEST_REPORT", size)
    assert len(save(result(), tmp_path, ["csv"])) == 1
    monkeypatch.setattr(json_format, "LARGEST_REPORT", size - 1)
    with pytest.raises(UsageError, match="damaged"):
        save(result(), tmp_path, ["csv"])


def test_the_pictures_of_the_old_people_go_and_nobody_elses(tmp_path: Path) -> None:
    save(result(), tmp_path, ["json"])
    (tmp_path / "face_3.jpg").write_bytes(b"mine")
    save(result(B), tmp_path, ["csv"], overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face_3.jpg", "observations.csv"]


@pytest.mark.parametrize("people", [3, [{}], [{"id": True}, {"id": "2"}], [{"id": -1}, {"id": 2.0}, {"id": None}], []])
def test_pictures_are_kept_where_nobody_says_whose_they_are(people: object, tmp_path: Path) -> None:
    save(result(), tmp_path, ["json"])
    changed(tmp_path, lambda report: report.update(people=people))
    save(result(B), tmp_path, ["csv"], overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face_1.jpg", "face_2.jpg", "observations.csv"]


def test_somebodys_picture_alone_is_kept(tmp_path: Path) -> None:
    (tmp_path / "face_1.jpg").write_bytes(b"mine")
    with pytest.raises(UsageError, match="do not say"):
        save(result(), tmp_path, ["csv"])
    save(result(), tmp_path, ["csv"], overwrite=True)
    assert (tmp_path / "face_1.jpg").read_bytes() == b"mine"


def test_a_file_that_is_no_result_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".visagram-notes").write_text("mine")
    assert [path.name for path in save(result(), tmp_path, ["csv"])] == ["observations.csv"]
    assert (tmp_path / ".visagram-notes").read_text() == "mine"


def test_a_folder_in_the_place_of_a_file_proves_nothing_and_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "observations.csv").mkdir()
    with pytest.raises(UsageError, match="do not say"):
        save(result(), tmp_path, ["csv"])
    save(result(), tmp_path, ["csv"], overwrite=True)
    assert (tmp_path / "observations.csv").is_file()


# --- Disks -----------------------------------------------------------------------------------------------------------


def test_the_old_report_goes_first_and_the_new_one_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(result(), tmp_path, ["json", "csv"])
    moved: list[tuple[str, str]] = []
    rename, replace = Path.rename, Path.replace

    def renaming(path: Path, target: Path) -> Path:
        moved.append(("away", path.name))
        return rename(path, target)

    def replacing(path: Path, target: Path) -> Path:
        if target.parent == tmp_path:
            moved.append(("there", target.name))
        return replace(path, target)

    monkeypatch.setattr(Path, "rename", renaming)
    monkeypatch.setattr(Path, "replace", replacing)
    save(result(model="3"), tmp_path, ["json"])
    assert moved == [
        *(("away", "report.json"), ("away", "face_2.jpg"), ("away", "face_2_statistics.json")),
        *(("there", name) for name in (*JSON_FILES[:3], "observations.csv", "report.json")),
    ]
    # What is the same is not taken away first.
    moved.clear()
    save(result(model="3"), tmp_path, ["json"])
    assert moved == [("there", name) for name in JSON_FILES]


def test_after_a_failure_a_link_is_the_link_that_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(result(), tmp_path / "talk", ["json", "csv"])
    csv, other = tmp_path / "talk" / "observations.csv", tmp_path / "other.csv"
    csv.rename(other)
    csv.symlink_to(other)
    replace = Path.replace

    def stubborn(path: Path, target: Path) -> Path:
        if target == tmp_path / "talk" / "report.json" and path.parent.name != "old":
            raise PermissionError(13, "Permission denied")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stubborn)
    with pytest.raises(OutputError):
        save(result(), tmp_path / "talk", ["json", "csv", "vtt"])
    assert csv.is_symlink() and csv.readlink() == other
    assert not (tmp_path / "talk" / "expressions.vtt").exists()
    assert len(list((tmp_path / "talk").iterdir())) == 7


def test_an_error_names_the_folder_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError) as caught:
        save(result(), tmp_path / "talk", ["json"])
    assert str(tmp_path / "talk" / "face_1_statistics.json") in str(caught.value)
    assert ".visagram-" not in str(caught.value)


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for write in (
        lambda: save(result(), tmp_path / "file" / "talk", ["csv"]),
        lambda: save_apart(result(), tmp_path / "file", "talk", ["csv"]),
    ):
        with pytest.raises(OutputError, match="file"):
            write()


def flock_once(monkeypatch: pytest.MonkeyPatch, first: Callable[[], None]) -> list[int]:
    """Have `first` happen before the first lock is taken; the descriptors that were locked."""
    flock, calls = fcntl.flock, list[int]()

    def locking(handle: int, how: int) -> None:
        assert how == fcntl.LOCK_EX
        calls.append(handle)
        if len(calls) == 1:
            first()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", locking)
    return calls


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_vanishes_before_it_is_locked_is_made_again(
    again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(result(), tmp_path / "other", ["csv"])
    before, talk = opened(), tmp_path / "talk"

    def vanish() -> None:
        talk.rename(tmp_path / "old")
        if again:
            talk.mkdir()

    calls = flock_once(monkeypatch, vanish)
    assert save(result(), talk, ["csv"])[0].is_file()
    assert len(calls) == 2 and opened() == before
    assert list((tmp_path / "old").iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
@pytest.mark.parametrize("number", [errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_where_folders_cannot_be_locked_a_file_is(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(result(), tmp_path / "other", ["csv"])
    before = opened()
    flock, failed = fcntl.flock, list[int]()

    def refusing(handle: int, how: int) -> None:
        if not failed:
            failed.append(handle)
            raise OSError(number, "no locks here")
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", refusing)
    assert save(result(), tmp_path / "talk", ["csv"])[0].is_file()
    assert failed and opened() == before
    assert {path.name for path in (tmp_path / "talk").iterdir()} <= {"observations.csv", ".visagram.lock"}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
@pytest.mark.parametrize(
    ("failure", "raised"), [(OSError(errno.EIO, "broken"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_a_lock_that_fails_leaves_nothing_open(
    failure: BaseException, raised: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(result(), tmp_path / "other", ["csv"])
    before = opened()

    def broken(_handle: int, _how: int) -> None:
        raise failure

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(raised):
        save(result(), tmp_path / "talk", ["csv"])
    assert opened() == before


def test_a_system_without_locks_on_folders_locks_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    for _ in range(2):
        assert save(result(), tmp_path / "a" / "talk", ["csv"])[0].is_file()
    monkeypatch.undo()
    assert save(result(), tmp_path / "a" / "talk", ["csv"])[0].is_file()
