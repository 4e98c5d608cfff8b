"""`tools/browser.py`: whichever browser there is, else one that is fetched, else one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

TOOL = Path(__file__).parents[2] / "tools" / "browser.py"
STARTS = "#!/bin/sh\necho Browser 1.0\n"
POINTS_ELSEWHERE = "#!/bin/sh\necho 'Get it from the store.'\nexit 1\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere browsers do not lie on the path alone")


def program(path: Path, content: str = STARTS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Runs the tool where nothing is installed but what lies in `tmp_path / "bin"`, and nothing can be fetched."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "own browsers"))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:1")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True)

    return run


@pytest.mark.parametrize("name", ["chromium-browser", "microsoft-edge"])
def test_whichever_browser_is_installed_is_taken(found, tmp_path, name):
    path = program(tmp_path / "bin" / name)
    assert found().stdout == f"{path}\n"


def test_what_only_says_where_to_get_a_browser_is_passed_over(found, tmp_path):
    program(tmp_path / "bin" / "chromium-browser", POINTS_ELSEWHERE)
    path = program(tmp_path / "bin" / "google-chrome")
    assert found().stdout == f"{path}\n"


def test_playwrights_own_is_taken_where_no_other_is_installed(found, tmp_path):
    with sync_playwright() as playwright:
        path = program(Path(playwright.chromium.executable_path))
    assert path.is_relative_to(tmp_path)
    assert found().stdout == f"{path}\n"


def test_without_any_a_sentence_says_what_to_install(found):
    for arguments in ((), ("--install",)):
        outcome = found(*arguments)
        assert (outcome.returncode, outcome.stdout) == (1, "")
        assert outcome.stderr.splitlines()[-1].startswith("The browser tests need Chromium, Google Chrome or Microsoft")
        assert "Traceback" not in outcome.stderr


def test_only_root_installs_the_systems_package(found, tmp_path):
    path = tmp_path / "bin" / "chromium"
    script = f'#!/bin/sh\necho "$@" >> "{tmp_path}/asked"\n'
    script += f'case "$*" in *install*) printf "#!/bin/sh\\n" > "{path}"; /bin/chmod 755 "{path}";; esac\n'
    program(tmp_path / "bin" / "apt-get", script)
    outcome = found("--install")
    if os.geteuid() == 0:
        assert outcome.stdout == f"{path}\n"
        assert (tmp_path / "asked").read_text().endswith("install --yes --no-install-recommends chromium\n")
    else:
        assert outcome.returncode == 1
        assert not (tmp_path / "asked").exists()
