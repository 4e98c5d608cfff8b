"""A finished training as what ships: weights in half precision, and a card that says what they are and how good."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from visagram import __version__
from visagram.core.stages import EmotionClassifier
from visagram.core.types import EXPRESSIONS, Progress
from visagram.errors import DataError
from visagram.evaluate.data import TRAIN
from visagram.evaluate.duplicates import Prints, sketches
from visagram.files import replace_file
from visagram.learn.data import VALIDATION, Faces48
from visagram.learn.origin import named
from visagram.learn.words import APPARENT
from visagram.models.card import EMOTION, TEACHER, Card, read_card
from visagram.models.emotion import OnnxClassifier
from visagram.synth.checkpoint import CHECKPOINT, Checkpoint
from visagram.synth.chooser import Chooser
from visagram.synth.embedded import NAME, EmbeddedGenerator
from visagram.synth.faces import read_aligned
from visagram.synth.graph import Whole, write
from visagram.synth.measure import EACH, measure
from visagram.synth.networks import Autoencoder, Flow
from visagram.synth.refine import Explainer, Gain, gain

INTENDED = "Grey faces of people who do not exist, to balance training data of expression models and to test software."
MISUSE = (
    "To pass its images off as photographs: every file is marked as generated, and the mark must stay.",
    "To test a model: a model's figures come from real faces alone.",
    "To show what a group of people looks like: it repeats the imbalance of its data, which it does not know.",
)
LIMITS = (
    "48x48 pixels, grey, upright and frontal: what lies outside the crop was never seen.",
    "An expression is what people called it in photographs of actors and stock models: often stronger than in life.",
    "Rare expressions were learned from few faces: their variety is the least, see the figures.",
)


def export(
    run: Path, data: Path, judge: EmotionClassifier, progress: Progress, *, judged_by: str, each: int = EACH
) -> Path:
    """Write `visagram-diffusion.onnx` and its card into the folder of a finished run; returns the weights.

    judge: of the apparent expression of what it makes, never trained on generated faces; judged_by: its name. Raises
    `DataError`.
    """
    stored = Checkpoint.load(run / CHECKPOINT)
    if not stored.is_finished:
        raise DataError(f"The run in {run} is not finished (step {stored.step} of {stored.phase}): finish it first.")
    with TemporaryDirectory() as place:
        draft = Path(place)
        training, held_out = read_aligned(data, TRAIN, progress), read_aligned(data, VALIDATION, progress)
        origin = named(data)
        facts = _written(stored, training, draft) | origin.facts(len(training))
        facts["trained_on"] = f"{origin.title}, {len(training):,} aligned faces with soft labels"
        _write_card(facts, draft)
        card, chooser = read_card(NAME, draft), Chooser()
        choosing, unchosen = EmbeddedGenerator(card, chooser), EmbeddedGenerator(card)
        facts["measured"] = measure(choosing, unchosen, judge, training, held_out, progress, each=each).facts()
        facts["measured"] |= {"judged_by": judged_by, "chosen_by": TEACHER}
        chooser.close()
        facts["refine"] = refining(read_card(NAME, draft), held_out).facts()
        _write_card(facts, draft)
        for name in (f"{NAME}.onnx", f"{NAME}.json"):
            with replace_file(run / name) as partial:
                shutil.copyfile(draft / name, partial)
    return run / f"{NAME}.onnx"


def refining(card: Card, held_out: Faces48) -> Gain:
    """What the generator's word is worth beside the embedded model's, on real faces that neither has learned from."""
    faces = held_out.select(held_out.votes.majority)
    classifier, explainer = OnnxClassifier(read_card(EMOTION), threads=1), Explainer(card, threads=1)
    began = time.perf_counter()
    errors = explainer.errors(faces.luma)
    face_ms = 1e3 * (time.perf_counter() - began) / max(1, len(faces))
    return gain(classifier.classify(faces.luma), errors, faces.votes.labels, face_ms)


def whole_of(stored: Checkpoint) -> Whole:
    """The networks of a finished run."""
    autoencoder, flow, scale = Autoencoder(stored.recipe.shape), Flow(stored.recipe.shape), stored.part("scale")
    autoencoder.load_state_dict(stored.part("autoencoder"))
    flow.load_state_dict(stored.part("averaged"))
    return Whole(autoencoder, flow, scale["centre"].float(), scale["spread"].float())


def _written(stored: Checkpoint, training: Faces48, folder: Path) -> dict[str, Any]:
    """Write the weights, and say what they are."""
    path = folder / f"{NAME}.onnx"
    write(whole_of(stored), stored.recipe.shape, sketches(Prints.of(training.luma)), path)
    content = path.read_bytes()
    return {
        "name": NAME,
        "version": __version__,
        "task": "generation",
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "labels": list(EXPRESSIONS),
        "input": {"name": "expression and seed", "guidance": "0 to 20", "steps": "1 to 1000"},
        "output": [{"name": "luma", "meaning": "48x48 grey face, framed as the expression network wants it"}],
        "shape": dataclasses.asdict(stored.recipe.shape),
        "sampling": {
            "method": f"Heun, classifier-free guidance; candidates are drawn until {TEACHER} finds one good",
            **dataclasses.asdict(stored.recipe.sampling),
        },
        "recipe": dataclasses.asdict(stored.recipe),
        "intended_use": INTENDED,
        "apparent": APPARENT,
        "misuse": list(MISUSE),
        "limits": list(LIMITS),
    }


def _write_card(facts: Mapping[str, Any], folder: Path) -> None:
    with replace_file(folder / f"{NAME}.json") as partial:
        partial.write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", "utf-8")
