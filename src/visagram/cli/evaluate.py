"""`visagram evaluate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from visagram.cli.shared import DebugWorkers, QuietSummary, help_of, unpacked
from visagram.errors import UsageError
from visagram.settings import Settings


def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with labels.csv and its sheets, folder of class folders, ZIP file of one, or CSV table."
        ),
    ] = None,
    suite: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Instead of --data: one of several sets for one page; repeatable."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model to measure (default: visagram).")] = None,
    compare: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Measure two models on the same faces instead.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split to measure on (default: the only one that is not for training).")
    ] = None,
    cropped: Annotated[bool, typer.Option("--cropped", help="The pictures are faces already: look for none.")] = False,
    group: Annotated[
        str | None, typer.Option(help="Column that names each face's group (default: group, if there is one).")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Label to leave out; repeatable.")] = None,
    unlike: Annotated[
        Path | None, typer.Option(help="Training data: give the figures also without the faces that it holds too.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the figures (default: evaluation).")
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print evaluation.json or suite.json to standard output; files only with --output."
        ),
    ] = False,
    detector: Annotated[str | None, typer.Option(help=help_of("detector"))] = None,
    models: Annotated[str | None, typer.Option(help=help_of("models"))] = None,
    offline: Annotated[bool | None, typer.Option("--offline", help=help_of("offline"))] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    quiet: QuietSummary = False,
    debug: DebugWorkers = False,
) -> None:
    """Measure an expression model on labelled faces: figures with intervals as JSON and as a page."""
    if compare is not None and model is not None:
        raise UsageError("Give either --model or --compare.")
    if (data is None) == (not suite):
        raise UsageError("Give either --data or --suite.")
    if suite and (compare is not None or unlike is not None):
        raise UsageError("--suite measures one model on several sets: leave out --compare and --unlike.")
    from visagram.evaluate import data as labelled
    from visagram.evaluate.files import dumps, save
    from visagram.evaluate.run import evaluate as run
    from visagram.evaluate.run import open_models
    from visagram.evaluate.suite import read_suite, suite_of
    from visagram.evaluate.suitefiles import dumps_suite, save_suite
    from visagram.evaluate.text import suite_summary, summary
    from visagram.screen import Screen
    from visagram.workers import Workers

    # Workers cut the faces out; the models that are measured are opened here.
    settings = Settings.load(emotion="visagram", detector=detector, models=models, offline=offline)
    folder = output or (None if as_json else Path("evaluation"))
    if data is None:
        sets = read_suite(suite or (), unpacked, split=split, group=group, skip=skip or ())
    else:
        sets = [labelled.read(unpacked(data), split=split, group=group, skip=skip or ())]
    # In a suite each picture's size says whether it is a face already.
    taken = None if suite and not cropped else cropped
    looks = not cropped and any(each.cells is None for each in sets)
    known = labelled.read_training(unpacked(unlike), skip or ()) if unlike is not None else None
    with Screen(quiet=quiet) as screen, Workers(settings, debug=debug) as workers:
        results = []
        with open_models(compare or (model or "visagram",), settings, looks=looks) as opened:
            for each in sets:
                screen.clear()
                screen.title(each.name)
                results.append(
                    run(opened, each, workers, cropped=taken, seed=seed, progress=screen.progress, unlike=known)
                )
        whole = suite_of(sets, results, by_size=taken is None) if suite else None
        if folder is not None and whole is not None:
            save_suite(whole, folder)
        elif folder is not None:
            save(results[0], folder)
        screen.clear()
        if as_json:
            sys.stdout.write(dumps(results[0]) if whole is None else dumps_suite(whole))
        elif not quiet:
            sys.stdout.write(summary(results[0]) if whole is None else suite_summary(whole))
        if folder is not None and not quiet:
            screen.say(f"Figures in {folder}{os.sep}")
