"""The process behind the server, with children that are made by hand and a clock that goes as fast as it can."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from command import free_port
from visagram.errors import FolderInUse, UsageError
from visagram.jobs import supervisor as module
from visagram.jobs.owners import Owners
from visagram.jobs.storage import Storage
from visagram.jobs.supervisor import Supervisor
from visagram.settings import ServerSettings, Settings

WORKER, WEB = "visagram.jobs.runner", "visagram.web.main"


class Children:
    """Stands for `subprocess.Popen`; remembers which children were started when. lives: for how long each lives, the
    last one for ever."""

    def __init__(self, *lives: float) -> None:
        self.now, self.lives, self.all = 100.0, list(lives), list[Child]()
        self.meanwhile: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        self.now += 0.03
        return self.now

    def __call__(self, command: list[str], env: dict[str, str], stdin: int) -> Child:
        lives = self.lives.pop(0) if self.lives else float("inf")
        self.all.append(Child(self, command[-1], self.now, self.now + lives, 5000 + len(self.all)))
        return self.all[-1]

    @property
    def gaps(self) -> list[float]:
        """Seconds between the end of each child and the start of the next."""
        pairs = zip(self.all[:-1], self.all[1:], strict=True)
        return [round(after.started - before.until, 1) for before, after in pairs]


class Child:
    def __init__(self, crowd: Children, module: str, started: float, until: float, pid: int) -> None:
        self.crowd, self.module, self.started, self.until, self.pid = crowd, module, started, until, pid
        self.stdin, self.told, self.ended = self, b"", list[str]()

    def write(self, text: bytes) -> None:
        self.told += text

    def flush(self) -> None:
        self.ended.append("flush")

    def close(self) -> None:
        self.ended.append("close")

    def poll(self) -> int | None:
        self.crowd.meanwhile()
        return None if self.crowd.now < self.until else 1

    def wait(self, timeout: float | None = None) -> int:
        if self.until == float("inf") and timeout is not None:
            self.ended.append("wait")
            raise module.subprocess.TimeoutExpired("child", timeout)
        if timeout is None:
            self.ended.append("over")
        return 1

    def kill(self) -> None:
        self.ended.append("kill")


@pytest.fixture
def server(tmp_path) -> ServerSettings:
    return ServerSettings(data=str(tmp_path / "data"), port=free_port(), workers=1, keep_free=0)


def supervised(
    monkeypatch: pytest.MonkeyPatch, server: ServerSettings, children: Children, web: str | None = None
) -> Supervisor:
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=children.monotonic))
    monkeypatch.setattr(module.subprocess, "Popen", children)
    return Supervisor(Settings(), server, web)


@pytest.fixture
def run(monkeypatch, server) -> Iterator[Callable[..., Children]]:
    """Run a supervisor over children that live so long, until so many were started."""

    def running(*lives: float, started: int, web: str | None = None) -> Children:
        children = Children(*lives)
        with supervised(monkeypatch, server, children, web) as supervisor:
            children.meanwhile = lambda: supervisor.stop() if len(children.all) >= started else None
            supervisor.run()
        return children

    yield running


def test_each_child_is_told_what_to_do_and_ended(run, server) -> None:
    children = run(started=2, web=WEB)
    assert [child.module for child in children.all] == [WORKER, WEB]
    for child in children.all:
        assert child.told == json.dumps({"settings": asdict(Settings()), "server": asdict(server)}).encode() + b"\n"
        assert child.ended == ["flush", "close", "wait", "kill", "over"]


def test_a_child_that_dies_at_once_waits_longer_each_time(run) -> None:
    gaps = run(0.1, 0.1, 0.1, 0.1, 0.1, started=6).gaps
    assert gaps == [pytest.approx(wait, abs=0.19) for wait in (1.0, 5.0, 20.0, 20.0, 20.0)]


def test_a_child_that_lived_is_started_again_soon(run) -> None:
    gaps = run(0.1, 0.1, 31.0, 0.1, 29.0, 0.1, started=7).gaps
    assert gaps == [pytest.approx(wait, abs=0.19) for wait in (1.0, 5.0, 0.2, 1.0, 5.0, 20.0)]


def test_what_a_dead_child_left_is_removed(monkeypatch, server) -> None:
    children = Children(0.1)
    with supervised(monkeypatch, server, children) as supervisor:
        tmp = Storage(server.folder, 0).folder / "tmp"
        for name in ("5000-a", "50000-b", "other"):
            (tmp / name).mkdir()
        children.meanwhile = lambda: supervisor.stop() if len(children.all) == 2 else None
        supervisor.run()
        assert sorted(path.name for path in tmp.iterdir()) == ["50000-b", "other"]


def test_the_folder_is_tidied_at_the_start_and_every_minute(monkeypatch, server) -> None:
    children = Children()
    with supervised(monkeypatch, server, children) as supervisor:
        folder = Storage(server.folder, 0).folder / "media"
        (folder / "at first").mkdir()
        gone: dict[str, float] = {}

        def look() -> None:
            if not (folder / "at first").exists() and "at first" not in gone:
                gone["at first"] = children.now
                (folder / "later").mkdir()
            if "at first" in gone and not (folder / "later").exists():
                gone["later"] = children.now
                supervisor.stop()

        children.meanwhile = look
        supervisor.run()
    assert gone["at first"] < 101
    assert gone["later"] - gone["at first"] == pytest.approx(60, abs=0.5)


def test_what_people_wait_for_is_tidied_at_once(monkeypatch, server) -> None:
    children = Children()
    with supervised(monkeypatch, server, children) as supervisor:
        work = Storage(server.folder, 0).folder / "work" / "77"
        looks: list[bool] = []

        def look() -> None:
            looks.append(work.exists())
            if len(looks) == 2:
                work.mkdir()
            elif len(looks) == 5:
                supervisor.stop()

        children.meanwhile = look
        supervisor.run()
    assert looks == [False] * 5 and children.now < 110


def test_readiness_is_told_once_when_the_server_answers(monkeypatch, server) -> None:
    children, told, looks = Children(), list[float](), list[int]()
    with supervised(monkeypatch, server, children) as supervisor, socket.socket() as listener:

        def look() -> None:
            looks.append(len(told))
            if len(looks) == 3:
                listener.bind((server.host, server.port))
                listener.listen(50)
            elif len(looks) == 8:
                supervisor.stop()

        children.meanwhile = look
        supervisor.run(lambda: told.append(children.now))
    assert len(told) == 1 and looks[:3] == [0, 0, 0] and looks[-1] == 1


def test_the_children_that_run_are_known(monkeypatch, server) -> None:
    children, seen = Children(0.3), list[list[int]]()
    with supervised(monkeypatch, server, children, WEB) as supervisor:
        assert supervisor.pids == []
        looking = threading.local()

        def look() -> None:
            if not getattr(looking, "now", False):
                looking.now = True
                seen.append(supervisor.pids)
                looking.now = False
            if children.now > 101.9:
                supervisor.stop()

        children.meanwhile = look
        supervisor.run()
    assert [5000, 5001] in seen and [5001] in seen and seen[-1] == [5002, 5001]


# --- Folder and address ----------------------------------------------------------------------------------------------


def test_a_folder_has_one_supervisor(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    tmp = Storage(server.folder, 0).folder / "tmp"
    tmp.mkdir(parents=True)
    (tmp / "left").mkdir()
    with Supervisor(Settings(), server) as first:
        assert list(tmp.iterdir()) == []
        assert Owners(first.store).identify("none") is None, "there are tables"
        with pytest.raises(FolderInUse) as caught, Supervisor(Settings(), server):
            pass
        assert str(caught.value) == (
            f"Another Visagram server works on {server.folder}: stop it, or choose another folder with VISAGRAM_DATA."
        )
    with Supervisor(Settings(), server):
        pass


def address(server: ServerSettings) -> str:
    with Supervisor(Settings(), server) as supervisor:
        return supervisor.address()


def changed(server: ServerSettings, **values: Any) -> ServerSettings:
    return ServerSettings(**(asdict(server) | values))


def test_where_a_browser_finds_the_server(server) -> None:
    page = f"http://localhost:{server.port}/"
    assert address(server) == page and address(changed(server, host="127.0.0.1")) == page
    assert address(changed(server, host="0.0.0.0", token="t" * 40)) == f"{page}?token={'t' * 40}"
    open_to_all = changed(server, host="0.0.0.0")
    made = address(open_to_all)
    assert made.startswith(f"{page}?token=") and len(made) == len(page) + len("?token=") + 43
    with Supervisor(Settings(), open_to_all) as supervisor:
        who = Owners(supervisor.store).identify(made.partition("=")[2])
        assert who is not None and who.name == "start"


def test_a_port_in_use_is_said(server) -> None:
    with socket.socket() as other:
        other.bind((server.host, server.port))
        other.listen()
        with pytest.raises(UsageError) as caught:
            address(server)
    said = str(caught.value)
    assert said.startswith(f"Port {server.port} of {server.host} cannot be used (Address already in use")
    assert said.endswith("): choose another with --port.")


def test_one_child_for_each_core_where_no_number_is_given(monkeypatch, server) -> None:
    monkeypatch.setattr(module, "cores", lambda: 3)
    children = Children()
    with supervised(monkeypatch, changed(server, workers=0), children, WEB) as supervisor:
        children.meanwhile = lambda: supervisor.stop() if len(children.all) == 4 else None
        supervisor.run()
    assert [child.module for child in children.all] == [WORKER, WORKER, WORKER, WEB]
