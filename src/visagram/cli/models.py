"""`visagram models` and what is below it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from visagram.cli.shared import Debug, Quiet
from visagram.settings import Settings

WIDEST = 100
"""Columns of text, however wide the terminal is."""


def list_models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
) -> None:
    """List the models that can be chosen, with licence, training data, accuracy and speed; show and fetch them."""
    if context.invoked_subcommand is not None:
        return
    from visagram.models.listing import cards, table

    settings = Settings.load()
    folder = settings.models_folder
    found = [card.facts for card in cards(folder)]
    text = json.dumps(found, indent=2) if as_json else table(folder, offline=settings.offline)
    sys.stdout.write(text.rstrip("\n") + "\n")


def show_model(
    name: Annotated[str, typer.Argument(help="Name of the model, as the list has it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole card as JSON.")] = False,
) -> None:
    """Print the card of a model: what it is for, where it fails, how good and how sure it is."""
    from visagram.models.listing import facts, find_offer
    from visagram.models.text import text

    settings = Settings.load()
    offer = find_offer(name, settings.models_folder, offline=settings.offline)
    width = min(shutil.get_terminal_size().columns, WIDEST)
    shown = json.dumps(facts(offer), indent=2, ensure_ascii=False) + "\n" if as_json else text(offer, width)
    sys.stdout.write(shown)


def fetch_model(
    name: Annotated[str, typer.Argument(help="Name of the model, as the list has it.")],
    quiet: Quiet = False,
    _debug: Debug = False,
) -> None:
    """Fetch a model's weights into the models folder now, for instance before the machine goes offline."""
    from visagram.models.listing import fetch
    from visagram.screen import Screen

    settings = Settings.load()
    with Screen(quiet=quiet) as screen:
        place = fetch(name, settings.models_folder, settings.offline, lambda *how: screen.progress("fetch", *how))
    sys.stdout.write(f"{place}\n")


def promote_model(
    source: Annotated[str, typer.Argument(help="Folder of a training run, or an ONNX file with its card beside it.")],
    reason: Annotated[str, typer.Option(help="Why, for those who come after.")] = "by hand",
    _debug: Debug = False,
) -> None:
    """Have visagram stand for this expression model from now on; visagram models rollback takes that back."""
    from visagram.models.promotion import promote

    card = promote(Path(source), Settings.load().models_folder, reason)
    sys.stdout.write(f"visagram is {card.sha256[:12]} now, from {source}\n")


def rollback_model(
    _debug: Debug = False,
) -> None:
    """Have visagram stand for the model that it stood for before the last promotion."""
    from visagram.models.promotion import rollback

    card = rollback(Settings.load().models_folder)
    sys.stdout.write(f"visagram is {card.sha256[:12]} again\n")
