"""A data folder as a supervisor makes it, the application on it, and workers that run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from serving import Live, serving

from service import open_service, work
from visagram.jobs.service import Service
from visagram.web.app import create_app


@pytest.fixture
def live(service) -> Iterator[Live]:
    with serving(service) as started:
        yield started


@pytest.fixture
def service(tmp_path) -> Iterator[Service]:
    opened = open_service(tmp_path / "data")
    yield opened
    opened.store.close()


@pytest.fixture
def app(service):
    return create_app(service)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def worked() -> Callable[[Service], None]:
    """Runs the queued work of a service to its end."""
    return work
