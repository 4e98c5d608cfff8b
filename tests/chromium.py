"""The browser that the tests drive: whichever Chromium, Chrome or Edge `tools/browser.py` finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Error, Playwright

FINDS = Path(__file__).parent.parent / "tools" / "browser.py"
FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def launch(driver: Playwright) -> Browser:
    """Start the browser. Where there is none the test fails with a sentence that says what to install."""
    found = subprocess.run([sys.executable, FINDS], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    path = found.stdout.strip()
    # Chromium gives root no sandbox, and some systems give it to nobody.
    if os.geteuid() != 0:
        try:
            return driver.chromium.launch(executable_path=path, args=FLAGS, chromium_sandbox=True)
        except Error as error:
            if "sandbox" not in str(error).lower():
                raise
    return driver.chromium.launch(executable_path=path, args=FLAGS, chromium_sandbox=False)
