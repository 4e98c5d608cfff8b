"""What a person corrects about people: names, one person found as two, two found as one.

The machine's result is never changed. Edits are a list that is applied to it from the start, so leaving out the last
one undoes it, and a split of a merged person finds everything that the merge had set aside.
"""

from __future__ import annotations

import dataclasses
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visagram.core.certainty import Below
from visagram.core.identity import SHARED_FRAMES
from visagram.core.rows import rows_of_each
from visagram.core.statistics import person_statistics
from visagram.core.summary import Summary, one_face_each, totals
from visagram.core.types import NOT_DECODED, Observations, Person, TrackSummary
from visagram.errors import UsageError

LONGEST_NAME = 80
"""Characters."""
SHOWN = 1e-3
"""Seconds. A frame that is over within this time of a split's moment is no longer shown there: players round."""

_JOINERS = "\u200c\u200d"  # inside words of some scripts and inside emoji: part of a name


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a person a name; an empty one resets it to 'Person n'."""

    person: int
    name: str


@dataclass(frozen=True, slots=True)
class Merge:
    """These people are one, who keeps the lowest number. name: None keeps the lowest number's own name, or else the
    first name that somebody gave one of the others."""

    people: tuple[int, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Part of a person is somebody else, who gets the next number never used: either whole tracks, or everything from
    the frame on that is shown `at` this time in seconds, even in the middle of a track."""

    person: int
    tracks: tuple[int, ...] = ()
    at: float | None = None


Edit = Rename | Merge | Split


def apply(edits: Iterable[Edit], machine: Summary, *, seed: int, unsure_below: Below) -> Summary:
    """People, observations and totals after `edits`, in their order. machine: what the analysis found. seed,
    unsure_below: those of the analysis.

    Whoever no edit touched keeps the machine's statistics; the others' are computed as the analysis computes them. The
    totals change only where a merge found two faces of one person in a frame. Raises `UsageError` where an edit cannot
    be.
    """
    state = _State(machine, seed, unsure_below)
    for edit in edits:
        match edit:
            case Rename():
                state.rename(edit)
            case Merge():
                state.merge(edit)
            case Split():
                state.split(edit)
    return state.summary()


def clean_name(text: str) -> str:
    """`text` as a name: one line in NFC without control characters and direction overrides, at most `LONGEST_NAME`
    characters; empty where nothing visible remains."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    kept = "".join(c for c in spaced if c.isprintable() or c in _JOINERS)
    name = unicodedata.normalize("NFC", " ".join(kept.split()))[:LONGEST_NAME].strip()
    return name if name.strip(_JOINERS + " ") else ""


def default_name(person: int) -> str:
    return f"Person {person}"


@dataclass(slots=True)
class _State:
    """People while edits are applied to them. person: (n,) of each observation. highest: number ever used."""

    machine: Summary
    seed: int
    unsure_below: Below
    person: NDArray[np.int32] = field(init=False)
    names: dict[int, str] = field(init=False)
    highest: int = field(init=False)

    def __post_init__(self) -> None:
        self.person = self.machine.observations.person.copy()
        self.names = {person.id: person.name for person in self.machine.people}
        self.highest = max(self.names, default=0)

    def rename(self, edit: Rename) -> None:
        self._require(edit.person)
        self.names[edit.person] = clean_name(edit.name) or default_name(edit.person)

    def merge(self, edit: Merge) -> None:
        people = sorted(set(edit.people))
        if len(people) < 2:
            raise UsageError("Merging takes at least two different people.")
        for person in people:
            self._require(person)
        frames = {person: self.machine.observations.frame[self.person == person] for person in people}
        for k, one in enumerate(people):
            for other in people[k + 1 :]:
                self._refuse_company(one, other, np.intersect1d(frames[one], frames[other]))
        lowest, *others = people
        given = [self.names[person] for person in people if self.names[person] != default_name(person)]
        name = clean_name(edit.name or "") or (given[0] if given else default_name(lowest))
        self.person[np.isin(self.person, others)] = lowest
        self.names = {person: n for person, n in self.names.items() if person not in others} | {lowest: name}

    def split(self, edit: Split) -> None:
        self._require(edit.person)
        if bool(edit.tracks) == (edit.at is not None):
            raise UsageError("Splitting takes either tracks or a time.")
        rows, name = self.machine.observations, self.names[edit.person]
        theirs = self.person == edit.person
        if edit.at is not None:
            chosen = theirs & ((rows.time >= edit.at) | (rows.time + rows.span > edit.at + SHOWN))
            place = f"from {edit.at:.2f} s on"
        else:
            unknown = set(edit.tracks) - set(np.unique(rows.track[theirs]).tolist())
            if unknown:
                raise UsageError(f"{name} has no track {min(unknown)}.")
            chosen = theirs & np.isin(rows.track, edit.tracks)
            place = "in these tracks"
        if not chosen.any():
            raise UsageError(f"{name} is not in the picture {place}, so there is nothing to split off.")
        if chosen.sum() == theirs.sum():
            raise UsageError(f"{name} is in the picture only {place}, so nothing would be left after the split.")
        self.highest += 1
        self.person[chosen] = self.highest
        self.names[self.highest] = default_name(self.highest)

    def summary(self) -> Summary:
        before, found = self.machine.observations, self.machine.totals
        if np.array_equal(self.person, before.person):
            named = tuple(dataclasses.replace(p, name=self.names[p.id]) for p in self.machine.people)
            return dataclasses.replace(self.machine, people=named)
        known = {person.id: person for person in self.machine.people}
        touched = set(np.unique(np.stack([self.person, before.person])[:, self.person != before.person]).tolist())
        lost = next((p.unmeasured.get(NOT_DECODED, 0.0) for p in self.machine.people), 0.0)
        owners = self._portrayed()
        table = one_face_each(before.with_columns(person=self.person))
        people = []
        for number in sorted(self.names):
            if number not in touched:
                people.append(dataclasses.replace(known[number], name=self.names[number]))
                continue
            ours = [track for track in self.machine.tracks if owners.get(track.track) == number]
            people.append(self._person(number, table[table.person == number], ours, lost))
        if len(table) < len(before):
            found = totals(
                table,
                frames=found.frames,
                damaged=found.frames_damaged,
                analysed=found.duration,
                seed=self.seed,
                unsure_below=self.unsure_below,
            )
        return Summary(table, tuple(people), found, self.machine.tracks)

    def _person(self, number: int, seen: Observations, tracks: Sequence[TrackSummary], lost: float) -> Person:
        best = max(tracks, key=lambda track: track.best_quality, default=None)
        thumbnail = best.thumbnail if best else b""
        of_person = (number, seen, self.machine.totals.duration, lost, thumbnail)
        person = person_statistics(*of_person, seed=self.seed, unsure_below=self.unsure_below)
        return dataclasses.replace(person, name=self.names[number])

    def _portrayed(self) -> dict[int, int]:
        """Whom each track's thumbnail shows. A track that was split in its middle has one thumbnail for two people:
        it is of whoever has the frame with the track's best quality."""
        rows = self.machine.observations
        owners, tracks = {}, self.machine.tracks
        for track, mine in zip(tracks, rows_of_each(rows.track, [track.track for track in tracks]), strict=True):
            if len(mine):
                owners[track.track] = int(self.person[mine[np.abs(rows.quality[mine] - track.best_quality).argmin()]])
        return owners

    def _require(self, person: int) -> None:
        if person not in self.names:
            there = ", ".join(map(str, sorted(self.names))) or "none"
            raise UsageError(f"There is no person {person} in this result; the people are {there}.")

    def _refuse_company(self, one: int, other: int, shared: NDArray[np.int64]) -> None:
        if len(shared) > SHARED_FRAMES:
            rows = self.machine.observations
            first = float(rows.time[np.searchsorted(rows.frame, shared[0])])
            raise UsageError(
                f"{self.names[one]} and {self.names[other]} are in the picture side by side in {len(shared)} frames, "
                f"first at {first:.1f} s, so they cannot be one person."
            )


def to_json(edit: Edit) -> dict[str, Any]:
    """An edit in JSON types; `from_json` is the inverse."""
    match edit:
        case Rename(person, name):
            return {"kind": "rename", "person": person, "name": name}
        case Merge(people, name):
            return {"kind": "merge", "people": list(people), "name": name}
        case Split(person, tracks, at):
            return {"kind": "split", "person": person, "tracks": list(tracks), "at": at}


def from_json(value: Any) -> Edit:
    """The edit that `to_json` wrote. Raises `UsageError` for anything else, also for a field too many."""
    if not isinstance(value, Mapping):
        raise UsageError("A change is an object with a 'kind'.")
    fields, kind = {key: entry for key, entry in value.items() if key != "kind"}, value.get("kind")
    try:
        match kind, fields:
            case "rename", {"person": person, "name": str(name), **others} if not others:
                return Rename(_whole(person), name)
            case "merge", {"people": list(people), "name": str() | None as name, **others} if not others:
                return Merge(tuple(_whole(person) for person in people), name)
            case "split", {"person": person, "tracks": list(tracks), "at": at, **others} if not others:
                return Split(_whole(person), tuple(_whole(track, 0) for track in tracks), _seconds(at))
    except ValueError as error:
        raise UsageError(f"The change of kind '{kind}' is damaged: {error}.") from error
    raise UsageError(f"{str(dict(value))[:120]} is not a change: that is a kind (rename, merge, split) and its fields.")


def _whole(value: Any, least: int = 1) -> int:
    if type(value) is not int or not least <= value < 1 << 31:
        raise ValueError(f"{str(value)[:20]} is not a number of a person or track")
    return value


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{str(value)[:20]} is not a time in seconds")
    return float(value)
