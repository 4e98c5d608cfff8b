"""What the commands share: exit statuses, and options that mean the same everywhere."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from visagram.settings import Settings

SOME_FAILED, USAGE, NOTHING_ANALYSED, INTERRUPTED = 1, 2, 3, 130

HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
"""Context settings of every group of commands."""

_unpacked = ExitStack()
atexit.register(_unpacked.close)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
QuietSummary = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
"""Read by `root.main` for every command."""
DebugWorkers = Annotated[bool, typer.Option("--debug", help="Show tracebacks and the workers' messages.")]


def unpacked(data: Path) -> Path:
    """Labelled data that an option names: where a ZIP file is given, what it holds, until the command ends. Raises
    `DataError`."""
    from visagram.evaluate.archive import opened

    return _unpacked.enter_context(opened(data))


def help_of(name: str, of: Any = Settings) -> str:
    """What a setting says about itself."""
    return str(of.__dataclass_fields__[name].metadata["help"])
