"""A folder holds one result: of one content and one set of settings, whole, and none is lost without a word."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import tempfile
import threading
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import MODELS, make_report, no_people, one_frame, unnamed_content
from visagram.errors import OutputUnwritable, UsageError
from visagram.export import FORMATS, add, save, save_apart
from visagram.export.folder import settings_tag
from visagram.report import Report, open_report
from visagram.settings import Settings

A, B = "a" * 64, "b" * 64


def result(content: str = A, model: str = "2", **settings: object) -> Report:
    """A report of this content. model: its version, on which every number depends: another model sees fewer people."""
    seen = make_report() if model == "2" else one_frame()
    report = dataclasses.replace(seen, settings=Settings(**settings).for_report())  # type: ignore[arg-type]
    rows = report.observations[report.observations.time < float(settings.get("end") or 9)]  # type: ignore[arg-type]
    report = dataclasses.replace(report, observations=rows[rows.time >= float(settings.get("start") or 0)])  # type: ignore[arg-type]
    facts = dataclasses.replace(report.video, name="talk.mp4", sha256=content)
    return dataclasses.replace(report, video=facts, models=(MODELS[0], MODELS[1] | {"version": model}))


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder; nothing hidden may be left."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert not [name for name in found if name.startswith(".")]
    return found


def written(report: Report, folder: Path, formats: tuple[str, ...] = tuple(FORMATS)) -> dict[str, bytes]:
    """What a report alone writes."""
    for name in formats:
        FORMATS[name](report, folder)
    found = files(folder)
    shutil.rmtree(folder)
    return found


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    """A folder to write to beside the one that is looked at."""
    return tmp_path / "apart"


# --- save: into a folder that was named ------------------------------------------------------------------------------


def test_the_same_result_is_renewed(tmp_path: Path) -> None:
    folder = tmp_path / "talk"
    result().save(folder)
    before = files(folder)
    assert [path.name for path in result().save(folder, ["csv"])] == ["observations.csv"]
    assert files(folder) == before


@pytest.mark.parametrize("formats", [["csv"], ["vtt", "json"], None])
def test_another_model_renews_every_format_that_is_there(
    formats: list[str] | None, tmp_path: Path, apart: Path
) -> None:
    folder, old, new = tmp_path / "talk", result(), result(model="3")
    old.save(folder, ["json", "csv", "npy"])
    (folder / "annotated.mp4").write_bytes(b"boxes of the old model")
    kept = {name for name in FORMATS if name in ("json", "csv", "npy", *(formats or FORMATS))}
    saved = {path.name for path in new.save(folder, formats)}
    assert files(folder) == written(new, apart, tuple(kept))
    assert saved == set(files(folder))


def test_one_format_beside_a_report_of_other_settings_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "talk"
    result().save(folder)
    before = files(folder)
    with pytest.raises(UsageError, match=r"talk holds the result of this video with other settings: .* overwrite=True"):
        result(end=3.9).save(folder, ["csv"])
    assert files(folder) == before


@pytest.mark.parametrize("formats", [["parquet"], None])
def test_another_content_is_refused(formats: list[str] | None, tmp_path: Path) -> None:
    folder = tmp_path / "talk"
    result(A).save(folder)
    before = files(folder)
    with pytest.raises(UsageError, match="holds the result of another video"):
        result(B).save(folder, formats)
    assert files(folder) == before


def test_a_format_that_came_alone_shows_by_its_bytes_whose_it_is(tmp_path: Path, apart: Path) -> None:
    folder = tmp_path / "talk"
    result(end=3.0, model="3").save(folder, ["csv"])
    with pytest.raises(UsageError, match="do not say which video"):
        result().save(folder, ["json"])
    assert list(files(folder)) == ["observations.csv"]
    result(end=3.0, model="3").save(folder, ["json"])
    assert files(folder) == written(result(end=3.0, model="3"), apart, ("csv", "json"))


def test_overwriting_takes_the_old_files_and_leaves_what_was_never_ours(tmp_path: Path, apart: Path) -> None:
    folder = tmp_path / "talk"
    result(A).save(folder)
    mine = {"notes.txt": b"mine", "face_7.jpg": b"my own picture", "annotated.txt": b"mine"}
    for name, content in {**mine, "annotated.mp4": b"of the old one"}.items():
        (folder / name).write_bytes(content)
    result(B, model="3").save(folder, ["csv", "json"], overwrite=True)
    assert files(folder) == mine | written(result(B, model="3"), apart, ("csv", "json"))


@pytest.mark.parametrize("old", ["", "[]", "{", '{"schema": "visagram.report", "video": 3, "settings": {}}'])
def test_files_beside_a_damaged_report_are_somebodys(old: str, tmp_path: Path, apart: Path) -> None:
    result().save(tmp_path / "talk", ["csv", "json"])
    (tmp_path / "talk" / "report.json").write_text(old)
    with pytest.raises(UsageError, match="damaged"):
        result().save(tmp_path / "talk")
    result().save(tmp_path / "talk", ["vtt"], overwrite=True)
    # The old report does not say any more whose picture a face is.
    pictures = {name: content for name, content in files(tmp_path / "talk").items() if name.endswith(".jpg")}
    assert files(tmp_path / "talk") == written(result(), apart, ("vtt",)) | pictures


@pytest.mark.parametrize("formats", [["json"], ["csv"]])
def test_a_report_of_another_program_is_not_overwritten(formats: list[str], tmp_path: Path, apart: Path) -> None:
    folder = tmp_path / "talk"
    folder.mkdir()
    (folder / "report.json").write_text('{"mine": true}')
    with pytest.raises(UsageError, match=r"not one of Visagram's"):
        result().save(folder, formats)
    assert files(folder) == {"report.json": b'{"mine": true}'}


def test_a_result_without_a_hash_is_somebody_elses(tmp_path: Path) -> None:
    """As versions before 0.2 wrote them: size, length and name do not prove what it is of."""
    unnamed_content().save(tmp_path / "talk")
    with pytest.raises(UsageError, match="earlier version"):
        unnamed_content(A).save(tmp_path / "talk")
    unnamed_content(A).save(tmp_path / "new")
    with pytest.raises(UsageError, match="another video"):
        unnamed_content().save(tmp_path / "new")


def test_a_result_without_a_hash_can_be_opened_and_saved_where_it_lies(tmp_path: Path) -> None:
    unnamed_content().save(tmp_path / "talk", ["json", "parquet"])
    open_report(tmp_path / "talk").save(tmp_path / "talk", ["csv"])
    assert "observations.csv" in files(tmp_path / "talk")
    other = dataclasses.replace(no_people("talk.mp4"), video=unnamed_content().video)
    with pytest.raises(UsageError):
        other.save(tmp_path / "talk", ["csv"])


def test_settings_that_an_older_version_did_not_know_are_the_default(tmp_path: Path) -> None:
    result().save(tmp_path / "talk", ["json"])
    path = tmp_path / "talk" / "report.json"
    stored = json.loads(path.read_text())
    del stored["settings"]["stream"]
    path.write_text(json.dumps(stored | {"settings": stored["settings"] | {"start": 0}}))
    result().save(tmp_path / "talk", ["csv"])
    with pytest.raises(UsageError, match="other settings"):
        result(stream=1).save(tmp_path / "talk", ["csv"])


def test_a_failure_half_way_leaves_everything_as_it_was(
    tmp_path: Path, apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "talk"
    result(A).save(folder)
    before = files(folder)
    replace = Path.replace
    for fails_at in range(1, len(written(result(B, model="3"), apart)) + 1):
        count = itertools.count(1)

        def stubborn(path: Path, target: Path, count=count, fails_at=fails_at) -> Path:
            # From now on one file cannot be replaced, as when another program has it open.
            if target.parent == folder and path.parent.name != "old" and next(count) == fails_at:
                raise PermissionError(13, "Permission denied")
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", stubborn)
        with pytest.raises(OutputUnwritable):
            result(B, model="3").save(folder, overwrite=True)
        monkeypatch.setattr(Path, "replace", replace)
        assert files(folder) == before


def test_a_folder_that_was_made_for_nothing_is_gone_and_one_that_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stubborn(_path: Path, _target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(Path, "replace", stubborn)
    for name in ("mine", "new"):
        with pytest.raises(OutputUnwritable):
            result().save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
def test_saving_leaves_no_file_open(tmp_path: Path) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    result().save(tmp_path / "talk")
    before = opened()
    for _ in range(3):
        result().save(tmp_path / "talk")
        with pytest.raises(UsageError):
            result(B).save(tmp_path / "talk")
    assert opened() == before


def test_a_folder_of_results_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def secret(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", secret)
    with pytest.raises(OutputUnwritable, match="Permission denied"):
        save_apart(result(), tmp_path, "talk")


def test_what_a_killed_process_left_is_removed(tmp_path: Path, apart: Path) -> None:
    folder = tmp_path / "talk"
    (folder / ".visagram-dead").mkdir(parents=True)
    (folder / ".visagram-dead" / "report.json").write_text("half")
    result().save(folder)
    assert files(folder) == written(result(), apart)


# --- save_apart: into a folder of its own ----------------------------------------------------------------------------


def test_another_content_gets_a_folder_that_names_it(tmp_path: Path) -> None:
    assert save_apart(result(A), tmp_path, "talk").folder.name == "talk"
    place = save_apart(result(B), tmp_path, "talk")
    assert (place.folder.name, place.why) == ("talk-bbbbbb", "holds the result of another video")
    assert json.loads((tmp_path / "talk" / "report.json").read_text())["video"]["sha256"] == A


def test_other_settings_get_a_folder_that_names_them(tmp_path: Path) -> None:
    save_apart(result(), tmp_path, "talk")
    place = save_apart(result(start=5), tmp_path, "talk")
    assert place.folder.name == f"talk-{settings_tag(result(start=5).settings)}"
    assert place.folder.name.startswith("talk-start5-") and len(place.folder.name) == len("talk-start5-123456")
    other = save_apart(result(B, start=5), tmp_path, "talk")
    assert other.folder.name == f"talk-bbbbbb-{settings_tag(result(start=5).settings)}"


def test_the_defaults_have_a_name_too(tmp_path: Path) -> None:
    save_apart(result(start=5), tmp_path, "talk")
    assert save_apart(result(), tmp_path, "talk").folder.name == "talk-defaults"


def test_the_same_call_finds_its_folder_again(tmp_path: Path) -> None:
    calls = [result(A), result(B), result(A, start=5), result(B, start=5), result(A, smooth=2.0)]
    first = [save_apart(call, tmp_path, "talk", ["json"]).folder for call in calls]
    assert len(set(first)) == len(calls)
    assert [save_apart(call, tmp_path, "talk", ["csv"]).folder for call in reversed(calls)] == first[::-1]
    shutil.rmtree(tmp_path / "talk")
    assert [save_apart(call, tmp_path, "talk", ["vtt"]).folder for call in calls[1:]] == first[1:]


def test_formats_without_a_report_find_their_folder_again_too(tmp_path: Path) -> None:
    calls = [result(A), result(A, model="3"), result(B, model="3", end=2)]
    first = [save_apart(call, tmp_path, "talk", ["csv"]).folder.name for call in calls]
    assert first[:2] == ["talk", "talk-aaaaaa"] and first[2].startswith("talk-bbbbbb-end2-")
    again = [save_apart(call, tmp_path, "talk", ["csv"]).folder.name for call in calls]
    assert again == first
    # A folder that is named after its content and settings is renewed when a model sees something else.
    assert save_apart(result(A, model="4"), tmp_path, "talk", ["csv"]).folder.name == "talk-aaaaaa"


def test_a_short_hash_that_is_taken_becomes_longer(tmp_path: Path) -> None:
    near = B[:6] + "c" * 58
    for content, name in ((A, "talk"), (B, "talk-bbbbbb"), (near, "talk-bbbbbbcccccc")):
        assert save_apart(result(content), tmp_path, "talk", ["json"]).folder.name == name


def test_a_file_in_the_way_is_nobodys_to_replace(tmp_path: Path) -> None:
    (tmp_path / "talk").write_text("mine")
    place = save_apart(result(), tmp_path, "talk", ["json"])
    assert (place.folder.name, place.why) == ("talk-aaaaaa", "is a file")
    assert (tmp_path / "talk").read_text() == "mine"


def test_names_that_differ_in_case_are_one_folder_on_every_disk(tmp_path: Path) -> None:
    assert save_apart(result(A), tmp_path, "Café", ["json"]).folder.name == "Café"
    assert save_apart(result(A), tmp_path, "CAFE\u0301", ["json"]).folder.name == "Café"
    assert save_apart(result(B), tmp_path, "café", ["json"]).folder.name == "café-bbbbbb"


def test_long_names_leave_room_for_what_is_added(tmp_path: Path) -> None:
    long = "映" * 66
    for content in (A, B, B[:6] + A[6:], B[:12] + A[12:]):
        name = save_apart(result(content), tmp_path, long, ["json"]).folder.name
        assert len(name.encode()) <= 200
    assert len(list(tmp_path.iterdir())) == 4


def test_overwriting_replaces_the_folder_of_that_name(tmp_path: Path, apart: Path) -> None:
    save_apart(result(A), tmp_path, "talk")
    place = save_apart(result(B, model="3"), tmp_path, "talk", ["json"], overwrite=True)
    assert (place.folder.name, place.why, place.renewed) == ("talk", "", False)
    assert files(tmp_path / "talk") == written(result(B, model="3"), apart, ("json",))
    # But not what the same call has written.
    place = save_apart(result(A), tmp_path, "talk", ["json"], overwrite=True, keep={tmp_path / "talk"})
    assert place.folder.name == "talk-aaaaaa"


def test_an_annotated_video_is_added_to_its_own_result_alone(tmp_path: Path) -> None:
    video = tmp_path / "made.mp4"
    place = save_apart(result(A), tmp_path / "out", "talk", ["csv", "json"])
    video.write_bytes(b"boxes")
    assert add(result(A), place.folder, video).read_bytes() == b"boxes"
    save(result(B), place.folder, overwrite=True)
    assert not (place.folder / "annotated.mp4").exists() and not video.exists()
    video.write_bytes(b"boxes")
    with pytest.raises(UsageError, match="another call"):
        add(result(A), place.folder, video)


def test_an_annotated_video_alone_finds_its_folder_again(tmp_path: Path) -> None:
    for content, boxes, name in (
        (A, b"1", "talk"),
        (B, b"2", "talk-bbbbbb"),
        (A, b"1", "talk"),
        (B, b"3", "talk-bbbbbb"),
    ):
        (tmp_path / "made.mp4").write_bytes(boxes)
        place = save_apart(result(content), tmp_path / "out", "talk", [], annotated=tmp_path / "made.mp4")
        assert (place.folder.name, files(place.folder)) == (name, {"annotated.mp4": boxes})


def test_tags_are_short_stable_and_tell_settings_apart() -> None:
    assert settings_tag(Settings().for_report()) == ""
    assert settings_tag({"start": 0, "end": None}) == "", "as an older version said it"
    chosen = [
        {"start": 5.0},
        {"start": 5.5},
        {"end": 5.0},
        {"refine": True},
        {"region": (1, 2, 3, 4)},
        {"region": (1, 2, 34, 1)},
        {"emotion": "hf:somebody/a-model/../of:no\\folder" + "x" * 200},
        {"emotion": "onnx:/tmp/mine.onnx", "start": 1.25, "end": 2.0, "smooth": 1.0, "seed": 3},
    ]
    tags = [settings_tag(Settings(**each).for_report()) for each in chosen]  # type: ignore[arg-type]
    assert len(set(tags)) == len(tags)
    assert [tag[:-7] for tag in tags[:5]] == ["start5", "start5.5", "end5", "refine", "region1.2.3.4"]
    for tag in tags:
        assert len(tag) <= 40 and all(c.isascii() and (c.isalnum() or c in "-.") for c in tag)
    assert settings_tag({"start": 5}) == settings_tag({"start": 5.0}) == tags[0]
    assert settings_tag(json.loads(json.dumps(Settings(region=(1, 2, 3, 4)).for_report()))) == tags[4]


# --- All together ----------------------------------------------------------------------------------------------------

QUICK = ("json", "csv", "vtt", "npy")
VERSIONS = [(A, "2", None), (A, "2", 2.0), (A, "3", None), (B, "2", None), (B, "2", 2.0), (B, "3", None)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, float | None], dict[str, bytes]]:
    """What each of some results writes by itself."""
    folder = tmp_path_factory.mktemp("alone")
    return {key: written(result(*key[:2], end=key[2]), folder / "it", QUICK) for key in VERSIONS}


CALL = st.tuples(
    st.sampled_from(VERSIONS),
    st.lists(st.sampled_from(QUICK), min_size=1, unique=True),
    st.integers(0, 9).map(lambda n: not n),
)


def test_no_calls_in_any_order_mix_results_or_lose_one(
    alone: dict[tuple[str, str, float | None], dict[str, bytes]],
) -> None:
    @hypothesis.settings(max_examples=60)
    @given(st.lists(CALL, min_size=2, max_size=6))
    def check(calls: list[tuple[tuple[str, str, float | None], list[str], bool]]) -> None:
        with tempfile.TemporaryDirectory() as name:
            out, owners = Path(name), dict[Path, tuple[str, float | None]]()
            for key, formats, overwrite in calls:
                content, model, end = key
                place = save_apart(result(content, model, end=end), out, "talk", formats, overwrite=overwrite)
                before = owners.get(place.folder)
                assert overwrite or before in (None, (content, end)), "another result vanished"
                owners[place.folder] = (content, end)
                assert files(place.folder).items() <= alone[key].items()
                asked = {name for name in alone[key] if any(name in _names(kind, alone[key]) for kind in formats)}
                assert asked <= {path.name for path in place.files} <= set(files(place.folder))
                for folder in out.iterdir():
                    mine = [alone[each] for each in VERSIONS if owners[folder] == (each[0], each[2])]
                    assert any(files(folder).items() <= each.items() for each in mine), f"{folder.name} is a mixture"

    check()


def _names(kind: str, there: dict[str, bytes]) -> set[str]:
    """Names of the files of a format."""
    fixed = {"csv": {"observations.csv"}, "vtt": {"expressions.vtt"}}
    faces = {name for name in there if "_embeddings" in name}
    return fixed.get(kind) or (faces if kind == "npy" else set(there) - faces - fixed["csv"] - fixed["vtt"])


@pytest.mark.parametrize("overwrite", [False, True])
def test_calls_at_the_same_time_do_not_mix(overwrite: bool, tmp_path: Path, apart: Path) -> None:
    reports = [result(digit * 64, model, end=end) for digit in "abc" for model in "23" for end in (None, 2.0)]
    problems: list[BaseException] = []
    places: list[Path] = []
    start = threading.Barrier(len(reports))

    def work(report: Report) -> None:
        try:
            start.wait()
            for formats in (("json", "csv"), ("npy", "json"), ("vtt",)):
                places.append(save_apart(report, tmp_path / "out", "talk", formats, overwrite=overwrite).folder)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(report,)) for report in reports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    mine = [written(report, apart, QUICK) for report in reports]
    folders = list((tmp_path / "out").iterdir())
    assert {folder.name for folder in folders} == {place.name for place in places}
    assert len(folders) == (1 if overwrite else 6)
    for folder in folders:
        assert any(files(folder).items() <= each.items() for each in mine), sorted(files(folder))
