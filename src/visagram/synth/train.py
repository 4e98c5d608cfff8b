"""Train the embedded generator: align the faces, learn latents, learn the flow between noise and them.

A run is a folder; it can be killed at any time and goes on from its last checkpoint with the same command. Every random
draw derives from (seed, purpose, step), so a resumed run ends where an unbroken one does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from visagram.core.types import Progress
from visagram.evaluate.data import TRAIN
from visagram.files import output_error
from visagram.learn.machine import keep_memory
from visagram.synth.checkpoint import CHECKPOINT, ENCODE
from visagram.synth.encoding import Encoding
from visagram.synth.faces import read_aligned
from visagram.synth.flowing import Flowing
from visagram.synth.learning import Saver
from visagram.synth.networks import Autoencoder
from visagram.synth.recipes import Recipe


def train(
    data: Path,
    output: Path,
    recipe: Recipe,
    progress: Progress,
    *,
    say: Callable[[str], None] = lambda _: None,
    checkpoint_seconds: float = 120.0,
) -> Path:
    """Train `recipe` on the sheets in `data`; returns the checkpoint in `output`, of a finished run. Resumes a run
    found there.

    say: told a sentence now and then. checkpoint_seconds: about as much work is lost by a kill. Raises `DataError`.
    """
    keep_memory()
    faces = read_aligned(data, TRAIN, progress)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(output, error) from error
    saver = Saver(output / CHECKPOINT, recipe, faces.digest(), checkpoint_seconds)
    stored = saver.stored()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    autoencoder = Autoencoder(recipe.shape)
    if stored is None or stored.phase == ENCODE:
        learning = Encoding(recipe, faces, device, stored)
        learning.run(saver, progress, say)
        autoencoder.load_state_dict(learning.averaged.state_dict())
        stored = None
    else:
        autoencoder.load_state_dict(stored.part("autoencoder"))
    flow = Flowing(recipe, faces, autoencoder.to(device).eval(), stored)
    flow.run(saver, progress, say)
    return output / CHECKPOINT
