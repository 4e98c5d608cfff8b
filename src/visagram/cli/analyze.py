"""`visagram analyze`."""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visagram.cli.shared import NOTHING_ANALYSED, SOME_FAILED, DebugWorkers, QuietSummary, help_of
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json to standard output; files only with --output.")
    ] = False,
    start: Annotated[float | None, typer.Option(help=help_of("start"))] = None,
    end: Annotated[float | None, typer.Option(help=help_of("end"))] = None,
    sample_fps: Annotated[float | None, typer.Option(help=help_of("sample_fps"))] = None,
    frame_interval: Annotated[int | None, typer.Option(help=help_of("frame_interval"))] = None,
    region: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help=help_of("region"))] = None,
    min_face: Annotated[int | None, typer.Option(help=help_of("min_face"))] = None,
    detect_every: Annotated[int | None, typer.Option(help=help_of("detect_every"))] = None,
    detect_size: Annotated[str | None, typer.Option(help=help_of("detect_size"))] = None,
    seed: Annotated[int | None, typer.Option(help=help_of("seed"))] = None,
    smooth: Annotated[float | None, typer.Option(help=help_of("smooth"))] = None,
    emotion: Annotated[str | None, typer.Option(help=help_of("emotion"))] = None,
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
        region=parse_region(region) if region is not None else None,
        min_face=min_face,
        detect_every=detect_every,
        detect_size=detect_size,
        seed=seed,
        smooth=smooth,
        emotion=emotion,
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


def _one(path: Path, settings: Settings, workers: Workers, screen: Screen) -> Report:
    from visagram.analysis import Analysis

    screen.title(path.name)
    return Analysis(path, settings, screen.progress, workers).report()


def _save(
    report: Report, path: Path, folder: Path, formats: list[str] | None, workers: Workers, screen: Screen
) -> None:
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
