"""Generators in general: names, seeds, memory, prompts, marks."""

from __future__ import annotations

import numpy as np
import pyexiv2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from visagram.core.types import EXPRESSIONS
from visagram.errors import GenerationFailed, UsageError
from visagram.evaluate.marked import is_marked
from visagram.synth.batches import in_batches
from visagram.synth.generator import expression_named, image_seed
from visagram.synth.marking import marked, write_png
from visagram.synth.prompts import ACTIONS, PARTS, change, prompt

TERM = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@pytest.mark.parametrize(
    ("name", "ours"), [("happiness", "happy"), ("Anger", "angry"), ("disgust", "disgust"), ("SURPRISED", "surprise")]
)
def test_expressions_are_known_by_other_names_too(name, ours):
    assert expression_named(name) == ours


@pytest.mark.parametrize("name", ["bored", "", "../happy", "happy\n<script>"])
def test_an_unknown_expression_is_refused_with_the_list(name):
    with pytest.raises(UsageError, match=r"no expression.*angry \(anger\).*neutral"):
        expression_named(name)


@given(st.integers(0, 2**63 - 1), st.sampled_from(EXPRESSIONS), st.integers(0, 10**9))
def test_every_image_has_a_seed_of_its_own(seed, expression, number):
    own = image_seed(seed, expression, number)
    assert 0 <= own < 2**63
    assert own == image_seed(seed, expression, number)
    assert own not in (image_seed(seed, expression, number + 1), image_seed(seed + 1, expression, number))


class OutOfVideoMemory(RuntimeError):
    """As a library has one of its own."""


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 9))
def test_batches_that_are_too_large_are_halved_until_they_fit(count, size, fits):
    asked = []

    def make(numbers):
        asked.append(len(numbers))
        if len(numbers) > fits:
            raise OutOfVideoMemory
        return [n * n for n in numbers]

    few = (OutOfVideoMemory, MemoryError)
    assert list(in_batches(make, range(count), size, "a model", few)) == [n * n for n in range(count)]
    # What did not fit is not tried again.
    assert sum(n > fits for n in asked) <= 4


def test_memory_that_does_not_suffice_for_one_is_said():
    def make(numbers):
        raise MemoryError

    with pytest.raises(GenerationFailed, match="a model has not enough memory for a single image"):
        list(in_batches(make, range(4), 4, "a model"))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_prompts_describe_the_expression_and_leave_no_group_out(expression):
    every = [prompt(expression, 3, number) for number in range(48)]
    for asked in every:
        assert ACTIONS[expression] in asked.text
        assert all(word in asked.text for word in asked.parts.values())
    for part, words in PARTS.items():
        rounds = 48 // len(words)
        counted = [sum(asked.parts[part] == word for asked in every) for word in words]
        assert min(counted) >= rounds and max(counted) <= rounds + 1
    assert ACTIONS[expression] in change(expression)


def test_no_skin_tone_goes_with_one_light():
    pairs = {(p.parts["skin"], p.parts["light"]) for p in (prompt("sad", 0, number) for number in range(400))}
    assert len(pairs) == len(PARTS["skin"]) * len(PARTS["light"])


@given(st.integers(0, 1000), st.integers(0, 500))
def test_a_seed_and_a_number_decide_the_prompt(seed, number):
    assert prompt("fear", seed, number) == prompt("fear", seed, number)


@pytest.mark.parametrize("shape", [(48, 48), (20, 30, 3)])
def test_a_written_face_is_marked_for_readers_that_others_wrote(tmp_path, shape):
    image = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    path = tmp_path / "face.png"
    write_png(image, path, 'a <generator> & "more"', "disgust")
    read = pyexiv2.Image(str(path))
    try:
        xmp = read.read_xmp()
    finally:
        read.close()
    assert xmp["Xmp.iptcExt.DigitalSourceType"] == TERM
    assert xmp["Xmp.iptcExt.AISystemUsed"] == 'a <generator> & "more"'
    with Image.open(path) as opened:
        assert "AI-generated" in opened.info["Comment"]
        np.testing.assert_array_equal(np.asarray(opened), image)
    assert is_marked(path)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_an_image_in_memory_marks_itself_where_it_is_saved(tmp_path, ending):
    path = tmp_path / f"face.{ending}"
    marked(np.zeros((48, 48), np.uint8), "a generator", "happy").save(path)
    read = pyexiv2.Image(str(path))
    try:
        assert read.read_xmp()["Xmp.iptcExt.DigitalSourceType"] == TERM
    finally:
        read.close()
    assert is_marked(path)


def test_a_photograph_is_not_marked(tmp_path):
    Image.new("L", (48, 48)).save(tmp_path / "photo.png")
    assert not is_marked(tmp_path / "photo.png")
    assert not is_marked(tmp_path / "nothing.png")
