"""`visagram summarise`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from visagram.cli.shared import Debug, help_of
from visagram.errors import MissingExtra
from visagram.settings import Settings


def summarise(
    report: Annotated[Path, typer.Argument(help="Folder of a result, as visagram analyze has written it.")],
    model: Annotated[
        str | None, typer.Option(help="Text-generation model that words it: hf:<name or folder> (default: none).")
    ] = None,
    models: Annotated[str | None, typer.Option(help=help_of("models"))] = None,
    offline: Annotated[bool | None, typer.Option("--offline", help=help_of("offline"))] = None,
    _debug: Debug = False,
) -> None:
    """Say in one plain paragraph who showed which apparent expression when."""
    from visagram.report import open_report

    text = open_report(report).account()
    if model is not None:
        text = _worded(text, model, Settings.load(models=models, offline=offline))
    sys.stdout.write(f"{text}\n")


def _worded(facts: str, model: str, settings: Settings) -> str:
    """The facts in a model's words, or as they are where those say anything else."""
    from visagram.export.account import CAVEAT, contradiction

    try:
        from visagram.models.narrator import Narrator

        narrator = Narrator(model, settings.models_folder, offline=settings.offline)
    except ImportError as error:
        raise MissingExtra("A model that writes needs the extra: pip install 'visagram[huggingface]'.") from error
    text = narrator.word(facts)
    if reason := contradiction(text, facts):
        sys.stderr.write(f"The model's text was not used ({reason}); this is the plain one.\n")
        return facts
    return text if CAVEAT in text else f"{text} {CAVEAT}"
