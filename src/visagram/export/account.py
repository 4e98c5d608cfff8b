"""A report in plain words: who showed what, and when. And whether a text by somebody else says only what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from visagram.core.types import GUESSED, REPAIRED
from visagram.errors import DataError
from visagram.export.words import clock, count, listed, moment, percent, printable, reason_words, storable

TOLD_FROM = 0.05
"""Shares of measured time below this are left to the files."""
MOST_PEOPLE = 12
MOST_EXPRESSIONS = 3
CAVEAT = "Apparent expression is what a face looks like, not what a person feels."
LOOKED = {"disgust": "disgusted", "fear": "afraid", "surprise": "surprised"}
"""How a face looks, where that is not the expression's name."""
TIMES = {
    REPAIRED: "Some of its frame times were wrong and were put right by their neighbours.",
    GUESSED: "The file does not say when its frames are shown, so all times are guesses.",
}
"""What to know about times that are not exact."""
NUMBER = re.compile(r"\d+(?::\d+)*(?:[.,]\d+)*")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
INNER = re.compile(r"\b(feel|feels|felt|feeling|feelings|emotion|emotions|emotional|emotionally|mood|personality)\b")
"""What a report knows nothing of."""
MOST_CHARACTERS = 4000


def account(report: Mapping[str, Any], moments: Sequence[Mapping[str, Any]]) -> str:
    """One paragraph; equal reports give equal text.

    report: what `report.json` holds. moments: {person, emotion, time, start, end, probability}, the strongest first.
    Raises `DataError` for what is no report.
    """
    try:
        return " ".join([*_video(report), *_people(report, moments), CAVEAT])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"The report is damaged ({error}). Analyse the video again.") from error


def contradiction(text: str, facts: str) -> str:
    """Why `text` must not stand for `facts`, empty if it may: every number in it must stand in the facts, it must not
    speak of what people feel, and it must be one plain paragraph."""
    if not text.strip() or len(text) > MOST_CHARACTERS:
        return "it is empty or too long"
    if found := INNER.search(text.replace(CAVEAT, "").casefold()):
        return f"it says '{found[0]}'"
    known = _numbers(facts)
    if strange := [number for number in _numbers(text) if number not in known]:
        return f"the report holds no {strange[0]}"
    return ""


def _numbers(text: str) -> list[str]:
    """Digits as they stand, without thousands' commas, and the words for small numbers as digits. 'One' is no number:
    it is as often a pronoun."""
    digits = [found.replace(",", "") for found in NUMBER.findall(text)]
    words = re.findall(r"[a-z]+", text.casefold())
    return digits + [str(WORDS.index(word)) for word in words if word in WORDS and word != "one"]


def _video(report: Mapping[str, Any]) -> Iterator[str]:
    video, totals, people = report["video"], report["totals"], report["people"]
    name = printable(storable(str(video["name"])))
    if video["still"]:
        yield f"{name} is a picture."
    else:
        yield f"{name} was analysed for {clock(float(totals['duration']))}."
        if times := TIMES.get(video.get("time_basis")):
            yield times
    if not people:
        yield "No face was found in it."
        return
    seen = f"{count(len(people), 'person', 'people')} {'was' if len(people) == 1 else 'were'} found"
    yield f"{seen}, and {percent(float(totals['coverage']))} of the time could be measured."


def _people(report: Mapping[str, Any], moments: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    people, still = report["people"], bool(report["video"]["still"])
    for person in people[:MOST_PEOPLE]:
        yield from _person(person, [m for m in moments if m["person"] == person["id"]], still)
    if len(people) > MOST_PEOPLE:
        yield f"{count(len(people) - MOST_PEOPLE, 'further person', 'further people')} can be found in the files."


def _person(person: Mapping[str, Any], moments: Sequence[Mapping[str, Any]], still: bool) -> Iterator[str]:
    name = printable(storable(str(person["name"])))
    shares = sorted(person["shares"].items(), key=lambda item: -float(item[1]["value"]))
    told = [(word, share) for word, share in shares if float(share["value"]) >= TOLD_FROM][:MOST_EXPRESSIONS]
    if not told:
        yield f"No face of {name} was clear enough to measure."
        return
    if still:
        yield f"{name} looks {_looked(told[0][0])}."
        return
    first, rest = told[0], told[1:]
    sentence = (
        f"{name} was in the picture for {clock(float(person['screen_time']))} and looked {_looked(first[0])} for "
    )
    sentence += f"{_share(first[1])} of the measured time"
    if rest:
        sentence += ", " + listed([f"{_looked(word)} for {_share(share)}" for word, share in rest])
    yield sentence + "."
    when = [text for word, _ in told if word != "neutral" and (text := _when(word, moments))]
    if when:
        yield f"{name} looked " + listed(when) + "."
    unsure, measured = person.get("unsure"), float(person["measured"])
    if unsure and measured:
        yield f"In {percent(float(unsure) / measured)} of the measured time no expression was clear."
    missing = [
        f"{reason_words(reason)} {clock(float(seconds))}"
        for reason, seconds in person["unmeasured"].items()
        if reason != "not_visible" and float(seconds) >= 1
    ]
    if missing:
        yield f"Not measured: {', '.join(missing)}."


def _looked(expression: str) -> str:
    return LOOKED.get(expression, expression)


def _share(share: Mapping[str, Any]) -> str:
    value, low, high = float(share["value"]), share["low"], share["high"]
    if low is None or low == high:
        return percent(value)
    return f"{percent(value)} ({100 * low:.0f} to {100 * high:.0f} %)"


def _when(expression: str, moments: Sequence[Mapping[str, Any]]) -> str:
    """When an expression was strongest."""
    strongest = next((m for m in moments if m["emotion"] == expression), None)
    if strongest is None:
        return ""
    return (
        f"most {_looked(expression)} at {moment(float(strongest['time']))} "
        f"(from {moment(float(strongest['start']))} to {moment(float(strongest['end']))})"
    )
