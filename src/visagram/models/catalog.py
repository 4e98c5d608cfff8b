"""Name to card to session. A card is a JSON file beside its ONNX file, and says everything code needs to know of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visagram.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime

EMBEDDED = Path(__file__).parent / "data"
DETECTOR, EMBEDDING, EMOTION = "retinaface-mobilenet025", "faceres-embedding", "visagram-emotion"


@dataclass(frozen=True, slots=True)
class Card:
    """A model and the facts about it. facts: the whole JSON file."""

    name: str
    task: str
    file: Path
    sha256: str
    facts: dict[str, Any]

    def for_report(self) -> dict[str, Any]:
        """What a report keeps of it."""
        version = self.facts.get("version") or self.facts.get("origin", {}).get("version", "")
        kept = {"name": self.name, "task": self.task, "version": version, "sha256": self.sha256}
        kept["licence"] = self.facts.get("licence", "")
        return kept | {key: self.facts[key] for key in ("trained_on", "metrics", "temperature") if key in self.facts}


def read_card(name: str, folder: Path = EMBEDDED) -> Card:
    """The card of a model. Raises `ModelError` where it is missing or does not make sense."""
    path = folder / f"{name}.json"
    try:
        facts = json.loads(path.read_text("utf-8"))
        file = folder / Path(facts["file"]).name
        return Card(facts["name"], facts["task"], file, facts["sha256"], facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The model card {path} cannot be used ({error}): reinstall Visagram.") from error


def model_cards() -> list[dict[str, Any]]:
    """What a report says about the models of an analysis."""
    return [read_card(name).for_report() for name in (DETECTOR, EMBEDDING, EMOTION)]


def same_person_threshold() -> float:
    """Cosine from which two embeddings are of one person."""
    return float(read_card(EMBEDDING).facts["threshold"])


def open_session(card: Card, threads: int) -> onnxruntime.InferenceSession:
    """A session over a card's file, checked against the card's hash. Raises `ModelError`."""
    try:
        content = card.file.read_bytes()
    except OSError as error:
        raise ModelError(f"The model file {card.file} cannot be read: reinstall Visagram.") from error
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise ModelError(f"The model file {card.file} does not match its card: reinstall Visagram.")
    # Imported here, so that cards can be read without the runtime.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads of several processes fight each other for the same cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
