"""Memory that stays with the process between the steps of a training."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Names of `mallopt`, from glibc's malloc.h."""


def keep_memory() -> None:
    """Have the C library give large blocks back to itself, not to the system.

    By default each large tensor of each step is fresh memory that the kernel first fills with zeros, page by page: the
    teacher's step took four times as long. Does nothing where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(MMAP_MAX, 0)
    mallopt(TRIM_THRESHOLD, 2**31 - 1)
    mallopt(TOP_PAD, 2**28)
