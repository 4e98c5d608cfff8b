"""The command line as a user meets it: a process of its own, its exit status and what it printed."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DROP_PRIVILEGES = (
    "import ctypes, os, sys\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "for capability in (1, 2):\n"  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    "    if os.geteuid() == 0 and libc.prctl(24, capability, 0, 0, 0):\n"  # PR_CAPBSET_DROP
    "        sys.exit('capabilities cannot be dropped')\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)
"""Root may read and write everything; without these two capabilities permissions count for it too."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: int
    out: str
    err: str

    @property
    def codes(self) -> list[str]:
        """The code of each error; asserts that each is one sentence on one line, and nothing else was said."""
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if not line.startswith("Results in ")]
        for line in lines:
            assert line.startswith("error: ") and line.endswith("]"), self.err
        return [line.rpartition("[")[2].rstrip("]") for line in lines]

    def refused(self, code: str, status: int = 3) -> None:
        """Assert that the only input was refused for this reason."""
        assert self.codes == [code]
        assert self.status == status
        assert self.out == ""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "visagram", *map(str, arguments)]


def environment(**settings: object) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VISAGRAM_")}
    return kept | {f"VISAGRAM_{name.upper()}": str(value) for name, value in settings.items()}


def visagram(*arguments: object, cwd: Path | None = None, prefix: tuple[str, ...] = (), **settings: object) -> Outcome:
    """Run the command line to its end. prefix: a command that starts it. settings: given by the environment."""
    done = subprocess.run(
        [*prefix, *command(*arguments)],
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE * 60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def unprivileged() -> tuple[str, ...]:
    """A prefix under which file permissions count even for root; checked, or a test with it would prove nothing."""
    if sys.platform == "win32":
        pytest.skip("permissions work another way here")
    prefix = (sys.executable, "-c", DROP_PRIVILEGES)
    with tempfile.NamedTemporaryFile() as control:
        Path(control.name).chmod(0)
        look = [*prefix, sys.executable, "-c", f"open({control.name!r})"]
        assert b"PermissionError" in subprocess.run(look, capture_output=True, check=False).stderr
    return prefix


def content(folder: Path) -> list[str]:
    """Everything below a folder that may not exist."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def result(folder: Path) -> dict[str, Any]:
    """The report in a folder, complete and valid JSON."""
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert report["schema"]
    return dict(report)


def session(pid: int) -> list[int]:
    """The living processes of a session, by the id of its leader (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


_tried = itertools.count()


def free_port() -> int:
    """A port to serve on: one that systems hand to nobody by themselves, out of a share that this process has for
    itself. So it stays free until it is used, whatever runs beside the tests."""
    first, share = 12_000 + os.getpid() % 100 * 200, 200
    for number in itertools.islice(_tried, share):
        port = first + number % share
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


PATIENCE = 10
"""So many times longer than on a machine with nothing else to do may anything take on a busy one."""


def wait_until(holds: Any, seconds: float, what: str) -> None:
    """Wait for a condition. seconds: what it takes at most where nothing else runs."""
    deadline = time.monotonic() + PATIENCE * seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Watch:
    """Notices, through inotify, every opening of a file (Linux)."""

    OPEN = 0x20

    def __init__(self, path: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK)
        assert self._libc.inotify_add_watch(self._handle, os.fsencode(path), self.OPEN) >= 0

    def opened(self) -> bool:
        try:
            return bool(os.read(self._handle, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._handle)


def interrupt(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """Ctrl-C: in a terminal the whole foreground group gets it."""
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
