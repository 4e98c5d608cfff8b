"""Values of settings brought to their own type, whatever number, list or path they came as.

Each function returns plain Python (no NumPy number stays) and raises `TypeError` or `ValueError` for what is not that
kind of value: true is no number, 2.5 is not whole, text is no number.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable
from typing import Any


def whole(value: Any) -> int:
    """An `int`: of whole numbers of any kind, also of those that are stored as 2.0."""
    if _is_truth(value):
        raise TypeError("a number is wanted, not true or false")
    try:
        return operator.index(value)
    except TypeError:
        number = real(value)
    if not number.is_integer():
        raise ValueError(f"{number} is not a whole number")
    return int(number)


def real(value: Any) -> float:
    """A finite `float`."""
    if _is_truth(value) or isinstance(value, str | bytes | bytearray) or not hasattr(value, "__float__"):
        raise TypeError("a number is wanted")
    if getattr(value, "ndim", 0):
        raise TypeError("one number is wanted")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("the number is not finite")
    # Zero has no sign here: -0.0 would be another text in a report.
    return number + 0.0


def truth(value: Any) -> bool:
    """A `bool`."""
    if not _is_truth(value):
        raise TypeError("true or false is wanted")
    return bool(value)


def text(value: Any) -> str:
    """A `str`; paths become one."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise TypeError("text is wanted")
    # A plain one: enumerations and NumPy have texts of their own.
    return str.__str__(value)


def many(value: Any) -> list[Any]:
    """The values of a list, tuple, set or array, one after the other; sets in order. Text is not a list of letters."""
    if isinstance(value, str | bytes | bytearray | dict) or not isinstance(value, Iterable):
        raise TypeError("a list is wanted")
    return sorted(value) if isinstance(value, set | frozenset) else list(value)


def _is_truth(value: Any) -> bool:
    """Whether this is true or false of Python or NumPy."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return isinstance(value, bool) or (kind == "b" and not getattr(value, "ndim", 0))
