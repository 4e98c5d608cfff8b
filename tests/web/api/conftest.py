"""One world for all tests of the API."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from world import open_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    opened = open_world(tmp_path_factory.mktemp("api"))
    yield opened
    opened.client.application.extensions["visagram.stills"].close()
    opened.service.store.close()


@pytest.fixture
def fresh(world):
    return world.fresh()


def is_problem(response: TestResponse, status: int, code: str | None = None) -> bool:
    """Whether the answer is a problem of that kind; fails with what it is instead."""
    assert (response.status_code, response.mimetype) == (status, "application/problem+json"), response.text
    assert {"type", "title", "status", "detail", "code"} <= set(response.json)
    assert code in (None, response.json["code"]), response.text
    return True


@pytest.fixture
def problem():
    return is_problem
