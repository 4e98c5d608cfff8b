"""Long videos: how time and memory grow with them. `python -m bench.long` prints the figures alone."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.film import RATE, Film, results
from bench.processes import run
from visagram.core.identity import group_people
from visagram.core.segments import Probed
from visagram.core.summary import summarise
from visagram.jobs.merge import merge
from visagram.settings import Settings

TRACKS = (625, 1250, 2500, 5000)
CAST = 100
THRESHOLD = 0.363
"""That of the embedder's card."""
CROWDED = Film(frames=200_000, faces=5, shot=200, people=200, unknown=0.1)
"""5,000 tracks in 1,000,000 rows."""
HOURS = 10
PEOPLE = 5
SHOT = 60 * RATE


def grouping(repeats: int = 5) -> list[dict[str, Any]]:
    """Seconds of the processor to group tracks into people; how many times as long as for half of them. The best of
    some runs, in turn, so that all see the same machine."""
    cast = Film(frames=100 * TRACKS[-1], faces=1, shot=100, people=CAST, unknown=0.1)
    tracks = [cast.track(number) for number in range(TRACKS[-1])]
    best = dict.fromkeys(TRACKS, float("inf"))
    for _ in range(repeats):
        for count in TRACKS:
            apart = np.zeros((count, count), np.int32)
            seconds, _ = _timed(group_people, tracks[:count], apart, THRESHOLD, clock=time.process_time)
            best[count] = min(best[count], seconds)
    return [
        {"tracks": n, "seconds": best[n], "times": best[n] / best[n // 2] if n // 2 in best else None} for n in TRACKS
    ]


def summarising() -> dict[str, Any]:
    """Seconds from the results of all segments to people."""
    found = list(results(CROWDED))
    chosen = {"analysed": CROWDED.frames / RATE, "threshold": THRESHOLD, "seed": 0, "unsure_below": 0.5}
    seconds, summary = _timed(summarise, found, **chosen)
    people, rows = len(summary.people), len(summary.observations)
    return {"rows": rows, "tracks": len(summary.tracks), "people": people, "seconds": seconds}


def merging(hours: float = HOURS) -> dict[str, Any]:
    """Seconds and peak memory of a process that makes a view folder of the segments' results."""
    with tempfile.TemporaryDirectory() as folder:
        film = _talk(hours)
        for segment in film.plan():
            film.write(segment, _part(Path(folder), segment.number))
        done = run([sys.executable, "-m", "bench.long", folder, "--hours", str(hours)])
    return {"hours": hours, "rows": film.frames * film.faces, "seconds": done.seconds, "peak_mib": done.peak_mib}


def _merge(folder: Path, hours: float) -> None:
    film = _talk(hours)
    files = [(segment, _part(folder, segment.number)) for segment in film.plan()]
    merge("film", Probed(film.facts, film.timeline), files, Settings(), folder / "view", lambda *_: None)


def _talk(hours: float) -> Film:
    return Film(frames=round(hours * 3600 * RATE), faces=PEOPLE, shot=SHOT, people=PEOPLE)


def _part(folder: Path, number: int) -> Path:
    return folder / f"segment-{number}"


def _timed(
    work: Callable[..., Any], *arguments: Any, clock: Callable[[], float] = time.perf_counter, **options: Any
) -> tuple[float, Any]:
    """Seconds that a call takes, and what it returns."""
    began = clock()
    found = work(*arguments, **options)
    return clock() - began, found


def measure(hours: float = HOURS) -> dict[str, Any]:
    return {"grouping": grouping(), "summarising": summarising(), "merging": merging(hours)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.long", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="merge the segments that lie there")
    parser.add_argument("--hours", type=float, default=HOURS)
    options = parser.parse_args()
    if options.folder:
        _merge(options.folder, options.hours)
    else:
        print(json.dumps(measure(options.hours), indent=2))


if __name__ == "__main__":
    main()
