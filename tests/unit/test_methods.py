"""The methods paragraph says what was done, the same for equal reports, and what differs between them."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import UGLY_NAMES, doubtful_report, make_report, no_people, unusable_person
from visagram import __version__
from visagram.errors import DataError
from visagram.export.methods import methods_text
from visagram.models.catalog import model_cards
from visagram.settings import Settings


def report(**settings: Any) -> dict[str, Any]:
    found = make_report().to_dict()
    found["models"] = model_cards()
    found["settings"] = Settings(**settings).for_report()
    return found


def test_it_names_what_was_measured_with_what() -> None:
    text = methods_text([report(), report(), report()])
    assert "3 videos (12.0 seconds analysed, 300 frames)" in text
    assert f"Visagram {__version__}" in text
    assert "6 people were found (somebody who appears in several videos counts once in each)" in text
    for card in model_cards():
        assert card["name"] in text and card["sha256"][:12] in text and card["sha256"][:13] not in text
        assert card["trained_on"].rstrip(". ") in text
    [accuracy] = [card["metrics"]["accuracy"] for card in model_cards() if "accuracy" in card.get("metrics", {})]
    assert f"accuracy {accuracy:.2f} on FER+ validation" in text
    assert "All analyses used the default settings." in text
    assert "The videos differ" not in text


def test_it_says_how_faces_are_excluded_and_intervals_computed() -> None:
    text = methods_text([report()])
    assert "shorter side had fewer than 24 pixels" in text
    assert "88 % was measured (the rest: blurred 6 %, turned away 6 %)" in text
    assert "circular block bootstrap (500 resamples" in text and "Wilson" in text


def test_it_always_carries_the_caveat_with_its_source() -> None:
    for reports in ([report()], [no_people().to_dict()], [unusable_person().to_dict()]):
        text = methods_text(reports)
        assert "apparent expression" in text and "not a measure of what a person feels" in text
        assert "(Barrett et al. 2019)" in text
        assert "https://doi.org/10.1177/1529100619832930" in text


def test_settings_that_are_not_the_defaults_are_named() -> None:
    text = methods_text([report(detect_every=1, region=(0, 0, 320, 200))])
    assert "The analysis used the default settings, except detect_every = 1 and region = [0, 0, 320, 200]." in text


def test_it_says_what_unsure_means_and_how_much_was() -> None:
    doubtful, other = doubtful_report().to_dict(), copy.deepcopy(report())
    doubtful["models"][-1]["unsure_below"], other["models"][-1]["unsure_below"] = 0.5, 0.5
    text = methods_text([doubtful, other])
    assert "a probability below 0.50. It is part of all shares" in text
    assert "Of the measured time 4 % was unsure." in text
    other["models"][-1]["unsure_below"] = 0.62
    assert "a probability below 0.50 in 1 video and 0.62 in 1 video. It is part" in methods_text([doubtful, other])
    for part in [*doubtful["people"], doubtful["totals"]]:
        part["unsure"] = None
    assert "was unsure" not in methods_text([doubtful]), "a report of an older version does not say"


def test_it_says_where_frame_times_are_not_the_files_own() -> None:
    exact, repaired, guessed = report(), copy.deepcopy(report()), copy.deepcopy(report())
    repaired["video"]["time_basis"], guessed["video"]["time_basis"] = "repaired", "guessed"
    text = methods_text([exact, repaired, repaired, guessed])
    assert "Some frame times of 2 videos were repaired from those of neighbouring frames." in text
    assert "The frame times of 1 video follow from an assumed frame rate." in text
    assert "frame times" not in methods_text([exact])
    exact["video"]["time_basis"] = None
    assert "frame times" not in methods_text([exact]), "a report of an older version does not say"


def test_a_smoothed_timeline_is_said_to_be_drawn_only() -> None:
    assert "smoothed" not in methods_text([report()])
    text = methods_text([report(smooth=2.0)])
    assert "except smooth = 2.0." in text
    assert "Timelines are drawn with probabilities smoothed over time (a centred Gaussian filter" in text


def test_each_source_stands_on_a_line_of_its_own() -> None:
    paragraphs = methods_text([report()], compared=True).strip().split("\n\n")
    sources = paragraphs[paragraphs.index("References") + 1 :]
    assert len(sources) == 10 and sources == sorted(sources)
    assert all("\n" not in source and source[0].isupper() and ". (" in source for source in sources)


def test_differing_settings_are_named_with_how_many_videos_have_them() -> None:
    text = methods_text([report(), report(detect_every=1), report(detect_every=1, sample_fps=5.0)])
    assert (
        "The videos differ in detect_every (1 in 2 videos, the default in 1 video) and "
        "sample_fps (the default in 2 videos, 5.0 in 1 video)." in text
    )
    assert "detect_every =" not in text


def test_differing_models_are_named() -> None:
    other = copy.deepcopy(report())
    other["models"][-1]["sha256"] = "ef" * 32
    text = methods_text([report(), other, report()])
    assert "not all analysed with the same models" in text
    assert "(2 of 3 videos) Faces were found" in text and "(1 of 3 videos)" in text and "efefefefefef" in text


def test_the_order_of_the_videos_does_not_matter() -> None:
    reports = [report(), report(detect_every=1), no_people().to_dict()]
    assert len({methods_text(order) for order in itertools.permutations(reports)}) == 1


def test_comparisons_come_with_their_method_and_sources() -> None:
    assert "Holm" not in methods_text([report()])
    text = methods_text([report()], compared=True)
    assert "The unit is the participant" in text and "Welch" in text
    for source in ("Holm, S. (1979)", "Korn, E. L.", "Lakens, D. (2013)"):
        assert source in text


def test_nothing_analysed_is_said() -> None:
    assert "No video has been analysed yet" in methods_text([])


def test_one_of_everything_is_singular() -> None:
    text = methods_text([unusable_person().to_dict()])
    assert "1 video (2.0 seconds" in text and "1 person was found. " in text
    assert "0 % was measured (the rest: too small 100 %)" in text


@pytest.mark.parametrize("name", UGLY_NAMES)
def test_foreign_text_is_one_printable_line(name: str) -> None:
    ugly = report()
    ugly["models"] = [{"name": name, "task": name, "sha256": name, "trained_on": name}]
    ugly["settings"] = {name: name}
    lines = methods_text([ugly]).splitlines()
    assert all(c.isprintable() or c in "\u200c\u200d" for line in lines for c in line)
    assert len(lines) == len(methods_text([report()]).splitlines())
    assert "The analysis used the default settings, except " in methods_text([ugly])


@pytest.mark.parametrize("damaged", [{}, {"people": None}, {"people": [], "totals": {}, "models": [], "settings": {}}])
def test_what_is_no_report_is_refused(damaged: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        methods_text([damaged])


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=6))
def test_any_number_of_videos_adds_up(kinds: list[int]) -> None:
    made = [make_report().to_dict(), no_people().to_dict(), unusable_person().to_dict()]
    text = methods_text([made[kind] for kind in kinds])
    people = sum((2, 0, 1)[kind] for kind in kinds)
    assert f"in {len(kinds)} video" in text
    assert f" {people} p" in text
    assert "nan" not in text and "None" not in text
