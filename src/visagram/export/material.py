"""What the methods paragraph says of the material: photographs and videos, who was found, what was done by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from visagram.core.edits import Edit, Merge, Split
from visagram.core.types import EXPRESSIONS, GUESSED, REPAIRED
from visagram.export.words import count, listed, printable, storable

Reports = Sequence[Mapping[str, Any]]
"""What `report.json` holds, of each video."""
LOST = "segment_lost"
"""The code of the warning that a whole stretch could not be decoded, whose frames are not among the damaged ones."""
_TIMES = {1: "once", 2: "twice"}


def material(reports: Reports, windows: Iterable[int], edits: Iterable[Sequence[Edit]]) -> str:
    """The first paragraph. windows: how many event windows each video has. edits: what people changed in each."""
    people = sum(len(report["people"]) for report in reports)
    changed = [each for each in edits if any(isinstance(edit, Merge | Split) for edit in each)]
    noun = noun_of(reports)
    asides = ["after corrections by hand"] if changed else []
    if len(reports) > 1 and people:
        asides.append(f"somebody who appears in several {noun}s counts once in each")
    aside = f" ({'; '.join(asides)})" if asides else ""
    return (
        f"Apparent facial expression was measured in {_files(reports)} with {_versions(reports)}. "
        f"{count(people, 'person', 'people').capitalize()} {'was' if people == 1 else 'were'} found{aside}."
        f"{_lost(reports)}{_times(reports)} Each measured face received a probability for each of "
        f"{len(EXPRESSIONS)} expressions ({', '.join(EXPRESSIONS)}); the most probable one counted {_weight(reports)}."
        f"{_by_hand(changed, noun)}{_windows([number for number in windows if number], noun)}"
    )


def is_photograph(report: Mapping[str, Any]) -> bool:
    """Whether it is of a single picture. The file may give that a length, but nobody saw it pass."""
    return bool(report["video"].get("still"))


def videos_of(reports: Reports) -> list[Mapping[str, Any]]:
    return [report for report in reports if not is_photograph(report)]


def photographs_of(reports: Reports) -> list[Mapping[str, Any]]:
    return [report for report in reports if is_photograph(report)]


def noun_of(reports: Reports) -> str:
    """What all of them are called: video, photograph, or file where there are both."""
    kinds = {is_photograph(report) for report in reports}
    return "file" if len(kinds) > 1 else "photograph" if kinds == {True} else "video"


def clean(text: Any) -> str:
    """Foreign text on one printable line."""
    return printable(storable(str(text)))


def ranked(found: Counter[Any]) -> list[tuple[Any, int]]:
    """Most frequent first, then by value."""
    return sorted(found.items(), key=lambda pair: (-pair[1], str(pair[0])))


def _files(reports: Reports) -> str:
    """'3 photographs and 2 videos (4.1 minutes analysed, 6,150 frames)'."""
    photographs, videos = len(photographs_of(reports)), videos_of(reports)
    parts = [count(photographs, "photograph")] if photographs else []
    if videos:
        seconds = sum(float(report["totals"]["duration"]) for report in videos)
        frames = sum(int(report["totals"]["frames"]) for report in videos)
        parts.append(f"{count(len(videos), 'video')} ({_minutes(seconds)} analysed, {count(frames, 'frame')})")
    return listed(parts)


def _versions(reports: Reports) -> str:
    """Those that analysed, not the one that writes this."""
    found = Counter(clean(report.get("visagram") or "") for report in reports)
    if len(found) > 1:
        each = [f"{version or 'one not recorded'} in {count(n, noun_of(reports))}" for version, n in ranked(found)]
        return f"several versions of Visagram ({', '.join(each)})"
    (version,) = found
    return f"Visagram {version}" if version else "Visagram (the version is not recorded)"


def _lost(reports: Reports) -> str:
    damaged = sum(int(report["totals"]["frames_damaged"]) for report in reports)
    text = f" {count(damaged, 'frame')} could not be decoded." if damaged else ""
    warnings = [warning for report in reports for warning in report.get("warnings", ())]
    lost = [each.get("seconds") for each in warnings if isinstance(each, Mapping) and each.get("code") == LOST]
    if not lost:
        return text
    known = [float(seconds) for seconds in lost if seconds is not None]
    length = f" ({_minutes(sum(known))})" if len(known) == len(lost) else ""
    return f"{text} {count(len(lost), 'whole stretch', 'whole stretches')}{length} could not be decoded."


def _times(reports: Reports) -> str:
    """Where frame times are not the files' own."""
    bases = Counter(report["video"].get("time_basis") for report in videos_of(reports))
    said = ""
    if repaired := bases[REPAIRED]:
        said += f" Some frame times of {count(repaired, 'video')} were repaired from those of neighbouring frames."
    if guessed := bases[GUESSED]:
        said += f" The frame times of {count(guessed, 'video')} follow from an assumed frame rate."
    return said


def _weight(reports: Reports) -> str:
    """For how much a measured face counts."""
    videos = videos_of(reports)
    if not videos:
        return "once for each face, as a photograph lasts no time"
    sampled = sum(_is_sampled(report["settings"]) for report in videos)
    text = "for the time that the frame was shown"
    if sampled == len(videos):
        text = "for the time until the next analysed frame"
    elif sampled:
        text += ", or until the next analysed one in videos of which not every frame was analysed"
    return (
        text if len(videos) == len(reports) else f"{text}; in a photograph, which lasts no time, each face counted once"
    )


def _is_sampled(settings: Mapping[str, Any]) -> bool:
    """Whether frames were left out on purpose."""
    return settings.get("sample_fps") is not None or (settings.get("frame_interval") or 1) != 1


def _by_hand(changed: Sequence[Sequence[Edit]], noun: str) -> str:
    """What people said of who is who. A name that they gave somebody changes no number."""
    merges = sum(isinstance(edit, Merge) for each in changed for edit in each)
    splits = sum(isinstance(edit, Split) for each in changed for edit in each)
    parts = [f"merged {_often(merges)} (found as several, taken for one)"] if merges else []
    parts += [f"split {_often(splits)} (found as one, taken for several)"] if splits else []
    if not parts:
        return ""
    return (
        f" By hand, people were {listed(parts)}, in {count(len(changed), noun)}; the statistics of whoever this "
        "concerns were computed anew."
    )


def _windows(numbers: Sequence[int], noun: str) -> str:
    if not numbers:
        return ""
    return (
        f" Statistics were also computed for {count(sum(numbers), 'event window')} in {count(len(numbers), noun)}, "
        "where a frame that is shown across an edge of a window counts for the part of it inside."
    )


def _often(number: int) -> str:
    return _TIMES.get(number, f"{number:,} times")


def _minutes(seconds: float) -> str:
    return f"{seconds:.1f} seconds" if seconds < 120 else f"{seconds / 60:,.1f} minutes"
