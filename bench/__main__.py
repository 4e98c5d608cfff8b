"""Run the benchmark: `python -m bench [--json FILE] [--peer PYTHON] [--faces FOLDER] [CLIP ...]`; CLIPs are further
videos for the agreement, FOLDER holds labelled faces for the expression model."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import long as long_videos
from bench import models, peer
from bench.agreement import agreement
from bench.clips import SIZES, render
from bench.processes import python, visagram
from visagram.cli import SAMPLE
from visagram.settings import cores

REPEATS = 4
"""The renderings play the sample this often (two minutes), so that start-up is a small part of the whole process."""
ROUNDS = 3

DECODE = """
import sys, av
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    print(sum(1 for _ in container.decode(stream)))
"""
FIRST = """
import sys, time
began = time.perf_counter()
import visagram
for observations in visagram.Analysis(sys.argv[1]):
    if len(observations):
        print(time.perf_counter() - began)
        break
"""


def speed(clip: Path) -> dict[str, Any]:
    """Decode-only and analysis in turn, so that both see the same machine; medians of their rates and of the ratio."""
    rows = []
    for _ in range(ROUNDS):
        decode = python(DECODE, str(clip))
        with tempfile.TemporaryDirectory() as folder:
            analyse = visagram("analyze", str(clip), "--quiet", "--output", folder)
        frames = int(decode.output)
        rows.append((frames / decode.seconds, frames / analyse.seconds, decode.seconds / analyse.seconds))
    decode_rate, analyse_rate, ratio = (median(row[k] for row in rows) for k in range(3))
    return {"clip": clip.name, "frames": frames, "decode_fps": decode_rate, "analyse_fps": analyse_rate, "ratio": ratio}


def memory(clip: Path) -> dict[str, Any]:
    """Peak resident memory of the largest process, with one worker."""
    with tempfile.TemporaryDirectory() as folder:
        peak = visagram("analyze", str(clip), "--quiet", "--processes", "1", "--output", folder).peak_mib
    return {"clip": clip.name, "peak_mib": peak}


def start_up() -> dict[str, float]:
    """Seconds until `--help` has printed, and until the first observation of the sample clip."""
    return {
        "help_s": median(visagram("--help").seconds for _ in range(5)),
        "first_observation_s": median(float(python(FIRST, str(SAMPLE)).output) for _ in range(5)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path, help="further clips for the agreement")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--faces", metavar="FOLDER", type=Path, help="labelled faces for the expression model")
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with deepface, retina-face and torch")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "visagram-bench")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    screen = Console()
    figures: dict[str, Any] = {"machine": f"{platform.machine()}, {cores()} cores, Python {platform.python_version()}"}
    long = [render(options.folder, width, height, REPEATS) for width, height in SIZES]
    figures["speed"] = [speed(clip) for clip in [SAMPLE, *long]]
    screen.print(_table("Every frame analysed, whole process", figures["speed"]))
    longest = render(options.folder, *SIZES[0], 5 * REPEATS)
    figures["memory"] = [memory(clip) for clip in [SAMPLE, *long, longest]]
    screen.print(_table("Peak memory of the largest process", figures["memory"]))
    figures["start_up"] = start_up()
    screen.print(_table("Start-up", [figures["start_up"]]))
    short = [render(options.folder, width, height, 1) for width, height in SIZES]
    figures["agreement"] = [dataclasses.asdict(agreement(clip)) for clip in [SAMPLE, *short, *options.clips]]
    screen.print(_table("Agreement with every frame looked at in full size", figures["agreement"]))
    figures["long"] = long_videos.measure()
    screen.print(_table("Tracks into people; times: as long as for half of them", figures["long"]["grouping"]))
    screen.print(_table("Results of segments into people", [figures["long"]["summarising"]]))
    screen.print(_table("Results of segments into a view folder", [figures["long"]["merging"]]))
    figures["models"] = models.cost()
    screen.print(_table("Models, one thread, milliseconds each, alone and in a batch of 16", figures["models"]))
    if options.faces:
        figures["accuracy"] = [models.accuracy(options.faces)]
        screen.print(_table("Labelled faces", figures["accuracy"]))
    figures["peer"] = peer.measure(render(options.folder, *SIZES[0], 1), options.peer)
    screen.print(_table("Peer: DeepFace with RetinaFace, frame by frame", [figures["peer"]]))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    return table


if __name__ == "__main__":
    main()
