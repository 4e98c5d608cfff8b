"""The real application over a data folder with an analysed video."""

from __future__ import annotations

from dataclasses import dataclass

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service import SHORT, open_service, upload, work
from visagram.jobs.service import Service
from visagram.web.app import create_app


@dataclass
class World:
    """An opened data folder, whose first video was analysed from 0 to 2 s; one person is in it."""

    service: Service
    client: FlaskClient
    video: str = ""
    analysis: str = ""

    def fresh(self, name: str = "fresh.mp4") -> tuple[str, str]:
        """Another entry with the same bytes and settings, which has its result at once: ids of video and analysis."""
        return upload(self.service, settings=SHORT, name=name)

    def waiting(self) -> tuple[str, str]:
        """An entry whose analysis waits: ids of video and analysis."""
        video, _ = upload(self.service, settings=None)
        return video, self.post("/analyses", {"video_id": video, "settings": {"end": 0.5}}).json["id"]

    def get(self, path: str, **headers: str) -> TestResponse:
        return self._ask("GET", path, headers=headers)

    def post(self, path: str, body: object = None, **more: object) -> TestResponse:
        return self._ask("POST", path, **({"json": body} if body is not None else more))

    def patch(self, path: str, body: object) -> TestResponse:
        return self._ask("PATCH", path, json=body)

    def delete(self, path: str) -> TestResponse:
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **more: object) -> TestResponse:
        path = path if path.startswith("/api/") else f"/api/v1{path}"
        # Buffered, so that files are closed.
        return self.client.open(path, method=method, buffered=True, **more)


def open_world(folder) -> World:
    service = open_service(folder)
    world = World(service, create_app(service).test_client())
    world.video, world.analysis = world.fresh("sample.mp4")
    work(service)
    return world
