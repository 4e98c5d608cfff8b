"""A worker process: what it is started with, and how it goes on when there is nothing to do or the database is busy."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from visagram.jobs import runner as module
from visagram.settings import ServerSettings, Settings


class Over(Exception):
    """The test has seen enough."""


def test_it_claims_and_works_until_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[Any] = []
    found = iter([OperationalError("x", {}, Exception("busy")), None, "first", None, "second"])

    class Queue:
        def __init__(self, store: Any, owner: str, seconds: float) -> None:
            happened.append((owner, seconds))

        def claim(self) -> Any:
            lease = next(found, Over())
            if isinstance(lease, Exception):
                raise lease
            return lease

    class Runner:
        def __init__(self, store: Any, storage: Any, queue: Any, settings: Settings, training: Path | None) -> None:
            assert isinstance(queue, Queue)
            happened.append((storage.folder, storage.keep_free, settings.smooth, training))

        def run(self, lease: str) -> None:
            happened.append(lease)

    server = ServerSettings(data=str(tmp_path), keep_free=3, lease_seconds=7.0, training_data=str(tmp_path / "t"))
    started = {"settings": asdict(Settings(smooth=2.0)), "server": asdict(server)}
    monkeypatch.setattr(module, "first_line", lambda: json.dumps(started).encode() + b"\n")
    monkeypatch.setattr(module, "end_with_input", lambda: happened.append("watched"))
    monkeypatch.setattr(module, "Leases", Queue)
    monkeypatch.setattr(module, "Runner", Runner)
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=happened.append))
    with pytest.raises(Over):
        module.main()
    assert happened == [
        "watched",
        (f"{socket.gethostname()}:{os.getpid()}", 7.0),
        (tmp_path, 3 << 20, 2.0, tmp_path / "t"),
        *(1, 0.2, "first", 0.2, "second"),
    ]
