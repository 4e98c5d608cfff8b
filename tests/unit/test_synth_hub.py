"""Text-to-image models of others, loaded for real from folders, however small."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil

import numpy as np
import pyexiv2
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from diffusion import SIDE, write_stable_diffusion
from factories import make_report
from visagram.errors import Conflict, GenerationFailed, ModelError, UsageError
from visagram.evaluate.marked import is_marked
from visagram.synth.catalog import open_generator
from visagram.synth.edit import edit, portrait
from visagram.synth.generate import generate
from visagram.synth.hub import UNSAFE, ImageToImage, TextToImage, fetch_model
from visagram.synth.prompts import ACTIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_stable_diffusion(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.fixture(scope="module")
def model(folder):
    return TextToImage("tiny", folder)


def test_it_makes_colour_pictures_with_their_prompts(model):
    faces = list(model.generate("disgust", 3, 7, steps=2))
    assert [face.number for face in faces] == [0, 1, 2]
    for face in faces:
        assert face.image.shape == (SIDE, SIDE, 3) and face.image.dtype == np.uint8
        assert ACTIONS["disgust"] in face.prompt
        assert face.parameters["steps"] == 2 and set(face.parameters["parts"]) >= {"age", "skin", "light"}
        assert not face.refused
    assert len({face.prompt for face in faces}) == 3


def test_a_folder_of_faces_can_be_filled_with_it(folder, tmp_path):
    generator = open_generator(f"diffusers:{folder}", tmp_path)
    (record,) = generate(generator, "happy", 1, 0, tmp_path / "out", lambda *_: None, steps=2)
    assert record.generator == f"diffusers:{folder}" and len(record.generator_sha256) == 64
    assert record.parameters["steps"] == 2


@pytest.mark.parametrize(("safety", "refused"), [("unsafe", UNSAFE), ("safe", "")])
def test_a_safety_checker_is_respected(tmp_path, safety, refused):
    model = TextToImage("tiny", write_stable_diffusion(tmp_path / "tiny", safety=safety))
    (face,) = model.generate("happy", 1, 0, steps=1)
    assert face.refused == refused
    # What it objects to is black, by the library's own doing.
    assert (face.image.max() == 0) == bool(refused)


def test_memory_that_runs_out_makes_smaller_batches_then_a_clear_error(folder, monkeypatch):
    model, sizes = TextToImage("tiny", folder), []
    real = StableDiffusionPipeline.__call__

    def stingy(self, prompt, **options):
        sizes.append(len(prompt))
        if len(prompt) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, prompt=prompt, **options)

    monkeypatch.setattr(StableDiffusionPipeline, "__call__", stingy)
    room = 2
    assert len(list(model.generate("sad", 4, 0, steps=1, guidance=1.0))) == 4
    assert sizes == [4, 2, 2]
    room = 0
    with pytest.raises(GenerationFailed, match="not enough memory for a single image"):
        list(model.generate("sad", 4, 0, steps=1, guidance=1.0))


def test_what_a_model_raises_becomes_one_sentence(folder, monkeypatch):
    model = TextToImage("tiny", folder)

    def broken(self, prompt, **options):
        raise IndexError("no such token")

    monkeypatch.setattr(StableDiffusionPipeline, "__call__", broken)
    with pytest.raises(GenerationFailed, match=r"tiny failed \(IndexError: no such token\)"):
        list(model.generate("sad", 1, 0))


def test_a_face_can_be_given_another_expression(folder):
    editor = ImageToImage("tiny", folder)
    picture = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    one, two = editor.edit(picture, "happy", 2, 5, steps=4)
    assert one.image.shape == picture.shape and one.parameters["strength"] == 0.6
    assert not np.array_equal(one.image, two.image)
    with pytest.raises(UsageError, match="strength"):
        list(editor.edit(picture, "happy", 1, 0, strength=0.0))


def test_a_persons_face_is_edited_only_with_consent_and_marked_as_edited(folder, tmp_path):
    result = tmp_path / "result"
    report = make_report()
    stream = io.BytesIO()
    Image.new("RGB", (90, 120), (120, 90, 80)).save(stream, "JPEG")
    shown = dataclasses.replace(report.people[0], thumbnail=stream.getvalue())
    dataclasses.replace(report, people=(shown, *report.people[1:])).save(result, ["json", "parquet"])
    picture = portrait(result, shown.id)
    assert picture.shape == (512, 384, 3)
    picture = picture[:SIDE, :SIDE]
    editor = ImageToImage("tiny", folder)
    out, more = tmp_path / "out", {"strength": 0.5, "steps": 4}
    with pytest.raises(UsageError, match="consent"):
        edit(editor, picture, "happy", 2, 0, out, lambda *_: None, consent=False, **more)
    assert not out.exists()
    one, _ = edit(editor, picture, "happy", 2, 0, out, lambda *_: None, consent=True, **more)
    assert one.parameters["consent"] is True and len(one.parameters["edited_from"]) == 64
    read = pyexiv2.Image(str(out / one.file))
    try:
        assert read.read_xmp()["Xmp.iptcExt.DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    finally:
        read.close()
    assert is_marked(out / one.file)
    with pytest.raises(Conflict, match="already"):
        edit(editor, picture, "happy", 2, 0, out, lambda *_: None, consent=True, **more)
    with pytest.raises(UsageError, match="no person 9; it has 1, 2"):
        portrait(result, 9)


def test_without_a_network_it_says_what_to_download(tmp_path):
    with pytest.raises(ModelError, match=r"offline forbids.*download model_index.json.*huggingface.co/a/model into"):
        fetch_model("a/model", tmp_path, offline=True)


@pytest.mark.parametrize("name", ["../up", "a/b/c", "a b", "/no/such/folder", "a/.."])
def test_names_that_are_neither_folder_nor_model_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match="neither a folder nor the name"):
        open_generator(f"diffusers:{name}", tmp_path)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda f: (f / "model_index.json").unlink(), "model_index.json cannot be read"),
        (lambda f: (f / "model_index.json").write_text("[]"), "model_index.json cannot be read"),
        (lambda f: [w.rename(w.with_suffix(".bin")) for w in f.rglob("*.safetensors")], "only ONNX and safetensors"),
        (lambda f: next(f.rglob("*.safetensors")).write_bytes(b"\x80\x04pickle..."), "not a safetensors file"),
        (lambda f: shutil.rmtree(f / "unet"), "cannot be opened"),
        (lambda f: (f / "unet" / "config.json").write_text("{"), "cannot be opened"),
        (
            lambda f: (f / "model_index.json").write_text(json.dumps({"_class_name": "os.system"})),
            "cannot be opened",
        ),
    ],
    ids=["no index", "no object", "pickles", "not safetensors", "a part is missing", "no configuration", "foreign"],
)
def test_a_folder_that_is_no_such_model_is_refused(folder, tmp_path, damage, match):
    shutil.copytree(folder, tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(ModelError, match=match):
        open_generator(f"diffusers:{tmp_path / 'model'}", tmp_path)
