"""The embedded generator from training to images, in a few steps on a few faces."""

from __future__ import annotations

import dataclasses
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from skimage import data as pictures

from sheets import draw
from visagram.core.stages import ALIGNED, Framing
from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError, ModelError, UsageError
from visagram.learn.draws import Draws
from visagram.models.card import TEACHER, file_hash, read_card
from visagram.models.emotion import OnnxClassifier
from visagram.synth.catalog import open_generator
from visagram.synth.checkpoint import CHECKPOINT, Checkpoint
from visagram.synth.embedded import EmbeddedGenerator, Networks, read_own_generator
from visagram.synth.export import export, whole_of
from visagram.synth.flowing import varied
from visagram.synth.graph import write
from visagram.synth.networks import Flow, Shape
from visagram.synth.recipes import RECIPES
from visagram.synth.refine import Explainer, RefinedClassifier, gain, refined
from visagram.synth.sampling import NOBODY, flow_back
from visagram.synth.train import train

TINY = RECIPES["tiny"]


def _quiet(stage, completed, total):
    pass


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    """A hundred times the same woman, in other light and framing."""
    folder, random = tmp_path_factory.mktemp("synth") / "sheets", np.random.default_rng(0)
    grey = cv2.cvtColor(pictures.astronaut(), cv2.COLOR_RGB2GRAY)
    faces = []
    for _ in range(100):
        side, x, y = random.integers(120, 140), random.integers(160, 175), random.integers(55, 70)
        face = cv2.resize(grey[y : y + side, x : x + side], (48, 48), interpolation=cv2.INTER_AREA)
        faces.append(np.clip(face * random.uniform(0.8, 1.1) + random.uniform(-10, 10), 0, 255))
    draw(folder, np.array(faces, np.uint8))
    return folder


@pytest.fixture(scope="module")
def run(sheets, tmp_path_factory):
    """The folder of a finished run with its generator."""
    folder = tmp_path_factory.mktemp("run")
    train(sheets, folder, TINY, _quiet)
    judge = OnnxClassifier(read_card(TEACHER), threads=1)
    export(folder, sheets, judge, _quiet, judged_by=TEACHER, each=2)
    return folder


@pytest.fixture
def generator(run):
    return EmbeddedGenerator(read_own_generator(run / "visagram-diffusion.onnx"))


def _state(folder):
    with safe_open(str(folder / CHECKPOINT), "np") as stored:
        return stored.metadata(), {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118


@pytest.mark.parametrize("stop", [("encode", 3), ("encode", 6), ("flow", 4)], ids=str)
def test_a_run_that_was_killed_ends_as_an_unbroken_one(sheets, run, tmp_path, stop):
    class Killed(Exception):
        pass

    def kill(stage, completed, _total):
        if (stage, completed) == stop:
            raise Killed

    with pytest.raises(Killed):
        train(sheets, tmp_path, TINY, kill, checkpoint_seconds=0)
    train(sheets, tmp_path, TINY, _quiet)
    (meta, tensors), (other_meta, others) = _state(tmp_path), _state(run)
    assert meta == other_meta and set(tensors) == set(others)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, others[name], err_msg=name)


def test_another_seed_ends_elsewhere(sheets, run, tmp_path):
    train(sheets, tmp_path, dataclasses.replace(TINY, seed=1), _quiet)
    assert any(
        not np.array_equal(a, b) for a, b in zip(_state(tmp_path)[1].values(), _state(run)[1].values(), strict=True)
    )


def test_a_run_of_another_recipe_is_not_gone_on_with(sheets, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    with pytest.raises(DataError, match=r"different: recipe.flow_rate"):
        train(sheets, tmp_path / "run", dataclasses.replace(TINY, flow_rate=0.5), _quiet)


def test_another_flow_may_be_tried_over_latents_that_are_being_learned(sheets, tmp_path):
    class Killed(Exception):
        pass

    def kill(stage, completed, _total):
        if (stage, completed) == ("encode", 5):
            raise Killed

    with pytest.raises(Killed):
        train(sheets, tmp_path, TINY, kill, checkpoint_seconds=0)
    with pytest.raises(DataError, match=r"recipe.encode_rate"):
        train(sheets, tmp_path, dataclasses.replace(TINY, encode_rate=0.5), _quiet)
    train(sheets, tmp_path, dataclasses.replace(TINY, flow_steps=2), _quiet)


def test_an_unfinished_run_and_a_damaged_one_are_refused(sheets, run, tmp_path):
    class Killed(Exception):
        pass

    def kill(stage, completed, _total):
        if (stage, completed) == ("flow", 2):
            raise Killed

    with pytest.raises(Killed):
        train(sheets, tmp_path, TINY, kill, checkpoint_seconds=0)
    judge = OnnxClassifier(read_card(TEACHER), threads=1)
    with pytest.raises(DataError, match="not finished"):
        export(tmp_path, sheets, judge, _quiet, judged_by=TEACHER)
    content = bytearray((tmp_path / CHECKPOINT).read_bytes())
    (tmp_path / CHECKPOINT).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged"):
        train(sheets, tmp_path, TINY, _quiet)


def test_a_flow_that_diverges_is_stopped(sheets, tmp_path):
    with pytest.raises(DataError, match="diverged"):
        train(sheets, tmp_path, dataclasses.replace(TINY, encode_rate=1e30), _quiet)


def test_the_card_says_what_was_measured(run):
    card = json.loads((run / "visagram-diffusion.json").read_text())
    found = card["measured"]
    assert card["task"] == "generation" and found["judged_by"] == TEACHER
    assert found["faces"] == 14
    assert set(found["agreement_by_expression"]) == set(EXPRESSIONS)
    assert found["agreement"]["low"] <= found["agreement"]["value"] <= found["agreement"]["high"]
    assert found["likeness_to_training_faces"]["copies"] >= 0
    assert set(found["variety"]) <= set(EXPRESSIONS)
    assert card["refine"]["weight"] >= 0 and 0 <= card["refine"]["accuracy"] <= 1


@pytest.fixture
def lively_whole(run):
    """Networks of the same shape with weights drawn at random: a few steps have hardly moved the trained ones."""
    torch.manual_seed(0)
    whole = whole_of(Checkpoint.load(run / CHECKPOINT))
    for name, tensor in whole.state_dict().items():
        # As the file keeps them, so that nothing but the computation differs.
        moved = tensor + (0.3 if name.startswith("flow") else 0.05) * torch.randn_like(tensor)
        tensor.copy_(moved.half().float() if tensor.numel() >= 256 else moved)
    return whole.eval()


@pytest.fixture
def lively_card(run, lively_whole, tmp_path):
    weights, card = (tmp_path / f"visagram-diffusion.{ending}" for ending in ("onnx", "json"))
    write(lively_whole, TINY.shape, np.zeros((3, 6), np.uint64), weights)
    facts = json.loads((run / card.name).read_text()) | {"sha256": file_hash(weights)}
    card.write_text(json.dumps(facts))
    return read_own_generator(weights)


@pytest.fixture
def lively(lively_card):
    return EmbeddedGenerator(lively_card)


@pytest.mark.parametrize(("guidance", "steps"), [(1.75, 16), (0.0, 1), (4.0, 3)])
def test_given_the_same_noise_the_file_draws_what_the_networks_draw(lively_card, lively_whole, guidance, steps):
    from diffusers import FlowMatchHeunDiscreteScheduler

    noise = np.random.default_rng(0).standard_normal((5, TINY.shape.latents, 6, 6), np.float32)
    labels = np.array([0, 1, 3, 5, 6])
    networks = Networks(lively_card, threads=1)
    drawn = networks.drawn(flow_back(networks.velocity, noise, labels, guidance, steps))
    scheduler = FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(steps)
    with torch.inference_mode():
        latents, wanted = torch.from_numpy(noise), torch.from_numpy(labels)
        for time in scheduler.timesteps:
            at, nobody = (time / 1000).expand(len(latents)), torch.full_like(wanted, NOBODY)
            shown, plain = lively_whole.flow(latents, at, wanted), lively_whole.flow(latents, at, nobody)
            latents = scheduler.step(torch.lerp(plain, shown, guidance), time, latents).prev_sample
        luma = lively_whole.autoencoder.decode(latents * lively_whole.spread + lively_whole.centre)
        reference = ((luma[:, 0].clamp(-1, 1) + 1) * 127.5).round().numpy()
    assert reference.std() > 5
    assert np.abs(drawn - reference).max() <= 1


def test_the_file_encodes_as_the_networks_do_and_knows_what_it_learned_from(lively_card, lively_whole):
    networks = Networks(lively_card, threads=1)
    faces = np.random.default_rng(1).integers(0, 255, (4, 48, 48), np.uint8)
    with torch.inference_mode():
        luma = torch.from_numpy(faces).unsqueeze(1).float() / 127.5 - 1
        latents = (lively_whole.autoencoder.encode(luma)[0] - lively_whole.centre) / lively_whole.spread
    np.testing.assert_allclose(networks.encoded(faces), latents.numpy(), atol=1e-3)
    assert networks.known.shape == (3, 6) and networks.known.dtype == np.uint64


def test_a_face_does_not_depend_on_those_made_beside_it(lively):
    together = [face.image for face in lively.generate("fear", 20, 5)]
    for first, count in ((0, 1), (7, 9), (15, 20)):
        for number, face in zip(range(first, count), lively.generate("fear", count, 5, first=first), strict=True):
            np.testing.assert_array_equal(face.image, together[number])


def test_expression_seed_guidance_and_steps_change_the_image(lively):
    def one(expression="happy", seed=3, **more):
        (face,) = lively.generate(expression, 1, seed, **more)
        return face.image

    first = one()
    for other in (one("sad"), one(seed=4), one(guidance=9.0), one(steps=3)):
        assert not np.array_equal(first, other)


@pytest.mark.parametrize(("given", "match"), [({"guidance": -1.0}, "guidance"), ({"steps": 0}, "steps")])
def test_senseless_parameters_are_refused(generator, given, match):
    with pytest.raises(UsageError, match=match):
        list(generator.generate("happy", 1, 0, **given))


@pytest.mark.parametrize("damage", ["weights", "card", "shape", "task"])
def test_weights_and_card_that_contradict_each_other_are_refused(run, tmp_path, damage):
    weights, card = (tmp_path / f"visagram-diffusion.{ending}" for ending in ("onnx", "json"))
    for file in (weights, card):
        shutil.copyfile(run / file.name, file)
    facts = json.loads(card.read_text())
    if damage == "weights":
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    elif damage == "card":
        del facts["sampling"]
    elif damage == "shape":
        facts["shape"]["latents"] = 32
    else:
        facts["task"] = "detection"
    card.write_text(json.dumps(facts))
    with pytest.raises(ModelError):
        open_generator(f"own:{weights}", tmp_path)


@pytest.mark.parametrize("name", ["nonsense", "own:", "diffusers:", "own:/no/such.pt", "Visagram-diffusion"])
def test_a_generator_that_there_is_not_is_refused(name, tmp_path):
    with pytest.raises((UsageError, ModelError), match=r"no generator|no ONNX"):
        open_generator(name, tmp_path)


def test_variants_stay_near_their_face():
    grey = cv2.resize(cv2.cvtColor(pictures.astronaut(), cv2.COLOR_RGB2GRAY)[60:190, 160:290], (48, 48))
    luma = torch.from_numpy(grey).float().expand(50, 1, 48, 48).contiguous()
    found = varied(luma, Draws(0)).numpy()[:, 0]
    alike = [np.corrcoef(face.ravel(), grey.ravel())[0, 1] for face in found]
    assert min(alike) > 0.75 and len({face.tobytes() for face in found}) == 50
    assert found.min() >= 0 and found.max() <= 255


def test_the_flow_begins_as_no_movement_and_knows_its_labels():
    flow = Flow(Shape(latents=2, width=16, hidden=16, layers=1, told=8)).eval()
    latents, time = torch.randn(3, 2, 6, 6), torch.tensor([0.1, 0.5, 0.9])
    assert torch.equal(flow(latents, time, torch.tensor([0, 1, NOBODY])), torch.zeros(3, 2, 6, 6))


class Undecided:
    """A classifier of aligned faces that knows nothing."""

    framing = ALIGNED

    def classify(self, crops):
        return np.full((len(crops), 7), 1 / 7, np.float32)

    def close(self):
        self.closed = True


@pytest.fixture
def explainer(lively_card):
    return Explainer(lively_card)


def test_the_generator_has_an_opinion_of_every_face_and_it_is_the_same_each_time(explainer):
    faces = np.random.default_rng(0).integers(0, 255, (20, 48, 48), np.uint8)
    errors = explainer.errors(faces)
    assert errors.shape == (20, 7) and np.isfinite(errors).all()
    np.testing.assert_allclose(errors.sum(axis=1), 0, atol=1e-4)
    assert np.ptp(errors, axis=1).min() > 0
    np.testing.assert_allclose(explainer.errors(faces[16:]), errors[16:], atol=1e-4 * np.abs(errors).max())


def test_a_refined_classifier_follows_the_contract(explainer):
    base = Undecided()
    model = RefinedClassifier(base, explainer, weight=5.0)
    faces = np.random.default_rng(1).integers(0, 255, (3, 48, 48), np.uint8)
    found = model.classify(faces)
    assert found.shape == (3, 7) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == explainer.errors(faces).argmin(axis=1)).all()
    assert model.classify(np.empty((0, 48, 48), np.uint8)).shape == (0, 7)
    colour = [np.repeat(cv2.resize(face, (60, 60))[..., None], 3, axis=2) for face in faces]
    assert model.classify(colour).shape == (3, 7)
    model.close()
    assert base.closed


def test_only_aligned_models_are_refined(explainer):
    class Boxes(Undecided):
        framing = Framing(aligned=False)

    with pytest.raises(ModelError, match="aligned"):
        RefinedClassifier(Boxes(), explainer, weight=1.0)


def test_the_weight_is_what_the_labels_want_and_nothing_where_the_errors_say_nothing():
    random = np.random.default_rng(0)
    labels = random.integers(0, 7, 600)
    posteriors = random.dirichlet(np.ones(7), 600) * 0.5 + 0.5 * np.eye(7)[labels] * random.random((600, 1))
    posteriors /= posteriors.sum(axis=1, keepdims=True)
    telling = -np.eye(7)[labels] + 0.3 * random.normal(size=(600, 7))
    found = gain(posteriors, telling, labels, 1.0)
    assert found.weight > 1 and found.accuracy > found.accuracy_before + 0.05 and found.nll < found.nll_before
    noise = gain(posteriors, random.normal(size=(600, 7)), labels, 1.0)
    assert noise.weight < 0.2 and abs(noise.accuracy - noise.accuracy_before) < 0.02


@given(st.integers(0, 2**32 - 1), st.floats(0, 50))
def test_refined_posteriors_are_probabilities(seed, weight):
    random = np.random.default_rng(seed)
    posteriors = random.dirichlet(np.full(7, 0.1), 5)
    found = refined(posteriors, random.normal(size=(5, 7)), weight)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    np.testing.assert_allclose(refined(posteriors, np.zeros((5, 7)), weight), posteriors, atol=1e-6)
