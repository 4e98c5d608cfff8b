"""Sprite sheets with votes: what is read, what is refused, and how faces are divided."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheets import OTHERS, VOTES, draw, drawn, write
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.evaluate.data import Votes
from visagram.evaluate.duplicates import Prints, copies
from visagram.learn.data import FOLDS, Faces48, divide, folds, identities, read_sheets


@pytest.fixture
def spoilt(tmp_path):
    """A folder like `sheets` to spoil, and its rows."""
    rows = draw(tmp_path / "sheets")
    return tmp_path / "sheets", rows


def test_a_missing_column_is_named(spoilt):
    folder, rows = spoilt
    write(folder, [{k: v for k, v in row.items() if k != "votes_fear"} for row in rows])
    with pytest.raises(DataError, match="votes_fear"):
        read_sheets(folder, "train")


def test_a_split_without_faces_is_named(spoilt):
    folder, _ = spoilt
    with pytest.raises(DataError, match="test"):
        read_sheets(folder, "test")


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_missing_or_damaged_sheet_is_named(spoilt, content):
    folder, _ = spoilt
    (folder / "sheet.png").unlink()
    if content is not None:
        (folder / "sheet.png").write_bytes(content)
    with pytest.raises(DataError, match=r"sheet\.png"):
        read_sheets(folder, "train")


def _faces(*votes):
    seven = np.float64(votes)
    return Faces48(np.zeros((len(seven), CROP, CROP), np.uint8), Votes(seven, np.zeros(len(seven))))


def test_soft_labels_are_the_votes_without_slips():
    targets = _faces([8, 0, 0, 0, 0, 0, 2], [9, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0]).targets()
    np.testing.assert_allclose(targets[0], [0.8, 0, 0, 0, 0, 0, 0.2])
    np.testing.assert_allclose(targets[1], [1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(targets[2], [0.5, 0.5, 0, 0, 0, 0, 0])


def test_faces_whose_votes_went_elsewhere_do_not_train(spoilt):
    folder, rows = spoilt
    before = len(divide(folder, None)[0])
    elsewhere = next(row for row in rows if row["split"] == "train")
    elsewhere |= dict.fromkeys(VOTES.values(), 0) | {VOTES["happy"]: 4, OTHERS[0]: 6}
    write(folder, rows)
    assert len(divide(folder, None)[0]) == before - 1


def test_a_folder_without_labels_is_refused(tmp_path):
    for read in (lambda: read_sheets(tmp_path, "train"), lambda: divide(tmp_path, None)):
        with pytest.raises(DataError, match=r"labels\.csv"):
            read()


def test_without_a_fold_the_splits_are_taken_as_they_are(spoilt):
    folder, rows = spoilt
    train, held_out = divide(folder, None)
    assert len(train) == sum(row["split"] == "train" for row in rows)
    assert len(held_out) == sum(row["split"] == "validation" for row in rows)


def test_folds_hold_every_face_once_and_their_fifth_of_every_expression(spoilt):
    folder, rows = spoilt
    held_out = [divide(folder, fold)[1] for fold in range(FOLDS)]
    names = np.concatenate([identities(part) for part in held_out])
    assert len(set(names)) == len(names) == len(rows)
    for part in held_out:
        assert (np.bincount(part.votes.labels, minlength=len(EXPRESSIONS)) >= 2).all()
    for fold in range(FOLDS):
        train, judged = divide(folder, fold)
        assert len(train) + len(judged) == len(rows)
        assert not np.isin(identities(train), identities(judged)).any()


def _brighter(face):
    return np.clip(face * 1.15 + 10.0, 0, 255).astype(np.uint8)


def _encoded_again(face):
    return cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_GRAYSCALE)


def _mirrored(face):
    return _encoded_again(np.ascontiguousarray(face[:, ::-1]))


@pytest.mark.parametrize("change", [np.copy, _brighter, _encoded_again, _mirrored])
def test_copies_share_a_fold_whatever_their_split_and_label(tmp_path, change):
    """Faces 0 to 9 are those of the last row, changed; their splits and expressions differ."""
    luma = drawn()
    luma[:10] = [change(face) for face in luma[90:]]
    assert len(copies(Prints.of(luma[:10]), Prints.of(luma[90:]))) == 10
    draw(tmp_path / "sheets", luma)
    for fold in range(FOLDS):
        train, held_out = divide(tmp_path / "sheets", fold)
        assert len(train) + len(held_out) == 100
        assert copies(Prints.of(train.luma), Prints.of(held_out.luma)) == []


def test_copies_of_copies_share_a_fold():
    """Each is brighter than the one before; the last is too bright to be called a copy of the first."""
    luma = drawn()
    for k in range(1, 6):
        luma[k] = np.clip(luma[k - 1] + 30.0, 0, 255)
    ends = Prints.of(luma[:1]), Prints.of(luma[5:6])
    assert copies(*ends) == []
    found = folds(_labelled(luma, np.arange(100) % 7))
    assert len(set(found[:6])) == 1


def _labelled(luma, labels, others=0.0):
    return Faces48(luma, Votes(np.eye(7)[labels] * 10, np.broadcast_to(others, len(luma))))


@given(st.integers(0, 2**32 - 1))
def test_without_copies_every_expression_is_spread_evenly_clear_faces_and_others(seed):
    random = np.random.default_rng(seed)
    labels, clear = random.choice(7, 100, p=random.dirichlet(np.ones(7))), random.random(100) < 0.7
    found = folds(_labelled(drawn(), labels, np.where(clear, 0.0, 10.0)))
    for expression in range(7):
        for kind in (clear, ~clear):
            assert np.ptp(np.bincount(found[kind & (labels == expression)], minlength=FOLDS)) <= 1


@given(st.integers(0, 2**32 - 1))
def test_clusters_cost_no_more_evenness_than_the_largest_has_members(seed):
    random = np.random.default_rng(seed)
    luma, labels = drawn(), np.arange(100) % 7
    # Each of the first 40 repeats one of five faces.
    luma[:40] = luma[random.integers(90, 95, 40)]
    largest = max(np.unique(identities(_labelled(luma, labels)), return_counts=True)[1])
    found = folds(_labelled(luma, labels))
    assert np.ptp(np.bincount(found, minlength=FOLDS)) <= largest + len(EXPRESSIONS)
    for expression in range(7):
        assert np.ptp(np.bincount(found[labels == expression], minlength=FOLDS)) <= largest


def test_a_face_keeps_its_fold_in_another_order(spoilt):
    folder, _ = spoilt
    (faces,) = read_sheets(folder, "train")
    turned = faces.select(np.arange(len(faces))[::-1].copy())
    assert folds(turned).tolist() == folds(faces)[::-1].tolist()


def test_blank_faces_are_spread_although_they_are_alike():
    """A picture of one grey is nobody's copy; only identical ones share a fold."""
    blank = np.stack([np.full((CROP, CROP), grey, np.uint8) for grey in range(10)])
    assert np.bincount(folds(_labelled(blank, np.zeros(10, int)))).tolist() == [2] * FOLDS
    assert len(set(folds(_labelled(blank[:1].repeat(10, axis=0), np.zeros(10, int))))) == 1


def test_faces_that_are_judged_on_are_not_trained_on(spoilt):
    folder, rows = spoilt
    copied = next(row for row in rows if row["split"] == "validation")
    before = len(divide(folder, None)[0])
    write(folder, [*rows, copied | {"split": "train"}])
    train, held_out = divide(folder, None)
    assert len(train) == before
    assert not np.isin(identities(train), identities(held_out)).any()


def test_the_digest_tells_faces_and_votes(spoilt):
    folder, _ = spoilt
    (faces,) = read_sheets(folder, "train")
    assert faces.digest() == read_sheets(folder, "train")[0].digest()
    assert faces.digest() != dataclasses.replace(faces, luma=255 - faces.luma).digest()
    for votes in (Votes(faces.votes.seven + 1, faces.votes.others), Votes(faces.votes.seven, faces.votes.others + 1)):
        assert faces.digest() != dataclasses.replace(faces, votes=votes).digest()


def test_the_digest_is_the_one_that_checkpoints_hold():
    """Of bytes and of counts in single precision: another would forbid every run that was begun to go on."""
    luma = np.arange(2 * CROP * CROP, dtype=np.uint8).reshape(2, CROP, CROP)
    faces = Faces48(luma, Votes(np.arange(14.0).reshape(2, 7), np.array([1.0, 0.0])))
    assert faces.digest() == "960303fb208598a175755ec201c839a8d4f8f88c8b590166300bd5afbe2b7aa1"
