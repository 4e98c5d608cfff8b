"""`visagram train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from visagram.cli.shared import Debug, Quiet, unpacked
from visagram.errors import MissingExtra, UsageError


def train(
    data: Annotated[Path, typer.Option(help="Folder with labels.csv and its sprite sheets.")],
    output: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run there goes on.")],
    recipe: Annotated[
        str, typer.Option(help="Name of the recipe: small, refit, committee, teacher, sibling, finetune or tiny.")
    ] = "small",
    teacher: Annotated[
        list[Path] | None, typer.Option(help="Folder of a finished run to learn from, or visagram; repeatable.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Folder of a finished run of the same network to begin with, or visagram.")
    ] = None,
    synthetic: Annotated[
        Path | None,
        typer.Option(help="Folder of generated faces: those accepted are learned from too."),
    ] = None,
    also: Annotated[
        Path | None,
        typer.Option(help="Further real faces to learn from: folder of class folders, ZIP file of one, or CSV table."),
    ] = None,
    fold: Annotated[
        int | None, typer.Option(help="Judge on this fifth (0 to 4) of all faces and train on the others.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Epochs, if not the recipe's own.")] = None,
    quiet: Quiet = False,
    _debug: Debug = False,
) -> None:
    """Train an expression model and write it as ONNX with its card."""
    try:
        from visagram.learn.also import read_also
        from visagram.learn.data import FOLDS
        from visagram.learn.recipes import RECIPES
        from visagram.learn.train import train as run
    except ImportError as error:
        raise MissingExtra("Training needs PyTorch: install it with pip install 'visagram[train]'.") from error
    import dataclasses

    from visagram.screen import Screen

    if recipe not in RECIPES:
        raise UsageError(f"There is no recipe '{recipe}': choose one of {', '.join(RECIPES)}.")
    if epochs is not None and epochs < 1:
        raise UsageError("--epochs must be at least 1.")
    if fold is not None and not 0 <= fold < FOLDS:
        raise UsageError(f"--fold must be 0 to {FOLDS - 1}.")
    chosen = dataclasses.replace(RECIPES[recipe].lasting(epochs), seed=seed, fold=fold)
    with Screen(quiet=quiet) as screen:

        def say(text: str) -> None:
            if not quiet:
                screen.clear()
                screen.say(text)

        teachers = [_run(folder) for folder in teacher or ()]
        begun = None if start is None else _run(start)
        more = None if also is None else read_also(unpacked(also), screen.progress)
        generated = None if synthetic is None else _accepted(synthetic)
        model = run(
            unpacked(data),
            output,
            chosen,
            screen.progress,
            teachers=teachers,
            start=begun,
            also=more,
            generated=generated,
            say=say,
        )
    sys.stdout.write(f"{model}\n")


def _accepted(folder: Path) -> Any:
    from visagram.synth.training import accepted_faces

    return accepted_faces(folder)


def _run(folder: Path) -> Path:
    """The folder of a run; `visagram` stands for what the model in force has learned."""
    from visagram.models.promotion import learned
    from visagram.settings import Settings

    if str(folder) != "visagram":
        return folder
    return learned(Settings.load().models_folder)
