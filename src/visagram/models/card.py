"""Name to card to session. A card is a JSON file beside its ONNX file, and says everything code needs to know of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visagram.core.certainty import is_threshold
from visagram.core.prior import is_prior
from visagram.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime

EMBEDDED = Path(__file__).parent / "data"
DETECTOR, EMBEDDING, EMOTION = "retinaface-mobilenet025", "faceres-embedding", "visagram-emotion"
COMMITTEE, TEACHER, GENERATOR = "visagram-committee", "visagram-teacher", "visagram-diffusion"
REINSTALL = "reinstall Visagram"


@dataclass(frozen=True, slots=True)
class Card:
    """A model and the facts about it.

    file: its weights, or the folder that holds them. sha256: of the weights; empty where they are still to be fetched.
    facts: the whole JSON file. remedy: what to do about a damaged file.
    """

    name: str
    task: str
    file: Path
    sha256: str
    facts: dict[str, Any]
    remedy: str = REINSTALL

    def for_report(self) -> dict[str, Any]:
        """What a report keeps of it."""
        version = self.facts.get("version") or self.facts.get("origin", {}).get("version", "")
        kept = {"name": self.name, "task": self.task, "version": version, "sha256": self.sha256}
        kept["licence"] = self.facts.get("licence", "")
        more = ("trained_on", "metrics", "temperature", "unsure_below", "prior")
        return kept | {key: self.facts[key] for key in more if key in self.facts}


def read_card(name: str, folder: Path = EMBEDDED, remedy: str = REINSTALL) -> Card:
    """The card of a model. remedy: for a message. Raises `ModelError` where it is missing or does not make sense."""
    return _card(folder / f"{name}.json", remedy)


def read_own_card(file: Path) -> Card:
    """The card beside somebody's own ONNX file: `model.json` beside `model.onnx`. It goes by the file's name, because
    training gives every card the same.

    Raises `ModelError` for files that are no ONNX, that have no card, or another one's.
    """
    if file.suffix.lower() != ".onnx":
        raise ModelError(f"{file} is not an ONNX file: only ONNX and safetensors are ever loaded, so convert it.")
    if not file.is_file():
        raise ModelError(f"There is no model file {file}.")
    path = file.with_suffix(".json")
    if not path.is_file():
        raise ModelError(f"{file} has no card: put {path.name} beside it, as visagram train writes it.")
    card = _card(path, "take the card that was written with it")
    if card.file.name != file.name:
        raise ModelError(f"The card {path} is of {card.file.name}, not of {file.name}: {card.remedy}.")
    if card.task != "expression":
        raise ModelError(f"The card {path} is of a model for {card.task}, not for expression.")
    if file_hash(file) != card.sha256:
        raise ModelError(f"The model file {file} does not match its card: {card.remedy}.")
    return dataclasses.replace(card, name=f"onnx:{file.name}")


def _card(path: Path, remedy: str) -> Card:
    try:
        facts = json.loads(path.read_text("utf-8"), parse_constant=_refuse)
        file = path.parent / Path(facts["file"]).name
        texts = (facts["name"], facts["task"], facts["sha256"])
        if not all(isinstance(text, str) for text in texts) or not isinstance(facts.get("origin", {}), dict):
            raise TypeError("name, task and sha256 are texts, origin is an object")
        if not is_threshold(facts.get("unsure_below")):
            raise ValueError("unsure_below is a probability, 0 to 1, or one for each of the seven expressions")
        if not is_prior(facts.get("prior")):
            raise ValueError("prior is a share above 0 for each of the seven expressions")
        return Card(*texts[:2], file, texts[2].lower(), facts, remedy)
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise ModelError(f"The model card {path} cannot be used ({what}): {remedy}.") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"it holds {constant}, which is no number")


def file_hash(file: Path) -> str:
    """SHA-256 of a file as hexadecimal digits. Raises `ModelError` where it cannot be read."""
    try:
        stat = file.stat()
        return _file_hash(file, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise ModelError(f"The model file {file} cannot be read ({error.strerror or error}).") from error


@lru_cache(maxsize=64)
def _file_hash(file: Path, _bytes: int, _changed: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_session(card: Card, threads: int) -> onnxruntime.InferenceSession:
    """A session over a card's file, checked against the card's hash. Raises `ModelError`."""
    try:
        content = card.file.read_bytes()
    except OSError as error:
        raise ModelError(f"The model file {card.file} cannot be read: {card.remedy}.") from error
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise ModelError(f"The model file {card.file} does not match its card: {card.remedy}.")
    return session_of(content, card.file, threads)


def session_of(content: bytes, file: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session over what a file holds, unchecked. Raises `ModelError`."""
    # Imported here, so that cards can be read without the runtime.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads of several processes fight each other for the same cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # The runtime has classes of its own for every way in which a file can be none.
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"The model file {file} is not an ONNX model that can be run ({reason}).") from error
