"""Any image-classification model of Hugging Face, by name or as a folder, through `transformers`.

Weights are safetensors; code that comes with a model is not run. Its own image processor prepares the crops.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.stages import Crops, Framing
from visagram.core.types import EXPRESSIONS
from visagram.errors import ModelError, UsageError
from visagram.models.card import Card, file_hash
from visagram.models.crops import as_bgr
from visagram.models.emotion import label_order
from visagram.models.fetch import Watch, check_kind, fetch_snapshot, nobody

BATCH = 16
FRAMING = Framing(aligned=False, margin=0.1, square=True, upright=True)
"""Such models say nothing of their framing; most learned from square crops of upright faces with a little air."""
FILES = ("config.json", "preprocessor_config.json")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack")


def folder_of(name: str, models: Path, kind: str = "huggingface") -> Path:
    """Where a model lies: a folder that exists, or what a name on the hub is fetched to, below `models`/`kind`. Raises
    `UsageError`."""
    if Path(name).is_dir():
        return Path(name)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", name) or ".." in name:
        raise UsageError(f"'{name}' is neither a folder nor the name of a model on Hugging Face (owner/name).")
    return models / kind / name.replace("/", "--")


def fetch_model(name: str, models: Path, *, offline: bool, watch: Watch = nobody) -> Path:
    """The model's folder, fetched if it is not there. Raises `ModelError`, `UsageError`."""
    folder = folder_of(name, models)
    if folder == Path(name) or folder.is_dir():
        return folder
    return fetch_snapshot(name, folder, _wanted, offline=offline, needed=FILES, watch=watch)


def read_card(name: str, models: Path) -> Card:
    """A card made of what lies in the model's folder. sha256: of its files. Raises `ModelError`, `UsageError`."""
    folder = folder_of(name, models)
    remedy = "fetch it again" if folder != Path(name) else "take it as its author published it"
    if not folder.is_dir():
        return Card(f"hf:{name}", "expression", folder, "", {"licence": "see its page on Hugging Face"}, remedy)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickled = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLES)
        found = f" but {', '.join(pickled)}, which may run code when it is read" if pickled else ""
        raise ModelError(f"{folder} holds no safetensors file{found}: only ONNX and safetensors are ever loaded.")
    for file in weights:
        try:
            check_kind(file)
        except (OSError, ValueError) as error:
            raise ModelError(f"{file} is not a safetensors file: {remedy}.") from error
    config = _json(folder / "config.json", remedy)
    labels = _labels(config, folder)
    used = [folder / name for name in FILES] + weights
    _json(used[1], remedy)
    facts = {
        "name": f"hf:{name}",
        "task": "expression",
        "file": weights[0].name,
        "bytes": sum(file.stat().st_size for file in weights),
        "licence": "see its page on Hugging Face",
        "trained_on": "see its page on Hugging Face",
        "origin": {"registry": "Hugging Face", "package": name, "version": str(config.get("_commit_hash") or "")},
        "labels": labels,
        "label_table": dict(zip(labels, _table(labels, folder), strict=True)),
        "input": {"crop": "box", "colour": "rgb", "margin": FRAMING.margin, "square": True, "upright": True},
        "output": [{"name": "logits", "meaning": "one logit per label; posterior = softmax(logits)"}],
        "limits": "Not calibrated here. Its framing is unknown: it is given square upright crops with a margin.",
    }
    return Card(f"hf:{name}", "expression", folder, _combined(used), facts, remedy)


class HuggingFaceClassifier:
    """`EmotionClassifier` over `AutoModelForImageClassification` and its image processor.

    threads: of torch, which has one number for the whole process. alive: called for each batch. Raises `ModelError`.
    """

    framing = FRAMING

    def __init__(self, card: Card, *, threads: int, alive: Callable[[], None] = lambda: None) -> None:
        if not card.sha256:
            raise ModelError(f"{card.name} is not in {card.file.parent}: {card.remedy}.")
        labels = card.facts["labels"]
        self._order = label_order(labels, card.name)
        self._alive = alive
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            import transformers

            library: Any = transformers
            library.utils.logging.set_verbosity_error()
            library.utils.logging.disable_progress_bar()
            self._torch = torch
            torch.set_num_threads(threads)
            local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            try:
                self._processor: Any = library.AutoImageProcessor.from_pretrained(card.file, backend="pil", **local)
                model, said = library.AutoModelForImageClassification.from_pretrained(
                    card.file, use_safetensors=True, output_loading_info=True, **local
                )
            except Exception as error:
                # The library raises whatever its parts raise; a model that cannot be read is no crash of ours.
                raise ModelError(f"{card.file} cannot be opened ({_first_line(error)}): {card.remedy}.") from error
        lost = sorted(str(name) for name in said.get("missing_keys", ()))
        if lost or said.get("mismatched_keys"):
            raise ModelError(f"The weights in {card.file} are not those of its config.json ({', '.join(lost[:3])}).")
        outputs = int(model.config.num_labels)
        if outputs != len(labels):
            raise ModelError(f"{card.file} gives {outputs} outputs, but its config.json names {len(labels)} labels.")
        self._model: Any | None = model.eval()
        try:
            # A processor of another model is found out here, not in the middle of a video.
            self.classify([np.zeros((8, 8), np.uint8)])
        except Exception as error:
            raise ModelError(f"{card.file} cannot be used ({_first_line(error)}): {card.remedy}.") from error

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        if (model := self._model) is None:
            raise ModelError("The classifier was closed.")
        posteriors = np.empty((len(crops), len(EXPRESSIONS)), np.float32)
        for start in range(0, len(crops), BATCH):
            self._alive()
            pictures = [np.ascontiguousarray(as_bgr(crop)[..., ::-1]) for crop in crops[start : start + BATCH]]
            pixels = self._processor(images=pictures, return_tensors="pt", input_data_format="channels_last")
            with self._torch.inference_mode():
                logits = model(pixel_values=pixels["pixel_values"]).logits
            posteriors[start : start + BATCH] = logits.float().softmax(dim=1).numpy()
        return posteriors if self._order is None else posteriors[:, self._order]

    def close(self) -> None:
        self._model = None


def _wanted(file: str) -> bool:
    return file in FILES or file.endswith((".safetensors", ".safetensors.index.json"))


def _labels(config: dict[str, Any], folder: Path) -> list[str]:
    names = config.get("id2label")
    if not isinstance(names, dict) or sorted(names) != sorted(str(k) for k in range(len(names))):
        raise ModelError(f"{folder / 'config.json'} names no labels: it is not an image-classification model.")
    return [str(names[str(k)]) for k in range(len(names))]


def _table(labels: list[str], folder: Path) -> list[str]:
    order = label_order(labels, str(folder)) or list(range(len(EXPRESSIONS)))
    return [EXPRESSIONS[order.index(k)] for k in range(len(labels))]


def _json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({_first_line(error)}): {remedy}.") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} is not a JSON object: {remedy}.")
    return found


def _combined(files: list[Path]) -> str:
    text = "\n".join(f"{file_hash(file)}  {file.name}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
