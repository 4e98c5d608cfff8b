"""How the outputs word numbers, times and foreign text: the same in the terminal, the web page and the subtitles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from visagram.core.statistics import FEWEST
from visagram.core.types import EXPRESSIONS, GUESSED, NOT_DECODED, NOT_VISIBLE, REPAIRED, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from visagram.core.types import Person, Share
    from visagram.report import Report

REASONS = {
    Reason.TOO_SMALL.label: "too small",
    Reason.BLURRED.label: "blurred",
    Reason.TURNED.label: "turned away",
    Reason.CUT_OFF.label: "cut off",
    Reason.LYING.label: "lying on its side",
    NOT_DECODED: "video damaged",
    NOT_VISIBLE: "not in the picture",
}
"""Every reason for unmeasured time, in the order in which it is shown, with the words for it."""
TIME_BASIS = {REPAIRED: "some frame times repaired", GUESSED: "frame times guessed"}
"""What frame times rest on, where it is not the file alone."""
USUAL = "visagram"
MODEL_SETTINGS = (
    ("detector", "detection", "faces found by"),
    ("emotion", "expression", "expressions read by"),
)
"""The settings that name a model, what it does, and the words for it; `USUAL` is what comes with Visagram."""

_JOINERS = "\u200c\u200d"  # inside words of some scripts and inside emoji: part of a name, not an attack


def storable(text: str) -> str:
    """`text` as valid Unicode: file names that are not UTF-8 reach Python as lone surrogates, which no format holds."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """`text` on one line, without control characters, terminal escapes and direction overrides: safe to show."""
    spaced = (" " if c.isspace() else c for c in text)
    return "".join(c if c.isprintable() or c in _JOINERS else "\N{REPLACEMENT CHARACTER}" for c in spaced).strip()


def percent(share: float) -> str:
    """0.6149 as '61 %'; what rounds to nothing or to everything without being it is '<1 %' and '>99 %'."""
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{share * 100:.0f} %"


def interval(share: Share, dash: str = "-") -> str:
    """The 95 % interval as '55-67 %'; '–' where there is none."""
    if share.low is None or share.high is None:
        return "–"
    if share.high < 0.005:
        return "<1 %"
    return f"{share.low * 100:.0f}{dash}{share.high * 100:.0f} %"


def with_interval(share: Share, dash: str = "-") -> str:
    """'61 % (55-67 %)', or '61 %' where there is no interval."""
    return percent(share.value) + (f" ({interval(share, dash)})" if share.low is not None else "")


def clock(seconds: float) -> str:
    """Seconds as '1:05', '1:01:05', or '4.2 s' below ten seconds."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def moment(seconds: float) -> str:
    """A point in time as '0:05.2' or '1:01:05.2'."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"
    return f"{hours}:{tail}" if hours else tail


def size(bytes: int) -> str:
    """Bytes as '4.2 MB' (powers of ten, as file managers show them)."""
    amount = float(bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if amount >= 99.5 or unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def exact(share: float) -> str:
    """0.6149 as '61.5 %', for tables."""
    return f"{share * 100:.1f} %"


def count(number: int, noun: str, plural: str = "") -> str:
    """'1 frame', '12,480 frames'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: list[str], last: str = " and ") -> str:
    """'a', 'a and b', 'a, b and c'."""
    return last.join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _number(number: int) -> str:
    """A number that starts a sentence."""
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    return words[number] if number < len(words) else f"{number:,}"


def facts(report: Report) -> list[str]:
    """The video's facts, one phrase each, and the models that measured it where they are not the usual ones."""
    video = report.video
    shape = f"{video.width} × {video.height}"
    if video.still:
        return [shape, "still picture", video.codec, size(video.bytes), *other_models(report)]
    rate = f"{float(video.rate):.4g} frames/s" + (", variable" if video.variable_rate else "")
    about = [clock(float(video.duration)), shape, rate, video.codec, size(video.bytes)]
    about += [TIME_BASIS[video.time_basis]] if video.time_basis in TIME_BASIS else []
    return [*about, *other_models(report)]


def other_models(report: Report) -> list[str]:
    """'expressions read by deepface 0.0.103' for each model that was chosen instead of one that comes with Visagram."""
    named = []
    for setting, task, words in MODEL_SETTINGS:
        if report.settings.get(setting, USUAL) == USUAL:
            continue
        model: dict[str, Any] = next((model for model in report.models if model.get("task") == task), {})
        named.append(f"{words} {model.get('name', '')} {model.get('version', '')}".strip())
    return [printable(storable(phrase)) for phrase in named]


def headline(report: Report) -> str:
    """Who was seen and which apparent expression each showed most, in two sentences at most."""
    people = report.people
    if not people:
        return "No face was found."
    seen = f"{_number(len(people))} {'person was' if len(people) == 1 else 'people were'} seen"
    groups: dict[str, list[str]] = {}
    for person in people:
        groups.setdefault(mostly(person), []).append(printable(storable(person.name)))
    groups.pop("", None)
    if not groups:
        return f"{seen}, but no face was clear enough to measure an apparent expression."
    if len(people) == 1:
        return f"{seen}. The apparent expression was {next(iter(groups))}."
    if sum(map(len, groups.values())) > 4:  # a list of names is no headline
        ranking = sorted(zip(report.totals.emotion_counts, EXPRESSIONS, strict=True), reverse=True)
        named = [name for number, name in ranking[:2] if number]
        return f"{seen}. Over all of them the apparent expression was most often {', then '.join(named)}."
    phrases = [f"{words} for {listed(names)}" for words, names in groups.items()]
    return f"{seen}. The apparent expression was {listed(phrases, ', and ')}."


def mostly(person: Person) -> str:
    """'only', 'mostly' (at least half of the measured frames) or 'most often', and which; empty if none was."""
    if not person.frames_usable:
        return ""
    held = max(person.emotion_counts) / person.frames_usable
    alone = "" if person.frames_usable == 1 else "only "
    return f"{alone if held == 1 else 'mostly ' if held >= 0.5 else 'most often '}{person.dominant}"


INTERVAL = (
    "The 95 % interval is a range for the share in the long run of footage like this. It does not hold the errors of "
    "the model, and the next video may well lie outside it."
)
NO_INTERVAL = (
    f"No interval where an expression began fewer than {FEWEST} times or nothing changed: too little to tell one."
)


def untold(shares: Iterable[Share]) -> bool:
    """Whether some share above nothing has no interval."""
    return any(share.low is None and share.value for share in shares)


def ranked(person: Person, least: float = 0.0) -> list[tuple[str, Share]]:
    """(expression, share) of the shares of at least `least`, largest first."""
    pairs = [pair for pair in zip(EXPRESSIONS, person.shares, strict=False) if pair[1].value >= least]
    return sorted(pairs, key=lambda pair: -pair[1].value)


def thresholds(below: Sequence[float], digits: int = 2) -> str:
    """Thresholds (7,) as '0.71' or '0.59 (neutral 0.73)'."""
    usual, limits = max(below, key=list(below).count), zip(EXPRESSIONS, below, strict=True)
    others = [f"{name} {limit:.{digits}f}" for name, limit in limits if limit != usual]
    return f"{usual:.{digits}f}" + (f" ({', '.join(others)})" if others else "")


def unsure_words(below: Sequence[float]) -> str:
    """What unsure means under these thresholds (7,)."""
    usual = max(below, key=list(below).count)
    others = [
        f"{name} below {percent(limit)}" for name, limit in zip(EXPRESSIONS, below, strict=True) if limit != usual
    ]
    return "; ".join([f"best expression below {percent(usual)}", *others])


def smooth_words(seconds: float) -> str:
    """How a timeline is drawn that is smoothed."""
    return f"The drawing is smoothed over {seconds:g} s; the numbers are not."


def spent(person: Person) -> list[tuple[str, str, float]]:
    """(kind, words, seconds) of the parts of the analysed time worth naming: measured, unsure, unmeasured by reason."""
    parts = [("measured", "measured", person.measured - person.unsure), ("unsure", "measured, unsure", person.unsure)]
    named = [part for part in parts if part[-1] > 1e-3]
    return named + [(name, reason_words(name), seconds) for name, seconds in unmeasured(person)]


def unmeasured(person: Person) -> list[tuple[str, float]]:
    """(reason, seconds) of the unmeasured time worth naming, in a fixed order; unknown reasons come last."""
    order = [*REASONS, *sorted(set(person.unmeasured) - set(REASONS))]
    return [(name, person.unmeasured[name]) for name in order if person.unmeasured.get(name, 0.0) > 1e-3]


def reason_words(reason: str) -> str:
    return REASONS.get(reason, reason.replace("_", " "))
