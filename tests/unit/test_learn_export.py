"""What a finished training writes: a model that the catalog opens, and a card that says how good it is."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from learning import TINY, quiet
from sheets import draw, drawn
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.learn.calibrate import softmax64
from visagram.learn.checkpoint import WEIGHTS, finished
from visagram.learn.data import Faces48, divide, read_sheets
from visagram.learn.export import export
from visagram.learn.network import folded
from visagram.learn.origin import FERPLUS_NAME, Origin
from visagram.learn.predict import predict
from visagram.learn.recipes import RECIPES
from visagram.learn.train import train
from visagram.models.card import EMBEDDED, EMOTION
from visagram.models.catalog import read_card
from visagram.models.emotion import OnnxClassifier


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learn") / "sheets"
    draw(folder)
    return folder


@pytest.fixture(scope="module")
def run(sheets, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run")
    train(sheets, folder, TINY, quiet)
    return folder


ORIGIN = Origin("drawn faces", ferplus=False)


def test_a_run_writes_a_model_with_a_card_that_the_catalog_opens(run):
    card = read_card("visagram-emotion", run)
    assert card.task == "expression"
    assert card.sha256 == hashlib.sha256(card.file.read_bytes()).hexdigest()
    assert card.facts["bytes"] == card.file.stat().st_size
    assert card.facts["labels"] == list(EXPRESSIONS)
    assert card.facts["recipe"]["name"] == "tiny"
    assert len(card.facts["history"]) == TINY.epochs
    for text in ("trained_on", "intended_use", "limits"):
        assert card.facts[text]
    posteriors = OnnxClassifier(card, threads=1).classify(np.zeros((3, CROP, CROP), np.uint8))
    np.testing.assert_allclose(posteriors.sum(axis=1), 1, atol=1e-5)


def test_a_card_claims_only_the_data_that_was_learned_from(run, sheets):
    facts, faces = read_card("visagram-emotion", run).facts, len(divide(sheets, None)[0])
    assert facts["trained_on"] == f"sheets, {faces} faces with soft labels"
    assert (facts["licence"], [data["name"] for data in facts["data"]]) == ("", ["sheets"])
    assert facts["metrics"]["split"].startswith("sheets validation, ")
    assert "teachers" not in facts
    ours = Origin("x", ferplus=True).facts(9)
    assert ours["trained_on"].startswith(FERPLUS_NAME)
    assert ours["licence"] == "MIT"


def test_a_card_names_its_teachers_and_what_they_were_trained_on(sheets, run):
    teacher = finished(run)
    embedded = dataclasses.replace(teacher, recipe=RECIPES["teacher"])
    facts = Origin.of(sheets, TINY, [teacher, embedded], teacher).facts(9)
    assert [each["role"] for each in facts["teachers"]] == ["teacher", "teacher", "start"]
    assert facts["teachers"][0] == {"role": "teacher", "recipe": "tiny", "sha256": teacher.digest}
    assert "VGGFace2" in facts["data"][-1]["name"]
    assert "VGGFace2" in facts["trained_on"]
    assert "VGGFace2" not in str(Origin.of(sheets, TINY, [teacher], None).facts(9))
    assert "VGGFace2" in str(Origin.of(sheets, RECIPES["teacher"], [], None).facts(9))


def test_only_whole_files_are_left(run):
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint.safetensors",
        "visagram-emotion.json",
        "visagram-emotion.onnx",
        "visagram-emotion.safetensors",
    ]


@pytest.fixture(scope="module")
def eight_bits(run, sheets, tmp_path_factory):
    """The folder of the same network, written in 8-bit integers."""
    folder = tmp_path_factory.mktemp("eight")
    faces, held_out = divide(sheets, None)
    recipe = dataclasses.replace(TINY, eight_bits=True)
    export(finished(run).network, recipe, origin=ORIGIN, faces=faces, held_out=held_out, history=[], folder=folder)
    return folder


def test_a_file_in_eight_bits_says_nearly_the_same_and_its_card_is_about_the_file(run, eight_bits, sheets):
    card, luma = read_card("visagram-emotion", eight_bits), divide(sheets, None)[1].luma
    operators = {node.op_type for node in onnx.load(card.file).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} < operators
    classifier = OnnxClassifier(card, threads=1)
    exact, rounded = predict(finished(run).network, luma), classifier.logits(luma)
    assert 0 < np.abs(softmax64(exact) - softmax64(rounded)).sum(axis=1).mean() / 2 < 0.05
    told = card.facts["eight_bits"]
    answers = rounded.argmax(axis=1)
    assert told["same_answers"] == pytest.approx((answers == exact.argmax(axis=1)).mean(), abs=1e-4)
    assert told["accuracy_in_float"] == json.loads((run / "visagram-emotion.json").read_text())["metrics"]["accuracy"]
    assert card.facts["metrics"]["faces"] == len(luma)
    assert "eight_bits" not in read_card("visagram-emotion", run).facts


def test_a_face_has_the_same_posterior_alone_and_among_others_in_eight_bits(eight_bits, sheets):
    classifier, luma = OnnxClassifier(read_card("visagram-emotion", eight_bits), threads=1), drawn()[:9]
    together = classifier.classify(luma)
    np.testing.assert_allclose(
        np.concatenate([classifier.classify(luma[k : k + 1]) for k in range(9)]), together, atol=1e-6
    )


def test_nothing_is_written_where_judging_fails(run, sheets, tmp_path, monkeypatch):
    faces, held_out = divide(sheets, None)
    monkeypatch.setattr("visagram.learn.export.judge", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(finished(run).network, TINY, origin=ORIGIN, faces=faces, held_out=held_out, history=[], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def _network(run):
    return folded(finished(run).network)


@pytest.mark.parametrize("count", [1, 2, 17])
def test_the_onnx_file_computes_what_torch_computes(run, count):
    luma = np.random.default_rng(count).integers(0, 256, (count, CROP, CROP)).astype(np.uint8)
    session = onnxruntime.InferenceSession(run / "visagram-emotion.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"luma": luma[:, None].astype(np.float32)})
    posteriors = OnnxClassifier(read_card("visagram-emotion", run), threads=1).classify(luma)
    np.testing.assert_allclose(logits, predict(_network(run), luma), atol=1e-4)
    np.testing.assert_allclose(
        posteriors, softmax64(logits / read_card("visagram-emotion", run).facts["temperature"]), atol=1e-5
    )


def test_the_card_says_how_good_sure_and_steady_the_model_is(run):
    facts = read_card("visagram-emotion", run).facts
    curve = facts["calibration"]["risk_coverage"]
    assert facts["unsure_below"] == curve["unsure_below"]
    assert curve["points"][0][1] == 1.0
    assert 0 < curve["coverage"] <= 1
    assert facts["metrics"]["ece_15"] == facts["calibration"]["ece_15"]
    assert 0 <= facts["calibration"]["ece_votes"] <= 1
    assert set(facts["metrics"]["votes"]["pearson"]) <= set(EXPRESSIONS)
    assert 0 <= facts["metrics"]["ece_debiased"] <= facts["metrics"]["ece_15"]
    assert set(facts["metrics"]["ece_perfect"]) == {"mean", "low", "high"}
    assert set(facts["metrics"]["macro_f1_classes"]) == set(EXPRESSIONS)
    for name in ("accuracy", "macro_recall", "macro_f1"):
        low, high = facts["metrics"]["intervals"][name]
        assert low <= facts["metrics"][name] <= high
    assert facts["metrics"]["intervals"]["recall"].keys() == facts["metrics"]["recall"].keys() == set(EXPRESSIONS)
    assert np.sum(facts["confusion"]) == sum(b["faces"] for b in facts["reliability"]) == facts["metrics"]["faces"]
    assert "without_copies" not in facts["metrics"]
    assert {"mirror", "shift_1px", "scale_3pct", "darken", "mean"} < set(facts["total_variation"])
    assert 0 < facts["speed"]["face_of_16_ms"] < facts["speed"]["one_face_ms"] * 2
    assert read_card("visagram-emotion", run).for_report()["unsure_below"] == facts["unsure_below"]


def test_the_card_also_judges_without_the_faces_that_training_held_too(run, sheets, tmp_path):
    train_on, held_out = divide(sheets, None)
    known = Faces48(held_out.luma[:5, :, ::-1], held_out.votes[np.arange(5)])
    export(
        finished(run).network,
        TINY,
        origin=ORIGIN,
        faces=train_on.joined(known),
        held_out=held_out,
        history=[],
        folder=tmp_path,
    )
    found = read_card("visagram-emotion", tmp_path).facts["metrics"]
    assert found["without_copies"]["faces"] == found["faces"] - 5
    assert set(found["without_copies"]) == {*found} - {"split", "votes", "without_copies"}


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """`tools/ship_model.py`, for a package of its own."""
    path = Path(__file__).resolve().parents[2] / "tools" / "ship_model.py"
    spec = importlib.util.spec_from_file_location("ship_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DATA", tmp_path)
    return module


def test_a_model_that_is_measured_again_has_the_card_that_training_wrote(run, sheets, tool, tmp_path):
    for ending in ("onnx", "json"):
        shutil.copy(run / f"visagram-emotion.{ending}", tmp_path)
    written = json.loads((tmp_path / "visagram-emotion.json").read_text())
    damaged = written | {"temperature": 3.0, "unsure_below": 0.5, "metrics": {"split": written["metrics"]["split"]}}
    (tmp_path / "visagram-emotion.json").write_text(json.dumps(damaged))
    tool.again("visagram-emotion", sheets)
    assert json.loads((tmp_path / "visagram-emotion.json").read_text()) == written


def test_measured_again_elsewhere_a_card_keeps_the_words_and_tells_what_it_misses_now(run, sheets, tool, tmp_path):
    shutil.copy(run / "visagram-emotion.onnx", tmp_path)
    card = json.loads((run / "visagram-emotion.json").read_text())
    old = {"name": "posed", "what": "posed faces, of a test", "faces": 300, "recall": {"fear": 0.1, "sad": 0.9}}
    said = ["Of posed faces it finds 10 % of those that are labelled fear."]
    card |= {"elsewhere": [old], "limits": [*said, *card["limits"]]}
    (tmp_path / "visagram-emotion.json").write_text(json.dumps(card))
    found = {"data": {"name": "posed"}, "model": {"sha256": card["sha256"]}, "faces": 300, "ece": 0.09}
    found |= {"accuracy": 0.7, "macro_recall": 0.6, "ece_debiased": 0.08}
    found |= {"ece_perfect": {"mean": 0.02, "low": 0.01, "high": 0.03}, "unsure": {"coverage": 0.6, "accuracy": 0.9}}
    found |= {"intervals": {"accuracy": [0.65, 0.75], "macro_recall": [0.55, 0.65]}}
    found |= {"per_class": {"fear": {"recall": 0.5}, "sad": {"recall": 0.2}}}
    (tmp_path / "posed").mkdir()
    (tmp_path / "posed" / "evaluation.json").write_text(json.dumps(found))
    tool.again("visagram-emotion", sheets, [str(tmp_path / "posed")])
    facts = read_card("visagram-emotion", tmp_path).facts
    assert facts["limits"] == ["Of posed faces it finds 20 % of those that are labelled sad.", *card["limits"][1:]]
    (posed,) = facts["elsewhere"]
    assert (posed["what"], posed["ece_15"], posed["ece_debiased"]) == (old["what"], 0.09, 0.08)
    assert (posed["answered"], posed["right"], set(posed["intervals"])) == (0.6, 0.9, {"accuracy", "macro_recall"})


def test_exposure_and_contrast_hardly_matter_to_the_network(sheets, run):
    luma = read_sheets(sheets, "validation")[0].luma[:20]
    darker = (luma * 0.7 + 10).astype(np.uint8)
    network = _network(run)
    assert np.abs(softmax64(predict(network, luma)) - softmax64(predict(network, darker))).max() < 0.1


def test_the_weights_that_ship_are_those_of_the_model_that_ships():
    luma = drawn()[:40]
    exact = softmax64(predict(finished(EMBEDDED / WEIGHTS).network, luma))
    shipped = softmax64(OnnxClassifier(read_card(EMOTION), threads=1).logits(luma))
    assert np.abs(exact - shipped).sum(axis=1).mean() / 2 < 0.05
