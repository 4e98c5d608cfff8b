"""What is read as text: subtitles and the summary in the terminal."""

import dataclasses
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import (
    UGLY_NAMES,
    doubtful_report,
    make_report,
    no_people,
    observations,
    one_frame,
    report_of,
    unusable_person,
    video_facts,
)
from visagram.core.types import EXACT, EXPRESSIONS, GUESSED, REPAIRED, Share
from visagram.export import save
from visagram.export.vtt import FLICKER, cues
from visagram.export.words import clock, headline, interval, moment, percent, printable, size, spent

HAPPY, SAD, NEUTRAL = (EXPRESSIONS.index(name) for name in ("happy", "sad", "neutral"))


def spoken(labels: Sequence[int], frames: Sequence[int] | None = None) -> list[tuple[float, float, str]]:
    """Cues of one person at 25 frames a second."""
    frames = range(len(labels)) if frames is None else frames
    report = report_of(observations(1, frames, labels), video_facts(frames=max(frames) + 1))
    return [(round(cue.start, 3), round(cue.end, 3), cue.expression) for cue in cues(report)]


def test_equal_frames_merge_into_one_cue() -> None:
    assert spoken([HAPPY] * 25 + [SAD] * 25) == [(0.0, 1.0, "happy"), (1.0, 2.0, "sad")]


def test_a_flicker_is_ignored() -> None:
    assert spoken([HAPPY] * 25 + [SAD] * 3 + [HAPPY] * 22) == [(0.0, 2.0, "happy")]


def test_a_long_gap_ends_the_cue_and_a_short_one_does_not() -> None:
    assert spoken([HAPPY] * 50, [*range(25), *range(50, 75)]) == [(0.0, 1.0, "happy"), (2.0, 3.0, "happy")]
    assert spoken([HAPPY] * 50, [*range(25), *range(27, 52)]) == [(0.0, 2.08, "happy")]


def test_unusable_frames_are_a_gap() -> None:
    assert spoken([HAPPY] * 25 + [-3] * 25 + [HAPPY] * 25) == [(0.0, 1.0, "happy"), (2.0, 3.0, "happy")]


def test_a_single_frame_is_a_cue() -> None:
    (cue,) = cues(one_frame())
    assert cue.expression == "surprise" and cue.end > cue.start


@given(st.lists(st.sampled_from([-3, HAPPY, SAD, NEUTRAL]), min_size=1, max_size=120))
def test_cues_never_overlap_and_only_short_stretches_give_short_cues(labels: list[int]) -> None:
    found = spoken(labels)
    assert all(start < end for start, end, _ in found)
    for (_, end, name), (start, _, following) in pairwise(found):
        assert end <= start
        assert name != following or start > end, "equal neighbours are one cue"
    edges = {edge for edge, *_ in found} & {edge for _, edge, _ in found}
    for start, end, _ in found:
        if start in edges or end in edges:  # it has a neighbour, so it could have joined it
            assert end - start >= FLICKER - 1e-3


def vtt_text(report, folder) -> str:
    save(report, folder, ["vtt"])
    return (folder / "expressions.vtt").read_text("utf-8")


def test_file_is_webvtt_with_voices_in_time_order(tmp_path) -> None:
    text = vtt_text(make_report(), tmp_path)
    assert text.startswith("WEBVTT\n\n")
    assert "00:00:00.000 --> 00:00:01.200\n<v Person 1>happy</v>\n" in text
    starts = re.findall(r"^(\d\d:\d\d:\d\d\.\d{3}) --> \d\d:\d\d:\d\d\.\d{3}$", text, re.MULTILINE)
    assert starts == sorted(starts) and len(starts) == 4


def test_cues_of_a_long_video_have_hours(tmp_path) -> None:
    rows = observations(1, range(150), [HAPPY] * 50 + [-3] * 50 + [SAD] * 50)
    later = np.repeat([59 * 60 + 59.0, 0.0, 2 * 3600 + 3 * 60 + 4.0], 50)
    facts = video_facts(frames=200_000)
    text = vtt_text(report_of(rows.with_columns(time=rows.time + later), facts), tmp_path)
    assert re.findall(r"^.* --> .*$", text, re.MULTILINE) == [
        "00:59:59.000 --> 01:00:01.000",
        "02:03:08.000 --> 02:03:10.000",
    ]


def test_cues_beyond_ten_hours_keep_every_digit(tmp_path) -> None:
    rows = observations(1, range(50), [HAPPY] * 50)
    text = vtt_text(report_of(rows.with_columns(time=rows.time + 123 * 3600 + 4.5), video_facts()), tmp_path)
    assert "123:00:04.500 --> 123:00:06.500\n<v Person 1>happy</v>" in text


def test_names_cannot_break_the_file(tmp_path) -> None:
    text = vtt_text(make_report(names=["A --> B <i>\n\nNOTE &", "\udce9"]), tmp_path)
    assert "<v A --&gt; B &lt;i&gt;  NOTE &amp;>happy</v>" in text
    assert len(re.findall("-->", text)) == 4


def test_file_without_people_is_still_a_track(tmp_path) -> None:
    assert vtt_text(no_people(), tmp_path).startswith("WEBVTT\n")


def test_summary_says_who_when_and_what() -> None:
    lines = make_report(warnings=["2 frames were damaged."]).summary().splitlines()
    assert lines[0] == "talk.mp4, 4.0 s, 640 x 360, 25 frames/s, h264, 4.2 MB"
    assert lines[1] == "2 people in 100 frames; 100 % of the time measured"
    assert "Person 1: in the picture for 4.0 s, apparent expression mostly neutral" in lines
    assert "  neutral 67 % (61-74 %), happy 33 % (27-40 %)" in lines
    assert "  not measured: turned away 0.4 s" in lines
    assert "  not measured: blurred 0.4 s, not in the picture 1.6 s" in lines
    assert lines[-1] == "Warning: 2 frames were damaged."


@pytest.mark.parametrize(
    ("basis", "said"),
    [(EXACT, "frames/s, h264, 4.2 MB"), (REPAIRED, "some frame times repaired"), (GUESSED, "frame times guessed")],
)
def test_summary_says_what_frame_times_rest_on_where_it_is_not_the_file_alone(basis: str, said: str) -> None:
    report = make_report()
    found = dataclasses.replace(report, video=dataclasses.replace(report.video, time_basis=basis))
    assert found.summary().splitlines()[0].endswith(said)


def test_summary_says_what_was_unsure() -> None:
    lines = doubtful_report().summary().splitlines()
    assert "  unsure 11 % (best expression below 50 %)" in lines
    assert "unsure" not in make_report().summary()


def test_only_time_that_there_was_is_named() -> None:
    sure, doubtful = make_report().people[0], doubtful_report().people[0]
    assert [(kind, round(seconds, 2)) for kind, _, seconds in spent(sure)] == [("measured", 3.6), ("turned", 0.4)]
    assert [(kind, round(seconds, 2)) for kind, _, seconds in spent(doubtful)] == [
        ("measured", 3.2),
        ("unsure", 0.4),
        ("turned", 0.4),
    ]
    assert [kind for kind, _, _ in spent(unusable_person().people[0])] == ["too_small"]


def test_summary_of_nobody_and_of_somebody_never_measured() -> None:
    assert "No face found in 100 frames" in no_people().summary()
    assert "no frame was clear enough to measure" in unusable_person().summary()
    assert "surprise 100 %" in one_frame().summary()


@pytest.mark.parametrize("name", UGLY_NAMES)
def test_summary_cannot_drive_the_terminal(name: str) -> None:
    text = make_report(name, names=[name]).summary()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert len(text.splitlines()) == len(make_report().summary().splitlines())


def test_the_words_never_claim_a_feeling() -> None:
    text = (make_report().summary() + headline(make_report())).lower()
    assert "apparent expression" in text
    assert not re.search(r"\bfeel|\bemotion", text)


def test_headline_speaks_of_one_some_many_and_nobody() -> None:
    assert headline(no_people()) == "No face was found."
    assert headline(one_frame()) == "One person was seen. The apparent expression was surprise."
    assert headline(make_report()) == (
        "Two people were seen. The apparent expression was mostly neutral for Person 1, and only sad for Person 2."
    )
    assert "clear enough" in headline(unusable_person())
    report = make_report()
    crowd = dataclasses.replace(report, people=tuple(dataclasses.replace(report.people[0], id=n) for n in range(1, 7)))
    assert headline(crowd) == (
        "Six people were seen. Over all of them the apparent expression was most often neutral, then sad."
    )


def test_numbers_in_words() -> None:
    assert [percent(share) for share in (0, 0.004, 0.123, 0.996, 1)] == ["0 %", "<1 %", "12 %", ">99 %", "100 %"]
    assert interval(Share(0.6, 0.55, 0.674)) == "55-67 %"
    assert interval(Share(0.0, 0.0, 0.003)) == "<1 %"
    assert [clock(seconds) for seconds in (0.44, 9.96, 65, 3661)] == ["0.4 s", "0:10", "1:05", "1:01:01"]
    assert [moment(seconds) for seconds in (0, 5.25, 3605.2)] == ["0:00.0", "0:05.2", "1:00:05.2"]
    assert [size(n) for n in (999, 4_215_331, 120_000_000)] == ["999 bytes", "4.2 MB", "120 MB"]


@given(st.text())
def test_printable_text_is_one_printable_line(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert all(c.isprintable() or c in "\u200c\u200d" for c in shown)


def test_printable_keeps_names_people_use() -> None:
    name = "Aufnahme\u202f3 映画 👩‍👩‍👧 .mp4"
    assert printable(name) == name.replace("\u202f", " ")
    assert np.all([c.isprintable() for c in printable("\x1b[31mred")])
