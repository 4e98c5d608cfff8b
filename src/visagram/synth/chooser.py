"""Which of several candidates is taken: a face, no copy of one that was learned from, that shows what it should."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visagram.core.stages import EmotionClassifier
from visagram.evaluate.duplicates import SKETCH_DISTANCE, Prints, apart
from visagram.models.card import TEACHER, read_card
from visagram.models.emotion import OnnxClassifier
from visagram.synth.finder import FaceFinder

LEAST = 1e-9
NO_FACE, COPY = 1e3, 1e6
"""What candidates lose: one without a face loses to any with one, and a copy, by each bit that its sketch is too near,
to anything else."""


class Merits(NamedTuple):
    """value: (n,) the more, the better. good: (n,) bool, whether no better one is to be looked for."""

    value: NDArray[np.float64]
    good: NDArray[np.bool_]


class Chooser:
    """Rejection sampling by a classifier (Razavi et al. 2019, arXiv 1906.00446, section 3.3): the more training faces
    an expression has, the fewer candidates it takes.

    judge: never the model that is to learn from what is chosen.
    """

    def __init__(self, judge: EmotionClassifier | None = None, finder: FaceFinder | None = None) -> None:
        self._judge = judge or OnnxClassifier(read_card(TEACHER), threads=1)
        self._finder = finder or FaceFinder()

    def merits(self, images: NDArray[np.uint8], label: int, known: NDArray[np.uint64]) -> Merits:
        """images: (n, 48, 48) candidates for one expression. known: sketches of the faces that were learned from."""
        posterior = self._judge.classify(images)
        one = np.array([look.faces == 1 for look in self._finder.look(list(images))], bool)
        near = np.maximum(0, SKETCH_DISTANCE + 1 - apart(Prints.of(images), known))
        value = np.log(np.maximum(posterior[:, label].astype(np.float64), LEAST)) - NO_FACE * ~one - COPY * near
        good = (posterior.argmax(axis=1) == label) & one & (near == 0)
        # Of good ones the first is taken: always the surest would make them all alike.
        return Merits(np.where(good, 0.0, value), good)

    def close(self) -> None:
        self._judge.close()
