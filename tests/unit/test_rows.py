from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from visagram.core.rows import rows_of_each

numbers = st.integers(0, 6)


@given(st.lists(numbers), st.lists(numbers, unique=True))
def test_each_number_has_the_rows_in_which_it_stands_in_their_order(column, wanted):
    found = rows_of_each(np.array(column, np.int32), wanted)
    assert [rows.tolist() for rows in found] == [[k for k, n in enumerate(column) if n == number] for number in wanted]
