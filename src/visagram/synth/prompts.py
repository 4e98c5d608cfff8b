"""Prompts for text-to-image models, out of a written-down grammar.

    a photograph of the face of {age} {person} with {skin} skin, {expression}, {pose}, {light}, {setting}, {style}

An expression is described by its facial actions (Ekman & Friesen 1978), because models draw "a disgusted person" as a
cartoon. Every other part is drawn evenly: of as many consecutive faces as a part has words, each word has its turn
once, in an order of its own, so that no age, presentation or skin tone is missing and none goes with one light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visagram.core.types import EXPRESSIONS
from visagram.synth.generator import image_seed

ACTIONS = {
    "angry": "angry expression, brows lowered and drawn together, upper eyelids raised, glaring, lips pressed tight",
    "disgust": "disgusted expression, nose wrinkled, upper lip raised, cheeks lifted, brows lowered, eyes narrowed",
    "fear": "frightened expression, brows raised and drawn together, eyes wide open, lips stretched sideways",
    "happy": "happy expression, broad smile, lip corners pulled up, cheeks raised, crow's feet beside the eyes",
    "sad": "sad expression, inner brows raised, eyelids drooping, lip corners pulled down, chin pushed up",
    "surprise": "surprised expression, brows raised high, eyes wide open, jaw dropped, mouth open",
    "neutral": "neutral expression, relaxed face, eyes open, lips closed, no smile",
}
PARTS: dict[str, tuple[str, ...]] = {
    "age": ("a 20 year old", "a 28 year old", "a 36 year old", "a 45 year old", "a 57 year old", "a 70 year old"),
    "person": ("woman", "man", "androgynous person"),
    "skin": ("very light", "light", "light olive", "tan", "medium brown", "brown", "dark brown", "very dark"),
    "pose": ("facing the camera", "head turned slightly left", "head turned slightly right", "head tilted a little"),
    "light": ("soft daylight", "overcast light", "warm lamp light", "hard side light", "dim light", "office light"),
    "setting": ("plain wall", "living room", "street", "office", "park", "kitchen", "bus"),
    "style": ("close-up, video still", "close-up, webcam picture", "close-up portrait photograph, 50 mm"),
}
NEGATIVE = (
    "cartoon, painting, drawing, 3d render, doll, mask, several people, cropped forehead, hands over face, sunglasses, "
    "text, watermark, deformed, blurry, nude"
)
assert set(ACTIONS) == set(EXPRESSIONS)


@dataclass(frozen=True, slots=True)
class Prompt:
    """text: for the model. parts: what was drawn for it."""

    text: str
    parts: dict[str, str]


def prompt(expression: str, seed: int, number: int) -> Prompt:
    """The prompt of one face."""
    drawn = {name: _turn(words, f"{expression}/{name}", seed, number) for name, words in PARTS.items()}
    text = (
        f"a photograph of the face of {drawn['age']} {drawn['person']} with {drawn['skin']} skin, "
        f"{ACTIONS[expression]}, {drawn['pose']}, {drawn['light']}, {drawn['setting']} in the background, "
        f"{drawn['style']}, realistic skin"
    )
    return Prompt(text, drawn)


def change(expression: str) -> str:
    """The prompt that gives a face in a picture another expression."""
    return f"a photograph of the face of the same person, {ACTIONS[expression]}, realistic skin"


def _turn(words: tuple[str, ...], name: str, seed: int, number: int) -> str:
    """The word whose turn it is: each round of them has an order of its own."""
    turn, place = divmod(number, len(words))
    order = np.random.default_rng(image_seed(seed, name, turn)).permutation(len(words))
    return words[int(order[place])]
