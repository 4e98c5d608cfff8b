"""A comparison written down beforehand, and where one departs from it."""

from __future__ import annotations

import dataclasses
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from visagram.core.plan import Plan

PLAN = Plan(smallest=0.1, contrasts=(("calm", "stress"),), visagram="0.2.0", frozen="2026-01-31T12:00:00Z")
ASKED = {"by": "condition", "measure": "share", "window": "", "tag": "", "least": 2.0, "smallest": 0.1}
words = st.text(max_size=8)


@given(words, words, st.floats(0, 60), st.none() | st.floats(0.01, 1), st.lists(st.tuples(words, words), max_size=3))
def test_a_plan_is_read_as_it_was_written(
    window: str, tag: str, least: float, smallest: float | None, pairs: list
) -> None:
    plan = Plan(window=window, tag=tag, least=least, smallest=smallest, contrasts=tuple(pairs))
    again = Plan.read(plan.text)
    assert again == plan and again.sha256 == plan.sha256 == hashlib.sha256(plan.text.encode()).hexdigest()


def test_any_change_changes_the_hash() -> None:
    changes = [{"by": "tag"}, {"measure": "mean_posterior"}, {"window": "w"}, {"tag": "t"}, {"least": 4.0}]
    changes += [{"smallest": None}, {"contrasts": ()}, {"visagram": "0.2.1"}, {"frozen": "2026-02-01T12:00:00Z"}]
    assert len({PLAN.sha256, *(dataclasses.replace(PLAN, **change).sha256 for change in changes)}) == 10


def test_the_planned_comparison_departs_from_nothing() -> None:
    assert PLAN.departures(ASKED, ["calm", "stress", "rest"], "0.2.0") == []
    assert PLAN.holds(ASKED)


def test_every_departure_is_told() -> None:
    asked = ASKED | {"measure": "mean_posterior", "window": "question", "least": 1.0, "smallest": None}
    assert PLAN.departures(asked, ["calm"], "0.3.0") == [
        "The plan has measure = share; this comparison has mean_posterior.",
        "The plan has window = none; this comparison has question.",
        "The plan has least = 2.0; this comparison has 1.0.",
        "The plan has smallest = 0.1; this comparison has none.",
        "The plan compares 'stress', of which nothing was measured.",
        "The plan was frozen with version 0.2.0; this comparison is made by 0.3.0.",
    ]
    assert not PLAN.holds(asked)
