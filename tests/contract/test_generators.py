"""What `Generator` asks, of every generator of the catalogue, and of the editor as far as it makes faces too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

import diffusion
from generators import Drawing, Portraits, write_generator
from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError
from visagram.synth.catalog import open_generator
from visagram.synth.generator import Face, image_seed
from visagram.synth.hub import ImageToImage

GREY, COLOUR = (CROP, CROP), (diffusion.SIDE, diffusion.SIDE, 3)
PICTURE = np.random.default_rng(0).integers(0, 256, COLOUR).astype(np.uint8)


@dataclass(frozen=True)
class Kind:
    """make: opens one. shape: of its images. many: more than it makes at once. apart: grey levels by which an image may
    differ where others were made beside it."""

    make: Callable[[], object]
    shape: tuple[int, ...]
    many: int = 3
    apart: int = 0


def _embedded(request: pytest.FixtureRequest) -> Kind:
    file = write_generator(_folder(request), candidates=2, rounds=2)
    return Kind(lambda: open_generator(f"own:{file}", file.parent), GREY, many=20)


def _text_to_image(request: pytest.FixtureRequest) -> Kind:
    folder = diffusion.write_stable_diffusion(_folder(request) / "tiny")
    # A pipeline sums in an order that depends on how many images it makes at once.
    return Kind(lambda: open_generator(f"diffusers:{folder}", folder), COLOUR, many=6, apart=1)


def _image_to_image(request: pytest.FixtureRequest) -> Kind:
    folder = diffusion.write_stable_diffusion(_folder(request) / "tiny")
    return Kind(lambda: ImageToImage("tiny", folder), COLOUR, many=6, apart=1)


def _folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue("tmp_path_factory").mktemp("generator")


KINDS = {
    "drawing": lambda request: Kind(Drawing, GREY),
    "portraits": lambda request: Kind(Portraits, GREY),
    "embedded": _embedded,
    "text to image": _text_to_image,
    "image to image": _image_to_image,
}

# An editor makes all versions of a face at once, and a fake has no networks.
that_go_on = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "image to image"], indirect=True)
with_networks = pytest.mark.parametrize("kind", ["embedded", "text to image", "image to image"], indirect=True)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param](request)


@pytest.fixture(scope="module")
def generator(kind):
    return kind.make()


def _faces(generator, count, *, expression="happy", seed=3, **more) -> Iterator[Face]:
    if isinstance(generator, ImageToImage):
        return generator.edit(PICTURE, expression, count, seed, steps=4, **more)
    return generator.generate(expression, count, seed, steps=2, **more)


def _same_faces(ours, theirs, apart=0):
    for one, other in zip(ours, theirs, strict=True):
        assert (one.number, one.seed) == (other.number, other.seed)
        np.testing.assert_allclose(one.image.astype(int), other.image.astype(int), rtol=0, atol=apart)


def test_faces_come_in_their_order_each_with_its_own_seed(kind, generator):
    faces = list(_faces(generator, kind.many))
    assert [face.number for face in faces] == list(range(kind.many))
    assert [face.seed for face in faces] == [image_seed(3, "happy", number) for number in range(kind.many)]


def test_images_are_grey_or_colour_in_8_bits(kind, generator):
    for face in _faces(generator, kind.many):
        assert face.image.shape == kind.shape
        assert face.image.dtype == np.uint8


def test_a_face_comes_with_what_a_manifest_keeps_of_it(generator):
    (face,) = _faces(generator, 1)
    assert isinstance(face.prompt, str)
    assert json.loads(json.dumps(dict(face.parameters))) == face.parameters
    assert face.refused == ""


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_can_be_asked_for(generator, expression):
    (face,) = _faces(generator, 1, expression=expression)
    assert face.seed == image_seed(3, expression, 0)


def test_the_same_seed_gives_the_same_images(kind, generator):
    torch.manual_seed(1)
    _same_faces(_faces(kind.make(), kind.many), _faces(generator, kind.many))


def test_what_else_is_made_meanwhile_does_not_matter(kind, generator):
    expected = list(_faces(generator, kind.many))
    pairs = zip(_faces(generator, kind.many), _faces(generator, kind.many, expression="sad", seed=9), strict=True)
    _same_faces((ours for ours, _ in pairs), expected)


def test_no_two_numbers_seeds_or_expressions_give_the_same_image(kind, generator):
    faces = [*_faces(generator, kind.many), *_faces(generator, 2, seed=4), *_faces(generator, 2, expression="sad")]
    assert len({face.image.tobytes() for face in faces}) == kind.many + 4


@that_go_on
def test_a_run_goes_on_at_any_number_with_the_faces_of_a_whole_one(kind, generator):
    whole = list(_faces(generator, kind.many))
    for first in (1, kind.many - 2):
        _same_faces(_faces(generator, kind.many, first=first), whole[first:], kind.apart)


@that_go_on
def test_a_face_is_the_same_alone_and_among_others(kind, generator):
    alone = [face for number in range(kind.many) for face in _faces(generator, number + 1, first=number)]
    _same_faces(alone, _faces(generator, kind.many), kind.apart)


def test_fewer_faces_are_the_first_of_many(kind, generator):
    whole = list(_faces(generator, kind.many))
    for count in (1, kind.many - 1):
        _same_faces(_faces(generator, count), whole[:count], kind.apart)


def test_no_faces_are_none(generator):
    assert list(_faces(generator, 0)) == []


@that_go_on
def test_nothing_is_left_where_all_faces_were_made(generator):
    assert list(_faces(generator, 3, first=3)) == []


def test_faces_come_as_they_are_made(kind, generator):
    some = islice(_faces(generator, 10**6), kind.many)
    assert [face.number for face in some] == list(range(kind.many))


def test_it_says_what_it_is(kind, generator):
    facts = generator.facts
    assert facts["name"] == generator.name == kind.make().name
    assert re.fullmatch("[0-9a-f]{64}", facts["sha256"])
    assert json.loads(json.dumps(dict(facts))) == facts


@with_networks
def test_it_says_of_which_version_it_is_and_who_may_use_it(generator):
    assert generator.facts["version"]
    assert generator.facts["licence"]


@with_networks
def test_a_closed_one_says_so_and_can_be_closed_again(kind, generator):
    closed = kind.make()
    assert len(list(_faces(closed, 1))) == 1
    closed.close()
    closed.close()
    with pytest.raises(ModelError, match="closed"):
        list(_faces(closed, 1))
    assert len(list(_faces(generator, 1))) == 1
