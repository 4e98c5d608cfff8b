"""The strongest instants of each expression."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import make_rows
from visagram.core.moments import APART, DECENT_QUALITY, MOST, Moment, moments
from visagram.core.types import EXPRESSIONS, Observations, Reason

HAPPY, SAD, NEUTRAL = (EXPRESSIONS.index(name) for name in ("happy", "sad", "neutral"))


def rows_of(posterior: np.ndarray, person: int = 1, rate: float = 25.0, **columns: np.ndarray) -> Observations:
    rows = make_rows(range(len(posterior)), person, rate=rate)
    found = rows.with_columns(posterior=posterior.astype(np.float32), person=np.full(len(rows), person, np.int32))
    return found.with_columns(**columns)


def shown(labels: list[int], strength: list[float]) -> np.ndarray:
    posterior = np.repeat((1 - np.array(strength))[:, None] / 6, 7, axis=1)
    posterior[np.arange(len(labels)), labels] = strength
    return posterior


def bump(frames: int, at: int, top: float, width: int = 20) -> list[float]:
    return (0.5 + (top - 0.5) * np.exp(-(((np.arange(frames) - at) / width) ** 2))).tolist()


def test_a_moment_is_where_an_expression_peaks_and_how_long_it_stays_the_best() -> None:
    labels = [NEUTRAL] * 100 + [HAPPY] * 100 + [NEUTRAL] * 100
    strength = [0.6] * 100 + bump(100, 40, 0.9) + [0.6] * 100
    first, *_ = moments(rows_of(shown(labels, strength)), [1])
    assert (first.person, first.emotion) == (1, "happy")
    assert first.time == pytest.approx(140 / 25, abs=0.05)
    assert (first.start, first.end) == (pytest.approx(4.0, abs=0.05), pytest.approx(8.0, abs=0.05))
    assert first.probability == pytest.approx(0.9, abs=0.02)


def test_the_strongest_come_first_and_neutral_last() -> None:
    labels = [SAD] * 200 + [NEUTRAL] * 200 + [HAPPY] * 200
    strength = bump(200, 100, 0.7) + bump(200, 100, 0.95) + bump(200, 100, 0.8)
    found = moments(rows_of(shown(labels, strength)), [1])
    names = [moment.emotion for moment in found]
    assert names[0] == "happy" and names[-1] == "neutral"
    assert names == sorted(names, key=lambda name: name == "neutral")


def test_two_peaks_of_one_long_stretch_are_two_moments() -> None:
    strength = np.maximum(bump(500, 100, 0.9), bump(500, 400, 0.85)).tolist()
    found = moments(rows_of(shown([HAPPY] * 500, strength)), [1])
    assert [round(moment.time) for moment in found[:2]] == [4, 16]
    assert {(moment.start, moment.end) for moment in found} == {(0.0, 20.0)}


def test_a_gap_ends_a_stretch() -> None:
    rows = rows_of(shown([HAPPY] * 250, [0.8] * 250))
    kept = np.r_[0:50, 150:250]
    found = moments(rows[kept], [1])
    assert sorted({(moment.start, moment.end) for moment in found}) == [(0.0, 2.0), (6.0, 10.0)]


def test_a_single_frame_is_no_moment_unless_there_is_nothing_else() -> None:
    labels, strength = [HAPPY] * 100, [0.6] * 100
    labels[50], strength[50] = SAD, 0.99
    assert {moment.emotion for moment in moments(rows_of(shown(labels, strength)), [1])} == {"happy"}
    still = rows_of(shown([SAD], [0.9]), span=np.zeros(1))
    assert moments(still, [1]) == [Moment(1, "sad", 0.0, 0.0, 0.0, 0.9)]


def test_only_measured_faces_of_decent_quality_count() -> None:
    labels = [HAPPY] * 100 + [SAD] * 100
    rows = rows_of(shown(labels, [0.9] * 200))
    poor = np.full(200, 0.5, np.float32)
    poor[:100] = DECENT_QUALITY / 2
    assert {m.emotion for m in moments(rows.with_columns(quality=poor), [1])} == {"sad"}
    away = np.zeros(200, np.uint8)
    away[100:] = Reason.TURNED
    assert {m.emotion for m in moments(rows.with_columns(reason=away), [1])} == {"happy"}
    assert moments(rows, [2]) == moments(Observations.empty(), []) == []


def test_every_moment_of_everybody_is_listed_once() -> None:
    """Two people show two expressions in turn, ten seconds each: four stretches, and what is strongest in each."""
    tops = {1: [0.95, 0.9, 0.85, 0.8], 2: [0.75, 0.7, 0.65, 0.6]}
    parts = []
    for person, strengths in tops.items():
        labels = [label for k in range(4) for label in [(HAPPY, SAD)[k % 2]] * 250]
        strength = [s for top in strengths for s in bump(250, 125, top)]
        parts.append(rows_of(shown(labels, strength), person))
    found = moments(Observations.concatenate(parts), [1, 2])
    # Each stretch also has weaker peaks far from its middle; the strongest is at its middle.
    peaks = [m for m in found if abs(m.time % 10 - 5) < 0.1]
    assert [(m.person, m.emotion, round(m.time), round(m.start), round(m.end)) for m in peaks] == [
        (1, "happy", 5, 0, 10),
        (1, "sad", 15, 10, 20),
        (1, "happy", 25, 20, 30),
        (1, "sad", 35, 30, 40),
        (2, "happy", 5, 0, 10),
        (2, "sad", 15, 10, 20),
        (2, "happy", 25, 20, 30),
        (2, "sad", 35, 30, 40),
    ]
    assert [m.probability for m in peaks] == pytest.approx([*tops[1], *tops[2]], abs=0.02)
    assert [m.probability for m in found] == sorted((m.probability for m in found), reverse=True)


def test_of_peaks_that_are_close_together_the_strongest_is_the_moment() -> None:
    """Three peaks within two seconds, the middle one the strongest; and far from them a weaker one."""
    strength = np.maximum.reduce([bump(250, at, top, 6) for at, top in ((20, 0.7), (45, 0.9), (70, 0.8), (200, 0.65))])
    found = moments(rows_of(shown([HAPPY] * 250, strength.tolist())), [1])
    assert [round(m.time * 25) for m in found[:2]] == [45, 200]
    assert found[0].probability > 0.8


def test_as_many_moments_as_were_asked_for_the_strongest_of_each_expression() -> None:
    strength = [s for top in (0.7, 0.9, 0.6, 0.8) for s in bump(250, 125, top)]
    found = moments(rows_of(shown([HAPPY] * 1000, strength)), [1], most=2)
    assert [round(m.time) for m in found] == [15, 35]
    assert [round(m.time) for m in moments(rows_of(shown([HAPPY] * 1000, strength)), [1], most=1)] == [15]
    assert moments(rows_of(shown([HAPPY] * 1000, strength)), [1], most=0) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 400), st.sampled_from([0.2, 1.0, 25.0, 60.0]))
def test_moments_of_any_series_keep_their_promises(seed: int, frames: int, rate: float) -> None:
    random = np.random.default_rng(seed)
    parts = []
    for person in (1, 2):
        posterior = random.dirichlet(np.full(7, 0.3), frames)
        parts.append(rows_of(posterior[np.sort(random.integers(0, frames, frames))], person, rate))
    rows = Observations.concatenate(parts)
    rows = rows[np.argsort(rows.time, kind="stable")]
    found = moments(rows, [1, 2], most=5)
    assert found == moments(rows, [1, 2], most=5)
    assert found, "whoever was measured has a strongest instant"
    for person in (1, 2):
        for name in EXPRESSIONS:
            ours = [m for m in found if (m.person, m.emotion) == (person, name)]
            assert len(ours) <= 5
            assert [m.probability for m in ours] == sorted((m.probability for m in ours), reverse=True)
            times = np.sort([m.time for m in ours])
            assert (np.diff(times) >= APART).all()
    assert all(m.start <= m.time <= m.end and 1 / 7 <= m.probability <= 1 for m in found)
    assert {m.time for m in found} <= set(rows.time.tolist())


@pytest.mark.slow
def test_two_hours_of_five_people_take_less_than_half_a_second() -> None:
    random = np.random.default_rng(0)
    parts = [
        rows_of(np.repeat(random.dirichlet(np.full(7, 0.3), 18_000), 10, axis=0), person) for person in range(1, 6)
    ]
    rows = Observations.concatenate(parts)
    rows = rows[np.argsort(rows.time, kind="stable")]
    began = time.process_time()
    found = moments(rows, range(1, 6))
    assert time.process_time() - began < 0.5
    assert len(found) == 5 * 7 * MOST
