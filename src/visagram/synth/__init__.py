"""Faces that do not exist: generators, what is kept of what they make, and what it is good for.

from visagram.synth import generate_face
generate_face("happiness", seed=7).save("happy.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["generate_face"]


def generate_face(expression: str, seed: int = 0, *, generator: str = "visagram-diffusion") -> Image:
    """One generated face with an apparent expression: `happy`, or `happiness` and what else people call it.

    The same seed gives the same face. generator: as `visagram synth generate --generator` takes it. The image marks
    itself as generated wherever it is saved as PNG, JPEG or WebP. Raises `UsageError`, `MissingExtra`, `ModelError`,
    `GenerationFailed`.
    """
    from visagram.settings import Settings
    from visagram.synth.catalog import open_generator
    from visagram.synth.generator import expression_named
    from visagram.synth.marking import marked

    wanted, settings = expression_named(expression), Settings.load()
    opened = open_generator(generator, settings.models_folder, offline=settings.offline)
    try:
        (face,) = opened.generate(wanted, 1, seed)
        return marked(face.image, opened.name, wanted)
    finally:
        opened.close()
