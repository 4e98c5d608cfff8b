"""The figures that compare people and conditions."""

from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from factories import UGLY_NAMES, make_report, no_people, unusable_person
from visagram.core.compare import Unit, compare
from visagram.core.types import EXPRESSIONS
from visagram.plots import PALETTE, PATTERNS, people_figure, study_figure
from visagram.plots.rows import Panel
from visagram.plots.style import LONGEST_LABEL, distinct

HAPPY = EXPRESSIONS.index("happy")


def units(group: str, n: int, names: str = "p", seed: int = 0) -> list[Unit]:
    random = np.random.default_rng(seed)
    return [Unit(group, f"{names}{k}", tuple(random.dirichlet(np.ones(7)).tolist()), 60.0) for k in range(n)]


def study(*names: str, n: int = 5) -> go.Figure:
    return study_figure(compare([unit for k, name in enumerate(names) for unit in units(name, n, f"q{k}-", k)]))


def traces(figure: go.Figure, axis: str = "x") -> list[go.Scatter]:
    """Those with whiskers on an axis."""
    return [trace for trace in figure.data if trace.error_x.array is not None and (trace.xaxis or "x") == axis]


def test_people_are_compared_expression_by_expression() -> None:
    figure = people_figure(make_report(names=["Ada", "Bob"]))
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
    figure = people_figure(make_report())
    ys = [y for trace in figure.data for y in trace.y]
    assert ys == list(figure.layout.yaxis.tickvals) == sorted(ys, reverse=True)
    assert figure.layout.yaxis.range[0] < ys[-1] - 0.4 and ys[0] + 0.4 < 0


def test_nobody_and_nothing_measured_are_said_or_left_empty() -> None:
    assert "nobody to compare" in people_figure(no_people()).layout.annotations[0].text
    empty = people_figure(unusable_person())
    assert all(not len(trace.x) for trace in empty.data)
    assert set(empty.layout.yaxis.ticktext) == {"Person 1"}
    assert "nothing to compare" in study_figure(compare([])).layout.annotations[0].text


def test_a_study_shows_means_participants_and_differences() -> None:
    found = compare(units("film", 5) + units("call", 4, "q", 1))
    figure = study_figure(found)
    film, call = traces(figure)
    assert list(film.x) == [pytest.approx(mean.value * 100) for mean in found.groups[0].means]
    mean = found.groups[1].means[HAPPY]
    assert mean.low is not None and mean.high is not None
    assert call.error_x.array[HAPPY] == pytest.approx((mean.high - mean.value) * 100)
    assert call.error_x.arrayminus[HAPPY] == pytest.approx((mean.value - mean.low) * 100)
    (difference,) = traces(figure, "x2")
    assert list(difference.x) == [pytest.approx(d.value * 100) for d in found.differences]
    assert difference.text[0].startswith("call minus film, angry: ") and "Holm, Welch t" in difference.text[0]
    people = [trace for trace in figure.data if trace.error_x.array is None]
    assert [len(trace.x) for trace in people] == [35, 28]
    assert people[0].text[0].startswith("p0, angry: ")
    assert set(figure.layout.yaxis.ticktext) == {"film, n = 5", "call, n = 4"}
    assert set(figure.layout.yaxis2.ticktext) == {"call<br>minus film"}
    assert film.marker.symbol != call.marker.symbol


def test_one_group_has_no_differences_and_one_participant_no_whisker() -> None:
    figure = study_figure(compare(units("film", 1)))
    (film,) = traces(figure)
    assert list(film.error_x.array) == [None] * 7
    assert "no interval" in film.text[0]
    assert not traces(figure, "x2") and not figure.layout.shapes


@pytest.mark.parametrize(("groups", "pairs"), [(2, 1), (3, 3), (4, 3), (6, 5)])
def test_differences_of_many_groups_are_those_from_the_first(groups: int, pairs: int) -> None:
    figure = study(*(f"g{k}" for k in range(groups)))
    assert len(traces(figure, "x2")) == pairs
    if groups > 3:
        assert all(label.endswith("minus g0") for label in figure.layout.yaxis2.ticktext)


def test_panels_do_not_overlap_and_rows_keep_their_height() -> None:
    for groups in (2, 5):
        figure = study(*(f"g{k}" for k in range(groups)))
        lower, upper = figure.layout.yaxis2.domain, figure.layout.yaxis.domain
        assert 0 == lower[0] < lower[1] < upper[0] < upper[1] == 1
        drawn = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
        for domain, axis, pixels in ((upper, figure.layout.yaxis, 22), (lower, figure.layout.yaxis2, 40)):
            assert (domain[1] - domain[0]) * drawn / -axis.range[0] == pytest.approx(pixels)


@pytest.mark.parametrize("name", UGLY_NAMES)
def test_foreign_names_are_text_for_plotly(name: str) -> None:
    for figure in (people_figure(make_report(names=[name, name])), study(name, "other")):
        text = figure.to_json()
        texts = [*figure.layout.yaxis.ticktext, *(t for trace in figure.data for t in trace.hovertext or trace.text)]
        assert not any("<img" in shown or "<script" in shown or "%{" in shown for shown in texts)
        assert "style=" not in text and "<span" not in text
        json.loads(text)


def test_equal_and_long_names_stay_apart_and_short() -> None:
    names = distinct(["Ada", "Ada", "x" * 50, "x" * 51])
    assert names[:2] == ["Ada (1)", "Ada (2)"] and len(set(names)) == 4
    assert all(len(name) <= LONGEST_LABEL + 4 for name in names)


def test_figures_suit_light_and_dark_pages() -> None:
    for figure in (people_figure(make_report()), study("a", "b")):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert not figure.layout.template.layout.to_plotly_json()


def test_positions_count_down() -> None:
    panel = Panel(["a", "b"])
    places = [panel.position(block, row) for block in range(7) for row in range(2)]
    assert places == sorted(places, reverse=True)
    assert panel.height == 7 * (2 * 22 + 30)
