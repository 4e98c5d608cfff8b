"""What the machine offers a training: memory that stays with the process, and half precision where it is fast."""

from __future__ import annotations

import ctypes
import sys

import torch

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


def has_bfloat16(device: torch.device) -> bool:
    """Whether convolutions in bfloat16 run in hardware there. On a processor that has them a step takes a quarter to a
    half of the time; on one that has not, they would be emulated, slowly."""
    return device.type == "cuda" or bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
