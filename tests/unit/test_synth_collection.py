"""The folder of generated faces: what a kill, another hand and another call do to it."""

from __future__ import annotations

import dataclasses
import json

import pyarrow.parquet as pq
import pytest

from generators import Drawing
from visagram.errors import Conflict, DataError, FolderInUse, GenerationFailed, OutputUnwritable
from visagram.synth.collection import MANIFEST, TABLE, Collection, Record, open_collection, read_collection
from visagram.synth.generate import generate
from visagram.synth.generator import image_seed


def _quiet(stage, completed, total):
    pass


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_faces_lie_beside_a_manifest_that_says_where_they_come_from(tmp_path):
    made = generate(Drawing(), "disgust", 5, 7, tmp_path, _quiet)
    found = list(read_collection(tmp_path))
    assert found == made
    assert [record.file for record in found] == [f"disgust/disgust-7-0000{k}.png" for k in range(5)]
    for record in found:
        assert (record.generator, record.generator_sha256, record.prompt) == ("drawing", "ab" * 32, "a prompt")
        assert record.image_seed == image_seed(7, "disgust", record.number)
        assert not record.accepted
    table = pq.read_table(tmp_path / TABLE).to_pylist()
    assert [row["file"] for row in table] == [record.file for record in found]
    assert json.loads(table[0]["parameters"]) == {"guidance": 2.0}


def test_a_further_call_makes_only_what_is_missing(tmp_path):
    generate(Drawing(), "fear", 3, 1, tmp_path, _quiet)
    before = _files(tmp_path)
    hand = Drawing()
    assert len(generate(hand, "fear", 6, 1, tmp_path, _quiet)) == 6
    assert hand.made == [3, 4, 5]
    after = _files(tmp_path)
    assert all(after[name] == content for name, content in before.items() if name.endswith(".png"))


def test_what_was_made_before_a_failure_stays_and_is_not_made_twice(tmp_path):
    whole = tmp_path / "whole"
    generate(Drawing(), "sad", 40, 2, whole, _quiet)
    broken = tmp_path / "broken"
    with pytest.raises(GenerationFailed):
        generate(Drawing(lasts=23), "sad", 40, 2, broken, _quiet)
    assert len(read_collection(broken)) == 23
    generate(Drawing(), "sad", 40, 2, broken, _quiet)
    ours, theirs = _files(broken), _files(whole)
    assert ours == theirs


def test_faces_that_a_killed_call_wrote_without_a_manifest_are_made_again_the_same(tmp_path):
    generate(Drawing(), "sad", 3, 2, tmp_path, _quiet)
    before = _files(tmp_path)
    (tmp_path / MANIFEST).unlink()
    generate(Drawing(), "sad", 3, 2, tmp_path, _quiet)
    assert _files(tmp_path) == before


def test_faces_of_one_seed_that_were_made_otherwise_are_not_mixed(tmp_path):
    generate(Drawing(), "happy", 2, 0, tmp_path, _quiet, guidance=3.0)
    with pytest.raises(Conflict, match="another guidance"):
        generate(Drawing(), "happy", 4, 0, tmp_path, _quiet, guidance=4.0)
    # The generator's own is not what the folder was begun with.
    with pytest.raises(Conflict, match="another guidance"):
        generate(Drawing(), "happy", 4, 0, tmp_path, _quiet)
    with pytest.raises(Conflict, match="another generator"):
        generate(Drawing(name="other"), "happy", 4, 0, tmp_path, _quiet)
    assert len(read_collection(tmp_path)) == 2


def test_what_the_generator_itself_refuses_is_rejected_with_its_reason(tmp_path):
    made = generate(Drawing(refuses=(1,)), "angry", 3, 0, tmp_path, _quiet)
    assert [(r.decision, r.reason) for r in made][1] == ("rejected", "refused by the generator: unsuitable")
    assert {r.decision for r in made} == {"", "rejected"}


def test_two_processes_do_not_work_on_one_folder(tmp_path):
    with open_collection(tmp_path), pytest.raises(FolderInUse, match="Another"), open_collection(tmp_path):
        pass


def test_a_person_overrules_the_selection():
    record = Record("sad/sad-0-00000.png", "", "sad", "g", "", 0, 0, 0, decision="rejected", reason="blurred")
    assert not record.accepted
    assert dataclasses.replace(record, review="accepted").accepted
    assert not dataclasses.replace(record, decision="accepted", review="rejected").accepted


@pytest.mark.parametrize(
    "edit",
    [
        lambda whole: whole["faces"][0].update(expression="happy"),
        lambda whole: whole["faces"][0].update(review="accepted"),
        lambda whole: whole["faces"].pop(),
        lambda whole: whole.update(schema="other/1"),
        lambda whole: whole.pop("digest"),
        lambda whole: whole["faces"][0].pop("seed"),
    ],
)
def test_a_manifest_that_another_hand_changed_is_refused(tmp_path, edit):
    generate(Drawing(), "sad", 2, 2, tmp_path, _quiet)
    whole = json.loads((tmp_path / MANIFEST).read_text())
    edit(whole)
    (tmp_path / MANIFEST).write_text(json.dumps(whole))
    before = _files(tmp_path)
    for use in (lambda: read_collection(tmp_path), lambda: generate(Drawing(), "sad", 4, 2, tmp_path, _quiet)):
        with pytest.raises(DataError, match=r"manifest.json cannot be used"):
            use()
    assert _files(tmp_path) == before


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"schema": 1}', "[" * 100_000, "\udcff"])
def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    (tmp_path / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match="cannot be used"):
        read_collection(tmp_path)


@pytest.mark.parametrize(
    "file", ["../sad-2-00000.png", "sad/../sad-2-00000.png", "/etc/passwd", "sad/sad-2-00001.png", "sad\\x.png", 7]
)
def test_a_record_names_no_file_but_its_own(file):
    with pytest.raises(DataError, match="file is"):
        Record(file, "", "sad", "g", "", 2, 0, 0)


def test_an_image_that_was_exchanged_or_linked_is_refused(tmp_path):
    generate(Drawing(), "sad", 2, 2, tmp_path, _quiet)
    found = read_collection(tmp_path)
    first, second = found
    (tmp_path / first.file).write_bytes((tmp_path / second.file).read_bytes())
    with pytest.raises(DataError, match="not the image that the manifest speaks of"):
        found.picture(first)
    (tmp_path / first.file).unlink()
    (tmp_path / first.file).symlink_to(tmp_path / second.file)
    with pytest.raises(DataError, match="symbolic link"):
        found.picture(first)
    (tmp_path / first.file).unlink()
    with pytest.raises(DataError, match="missing"):
        found.picture(first)


def test_a_folder_without_a_manifest_and_one_that_is_a_file_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no manifest.json"):
        read_collection(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputUnwritable):
        generate(Drawing(), "sad", 2, 2, tmp_path / "file", _quiet)


def test_saving_twice_writes_the_same(tmp_path):
    generate(Drawing(), "sad", 3, 2, tmp_path, _quiet)
    before = _files(tmp_path)
    with open_collection(tmp_path) as found:
        assert isinstance(found, Collection)
    assert _files(tmp_path) == before
