"""What `--generator` may name, and how it is opened."""

from __future__ import annotations

from pathlib import Path

from visagram.errors import MissingExtra, UsageError
from visagram.models.catalog import missing
from visagram.models.fetch import Watch, nobody
from visagram.synth.generator import Generator

EMBEDDED = "visagram-diffusion"
HUB, OWN = "diffusers:", "own:"
KNOWN = f"{EMBEDDED}, {HUB}<name or folder>, {OWN}<file>"


def open_generator(name: str, models: Path, *, offline: bool = False, watch: Watch = nobody) -> Generator:
    """The generator of that name, its weights fetched if they must be. models: folder of fetched models.

    Raises `UsageError`, `MissingExtra`, `ModelError`.
    """
    if name == EMBEDDED:
        from visagram.synth.chooser import Chooser
        from visagram.synth.embedded import EmbeddedGenerator

        return EmbeddedGenerator(chooser=Chooser())
    if name.startswith(OWN) and name != OWN:
        from visagram.synth.chooser import Chooser
        from visagram.synth.embedded import EmbeddedGenerator, read_own_generator

        return EmbeddedGenerator(read_own_generator(Path(name.removeprefix(OWN))), Chooser())
    if name.startswith(HUB) and name != HUB:
        check_extra("generate", name)
        from visagram.synth import hub

        model = name.removeprefix(HUB)
        return hub.TextToImage(model, hub.fetch_model(model, models, offline=offline, watch=watch))
    raise UsageError(f"There is no generator '{name[:80]}'; it must be one of {KNOWN}.")


def generators(models: Path) -> list[str]:
    """The names of all generators that can be used without fetching anything: the embedded one, and the models of
    `diffusers` in the folder of models where its extra is installed."""
    if missing("generate", HUB):
        return [EMBEDDED]
    fetched = sorted((models / "diffusers").glob("*/model_index.json"))
    return [EMBEDDED, *(f"{HUB}{file.parent.name.replace('--', '/', 1)}" for file in fetched)]


def check_extra(extra: str, what: str) -> None:
    """Raises `MissingExtra` that says what to install for `what`."""
    if absent := missing(extra, what):
        raise MissingExtra(absent)
