"""The state of a generator's training as one safetensors file: tensors, and a JSON header that says what of."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from visagram.errors import DataError
from visagram.files import replace_file
from visagram.synth.recipes import Recipe

CHECKPOINT = "checkpoint.safetensors"
ENCODE, FLOW = "encode", "flow"
"""Phases."""
FLOW_ALONE = (
    "variants",
    "flow_steps",
    "flow_batch",
    "flow_rate",
    "fall",
    "sharpen",
    "rare",
    "unlabelled",
    "late",
    "keep",
)
"""What does not matter before the flow begins: several flows can be tried over one autoencoder."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """data: digest of the faces. phase: 'encode' or 'flow'. step: steps done of it."""

    recipe: Recipe
    data: str
    phase: str
    step: int
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        return self.phase == FLOW and self.step == self.recipe.flow_steps

    def save(self, path: Path) -> None:
        """A reader finds either the old file or the new one."""
        facts = {"recipe": dataclasses.asdict(self.recipe), "data": self.data, "phase": self.phase, "step": self.step}
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
        with replace_file(path) as partial:
            save_file(whole, str(partial), metadata={name: json.dumps(value) for name, value in facts.items()})

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Raises `DataError` for a file that is damaged or from another version."""
        try:
            with safe_open(str(path), "pt") as stored:
                facts = {name: json.loads(text) for name, text in stored.metadata().items()}
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
            facts["recipe"] = Recipe.of(facts["recipe"])
            return cls(**facts, tensors=tensors)
        except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"The checkpoint {path} is damaged or from another version ({error}): delete it to start again."
            ) from error

    def check(self, path: Path, recipe: Recipe, data: str) -> None:
        """Raises `DataError` where this is not the run that is asked for."""
        ours, theirs = (_decisive(each, self.phase) for each in (self.recipe, recipe))
        differing = [f"recipe.{name}" for name in ours if ours[name] != theirs[name]]
        differing += ["data"] * (self.data != data)
        if differing:
            raise DataError(
                f"{path} belongs to another run (different: {', '.join(differing)}): choose another output."
            )

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors below `name`."""
        return {key[len(name) + 1 :]: value for key, value in self.tensors.items() if key.startswith(f"{name}.")}


def _decisive(recipe: Recipe, phase: str) -> dict[str, object]:
    """What decided the state of a run in that phase."""
    found: dict[str, object] = dataclasses.asdict(recipe)
    del found["sampling"]
    if phase == ENCODE:
        found["shape"] = (recipe.shape.latents, recipe.shape.widths)
        return {name: value for name, value in found.items() if name not in FLOW_ALONE}
    return found
