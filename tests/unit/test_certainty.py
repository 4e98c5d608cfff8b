"""Unsure is a measured face without a probable expression: it counts, and is counted apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import make_result, make_rows, make_track, steady_timeline
from visagram.core.certainty import UNSURE_BELOW, certainty, is_threshold, unsure, unsure_below
from visagram.core.edits import Split, apply
from visagram.core.segments import plan
from visagram.core.statistics import person_statistics
from visagram.core.summary import Summary, summarise
from visagram.core.types import EXPRESSIONS, Observations, Person, Reason

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")


def doubted(rows: Observations, which: slice) -> Observations:
    """The same rows, of which some are as much happy as they are sad, and a little happier."""
    posterior = rows.posterior.copy()
    posterior[which] = 0.2 / 5
    posterior[which, HAPPY], posterior[which, SAD] = 0.41, 0.39
    return rows.with_columns(posterior=posterior)


def statistics(rows: Observations, below: float = 0.5) -> Person:
    return person_statistics(1, rows, 1.0, 0.0, b"", seed=0, unsure_below=below)


def test_a_face_is_unsure_below_a_half() -> None:
    rows = make_rows(range(4), 0, reason=[0, 0, 0, Reason.TURNED])
    posterior = rows.posterior.copy()
    posterior[0], posterior[1] = 1 / 7, [0.5, 0.5, 0, 0, 0, 0, 0]
    assert unsure(rows.with_columns(posterior=posterior), UNSURE_BELOW).tolist() == [True, False, False, False]
    assert unsure(rows[:0], UNSURE_BELOW).tolist() == []


def test_a_card_that_names_a_threshold_decides_what_is_unsure() -> None:
    rows = make_rows(range(2), 0)
    posterior = rows.posterior.copy()
    posterior[0], posterior[1] = [0.6, 0.4, 0, 0, 0, 0, 0], [0.7, 0.3, 0, 0, 0, 0, 0]
    rows = rows.with_columns(posterior=posterior)
    detector, judge = {"task": "detection", "unsure_below": 0.9}, {"task": "expression", "unsure_below": 0.65}
    assert unsure(rows, unsure_below([detector, judge])).tolist() == [True, False]
    silent = {"task": "expression", "unsure_below": None}
    assert unsure_below([detector, {"task": "expression"}]) == unsure_below([silent]) == (UNSURE_BELOW,) * 7


def test_a_card_may_be_stricter_about_one_expression() -> None:
    stated = {"task": "expression", "unsure_below": dict.fromkeys(EXPRESSIONS, 0.6) | {"neutral": 0.8}}
    below = unsure_below([stated])
    assert below == (0.6,) * 6 + (0.8,)
    rows = make_rows(range(4), 0)
    posterior = np.zeros((4, 7), np.float32)
    posterior[:, EXPRESSIONS.index("neutral")] = 0.79, 0.81, 0.3, 0.4
    posterior[:, HAPPY] = 0.2, 0.1, 0.61, 0.59
    assert unsure(rows.with_columns(posterior=posterior), below).tolist() == [True, False, False, True]


@pytest.mark.parametrize("wrong", [{"neutral": 0.5}, dict.fromkeys(EXPRESSIONS, 2), True, [0.5], "0.5", -0.1])
def test_what_is_no_threshold_is_refused(wrong: object) -> None:
    assert not is_threshold(wrong)
    assert is_threshold(0) and is_threshold(None) and is_threshold(dict.fromkeys(EXPRESSIONS, 0.5))


def test_unsure_frames_count_under_their_best_expression_and_are_counted_apart() -> None:
    rows = make_rows(range(25), 0, expression=SAD, reason=[Reason.NONE] * 20 + [Reason.BLURRED] * 5)
    person = statistics(doubted(rows, slice(0, 5)))
    assert (person.emotion_counts[HAPPY], person.emotion_counts[SAD]) == (5, 15)
    assert (person.certain_counts[HAPPY], person.certain_counts[SAD]) == (0, 15)
    assert person.unsure == pytest.approx(0.2)
    assert person.unsure_share == pytest.approx(0.25)
    assert person.measured + sum(person.unmeasured.values()) == pytest.approx(1.0), "unsure is a part of measured"


def test_the_threshold_is_the_callers() -> None:
    rows = doubted(make_rows(range(25), 0, expression=SAD), slice(0, 5))
    assert [sum(statistics(rows, below).certain_counts) for below in (0.4, 0.5, 0.75)] == [25, 20, 0]


def test_where_nothing_was_measured_no_share_is_unsure() -> None:
    person = statistics(make_rows([0], 0, reason=Reason.TURNED))
    assert (person.unsure, person.unsure_share, person.certain_counts) == (0, None, (0,) * 7)


@given(st.lists(st.tuples(st.floats(0.2, 5), st.booleans(), st.floats(0, 1)), max_size=60), st.floats(0, 1))
def test_certain_and_unsure_frames_are_all_that_were_measured(
    faces: list[tuple[float, bool, float]], below: float
) -> None:
    rows = make_rows(range(len(faces)), 0, reason=[Reason.TURNED * hidden for _, hidden, _ in faces])
    random = np.random.default_rng(len(faces))
    drawn = np.stack([random.dirichlet(np.full(7, alpha)) for alpha, _, _ in faces]) if faces else np.empty((0, 7))
    posterior = np.where(rows.usable[:, None], drawn, np.nan).astype(np.float32)
    rows = rows.with_columns(posterior=posterior, span=np.array([span for *_, span in faces]))
    found = certainty(rows, below)
    counts = np.bincount(rows.emotion[rows.usable], minlength=7)
    doubtful = rows.usable & (np.nan_to_num(posterior, nan=2.0).max(axis=1, initial=0) < below)
    assert (np.array(found.counts) <= counts).all()
    assert sum(found.counts) + doubtful.sum() == rows.usable.sum()
    assert found.unsure == pytest.approx(rows.span[doubtful].sum())


def summary() -> Summary:
    """Person 1 is unsure in the first second of eight, person 2 in none."""
    (segment,) = plan(steady_timeline(200, key_every=200), 0, None, None)
    rows = [doubted(make_rows(range(200), 0, expression=SAD), slice(0, 25))]
    rows += [make_rows(range(200), 1, expression=HAPPY, box=(200, 80, 60, 60))]
    tracks = [make_track(0, 0, 199, who=0), make_track(1, 0, 199, who=1)]
    return summarise([make_result(segment, rows, tracks)], analysed=8.0, threshold=0.6, seed=0, unsure_below=0.5)


def test_totals_are_over_everybody() -> None:
    found = summary()
    assert [person.unsure for person in found.people] == [pytest.approx(1.0), 0.0]
    assert found.totals.unsure == pytest.approx(1.0)
    assert (found.totals.emotion_counts[HAPPY], found.totals.certain_counts[HAPPY]) == (225, 200)


def test_whoever_is_split_off_takes_what_was_unsure_along() -> None:
    found = apply([Split(1, at=4.0)], summary(), seed=0, unsure_below=0.5)
    assert [(p.id, round(p.unsure, 6), sum(p.certain_counts)) for p in found.people] == [
        (1, 1.0, 75),
        (2, 0.0, 200),
        (3, 0.0, 100),
    ]
