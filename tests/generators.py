"""Generators for tests: noise that knows its seed, and a real smile in many lights."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from skimage import data as pictures

from visagram.core.geometry import CROP
from visagram.errors import GenerationFailed
from visagram.models.card import file_hash
from visagram.synth.generator import Face, image_seed
from visagram.synth.graph import Whole, write
from visagram.synth.networks import Autoencoder, Flow, Shape


class Drawing:
    """A generator whose faces are their seed as noise; it fails after `lasts` of them. refuses: numbers that it will
    not give."""

    def __init__(self, lasts: int = 10**9, refuses: tuple[int, ...] = (), name: str = "drawing") -> None:
        self.name, self.facts = name, {"name": name, "sha256": "ab" * 32}
        self.made: list[int] = []
        self._lasts, self._refuses = lasts, refuses

    def generate(self, expression, count, seed, *, first=0, guidance=None, steps=None) -> Iterator[Face]:
        for number in range(first, count):
            if len(self.made) == self._lasts:
                raise GenerationFailed("The drawing hand is tired.")
            self.made.append(number)
            own = image_seed(seed, expression, number)
            image = np.random.default_rng(own).integers(0, 255, (48, 48), np.uint8)
            refused = "unsuitable" if number in self._refuses else ""
            yield Face(image, number, own, "a prompt", {"guidance": guidance or 2.0}, refused)

    def close(self):
        pass


def portrait(seed, spread=1.0):
    """A smiling woman in the light, framing and resolution of `seed`; with more spread no two are copies."""
    random = np.random.default_rng(seed)
    grey = cv2.cvtColor(pictures.astronaut(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    x, y = 224 + spread * random.uniform(-6, 6), 125 + spread * random.uniform(-6, 6)
    half = 66 * np.exp(spread * random.uniform(-0.1, 0.1))
    turned = cv2.getRotationMatrix2D((x, y), spread * random.uniform(-14, 14), CROP / 2 / half)
    turned[:, 2] += CROP / 2 - np.array([x, y])
    face = cv2.warpAffine(grey, turned, (CROP, CROP), flags=cv2.INTER_AREA)
    ramp = np.linspace(-1, 1, CROP)[:, None] * random.uniform(-1, 1) + np.linspace(-1, 1, CROP) * random.uniform(-1, 1)
    clouds = cv2.resize(random.normal(0, 1, (5, 5)), (CROP, CROP), interpolation=cv2.INTER_CUBIC)
    face = face * random.uniform(0.7, 1.1) + spread * (45 * ramp + 12 * clouds)
    return np.clip(face, 0, 255).astype(np.uint8)


def write_generator(folder: Path, candidates: int, rounds: int) -> Path:
    """The weights of a generator of the smallest size, drawn at random, with their card."""
    shape = Shape(latents=2, widths=(4, 4, 4), width=8, hidden=8, layers=1, told=8)
    torch.manual_seed(0)
    networks = Autoencoder(shape), Flow(shape)
    for network in networks:
        for tensor in network.state_dict().values():
            tensor.add_(0.3 * torch.randn_like(tensor))
    weights = folder / "tiny.onnx"
    whole = Whole(*networks, torch.zeros(1, 2, 1, 1), torch.ones(1, 2, 1, 1))
    write(whole, shape, np.zeros((0, 6), np.uint64), weights)
    sampling = {"guidance": 2.0, "steps": 2, "candidates": candidates, "rounds": rounds}
    facts = {
        "name": "tiny",
        "version": "0",
        "licence": "MIT",
        "task": "generation",
        "file": weights.name,
        "sha256": file_hash(weights),
    }
    facts |= {"shape": dataclasses.asdict(shape), "sampling": sampling}
    weights.with_suffix(".json").write_text(json.dumps(facts), "utf-8")
    return weights


class Portraits:
    """A generator that always makes her smile, whatever it is asked for."""

    name, facts = "portraits", {"name": "portraits", "sha256": "cd" * 32}

    def __init__(self):
        self.asked = []

    def generate(self, expression, count, seed, *, first=0, guidance=None, steps=None):
        self.asked += [expression] * (count - first)
        for number in range(first, count):
            own = image_seed(seed, expression, number)
            yield Face(portrait(own, 2.5), number, own)

    def close(self):
        pass
