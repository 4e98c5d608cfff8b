"""`visagram synth` and what is below it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from visagram.cli.shared import Debug, Quiet, help_of, unpacked
from visagram.errors import UsageError
from visagram.settings import Settings

JUDGE = "Model that says what a generated face shows; it must never have learned from generated ones."


def generate(
    expression: Annotated[
        str, typer.Option("--emotion", help="Expression to show: angry, disgust, fear, happy, sad, surprise, neutral.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the faces and their manifest.")],
    count: Annotated[int, typer.Option(min=1, help="Faces of this expression and seed.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same one gives the same faces.")] = 0,
    generator: Annotated[
        str, typer.Option(help="Generator: visagram-diffusion, diffusers:<name or folder> or own:<file>.")
    ] = "visagram-diffusion",
    guidance: Annotated[
        float | None, typer.Option(help="How strongly the expression is insisted on (default: the generator's own).")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the sampler (default: the generator's own).")] = None,
    models: Annotated[str | None, typer.Option(help=help_of("models"))] = None,
    offline: Annotated[bool | None, typer.Option("--offline", help=help_of("offline"))] = None,
    quiet: Quiet = False,
    _debug: Debug = False,
) -> None:
    """Make faces of people who do not exist; what an interrupted call has made stays and is not made again."""
    from visagram.screen import Screen
    from visagram.synth.catalog import open_generator
    from visagram.synth.generate import generate as run
    from visagram.synth.generator import expression_named

    wanted, settings = expression_named(expression), Settings.load(models=models, offline=offline)
    with Screen(quiet=quiet) as screen:
        opened = open_generator(
            generator,
            settings.models_folder,
            offline=settings.offline,
            watch=lambda *how: screen.progress("fetch", *how),
        )
        try:
            made = run(opened, wanted, count, seed, output, screen.progress, guidance=guidance, steps=steps)
        finally:
            opened.close()
        screen.clear()
        if not quiet:
            refused = sum(record.reason.startswith("refused") for record in made)
            screen.say(f"{len(made)} faces in {output}{os.sep}" + (f", {refused} refused" if refused else ""))


def train(
    data: Annotated[Path, typer.Option(help="Folder with labels.csv and its sprite sheets.")],
    output: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run there goes on.")],
    recipe: Annotated[str, typer.Option(help="Name of the recipe: faces or tiny.")] = "faces",
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of the flow, if not the recipe's own.")] = None,
    judge: Annotated[str, typer.Option(help=JUDGE)] = "visagram",
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random draw.")] = 0,
    quiet: Quiet = False,
    _debug: Debug = False,
) -> None:
    """Train a generator of faces on labelled ones and write its weights with their card."""
    from visagram.synth.catalog import check_extra

    check_extra("train", "Training")
    import dataclasses

    from visagram.screen import Screen
    from visagram.synth.export import export
    from visagram.synth.recipes import RECIPES
    from visagram.synth.selection import open_judge
    from visagram.synth.train import train as run

    if recipe not in RECIPES:
        raise UsageError(f"There is no recipe '{recipe}': choose one of {', '.join(RECIPES)}.")
    chosen = dataclasses.replace(RECIPES[recipe], seed=seed)
    if steps is not None:
        chosen = dataclasses.replace(chosen, flow_steps=steps)
    with Screen(quiet=quiet) as screen:

        def say(text: str) -> None:
            if not quiet:
                screen.clear()
                screen.say(text)

        data = unpacked(data)
        run(data, output, chosen, screen.progress, say=say)
        classifier = open_judge(judge, Settings.load())
        try:
            model = export(output, data, classifier, screen.progress, judged_by=judge)
        finally:
            classifier.close()
    sys.stdout.write(f"{model}\n")


def select(
    folder: Annotated[Path, typer.Argument(help="Folder of generated faces.")],
    data: Annotated[
        Path, typer.Option(help="The real faces to train with, as sprite sheets: no copy of one is accepted.")
    ],
    judge: Annotated[str, typer.Option(help=JUDGE)] = "visagram-teacher",
    most: Annotated[int | None, typer.Option(min=0, help="Faces of each expression to accept at most.")] = None,
    agreement: Annotated[
        float, typer.Option(min=0, max=1, help="Least posterior that the judge gives the intended expression.")
    ] = 0.5,
    quiet: Quiet = False,
    _debug: Debug = False,
) -> None:
    """Accept or reject generated faces for training, each with its numbers; what a person said stays."""
    from visagram.core.types import EXPRESSIONS
    from visagram.screen import Screen
    from visagram.synth.collection import open_collection
    from visagram.synth.finder import FaceFinder
    from visagram.synth.review import summary
    from visagram.synth.selection import Limits, Selection, known_faces, open_judge
    from visagram.synth.selection import select as run

    with Screen(quiet=quiet) as screen, open_collection(folder, must_exist=True) as faces:
        known = known_faces(unpacked(data), screen.progress)
        classifier = open_judge(judge, Settings.load())
        try:
            balance = {} if most is None else dict.fromkeys(EXPRESSIONS, most)
            selection = Selection(classifier, FaceFinder(), known, most=balance, limits=Limits(agreement=agreement))
            run(faces, selection, screen.progress)
        finally:
            classifier.close()
        screen.clear()
        sys.stdout.write(summary(faces))


def review(
    folder: Annotated[Path, typer.Argument(help="Folder of generated faces.")],
    accept: Annotated[list[str] | None, typer.Option(help="Face to accept whatever was decided; repeatable.")] = None,
    reject: Annotated[list[str] | None, typer.Option(help="Face to reject whatever was decided; repeatable.")] = None,
    undo: Annotated[list[str] | None, typer.Option(help="Face of which to forget what was said; repeatable.")] = None,
    _debug: Debug = False,
) -> None:
    """Show accepted and rejected faces as a page, FOLDER/review.html, and note what a person says of them."""
    from visagram.files import replace_file
    from visagram.synth.collection import open_collection
    from visagram.synth.review import WORDS, overrule, page, summary

    with open_collection(folder, must_exist=True) as faces:
        for names, word in ((accept, "accept"), (reject, "reject"), (undo, "undo")):
            overrule(faces, names or (), WORDS[word])
        with replace_file(folder / "review.html") as partial:
            partial.write_text(page(faces), "utf-8")
        sys.stdout.write(summary(faces))
    sys.stdout.write(f"{folder / 'review.html'}\n")


def edit(
    result: Annotated[Path, typer.Argument(help="Folder of a result that shows the person.")],
    expression: Annotated[
        str, typer.Option("--emotion", help="Expression to give: angry, disgust, fear, happy, sad, surprise, neutral.")
    ],
    generator: Annotated[str, typer.Option(help="Image-to-image model: diffusers:<name or folder>.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the faces and their manifest.")],
    person: Annotated[int, typer.Option(min=1, help="Number of the person in the report.")] = 1,
    consent: Annotated[bool, typer.Option("--consent", help="The person agreed to having their face edited.")] = False,
    count: Annotated[int, typer.Option(min=1, help="Versions to make.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same one gives the same faces.")] = 0,
    strength: Annotated[float, typer.Option(help="How much may change, above 0 and at most 1.")] = 0.6,
    guidance: Annotated[
        float | None, typer.Option(help="How strongly the expression is insisted on (default: the generator's own).")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the sampler (default: the generator's own).")] = None,
    models: Annotated[str | None, typer.Option(help=help_of("models"))] = None,
    offline: Annotated[bool | None, typer.Option("--offline", help=help_of("offline"))] = None,
    quiet: Quiet = False,
    _debug: Debug = False,
) -> None:
    """Give a face of an analysed video another expression, if the person agreed."""
    from visagram.synth.catalog import HUB, check_extra

    check_extra("generate", "Editing faces")
    from visagram.screen import Screen
    from visagram.synth import hub
    from visagram.synth.edit import CONSENT, portrait
    from visagram.synth.edit import edit as run
    from visagram.synth.generator import expression_named

    wanted, settings = expression_named(expression), Settings.load(models=models, offline=offline)
    if not consent:
        raise UsageError(CONSENT)
    if not generator.startswith(HUB) or generator == HUB:
        raise UsageError(f"Faces are edited by {HUB}<name or folder>, not by '{generator[:80]}'.")
    picture, name = portrait(result, person), generator.removeprefix(HUB)
    with Screen(quiet=quiet) as screen:
        editor = hub.ImageToImage(name, hub.fetch_model(name, settings.models_folder, offline=settings.offline))
        try:
            made = run(
                editor,
                picture,
                wanted,
                count,
                seed,
                output,
                screen.progress,
                strength=strength,
                consent=consent,
                guidance=guidance,
                steps=steps,
            )
        finally:
            editor.close()
        screen.clear()
        if not quiet:
            screen.say(f"{len(made)} faces in {output}{os.sep}")
