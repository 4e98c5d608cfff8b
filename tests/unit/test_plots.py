"""The figures: what they show, how large they get, and that nothing foreign gets through them."""

import dataclasses
import itertools

import numpy as np
import plotly.graph_objects as go
import pytest

from factories import (
    doubtful_report,
    make_report,
    no_people,
    observations,
    one_frame,
    report_of,
    unusable_person,
    video_facts,
)
from visagram.core.bins import MAX_BINS, bin_person, runs
from visagram.core.certainty import unsure
from visagram.core.types import EXPRESSIONS, Observations
from visagram.plots import PALETTE, PATTERNS, distribution, timeline
from visagram.plots.timeline import LANE

HAPPY, SAD, NEUTRAL = (EXPRESSIONS.index(name) for name in ("happy", "sad", "neutral"))


def areas(figure: go.Figure) -> dict[str, go.Scatter]:
    return {trace.name: trace for trace in figure.data if trace.fill == "toself"}


def stretches(trace: go.Scatter) -> list[tuple[float, float]]:
    """(start, end) in seconds of each polygon of an area."""
    x = np.asarray(trace.x) / 1000 - 86_400
    return [(round(x[a:b].min(), 2), round(x[a:b].max(), 2)) for a, b in runs(~np.isnan(x))]


def heights(figure: go.Figure, trace: go.Scatter) -> list[tuple[str, tuple[float, float]]]:
    """Whose lane each polygon of an area lies in, and its (start, end) in seconds."""
    names = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    found = []
    for (a, b), when in zip(runs(~np.isnan(np.asarray(trace.x))), stretches(trace), strict=True):
        low, high = min(trace.y[a:b]), max(trace.y[a:b])
        (whose,) = [name for middle, name in names.items() if middle - LANE / 2 <= low <= high <= middle + LANE / 2]
        found.append((whose, when))
    return found


def test_palette_has_a_colour_and_a_second_cue_for_each_expression() -> None:
    assert tuple(PALETTE) == tuple(PATTERNS) == EXPRESSIONS
    assert len(set(PALETTE.values())) == 7
    cues = [(PATTERNS[name], name == "neutral") for name in EXPRESSIONS]
    assert len(set(cues)) == 7, "patterns differ; neutral and happy are plain, and neutral is translucent"


def linear(channel: int) -> float:
    share = channel / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def seen_by_dichromat(colour: str, matrix: list[list[float]]) -> np.ndarray:
    rgb = np.array([linear(int(colour[i : i + 2], 16)) for i in (1, 3, 5)])
    return np.clip(np.array(matrix) @ rgb, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize(
    "matrix",
    [
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    ],
    ids=["protanopia", "deuteranopia"],
)
def test_colours_stay_apart_for_colour_blind_eyes(matrix: list[list[float]]) -> None:
    """Matrices of Machado, Oliveira & Fernandes 2009, severity 1; distances in gamma-encoded RGB."""
    seen = {name: seen_by_dichromat(colour, matrix) for name, colour in PALETTE.items()}
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 0.08, (one, other)


def test_gaps_are_real() -> None:
    """Person 1 turns away from 1.2 to 1.6 s, person 2 is absent from 1.6 to 2.8 s and blurred from 3.6 s."""
    trace = areas(timeline(make_report()))["neutral"]
    assert stretches(trace) == [(0.0, 1.2), (1.6, 4.0), (0.4, 1.6), (2.8, 3.6)]


def test_everybody_is_drawn_in_the_lane_with_their_name() -> None:
    figure = timeline(make_report(names=["Ada", "Bob"]))
    ada, bob = [("Ada", (0.0, 1.2)), ("Ada", (1.6, 4.0))], [("Bob", (0.4, 1.6)), ("Bob", (2.8, 3.6))]
    for trace in areas(figure).values():
        assert heights(figure, trace) == [*ada, *bob]
    hover = [trace for trace in figure.data if trace.hovertemplate]
    labels = [trace for trace in figure.data if trace.meta == "labels"]
    middles = dict(zip(figure.layout.yaxis.ticktext, figure.layout.yaxis.tickvals, strict=True))
    for name, theirs, words in zip(("Ada", "Bob"), hover, labels, strict=True):
        assert theirs.hovertemplate.startswith(f"{name}:") and theirs.y == pytest.approx(middles[name])
        assert all(middles[name] + LANE / 2 <= y < middles[name] + LANE for y in words.y), "above the lane"


def test_areas_of_one_lane_stack_to_its_height() -> None:
    traces = areas(timeline(make_report()))
    assert tuple(traces) == EXPRESSIONS
    ys = np.concatenate([trace.y for trace in traces.values()])
    first = ys[ys >= 0]
    assert np.nanmin(first) == 0 and np.nanmax(first) == pytest.approx(1)


def test_absence_and_unmeasured_presence_differ() -> None:
    figure = timeline(make_report())
    shown = [stretches(trace) for trace in figure.data if trace.name == "in the picture, not measured"]
    assert shown == [[(1.2, 1.6)], [(3.6, 4.0)]]


def test_what_was_unsure_is_covered() -> None:
    """Person 1 is unsure in the first 0.4 s."""
    figure = timeline(doubtful_report())
    (trace,) = [trace for trace in figure.data if trace.name == "unsure"]
    assert stretches(trace) == [(0.0, 0.4)]
    assert np.nanmin(trace.y) == 0 and np.nanmax(trace.y) == 1 and trace.showlegend
    texts = next(trace.text for trace in figure.data if trace.hovertemplate)
    assert (texts[0], texts[5]) == ("apparent expression happy, 42 %, unsure", "apparent expression happy, 76 %")
    assert not [trace for trace in timeline(make_report()).data if trace.name == "unsure"]


def test_a_smoothed_timeline_is_drawn_of_smoothed_posteriors_and_marks_what_was_measured() -> None:
    report = doubtful_report()
    by_setting = dataclasses.replace(report, settings=report.settings | {"smooth": 3.0})
    assert timeline(by_setting) == report.figure(smooth=3.0) != report.figure()
    assert by_setting.figure(smooth=0.0) == report.figure()
    (trace,) = [trace for trace in by_setting.figure().data if trace.name == "unsure"]
    assert stretches(trace) == [(0.0, 0.4)]


def test_hover_says_who_what_and_how_probable() -> None:
    hover = [trace for trace in timeline(make_report()).data if trace.hovertemplate]
    assert [trace.hovertemplate.split(":")[0] for trace in hover] == ["Person 1", "Person 2"]
    assert hover[0].text[0] == "apparent expression happy, 76 %"
    assert hover[0].text[13] == "in the picture, not measured"
    assert hover[1].text[20] == "not in the picture"


def test_labels_name_the_dominant_expression_of_wide_stretches() -> None:
    labels = [trace for trace in timeline(make_report()).data if trace.meta == "labels"]
    assert [sorted(trace.text) for trace in labels] == [["happy", "neutral"], ["sad", "sad"]]


def test_long_videos_do_not_grow_the_figure() -> None:
    """Two hours at 25 frames a second, five people who flicker all the time."""
    frames = np.arange(0, 180_000, 3)
    parts = [
        observations(person, frames, np.random.default_rng(person).integers(0, 7, len(frames)))
        for person in range(1, 6)
    ]
    rows = Observations.concatenate(part.with_columns(span=np.full(len(part), 0.12)) for part in parts)
    figure = timeline(report_of(rows, video_facts(frames=180_000)))
    assert len(figure.to_json()) < 5_000_000
    hover = [trace for trace in figure.data if trace.hovertemplate]
    assert all(len(trace.x) <= MAX_BINS for trace in hover) and len(hover) == 5


def test_bins_weigh_rows_by_their_span() -> None:
    rows = observations(1, [0, 1], [HAPPY, SAD]).with_columns(
        time=np.array([0.0, 0.075]), span=np.array([0.075, 0.025])
    )
    bins = bin_person(rows, 0.0, 0.1, unsure(rows, 0.5))
    assert bins.posterior.shape == (1, 7)
    assert bins.posterior[0, HAPPY] == pytest.approx(0.75 * 0.76 + 0.25 * 0.04)


def test_one_row_may_fill_many_bins() -> None:
    rows = observations(1, [0, 1], [HAPPY, SAD]).with_columns(time=np.array([0.0, 2.0]), span=np.array([2.0, 1.0]))
    best = bin_person(rows, 0.0, 4.0, unsure(rows, 0.5)).posterior
    assert np.isnan(best[30:]).all()
    assert best[:30].argmax(axis=1).tolist() == [HAPPY] * 20 + [SAD] * 10


def test_figures_of_nobody_of_one_frame_and_of_nothing_measured() -> None:
    assert "No face was found" in timeline(no_people()).layout.annotations[0].text
    assert stretches(areas(timeline(one_frame()))["surprise"]) == [(0.0, 0.1)]
    assert not len(areas(timeline(unusable_person()))["happy"].x)


def test_analysis_of_a_part_starts_at_its_start() -> None:
    report = report_of(observations(1, range(50, 100), [HAPPY] * 50), video_facts())
    part = dataclasses.replace(report, settings={"start": 2.0}, totals=dataclasses.replace(report.totals, duration=2.0))
    figure = timeline(part)
    assert [edge / 1000 - 86_400 for edge in figure.layout.xaxis.range] == [2.0, 4.0]


def test_names_are_text_for_plotly() -> None:
    figure = timeline(make_report(names=["<b>%{text}</b>", "\udce9"]))
    text = figure.to_json()
    assert "<b>" not in text and "%{text}</b>" not in text
    assert "&lt;b&gt;%&#123;text}&lt;/b&gt;" in figure.layout.yaxis.ticktext


def test_figures_suit_light_and_dark_pages() -> None:
    for figure in (timeline(make_report()), distribution(make_report().people[0])):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert not figure.layout.template.layout.to_plotly_json(), "a template would bring its own colours"


def test_distribution_has_bars_with_intervals() -> None:
    (bars,) = distribution(make_report().people[0]).data
    assert list(bars.y) == list(reversed(EXPRESSIONS))
    happy = list(bars.y).index("happy")
    assert bars.x[happy] == pytest.approx(100 / 3)
    assert bars.error_x.array[happy] == pytest.approx(7)
    assert bars.error_x.arrayminus[happy] == pytest.approx(6)


def test_each_bar_is_in_the_colour_and_pattern_of_its_own_expression() -> None:
    (bars,) = distribution(make_report().people[0]).data
    shown = zip(bars.y, bars.marker.color, bars.marker.pattern.shape, bars.hovertext, strict=True)
    assert list(shown) == [(name, PALETTE[name], PATTERNS[name], name) for name in reversed(EXPRESSIONS)]


def test_distribution_of_nothing_says_so() -> None:
    figure = distribution(unusable_person().people[0])
    assert not figure.data and figure.layout.annotations[0].text == "Nothing was measured."


def test_axis_title_speaks_of_apparent_expression() -> None:
    assert "apparent expression" in distribution(make_report().people[0]).layout.xaxis.title.text
    assert make_report().figure().data
