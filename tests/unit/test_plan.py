"""A comparison written down beforehand, and where one departs from it."""

from __future__ import annotations

import dataclasses
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from visagram.core.plan import Plan, digest

PLAN = Plan(smallest=0.1, contrasts=(("calm", "stress"),), visagram="0.2.0", frozen="2026-01-31T12:00:00Z")
ASKED = {"by": "condition", "measure": "share", "window": "", "tag": "", "condition": "", "least": 2.0, "smallest": 0.1}
words = st.text(max_size=8)


@given(words, words, st.floats(0, 60), st.none() | st.floats(0.01, 1), st.lists(st.tuples(words, words), max_size=3))
def test_a_plan_is_read_as_it_was_written(
    window: str, tag: str, least: float, smallest: float | None, pairs: list[tuple[str, str]]
) -> None:
    plan = Plan(window=window, tag=tag, least=least, smallest=smallest, contrasts=tuple(pairs))
    assert Plan.read(plan.text) == plan


def test_a_plan_of_another_version_is_read_as_far_as_it_is_known() -> None:
    assert Plan.read('{"by": "tag", "tomorrow": 1}') == Plan(by="tag")


def test_any_change_changes_the_hash() -> None:
    changes = [{"by": "tag"}, {"measure": "mean_posterior"}, {"window": "w"}, {"tag": "t"}, {"condition": "c"}]
    changes += [{"least": 4.0}, {"smallest": None}, {"contrasts": ()}, {"visagram": "0.2.1"}, {"frozen": "2026-02"}]
    changes += [{"analysed": 3}, {"replaces": "ab"}]
    assert len({digest(PLAN.text), *(digest(dataclasses.replace(PLAN, **change).text) for change in changes)}) == 13
    assert digest("a") == hashlib.sha256(b"a").hexdigest()


def test_the_planned_comparison_departs_from_nothing() -> None:
    assert PLAN.departures(ASKED, ["calm", "stress", "rest"], "0.2.0") == []
    assert PLAN.holds(ASKED)


def test_every_departure_is_told() -> None:
    asked = ASKED | {"measure": "mean_posterior", "window": "question", "least": 1.0, "smallest": None}
    late = dataclasses.replace(PLAN, analysed=2, replaces="ab" * 32)
    assert late.departures(asked | {"condition": "calm"}, ["calm"], "0.3.0") == [
        "Planned was the measure: share; here it is mean_posterior.",
        "Planned was the event window: none; here it is question.",
        "Planned was the condition of the videos: none; here it is calm.",
        "Planned was the least measured time in seconds: 2; here it is 1.",
        "Planned was the smallest difference of interest: 0.1; here it is none.",
        "All pairs of groups are compared, not only those of the plan.",
        "The plan compares 'stress', of which nothing was measured.",
        "The plan was frozen with version 0.2.0; this comparison is made by 0.3.0.",
        "The plan replaces an earlier one (abababababab).",
        "When it was frozen, 2 videos were analysed already.",
    ]
    assert not PLAN.holds(asked)


def test_of_many_missing_groups_some_are_named() -> None:
    many = dataclasses.replace(PLAN, contrasts=tuple((f"a{k}", f"b{k}") for k in range(4)))
    found = many.departures(ASKED, [], "0.2.0")
    assert len(found) == 6 and found[-1] == "The plan compares 3 further groups of which nothing was measured."
