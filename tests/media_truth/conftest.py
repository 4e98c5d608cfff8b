"""Worker processes that all files go through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from visagram.settings import Settings
from visagram.workers import Workers

pytest.register_assert_rewrite("truth")


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    with Workers(Settings()) as pool:
        yield pool
