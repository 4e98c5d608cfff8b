"""Any text-to-image model of Hugging Face `diffusers`, by name or as a folder: Stable Diffusion, SDXL, FLUX and others.

Weights are safetensors; code that comes with a model is not run. A safety checker that a model brings is used, and what
it objects to is never shown.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.errors import GenerationFailed, ModelError, UsageError
from visagram.models.card import file_hash
from visagram.models.fetch import Watch, check_kind, fetch_snapshot, nobody
from visagram.models.huggingface import folder_of
from visagram.synth.batches import in_batches
from visagram.synth.generator import Face, check_sampling, image_seed
from visagram.synth.prompts import NEGATIVE, change, prompt

PREFIX = "diffusers:"
INDEX = "model_index.json"
BATCH = 4
STRENGTH = 0.6
"""How far a face is led away from its own expression, 0..1: beyond 0.7 it is another person."""
UNSAFE = "the model's safety checker objects to it"
FILES = "model_index.json and the folders that it names, with config.json and safetensors files,"
PICKLES = ("*.bin", "*.pt", "*.ckpt", "*.pth")


def fetch_model(name: str, models: Path, *, offline: bool, watch: Watch = nobody) -> Path:
    """The model's folder, fetched if it is not there. Raises `ModelError` that names what to download, `UsageError`."""
    folder = folder_of(name, models, "diffusers")
    if folder == Path(name) or folder.is_dir():
        return folder
    return fetch_snapshot(
        name, folder, _wanted, offline=offline, needed=(INDEX,), files=FILES, most=64 << 30, watch=watch
    )


def facts_of(name: str, folder: Path) -> dict[str, Any]:
    """What a manifest keeps of a model. sha256: over the hashes of all its files. Raises `ModelError`."""
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        kind = index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / INDEX} cannot be read ({error}): give a folder of a diffusers model.") from error
    weights = sorted(folder.rglob("*.safetensors"))
    if not weights:
        pickled = sorted(file.name for kind_ in PICKLES for file in folder.rglob(kind_))
        found = f" but {', '.join(pickled[:3])}, which may run code when it is read" if pickled else ""
        raise ModelError(f"{folder} holds no safetensors file{found}: only ONNX and safetensors are ever loaded.")
    for file in weights:
        try:
            check_kind(file)
        except (OSError, ValueError) as error:
            raise ModelError(f"{file} is not a safetensors file: take it as its author published it.") from error
    used = sorted(file for file in folder.rglob("*") if file.suffix in (".safetensors", ".json", ".txt"))
    lines = "\n".join(f"{file_hash(file)}  {file.relative_to(folder).as_posix()}" for file in used)
    return {
        "name": f"{PREFIX}{name}",
        "version": str(index.get("_diffusers_version", "")),
        "pipeline": str(kind),
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "licence": "see its page on Hugging Face",
    }


class TextToImage:
    """`Generator` over `AutoPipelineForText2Image`. Raises `ModelError` for a folder that is no such model."""

    def __init__(self, name: str, folder: Path) -> None:
        from diffusers import AutoPipelineForText2Image

        self._facts = facts_of(name, folder)
        self._pipeline: Any | None = _opened(AutoPipelineForText2Image, folder)

    @property
    def name(self) -> str:
        return str(self._facts["name"])

    @property
    def facts(self) -> Mapping[str, Any]:
        return self._facts

    def generate(
        self,
        expression: str,
        count: int,
        seed: int,
        *,
        first: int = 0,
        guidance: float | None = None,
        steps: int | None = None,
    ) -> Iterator[Face]:
        given = _given(guidance, steps)

        def make(numbers: Sequence[int]) -> list[Face]:
            prompts = [prompt(expression, seed, number) for number in numbers]
            seeds = [image_seed(seed, expression, number) for number in numbers]
            made = _run(self._pipeline, self.name, [p.text for p in prompts], seeds, given)
            return [
                Face(image, number, own, asked.text, {"parts": asked.parts, **given}, "" if safe else UNSAFE)
                for (image, safe), number, own, asked in zip(made, numbers, seeds, prompts, strict=True)
            ]

        return in_batches(make, range(first, count), BATCH, self.name, _out_of_memory())

    def close(self) -> None:
        self._pipeline = None


class ImageToImage:
    """Gives a face of a picture another expression, over `AutoPipelineForImage2Image`. Raises `ModelError`."""

    def __init__(self, name: str, folder: Path) -> None:
        from diffusers import AutoPipelineForImage2Image

        self._facts = facts_of(name, folder)
        self._pipeline: Any | None = _opened(AutoPipelineForImage2Image, folder)

    @property
    def name(self) -> str:
        return str(self._facts["name"])

    @property
    def facts(self) -> Mapping[str, Any]:
        return self._facts

    def edit(
        self,
        picture: NDArray[np.uint8],
        expression: str,
        count: int,
        seed: int,
        *,
        strength: float = STRENGTH,
        guidance: float | None = None,
        steps: int | None = None,
    ) -> Iterator[Face]:
        """`count` versions of a face. picture: (h, w, 3) RGB uint8. strength: 0..1, how much may change."""
        from PIL import Image

        if not 0 < strength <= 1:
            raise UsageError(f"The strength is {strength}; it must be above 0 and at most 1.")
        given, text = _given(guidance, steps) | {"strength": strength}, change(expression)

        def make(numbers: Sequence[int]) -> list[Face]:
            seeds = [image_seed(seed, expression, number) for number in numbers]
            more = {"image": [Image.fromarray(picture)] * len(numbers)}
            made = _run(self._pipeline, self.name, [text] * len(numbers), seeds, given | more)
            return [
                Face(image, number, own, text, given, "" if safe else UNSAFE)
                for (image, safe), number, own in zip(made, numbers, seeds, strict=True)
            ]

        return in_batches(make, range(count), BATCH, self.name, _out_of_memory())

    def close(self) -> None:
        self._pipeline = None


def _given(guidance: float | None, steps: int | None) -> dict[str, Any]:
    check_sampling(guidance, steps)
    return {name: value for name, value in (("guidance", guidance), ("steps", steps)) if value is not None}


def _opened(auto: Any, folder: Path) -> Any:
    import diffusers
    import torch

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    kind = torch.float32
    if torch.cuda.is_available():
        kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    try:
        # Libraries that announce each other's changes: nothing that whoever generates could act on.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = auto.from_pretrained(
                folder, dtype=kind, use_safetensors=True, local_files_only=True, trust_remote_code=False
            )
        found.set_progress_bar_config(disable=True)
        return found.to("cuda" if torch.cuda.is_available() else "cpu")
    except Exception as error:
        # The library raises whatever its parts raise; a model that cannot be read is no crash of ours.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{folder} cannot be opened ({reason}): take it as its author published it.") from error


def _run(
    pipeline: Any | None, name: str, prompts: list[str], seeds: list[int], given: Mapping[str, Any]
) -> list[tuple[NDArray[np.uint8], bool]]:
    """Each image (h, w, 3), and whether the model itself finds it safe."""
    import torch

    if pipeline is None:
        raise ModelError("The generator was closed.")
    names = {"guidance": "guidance_scale", "steps": "num_inference_steps"}
    options = {names.get(key, key): value for key, value in given.items()}
    if "negative_prompt" in inspect.signature(pipeline.__call__).parameters:
        options["negative_prompt"] = [NEGATIVE] * len(prompts)
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Drawn on the processor, so that a seed means the same on every machine.
            generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
            found = pipeline(prompt=prompts, generator=generators, output_type="np", **options)
    except _out_of_memory():
        raise
    except Exception as error:
        raise GenerationFailed(f"{name} failed ({type(error).__name__}: {str(error)[:200]}).") from error
    flagged = getattr(found, "nsfw_content_detected", None) or [False] * len(prompts)
    images = np.clip(np.nan_to_num(np.asarray(found.images)) * 255, 0, 255).round().astype(np.uint8)
    return [(image, not flag) for image, flag in zip(images, flagged, strict=True)]


def _out_of_memory() -> tuple[type[Exception], ...]:
    import torch

    return torch.OutOfMemoryError, MemoryError


def _wanted(file: str) -> bool:
    """Configurations, tokenizers and weights of a pipeline's parts, not the whole models or variants beside them."""
    if file == INDEX:
        return True
    _, _, name = file.partition("/")
    if not name or ".fp16." in name or ".non_ema." in name:
        return False
    return name.endswith((".json", ".safetensors")) or name in ("merges.txt", "vocab.txt")
