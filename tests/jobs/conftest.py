from __future__ import annotations

import pytest

from service import open_service


@pytest.fixture
def service(tmp_path):
    service = open_service(tmp_path / "data")
    yield service
    service.store.close()
