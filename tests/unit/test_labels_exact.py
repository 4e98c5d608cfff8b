"""Foreign names of the seven expressions, and the sentence about those that are none."""

from __future__ import annotations

import pytest

from visagram.core.labels import expression_of, mapped
from visagram.errors import DataError

KNOWN = (
    "Known are angry/anger, disgust/disgusted, fear/fearful/afraid/scared, happy/happiness/joy/joyful, sad/sadness, "
    "surprise/surprised, neutral/neutrality; rename them, or leave them out."
)


def test_names_are_told_without_case_and_outer_blanks() -> None:
    assert [expression_of(name) for name in ("Joy ", " SCARED", "neutrality", "contempt", "", "5")] == [
        *("happy", "fear", "neutral"),
        *(None, None, None),
    ]


def test_labels_are_mapped_and_those_to_skip_left_out() -> None:
    assert mapped(["Joy", "sad", "Unknown", "sad"], "Here", [" unknown"]) == {"Joy": "happy", "sad": "sad"}
    assert mapped([], "Here") == {}


@pytest.mark.parametrize(("count", "more"), [(1, ""), (10, ""), (11, " and 1 more"), (25, " and 15 more")])
def test_of_unknown_labels_ten_are_named(count: int, more: str) -> None:
    labels = [f"x{k:02}" for k in range(count)]
    with pytest.raises(DataError) as error:
        mapped([*labels, "happy"], "faces.csv")
    listed = ", ".join(f"'{label}'" for label in labels[:10])
    assert str(error.value) == (f"faces.csv has labels that are none of the seven expressions: {listed}{more}. {KNOWN}")
