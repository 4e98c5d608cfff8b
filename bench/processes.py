"""Whole processes, timed from outside, with the peak memory of each."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """seconds: wall clock. peak_mib: largest resident size of any one process, None where /proc is missing."""

    seconds: float
    peak_mib: float | None
    output: str


def run(command: Sequence[str]) -> Run:
    """Run a command to its end; raises when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peaks: dict[int, float] = {}
    watcher = threading.Thread(target=_watch, args=(process.pid, process, peaks), daemon=True)
    watcher.start()
    output, errors = process.communicate()
    seconds = time.perf_counter() - started
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{errors}")
    return Run(seconds, max(peaks.values(), default=None), output)


def python(code: str, *arguments: str) -> Run:
    """Run code in a fresh interpreter."""
    return run([sys.executable, "-c", code, *arguments])


def visagram(*arguments: str) -> Run:
    """Run the installed command."""
    return run([str(Path(sys.executable).with_name("visagram")), *arguments])


def _watch(root: int, process: subprocess.Popen[str], peaks: dict[int, float]) -> None:
    while process.poll() is None:
        for pid in _family(root):
            peak = _peak(pid)
            if peak:
                peaks[pid] = max(peak, peaks.get(pid, 0.0))
        time.sleep(0.05)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [pid, *(k for child in children.read_text().split() for k in _family(int(child)))]
    except OSError:
        return [pid]


def _peak(pid: int) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)
