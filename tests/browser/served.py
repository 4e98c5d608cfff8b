"""A serving Visagram in a process of its own, and its API as a program uses it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import APIResponse, Playwright

from command import PATIENCE, free_port, wait_until
from service import descendants

STARTS, ANALYSES = 15.0, 30.0
"""Seconds within which a server answers, and within which a short clip is analysed, where nothing else runs."""


class Served:
    """`visagram serve` on a data folder and a free port. `stop` ends it and whatever it started."""

    def __init__(self, playwright: Playwright, data: Path, **options: object) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.parent / f"{data.name}.log"
        environment = os.environ | {f"VISAGRAM_{name.upper()}": str(value) for name, value in options.items()}
        command = [sys.executable, "-P", "-m", "visagram", "serve", "--port", str(self.port), "--data", str(data)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        wait_until(self._answers, STARTS, "the server did not start")
        self.api = Api(playwright, self.url, str(options.get("token", "")))

    def stop(self) -> None:
        """End the server as a service manager would, and make sure that nothing of it is left."""
        family = [self.process.pid, *descendants(self.process.pid)]
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE * 5)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"the server ended:\n{self.log.read_text()}"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False


@contextlib.contextmanager
def serving(playwright: Playwright, data: Path, **options: object) -> Iterator[Served]:
    """A server for a while. options: server settings by name."""
    served = Served(playwright, data, **options)
    try:
        yield served
    finally:
        served.api.close()
        served.stop()


class Api:
    """The REST API. Every call asserts that it succeeded and returns the answer's JSON, None where there is none."""

    def __init__(self, playwright: Playwright, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = playwright.request.new_context(base_url=url, extra_http_headers=headers)

    def close(self) -> None:
        self._http.dispose()

    def get(self, path: str, **params: Any) -> Any:
        return _json(self._http.get(f"/api/v1{path}", params=params))

    def post(self, path: str, body: object | None = None) -> Any:
        return _json(self._http.post(f"/api/v1{path}", data={} if body is None else body))

    def patch(self, path: str, body: object) -> Any:
        return _json(self._http.patch(f"/api/v1{path}", data=body))

    def delete(self, path: str, **params: Any) -> Any:
        return _json(self._http.delete(f"/api/v1{path}", params=params))

    def upload(self, path: Path, name: str | None = None, **fields: object) -> dict[str, Any]:
        """Send a file and analyse it. fields: settings of the analysis, participant, condition, tags."""
        file = {"name": name or path.name, "mimeType": "application/octet-stream", "buffer": path.read_bytes()}
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
        return dict(_json(self._http.post("/api/v1/videos", multipart={**texts, "video": file})))

    def ended(self, video: dict[str, Any]) -> dict[str, Any]:
        """A video's newest analysis, once it is over."""
        path = f"/analyses/{video['latest']['id']}"
        wait_until(lambda: self.get(path)["state"] not in ("queued", "running"), ANALYSES, f"{path} did not end")
        return dict(self.get(path))

    def done(self, video: dict[str, Any]) -> dict[str, Any]:
        """A video once its analysis is done."""
        analysis = self.ended(video)
        assert analysis["state"] == "done", analysis
        return dict(self.get(f"/videos/{video['id']}"))

    def playable(self, video: dict[str, Any]) -> dict[str, Any]:
        """The video once a browser can play it, by itself or through its proxy."""
        path = f"/videos/{video['id']}"
        wait_until(lambda: self.get(path)["playback"]["state"] in ("direct", "ready"), ANALYSES, "there is no proxy")
        return dict(self.get(path))


def _json(response: APIResponse) -> Any:
    try:
        assert response.ok, f"{response.url}: {response.status} {response.text()}"
        return response.json() if response.body() else None
    finally:
        response.dispose()
