"""Which rows of a table belong together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def rows_of_each(column: NDArray[np.int32], numbers: Sequence[int]) -> list[NDArray[np.intp]]:
    """Where in a column of persons or tracks each of `numbers` stands, in the table's order; looked for once, however
    many there are."""
    order = np.argsort(column, kind="stable")
    first, after = (np.searchsorted(column, numbers, side, sorter=order) for side in ("left", "right"))
    return [order[begin:end] for begin, end in zip(first, after, strict=True)]
