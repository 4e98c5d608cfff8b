"""A text-generation model of Hugging Face that words a report. It is given the numbers and nothing else."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from visagram.errors import ModelError, UsageError
from visagram.models.fetch import Watch, fetch_snapshot, nobody
from visagram.models.huggingface import folder_of

PREFIX = "hf:"
FILES = ("config.json",)
MOST_TOKENS = 400
ASKED = (
    "Rewrite these facts about a video as one plain paragraph of at most 120 words for a reader who has not seen it. "
    "Use only these facts and exactly these numbers. Say what faces looked like, never what people feel.\n\n"
)


class Narrator:
    """Words facts with a causal language model. name: a folder, or a model's name on the hub, which is fetched into
    `models`. Raises `ModelError`, `UsageError`."""

    def __init__(self, name: str, models: Path, *, offline: bool, watch: Watch = nobody) -> None:
        if not name.startswith(PREFIX) or name == PREFIX:
            raise UsageError(f"The model '{name[:80]}' is none that writes: give {PREFIX}<name or folder>.")
        folder = _fetched(name.removeprefix(PREFIX), models, offline, watch)
        if not any(folder.glob("*.safetensors")):
            raise ModelError(f"{folder} holds no safetensors file: only ONNX and safetensors are ever loaded.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            import transformers

            library: Any = transformers
            library.utils.logging.set_verbosity_error()
            library.utils.logging.disable_progress_bar()
            self._torch = torch
            local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            try:
                self._tokenizer: Any = library.AutoTokenizer.from_pretrained(folder, **local)
                self._model: Any = library.AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, **local)
            except Exception as error:
                # The library raises whatever its parts raise; a model that cannot be read is no crash of ours.
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
                raise ModelError(
                    f"{folder} cannot be opened ({reason}): take it as its author published it."
                ) from error
        self._model.eval()

    def word(self, facts: str) -> str:
        """The same facts in its words; nothing is drawn at random. Raises `ModelError`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tokens = self._tokenizer(self._prompt(facts), return_tensors="pt")["input_ids"]
                with self._torch.inference_mode():
                    made = self._model.generate(tokens, max_new_tokens=MOST_TOKENS, do_sample=False)
                text: str = self._tokenizer.decode(made[0, tokens.shape[1] :], skip_special_tokens=True)
            except Exception as error:
                raise ModelError(f"The model could not write ({type(error).__name__}: {str(error)[:200]}).") from error
        return " ".join(text.split())

    def _prompt(self, facts: str) -> str:
        if getattr(self._tokenizer, "chat_template", None):
            asked = [{"role": "user", "content": ASKED + facts}]
            prompt: str = self._tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
            return prompt
        return f"{ASKED}{facts}\n\nParagraph:"


def _fetched(name: str, models: Path, offline: bool, watch: Watch) -> Path:
    folder = folder_of(name, models)
    if folder == Path(name) or folder.is_dir():
        return folder
    files = "config.json, the tokenizer's files and the safetensors files"
    return fetch_snapshot(name, folder, _wanted, offline=offline, needed=FILES, files=files, watch=watch)


def _wanted(file: str) -> bool:
    return "/" not in file and (file.endswith((".json", ".safetensors")) or file in ("merges.txt", "vocab.txt"))
