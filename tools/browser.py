"""Print the browser that the tests drive: a Chromium, Chrome or Edge that is installed, else Playwright's own.

``python tools/browser.py --install`` gets one where there is none: Debian's package where that is allowed, else
Playwright's. Whoever is left without one reads in one sentence what to install.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
)
APPLICATIONS = ("Chromium", "Google Chrome", "Microsoft Edge")
"""As macOS calls them."""
FOLDERS = (Path("/Applications"), Path.home() / "Applications")
NO_BROWSER = (
    "The browser tests need Chromium, Google Chrome or Microsoft Edge: install one of them (on Debian: apt-get install "
    "chromium), or Playwright's own with what it needs (python -m playwright install --with-deps chromium)."
)
NO_DRIVER = (
    "The browser tests need Playwright, which does not start here: install the library that it lacks (on Debian: "
    "apt-get install libatomic1)."
)


def starts(path: str) -> bool:
    """Whether it is a browser, and not what only says where to get one or lacks a library."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=120).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def installed() -> str | None:
    """The path of the first browser of the system that starts."""
    paths = [path for name in NAMES if (path := shutil.which(name))]
    paths += [str(folder / f"{name}.app/Contents/MacOS/{name}") for name in APPLICATIONS for folder in FOLDERS]
    return next((path for path in paths if starts(path)), None)


@functools.cache
def place() -> str | None:
    """Where Playwright's own browser is, once it was fetched; None where Playwright itself does not start."""
    try:
        with sync_playwright() as playwright:
            return playwright.chromium.executable_path
    except Exception:
        return None


def own() -> str | None:
    """The path of Playwright's own browser, if it was fetched and starts."""
    return path if (path := place()) is not None and starts(path) else None


def install() -> str | None:
    """Get a browser: Debian's as root, else Playwright's. Gives its path, or None where neither could be had."""
    print("Getting a browser for the tests ...", file=sys.stderr, flush=True)
    debian = bool(shutil.which("apt-get")) and os.geteuid() == 0
    if debian:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for what in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "--quiet", *what], env=quiet, capture_output=True)
        if (found := installed()) is not None:
            return found
    command = [sys.executable, "-m", "playwright", "install", *(["--with-deps"] if debian else []), "chromium"]
    subprocess.run(command, capture_output=True)
    return own()


def main() -> None:
    """Print the path, or fail with a sentence."""
    found = installed() or own()
    if found is None and "--install" in sys.argv[1:]:
        found = install()
    if place() is None:
        sys.exit(NO_DRIVER)
    if found is None:
        sys.exit(NO_BROWSER)
    print(found)


if __name__ == "__main__":
    main()
