"""The process that serves: gunicorn on Unix, waitress elsewhere.

Started by `visagram.jobs.supervisor`, which writes one line of JSON to its standard input and keeps that open: when it
closes, however the supervisor died, this process and its children end.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visagram.jobs.child import end_with_input, first_line
from visagram.jobs.service import Service
from visagram.settings import ServerSettings, Settings
from visagram.web.app import create_app

if TYPE_CHECKING:
    from apiflask import APIFlask

STALLED_SECONDS = 60
"""For how long a connection may neither take nor bring a byte within a request."""
KEEP_ALIVE_SECONDS = 20
HANGS_SECONDS = 120
"""After this time without a sign of life from its main loop the serving process is replaced."""
GOODBYE_SECONDS = 2
"""What requests that run get to end in when the server stops."""
_MEMORY = Path("/dev/shm")


def main() -> None:
    """Serve until standard input ends or a signal says so."""
    started = json.loads(first_line())
    settings, server = Settings(**started["settings"]), ServerSettings(**started["server"])
    end_with_input()
    if sys.platform == "win32":
        _serve_waitress(settings, server)
    else:
        _serve_gunicorn(settings, server)


def open_app(settings: Settings, server: ServerSettings) -> APIFlask:
    """The application on its data folder; whatever this process puts aside for a while lies in there too."""
    service = Service.open(settings, server)
    tempfile.tempdir = str(service.storage.folder / "tmp")
    return create_app(service)


if sys.platform == "win32":

    def _serve_waitress(settings: Settings, server: ServerSettings) -> None:
        import waitress

        waitress.serve(
            open_app(settings, server),
            host=server.host,
            port=server.port,
            threads=server.threads,
            channel_timeout=STALLED_SECONDS,
            max_request_body_size=(server.max_upload + 16) << 20,
            ident=None,
        )

else:
    import socket
    import struct

    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
    from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

    def _serve_gunicorn(settings: Settings, server: ServerSettings) -> None:
        _Gunicorn(settings, server).run()

    class _Gunicorn(BaseApplication):  # type: ignore[misc]
        def __init__(self, settings: Settings, server: ServerSettings) -> None:
            self._settings, self._server = settings, server
            super().__init__()

        def load_config(self) -> None:
            for name, value in _options(self._server).items():
                self.cfg.set(name, value)

        def load(self) -> APIFlask:
            return open_app(self._settings, self._server)

    class _Worker(ThreadWorker):  # type: ignore[misc]
        """Answers in threads; lets go of connections that stall, and of streams when it is to stop."""

        def init_process(self) -> None:
            end_with_input()
            for listener in self.sockets:
                be_patient(listener, STALLED_SECONDS)
            super().init_process()

        def handle_request(self, req: Any, conn: Any) -> Any:
            try:
                return super().handle_request(req, conn)
            except (BlockingIOError, TimeoutError) as error:
                # gunicorn's way to close a connection without a word in the log.
                raise StopIteration("the connection stalled") from error

        def handle_exit(self, sig: Any, frame: Any) -> None:
            self._end_streams()
            super().handle_exit(sig, frame)

        def handle_quit(self, sig: Any, frame: Any) -> None:
            self._end_streams()
            super().handle_quit(sig, frame)

        def _end_streams(self) -> None:
            if self.wsgi is not None:
                self.wsgi.extensions["visagram.broadcaster"].close()

    def be_patient(listener: Any, seconds: int) -> None:
        """Give connections that a socket will accept so long to bring or take a byte; they inherit both from it."""
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))

    def _options(server: ServerSettings) -> dict[str, Any]:
        host = f"[{server.host}]" if ":" in server.host else server.host
        return {
            "bind": f"{host}:{server.port}",
            # One process: it counts streams, waiting requests and rates for all of them.
            "workers": 1,
            "worker_class": _Worker,
            "threads": server.threads,
            "worker_connections": 1000 + server.threads,
            "timeout": HANGS_SECONDS,
            "graceful_timeout": GOODBYE_SECONDS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "limit_request_line": 8190,
            "limit_request_fields": 64,
            "limit_request_field_size": 16_384,
            # The heartbeat's file: a full disk must not look like a hanging process.
            "worker_tmp_dir": str(_MEMORY) if os.access(_MEMORY, os.W_OK) else str(server.folder / "tmp"),
            "umask": 0o077,
            "loglevel": "warning",
            "accesslog": None,
            # Which proxies to believe is for the application to say.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "control_socket_disable": True,
        }


if __name__ == "__main__":
    main()
