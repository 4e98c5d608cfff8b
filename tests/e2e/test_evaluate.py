"""`visagram evaluate` and `visagram data check` as a user meets them: figures, or one sentence and nothing written."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from command import content, visagram
from media_factory import SAMPLE, flip_bits, numbered, sample_frames, write_clip
from visagram.core.types import EXPRESSIONS
from visagram.models.catalog import COMMITTEE, read_card
from visagram.models.emotion import OnnxClassifier

CELL, COLUMNS = 48, 10


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """40 drawn faces, (n, 48, 48) uint8: smooth noise that the network calls something."""
    random = np.random.default_rng(0)
    drawn = [cv2.resize(random.random((7, 7)), (CELL, CELL), interpolation=cv2.INTER_CUBIC) for _ in range(40)]
    return np.asarray(np.clip(np.array(drawn) * 200 + 20, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def answers(faces: np.ndarray) -> np.ndarray:
    return OnnxClassifier(read_card(COMMITTEE), threads=1).classify(faces).argmax(axis=1)


@pytest.fixture
def labels(answers: np.ndarray) -> np.ndarray:
    """The network's own answers, every fourth changed to the next expression."""
    changed = answers.copy()
    changed[::4] = (changed[::4] + 1) % len(EXPRESSIONS)
    return changed


@pytest.fixture
def table(tmp_path: Path, faces: np.ndarray, labels: np.ndarray) -> Path:
    """A table of PNG files with two groups."""
    (tmp_path / "faces").mkdir()
    path = tmp_path / "faces" / "faces.csv"
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label", "group"])
        for k, (face, label) in enumerate(zip(faces, labels, strict=True)):
            cv2.imwrite(str(path.parent / f"{k:02}.png"), face)
            rows.writerow([f"{k:02}.png", EXPRESSIONS[label], "even" if k % 2 == 0 else "odd"])
    return path


@pytest.fixture
def sheets(tmp_path: Path, faces: np.ndarray, labels: np.ndarray) -> Path:
    """A sheet with votes; the last face is nobody's majority."""
    folder = tmp_path / "sheets"
    folder.mkdir()
    sheet = faces.reshape(4, COLUMNS, CELL, CELL).transpose(0, 2, 1, 3).reshape(4 * CELL, COLUMNS * CELL)
    cv2.imwrite(str(folder / "sheet.png"), sheet)
    with (folder / "labels.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["split", "sheet", "row", "column", *(f"votes_{name}" for name in EXPRESSIONS), "votes_nf"])
        for k, label in enumerate(labels):
            votes = np.bincount([label], minlength=7) * 5
            rows.writerow(["train" if k < 8 else "test", "sheet.png", *divmod(k, COLUMNS), *votes, 5 * (k == 39)])
    return folder


def evaluated(*arguments: object) -> dict[str, object]:
    outcome = visagram("evaluate", "--json", *arguments)
    assert (outcome.status, outcome.err) == (0, "")
    return dict(json.loads(outcome.out))


def refused(out: Path, code: str, *arguments: object) -> str:
    """Run and be refused by one sentence; nothing is written."""
    outcome = visagram("evaluate", "--output", out, *arguments)
    assert outcome.codes == [code], outcome.err
    assert outcome.out == ""
    assert content(out) == []
    return outcome.err


# --- Figures ---------------------------------------------------------------------------------------------------------


def test_cropped_faces_of_a_table_are_taken_as_they_are(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = visagram("evaluate", "--data", table, "--cropped", "--output", out)
    assert outcome.status == 0
    assert content(out) == ["evaluation.html", "evaluation.json"]
    assert "accuracy" in outcome.out
    found = json.loads((out / "evaluation.json").read_text())
    assert found["accuracy"] == pytest.approx(0.75)
    assert found["faces"] == 40
    assert set(found["groups"]["groups"]) == {"even", "odd"}
    assert found["groups"]["groups"]["odd"]["accuracy"] == 1
    assert str(tmp_path) not in (out / "evaluation.html").read_text() + (out / "evaluation.json").read_text()


def test_sheets_tables_and_class_folders_of_the_same_faces_give_the_same_figures(
    table: Path, sheets: Path, faces: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    folders = tmp_path / "folders"
    for k, label in enumerate(labels):
        place = folders / EXPRESSIONS[label] / f"{k}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(table.parent / f"{k:02}.png", place)
    by_table, by_folder = evaluated("--data", table, "--cropped"), evaluated("--data", folders, "--cropped")
    for name in ("accuracy", "macro_recall", "confusion"):
        assert by_table[name] == by_folder[name]
    # The faces come in another order, and so do the terms of this sum.
    assert by_table["ece"] == pytest.approx(by_folder["ece"], abs=1e-12)
    by_sheet = evaluated("--data", sheets)
    assert by_sheet["faces"] == 31  # without the training split and the one that has no majority
    assert by_sheet["accuracy"] == pytest.approx(np.mean([k % 4 != 0 for k in range(8, 39)]))
    assert by_sheet["votes"]["faces"] == 32  # type: ignore[index]


def test_two_models_are_compared_on_the_same_faces(table: Path) -> None:
    found = evaluated("--data", table, "--cropped", "--compare", "visagram", "visagram")
    comparison = found["comparison"]
    assert comparison["mcnemar_p"] == 1  # type: ignore[index]
    assert comparison["both_right"] == 30  # type: ignore[index]


def test_photographs_go_through_the_detector_and_those_without_a_face_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name in ("happy", "neutral"):
        (folder / name).mkdir(parents=True)
    pictures = [frame.to_ndarray(format="bgr24") for frame in sample_frames(12)]
    for k in (0, 4, 8):
        cv2.imwrite(str(folder / "happy" / f"{k}.jpg"), pictures[k])
    cv2.imwrite(str(folder / "neutral" / "face.png"), pictures[6])
    cv2.imwrite(str(folder / "neutral" / "wall.png"), numbered(320, 240, 1)[0])
    found = evaluated("--data", folder)
    data = found["data"]
    assert found["faces"] == 4
    assert data["faces_not_found"] == 1  # type: ignore[index]
    assert data["pictures_without_a_face"] == ["neutral/wall.png"]  # type: ignore[index]


def test_several_sets_make_one_page_with_the_evaluation_of_each(table: Path, sheets: Path, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "happy").mkdir(parents=True)
    frame = next(iter(sample_frames(1))).to_ndarray(format="bgr24")
    cv2.imwrite(str(photos / "happy" / "face.jpg"), frame)
    cv2.imwrite(str(photos / "happy" / "small.png"), numbered(64, 48, 1)[0])
    cv2.imwrite(str(photos / "happy" / "wall.png"), numbered(320, 240, 1)[0])
    sets = ("--suite", table, "--suite", photos, "--suite", sheets)
    outcome = visagram("evaluate", *sets, "--output", out)
    assert outcome.status == 0
    found = json.loads((out / "suite.json").read_text())
    assert found["schema"] == "visagram-suite/1"
    names = [each["folder"] for each in found["sets"]]
    assert names == ["1-faces.csv", "2-photos", "3-sheets-test"]
    own = [f"{name}/evaluation.{ending}" for name in names for ending in ("html", "json")]
    assert sorted(content(out)) == sorted(["index.html", "suite.json", *names, *own])
    first, second, third = found["sets"]
    # Small pictures are faces, where the detector would find none in these.
    assert (first["faces_found"], first["cropped_pictures"], first["accuracy"]) == (40, 40, pytest.approx(0.75))
    assert (second["pictures"], second["faces_found"], second["cropped_pictures"]) == (3, 2, 1)
    assert second["answered"]["value"] <= 2 / 3
    assert (third["pictures"], third["clear_labels"], third["faces"]) == (32, 31, 31)
    page = (out / "index.html").read_text()
    assert "cropped faces: 1; in the other pictures" in page
    assert str(tmp_path) not in page + (out / "suite.json").read_text()
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["visagram", "faces.csv", "photos", "sheets,"]
    assert evaluated(*sets) == found


def test_with_training_data_the_figures_come_again_without_its_faces(table: Path, sheets: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = visagram("evaluate", "--data", table, "--cropped", "--unlike", sheets, "--output", out)
    assert outcome.status == 0
    assert "sheets, train holds 8 of them too; on the 32 counted without those:" in outcome.out
    found = json.loads((out / "evaluation.json").read_text())
    assert (found["faces"], found["accuracy"]) == (40, pytest.approx(0.75))
    assert found["data"]["copies"] == {"of": "sheets, train", "pictures": 8}
    # Of the eight that the sheets hold too, two are labelled wrongly, as of the others.
    assert (found["without_copies"]["faces"], found["without_copies"]["accuracy"]) == (32, pytest.approx(0.75))
    assert found["without_copies"]["groups"]["groups"]["even"]["faces"] == 16
    assert "Without copies of the training data" in (out / "evaluation.html").read_text()


def test_copies_of_cropped_faces_are_found_mirrored_and_encoded_again(table: Path, tmp_path: Path) -> None:
    """What is left out is the photograph, not the file."""
    known = tmp_path / "known" / "happy"
    known.mkdir(parents=True)
    for k in range(3):
        face = cv2.imread(str(table.parent / f"{k:02}.png"))
        cv2.imwrite(str(known / f"{k}.jpg"), face[:, ::-1] if k == 1 else face, [cv2.IMWRITE_JPEG_QUALITY, 60])
    found = evaluated("--data", table, "--cropped", "--unlike", known.parent)
    assert found["data"]["copies"]["pictures"] == 3  # type: ignore[index]
    assert found["without_copies"]["faces"] == 37  # type: ignore[index]


def test_two_models_are_compared_without_copies_too(table: Path, sheets: Path) -> None:
    found = evaluated("--data", table, "--cropped", "--unlike", sheets, "--compare", "visagram", "visagram")
    assert found["without_copies"]["comparison"]["faces"] == 32  # type: ignore[index]


def test_without_copies_there_may_be_nothing_left_or_nothing_to_leave_out(table: Path, sheets: Path) -> None:
    found = evaluated("--data", table, "--cropped", "--unlike", table)
    assert (found["faces"], found["without_copies"]) == (40, None)
    outcome = visagram("evaluate", "--data", sheets, "--unlike", sheets, "--json")
    found = json.loads(outcome.out)
    assert found["data"]["copies"]["pictures"] == 0
    assert found["without_copies"]["accuracy"] == found["accuracy"]


# --- Refusals --------------------------------------------------------------------------------------------------------


def test_pictures_that_cannot_be_read_are_named(table: Path, tmp_path: Path) -> None:
    whole = (table.parent / "03.png").read_bytes()
    (table.parent / "03.png").write_bytes(b"not a picture")
    assert "one picture cannot be read" in refused(tmp_path / "out", "data", "--data", table, "--cropped")
    for k in range(3, 10):
        (table.parent / f"{k:02}.png").write_bytes(whole[: 40 + k])
    said = refused(tmp_path / "out", "data", "--data", table, "--cropped")
    assert "7 pictures cannot be read: 03.png" in said
    assert "and 2 more" in said


def test_a_film_is_no_picture(table: Path, tmp_path: Path) -> None:
    shutil.copy(SAMPLE, table.parent / "00.png")
    assert "a single picture is wanted" in refused(tmp_path / "out", "data", "--data", table, "--cropped")


def test_a_picture_larger_than_the_limit_is_refused(table: Path, tmp_path: Path) -> None:
    outcome = visagram("evaluate", "--data", table, "--cropped", "--output", tmp_path / "out", max_pixels=1000)
    assert outcome.codes == ["data"]
    assert "max_pixels" in outcome.err


def test_pictures_with_flipped_bits_are_measured_or_refused(table: Path, tmp_path: Path) -> None:
    for k in range(40):
        path = table.parent / f"{k:02}.png"
        path.write_bytes(flip_bits(path.read_bytes(), k, 1 + k, 0))
    outcome = visagram("evaluate", "--data", table, "--cropped", "--output", tmp_path / "out")
    assert outcome.status == 0 or outcome.codes == ["data"]


def test_faces_that_the_detector_does_not_find_are_told_to_be_cropped(table: Path, tmp_path: Path) -> None:
    assert "cropped faces need --cropped" in refused(tmp_path / "out", "data", "--data", table)


def test_a_sheet_that_is_smaller_than_its_index_says_is_refused(sheets: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(sheets / "sheet.png"), np.zeros((CELL, CELL), np.uint8))
    assert "lies outside the sheet of 48x48" in refused(tmp_path / "out", "data", "--data", sheets)
    (sheets / "sheet.png").write_bytes(b"")
    assert "sheet.png is empty" in refused(tmp_path / "out", "data", "--data", sheets)


def test_models_and_options_that_make_no_sense_are_refused(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(out, "usage", "--data", table, "--model", "nonsense")
    refused(out, "usage", "--data", table, "--model", "visagram", "--compare", "visagram", "visagram")
    refused(out, "usage", "--data", table, "--group", "age")
    refused(out, "data", "--data", tmp_path / "nowhere")
    refused(out, "usage")
    refused(out, "usage", "--data", table, "--suite", table)
    refused(out, "usage", "--suite", table, "--unlike", table)
    refused(out, "usage", "--suite", table, "--compare", "visagram", "visagram")
    refused(out, "usage", "--suite", table, "--suite", table)
    refused(out, "data", "--suite", table, "--suite", tmp_path / "nowhere")


def test_one_picture_that_cannot_be_read_ends_the_suite(table: Path, sheets: Path, tmp_path: Path) -> None:
    (table.parent / "03.png").write_bytes(b"not a picture")
    assert "one picture cannot be read" in refused(tmp_path / "out", "data", "--suite", sheets, "--suite", table)


def test_a_folder_that_cannot_be_written_is_told(table: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    outcome = visagram("evaluate", "--data", table, "--cropped", "--output", tmp_path / "out" / "deep")
    assert outcome.codes == ["output_unwritable"]


# --- Data ------------------------------------------------------------------------------------------------------------


def test_copies_between_splits_and_sets_are_named(table: Path, sheets: Path, faces: np.ndarray) -> None:
    outcome = visagram("data", "check", sheets, table, "--json")
    assert (outcome.status, outcome.err) == (1, "")
    found = json.loads(outcome.out)
    shared = {(each["first"], each["second"]): each for each in found["shared"]}
    assert shared["sheets, train", "sheets, test"]["copies"] == []
    copies = shared["sheets, train", "faces.csv"]["copies"]
    assert [(copy["first"], copy["second"]) for copy in copies] == [
        (f"sheet.png, row 0, column {k}", f"{k:02}.png") for k in range(8)
    ]
    text = visagram("data", "check", sheets, table).out
    assert "share 8 pictures of the second" in text
    assert "sheet.png, row 0, column 3 = 03.png (1.00)" in text


def test_data_without_copies_is_good(sheets: Path) -> None:
    outcome = visagram("data", "check", sheets)
    assert outcome.status == 0
    assert "sheets, train and sheets, test share nothing" in outcome.out


def test_pictures_that_cannot_be_read_are_listed_by_the_check(table: Path) -> None:
    (table.parent / "07.png").write_bytes(b"no")
    write_clip(table.parent / "film.mp4", numbered(64, 48, 3)).rename(table.parent / "08.png")
    found = json.loads((outcome := visagram("data", "check", table, "--json")).out)
    assert outcome.status == 1
    assert sorted(found["sets"][0]["unreadable"]) == ["07.png", "08.png"]
