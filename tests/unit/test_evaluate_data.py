"""Readers of labelled data: what they take, and how they refuse everything else by what and where."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visagram.core.labels import NAMES, OTHERS, expression_of, mapped
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, UsageError, VisagramError
from visagram.evaluate.data import Votes, read, read_every_split, read_training
from visagram.evaluate.tables import vote_columns

VOTES = "votes_neutral,votes_happiness,votes_surprise,votes_sadness,votes_anger,votes_disgust,votes_fear"
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX links")


@pytest.fixture
def folders(tmp_path):
    """Class folders with names of their own and one picture each; nothing is decoded by the readers."""
    for name in ("anger", "Happiness", "neutral"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        (tmp_path / "faces" / name / "1.png").write_bytes(b"x")
    return tmp_path / "faces"


@pytest.fixture
def table(tmp_path):
    """Writes a table beside two pictures."""
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")

    def write(*lines, name="faces.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes("\n".join(lines).encode(encoding))
        return path

    return write


def refused(path, match, kind=DataError, **how):
    with pytest.raises(kind, match=match):
        read(path, **how)


# --- Labels ----------------------------------------------------------------------------------------------------------


def test_every_expression_is_known_by_its_own_name():
    assert set(NAMES) == set(EXPRESSIONS)
    assert all(expression_of(f" {name.upper()} ") == name for name in EXPRESSIONS)
    assert len({name for names in NAMES.values() for name in names}) == sum(map(len, NAMES.values()))


@given(st.text())
def test_any_label_is_an_expression_or_none(label):
    assert expression_of(label) in (None, *EXPRESSIONS)


def test_unknown_labels_are_refused_with_the_list_unless_they_are_skipped():
    with pytest.raises(DataError, match=r"here has .*'3', 'contempt'\. Known are angry/anger"):
        mapped(["happy", "contempt", "3"], "here")
    assert mapped(["joy", "Contempt"], "here", skip=["contempt"]) == {"joy": "happy"}


# --- Class folders ---------------------------------------------------------------------------------------------------


def test_class_folders_are_read_by_the_table_of_labels(folders):
    found = read(folders)
    assert found.mapping == {"anger": "angry", "Happiness": "happy", "neutral": "neutral"}
    assert dict(zip(found.pictures, found.labels.tolist(), strict=True)) == {
        "Happiness/1.png": 3,
        "anger/1.png": 0,
        "neutral/1.png": 6,
    }
    assert (found.kind, found.votes, found.groups) == ("folders", None, None)


def test_folders_of_splits_are_told_from_folders_of_classes(folders, tmp_path):
    root = tmp_path / "root"
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
        for folder in folders.iterdir():
            (root / split / folder.name).mkdir()
            (root / split / folder.name / f"{split}.png").write_bytes(b"x")
    assert read(root).split == "test"
    assert [each.split for each in read_every_split(root)] == ["test", "train"]
    assert read_training(root).pictures[0].endswith("train.png")
    refused(root, "no split 'other': its splits are test, train", UsageError, split="other")


def test_an_unknown_class_folder_is_refused_and_can_be_left_out(folders):
    (folders / "contempt").mkdir()
    (folders / "contempt" / "1.png").write_bytes(b"x")
    refused(folders, "none of the seven expressions: 'contempt'")
    found = read(folders, skip=["contempt"])
    assert (len(found), found.skipped) == (3, {"contempt": 1})


def test_an_empty_class_folder_is_refused_by_name(folders):
    (folders / "fear").mkdir()
    refused(folders, "fear holds no pictures")


def test_what_file_managers_leave_behind_is_no_class_and_no_picture(folders):
    (folders / ".git").mkdir()
    for name in ("Thumbs.db", ".DS_Store"):
        (folders / name).touch()
        (folders / "anger" / name).touch()
    assert len(read(folders)) == 3


def test_other_files_among_the_pictures_are_refused_by_name(folders):
    (folders / "anger" / "notes.txt").touch()
    refused(folders, r"notes\.txt is not a picture")


def test_pictures_beside_the_class_folders_are_refused(folders):
    (folders / "lost.png").touch()
    refused(folders, r"lost\.png lies beside the class folders")


def test_a_class_folder_given_alone_is_asked_about(folders):
    refused(folders / "anger", "is 'anger' a class folder itself")


def test_folders_inside_class_folders_are_refused(folders):
    (folders / "anger" / "deep.png").mkdir()
    refused(folders, "is not a file")


@posix
def test_links_among_folders_and_pictures_are_refused(folders, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x")
    (folders / "anger" / "2.png").symlink_to(secret)
    refused(folders, r"2\.png is a symbolic link")
    (folders / "anger" / "2.png").unlink()
    (folders / "fear").symlink_to(folders / "anger")
    refused(folders, "fear is a symbolic link")


def test_an_empty_folder_and_none_at_all_are_refused(tmp_path):
    refused(tmp_path, "holds no class folders")
    refused(tmp_path / "nowhere", "does not exist")


def test_class_folders_have_no_column_to_group_by(folders):
    refused(folders, "groups need a table", UsageError, group="age")


# --- Tables ----------------------------------------------------------------------------------------------------------


def test_a_table_of_labels_is_read_with_its_groups(table):
    found = read(table("path,label,group", "a.png,Happiness,young", "b.png, sad ,old"))
    assert (found.pictures, found.labels.tolist()) == (("a.png", "b.png"), [3, 4])
    assert found.groups == ("young", "old")
    assert found.mapping == {"Happiness": "happy", " sad ": "sad"}


def test_any_column_can_name_the_groups(table):
    path = table("path,label,age", "a.png,happy,1", "b.png,sad,2")
    assert read(path).groups is None
    assert read(path, group="age").groups == ("1", "2")
    refused(path, "no column 'sex' to group by", UsageError, group="sex")


def test_a_table_of_votes_is_read_with_or_without_the_prefix(table):
    plain = VOTES.replace("votes_", "").upper()
    for header in (VOTES, plain):
        found = read(table(f"path,{header},contempt,NF", "a.png,0,6,0,0,0,0,0,1,3", "b.png,5,0,0,0,0,0,0,4,1"))
        assert found.votes is not None
        assert found.votes.seven[:, [3, 6]].tolist() == [[6, 0], [0, 5]]
        assert found.votes.others.tolist() == [4, 5]
        assert found.votes.majority.tolist() == [True, False]


def test_votes_may_be_shares(table):
    found = read(table(f"path,{VOTES}", "a.png,0.25,0.75,0,0,0,0,0"))
    assert found.labels.tolist() == [3]


def test_only_all_seven_columns_of_votes_are_votes():
    assert vote_columns(["path", "anger", "fear", "label"]) == ({}, ())
    seven, others = vote_columns([*EXPRESSIONS, *OTHERS, "fer2013_label"])
    assert (set(seven), others) == (set(EXPRESSIONS), OTHERS)


def test_a_split_is_chosen_unless_there_is_only_one_besides_the_training_split(table):
    path = table("path,label,split", "a.png,happy,train", "b.png,sad,test")
    assert read(path).pictures == ("b.png",)
    assert read(path, split="train").pictures == ("a.png",)
    only = table("path,label,split", "a.png,happy,train", name="only.csv")
    refused(only, "choose one with --split", UsageError)


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["picture,label", "a.png,happy"], "no column 'path'"),
        (["path,emotion", "a.png,happy"], "neither a column 'label' nor one of votes"),
        (["path,label", "a.png,bored"], "column label has labels .* 'bored'"),
        (["path,label"], "holds no rows"),
        ([], "holds no rows"),
        (["path,label", "a.png,happy,extra"], "line 2, has 3 cells where the header has 2"),
        (["path,label,label", "a.png,happy,sad"], "two columns of one name"),
        (["path,label", '"a.png,happy'], "cannot be read as a table"),
        (["path,label", "missing.png,happy"], "line 2, names 'missing.png', which is missing"),
        (["path,label", ",happy"], "line 2, names ''"),
        (["path,label", "/etc/passwd,happy"], "which is not a file below"),
        (["path,label", "a.png,sad", "../b.png,happy"], "line 3, names '../b.png', which is not a file below"),
        (["path,label", "a\0.png,happy"], "names|cannot be read as a table"),
        (["path,label,group", "a.png,happy,"], "column group is empty in line 2"),
        ([f"path,{VOTES}", "a.png,0,0,0,0,0,0,0"], "line 2, has no votes at all"),
        ([f"path,{VOTES}", "a.png,0,-1,0,0,0,0,0"], "line 2, holds '-1' in the column votes_happiness"),
        ([f"path,{VOTES}", "a.png,0,nan,0,0,0,0,0"], "holds 'nan'"),
        ([f"path,{VOTES}", "a.png,0,inf,0,0,0,0,0"], "holds 'inf'"),
        ([f"path,{VOTES}", "a.png,0,many,0,0,0,0,0"], "holds 'many'"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_by_what_and_where(table, lines, match):
    refused(table(*lines), match)


def test_a_table_in_another_encoding_is_refused(table):
    refused(table("path,label", "ä.png,happy", encoding="latin-1"), "cannot be read as a table")


@posix
def test_a_link_in_a_table_is_refused(table, tmp_path):
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "c.png").write_bytes(b"x")
    (tmp_path / "c.png").symlink_to(outside / "c.png")
    (tmp_path / "door").symlink_to(outside)
    for name in ("c.png", "door/c.png"):
        refused(table("path,label", f"{name},happy"), "through a symbolic link")


@posix
def test_data_below_a_linked_folder_can_be_used(table, tmp_path):
    path = table("path,label", f"{tmp_path / 'a.png'},happy", "b.png,sad")
    door = tmp_path.parent / f"door-{os.getpid()}"
    door.symlink_to(tmp_path)
    try:
        assert read(path).pictures == ("a.png", "b.png")
        table("path,label", "a.png,happy")
        assert read(door / "faces.csv").pictures == ("a.png",)
    finally:
        door.unlink()


def test_columns_with_too_many_values_are_no_groups(table):
    path = table("path,label,group", *(f"a.png,happy,{k}" for k in range(51)))
    refused(path, "has 51 different values")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "t.csv"
    path.write_bytes(content)
    with pytest.raises(VisagramError):
        read(path)


# --- Sheets ----------------------------------------------------------------------------------------------------------


def test_sheets_need_their_places_and_votes(table, tmp_path):
    table("split,sheet,row,column", "test,a.png,0,0", name="labels.csv")
    refused(tmp_path, "lacks the columns votes_angry, votes_disgust")
    table(f"split,sheet,row,{VOTES}", "test,a.png,0,1,0,0,0,0,0,0", name="labels.csv")
    refused(tmp_path, "lacks the columns column:")
    table(
        f"split,sheet,row,column,{VOTES.replace('votes_anger', 'mood')}",
        "test,a.png,0,0,1,0,0,0,0,0,0",
        name="labels.csv",
    )
    refused(tmp_path, "lacks the columns votes_angry:")


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("test,a.png,-1,0,1,0,0,0,0,0,0", "'-1' in the column row"),
        ("test,a.png,0,1e9,1,0,0,0,0,0,0", "'1e9' in the column column"),
        ("test,../a.png,0,0,1,0,0,0,0,0,0", "not a file below"),
        ("test,c.png,0,0,1,0,0,0,0,0,0", "missing or not a file"),
    ],
)
def test_a_row_of_sheets_that_makes_no_sense_is_refused(table, tmp_path, row, match):
    table(f"split,sheet,row,column,{VOTES}", row, name="labels.csv")
    refused(tmp_path, match)


# --- Votes -----------------------------------------------------------------------------------------------------------


def test_the_majority_is_of_all_votes():
    votes = Votes(
        np.array([[5, 0, 0, 1, 0, 0, 0], [5, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], float), np.array([3.0, 5, 9])
    )
    assert votes.majority.tolist() == [True, False, False]
    assert votes.informative.tolist() == [True, True, False]
    assert votes.shares[0].tolist() == pytest.approx([5 / 6, 0, 0, 1 / 6, 0, 0, 0])
    assert np.isnan(votes.shares[2]).all()
