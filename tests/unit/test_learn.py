"""The whole training, from sprite sheets to a model that the catalog opens, on a few drawn faces."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from sheets import OTHERS, VOTES, draw, drawn, write
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, OutputUnwritable
from visagram.evaluate.data import Votes
from visagram.learn import balance, distil
from visagram.learn.build import build
from visagram.learn.calibrate import Calibration, softmax64
from visagram.learn.checkpoint import WEIGHTS, Checkpoint, finished
from visagram.learn.data import Faces48, divide, read_sheets
from visagram.learn.distil import SOFT, Teachers
from visagram.learn.export import export
from visagram.learn.network import folded
from visagram.learn.origin import FERPLUS_NAME, Generated, Origin
from visagram.learn.predict import predict
from visagram.learn.recipes import RECIPES
from visagram.learn.train import one_cycle, train
from visagram.models.card import EMBEDDED, EMOTION
from visagram.models.catalog import read_card
from visagram.models.emotion import OnnxClassifier

ORIGIN = Origin("drawn faces", ferplus=False)
TINY = dataclasses.replace(RECIPES["tiny"], batch=8)


def _quiet(stage, completed, total):
    pass


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learn") / "sheets"
    draw(folder)
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
        meta = {name: json.loads(text) for name, text in stored.metadata().items()}
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
    history = [epoch | {"seconds": 0} for epoch in meta["history"]]
    return tensors, meta | {"history": history, "partial": meta["partial"] | {"seconds": 0}}


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
    np.testing.assert_allclose(posteriors, _calibration(run).apply(logits), atol=1e-5)


def _calibration(run):
    facts = read_card("visagram-emotion", run).facts
    how = facts["calibration"]
    return Calibration(how["kind"], facts["temperature"], np.array(how["scale"]), np.array(how["bias"]))


def test_a_calibration_by_expression_is_applied_once(run, tmp_path):
    """Where the network favours some expressions, its card's factors and summands undo that, in the classifier too."""
    random = np.random.default_rng(0)
    luma = random.integers(0, 256, (600, CROP, CROP)).astype(np.uint8)
    network = finished(run).network
    honest = softmax64(predict(network, luma))
    votes = np.eye(7)[[random.choice(7, p=row) for row in honest]] * 10
    with torch.no_grad():
        network.head.bias += torch.tensor([3.0, 0, 0, -3, 0, 0, 2])
    judged = Faces48(luma, Votes(votes, np.zeros(600)))
    export(
        network, TINY, origin=ORIGIN, faces=judged.select(np.arange(9)), held_out=judged, history=[], folder=tmp_path
    )
    card = read_card("visagram-emotion", tmp_path)
    assert card.facts["calibration"]["kind"] == "vector"
    posteriors = OnnxClassifier(card, threads=1).classify(luma)
    np.testing.assert_allclose(posteriors, _calibration(tmp_path).apply(predict(network, luma)), atol=1e-5)
    assert np.abs(posteriors - honest).mean() < 0.05


def test_the_card_says_how_good_sure_and_steady_the_model_is(run):
    facts = read_card("visagram-emotion", run).facts
    curve = facts["calibration"]["risk_coverage"]
    assert facts["unsure_below"] == curve["unsure_below"]
    assert curve["points"][0][1] == 1.0
    assert 0 < curve["coverage"] <= 1
    assert facts["metrics"]["ece_15"] == facts["calibration"]["ece_15"]
    assert set(facts["metrics"]["votes"]["pearson"]) <= set(EXPRESSIONS)
    for name in ("accuracy", "macro_recall", "macro_f1", "ece_15"):
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


def test_exposure_and_contrast_hardly_matter_to_the_network(sheets, run):
    luma = read_sheets(sheets, "validation")[0].luma[:20]
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
import dataclasses, os, sys, torch
from pathlib import Path
from visagram.learn.recipes import RECIPES
from visagram.learn.train import train
stop, every = int(sys.argv[3]), float(sys.argv[4])
def progress(stage, completed, total):
    if completed == stop:
        os._exit(9)
torch.set_num_threads(int(sys.argv[5]))
recipe = dataclasses.replace(RECIPES["tiny"], batch=8)
train(Path(sys.argv[1]), Path(sys.argv[2]), recipe, progress, checkpoint_seconds=every)
"""


@pytest.mark.parametrize(("stop", "every", "kept"), [(11, 1000.0, 8), (11, 0.0, 11), (5, 0.0, 5)])
def test_a_run_that_was_killed_goes_on_to_the_same_end(sheets, run, tmp_path, stop, every, kept):
    """From the last epoch's end, or from within an epoch where checkpoints are written more often."""
    # The order of sums depends on the number of threads.
    arguments = [sheets, tmp_path, str(stop), str(every), str(torch.get_num_threads())]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == 9
    assert _state(tmp_path)[1]["step"] == kept
    assert not (tmp_path / "visagram-emotion.onnx").exists()
    steps = []
    train(sheets, tmp_path, TINY, lambda stage, completed, total: steps.append((completed, total)))
    assert steps[0] == (kept + 1, 16)
    _identical(run, tmp_path)
    assert (tmp_path / "visagram-emotion.onnx").read_bytes() == (run / "visagram-emotion.onnx").read_bytes()


def test_a_finished_run_is_exported_again_without_training(sheets, run):
    before = (run / "visagram-emotion.onnx").read_bytes()
    train(sheets, run, TINY, lambda *step: pytest.fail("trained"))
    assert (run / "visagram-emotion.onnx").read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 7}, {"epochs": 9}, {"stem": 16}])
def test_a_checkpoint_of_another_recipe_is_refused(sheets, run, change):
    with pytest.raises(DataError, match=next(iter(change))):
        train(sheets, run, dataclasses.replace(TINY, **change), _quiet)


def test_a_checkpoint_of_other_faces_is_refused(run, tmp_path):
    rows = draw(tmp_path / "sheets")
    write(tmp_path / "sheets", rows[:-3])
    with pytest.raises(DataError, match="data"):
        train(tmp_path / "sheets", run, TINY, _quiet)


def test_a_checkpoint_of_another_version_is_refused(sheets, run, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    Checkpoint.load(run / "checkpoint.safetensors").save(path)
    tensors, facts = _state(tmp_path)
    meta = {name: json.dumps(value) for name, value in facts.items()}
    for change in ({"recipe": json.dumps(facts["recipe"] | {"warmth": 3})}, {"step": "x"}):
        save_file(tensors, path, meta | change)
        with pytest.raises(DataError, match="version"):
            train(sheets, tmp_path, TINY, _quiet)


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


def test_after_every_epoch_a_sentence_says_how_it_went_and_what_is_left(sheets, tmp_path):
    said = []
    train(sheets, tmp_path, TINY, _quiet, say=said.append)
    assert len(said) == TINY.epochs
    assert said[0].startswith("Epoch 1 of 2: loss ")
    assert said[-1].endswith("0 s left.")


def test_too_few_faces_to_train_on_are_refused(tmp_path):
    folder = tmp_path / "sheets"
    rows = draw(folder)
    write(folder, [row | dict.fromkeys(VOTES.values(), 0) | {OTHERS[2]: 10} for row in rows])
    with pytest.raises(DataError, match="faces"):
        train(folder, tmp_path / "run", TINY, _quiet)


def test_an_expression_without_faces_is_refused_and_nothing_is_written(tmp_path):
    folder = tmp_path / "sheets"
    rows = [row for row in draw(folder) if row["split"] != "train" or row[VOTES["disgust"]] == 0]
    write(folder, rows)
    with pytest.raises(DataError, match="no face of disgust"):
        train(folder, tmp_path / "run", TINY, _quiet)
    assert not (tmp_path / "run").exists()


def test_an_output_that_cannot_be_a_folder_is_refused(sheets, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(OutputUnwritable, match="run"):
        train(sheets, tmp_path / "run", TINY, _quiet)


def test_a_fold_trains_on_both_splits_and_its_card_says_so(sheets, tmp_path):
    train(sheets, tmp_path, dataclasses.replace(TINY, fold=4, epochs=1), _quiet)
    facts = read_card("visagram-emotion", tmp_path).facts
    assert "fold 4" in facts["metrics"]["split"]
    assert f"{len(divide(sheets, 4)[0])} faces" in facts["trained_on"]


def test_a_student_learns_from_teachers_whose_posteriors_it_asks_for_once(sheets, run, tmp_path, monkeypatch):
    said = []
    train(sheets, tmp_path, TINY, lambda stage, *_: said.append(stage), teachers=[run])
    assert "teach" in said
    faces, held_out = divide(sheets, None)
    with safe_open(str(tmp_path / SOFT), "np") as stored:
        soft = np.exp(stored.get_tensor("log_posteriors").astype(np.float64))
    network = finished(run).network
    views = [softmax64(predict(network, luma)) for luma in (faces.luma, faces.luma[:, :, ::-1])]
    np.testing.assert_allclose(soft, np.mean(views, axis=0), atol=2e-3)
    assert (tmp_path / "visagram-emotion.onnx").read_bytes() != (run / "visagram-emotion.onnx").read_bytes()
    monkeypatch.setattr(distil, "predict", lambda *_, **__: pytest.fail("asked again"))
    again = Teachers.open([run], sheets, held_out).posteriors(faces, tmp_path, torch.device("cpu"), _quiet)
    np.testing.assert_allclose(again.numpy(), soft, atol=2e-3)
    with pytest.raises(DataError, match="teachers"):
        train(sheets, tmp_path, TINY, _quiet)


def test_a_teacher_that_saw_the_faces_to_judge_on_is_refused(sheets, run, tmp_path):
    with pytest.raises(DataError, match="fold"):
        train(sheets, tmp_path, dataclasses.replace(TINY, fold=2), _quiet, teachers=[run])


def test_a_teacher_of_other_data_is_refused(run, tmp_path):
    rows = draw(tmp_path / "sheets")
    write(tmp_path / "sheets", rows[:-3])
    with pytest.raises(DataError, match="other data"):
        train(tmp_path / "sheets", tmp_path / "run", TINY, _quiet, teachers=[run])


def test_a_teacher_that_is_missing_or_not_finished_is_refused(sheets, run, tmp_path):
    with pytest.raises(DataError, match="holds no"):
        train(sheets, tmp_path / "run", TINY, _quiet, teachers=[tmp_path])
    stored = Checkpoint.load(run / "checkpoint.safetensors")
    dataclasses.replace(stored, step=stored.step - 1).save(tmp_path / "checkpoint.safetensors")
    with pytest.raises(DataError, match="not finished"):
        train(sheets, tmp_path / "run", TINY, _quiet, teachers=[tmp_path])


def test_a_run_may_begin_as_another_ended(sheets, run, tmp_path):
    still = dataclasses.replace(TINY, peak_rate=0.0, weight_decay=0.0, epochs=1, calm_epochs=1)
    train(sheets, tmp_path, still, _quiet, start=run)
    ours, theirs = (Checkpoint.load(folder / "checkpoint.safetensors") for folder in (tmp_path, run))
    for name, parameter in finished(run).network.named_parameters():
        assert torch.equal(ours.part("network")[name], parameter), name
    assert ours.start == finished(run).digest
    assert theirs.start == ""
    with pytest.raises(DataError, match="start"):
        train(sheets, tmp_path, still, _quiet)


def test_a_run_may_begin_with_the_weights_alone(sheets, run, tmp_path):
    weights = run / "visagram-emotion.safetensors"
    assert weights.stat().st_size < (run / "checkpoint.safetensors").stat().st_size / 3
    whole, alone = finished(run), finished(weights)
    assert (alone.recipe, alone.data) == (whole.recipe, whole.data)
    luma = divide(sheets, None)[1].luma
    np.testing.assert_allclose(predict(alone.network, luma), predict(whole.network, luma), atol=0.05)
    train(sheets, tmp_path, dataclasses.replace(TINY, epochs=1), _quiet, start=weights, teachers=[weights])
    assert Checkpoint.load(tmp_path / "checkpoint.safetensors").teachers == (alone.digest,)


def test_the_weights_that_ship_are_those_of_the_model_that_ships():
    luma = drawn()[:40]
    exact = softmax64(predict(finished(EMBEDDED / WEIGHTS).network, luma))
    shipped = softmax64(OnnxClassifier(read_card(EMOTION), threads=1).logits(luma))
    assert np.abs(exact - shipped).sum(axis=1).mean() / 2 < 0.05


def test_a_run_does_not_begin_as_another_network_or_one_that_saw_its_faces(sheets, run, tmp_path):
    with pytest.raises(DataError, match="another network"):
        train(sheets, tmp_path, dataclasses.replace(TINY, stem=16), _quiet, start=run)
    with pytest.raises(DataError, match="fold"):
        train(sheets, tmp_path, dataclasses.replace(TINY, fold=2), _quiet, start=run)
    assert list(tmp_path.iterdir()) == []


def test_the_loss_against_teachers_is_least_at_their_posteriors():
    logits = torch.tensor([[2.0, 0, 0, 0, -1, 0, 1]])
    soft = distil.softened(logits.softmax(dim=1), 1.5)
    votes, shift = torch.full((1, 7), 1 / 7), torch.zeros(7)
    there = distil.loss(logits, votes, shift, soft, 1.0, 1.5)
    for step in torch.eye(7) * 0.3:
        assert distil.loss(logits + step, votes, shift, soft, 1.0, 1.5) > there
    moved = torch.linspace(0, 1, 7)
    plain = torch.nn.functional.cross_entropy(logits + moved, votes)
    assert torch.isclose(distil.loss(logits, votes, moved, None, 1.0, 1.5), plain)


def test_two_views_that_agree_do_not_disagree():
    view = torch.randn(4, 7, generator=torch.Generator().manual_seed(0))
    assert distil.disagreement(torch.cat([view, view + 3.0])).abs() < 1e-6
    other = view.roll(1, dims=1)
    there, back = (float(distil.disagreement(torch.cat(pair))) for pair in ((view, other), (other, view)))
    assert there == pytest.approx(back)
    assert there > 0.1


def test_a_pretrained_teacher_is_trained_and_found_again(sheets, tmp_path):
    recipe = dataclasses.replace(RECIPES["teacher"], side=32, epochs=1, calm_epochs=1, batch=16, share=0.6)
    train(sheets, tmp_path, recipe, _quiet)
    whole = (tmp_path / "visagram-emotion.onnx").read_bytes()
    stored = Checkpoint.load(tmp_path / "checkpoint.safetensors")
    assert {key.rsplit(".", 1)[1] for key in stored.part("optimiser")} == {"step", "exp_avg", "exp_avg_sq"}
    train(sheets, tmp_path, recipe, lambda *_: pytest.fail("trained"))
    assert (tmp_path / "visagram-emotion.onnx").read_bytes() == whole


def test_a_shorter_run_is_calm_for_the_same_part_of_it():
    small = RECIPES["small"]
    assert small.lasting(None) == small.lasting(small.epochs) == small
    assert (small.lasting(10).epochs, small.lasting(10).calm_epochs) == (10, 1)
    assert small.lasting(1).calm_epochs == 1


def test_an_unknown_architecture_is_named():
    with pytest.raises(DataError, match="cathedral"):
        build(dataclasses.replace(TINY, architecture="cathedral"), pretrained=False)


def test_the_learning_rate_rises_then_falls():
    rates = [one_cycle(done) for done in np.linspace(0, 1, 101)]
    peak = int(np.argmax(rates))
    assert max(rates) == pytest.approx(1)
    assert 0 < peak < 50
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.01


def _generated(count=20):
    """Faces of noise that are called disgust."""
    luma = np.random.default_rng(5).integers(0, 255, (count, CROP, CROP), np.uint8)
    votes = np.zeros((count, 7))
    votes[:, EXPRESSIONS.index("disgust")] = 10
    return Generated(
        Faces48(luma, Votes(votes, np.zeros(count))), {"faces": count, "by_expression": {"disgust": count}}
    )


def test_generated_faces_are_learned_from_until_the_calm_epochs_and_named_in_the_card(
    sheets, run, tmp_path, monkeypatch
):
    drawn = []
    real_order = balance.order

    def watched(weights, draws):
        chosen = real_order(weights, draws)
        drawn.append(chosen)
        return chosen

    monkeypatch.setattr(balance, "order", watched)
    generated = _generated()
    train(sheets, tmp_path, TINY, _quiet, generated=generated)
    real = len(divide(sheets, None)[0])
    first, calm = drawn
    assert (first >= real).any() and not (calm >= real).any()
    card = json.loads((tmp_path / "visagram-emotion.json").read_text())
    assert card["generated"] == generated.facts
    assert card["trained_on"].endswith("; and on 20 generated faces")
    assert card["metrics"]["faces"] == json.loads((run / "visagram-emotion.json").read_text())["metrics"]["faces"]
    with pytest.raises(DataError, match="data"):
        train(sheets, tmp_path, TINY, _quiet)


def test_generated_faces_do_not_count_in_the_world_that_posteriors_belong_to():
    votes = torch.eye(7)[torch.tensor([0] * 10 + [1] * 10 + [1] * 80)]
    weights = torch.ones(100, dtype=torch.float64)
    shift = balance.prior_shift(votes, weights, real=20)
    assert shift[:2].exp().tolist() == pytest.approx([0.1 / 0.5, 0.9 / 0.5])
    assert balance.prior_shift(votes, weights)[:2].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_a_run_goes_some_of_the_way_back_to_where_it_began(sheets, run, tmp_path):
    begun = finished(run).network.state_dict()
    ends = []
    for share in (0.0, 0.25):
        folder = tmp_path / str(share)
        train(sheets, folder, dataclasses.replace(TINY, return_to_start=share), _quiet, start=run)
        ends.append(finished(folder).network.state_dict())
    for name, begin in begun.items():
        if begin.is_floating_point():
            torch.testing.assert_close(ends[1][name], torch.lerp(ends[0][name], begin, 0.25), msg=name)
