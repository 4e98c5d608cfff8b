"""What a run learned from, for its card."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.types import EXPRESSIONS
from visagram.evaluate.data import SHEETS
from visagram.learn.checkpoint import FinishedRun
from visagram.learn.data import Faces48
from visagram.learn.recipes import Recipe

FERPLUS = "4949d3cc69ce2dc4748ac67f11a50016ae10550642c76d1ba73f1e7839e35c49"
"""SHA-256 of the table of FER+, the data of the model that ships. Of other data its card must not claim the same."""
FERPLUS_NAME = "FER2013 faces (Goodfellow et al. 2013) with FER+ votes (Barsoum et al. 2016)"
FERPLUS_DATA = (
    {
        "name": "FER2013 (Goodfellow et al. 2013)",
        "what": "grey faces of 48x48 pixels, collected by a search engine for words of emotion",
        "terms": "Published for a competition; the photographs belong to their owners.",
    },
    {
        "name": "FER+ (Barsoum et al. 2016, doi 10.1145/2993148.2993165)",
        "what": "the votes of ten crowd workers on each of these faces",
        "terms": "MIT licence.",
    },
)
EMBEDDINGS = ("faceres", "committee")
"""Architectures that the face embedding is a part of."""
VGGFACE2 = {
    "name": "VGGFace2 (Cao et al. 2018)",
    "what": "3.3 million web photographs of 9,131 people, by way of the face embedding of HSE (Savchenko) that was "
    "fine-tuned",
    "terms": "Its authors offer it for research; it was withdrawn from their page, and the photographs show people who "
    "were not asked.",
}


@dataclass(frozen=True, slots=True)
class Added:
    """Faces to learn from beside the sheets. facts: how many (`faces`), of which expressions, made or named by what."""

    faces: Faces48
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, faces: Faces48, facts: Mapping[str, Any]) -> Added:
        """With what can be counted."""
        counts = np.bincount(faces.votes.labels, minlength=len(EXPRESSIONS))
        counted = {name: int(n) for name, n in zip(EXPRESSIONS, counts, strict=True) if n}
        return cls(faces, {**facts, "faces": len(faces), "by_expression": counted})

    def select(self, keep: NDArray[np.bool_]) -> Added:
        """Some of them."""
        return Added.of(self.faces.select(keep), self.facts)


def _knows_photographs(run: FinishedRun) -> bool:
    """Whether the face embedding is behind a run by way of its own teachers, as its card says."""
    folder = run.folder if run.folder.is_dir() else run.folder.parent
    try:
        data = json.loads((folder / "visagram-emotion.json").read_text("utf-8"))["data"]
        return any(each["name"] == VGGFACE2["name"] for each in data)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def named(data: Path) -> Origin:
    """Where the faces in `data` come from, of a model that learned from nothing else."""
    return Origin(data.resolve().name, hashlib.sha256((data / SHEETS).read_bytes()).hexdigest() == FERPLUS)


@dataclass(frozen=True, slots=True)
class Origin:
    """name: of the data's folder. ferplus: whether it is FER+. teachers: what was learned from beside it, or begun
    with. pretrained: whether the face embedding is among what it comes from. also: what is said of real faces beside
    those of the data. generated: likewise of faces that do not exist."""

    name: str
    ferplus: bool
    teachers: tuple[dict[str, str], ...] = ()
    pretrained: bool = False
    also: Mapping[str, Any] = field(default_factory=dict)
    generated: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: Path,
        recipe: Recipe,
        teachers: Sequence[FinishedRun],
        begun: FinishedRun | None,
        also: Added | None = None,
        generated: Added | None = None,
    ) -> Origin:
        told = [("teacher", run) for run in teachers] + [("start", run) for run in (begun,) if run is not None]
        return dataclasses.replace(
            named(data),
            teachers=tuple({"role": role, "recipe": run.recipe.name, "sha256": run.digest} for role, run in told),
            pretrained=any(
                each.architecture in ("faceres", "committee") for each in (recipe, *(run.recipe for _, run in told))
            )
            or any(_knows_photographs(run) for _, run in told),
            also=also.facts if also else {},
            generated=generated.facts if generated else {},
        )

    def split(self, fold: int | None) -> str:
        """Which of the faces a model is judged on. fold: as in the recipe."""
        part = "validation" if fold is None else f"train and validation, fold {fold}"
        return f"{'FER+' if self.ferplus else self.name} {part}"

    @property
    def title(self) -> str:
        """For people."""
        return FERPLUS_NAME if self.ferplus else self.name

    def facts(self, faces: int) -> dict[str, Any]:
        """The keys of a card that say it. faces: real ones that were trained on."""
        data = list(FERPLUS_DATA) if self.ferplus else [{"name": self.name, "what": f"{faces:,} faces", "terms": ""}]
        faces -= int(self.also.get("faces", 0))
        found: dict[str, Any] = {
            "licence": "MIT" if self.ferplus and not self.also else "",
            "trained_on": f"{self.title}, {faces:,} faces with soft labels",
            "data": [*data, *([VGGFACE2] if self.pretrained else [])],
        }
        if self.pretrained:
            found["trained_on"] += "; learned also from a network that was trained on VGGFace2"
        if self.also:
            found["trained_on"] += f"; and on {self.also['faces']:,} further faces ({self.also['name']})"
            found["also"] = dict(self.also)
        if self.generated:
            found["trained_on"] += f"; and on {self.generated['faces']:,} generated faces"
            found["generated"] = dict(self.generated)
        return found | ({"teachers": list(self.teachers)} if self.teachers else {})
