"""Training on a few drawn faces: how it goes, how it goes on after a kill, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from learning import TINY, quiet
from sheets import OTHERS, VOTES, draw, write
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, OutputUnwritable
from visagram.evaluate.data import Votes
from visagram.learn import balance, distil
from visagram.learn.build import build
from visagram.learn.calibrate import softmax64
from visagram.learn.checkpoint import Checkpoint, finished
from visagram.learn.data import Faces48, divide
from visagram.learn.distil import SOFT, Teachers
from visagram.learn.origin import Added
from visagram.learn.predict import predict
from visagram.learn.recipes import RECIPES
from visagram.learn.train import one_cycle, train
from visagram.models.catalog import read_card


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


def test_the_same_seed_gives_the_same_files(sheets, run, tmp_path):
    train(sheets, tmp_path, TINY, quiet)
    _identical(run, tmp_path)
    assert (tmp_path / "visagram-emotion.onnx").read_bytes() == (run / "visagram-emotion.onnx").read_bytes()


def test_another_seed_gives_another_model(sheets, run, tmp_path):
    train(sheets, tmp_path, dataclasses.replace(TINY, seed=1), quiet)
    assert (tmp_path / "visagram-emotion.onnx").read_bytes() != (run / "visagram-emotion.onnx").read_bytes()


KILLED = """
import dataclasses, json, os, sys, torch
from pathlib import Path
from visagram.learn.recipes import RECIPES
from visagram.learn.train import train
sheets, threads, runs = json.loads(sys.argv[1])
torch.set_num_threads(threads)
recipe = dataclasses.replace(RECIPES["tiny"], batch=8)
for folder, stop, every in runs:
    def progress(stage, completed, total):
        if completed == stop:
            os._exit(9)
    # A process of its own, which has loaded everything already.
    child = os.fork()
    if not child:
        train(Path(sheets), Path(folder), recipe, progress, checkpoint_seconds=every)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
"""
KILLS = {"at an epoch's end": (11, 1000.0, 8), "often": (11, 0.0, 11), "early": (5, 0.0, 5)}
"""Runs by how often they keep a checkpoint: the step of their death, seconds between checkpoints, the step kept."""


@pytest.fixture(scope="module")
def killed(sheets, tmp_path_factory):
    """The folders of runs that were killed, by their names in `KILLS`."""
    folders = {name: tmp_path_factory.mktemp("killed") for name in KILLS}
    runs = [(str(folders[name]), stop, every) for name, (stop, every, _) in KILLS.items()]
    # The order of sums depends on the number of threads.
    asked = json.dumps([str(sheets), torch.get_num_threads(), runs])
    subprocess.run([sys.executable, "-c", KILLED, asked], check=True)
    return folders


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("name", KILLS)
def test_a_run_that_was_killed_goes_on_to_the_same_end(sheets, run, killed, name):
    """From the last epoch's end, or from within an epoch where checkpoints are written more often."""
    folder, kept = killed[name], KILLS[name][2]
    assert _state(folder)[1]["step"] == kept
    assert not (folder / "visagram-emotion.onnx").exists()
    steps = []
    train(sheets, folder, TINY, lambda stage, completed, total: steps.append((completed, total)))
    assert steps[0] == (kept + 1, 16)
    _identical(run, folder)
    assert (folder / "visagram-emotion.onnx").read_bytes() == (run / "visagram-emotion.onnx").read_bytes()


def test_a_finished_run_is_exported_again_without_training(sheets, run):
    before = (run / "visagram-emotion.onnx").read_bytes()
    train(sheets, run, TINY, lambda *step: pytest.fail("trained"))
    assert (run / "visagram-emotion.onnx").read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 7}, {"epochs": 9}, {"stem": 16}])
def test_a_checkpoint_of_another_recipe_is_refused(sheets, run, change):
    with pytest.raises(DataError, match=next(iter(change))):
        train(sheets, run, dataclasses.replace(TINY, **change), quiet)


def test_a_checkpoint_of_other_faces_is_refused(run, tmp_path):
    rows = draw(tmp_path / "sheets")
    write(tmp_path / "sheets", rows[:-3])
    with pytest.raises(DataError, match="data"):
        train(tmp_path / "sheets", run, TINY, quiet)


def test_a_checkpoint_of_another_version_is_refused(sheets, run, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    Checkpoint.load(run / "checkpoint.safetensors").save(path)
    tensors, facts = _state(tmp_path)
    meta = {name: json.dumps(value) for name, value in facts.items()}
    for change in ({"recipe": json.dumps(facts["recipe"] | {"warmth": 3})}, {"step": "x"}):
        save_file(tensors, path, meta | change)
        with pytest.raises(DataError, match="version"):
            train(sheets, tmp_path, TINY, quiet)


def test_a_damaged_checkpoint_is_refused(sheets, run, tmp_path):
    whole = (run / "checkpoint.safetensors").read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"\0" * 100):
        (tmp_path / "checkpoint.safetensors").write_bytes(content)
        with pytest.raises(DataError, match="checkpoint"):
            train(sheets, tmp_path, TINY, quiet)


def test_the_loss_falls(run):
    first, second = _state(run)[1]["history"]
    assert second["loss"] < first["loss"]
    assert 0 <= second["accuracy"] <= 1


def test_after_every_epoch_a_sentence_says_how_it_went_and_what_is_left(sheets, tmp_path):
    said = []
    train(sheets, tmp_path, TINY, quiet, say=said.append)
    assert len(said) == TINY.epochs
    assert said[0].startswith("Epoch 1 of 2: loss ")
    assert said[-1].endswith("0 s left.")


def test_too_few_faces_to_train_on_are_refused(tmp_path):
    folder = tmp_path / "sheets"
    rows = draw(folder)
    write(folder, [row | dict.fromkeys(VOTES.values(), 0) | {OTHERS[2]: 10} for row in rows])
    with pytest.raises(DataError, match="faces"):
        train(folder, tmp_path / "run", TINY, quiet)


def test_an_expression_without_faces_is_refused_and_nothing_is_written(tmp_path):
    folder = tmp_path / "sheets"
    rows = [row for row in draw(folder) if row["split"] != "train" or row[VOTES["disgust"]] == 0]
    write(folder, rows)
    with pytest.raises(DataError, match="no face of disgust"):
        train(folder, tmp_path / "run", TINY, quiet)
    assert not (tmp_path / "run").exists()


def test_an_output_that_cannot_be_a_folder_is_refused(sheets, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(OutputUnwritable, match="run"):
        train(sheets, tmp_path / "run", TINY, quiet)


def test_a_fold_trains_on_both_splits_and_its_card_says_so(sheets, tmp_path):
    train(sheets, tmp_path, dataclasses.replace(TINY, fold=4, epochs=1), quiet)
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
    again = Teachers.open([run], sheets, held_out).posteriors(faces, tmp_path, torch.device("cpu"), quiet)
    np.testing.assert_allclose(again.numpy(), soft, atol=2e-3)
    with pytest.raises(DataError, match="teachers"):
        train(sheets, tmp_path, TINY, quiet)


def test_a_teacher_that_saw_the_faces_to_judge_on_is_refused(sheets, run, tmp_path):
    with pytest.raises(DataError, match="fold"):
        train(sheets, tmp_path, dataclasses.replace(TINY, fold=2), quiet, teachers=[run])


def test_a_teacher_of_other_data_is_refused(run, tmp_path):
    rows = draw(tmp_path / "sheets")
    write(tmp_path / "sheets", rows[:-3])
    with pytest.raises(DataError, match="other data"):
        train(tmp_path / "sheets", tmp_path / "run", TINY, quiet, teachers=[run])


def test_a_teacher_that_is_missing_or_not_finished_is_refused(sheets, run, tmp_path):
    with pytest.raises(DataError, match="holds no"):
        train(sheets, tmp_path / "run", TINY, quiet, teachers=[tmp_path])
    stored = Checkpoint.load(run / "checkpoint.safetensors")
    dataclasses.replace(stored, step=stored.step - 1).save(tmp_path / "checkpoint.safetensors")
    with pytest.raises(DataError, match="not finished"):
        train(sheets, tmp_path / "run", TINY, quiet, teachers=[tmp_path])


def test_a_run_may_begin_as_another_ended(sheets, run, tmp_path):
    still = dataclasses.replace(TINY, peak_rate=0.0, weight_decay=0.0, epochs=1, calm_epochs=1)
    train(sheets, tmp_path, still, quiet, start=run)
    ours, theirs = (Checkpoint.load(folder / "checkpoint.safetensors") for folder in (tmp_path, run))
    for name, parameter in finished(run).network.named_parameters():
        assert torch.equal(ours.part("network")[name], parameter), name
    assert ours.start == finished(run).digest
    assert theirs.start == ""
    with pytest.raises(DataError, match="start"):
        train(sheets, tmp_path, still, quiet)


def test_a_run_may_begin_with_the_weights_alone(sheets, run, tmp_path):
    weights = run / "visagram-emotion.safetensors"
    assert weights.stat().st_size < (run / "checkpoint.safetensors").stat().st_size / 3
    whole, alone = finished(run), finished(weights)
    assert (alone.recipe, alone.data) == (whole.recipe, whole.data)
    luma = divide(sheets, None)[1].luma
    np.testing.assert_allclose(predict(alone.network, luma), predict(whole.network, luma), atol=0.05)
    train(sheets, tmp_path, dataclasses.replace(TINY, epochs=1), quiet, start=weights, teachers=[weights])
    assert Checkpoint.load(tmp_path / "checkpoint.safetensors").teachers == (alone.digest,)


def test_a_run_does_not_begin_as_another_network_or_one_that_saw_its_faces(sheets, run, tmp_path):
    with pytest.raises(DataError, match="another network"):
        train(sheets, tmp_path, dataclasses.replace(TINY, stem=16), quiet, start=run)
    with pytest.raises(DataError, match="fold"):
        train(sheets, tmp_path, dataclasses.replace(TINY, fold=2), quiet, start=run)
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
    train(sheets, tmp_path, recipe, quiet)
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
    return Added(Faces48(luma, Votes(votes, np.zeros(count))), {"faces": count, "by_expression": {"disgust": count}})


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
    train(sheets, tmp_path, TINY, quiet, generated=generated)
    real = len(divide(sheets, None)[0])
    first, calm = drawn
    assert (first >= real).any() and not (calm >= real).any()
    card = json.loads((tmp_path / "visagram-emotion.json").read_text())
    assert card["generated"] == generated.facts
    assert card["trained_on"].endswith("; and on 20 generated faces")
    assert card["metrics"]["faces"] == json.loads((run / "visagram-emotion.json").read_text())["metrics"]["faces"]
    with pytest.raises(DataError, match="data"):
        train(sheets, tmp_path, TINY, quiet)


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
        train(sheets, folder, dataclasses.replace(TINY, return_to_start=share), quiet, start=run)
        ends.append(finished(folder).network.state_dict())
    for name, begin in begun.items():
        if begin.is_floating_point():
            torch.testing.assert_close(ends[1][name], torch.lerp(ends[0][name], begin, 0.25), msg=name)
