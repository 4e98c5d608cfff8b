"""`visagram analyze`."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visagram.cli.results import Results, sentence
from visagram.cli.shared import NOTHING_ANALYSED, SOME_FAILED, USAGE, DebugWorkers, QuietSummary, help_of
from visagram.errors import UsageError, VisagramError
from visagram.settings import Settings, parse_region

if TYPE_CHECKING:
    from visagram.report import Report
    from visagram.screen import Screen
    from visagram.workers import Workers


class Format(StrEnum):
    """The files a result consists of."""

    json = "json"
    csv = "csv"
    parquet = "parquet"
    npy = "npy"
    html = "html"
    vtt = "vtt"
    mp4 = "mp4"


def analyze(
    videos: Annotated[list[str], typer.Argument(help="Videos or pictures; patterns such as '*.mp4' are expanded.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the results (default: results).")
    ] = None,
    formats: Annotated[
        list[Format] | None, typer.Option("--format", "-f", help="Write only this; repeatable (default: all but mp4).")
    ] = None,
    annotate: Annotated[bool, typer.Option("--annotate", help="Also write annotated.mp4.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another result that has the folder's name.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json to standard output; files only with --output.")
    ] = False,
    start: Annotated[float | None, typer.Option(help=help_of("start"))] = None,
    end: Annotated[float | None, typer.Option(help=help_of("end"))] = None,
    sample_fps: Annotated[float | None, typer.Option(help=help_of("sample_fps"))] = None,
    frame_interval: Annotated[int | None, typer.Option(help=help_of("frame_interval"))] = None,
    stream: Annotated[int | None, typer.Option(help=help_of("stream"))] = None,
    region: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help=help_of("region"))] = None,
    min_face: Annotated[int | None, typer.Option(help=help_of("min_face"))] = None,
    detect_every: Annotated[int | None, typer.Option(help=help_of("detect_every"))] = None,
    detect_size: Annotated[str | None, typer.Option(help=help_of("detect_size"))] = None,
    seed: Annotated[int | None, typer.Option(help=help_of("seed"))] = None,
    smooth: Annotated[float | None, typer.Option(help=help_of("smooth"))] = None,
    emotion: Annotated[str | None, typer.Option(help=help_of("emotion"))] = None,
    prior: Annotated[str | None, typer.Option(help=help_of("prior"))] = None,
    refine: Annotated[bool | None, typer.Option("--refine", help=help_of("refine"))] = None,
    detector: Annotated[str | None, typer.Option(help=help_of("detector"))] = None,
    models: Annotated[str | None, typer.Option(help=help_of("models"))] = None,
    offline: Annotated[bool | None, typer.Option("--offline", help=help_of("offline"))] = None,
    processes: Annotated[int | None, typer.Option(help=help_of("processes"))] = None,
    quiet: QuietSummary = False,
    debug: DebugWorkers = False,
) -> None:
    """Analyse videos: statistics, files and a report of apparent expression for every person in them."""
    settings = Settings.load(
        start=start,
        end=end,
        sample_fps=sample_fps,
        frame_interval=frame_interval,
        stream=stream,
        region=parse_region(region) if region is not None else None,
        min_face=min_face,
        detect_every=detect_every,
        detect_size=detect_size,
        seed=seed,
        smooth=smooth,
        emotion=emotion,
        prior=prior,
        refine=refine,
        detector=detector,
        models=models,
        offline=offline,
        processes=processes,
    )
    wanted = [f.value for f in formats] if formats else None
    if annotate:
        wanted = [*(wanted or [f.value for f in Format if f is not Format.mp4]), Format.mp4.value]
    folder = output or (None if as_json else Path("results"))

    from visagram.screen import Screen
    from visagram.workers import Workers

    done, failures = 0, list[VisagramError]()
    results = Results(folder, wanted, overwrite=overwrite) if folder is not None else None
    with Screen(quiet=quiet) as screen, Workers(settings, debug=debug) as workers:
        _prepare(settings, screen, debug)
        paths = list(_expanded(videos))
        for path in paths:
            try:
                report = _one(path, settings, workers, screen)
                place = results.save(report, path, workers, screen) if results is not None else None
                screen.clear()
                if as_json:
                    _print_json(report, several=len(paths) > 1)
                elif not quiet:
                    sys.stdout.write(report.summary().rstrip("\n") + "\n")
                # Whoever looks in the usual folder must be told that it is another one.
                if place is not None and folder is not None and (place.why or not quiet):
                    screen.say(sentence(place, folder, path))
                sys.stdout.flush()
                done += 1
            except VisagramError as error:
                failures.append(error)
                screen.clear()
                screen.error(error, debug)
    if failures:
        raise typer.Exit(_status(done, failures))


def _prepare(settings: Settings, screen: Screen, debug: bool) -> None:
    """See to it that the models are there before anything is analysed: a mistake in their names concerns every video.
    Raises `UsageError`, `MissingExtra`; ends the command for a model that cannot be had."""
    from visagram.analysis import prepare_models
    from visagram.models.catalog import OWN

    if settings.emotion.startswith(OWN) and not _exists(Path(settings.emotion.removeprefix(OWN))):
        raise UsageError(f"The setting emotion is '{settings.emotion}', and there is no such file.")
    try:
        prepare_models(settings, screen.progress)
    except VisagramError as error:
        if error.exit_status == USAGE:
            raise
        screen.clear()
        screen.error(error, debug)
        raise typer.Exit(NOTHING_ANALYSED) from error


def _status(done: int, failures: Sequence[VisagramError]) -> int:
    """The exit status where some videos failed; it was the call if nothing else was wrong with any of them."""
    if done:
        return SOME_FAILED
    return USAGE if all(error.exit_status == USAGE for error in failures) else NOTHING_ANALYSED


def _one(path: Path, settings: Settings, workers: Workers, screen: Screen) -> Report:
    from visagram.analysis import Analysis

    screen.title(path.name)
    return Analysis(path, settings, screen.progress, workers).report()


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
