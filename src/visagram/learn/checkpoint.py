"""The state of a run as one safetensors file: tensors, and a JSON header that says what they belong to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from visagram.errors import DataError
from visagram.files import replace_file
from visagram.learn.build import build
from visagram.learn.recipes import Recipe, Stage

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "visagram-emotion.safetensors"
"""What a finished run has learned, alone and in half precision: for further runs to begin with or to learn from."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """tensors: by name, `network.*`, `averaged.*` and `optimiser.*`. data: digest of the training faces. teachers:
    digests of the networks that were learned from. start: digest of the one that it began as, empty for none. step:
    steps done of `steps`. history: one record per epoch. partial: sums over the epoch that is under way."""

    recipe: Recipe
    data: str
    teachers: tuple[str, ...]
    step: int
    steps: int
    start: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    partial: dict[str, float] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """A reader finds either the old file or the new one."""
        kept = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("tensors", "recipe")}
        meta = {name: json.dumps(value) for name, value in kept.items()}
        meta["recipe"] = json.dumps(dataclasses.asdict(self.recipe))
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
        with replace_file(path) as partial:
            save_file(whole, str(partial), metadata=meta)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Raises `DataError` for a file that is damaged or from another version."""
        try:
            with safe_open(str(path), "pt") as stored:
                meta = {name: json.loads(text) for name, text in stored.metadata().items()}
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
            recipe = meta.pop("recipe")
            recipe["stages"] = tuple(Stage(*stage) for stage in recipe["stages"])
            meta["teachers"] = tuple(meta["teachers"])
            return cls(Recipe(**recipe), tensors=tensors, **meta)
        except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"The checkpoint {path} is damaged or from another version ({error}): delete it to start again."
            ) from error

    def learned(self) -> Checkpoint:
        """Only what a further run needs of a finished one, in half precision."""
        averaged = {f"averaged.{name}": tensor for name, tensor in self.part("averaged").items()}
        halved = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in averaged.items()}
        return dataclasses.replace(self, history=[], partial={}, tensors=halved)

    def check(self, path: Path, recipe: Recipe, data: str, teachers: tuple[str, ...], start: str) -> None:
        """Raises `DataError` where this is not the run that is asked for."""
        # How a file is written decides nothing of what is learned.
        names = [f.name for f in dataclasses.fields(Recipe) if f.name not in ("eight_bits", "half_weights")]
        differing = [f"recipe.{n}" for n in names if getattr(self.recipe, n) != getattr(recipe, n)]
        differing += ["data"] * (self.data != data) + ["teachers"] * (self.teachers != teachers)
        differing += ["start"] * (self.start != start)
        if differing:
            raise DataError(
                f"{path} belongs to another run (different: {', '.join(differing)}): choose another output."
            )

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors below `name`."""
        return {key[len(name) + 1 :]: value for key, value in self.tensors.items() if key.startswith(f"{name}.")}


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that came to its end. digest: of the averaged weights."""

    folder: Path
    recipe: Recipe
    data: str
    digest: str
    network: nn.Module

    def give(self, network: nn.Module) -> None:
        """Copy what was learned into `network`. Raises `DataError` where that is another one."""
        try:
            network.load_state_dict(self.network.state_dict())
        except RuntimeError as error:
            raise DataError(f"The run in {self.folder} trained another network than this recipe does.") from error


def finished(folder: Path) -> FinishedRun:
    """Open what a run has learned: its folder, or its file `WEIGHTS`. Raises `DataError`."""
    path = folder if folder.is_file() else folder / CHECKPOINT
    if not path.is_file():
        raise DataError(f"{folder} holds no {CHECKPOINT}: give the folder of a finished training run.")
    stored = Checkpoint.load(path)
    if stored.step < stored.steps:
        raise DataError(
            f"The run in {folder} is not finished ({stored.step} of {stored.steps} steps): finish it first."
        )
    averaged = stored.part("averaged")
    network = build(stored.recipe, pretrained=False)
    try:
        network.load_state_dict(averaged)
    except RuntimeError as error:
        raise DataError(f"The checkpoint {path} does not hold the network of its recipe.") from error
    hasher = hashlib.sha256()
    for name, tensor in sorted(averaged.items()):
        hasher.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return FinishedRun(folder, stored.recipe, stored.data, hasher.hexdigest(), network.eval())
