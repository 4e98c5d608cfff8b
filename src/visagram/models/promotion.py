"""Which expression model `visagram` stands for: the one that came with it, or one that was found better here.

What is promoted is a whole model, in place of the one before: nothing is mixed whose figures nobody measured.

    MODELS/promoted/promoted.json            what was promoted when, and which of it is in force
    MODELS/promoted/3bce12d2a3e2/visagram-emotion.onnx, .json, .safetensors

A promotion copies a model, whole or not at all, and then names it; a rollback names the one before. Nothing is deleted,
so that what an old report names can still be found.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from visagram.errors import ModelError, UsageError
from visagram.files import output_error, replace_file
from visagram.models.card import COMMITTEE, EMOTION, Card, file_hash, read_card, read_own_card

PLACE, STATE, SCHEMA = "promoted", "promoted.json", "visagram-promoted/1"
DIGITS = 12
"""Of its hash, by which a promoted model's folder is called."""
REMEDY = "run visagram models rollback to go on with the model before"


@dataclass(frozen=True, slots=True)
class Promotion:
    """sha256: of the model's file. source: where it came from, for people. at: when, ISO 8601 in UTC. reason: why."""

    sha256: str
    source: str
    at: str
    reason: str


def current(models: Path) -> Card:
    """The card of the model in force. models: the folder of models. Raises `ModelError`."""
    history = promotions(models)
    if not history:
        return read_card(COMMITTEE)
    card = read_card(EMOTION, _folder(models, history[-1]), REMEDY)
    if not card.file.is_file() or not history[-1].sha256 == card.sha256 == file_hash(card.file):
        raise ModelError(f"The promoted model {card.file} is not the one that was promoted: {REMEDY}.")
    return card


def learned(models: Path) -> Path:
    """What a further run begins with: the weights of the model in force, or those of the network that the model which
    comes with Visagram is fitted around. Raises `ModelError`."""
    card = current(models)
    return (read_card(EMOTION) if card.name == COMMITTEE else card).file.with_suffix(".safetensors")


def promotions(models: Path) -> list[Promotion]:
    """Those in force, the last of them most of all; none where the embedded model is. Raises `ModelError`."""
    path = models / PLACE / STATE
    try:
        if not path.is_file():
            return []
        found = json.loads(path.read_text("utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError(f"its schema is {found['schema']!r}")
        rows = [Promotion(**row) for row in found["promoted"]]
        for row in rows:
            if not all(isinstance(text, str) for text in asdict(row).values()) or not _is_hash(row.sha256):
                raise ValueError("a promotion is texts, and its sha256 one")
        return rows
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read ({error}): remove it to go on with the embedded model.") from error


def promote(place: Path, models: Path, reason: str, *, source: str = "") -> Card:
    """Have `visagram` stand for a model from now on. place: its ONNX file with its card beside it, or the folder of a
    training run. source: what to call that, if not by its path. Raises `ModelError`, `OutputError`, `UsageError` where
    it is in force already."""
    file = place / f"{EMOTION}.onnx" if place.is_dir() else place
    card = read_own_card(file)
    _try_out(card)
    with _locked(models) as state:
        history = promotions(models)
        if card.sha256 == current(models).sha256:
            raise UsageError(f"{file} is the model in force already.")
        found = Promotion(card.sha256, source or str(place), datetime.now(UTC).isoformat(timespec="seconds"), reason)
        _copy(file, _folder(models, found))
        _write(state, [*history, found])
    return current(models)


def rollback(models: Path) -> Card:
    """Take the last promotion back; returns the card of the model that is in force then. Raises `UsageError` where
    nothing was promoted, `OutputError`, `ModelError`."""
    with _locked(models) as state:
        history = promotions(models)
        if not history:
            raise UsageError("No model was promoted: the embedded one is in force.")
        _write(state, history[:-1])
    return current(models)


def _try_out(card: Card) -> None:
    """Whatever is promoted can be opened."""
    from visagram.models.emotion import OnnxClassifier

    OnnxClassifier(card, threads=1).close()


def _folder(models: Path, promotion: Promotion) -> Path:
    return models / PLACE / promotion.sha256[:DIGITS]


def _copy(file: Path, target: Path) -> None:
    """The model's files, all under the embedded one's name, into a new folder."""
    if target.is_dir():
        return
    facts = json.loads(file.with_suffix(".json").read_text("utf-8"))
    facts |= {"name": EMOTION, "file": f"{EMOTION}.onnx"}
    try:
        with tempfile.TemporaryDirectory(prefix=".promote-", dir=target.parent) as place:
            draft = Path(place) / "model"
            draft.mkdir()
            shutil.copyfile(file, draft / f"{EMOTION}.onnx")
            (draft / f"{EMOTION}.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
            # What further runs begin with; another's model has none.
            if (weights := file.with_suffix(".safetensors")).is_file():
                shutil.copyfile(weights, draft / f"{EMOTION}.safetensors")
            draft.rename(target)
    except OSError as error:
        raise output_error(target, error) from error


def _write(state: Path, history: list[Promotion]) -> None:
    with replace_file(state) as partial:
        whole = {"schema": SCHEMA, "promoted": [asdict(each) for each in history]}
        partial.write_text(json.dumps(whole, indent=2) + "\n", "utf-8")


@contextmanager
def _locked(models: Path) -> Iterator[Path]:
    """The file of the state, while nobody else changes it."""
    place = models / PLACE
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / ".lock", timeout=30)
        lock.acquire()
    except OSError as error:
        raise output_error(place, error) from error
    try:
        yield place / STATE
    finally:
        lock.release()


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
