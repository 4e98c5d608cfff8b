"""The serving process: starts light, ends with its parent, lets go of who stalls."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from serving import serving

from visagram.web.server import STALLED_SECONDS, be_patient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(holds, what: str, seconds: float = 100.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_the_process_is_light_and_ends_with_its_input(service):
    with serving(service) as live:
        (worker,) = children(live.process.pid)
        with contextlib.closing(live.connect()) as connection:
            studio = [
                f"/api/v1/studio{part}" for part in ("", "/faces", "/makings", "/passes", "/model", "/corrections")
            ]
            for path in ("/", "/study", "/studio", "/models", "/api/v1/videos", "/static/expressions.css", *studio):
                connection.request("GET", path)
                assert connection.getresponse().read()
        mapped = Path(f"/proc/{worker}/maps").read_text()
        for heavy in ("/av/", "onnxruntime", "cv2", "torch"):
            assert heavy not in mapped
        live.process.stdin.close()
        assert live.process.wait(100) == 0
        wait_until(lambda: not alive(worker), "the worker outlived its parent")


def test_killed_it_leaves_nothing_behind_and_a_dead_worker_is_replaced(service):
    with serving(service) as live:
        (worker,) = children(live.process.pid)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: children(live.process.pid) not in ([], [worker]) and live.answers(), "no new worker came")
        (worker,) = children(live.process.pid)
        # Its input stays open: only the worker itself can notice that its parent is gone.
        live.process.kill()
        wait_until(lambda: not alive(worker), "the worker outlived the arbiter")


def test_a_signal_ends_it_in_order(service, capfd):
    with serving(service) as live:
        (worker,) = children(live.process.pid)
        live.process.send_signal(signal.SIGTERM)
        assert live.process.wait(100) == 0
        assert not alive(worker)
    assert "Traceback" not in capfd.readouterr().err


def test_a_connection_that_stalls_is_let_go():
    assert STALLED_SECONDS >= 30
    with socket.create_server(("127.0.0.1", 0)) as listener:
        be_patient(listener, 1)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                accepted.setblocking(True)
                began = time.monotonic()
                with pytest.raises(BlockingIOError):
                    accepted.recv(1)
                with pytest.raises(BlockingIOError):
                    accepted.sendall(b"x" * (64 << 20))
                assert 1 < time.monotonic() - began < 100
