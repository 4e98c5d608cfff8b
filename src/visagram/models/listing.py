"""The catalogue for people: what there is to choose, what it costs, and what is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from visagram.errors import UsageError, VisagramError
from visagram.export.words import size
from visagram.models.card import EMBEDDED, Card
from visagram.models.catalog import EXPRESSION, GENERATION, HF, OURS, OWN, SETTINGS, Choice, choices, find
from visagram.models.fetch import Watch
from visagram.models.reading import read
from visagram.models.sheet import Sheet

WIDEST = 44
COLUMNS = ("option", "model", "task", "size", "licence", "accuracy", "speed", "trained on", "")


@dataclass(frozen=True, slots=True)
class Offer:
    """A model as whoever chooses sees it.

    setting: that takes it, empty where there is nothing to choose. obstacle: why it cannot be chosen here and what
    would change that, empty where it can. cost: what it takes to use it.
    """

    choice: Choice
    card: Card
    obstacle: str
    cost: str

    @property
    def name(self) -> str:
        """What its option takes."""
        return self.choice.name

    @property
    def task(self) -> str:
        return self.choice.task

    @property
    def setting(self) -> str:
        return SETTINGS.get(self.task, "")

    @property
    def sheet(self) -> Sheet:
        return read(self.card)


def offers(folder: Path, *, offline: bool = False, chosen: str = OURS) -> list[Offer]:
    """All models with a name of their own, and the expression model `chosen` where it has none.

    folder: of fetched models. offline: nothing may be fetched.
    """
    found = [_offer(choice, choice.card(folder), offline) for choice in choices()]
    if chosen.startswith((HF, OWN)):
        found.append(_offered_by_its_owner(find(EXPRESSION, chosen), folder, offline))
    return found


def cards(folder: Path) -> list[Card]:
    """The cards of all models with a name of their own. folder: of fetched models."""
    return [offer.card for offer in offers(folder)]


def table(folder: Path, *, offline: bool = False) -> str:
    """One line per model, and how to name others. folder: of fetched models."""
    rows = [COLUMNS] + [_row(offer) for offer in offers(folder, offline=offline)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    more = (
        f"--emotion {HF}<name or folder>  any image-classification model of Hugging Face, safetensors only",
        f"--emotion {OWN}<file>  your own, with its card beside it, as visagram train writes it",
    )
    return "\n".join([*lines, "", *more, "", f"Fetched models lie in {folder}"])


def find_offer(name: str, folder: Path, *, offline: bool = False) -> Offer:
    """A model by what an option takes or by its own name; of several, the one for expression.

    Raises `UsageError`, `ModelError`.
    """
    choice = _find(name, folder)
    return _offer(choice, choice.card(folder), offline)


def facts(offer: Offer) -> dict[str, Any]:
    """The whole card, with the hash of the weights that are here and whether there are any."""
    return offer.card.facts | {"sha256": offer.card.sha256, "present": bool(offer.card.sha256)}


def fetch(name: str, folder: Path, offline: bool, watch: Watch) -> Path:
    """Bring a model's weights to where its card says. Raises `UsageError`, `ModelError`."""
    choice = _find(name, folder)
    choice.fetch(folder, offline, watch)
    return choice.card(folder).file


def _find(name: str, folder: Path) -> Choice:
    if name.startswith((HF, OWN)):
        return find(EXPRESSION, name)
    found = [choice for choice in choices() if name in (choice.name, choice.card(folder).name)]
    if not found:
        names = dict.fromkeys(n for choice in choices() for n in (choice.name, choice.card(folder).name))
        raise UsageError(f"There is no model '{name}'; the models are {', '.join(names)}.")
    return min(found, key=lambda choice: choice.task != EXPRESSION)


def _offer(choice: Choice, card: Card, offline: bool) -> Offer:
    obstacle = choice.missing
    if not obstacle and not card.sha256 and offline:
        obstacle = (
            f"{choice.name} is not in the folder of models, and the setting offline forbids to fetch it. Put "
            f"{card.file.name} there, or run visagram models fetch {choice.name} without that setting."
        )
    return Offer(choice, card, obstacle, _cost(choice, card))


def _offered_by_its_owner(choice: Choice, folder: Path, offline: bool) -> Offer:
    """The model of whoever runs a server; where its card cannot be read, analyses will say why."""
    try:
        return _offer(choice, choice.card(folder), offline)
    except VisagramError:
        name = OWN + Path(choice.name).name if choice.name.startswith(OWN) else choice.name
        unread = Card(name, choice.task, folder, "", {}, "")
        return Offer(choice, unread, "", "its card cannot be read")


def _cost(choice: Choice, card: Card) -> str:
    if card.file.parent == EMBEDDED:
        return "comes with Visagram"
    if choice.name == OURS:
        return "was promoted here"
    if card.sha256:
        return "is on this machine"
    sources, most = card.facts.get("sources"), card.facts.get("most_bytes")
    place = urlsplit(sources[0]).netloc if sources else "Hugging Face"
    return f"fetched from {place} at first use" + (f", at most {most / 1e6:.0f}\N{NO-BREAK SPACE}MB" if most else "")


def _row(offer: Offer) -> tuple[str, ...]:
    sheet = offer.sheet
    setting = "generator" if offer.task == GENERATION else offer.setting
    option = f"--{setting} {offer.name}" if setting else "(always)"
    state = "" if offer.card.sha256 else "not fetched, offline" if offer.obstacle else "fetched at first use"
    state = f"needs visagram[{offer.choice.extra}]" if offer.choice.missing else state
    trained = sheet.trained_on
    cut = trained if len(trained) <= WIDEST else trained[: WIDEST - 1].rstrip(" ,;(") + "…"
    known = size(sheet.bytes) if sheet.bytes else "–"
    accuracy = f"{sheet.accuracy or '–'}{' (published)' if sheet.published else ''}"
    return option, sheet.name, offer.task, known, sheet.licence, accuracy, sheet.fastest or "–", cut, state
