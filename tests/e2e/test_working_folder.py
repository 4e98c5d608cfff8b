"""A folder of the user's: whatever modules lie beside the video, none is imported, and the video is analysed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import visagram
from command import content, environment, free_port, result
from media_factory import sample_frames, write_clip
from visagram.interpreter import command

SCRIPT = str(Path(sys.executable).with_name("visagram"))
OPTIONAL = {"sitecustomize", "usercustomize", "brotli", "simplejson", "ujson", "orjson", "cupy", "gevent", "eventlet"}
"""Modules that nobody has to have, and that some library or Python itself looks for."""

HOSTILE = """
import os
with open(os.path.join({folder!r}, "imported-{name}"), "w"):
    pass
raise RuntimeError("{name} of the working folder was imported")
"""


@pytest.fixture(scope="module")
def names() -> list[str]:
    """Every module that Visagram, a library of its or Python could look for."""
    found = {*sys.stdlib_module_names, *packages_distributions(), *OPTIONAL} - {"visagram"}
    return sorted(name for name in found if name.isidentifier())


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What Python imports by itself for `python -m`, before a program has its say."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "nothing").mkdir()
    (folder / "nothing" / "__init__.py").touch()
    (folder / "nothing" / "__main__.py").write_text("import sys; print(*sys.modules)")
    done = subprocess.run([sys.executable, "-m", "nothing"], cwd=folder, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()} | {"sitecustomize", "usercustomize"}


class Folder:
    """A folder with a video, and modules that leave a mark and fail when they are imported."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        path.mkdir()
        self.path, self.marks = path, path.parent / "marks"
        self.marks.mkdir()
        for name in names:
            (path / f"{name}.py").write_text(HOSTILE.format(folder=str(self.marks), name=name))
        self.clip = write_clip(path / "clip.mp4", sample_frames(12))

    def run(self, *arguments: object, **more: str) -> str:
        """Run a command there to its good end."""
        done = subprocess.run(
            [*map(str, arguments)],
            cwd=self.path,
            env=environment() | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert self.imported == [], done.stderr
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def imported(self) -> list[str]:
        return content(self.marks)


def test_the_modules_would_be_noticed(names: list[str], tmp_path: Path) -> None:
    folder = Folder(tmp_path / "folder", names)
    done = subprocess.run([sys.executable, "-c", "import random"], cwd=folder.path, capture_output=True, check=False)
    assert done.returncode != 0 and folder.imported == ["imported-random"]


def test_analyze_imports_nothing_of_it(names: list[str], tmp_path: Path) -> None:
    folder = Folder(tmp_path / "folder", names)
    assert "Person 1" in folder.run(SCRIPT, "analyze", "clip.mp4", "-o", "out", "--annotate")
    assert result(folder.path / "out" / "clip")["totals"]["frames"] == 12


def test_analyze_as_a_module_imports_nothing_of_it(names: list[str], started: set[str], tmp_path: Path) -> None:
    """But for what Python itself does: a `types.py` breaks every `python -m`, and `python -P -m` mends that."""
    folder = Folder(tmp_path / "folder", [name for name in names if name not in started])
    assert len(started) < len(names) / 2
    folder.run(sys.executable, "-m", "visagram", "analyze", "clip.mp4", "-o", "out")
    for name in names:
        (folder.path / f"{name}.py").write_text(HOSTILE.format(folder=str(folder.marks), name=name))
    folder.run(sys.executable, "-P", "-m", "visagram", "analyze", "clip.mp4", "-o", "out")
    folder.run(sys.executable, "-m", "visagram", "--version", PYTHONSAFEPATH="1")


LIBRARY = """
import sys
import visagram
report = visagram.analyze(sys.argv[1])
print(len(report.people))
"""


def test_the_library_imports_nothing_of_it(names: list[str], tmp_path: Path) -> None:
    folder = Folder(tmp_path / "folder", names)
    (tmp_path / "elsewhere").mkdir()
    script = tmp_path / "elsewhere" / "script.py"
    script.write_text(LIBRARY)
    assert folder.run(sys.executable, script, "clip.mp4") == "1\n"


@pytest.mark.parametrize("how", ["-m visagram", "visagram"])
def test_an_empty_entry_of_the_python_path_does_not_bring_it_back(
    how: str, names: list[str], started: set[str], tmp_path: Path
) -> None:
    """`PYTHONPATH=$PYTHONPATH:more` leaves one where the variable was not set before."""
    folder = Folder(tmp_path / "folder", [name for name in names if name not in started])
    script = tmp_path / "script.py"
    script.write_text("import sys\nfrom visagram.cli import main\nsys.exit(main())\n")
    command, entries = ([script], ("", "/nowhere")) if how == "visagram" else (["-m", "visagram"], ("/nowhere", "", ""))
    more = {"PYTHONPATH": os.pathsep.join(entries)}
    folder.run(sys.executable, *command, "analyze", "clip.mp4", "-o", "out", **more)


def test_a_folder_that_was_named_stays_where_it_was(tmp_path: Path) -> None:
    """Whoever writes `PYTHONPATH=.` wants just that."""
    (tmp_path / "mine.py").touch()
    code = (
        "from visagram.interpreter import environment, leave_working_folder\n"
        "leave_working_folder()\nimport mine\nprint(environment()['PYTHONPATH'])"
    )
    script = tmp_path / "elsewhere" / "script.py"
    script.parent.mkdir()
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": os.pathsep.join([".", "", "x"])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{os.pathsep.join(['.', 'x'])}\n"), done.stderr


def test_a_visagram_that_lies_in_the_working_folder_works_there(
    names: list[str], started: set[str], tmp_path: Path
) -> None:
    """As `pip install --target .` leaves it: the package is only found because Python looks there, and it does so last:
    what Python or a library has by that name goes before."""
    there = [name for name in names if name not in started and PathFinder.find_spec(name)]
    folder = Folder(tmp_path / "folder", there)
    (folder.path / "visagram").symlink_to(Path(visagram.__file__).parent, target_is_directory=True)
    path = os.pathsep.join(entry for entry in sys.path if entry.endswith("-packages"))
    folder.run(sys.executable, "-S", "-m", "visagram", "analyze", "clip.mp4", "-o", "out", PYTHONPATH=path)
    assert result(folder.path / "out" / "clip")["totals"]["frames"] == 12


def test_a_child_runs_the_visagram_that_started_it(tmp_path: Path) -> None:
    """Also where another one is installed, or none."""
    other = tmp_path / "visagram"
    other.mkdir()
    (other / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    assert command("visagram.worker")[1] == "-P"
    done = subprocess.run(
        command("visagram.worker"),
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@contextlib.contextmanager
def serving(folder: Folder, *command: str, **more: str) -> Iterator[str]:
    """A server that was started in the folder: its address."""
    port = str(free_port())
    data = folder.path.parent / "data"
    process = subprocess.Popen(
        [*command, "serve", "--port", port, "--data", str(data), "--workers", "1"],
        cwd=folder.path,
        env=environment(keep_free=1) | more,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if "is ready" in line:
                break
        assert process.poll() is None, "".join(said)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
        process.kill()
        process.wait()


def post(url: str, body: bytes) -> dict[str, object]:
    request = urllib.request.Request(url, body, {"Content-Type": "multipart/form-data; boundary=B"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))


@pytest.mark.skipif(sys.platform == "win32", reason="ends the server with a signal")
@pytest.mark.parametrize("how", ["script", "module with an empty entry"])
def test_serve_answers_and_analyses_and_imports_nothing_of_it(
    how: str, names: list[str], started: set[str], tmp_path: Path
) -> None:
    folder = Folder(tmp_path / "folder", names if how == "script" else [n for n in names if n not in started])
    command = [SCRIPT] if how == "script" else [sys.executable, "-m", "visagram"]
    more = {"PYTHONPATH": os.pathsep} if how.endswith("entry") else {}
    with serving(folder, *command, **more) as url:
        with urllib.request.urlopen(f"{url}/", timeout=60) as page:
            assert page.status == 200
        head = b'--B\r\nContent-Disposition: form-data; name="video"; filename="clip.mp4"\r\n\r\n'
        video = post(f"{url}/api/v1/videos", head + folder.clip.read_bytes() + b"\r\n--B--\r\n")
        path = f"{url}/api/v1/analyses/{dict(video['latest'])['id']}"  # type: ignore[call-overload]
        state, until = "queued", time.monotonic() + 120
        while state in ("queued", "running") and time.monotonic() < until:
            time.sleep(0.2)
            with urllib.request.urlopen(path, timeout=60) as answer:
                state = json.load(answer)["state"]
        assert folder.imported == []
        assert state == "done"
