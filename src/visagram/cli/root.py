"""The commands put together, and what becomes of errors and interrupts."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer

from visagram import __version__
from visagram.cli.analyze import analyze
from visagram.cli.data import check
from visagram.cli.evaluate import evaluate
from visagram.cli.improve import improve
from visagram.cli.models import fetch_model, list_models, promote_model, rollback_model, show_model
from visagram.cli.sample import sample
from visagram.cli.serve import serve
from visagram.cli.shared import HELP, INTERRUPTED, SOME_FAILED, USAGE
from visagram.cli.summarise import summarise
from visagram.cli.synth import edit, generate, review, select
from visagram.cli.synth import train as train_generator
from visagram.cli.train import train
from visagram.errors import VisagramError

data = typer.Typer(
    name="data", help="Look over data for training and evaluation.", no_args_is_help=True, context_settings=HELP
)
data.command("check")(check)

models = typer.Typer(name="models", help=list_models.__doc__, invoke_without_command=True, context_settings=HELP)
models.callback()(list_models)
models.command("show")(show_model)
models.command("fetch")(fetch_model)
models.command("promote")(promote_model)
models.command("rollback")(rollback_model)

synth = typer.Typer(
    name="synth",
    help="Make faces of people who do not exist, to train with.",
    no_args_is_help=True,
    context_settings=HELP,
)
synth.command("generate")(generate)
synth.command("edit")(edit)
synth.command("select")(select)
synth.command("review")(review)
synth.command("train")(train_generator)

app = typer.Typer(
    name="visagram",
    help="A video in, a chart of apparent facial expression for every person out.",
    epilog="Exit status: 0 all good, 1 some inputs failed, 2 usage, 3 nothing could be analysed, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)
for command in (analyze, train, evaluate, improve, summarise, serve, sample):
    app.command()(command)
for group in (data, models, synth):
    app.add_typer(group)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        sys.stdout.write(f"visagram {__version__}\n")
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line; turns every error into one sentence and an exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = app(standalone_mode=False)
        # The option parser catches Ctrl-C itself.
        if status == INTERRUPTED:
            _interrupted()
    except KeyboardInterrupt:
        status = _interrupted()
    except VisagramError as error:
        if "--debug" in sys.argv:
            raise
        from visagram.screen import one_line

        status = error.exit_status
        sys.stderr.write(f"error: {one_line(str(error))} [{error.code}]\n")
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = SOME_FAILED
    except Exception as error:
        status = _usage(error)
    sys.exit(status)


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _interrupted() -> int:
    sys.stderr.write("Interrupted: what is finished stays.\n")
    return INTERRUPTED


def _usage(error: Exception) -> int:
    """What the option parser objects to, and what nobody foresaw."""
    show = getattr(error, "show", None)
    if callable(show):
        show()
        return int(getattr(error, "exit_code", USAGE))
    if type(error).__name__ == "Abort":
        return _interrupted()
    if "--debug" in sys.argv:
        raise error
    sys.stderr.write(
        f"error: Something unforeseen happened ({type(error).__name__}: {error}): "
        "run again with --debug and report it. [internal]\n"
    )
    return SOME_FAILED
