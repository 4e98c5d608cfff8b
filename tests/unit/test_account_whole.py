"""Whole accounts, letter by letter, and the limits of what they tell and of what a text may say."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from factories import doubtful_report, make_report, no_people, one_frame, unusable_person
from visagram.core.types import EXPRESSIONS
from visagram.export.account import CAVEAT, account, contradiction

FOUND = "talk.mp4 was analysed for 4.0 s. 2 people were found, and 100 % of the time could be measured."


def share(value: float, low: float | None = None, high: float | None = None) -> dict[str, float]:
    return {"value": value, "low": value if low is None else low, "high": value if high is None else high}


def somebody(number: int = 1, **shares: float) -> dict[str, Any]:
    """A person of a report who was measured for ten seconds."""
    return {
        "id": number,
        "name": f"P{number}",
        "screen_time": 12.0,
        "shares": {name: share(shares.get(name, 0.0)) for name in EXPRESSIONS},
        "measured": 10.0,
        "unsure": 0.0,
        "unmeasured": {},
    }


def told(*people: dict[str, Any], moments: list[dict[str, Any]] | None = None, still: bool = False) -> str:
    """What is said of people, without what is said of the video and without the caveat."""
    report = {
        "video": {"name": "a", "still": still},
        "totals": {"duration": 20.0, "coverage": 0.5},
        "people": list(people),
    }
    text = account(report, moments or [])
    head, measured, tail = text.partition("50 % of the time could be measured. ")
    assert measured and head and tail.endswith(CAVEAT)
    return tail.removesuffix(CAVEAT).strip()


def strongest(person: int, emotion: str, time: float, start: float, end: float) -> dict[str, Any]:
    return {"person": person, "emotion": emotion, "time": time, "start": start, "end": end, "probability": 0.9}


def test_the_whole_account_of_two_people() -> None:
    assert make_report().account() == (
        f"{FOUND} Person 1 was in the picture for 4.0 s and looked neutral for 67 % (61 to 74 %) of the measured time, "
        "happy for 33 % (27 to 40 %). Person 1 looked most happy at 0:00.3 (from 0:00.0 to 0:01.2). Person 2 was in "
        "the picture for 2.4 s and looked sad for 100 % (94 to 100 %) of the measured time. Person 2 looked most sad "
        f"at 0:00.7 (from 0:00.4 to 0:01.6). {CAVEAT}"
    )


def test_the_whole_account_of_somebody_who_was_unsure() -> None:
    assert " In 11 % of the measured time no expression was clear. Person 2 was " in doubtful_report().account()


def test_the_whole_account_of_nobody_a_picture_and_somebody_unmeasured() -> None:
    assert no_people().account() == f"landscape.mp4 was analysed for 4.0 s. No face was found in it. {CAVEAT}"
    assert one_frame().account() == (
        "portrait.jpg is a picture. 1 person was found, and 100 % of the time could be measured. "
        f"Person 1 looks surprised. {CAVEAT}"
    )
    assert unusable_person().account() == (
        "talk.mp4 was analysed for 2.0 s. 1 person was found, and 0 % of the time could be measured. "
        f"No face of Person 1 was clear enough to measure. {CAVEAT}"
    )


def test_three_expressions_are_told_from_a_twentieth_on() -> None:
    assert told(somebody(happy=0.05, sad=0.0499)) == (
        "P1 was in the picture for 0:12 and looked happy for 5 % of the measured time."
    )
    assert told(somebody(disgust=0.1, fear=0.2, surprise=0.3, neutral=0.4)) == (
        "P1 was in the picture for 0:12 and looked neutral for 40 % of the measured time, "
        "surprised for 30 % and afraid for 20 %."
    )
    assert told(somebody(disgust=0.6, angry=0.4)) == (
        "P1 was in the picture for 0:12 and looked disgusted for 60 % of the measured time, angry for 40 %."
    )
    assert told(somebody(sad=0.0499)) == "No face of P1 was clear enough to measure."


def test_somebody_in_a_picture_looks_like_the_likeliest() -> None:
    assert told(somebody(happy=0.3, fear=0.7), still=True) == "P1 looks afraid."
    assert told(somebody(), still=True) == "No face of P1 was clear enough to measure."


def test_an_interval_stands_where_its_ends_differ() -> None:
    person = somebody(happy=0.5)
    person["shares"]["happy"] = share(0.5, 0.25, 0.756)
    assert told(person).endswith("looked happy for 50 % (25 to 76 %) of the measured time.")


def test_moments_are_those_of_the_person_and_the_first_of_each_expression() -> None:
    moments = [
        strongest(2, "happy", 1.0, 0.5, 1.5),
        strongest(1, "neutral", 2.0, 1.5, 2.5),
        strongest(1, "sad", 61.0, 60.0, 3605.2),
        strongest(1, "happy", 4.0, 3.5, 4.5),
        strongest(1, "happy", 5.0, 4.5, 5.5),
        strongest(1, "fear", 6.0, 5.5, 6.5),
    ]
    head = "was in the picture for 0:12 and looked"
    assert told(somebody(1, neutral=0.5, happy=0.3, sad=0.2), somebody(2, neutral=1.0), moments=moments) == (
        f"P1 {head} neutral for 50 % of the measured time, happy for 30 % and sad for 20 %. P1 looked most happy at "
        "0:04.0 (from 0:03.5 to 0:04.5) and most sad at 1:01.0 (from 1:00.0 to 1:00:05.2). "
        f"P2 {head} neutral for 100 % of the measured time."
    )


def test_time_without_a_clear_expression_and_without_a_measure_is_told() -> None:
    person = somebody(sad=1.0)
    person["unsure"] = 2.5
    person["unmeasured"] = {"turned": 1.0, "blurred": 0.99, "not_decoded": 65.0, "not_visible": 500.0}
    assert told(person) == (
        "P1 was in the picture for 0:12 and looked sad for 100 % of the measured time. "
        "In 25 % of the measured time no expression was clear. Not measured: turned away 1.0 s, video damaged 1:05."
    )
    for unsure, measured in ((2.5, 0.0), (None, 10.0), (0.0, 10.0)):
        known = person | {"unsure": unsure, "measured": measured, "unmeasured": {"not_visible": 9.0, "blurred": 0.5}}
        assert told(known) == "P1 was in the picture for 0:12 and looked sad for 100 % of the measured time."


def test_twelve_people_are_told_of_and_the_others_counted() -> None:
    people = [somebody(number, happy=1.0) for number in range(1, 15)]
    assert told(*people[:12]).count("looked happy") == 12 and "further" not in told(*people[:12])
    text = told(*people[:13])
    assert text.count("looked happy") == 12
    assert text.endswith("measured time. 1 further person can be found in the files.")
    assert told(*people).endswith("measured time. 2 further people can be found in the files.")


def test_what_frame_times_rest_on_is_told_of_videos_alone() -> None:
    found = make_report().to_dict()
    repaired, guessed, still = (copy.deepcopy(found) for _ in range(3))
    repaired["video"]["time_basis"], guessed["video"]["time_basis"] = "repaired", "guessed"
    still["video"] |= {"time_basis": "guessed", "still": True}
    assert account(repaired, []).startswith(
        "talk.mp4 was analysed for 4.0 s. Some of its frame times were wrong and were put right by their neighbours. "
        "2 people were found,"
    )
    assert account(guessed, []).startswith(
        "talk.mp4 was analysed for 4.0 s. The file does not say when its frames are shown, so all times are guesses. "
        "2 people were found,"
    )
    assert account(still, []).startswith("talk.mp4 is a picture. 2 people were found,")


# --- What a text may say ---------------------------------------------------------------------------------------------

FACTS = "Anna and Bob were seen for 1:05 or 1,204 frames, 62.5 % of them sharp. Twelve were dark."


@pytest.mark.parametrize(
    "text",
    [
        "1:05",
        "1204 frames; 1,204 frames",
        "62.5 %",
        "12 were dark, twelve were dark, Twelve were dark",
        "One of them was Anna. No one else was there.",
        "The feelgood film, emotionless and moody",
        CAVEAT,
    ],
)
def test_a_text_of_known_numbers_may_stand(text: str) -> None:
    assert contradiction(text, FACTS) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty or too long"),
        (" \n\t", "it is empty or too long"),
        ("It took 1:06.", "the report holds no 1:06"),
        ("It took 1 second.", "the report holds no 1"),
        ("62 % of 1204, 63 and 64", "the report holds no 62"),
        ("Zero were dark.", "the report holds no 0"),
        ("Eleven were dark.", "the report holds no 11"),
        ("two", "the report holds no 2"),
        ("She FEELS well.", "it says 'feels'"),
        (f"{CAVEAT} She felt well.", "it says 'felt'"),
        ("Her mood, her personality", "it says 'mood'"),
        ("Her personality", "it says 'personality'"),
        ("an emotional person", "it says 'emotional'"),
    ],
)
def test_a_text_of_anything_else_may_not(text: str, why: str) -> None:
    assert contradiction(text, FACTS) == why


def test_a_text_may_have_four_thousand_characters() -> None:
    assert contradiction("a" * 4000, FACTS) == ""
    assert contradiction("a" * 4001, FACTS) == "it is empty or too long"
