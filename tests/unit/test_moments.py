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
