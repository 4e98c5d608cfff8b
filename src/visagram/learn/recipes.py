"""What a run learns, as values: named recipes, stored whole in checkpoints and cards."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple


class Stage(NamedTuple):
    """Blocks of one width. kind: 'rep', 'residual' or 'inverted' (see `network.py`). stride: of the first block.

    gate: whether a squeeze-excitation follows each block's convolutions.
    """

    kind: str
    width: int
    blocks: int
    stride: int
    gate: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run learns.

    architecture: 'stages' (the network of `stages`, first convolution `stem` wide with `stem_stride`), 'faceres' (the
    embedded face embedding, fine-tuned; faces enlarged to `side` pixels, the first `frozen` layers left as they are) or
    'committee' (`committee.py`: a last layer on the embedding as it is).
    optimiser: 'sgd' (Nesterov, `peak_rate`) or 'adamw' (for pretrained weights; the new head learns `head_rate` times
    as fast).
    calm_epochs: the last epochs run with gentle augmentation and without mixing, so that the network ends on faces like
    those it will see; in them each batch holds every face twice, as two draws of the landmarks' noise see it, and
    `consistency` weighs how far the two posteriors may lie apart.
    strength: share of the augmentation's ranges and chances before the calm epochs.
    mixup, cutmix: share of the faces that are blended with, or get a part of, another face.
    refit: nothing is learned but the last layer, anew, on the features of the run that this one begins with
    (`refit.py`). lean: share of the prior's logarithm that is taken out of its logits, 0 for that of the data, 1 for an
    even one. decay: of its weights. first: votes that count beside the taggers' for the label that a face had before.
    rare: 0 draws faces as they come, 1 as if all expressions were equally frequent, 0.5 in between (square root);
    `compensate`: share of that shift taken back out of the posteriors, see `balance.py`.
    distil: weight of the teacher's posteriors against the votes, where the run has teachers; softness: the temperature
    at which they are compared.
    ema_steps: length of the running average of weights. return_to_start: share of the way that a run which began with
    another one's weights goes back to them at its end.
    fold: None trains on the split `train` and judges on `validation`; k of 0..4 is one fold of a cross-validation over
    both. share: part of the training faces that is used, for trials.
    eight_bits: whether the file computes in 8-bit integers; half_weights: whether it only keeps its weights in half
    precision, where eight bits would cost accuracy.
    """

    name: str = "small"
    architecture: str = "stages"
    stem: int = 32
    stem_stride: int = 2
    stages: tuple[Stage, ...] = ()
    expand: int = 4
    side: int = 0
    frozen: int = 0
    dropout: float = 0.1
    epochs: int = 90
    calm_epochs: int = 8
    batch: int = 128
    optimiser: str = "sgd"
    peak_rate: float = 0.1
    head_rate: float = 1.0
    weight_decay: float = 5e-4
    strength: float = 1.0
    mixup: float = 0.3
    cutmix: float = 0.1
    consistency: float = 1.0
    rare: float = 0.4
    compensate: float = 0.7
    distil: float = 0.7
    softness: float = 1.5
    ema_steps: float = 100.0
    return_to_start: float = 0.0
    seed: int = 0
    fold: int | None = None
    share: float = 1.0
    refit: bool = False
    lean: float = 0.0
    decay: float = 1e-3
    first: float = 0.0
    eight_bits: bool = False
    half_weights: bool = False

    def lasting(self, epochs: int | None) -> Recipe:
        """The same over another number of epochs, of which the same part is calm."""
        if epochs is None or self.refit:
            return self
        calm = math.ceil(self.calm_epochs * epochs / self.epochs)
        return dataclasses.replace(self, epochs=epochs, calm_epochs=calm)


SMALL = (
    Stage("rep", 32, 1, 2),
    Stage("residual", 64, 2, 2),
    Stage("residual", 128, 2, 2),
    Stage("residual", 256, 1, 2),
)

_SMALL = Recipe(
    stem=16,
    stem_stride=1,
    stages=SMALL,
    optimiser="adamw",
    peak_rate=2e-3,
    weight_decay=0.05,
    eight_bits=True,
)

RECIPES = {
    "small": _SMALL,
    "sibling": dataclasses.replace(_SMALL, name="sibling", epochs=42, calm_epochs=4, strength=0.6),
    "finetune": dataclasses.replace(
        _SMALL, name="finetune", epochs=6, calm_epochs=3, peak_rate=3e-4, strength=0.6, mixup=0.2, return_to_start=0.3
    ),
    "refit": dataclasses.replace(_SMALL, name="refit", epochs=0, calm_epochs=0, refit=True, lean=0.25, first=3.0),
    "committee": Recipe(
        name="committee",
        architecture="committee",
        side=224,
        epochs=0,
        calm_epochs=0,
        refit=True,
        lean=0.4,
        decay=0.05,
        first=3.0,
        half_weights=True,
    ),
    "teacher": Recipe(
        name="teacher",
        architecture="faceres",
        side=144,
        frozen=5,
        dropout=0.3,
        epochs=10,
        calm_epochs=2,
        batch=64,
        optimiser="adamw",
        peak_rate=3e-4,
        head_rate=5.0,
        weight_decay=0.05,
        mixup=0.2,
        cutmix=0.1,
        half_weights=True,
    ),
    "tiny": Recipe(
        name="tiny",
        stem=8,
        stages=(Stage("rep", 8, 1, 2), Stage("rep", 16, 2, 2)),
        epochs=2,
        calm_epochs=1,
        batch=32,
        peak_rate=0.05,
        ema_steps=5,
    ),
}
"""`small`: the embedded model. `teacher` and `sibling`: what it learns from, a fine-tuned face embedding and the same
network with less augmentation, which is better on clean faces. `refit`: the last layer of the embedded model, for faces
from elsewhere than its data. `committee`: that network and the face embedding under one last layer. `finetune`: goes on
from the embedded model at a low rate, perhaps with generated faces, which the calm epochs leave out. `tiny`: for
tests."""
