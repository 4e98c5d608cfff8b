"""`visagram sample`."""

from __future__ import annotations

import sys
from pathlib import Path

SAMPLE = Path(__file__).parent.parent / "data" / "sample.mp4"


def sample() -> None:
    """Print the path of the sample clip that comes with Visagram."""
    sys.stdout.write(f"{SAMPLE}\n")
