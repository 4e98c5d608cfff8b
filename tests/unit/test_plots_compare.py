"""The figures that compare people and conditions."""

from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from factories import UGLY_NAMES, make_report, no_people, unusable_person
from visagram.core.compare import Comparison, Unit, compare
from visagram.core.types import EXPRESSIONS
from visagram.plots import PALETTE, PATTERNS, differences_figure, means_figure, people_figure
from visagram.plots.rows import HEAD_PIXELS, ROW_PIXELS, Panel
from visagram.plots.study import LEAST_REACH
from visagram.plots.style import LONGEST_LABEL, distinct
from visagram.report import Report

HAPPY = EXPRESSIONS.index("happy")


def units(group: str, n: int, names: str = "p", seed: int = 0) -> list[Unit]:
    random = np.random.default_rng(seed)
    return [Unit(group, f"{names}{k}", tuple(random.dirichlet(np.ones(7)).tolist()), 60.0) for k in range(n)]


def study(*names: str, n: int = 5) -> Comparison:
    return compare([unit for k, name in enumerate(names) for unit in units(name, n, f"q{k}-", k)])


def compared(report: Report) -> go.Figure:
    return people_figure([(person.name, person.shares) for person in report.people])


def traces(figure: go.Figure) -> list[go.Scatter]:
    """Those with whiskers."""
    return [trace for trace in figure.data if trace.error_x.array is not None]


def test_people_are_compared_expression_by_expression() -> None:
    figure = compared(make_report(names=["Ada", "Bob"]))
    assert [trace.name for trace in figure.data] == list(EXPRESSIONS)
    happy = figure.data[HAPPY]
    assert list(happy.hovertext) == ["Ada, happy", "Bob, happy"]
    assert list(happy.x) == [pytest.approx(100 / 3), 0.0]
    assert happy.error_x.array[0] == pytest.approx(7) and happy.error_x.arrayminus[0] == pytest.approx(6)
    assert (happy.marker.color, happy.marker.pattern.shape) == (PALETTE["happy"], PATTERNS["happy"])
    assert list(figure.layout.yaxis.ticktext) == ["Ada", "Bob"] * 7
    assert [note.text for note in figure.layout.annotations] == list(EXPRESSIONS)
    assert "apparent expression" in figure.layout.xaxis.title.text


def test_bars_lie_beside_their_labels() -> None:
    figure = compared(make_report())
    ys = [y for trace in figure.data for y in trace.y]
    assert ys == list(figure.layout.yaxis.tickvals) == sorted(ys, reverse=True)
    assert figure.layout.yaxis.range[0] < ys[-1] - 0.4 and ys[0] + 0.4 < 0


def test_nobody_and_nothing_measured_are_said_or_left_empty() -> None:
    assert "nobody to compare" in compared(no_people()).layout.annotations[0].text
    empty = compared(unusable_person())
    assert all(not len(trace.x) for trace in empty.data)
    assert set(empty.layout.yaxis.ticktext) == {"Person 1"}
    assert "nothing to compare" in means_figure(compare([])).layout.annotations[0].text
    assert "no two groups" in differences_figure(compare(units("film", 5)).differences).layout.annotations[0].text


def test_a_study_shows_means_over_participants() -> None:
    found = compare(units("film", 5) + units("call", 4, "q", 1))
    figure = means_figure(found)
    film, call = traces(figure)
    assert list(film.x) == [pytest.approx(mean.value * 100) for mean in found.groups[0].means]
    mean = found.groups[1].means[HAPPY]
    assert mean.low is not None and mean.high is not None
    assert call.error_x.array[HAPPY] == pytest.approx((mean.high - mean.value) * 100)
    assert call.error_x.arrayminus[HAPPY] == pytest.approx((mean.value - mean.low) * 100)
    people = [trace for trace in figure.data if trace.error_x.array is None]
    assert [len(trace.x) for trace in people] == [35, 28]
    assert people[0].text[0].startswith("p0, angry: ")
    assert set(figure.layout.yaxis.ticktext) == {"film, n = 5", "call, n = 4"}
    assert film.marker.symbol != call.marker.symbol


def test_one_participant_has_no_whisker() -> None:
    (film,) = traces(means_figure(compare(units("film", 1))))
    assert list(film.error_x.array) == [None] * 7
    assert "no interval" in film.text[0]
    (lone,) = differences_figure(compare(units("film", 1) + units("call", 1, "q")).differences).data
    assert list(lone.error_x.array) == [None] * 7 and "no interval" in lone.text[0]


def test_differences_lie_around_zero_with_a_side_for_each_group() -> None:
    found = study("film", "call").differences
    figure = differences_figure(found)
    (difference,) = figure.data
    assert list(difference.x) == [pytest.approx(d.value * 100) for d in found]
    assert difference.text[0].startswith("angry: ") and "(family-wise; Welch t)" in difference.text[0]
    happy = found[HAPPY]
    assert happy.low is not None and happy.high is not None
    assert difference.error_x.array[HAPPY] == pytest.approx((happy.high - happy.value) * 100)
    assert difference.error_x.arrayminus[HAPPY] == pytest.approx((happy.value - happy.low) * 100)
    low, high = figure.layout.xaxis.range
    assert low == -high and all(high > abs(end) * 100 for d in found for end in (d.low or 0, d.high or 0))
    assert list(figure.layout.yaxis.ticktext) == list(EXPRESSIONS)
    less, more = figure.layout.annotations
    assert (less.text, less.xanchor, more.text, more.xanchor) == (
        *("← more in<br>film", "right"),
        *("more in →<br>call", "left"),
    )


def test_a_small_difference_looks_small() -> None:
    figure = differences_figure(compare(units("film", 5) + units("call", 5)).differences)
    assert list(figure.layout.xaxis.range) == [-LEAST_REACH, LEAST_REACH]


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_rows_keep_their_height(groups: int) -> None:
    figure = means_figure(study(*(f"g{k}" for k in range(groups))))
    drawn = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    assert drawn / -figure.layout.yaxis.range[0] == pytest.approx(ROW_PIXELS)


@pytest.mark.parametrize("name", UGLY_NAMES)
def test_foreign_names_are_text_for_plotly(name: str) -> None:
    found = study(name, "other")
    for figure in (
        compared(make_report(names=[name, name])),
        means_figure(found),
        differences_figure(found.differences),
    ):
        text = figure.to_json()
        texts = [*figure.layout.yaxis.ticktext, *(t for trace in figure.data for t in trace.hovertext or trace.text)]
        texts += [note.text for note in figure.layout.annotations]
        assert not any("<img" in shown or "<script" in shown or "%{" in shown for shown in texts)
        assert "style=" not in text and "<span" not in text
        json.loads(text)


def test_equal_and_long_names_stay_apart_and_short() -> None:
    names = distinct(["Ada", "Ada", "x" * 50, "x" * 51])
    assert names[:2] == ["Ada (1)", "Ada (2)"] and len(set(names)) == 4
    assert all(len(name) <= LONGEST_LABEL + 4 for name in names)


def test_figures_suit_light_and_dark_pages() -> None:
    found = study("a", "b")
    for figure in (compared(make_report()), means_figure(found), differences_figure(found.differences)):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert not figure.layout.template.layout.to_plotly_json()


def test_positions_count_down() -> None:
    panel = Panel(["a", "b"])
    places = [panel.position(block, row) for block in range(7) for row in range(2)]
    assert places == sorted(places, reverse=True)
    assert panel.height == 7 * (2 * ROW_PIXELS + HEAD_PIXELS)
