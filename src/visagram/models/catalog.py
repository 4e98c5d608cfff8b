"""The one catalogue: what `--emotion` and `--detector` may name, each with its card and how it is opened.

`visagram`, `visagram-fast` and `visagram-teacher` come with the package, `deepface` and `deepface-retinaface` with the
extra `[deepface]` and weights that are fetched; `hf:` and `onnx:` begin names of models that it does not know.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visagram.errors import MissingExtra, UsageError
from visagram.models import promotion
from visagram.models.card import (
    COMMITTEE,
    DETECTOR,
    EMBEDDED,
    EMBEDDING,
    EMOTION,
    GENERATOR,
    TEACHER,
    Card,
    open_session,
    read_card,
    read_own_card,
)
from visagram.models.fetch import Source, Watch, fetch, nobody, remembered_hash

if TYPE_CHECKING:
    from visagram.core.stages import EmotionClassifier

__all__ = [
    "COMMITTEE",
    "DETECTOR",
    "EMBEDDED",
    "EMBEDDING",
    "EMOTION",
    "TEACHER",
    "Card",
    "Choice",
    "check_offered",
    "choices",
    "find",
    "model_cards",
    "offered",
    "open_classifier",
    "open_session",
    "prepare",
    "read_card",
    "same_person_threshold",
]

OURS, FAST = "visagram", "visagram-fast"
HF, OWN = "hf:", "onnx:"
FOREIGN = Path(__file__).parent / "cards"
EXTRAS = {
    "deepface": ("deepface", "retinaface"),
    "huggingface": ("transformers", "torch"),
    "train": ("torch", "onnx", "safetensors"),
    "generate": ("torch", "diffusers", "transformers", "safetensors"),
}
"""What each extra must have installed."""
EXPRESSION, DETECTION, GENERATION = "expression", "detection", "generation"
SETTINGS = {EXPRESSION: "emotion", DETECTION: "detector"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose for a task.

    name: what the option takes. extra: what must be installed, empty where nothing more is needed. card: reads its
    card out of the folder of fetched models. fetch: brings its weights there: `fetch(folder, offline, watch)`.
    """

    name: str
    task: str
    extra: str
    card: Callable[[Path], Card]
    fetch: Callable[[Path, bool, Watch], object]

    @property
    def missing(self) -> str:
        """Why it cannot be chosen here, empty if it can."""
        return missing(self.extra, self.name)


def missing(extra: str, what: str) -> str:
    """What is not installed of an extra that something needs, as a sentence; empty if all is."""
    absent = [name for name in EXTRAS.get(extra, ()) if importlib.util.find_spec(name) is None]
    if not absent:
        return ""
    return f"{what} needs {', '.join(absent)}: install it with pip install 'visagram[{extra}]'."


def choices() -> tuple[Choice, ...]:
    """All models that have a name of their own, those that come with Visagram first."""
    return (
        Choice(OURS, EXPRESSION, "", promotion.current, _nothing),
        Choice(FAST, EXPRESSION, "", lambda _: read_card(EMOTION), _nothing),
        Choice(OURS, DETECTION, "", lambda _: read_card(DETECTOR), _nothing),
        Choice(OURS, "embedding", "", lambda _: read_card(EMBEDDING), _nothing),
        Choice(TEACHER, EXPRESSION, "", lambda _: read_card(TEACHER), _nothing),
        Choice(GENERATOR, GENERATION, "", lambda _: read_card(GENERATOR), _nothing),
        _foreign("deepface", EXPRESSION, "deepface"),
        _foreign("deepface-retinaface", DETECTION, "deepface"),
    )


def find(task: str, name: str) -> Choice:
    """What a name stands for. Raises `UsageError` that lists what there is."""
    known = {choice.name: choice for choice in choices() if choice.task == task}
    if name in known:
        return known[name]
    if task == EXPRESSION and name.startswith(OWN) and name != OWN:
        return Choice(name, task, "", lambda _: read_own_card(Path(name.removeprefix(OWN))), _nothing)
    if task == EXPRESSION and name.startswith(HF) and name != HF:
        # Imported here: it knows torch and transformers.
        from visagram.models import huggingface as hub

        model = name.removeprefix(HF)
        return Choice(
            name,
            task,
            "huggingface",
            lambda folder: hub.read_card(model, folder),
            lambda folder, offline, watch: hub.fetch_model(model, folder, offline=offline, watch=watch),
        )
    more = [f"{HF}<name or folder>", f"{OWN}<file>"] if task == EXPRESSION else []
    raise UsageError(f"The setting {SETTINGS[task]} is '{name}'; it must be one of {', '.join([*known, *more])}.")


def prepare(emotion: str, detector: str, folder: Path, *, offline: bool, watch: Watch = nobody) -> None:
    """See to it that these models can be opened: fetch what is to be fetched, read each card.

    To be called before worker processes open them, which write no files. Raises `UsageError`, `MissingExtra`,
    `ModelError`.
    """
    for choice in (find(EXPRESSION, emotion), find(DETECTION, detector)):
        if choice.missing:
            raise MissingExtra(choice.missing)
        choice.fetch(folder, offline, watch)
        choice.card(folder)


def model_cards(
    emotion: str = OURS, detector: str = OURS, folder: Path = EMBEDDED, *, refined: bool = False
) -> list[dict[str, Any]]:
    """What a report says about the models of an analysis. folder: of fetched models. refined: whether the generator has
    a say. Raises as `find` and cards do."""
    judge = find(EXPRESSION, emotion).card(folder)
    found = [card.for_report() for card in (find(DETECTION, detector).card(folder), read_card(EMBEDDING), judge)]
    if quick := quick_card(judge):
        kept = quick.for_report()
        found[-1]["quick"] = {key: kept[key] for key in ("name", "version", "sha256")}
    return found + ([read_card(GENERATOR).for_report()] if refined else [])


def quick_card(card: Card) -> Card | None:
    """The model that may be followed where another one is not asked about every face, as its card names it: one of
    those that come with Visagram. None where there is none."""
    return read_card(EMOTION) if card.facts.get("quick") == EMOTION else None


def offered(task: str, chosen: str) -> list[str]:
    """Names that anybody may choose for a task on a server whose own choice is `chosen`, those that are installed."""
    names = [choice.name for choice in choices() if choice.task == task and not choice.missing]
    return names if chosen in names else [*names, chosen]


def check_offered(emotion: str, detector: str, chosen: str) -> None:
    """Raise `UsageError` for what is not installed, and for names of files and of foreign models, which only whoever
    runs the server may choose. chosen: the server's own choice of `emotion`."""
    if emotion.startswith((HF, OWN)) and emotion != chosen:
        raise UsageError(f"The setting emotion must be one of {', '.join(offered(EXPRESSION, chosen))}.")
    for choice in (find(EXPRESSION, emotion), find(DETECTION, detector)):
        if choice.missing:
            raise UsageError(f"The setting {SETTINGS[choice.task]} cannot be {choice.name} here: {choice.missing}")


def same_person_threshold() -> float:
    """Cosine from which two embeddings are of one person."""
    return float(read_card(EMBEDDING).facts["threshold"])


def open_classifier(
    name: str, threads: int, folder: Path, alive: Callable[[], None] = lambda: None
) -> EmotionClassifier:
    """A classifier by its name. folder: of fetched models. alive: called now and then by slow ones.

    Raises `UsageError`, `MissingExtra`, `ModelError`. Fetches nothing: see `prepare`.
    """
    choice = find(EXPRESSION, name)
    if choice.missing:
        raise MissingExtra(choice.missing)
    if name == "deepface":
        from visagram.models.deepface import DeepFaceClassifier

        return DeepFaceClassifier(choice.card(folder), threads=threads)
    if name.startswith(HF):
        from visagram.models.huggingface import HuggingFaceClassifier

        return HuggingFaceClassifier(choice.card(folder), threads=threads, alive=alive)
    from visagram.models.emotion import OnnxClassifier

    return OnnxClassifier(choice.card(folder), threads=threads)


def open_quick(name: str, threads: int, folder: Path) -> EmotionClassifier | None:
    """The model that may be followed between two questions to the classifier of that name, None where there is none.
    Raises as `open_classifier`."""
    from visagram.models.emotion import OnnxClassifier

    quick = quick_card(find(EXPRESSION, name).card(folder))
    return OnnxClassifier(quick, threads=threads) if quick else None


def _foreign(name: str, task: str, extra: str) -> Choice:
    """A model whose card ships with us and whose weights are fetched."""
    facts = json.loads((FOREIGN / f"{name}.json").read_text("utf-8"))
    source = Source(tuple(facts["sources"]), facts.get("sha256"), int(facts["most_bytes"]))

    def card(folder: Path) -> Card:
        file = folder / facts["file"]
        remedy = f"remove it and {file.name}.sha256, so that it is fetched again"
        return Card(name, task, file, source.sha256 or remembered_hash(file), facts, remedy)

    def bring(folder: Path, offline: bool, watch: Watch) -> None:
        fetch(source, folder / facts["file"], offline=offline, watch=watch)

    return Choice(name, task, extra, card, bring)


def _nothing(_folder: Path, _offline: bool, _watch: Watch) -> None:
    """Nothing is to be fetched."""
