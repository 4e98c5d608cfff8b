from __future__ import annotations

from dataclasses import dataclass

import pytest

from service import open_service


@dataclass
class HandClock:
    """A clock that a test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def service(tmp_path):
    service = open_service(tmp_path / "data")
    yield service
    service.store.close()
