"""The embedded expression network and the face embedding as one: a linear layer on the features of both.

The embedding learned from millions of photographs of thousands of people, and its layers tell expressions apart that no
network learns from FER+ alone. Its weights stay as they are: fine-tuned on the same faces they would forget it. Of the
embedding the linear layer sees where in the face something is: a grid of pooled features.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from visagram.core.geometry import CROP
from visagram.core.types import EXPRESSIONS, Progress
from visagram.errors import DataError
from visagram.files import output_error
from visagram.learn.checkpoint import FinishedRun
from visagram.learn.data import Faces48, divide
from visagram.learn.export import export, to_onnx
from visagram.learn.faceres import CONTRAST, Faceres, load_pretrained
from visagram.learn.machine import keep_memory
from visagram.learn.network import ExpressionNetwork, folded
from visagram.learn.origin import Origin
from visagram.learn.recipes import Recipe
from visagram.learn.refit import fitted
from visagram.learn.views import WEIGHTS, views
from visagram.models.card import session_of
from visagram.models.quantise import in_half_precision

GRID = 2
"""Cells of the pooled features, across and down."""
FARTHEST = 6.0
"""Standard deviations at which a feature is cut off."""
QUICK = 1.4
"""How many times as large as the embedding's the features of the quick network are: few beside those, they would be
shrunk by the same decay as much as those that know less of expressions."""
BATCH = 2


class Committee(nn.Module):
    """(n, 1, 48, 48) float32 luma in 0..255 to (n, 7) float32 logits. quick: the embedded expression network."""

    centre: Tensor
    spread: Tensor

    def __init__(self, recipe: Recipe, quick: ExpressionNetwork) -> None:
        super().__init__()
        self.face, self.quick = Faceres(recipe), quick
        width = 1024 * GRID**2 + quick.head.in_features
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.head = nn.Linear(width, len(EXPRESSIONS))

    def forward(self, luma: Tensor) -> Tensor:
        logits: Tensor = self.head(self.even(self.looks(luma)))
        return logits

    def looks(self, luma: Tensor) -> Tensor:
        """(n, d) features: the embedding's, pooled in overlapping cells, and those below the quick network's last
        layer."""
        size = (self.face.side, self.face.side)
        large = functional.interpolate(self.face.standardise(luma), size, mode="bilinear", align_corners=False)
        seen = self.face.features(large * CONTRAST)
        stride = seen.shape[-1] // GRID
        pooled = functional.avg_pool2d(seen, seen.shape[-1] - (GRID - 1) * stride, stride)
        return torch.cat([pooled.flatten(1), self.quick.embed(luma)], dim=1)

    def even(self, looks: Tensor) -> Tensor:
        """(n, d) what the last layer sees: features of even size."""
        return ((looks - self.centre) / self.spread).clamp(-FARTHEST, FARTHEST)


def train_committee(
    data: Path,
    output: Path,
    recipe: Recipe,
    quick: FinishedRun,
    progress: Progress,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Fit the last layer to the sheets in `data`; returns the ONNX file in `output`.

    quick: the run of the embedded network. It takes some minutes on two cores; an interrupted run begins again. Raises
    `DataError`, `OutputError`.
    """
    keep_memory()
    if not isinstance(quick.network, ExpressionNetwork):
        raise DataError(f"The run in {quick.folder} is not one of the embedded network.")
    faces, held_out = divide(data, recipe.fold)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(output, error) from error
    network = Committee(recipe, quick.network).eval()
    load_pretrained(network.face)
    say(f"{len(WEIGHTS)} views of {len(faces):,} faces are looked at.")
    looks = _looks(network, faces, recipe, progress)
    say("The last layer is fitted.")
    _fit(network, looks, faces, recipe)
    return export(
        network,
        recipe,
        origin=Origin.of(data, recipe, (), quick),
        faces=faces,
        held_out=held_out,
        history=(),
        folder=output,
    )


def _looks(network: Committee, faces: Faces48, recipe: Recipe, progress: Progress) -> NDArray[np.float16]:
    """(views * n, d) features, all faces of one view after the other."""
    total = len(WEIGHTS) * len(faces)
    found = np.empty((total, len(network.centre)), np.float16)
    with TemporaryDirectory() as folder:
        look = _looker(network, Path(folder))
        for number, luma in enumerate(views(faces.luma, recipe.seed)):
            for start in range(0, len(luma), BATCH):
                part = look(luma[start : start + BATCH])
                at = number * len(luma) + start
                found[at : at + len(part)] = part
                progress("look", at + len(part), total)
    return found


@torch.no_grad()
def _fit(network: Committee, looks: NDArray[np.float16], faces: Faces48, recipe: Recipe) -> None:
    """The last layer of least cross-entropy with the labels over all views, as `refit.py` has it."""
    plain = torch.from_numpy(looks[: len(faces)]).float()
    network.centre.copy_(plain.mean(dim=0))
    network.spread.copy_(plain.std(dim=0) + 1e-3)
    given = torch.empty(looks.shape, dtype=torch.float32)
    for start in range(0, len(looks), len(faces)):
        # A part at a time: all of them are two gigabytes.
        given[start : start + len(faces)] = network.even(torch.from_numpy(looks[start : start + len(faces)]).float())
    size = torch.ones_like(network.centre)
    size[-network.quick.head.in_features :] = QUICK
    given *= size
    wanted = torch.from_numpy(faces.targets(recipe.first))
    with torch.enable_grad():
        weight, bias = fitted(given, wanted, lean=recipe.lean, decay=recipe.decay)
    network.head.weight.copy_((weight * size[:, None]).T)
    network.head.bias.copy_(bias)


def _looker(network: Committee, folder: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float16]]:
    """The features of faces as the file that ships computes them: faster than PyTorch, and the same numbers."""

    plain = folded(network)
    assert isinstance(plain, Committee)

    class Looks(nn.Module):
        def __init__(self, network: Committee) -> None:
            super().__init__()
            self.network = network

        def forward(self, luma: Tensor) -> Tensor:
            return self.network.looks(luma)

    path = folder / "looks.onnx"
    to_onnx(Looks(plain).eval(), {"luma": torch.zeros(2, 1, CROP, CROP)}, "looks", path)
    in_half_precision(path, path)
    session = session_of(path.read_bytes(), path, torch.get_num_threads())

    def look(luma: NDArray[np.uint8]) -> NDArray[np.float16]:
        (found,) = session.run(None, {"luma": np.ascontiguousarray(luma)[:, None].astype(np.float32)})
        return np.asarray(found, np.float16)

    return look
