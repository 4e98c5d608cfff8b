"""Draw `docs/images/generated.png`, a row of generated faces for each expression: `python tools/draw_generated.py`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from visagram.core.types import EXPRESSIONS
from visagram.models.card import GENERATOR
from visagram.settings import Settings
from visagram.synth.catalog import open_generator
from visagram.synth.marking import write_png

EACH, SEED, SCALE, GAP = 12, 0, 2, 4
TARGET = Path(__file__).resolve().parents[1] / "docs" / "images" / "generated.png"


def main() -> None:
    """The first faces of seed 0, as the generator gives them."""
    generator = open_generator(GENERATOR, Settings().models_folder, offline=True)
    rows = []
    for expression in EXPRESSIONS:
        faces = [face.image for face in generator.generate(expression, EACH, SEED)]
        large = [cv2.resize(face, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC) for face in faces]
        rows.append(np.hstack([np.pad(face, GAP // 2, constant_values=255) for face in large]))
    write_png(np.vstack(rows), TARGET, generator.name, "of all seven")


if __name__ == "__main__":
    main()
