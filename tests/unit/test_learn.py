"""The whole training, from sprite sheets to a model that the catalog opens, on a few drawn faces."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import subprocess
import sys

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from safetensors import safe_open

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.learn.data import CELL, OTHER_COLUMNS, VOTE_COLUMNS, Faces48, augment, read_sheets, trainable
from visagram.learn.export import expected_calibration_error, fit_temperature, softmax64
from visagram.learn.network import ExpressionNetwork
from visagram.learn.train import RECIPES, one_cycle, predict, train
from visagram.models.catalog import read_card
from visagram.models.emotion import OnnxClassifier

TINY = dataclasses.replace(RECIPES["tiny"], epochs=2)
COLUMNS, ROWS = 10, 10


def _quiet(stage, completed, total):
    pass


def _draw(folder):
    """A sheet of stripes whose angle is the expression, with votes; two thirds to train on."""
    folder.mkdir()
    random = np.random.default_rng(0)
    down, across = np.mgrid[0:CELL, 0:CELL]
    sheet = np.empty((ROWS * CELL, COLUMNS * CELL), np.uint8)
    rows = []
    for number in range(ROWS * COLUMNS):
        row, column = divmod(number, COLUMNS)
        expression = number % len(EXPRESSIONS)
        angle = np.pi * expression / len(EXPRESSIONS)
        face = (
            120 + 80 * np.sin((across * np.cos(angle) + down * np.sin(angle)) / 3) + random.normal(0, 8, (CELL, CELL))
        )
        sheet[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = face.clip(0, 255)
        votes = dict.fromkeys([*VOTE_COLUMNS.values(), *OTHER_COLUMNS], 0)
        votes[VOTE_COLUMNS[EXPRESSIONS[expression]]] = 8
        votes[VOTE_COLUMNS["neutral"]] += 2
        place = {
            "split": "validation" if number % 3 == 0 else "train",
            "sheet": "sheet.png",
            "row": row,
            "column": column,
        }
        rows.append(place | votes)
    cv2.imwrite(str(folder / "sheet.png"), sheet)
    _write(folder, rows)
    return rows


def _write(folder, rows):
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learn") / "sheets"
    _draw(folder)
    return folder


@pytest.fixture(scope="module")
def run(sheets, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run")
    train(sheets, folder, TINY, _quiet)
    return folder


def _state(folder):
    """Every tensor of a checkpoint, and what it says about itself without the seconds that it took."""
    with safe_open(str(folder / "checkpoint.safetensors"), "np") as stored:
        meta = stored.metadata()
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
    history = [epoch | {"seconds": 0} for epoch in json.loads(meta["history"])]
    return tensors, meta | {"history": history}


def _identical(ours, theirs):
    (tensors, meta), (other_tensors, other_meta) = _state(ours), _state(theirs)
    assert meta == other_meta
    assert set(tensors) == set(other_tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, other_tensors[name], err_msg=name)


def test_a_run_writes_a_model_with_a_card_that_the_catalog_opens(run):
    card = read_card("visagram-emotion", run)
    assert card.task == "expression"
    assert card.sha256 == hashlib.sha256(card.file.read_bytes()).hexdigest()
    assert card.facts["bytes"] == card.file.stat().st_size
    assert card.facts["labels"] == list(EXPRESSIONS)
    assert card.facts["recipe"]["name"] == "tiny"
    assert len(card.facts["history"]) == TINY.epochs
    for text in ("licence", "trained_on", "intended_use", "limits"):
        assert card.facts[text]
    posteriors = OnnxClassifier(card, threads=1).classify(np.zeros((3, CELL, CELL), np.uint8))
    np.testing.assert_allclose(posteriors.sum(axis=1), 1, atol=1e-5)


def test_only_whole_files_are_left(run):
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint.safetensors",
        "visagram-emotion.json",
        "visagram-emotion.onnx",
    ]


def _network(run):
    tensors, _ = _state(run)
    network = ExpressionNetwork(TINY.widths, TINY.blocks)
    network.load_state_dict(
        {k[9:]: torch.from_numpy(v.copy()) for k, v in tensors.items() if k.startswith("averaged.")}
    )
    return network


@pytest.mark.parametrize("count", [1, 2, 17])
def test_the_onnx_file_computes_what_torch_computes(run, count):
    luma = np.random.default_rng(count).integers(0, 256, (count, CELL, CELL)).astype(np.uint8)
    session = onnxruntime.InferenceSession(run / "visagram-emotion.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"luma": luma[:, None].astype(np.float32)})
    np.testing.assert_allclose(logits, predict(_network(run), luma), atol=1e-4)


def test_exposure_and_contrast_hardly_matter_to_the_network(sheets, run):
    luma = read_sheets(sheets, "validation").luma[:20]
    darker = (luma * 0.7 + 10).astype(np.uint8)
    network = _network(run)
    assert np.abs(softmax64(predict(network, luma)) - softmax64(predict(network, darker))).max() < 0.1


def test_the_same_seed_gives_the_same_files(sheets, run, tmp_path):
    train(sheets, tmp_path, TINY, _quiet)
    _identical(run, tmp_path)
    assert (tmp_path / "visagram-emotion.onnx").read_bytes() == (run / "visagram-emotion.onnx").read_bytes()


def test_another_seed_gives_another_model(sheets, run, tmp_path):
    train(sheets, tmp_path, dataclasses.replace(TINY, seed=1), _quiet)
    assert (tmp_path / "visagram-emotion.onnx").read_bytes() != (run / "visagram-emotion.onnx").read_bytes()


KILLED = """
import os, sys
from pathlib import Path
from visagram.learn.train import RECIPES, train
def progress(stage, completed, total):
    if completed > total // 2:
        os._exit(9)
train(Path(sys.argv[1]), Path(sys.argv[2]), RECIPES["tiny"], progress)
"""


def test_a_run_that_was_killed_goes_on_to_the_same_end(sheets, run, tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, sheets, tmp_path], check=False)
    assert killed.returncode == 9
    assert _state(tmp_path)[1]["epoch"] == "1"
    assert not (tmp_path / "visagram-emotion.onnx").exists()
    steps = []
    train(sheets, tmp_path, TINY, lambda stage, completed, total: steps.append((completed, total)))
    assert steps[0] == (steps[0][1] // 2 + 1, steps[0][1])
    _identical(run, tmp_path)
    assert (tmp_path / "visagram-emotion.onnx").read_bytes() == (run / "visagram-emotion.onnx").read_bytes()


def test_a_finished_run_is_exported_again_without_training(sheets, run):
    before = (run / "visagram-emotion.onnx").read_bytes()
    train(sheets, run, TINY, lambda *step: pytest.fail("trained"))
    assert (run / "visagram-emotion.onnx").read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 7}, {"epochs": 9}, {"widths": (8, 24)}])
def test_a_checkpoint_of_another_recipe_is_refused(sheets, run, change):
    with pytest.raises(DataError, match=next(iter(change))):
        train(sheets, run, dataclasses.replace(TINY, **change), _quiet)


def test_a_damaged_checkpoint_is_refused(sheets, run, tmp_path):
    whole = (run / "checkpoint.safetensors").read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"\0" * 100):
        (tmp_path / "checkpoint.safetensors").write_bytes(content)
        with pytest.raises(DataError, match="checkpoint"):
            train(sheets, tmp_path, TINY, _quiet)


def test_the_loss_falls(run):
    first, second = _state(run)[1]["history"]
    assert second["loss"] < first["loss"]
    assert 0 <= second["accuracy"] <= 1


@pytest.fixture
def spoilt(tmp_path):
    """A folder like `sheets` to spoil, and its rows."""
    rows = _draw(tmp_path / "sheets")
    return tmp_path / "sheets", rows


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"labels\.csv"):
        read_sheets(tmp_path, "train")
    with pytest.raises(DataError, match=r"labels\.csv"):
        train(tmp_path, tmp_path / "run", TINY, _quiet)


def test_a_missing_column_is_named(spoilt):
    folder, rows = spoilt
    _write(folder, [{k: v for k, v in row.items() if k != "votes_fear"} for row in rows])
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


@pytest.mark.parametrize(
    "change",
    [
        {"row": 99},
        {"row": -1},
        {"column": 10},
        {"row": "x"},
        {"votes_fear": "many"},
        {"votes_sadness": ""},
        {"votes_happiness": "-3"},
    ],
)
def test_a_row_that_makes_no_sense_is_refused(spoilt, change):
    folder, rows = spoilt
    _write(folder, [rows[0], rows[1] | change, *rows[2:]])
    with pytest.raises(DataError, match=r"labels\.csv"):
        read_sheets(folder, "train")


def test_a_sheet_outside_the_folder_is_refused(spoilt):
    folder, rows = spoilt
    (folder.parent / "elsewhere.png").write_bytes((folder / "sheet.png").read_bytes())
    _write(folder, [row | {"sheet": "../elsewhere.png"} for row in rows])
    with pytest.raises(DataError, match="elsewhere"):
        read_sheets(folder, "train")


def test_labels_that_are_no_text_are_refused(spoilt):
    folder, _ = spoilt
    (folder / "labels.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(DataError, match=r"labels\.csv"):
        read_sheets(folder, "train")


def test_too_few_faces_to_train_on_are_refused(spoilt, tmp_path):
    folder, rows = spoilt
    _write(folder, [row | dict.fromkeys([*VOTE_COLUMNS.values()], 0) for row in rows])
    with pytest.raises(DataError, match="faces"):
        train(folder, tmp_path / "run", TINY, _quiet)


def _faces(votes, others=0.0):
    votes = np.float32(votes)
    return Faces48(np.zeros((len(votes), CELL, CELL), np.uint8), votes, np.full(len(votes), others, np.float32))


def test_soft_labels_are_the_votes_without_slips():
    targets = _faces([[8, 0, 0, 0, 0, 0, 2], [9, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0]]).targets()
    np.testing.assert_allclose(targets[0], [0.8, 0, 0, 0, 0, 0, 0.2])
    np.testing.assert_allclose(targets[1], [1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(targets[2], [0.5, 0.5, 0, 0, 0, 0, 0])


def test_faces_whose_votes_went_elsewhere_do_not_train():
    assert len(trainable(_faces([[6, 0, 0, 0, 0, 0, 0]], others=4))) == 1
    assert len(trainable(_faces([[4, 0, 0, 0, 0, 0, 0]], others=6))) == 0
    assert len(trainable(_faces([[0] * 7], others=10))) == 0


def test_a_majority_is_more_than_half_of_all_votes():
    assert _faces([[6, 0, 0, 0, 0, 0, 4]]).majority.tolist() == [True]
    assert _faces([[5, 0, 0, 0, 0, 0, 5]]).majority.tolist() == [False]
    assert _faces([[5, 0, 0, 0, 0, 0, 0]], others=5).majority.tolist() == [False]


def test_augmentation_keeps_range_and_shape_and_repeats_with_its_generator():
    luma = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 1, CELL, CELL)).astype(np.float32))
    first = augment(luma, torch.Generator().manual_seed(5))
    assert first.shape == luma.shape
    assert first.min() >= 0
    assert first.max() <= 255
    assert torch.equal(first, augment(luma, torch.Generator().manual_seed(5)))
    assert not torch.equal(first, augment(luma, torch.Generator().manual_seed(6)))


def test_the_learning_rate_rises_then_falls():
    rates = [one_cycle(done) for done in np.linspace(0, 1, 101)]
    peak = int(np.argmax(rates))
    assert max(rates) == pytest.approx(1)
    assert 0 < peak < 50
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.01


def test_the_temperature_undoes_overconfidence():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (4000, 7))
    labels = np.array([random.choice(7, p=row) for row in softmax64(logits)])
    assert fit_temperature((2 * logits).astype(np.float32), labels) == pytest.approx(2, rel=0.1)
    assert fit_temperature((0.7 * logits).astype(np.float32), labels) == pytest.approx(0.7, rel=0.1)
    honest = expected_calibration_error(softmax64(logits), labels)
    assert honest < 0.03 < expected_calibration_error(softmax64(2 * logits), labels)
