"""The words of the outputs, letter by letter: numbers on and beside the limits where their form changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from factories import doubtful_report, make_report, no_people, one_frame, unusable_person
from visagram.core.statistics import FEWEST
from visagram.core.types import EXPRESSIONS, GUESSED, REPAIRED, Person, Share
from visagram.export import words
from visagram.export.text import summary
from visagram.export.words import (
    clock,
    count,
    exact,
    facts,
    headline,
    interval,
    listed,
    moment,
    mostly,
    other_models,
    percent,
    printable,
    ranked,
    reason_words,
    size,
    smooth_words,
    spent,
    storable,
    thresholds,
    unmeasured,
    unsure_words,
)
from visagram.report import Report


def with_counts(number: int = 1, **counts: int) -> Person:
    """A person with so many measured frames of each expression."""
    found = tuple(counts.get(name, 0) for name in EXPRESSIONS)
    person = make_report().people[0]
    return dataclasses.replace(
        person, id=number, name=f"P{number}", emotion_counts=found, frames_usable=sum(found), frames_seen=sum(found)
    )


def with_shares(**values: float) -> Person:
    shares = tuple(Share(values.get(name, 0.0), 0.0, 1.0) for name in EXPRESSIONS)
    return dataclasses.replace(make_report().people[0], shares=shares)


def of(*people: Person) -> Report:
    return dataclasses.replace(make_report(), people=people)


def with_video(report: Report, **changes: Any) -> Report:
    return dataclasses.replace(report, video=dataclasses.replace(report.video, **changes))


def with_settings(settings: Mapping[str, Any], *models: dict[str, Any]) -> Report:
    report = make_report()
    return dataclasses.replace(report, settings=report.settings | dict(settings), models=models)


# --- Numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (1e-9, "<1 %"),
        (0.0099, "<1 %"),
        (0.01, "1 %"),
        (0.012, "1 %"),
        (0.5, "50 %"),
        (0.6149, "61 %"),
        (0.99, "99 %"),
        (0.9901, ">99 %"),
        (0.99999, ">99 %"),
        (1.0, "100 %"),
    ],
)
def test_a_percentage_is_never_all_or_nothing_unless_it_is(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.0, 0.0049, "<1 %"),
        (0.0, 0.006, "0-1 %"),
        (0.003, 0.012, "0-1 %"),
        (0.546, 0.674, "55-67 %"),
        (0.0, 1.0, "0-100 %"),
    ],
)
def test_an_interval_has_two_ends_unless_it_is_nothing(low: float, high: float, words: str) -> None:
    assert interval(Share(0.0, low, high)) == words


def test_an_interval_may_have_a_longer_dash() -> None:
    assert interval(Share(0.6, 0.55, 0.67), "–") == "55–67 %"


def test_exact_percentages_have_one_decimal() -> None:
    assert [exact(share) for share in (0.0, 0.0004, 0.6149, 1.0)] == ["0.0 %", "0.0 %", "61.5 %", "100.0 %"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (4.2, "4.2 s"),
        (9.94, "9.9 s"),
        (9.95, "0:10"),
        (12.0, "0:12"),
        (59.4, "0:59"),
        (59.6, "1:00"),
        (65.0, "1:05"),
        (605.0, "10:05"),
        (3599.4, "59:59"),
        (3599.6, "1:00:00"),
        (3665.0, "1:01:05"),
        (36_000.0 + 11 * 60 + 12, "10:11:12"),
    ],
)
def test_a_clock_shows_hours_where_there_are_any(seconds: float, words: str) -> None:
    assert clock(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0:00.0"),
        (5.2, "0:05.2"),
        (59.94, "0:59.9"),
        (59.96, "1:00.0"),
        (65.0, "1:05.0"),
        (599.96, "10:00.0"),
        (3599.9, "59:59.9"),
        (3600.0, "1:00:00.0"),
        (3665.2, "1:01:05.2"),
        (7200.0 + 13 * 60 + 14.5, "2:13:14.5"),
    ],
)
def test_a_moment_is_told_to_a_tenth_of_a_second(seconds: float, words: str) -> None:
    assert moment(seconds) == words


@pytest.mark.parametrize(
    ("bytes", "words"),
    [
        (0, "0 bytes"),
        (7, "7 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (99_400, "99.4 kB"),
        (99_500, "100 kB"),
        (150_000, "150 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (4_215_331, "4.2 MB"),
        (1_500_000_000, "1.5 GB"),
        (999_499_999_999, "999 GB"),
        (999_500_000_000, "1.0 TB"),
        (25_000_000_000_000, "25.0 TB"),
    ],
)
def test_sizes_go_up_by_thousands(bytes: int, words: str) -> None:
    assert size(bytes) == words


def test_counts_have_a_plural_and_thousands() -> None:
    assert [count(n, "frame") for n in (0, 1, 2, 12_480)] == ["0 frames", "1 frame", "2 frames", "12,480 frames"]
    assert [count(n, "person", "people") for n in (0, 1, 2)] == ["0 people", "1 person", "2 people"]


def test_lists_have_a_last_word() -> None:
    assert [listed(list(words)) for words in ("", "a", "ab", "abc", "abcd")] == [
        *("", "a", "a and b", "a, b and c", "a, b, c and d")
    ]
    assert listed(["a", "b", "c"], " or ") == "a, b or c"


# --- Text from outside -----------------------------------------------------------------------------------------------


def test_text_keeps_joiners_and_loses_what_drives_a_terminal() -> None:
    assert printable(" a\tb\nc\u2003d ") == "a b c d"
    assert printable("a\u200cb\u200dc") == "a\u200cb\u200dc"
    assert printable("a\u200bb\x1b[0m\u202ec") == "a\ufffdb\ufffd[0m\ufffdc"
    assert storable("caf\udce9 é 映") == "caf? é 映"


# --- Phrases ---------------------------------------------------------------------------------------------------------


def test_facts_of_a_video_and_of_a_picture() -> None:
    report = make_report()
    assert facts(report) == ["4.0 s", "640 × 360", "25 frames/s", "h264", "4.2 MB"]
    film = with_video(report, rate=Fraction(30_000, 1001), variable_rate=True, duration=Fraction(3665), bytes=950)
    assert facts(film) == ["1:01:05", "640 × 360", "29.97 frames/s, variable", "h264", "950 bytes"]
    assert facts(one_frame()) == ["640 × 360", "still picture", "h264", "4.2 MB"]
    assert facts(with_video(report, time_basis=REPAIRED))[5:] == ["some frame times repaired"]
    assert facts(with_video(report, time_basis=GUESSED))[5:] == ["frame times guessed"]
    assert facts(with_video(report, time_basis=""))[5:] == []


def test_models_are_named_where_they_were_chosen() -> None:
    detector = {"name": "retina\x1bface", "task": "detection", "version": "0.0.17"}
    reader = {"name": "deepface", "task": "expression", "version": "0.0.103"}
    assert other_models(with_settings({}, detector, reader)) == []
    assert other_models(with_settings({"detector": "visagram", "emotion": "visagram"}, detector, reader)) == []
    chosen = with_settings({"emotion": "deepface"}, detector, reader)
    assert other_models(chosen) == ["expressions read by deepface 0.0.103"]
    assert facts(chosen)[-2:] == ["4.2 MB", "expressions read by deepface 0.0.103"]
    both = with_settings({"detector": "deepface-retinaface", "emotion": "deepface"}, reader, detector)
    assert other_models(both) == ["faces found by retina\ufffdface 0.0.17", "expressions read by deepface 0.0.103"]
    assert other_models(with_settings({"detector": "deepface-retinaface"}, reader)) == ["faces found by"]
    assert facts(dataclasses.replace(one_frame(), settings={"emotion": "x"}, models=(reader,)))[-1] == (
        "expressions read by deepface 0.0.103"
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, ""),
        ({"happy": 1}, "happy"),
        ({"happy": 2}, "only happy"),
        ({"happy": 5, "sad": 4, "fear": 1}, "mostly happy"),
        ({"happy": 99, "sad": 1}, "mostly happy"),
        ({"happy": 49, "sad": 48, "fear": 3}, "most often happy"),
    ],
)
def test_how_often_an_expression_was_the_best(counts: dict[str, int], words: str) -> None:
    assert mostly(with_counts(**counts)) == words


def test_a_headline_says_what_each_of_four_people_showed() -> None:
    four = [with_counts(1, sad=3), with_counts(2, happy=3), with_counts(3, sad=9), with_counts(4)]
    assert headline(of(*four)) == (
        "Four people were seen. The apparent expression was only sad for P1 and P3, and only happy for P2."
    )
    assert headline(of(*four[:3], with_counts(4, fear=1))) == (
        "Four people were seen. The apparent expression was only sad for P1 and P3, only happy for P2, and fear for P4."
    )
    assert headline(of(four[0], four[2])) == (
        "Two people were seen. The apparent expression was only sad for P1 and P3."
    )
    named = dataclasses.replace(four[0], name="A\nda\udce9")
    assert headline(of(named, four[3])) == "Two people were seen. The apparent expression was only sad for A da?."


def test_a_headline_of_one_person() -> None:
    assert headline(of(with_counts(happy=3, sad=3))) == (
        "One person was seen. The apparent expression was mostly happy."
    )
    assert headline(of(with_counts())) == (
        "One person was seen, but no face was clear enough to measure an apparent expression."
    )
    assert headline(of(with_counts(1), with_counts(2))) == (
        "Two people were seen, but no face was clear enough to measure an apparent expression."
    )
    assert headline(no_people()) == "No face was found."


def test_a_headline_of_many_people_names_two_expressions_at_most() -> None:
    def crowd(number: int, **total: int) -> str:
        report = of(*(with_counts(k + 1, sad=2) for k in range(number)))
        counts = tuple(total.get(name, 0) for name in EXPRESSIONS)
        return headline(dataclasses.replace(report, totals=dataclasses.replace(report.totals, emotion_counts=counts)))

    tail = "seen. Over all of them the apparent expression was most often"
    assert crowd(5, angry=2, fear=9, sad=10) == f"Five people were {tail} sad, then fear."
    assert crowd(9, sad=10) == f"Nine people were {tail} sad."
    assert crowd(10, sad=10, angry=1) == f"10 people were {tail} sad, then angry."
    assert crowd(1200, sad=10) == f"1,200 people were {tail} sad."
    # Those who were never measured are no part of the list.
    five = of(*(with_counts(k + 1, sad=2) for k in range(4)), with_counts(5))
    assert headline(five) == "Five people were seen. The apparent expression was only sad for P1, P2, P3 and P4."


def test_shares_are_ranked_and_small_ones_left_out() -> None:
    person = with_shares(happy=0.05, sad=0.0499, neutral=0.6, fear=0.3001)
    assert [name for name, _ in ranked(person)] == ["neutral", "fear", "happy", "sad", "angry", "disgust", "surprise"]
    assert [name for name, _ in ranked(person, 0.05)] == ["neutral", "fear", "happy"]
    assert ranked(dataclasses.replace(person, shares=())) == []


def test_time_is_named_from_a_thousandth_of_a_second_on() -> None:
    unknown = {"zz_new": 0.5, "aa_new": 0.25}
    reasons = unknown | {"not_visible": 1.0, "turned": 0.001, "blurred": 0.0015, "too_small": 0.0}
    person = dataclasses.replace(make_report().people[0], measured=2.0, unsure=0.5, unmeasured=reasons)
    listed_ = [("blurred", 0.0015), ("not_visible", 1.0), ("aa_new", 0.25), ("zz_new", 0.5)]
    assert unmeasured(person) == listed_
    assert spent(person) == [
        ("measured", "measured", 1.5),
        ("unsure", "measured, unsure", 0.5),
        ("blurred", "blurred", 0.0015),
        ("not_visible", "not in the picture", 1.0),
        ("aa_new", "aa new", 0.25),
        ("zz_new", "zz new", 0.5),
    ]
    short = dataclasses.replace(person, measured=0.001, unsure=0.0, unmeasured={})
    assert spent(short) == []
    assert spent(dataclasses.replace(short, measured=0.0015)) == [("measured", "measured", 0.0015)]


def test_words_of_reasons_and_thresholds() -> None:
    assert [reason_words(name) for name in ("too_small", "cut_off", "lying", "not_decoded", "not_seen_yet")] == [
        *("too small", "cut off", "lying on its side", "video damaged", "not seen yet")
    ]
    assert unsure_words([0.7078] * 7) == "best expression below 71 %"
    assert unsure_words([0.7078] * 6 + [0.9]) == "best expression below 71 %; neutral below 90 %"
    assert thresholds([0.7078] * 7) == "0.71" and thresholds([0.6] * 6 + [0.735], 3) == "0.600 (neutral 0.735)"
    assert smooth_words(1.50) == "The drawing is smoothed over 1.5 s; the numbers are not."
    assert smooth_words(2.0) == "The drawing is smoothed over 2 s; the numbers are not."


# --- The summary -----------------------------------------------------------------------------------------------------


def test_the_whole_summary() -> None:
    report = dataclasses.replace(
        make_report("a\u202eb.mp4", ["One \x07 warning.", "Another."]),
        totals=dataclasses.replace(doubtful_report().totals, frames_damaged=2, coverage=0.5),
    )
    first = dataclasses.replace(doubtful_report().people[0], name="A\nda")
    shares = list(first.shares)
    shares[0], shares[1] = Share(0.05, 0.01, 0.0949), Share(0.0499, 0.0, 0.0949)
    first = dataclasses.replace(first, shares=tuple(shares), screen_time=12.0)
    assert summary(dataclasses.replace(report, people=(first, report.people[1]))).split("\n") == [
        "a\ufffdb.mp4, 4.0 s, 640 x 360, 25 frames/s, h264, 4.2 MB",
        "2 people in 100 frames; 50 % of the time measured",
        "2 frames could not be decoded",
        "",
        "A da: in the picture for 0:12, apparent expression mostly neutral",
        "  neutral 67 % (61-74 %), happy 33 % (27-40 %), angry 5 % (1-9 %)",
        "  unsure 11 % (best expression below 50 %)",
        "  not measured: turned away 0.4 s",
        "",
        "Person 2: in the picture for 2.4 s, apparent expression only sad",
        "  sad 100 % (94-100 %)",
        "  not measured: blurred 0.4 s, not in the picture 1.6 s",
        "",
        "Warning: One \ufffd warning.",
        "Warning: Another.",
    ]


def test_the_whole_summary_of_little() -> None:
    damaged = dataclasses.replace(no_people(), totals=dataclasses.replace(no_people().totals, frames_damaged=1))
    assert summary(damaged).split("\n") == [
        "landscape.mp4, 4.0 s, 640 x 360, 25 frames/s, h264, 4.2 MB",
        "No face found in 100 frames; 0 % of the time measured",
        "1 frame could not be decoded",
    ]
    assert summary(one_frame()).split("\n") == [
        "portrait.jpg, 640 x 360, still picture, h264, 4.2 MB",
        "1 person in 1 frame; 100 % of the time measured",
        "",
        "Person 1: apparent expression surprise",
        "  surprise 100 % (94-100 %)",
    ]
    assert summary(unusable_person()).split("\n") == [
        "talk.mp4, 2.0 s, 640 x 360, 25 frames/s, h264, 4.2 MB",
        "1 person in 50 frames; 0 % of the time measured",
        "",
        "Person 1: in the picture for 2.0 s, no frame was clear enough to measure",
        "  not measured: too small 2.0 s",
    ]


def test_the_page_says_of_intervals_what_the_report_says() -> None:
    script = (Path(words.__file__).parents[1] / "web" / "static" / "js" / "result" / "words.js").read_text("utf-8")
    assert f"const FEWEST = {FEWEST};" in script
    assert words.INTERVAL.replace("95 %", "95\\u00a0%") in script
    assert words.NO_INTERVAL.replace(f"{FEWEST} times", "${FEWEST} times") in script
