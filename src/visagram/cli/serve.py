"""`visagram serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visagram.cli.shared import Debug, help_of
from visagram.settings import ServerSettings, Settings


def serve(
    host: Annotated[str | None, typer.Option(help=help_of("host", ServerSettings))] = None,
    port: Annotated[int | None, typer.Option(help=help_of("port", ServerSettings))] = None,
    workers: Annotated[int | None, typer.Option(help=help_of("workers", ServerSettings))] = None,
    data: Annotated[Path | None, typer.Option(help=help_of("data", ServerSettings))] = None,
    keep_days: Annotated[float | None, typer.Option(help=help_of("keep_days", ServerSettings))] = None,
    browse: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    _debug: Debug = False,
) -> None:
    """Serve the web application: upload, watch it work, explore the result. Ctrl-C ends it; nothing is lost."""
    settings = Settings.load()
    folder = str(data) if data is not None else None
    server = ServerSettings.load(host=host, port=port, workers=workers, data=folder, keep_days=keep_days)

    from visagram.jobs.supervisor import Supervisor
    from visagram.models.catalog import check_offered
    from visagram.screen import Screen

    # Or every analysis would fail.
    check_offered(settings.emotion, settings.detector, settings.emotion)

    with Screen(quiet=False) as screen, Supervisor(settings, server, web="visagram.web.server") as supervisor:
        address = supervisor.address()
        screen.say(f"Visagram is starting on {address.split('?')[0]} (data in {server.folder}) ...")

        def ready() -> None:
            screen.say(f"Visagram is ready: {address}")
            if browse:
                import webbrowser

                webbrowser.open(address)

        try:
            supervisor.run(ready)
        except KeyboardInterrupt:
            screen.say("Visagram has stopped; what was running goes on when it is started again.")
