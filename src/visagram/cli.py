"""The command line: parsing and printing, nothing else. Data goes to standard output, messages to standard error."""

from __future__ import annotations

import glob
import json
import os
import signal
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from visagram import __version__
from visagram.errors import MissingExtra, UsageError, VisagramError
from visagram.settings import ServerSettings, Settings, parse_region

if TYPE_CHECKING:
    from visagram.report import Report

SOME_FAILED, USAGE, NOTHING_ANALYSED, INTERRUPTED = 1, 2, 3, 130
SAMPLE = Path(__file__).parent / "data" / "sample.mp4"

app = typer.Typer(
    name="visagram",
    help="A video in, a chart of apparent facial expression for every person out.",
    epilog="Exit status: 0 all good, 1 some inputs failed, 2 usage, 3 nothing could be analysed, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """The files a result consists of."""

    json = "json"
    csv = "csv"
    parquet = "parquet"
    npy = "npy"
    html = "html"
    vtt = "vtt"
    mp4 = "mp4"


def _help(name: str, of: Any = Settings) -> str:
    return str(of.__dataclass_fields__[name].metadata["help"])


@app.command()
def analyze(
    videos: Annotated[list[str], typer.Argument(help="Videos or pictures; patterns such as '*.mp4' are expanded.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the results (default: results).")
    ] = None,
    formats: Annotated[
        list[Format] | None, typer.Option("--format", "-f", help="Write only this; repeatable (default: all but mp4).")
    ] = None,
    annotate: Annotated[bool, typer.Option("--annotate", help="Also write annotated.mp4.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json to standard output; files only with --output.")
    ] = False,
    start: Annotated[float | None, typer.Option(help=_help("start"))] = None,
    end: Annotated[float | None, typer.Option(help=_help("end"))] = None,
    sample_fps: Annotated[float | None, typer.Option(help=_help("sample_fps"))] = None,
    frame_interval: Annotated[int | None, typer.Option(help=_help("frame_interval"))] = None,
    region: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help=_help("region"))] = None,
    min_face: Annotated[int | None, typer.Option(help=_help("min_face"))] = None,
    detect_every: Annotated[int | None, typer.Option(help=_help("detect_every"))] = None,
    detect_size: Annotated[str | None, typer.Option(help=_help("detect_size"))] = None,
    seed: Annotated[int | None, typer.Option(help=_help("seed"))] = None,
    processes: Annotated[int | None, typer.Option(help=_help("processes"))] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and the workers' messages.")] = False,
) -> None:
    """Analyse videos: statistics, files and a report of apparent expression for every person in them."""
    settings = Settings.load(
        start=start,
        end=end,
        sample_fps=sample_fps,
        frame_interval=frame_interval,
        region=parse_region(region) if region is not None else None,
        min_face=min_face,
        detect_every=detect_every,
        detect_size=detect_size,
        seed=seed,
        processes=processes,
    )
    wanted = [f.value for f in formats] if formats else None
    if annotate:
        wanted = [*(wanted or [f.value for f in Format if f is not Format.mp4]), Format.mp4.value]
    folder = output or (None if as_json else Path("results"))

    from visagram.screen import Screen
    from visagram.workers import Workers

    done, failed = 0, 0
    used: set[str] = set()
    with Screen(quiet=quiet) as screen, Workers(settings, debug=debug) as workers:
        paths = list(_expanded(videos))
        for path in paths:
            try:
                report = _one(path, settings, workers, screen)
                if folder is not None:
                    place = folder / _folder_name(path, used)
                    _save(report, path, place, wanted, workers, screen)
                screen.clear()
                if as_json:
                    _print_json(report, several=len(paths) > 1)
                elif not quiet:
                    sys.stdout.write(report.summary().rstrip("\n") + "\n")
                if folder is not None and not quiet:
                    screen.say(f"Results in {place}{os.sep}")
                sys.stdout.flush()
                done += 1
            except VisagramError as error:
                failed += 1
                screen.clear()
                screen.error(error, debug)
    if failed:
        raise typer.Exit(SOME_FAILED if done else NOTHING_ANALYSED)


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="Folder with labels.csv and its sprite sheets.")],
    output: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run there goes on.")],
    recipe: Annotated[str, typer.Option(help="Name of the recipe: small or tiny.")] = "small",
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Epochs, if not the recipe's own.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Train an expression model and write it as ONNX with its card."""
    try:
        from visagram.learn.train import RECIPES
        from visagram.learn.train import train as run
    except ImportError as error:
        raise MissingExtra("Training needs PyTorch: install it with pip install 'visagram[train]'.") from error
    import dataclasses

    from visagram.screen import Screen

    if recipe not in RECIPES:
        raise UsageError(f"There is no recipe '{recipe}': choose one of {', '.join(RECIPES)}.")
    if epochs is not None and epochs < 1:
        raise UsageError("--epochs must be at least 1.")
    chosen = dataclasses.replace(RECIPES[recipe], seed=seed, epochs=epochs or RECIPES[recipe].epochs)
    with Screen(quiet=quiet) as screen:
        model = run(data, output, chosen, screen.progress)
    sys.stdout.write(f"{model}\n")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help=_help("host", ServerSettings))] = None,
    port: Annotated[int | None, typer.Option(help=_help("port", ServerSettings))] = None,
    workers: Annotated[int | None, typer.Option(help=_help("workers", ServerSettings))] = None,
    data: Annotated[Path | None, typer.Option(help=_help("data", ServerSettings))] = None,
    keep_days: Annotated[float | None, typer.Option(help=_help("keep_days", ServerSettings))] = None,
    browse: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Serve the web application: upload, watch it work, explore the result. Ctrl-C ends it; nothing is lost."""
    settings = Settings.load()
    folder = str(data) if data is not None else None
    server = ServerSettings.load(host=host, port=port, workers=workers, data=folder, keep_days=keep_days)

    from visagram.jobs.supervisor import Supervisor
    from visagram.screen import Screen

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


@app.command()
def sample() -> None:
    """Print the path of the sample clip that comes with Visagram."""
    sys.stdout.write(f"{SAMPLE}\n")


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


def _one(path: Path, settings: Settings, workers: Any, screen: Any) -> Report:
    from visagram.analysis import Analysis

    screen.title(path.name)
    return Analysis(path, settings, screen.progress, workers).report()


def _save(report: Report, path: Path, folder: Path, formats: list[str] | None, workers: Any, screen: Any) -> None:
    screen.progress("write", 0, 1)
    files = None if formats is None else [f for f in formats if f != Format.mp4]
    if files is None or files:
        report.save(folder, files)
    screen.progress("write", 1, 1)
    if formats and Format.mp4 in formats:
        workers.annotate(path, report, folder / "annotated.mp4", screen.progress)


def _print_json(report: Report, *, several: bool) -> None:
    """The text of report.json; of several videos one line each, so that they can be told apart."""
    from visagram.export.json import dumps

    text = json.dumps(report.to_dict(), allow_nan=False) + "\n" if several else dumps(report.to_dict())
    sys.stdout.write(text)


def _expanded(videos: list[str]) -> Iterator[Path]:
    for text in videos:
        if any(sign in text for sign in "*?[") and not _exists(Path(text)):
            found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 (any root, and a sorted list)
            yield from (Path(name) for name in found if Path(name).is_file()) if found else [Path(text)]
        else:
            yield Path(text)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _folder_name(path: Path, used: set[str]) -> str:
    """The video's name without its ending; with it where two videos of one call share the name."""
    for name in (path.stem, path.name, *(f"{path.name}-{number}" for number in range(2, 10_000))):
        safe = "".join("_" if c in '<>:"/\\|?*' or not c.isprintable() else c for c in name).strip(" .")[:100]
        # Windows keeps these names, with any ending, for devices.
        if safe.split(".")[0].upper() in _DEVICES or not safe:
            safe = f"video_{safe}"
        if safe.casefold() not in used:
            used.add(safe.casefold())
            return safe
    raise UsageError("Too many videos of one name in one call.")


_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{kind}{n}" for kind in ("COM", "LPT") for n in range(1, 10))}
