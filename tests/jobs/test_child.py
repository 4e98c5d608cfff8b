"""Processes under a supervisor: the line that they begin with, and their end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from visagram.jobs.child import first_line

ENDING = """
import os, time
from visagram.jobs.child import end_with_input, first_line
os.write(1, first_line())
end_with_input()
os.write(1, b"ready\\n")
time.sleep(600)
os._exit(3)
"""


@pytest.mark.parametrize(
    ("written", "line", "rest"),
    [(b"one\ntwo\nthree", b"one\n", b"two\nthree"), (b"\nx", b"\n", b"x"), (b"half", b"half", b""), (b"", b"", b"")],
)
def test_the_first_line_is_read_and_no_more(written: bytes, line: bytes, rest: bytes) -> None:
    reader, writer = os.pipe()
    kept = os.dup(0)
    try:
        os.dup2(reader, 0)
        os.write(writer, written)
        os.close(writer)
        assert first_line() == line and os.read(0, 100) == rest
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)


def test_a_process_lives_as_long_as_its_input() -> None:
    with subprocess.Popen([sys.executable, "-c", ENDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"hello\n" + b"more")
        process.stdin.flush()
        assert process.stdout.readline() == b"hello\n" and process.stdout.readline() == b"ready\n"
        process.stdin.write(bytes(10_000))
        process.stdin.flush()
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(300) == 0
