"""Subtitles to the millisecond: what votes, what merges, where a cue ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from factories import make_report, no_people, observations, one_frame, report_of, unusable_person, video_facts
from visagram.core.types import EXPRESSIONS
from visagram.export.vtt import Cue, cues, write

HAPPY, SAD, FEAR = (EXPRESSIONS.index(name) for name in ("happy", "sad", "fear"))
HEAD = "WEBVTT\n\nNOTE Apparent facial expressions, estimated by Visagram.\n"


def said(*rows: tuple[float, float, int]) -> list[tuple[float, float, str]]:
    """The cues of one person whose frames have these (time, span, label)."""
    time, span, labels = zip(*rows, strict=True)
    made = observations(1, range(len(rows)), labels).with_columns(time=np.array(time), span=np.array(span))
    found = list(cues(report_of(made, video_facts())))
    assert {cue.person for cue in found} <= {1}
    return [(round(cue.start, 6), round(cue.end, 6), cue.expression) for cue in found]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # A frame two tenths of a second later votes too, and the longer time wins.
        ([(0.0, 0.2, HAPPY), (0.2, 0.3, SAD)], [(0.0, 0.5, "sad")]),
        ([(0.0, 0.3, HAPPY), (0.2, 0.2, SAD)], [(0.0, 0.4, "happy")]),
        ([(0.0, 0.2, HAPPY), (0.2001, 0.3, SAD)], [(0.0, 0.2001, "happy"), (0.2001, 0.5001, "sad")]),
        # A frame's own expression holds on a tie, and counts once.
        ([(0.0, 0.1, SAD), (0.1, 0.1, HAPPY)], [(0.0, 0.2, "sad")]),
        ([(0.0, 0.1, HAPPY), (0.1, 0.15, SAD)], [(0.0, 0.25, "sad")]),
        # Frames that last no time have a vote all the same.
        ([(0.0, 0.0, FEAR), (0.05, 0.0, SAD), (0.1, 0.0, SAD)], [(0.0, 0.1, "sad")]),
        # What is short joins what is before it.
        ([(0.0, 0.25, HAPPY), (0.25, 0.2, SAD)], [(0.0, 0.25, "happy"), (0.25, 0.45, "sad")]),
        ([(0.0, 0.25, HAPPY), (0.25, 0.19, SAD)], [(0.0, 0.44, "happy")]),
        # A short beginning joins what comes after it.
        ([(0.0, 0.1, FEAR), (0.15, 0.05, SAD), (0.3, 1.0, SAD)], [(0.0, 1.3, "sad")]),
        ([(0.0, 0.1, FEAR), (0.2, 0.05, SAD), (0.35, 1.0, SAD)], [(0.0, 0.2, "fear"), (0.2, 1.35, "sad")]),
        ([(10.0, 0.1, FEAR), (10.15, 0.05, SAD), (10.3, 1.0, SAD)], [(10.0, 11.3, "sad")]),
        # Two short ones are one cue of the first.
        ([(0.0, 0.1, FEAR), (0.15, 0.1, SAD)], [(0.0, 0.25, "fear")]),
        # Gaps of two tenths of a second end a cue.
        ([(0.0, 0.25, HAPPY), (0.45, 0.25, HAPPY)], [(0.0, 0.25, "happy"), (0.45, 0.7, "happy")]),
        ([(0.0, 0.25, HAPPY), (0.449, 0.25, HAPPY)], [(0.0, 0.699, "happy")]),
        # What was not measured is a gap, and says nothing by itself.
        ([(0.0, 0.25, HAPPY), (0.25, 0.3, -3), (0.55, 0.25, SAD)], [(0.0, 0.25, "happy"), (0.55, 0.8, "sad")]),
        ([(0.0, 0.25, HAPPY), (0.25, 0.1, -3), (0.35, 0.25, SAD)], [(0.0, 0.35, "happy"), (0.35, 0.6, "sad")]),
        ([(0.0, 0.25, -3)], []),
        # A cue lasts a thousandth of a second at least.
        ([(3.0, 0.0, SAD)], [(3.0, 3.001, "sad")]),
        ([(3.0, 0.0005, SAD)], [(3.0, 3.001, "sad")]),
        ([(3.0, 0.0015, SAD)], [(3.0, 3.0015, "sad")]),
    ],
)
def test_cues(rows: Sequence[tuple[float, float, int]], expected: list[tuple[float, float, str]]) -> None:
    assert said(*rows) == expected


def test_three_expressions_follow_each_other() -> None:
    frames = [(k / 8, 1 / 8, label) for k, label in enumerate([HAPPY] * 8 + [SAD] * 8 + [FEAR] * 8 + [SAD] * 8)]
    assert said(*frames) == [(0.0, 1.0, "happy"), (1.0, 2.0, "sad"), (2.0, 3.0, "fear"), (3.0, 4.0, "sad")]
    # A short one in the middle is bridged, so what is on both sides of it is one cue.
    frames = [(k / 8, 1 / 8, label) for k, label in enumerate([HAPPY] * 8 + [SAD] + [HAPPY] * 8)]
    assert said(*frames) == [(0.0, 2.125, "happy")]


def test_cues_are_of_a_person_and_a_picture() -> None:
    assert list(cues(one_frame())) == [Cue(0.0, 0.001, 1, "surprise")]
    assert [(cue.person, cue.expression) for cue in cues(make_report())] == [
        *((1, "happy"), (1, "neutral"), (2, "sad"), (2, "sad"))
    ]


def test_the_whole_file(tmp_path: Path) -> None:
    report = make_report(names=["A & <b>\nc\x07", 'D "e"'])
    assert write(report, tmp_path) == [tmp_path / "expressions.vtt"]
    assert (tmp_path / "expressions.vtt").read_bytes().decode() == (
        f"{HEAD}\n"
        "00:00:00.000 --> 00:00:01.200\n<v A &amp; &lt;b&gt; c\ufffd>happy</v>\n\n"
        '00:00:00.400 --> 00:00:01.600\n<v D "e">sad</v>\n\n'
        "00:00:01.600 --> 00:00:04.000\n<v A &amp; &lt;b&gt; c\ufffd>neutral</v>\n\n"
        '00:00:02.800 --> 00:00:03.600\n<v D "e">sad</v>\n'
    )


@pytest.mark.parametrize("make", [no_people, unusable_person])
def test_the_whole_file_of_nobody(make, tmp_path: Path) -> None:
    write(make(), tmp_path)
    assert (tmp_path / "expressions.vtt").read_bytes().decode() == HEAD


@pytest.mark.parametrize(
    ("start", "span", "line"),
    [
        (-0.5, 1.25, "00:00:00.000 --> 00:00:00.750"),
        (0.0004, 59.9996, "00:00:00.000 --> 00:01:00.000"),
        (0.0006, 59.9987, "00:00:00.001 --> 00:00:59.999"),
        (3599.5, 61.25, "00:59:59.500 --> 01:01:00.750"),
        (36_061.0, 3600.0, "10:01:01.000 --> 11:01:01.000"),
        (360_000.0, 0.0, "100:00:00.000 --> 100:00:00.001"),
    ],
)
def test_times_are_written_as_hours_minutes_seconds_and_thousandths(
    start: float, span: float, line: str, tmp_path: Path
) -> None:
    rows = observations(1, [0], [SAD]).with_columns(time=np.array([start]), span=np.array([span]))
    write(report_of(rows, video_facts()), tmp_path)
    assert (tmp_path / "expressions.vtt").read_text() == f"{HEAD}\n{line}\n<v Person 1>sad</v>\n"
