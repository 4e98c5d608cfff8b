"""Forms as browsers send them, and the serving process on a free port."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from command import PATIENCE, free_port, wait_until
from visagram.jobs.service import Service


def form(*parts: tuple[str, str | None, bytes], end: bytes = b"--B--\r\n") -> bytes:
    """A form of (field, file name or None, content), its boundary B."""
    body = b""
    for name, filename, content in parts:
        head = f'--B\r\nContent-Disposition: form-data; name="{name}"'
        head += "" if filename is None else f'; filename="{filename}"'
        body += head.encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + end


STARTS = 15.0
"""Seconds within which a server starts or ends where nothing else runs."""


@dataclass(frozen=True)
class Live:
    """A serving process as the supervisor starts it."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def answers(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        with contextlib.suppress(OSError), contextlib.closing(self.connect(1.0)) as connection:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        return False


@contextlib.contextmanager
def serving(service: Service, **server: object) -> Iterator[Live]:
    """Start the server on a data folder, and end it as the supervisor does."""
    port = free_port()
    chosen = dataclasses.replace(service.server, **{"port": port, **server})
    message = {"settings": dataclasses.asdict(service.settings), "server": dataclasses.asdict(chosen)}
    process = subprocess.Popen([sys.executable, "-P", "-m", "visagram.web.server"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()
    live = Live(process, port)
    try:
        wait_until(live.answers, STARTS, "the server did not start")
        yield live
    finally:
        process.stdin.close()
        try:
            process.wait(PATIENCE * STARTS)
        finally:
            process.kill()
            process.wait()
