"""`visagram data check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from visagram.cli.shared import SOME_FAILED, DebugWorkers, Quiet, unpacked
from visagram.settings import Settings


def check(
    sets: Annotated[list[Path], typer.Argument(help="Training data, then the data to test on; any kind, any number.")],
    skip: Annotated[list[str] | None, typer.Option(help="Label to leave out; repeatable.")] = None,
    distance: Annotated[
        int, typer.Option(min=0, max=16, help="Bits in which the hashes of two copies may differ.")
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, each copy by name.")] = False,
    quiet: Quiet = False,
    debug: DebugWorkers = False,
) -> None:
    """Find pictures that sets or splits share, pictures that cannot be read, and the balance of the expressions."""
    from visagram.evaluate.check import check as look_over
    from visagram.evaluate.check import to_json
    from visagram.evaluate.text import check_summary
    from visagram.screen import Screen
    from visagram.workers import Workers

    with Screen(quiet=quiet) as screen, Workers(Settings.load(), debug=debug) as workers:
        found = look_over(
            [unpacked(each) for each in sets], workers, skip=skip or (), distance=distance, progress=screen.progress
        )
        screen.clear()
    sys.stdout.write(json.dumps(to_json(found), indent=2) + "\n" if as_json else check_summary(found))
    if not found.good:
        raise typer.Exit(SOME_FAILED)
