"""`visagram improve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from visagram.cli.shared import Debug, Quiet, help_of, unpacked
from visagram.cli.synth import JUDGE
from visagram.errors import UsageError
from visagram.settings import Settings


def improve(
    data: Annotated[Path, typer.Option(help="Folder with labels.csv and its sprite sheets, of train and validation.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the work; an interrupted pass goes on.")],
    ratio: Annotated[
        float, typer.Option(help="Generated faces to each real one of a rare or weak expression, at most 1.")
    ] = 0.5,
    second: Annotated[
        list[Path] | None,
        typer.Option(
            help="Data on which the candidate must not be worse; repeatable (default: half of the validation faces)."
        ),
    ] = None,
    also: Annotated[
        Path | None,
        typer.Option(
            help="Further real faces to learn from, for instance the corrections.csv of a data folder: folder of class "
            "folders, ZIP file of one, or CSV table."
        ),
    ] = None,
    generator: Annotated[
        str, typer.Option(help="Generator: visagram-diffusion, diffusers:<name or folder> or own:<file>.")
    ] = "visagram-diffusion",
    judge: Annotated[str, typer.Option(help=JUDGE)] = "visagram-teacher",
    recipe: Annotated[str, typer.Option(help="Name of the recipe that fine-tunes.")] = "finetune",
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs, if not the recipe's own.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random draw.")] = 0,
    dry: Annotated[bool, typer.Option("--no-promote", help="Decide, but leave the model in force.")] = False,
    models: Annotated[str | None, typer.Option(help=help_of("models"))] = None,
    offline: Annotated[bool | None, typer.Option("--offline", help=help_of("offline"))] = None,
    quiet: Quiet = False,
    _debug: Debug = False,
) -> None:
    """Find weak expressions, generate faces, fine-tune, compare, and promote the result only if it is better."""
    from visagram.synth.catalog import check_extra, open_generator

    check_extra("train", "The loop")
    from visagram.learn.recipes import RECIPES
    from visagram.models.promotion import promote
    from visagram.screen import Screen
    from visagram.synth.improve import Improvement, Wishes

    if recipe not in RECIPES:
        raise UsageError(f"There is no recipe '{recipe}': choose one of {', '.join(RECIPES)}.")
    settings = Settings.load(models=models, offline=offline)
    held_out, more = tuple(unpacked(each) for each in second or ()), None if also is None else unpacked(also)
    wishes = Wishes(ratio, RECIPES[recipe].lasting(epochs), judge, seed, held_out, more)
    with Screen(quiet=quiet) as screen:

        def say(text: str) -> None:
            if not quiet:
                screen.clear()
                screen.say(text)

        work = Improvement(unpacked(data), output, settings, wishes, screen.progress, say)
        opened = open_generator(generator, settings.models_folder, offline=settings.offline)
        try:
            found = work.run(opened)
        finally:
            opened.close()
        screen.clear()
    sys.stdout.write("\n".join(found.verdict.reasons) + "\n")
    if not found.verdict.promote:
        sys.stdout.write("The model in force stays.\n")
    elif dry:
        sys.stdout.write(f"Better: visagram models promote {found.candidate.parent}\n")
    else:
        card = promote(found.candidate.parent, settings.models_folder, " ".join(found.verdict.reasons))
        sys.stdout.write(f"Promoted: visagram is {card.sha256[:12]} now. visagram models rollback takes that back.\n")
