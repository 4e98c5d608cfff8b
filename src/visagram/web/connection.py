"""What WSGI does not tell of the connection behind a request, as far as the server lets one know."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Any

Environ = dict[str, Any]


def set_patience(environ: Environ, seconds: float) -> None:
    """Give up a client that sends nothing for so long, so that it cannot hold a thread and a file forever."""
    sock = environ.get("gunicorn.socket")
    if isinstance(sock, socket.socket):
        sock.settimeout(seconds)


def is_gone(environ: Environ) -> bool:
    """Whether the client closed the connection; False where the server cannot tell."""
    sock = environ.get("gunicorn.socket")
    if isinstance(sock, socket.socket):
        return _is_closed(sock)
    lost = environ.get("waitress.client_disconnected")
    return bool(lost()) if callable(lost) else False


def _is_closed(sock: socket.socket) -> bool:
    with contextlib.suppress(OSError, ValueError):
        readable, _, _ = select.select([sock], [], [], 0)
        return bool(readable) and sock.recv(1, socket.MSG_PEEK) == b""
    return True
