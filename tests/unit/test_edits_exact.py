"""Edits at their limits, and every sentence with which one is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fakes import make_result, make_rows, make_track, steady_timeline
from visagram.core import edits
from visagram.core.edits import Edit, Merge, Rename, Split, clean_name, default_name, from_json, to_json
from visagram.core.segments import plan
from visagram.core.statistics import person_statistics
from visagram.core.summary import Summary, summarise
from visagram.core.types import Observations, TrackSummary
from visagram.errors import UsageError


def summary(rows: Sequence[Observations], tracks: Sequence[TrackSummary], damaged: int = 0) -> Summary:
    (segment,) = plan(steady_timeline(200, key_every=200), 0, None, None)
    result = make_result(segment, rows, tracks, damaged)
    return summarise([result], analysed=8.0, threshold=0.6, seed=5, unsure_below=0.5)


def three(damaged: int = 0) -> Summary:
    """Person 1 in frames 0 to 49, person 2 in 46 to 99, person 3 in 150 to 199."""
    spans = [range(50), range(46, 100), range(150, 200)]
    rows = [make_rows(frames, k, box=(100 * k, 80, 60, 60)) for k, frames in enumerate(spans)]
    tracks = [make_track(k, frames[0], frames[-1], who=k) for k, frames in enumerate(spans)]
    found = summary(rows, [dataclasses.replace(t, thumbnail=str(t.track).encode()) for t in tracks], damaged)
    assert [(p.id, p.tracks) for p in found.people] == [(1, (0,)), (2, (1,)), (3, (2,))]
    return found


def apply(wanted: Sequence[Edit], machine: Summary) -> Summary:
    return edits.apply(wanted, machine, seed=5, unsure_below=0.5)


def refused(edit: Edit, machine: Summary) -> str:
    with pytest.raises(UsageError) as error:
        apply([edit], machine)
    return str(error.value)


def test_a_frame_that_is_over_within_a_millisecond_is_no_longer_shown_at_a_split() -> None:
    machine = three()
    for moment, first in ((1.0385, 1.0), (1.0395, 1.04), (1.04, 1.04), (1.0401, 1.04), (0.9995, 1.0), (0.9985, 0.96)):
        found = {person.id: person for person in apply([Split(1, at=moment)], machine).people}
        assert found[4].first_seen == pytest.approx(first), moment


def test_a_row_that_lasts_no_time_is_split_off_at_its_own_time() -> None:
    rows = make_rows([0, 25, 50], 0, span=[0.04, 0.0, 0.04])
    found = summary([rows], [make_track(0, 0, 50)])
    parted = apply([Split(1, at=1.0)], found)
    assert [(p.id, p.frames_seen, p.first_seen) for p in parted.people] == [(1, 1, 0.0), (2, 2, 1.0)]


def test_time_that_did_not_decode_is_nobodys_also_after_an_edit() -> None:
    machine = three(damaged=10)
    assert [p.unmeasured["not_decoded"] for p in machine.people] == pytest.approx([0.4] * 3)
    found = apply([Merge((1, 3))], machine)
    assert [p.unmeasured["not_decoded"] for p in found.people] == pytest.approx([0.4, 0.4])
    silent = [dataclasses.replace(p, unmeasured={}) for p in machine.people]
    found = apply([Merge((1, 3))], dataclasses.replace(machine, people=tuple(silent)))
    assert found.people[0].unmeasured["not_decoded"] == 0.0
    assert found.people[1] == silent[1]


def test_whom_an_edit_did_not_touch_is_the_same_and_whom_it_did_is_computed_again() -> None:
    machine = three(damaged=10)
    found = apply([Rename(2, "Bob"), Merge((3, 1), "Ada")], machine)
    seen = found.observations[found.observations.person == 1]
    again = person_statistics(1, seen, 8.0, 0.4, b"0", seed=5, unsure_below=0.5)
    merged, untouched = found.people
    assert dataclasses.replace(merged, unmeasured={}) == dataclasses.replace(again, name="Ada", unmeasured={})
    assert merged.unmeasured == pytest.approx(again.unmeasured)
    assert untouched == dataclasses.replace(machine.people[1], name="Bob")
    assert (found.totals, found.tracks) == (machine.totals, machine.tracks)


def test_a_merged_person_is_shown_by_the_best_face_of_both() -> None:
    machine = three()
    better = [dataclasses.replace(t, best_quality=(0.5, 0.5, 0.7)[t.track]) for t in machine.tracks]
    assert apply([Merge((1, 3))], dataclasses.replace(machine, tracks=better)).people[0].thumbnail == b"2"


@pytest.mark.parametrize(("shared", "allowed"), [(3, True), (4, False)])
def test_three_frames_side_by_side_are_double_detections_and_four_are_two_people(shared: int, allowed: bool) -> None:
    spans = [range(50), range(50 - shared, 100)]
    rows = [make_rows(frames, k, box=(100 * k, 80, 60, 60)) for k, frames in enumerate(spans)]
    machine = summary(rows, [make_track(k, frames[0], frames[-1], who=k) for k, frames in enumerate(spans)])
    if allowed:
        found = apply([Merge((1, 2))], machine)
        assert [person.frames_seen for person in found.people] == [100]
        assert found.totals.frames == 200
        assert sum(found.totals.emotion_counts) == sum(machine.totals.emotion_counts) - shared
    else:
        assert refused(Merge((1, 2)), machine) == (
            "Person 1 and Person 2 are in the picture side by side in 4 frames, first at 1.8 s, "
            "so they cannot be one person."
        )


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (Rename(4, "Ada"), "There is no person 4 in this result; the people are 1, 2, 3."),
        (Merge((2, 2)), "Merging takes at least two different people."),
        (Split(1), "Splitting takes either tracks or a time."),
        (Split(1, (0,), 1.0), "Splitting takes either tracks or a time."),
        (Split(2, (2, 0)), "Person 2 has no track 0."),
        (Split(1, at=2.0), "Person 1 is not in the picture from 2.00 s on, so there is nothing to split off."),
        (
            Split(3, at=5.256),
            "Person 3 is in the picture only from 5.26 s on, so nothing would be left after the split.",
        ),
        (Split(2, (1,)), "Person 2 is in the picture only in these tracks, so nothing would be left after the split."),
    ],
)
def test_what_is_refused_says_why(edit: Edit, sentence: str) -> None:
    assert refused(edit, three()) == sentence


def test_numbers_go_on_after_the_highest_that_there_ever_was() -> None:
    found = apply([Merge((1, 3)), Split(1, (2,)), Split(4, at=7.0), Rename(5, " ")], three())
    assert [(p.id, p.name, p.frames_seen) for p in found.people] == [
        (1, "Person 1", 50),
        (2, "Person 2", 54),
        (4, "Person 4", 25),
        (5, "Person 5", 25),
    ]
    assert np.unique(found.observations.person).tolist() == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Ada \t\n King ", "Ada King"),
        ("A\u00a0B\u2003C", "A B C"),
        ("Ada\u0007\u202e", "Ada"),
        ("\u200d \u200c", ""),
        ("a\u200db", "a\u200db"),
        ("e\u0301", "\u00e9"),
        ("x" * 81, "x" * 80),
        ("x" * 79 + " yz", "x" * 79),
        ("", ""),
    ],
)
def test_clean_names_written_down(text: str, name: str) -> None:
    assert clean_name(text) == name
    assert default_name(12) == "Person 12"


KINDS: list[tuple[Edit, dict[str, Any]]] = [
    (Rename(3, "Ada"), {"kind": "rename", "person": 3, "name": "Ada"}),
    (Merge((1, 2)), {"kind": "merge", "people": [1, 2], "name": None}),
    (Merge((4, 2), "B"), {"kind": "merge", "people": [4, 2], "name": "B"}),
    (Split(1, (0, 5)), {"kind": "split", "person": 1, "tracks": [0, 5], "at": None}),
    (Split(2, (), 1.5), {"kind": "split", "person": 2, "tracks": [], "at": 1.5}),
    (Split(2, (), 0.0), {"kind": "split", "person": 2, "tracks": [], "at": 0}),
    (Rename((1 << 31) - 1, ""), {"kind": "rename", "person": (1 << 31) - 1, "name": ""}),
]


@pytest.mark.parametrize(("edit", "value"), KINDS)
def test_edits_as_json(edit: Edit, value: dict[str, Any]) -> None:
    assert to_json(edit) == value
    assert from_json(value) == edit
    with pytest.raises(UsageError, match="is not a change: that is a kind"):
        from_json(value | {"more": 1})


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "A change is an object with a 'kind'."),
        (
            {"kind": "rename", "person": 0, "name": "Ada"},
            "The change of kind 'rename' is damaged: 0 is not a number of a person or track.",
        ),
        (
            {"kind": "rename", "person": 1 << 31, "name": "Ada"},
            "The change of kind 'rename' is damaged: 2147483648 is not a number of a person or track.",
        ),
        (
            {"kind": "split", "person": 1, "tracks": [-1], "at": None},
            "The change of kind 'split' is damaged: -1 is not a number of a person or track.",
        ),
        (
            {"kind": "split", "person": 1, "tracks": [], "at": "12345678901234567890123"},
            "The change of kind 'split' is damaged: 12345678901234567890 is not a time in seconds.",
        ),
        (
            {"kind": "merge", "people": ["x" * 30], "name": None},
            f"The change of kind 'merge' is damaged: {'x' * 20} is not a number of a person or track.",
        ),
        (
            {"kind": "split", "person": 1, "tracks": [], "at": -0.5},
            "The change of kind 'split' is damaged: -0.5 is not a time in seconds.",
        ),
        (
            {"kind": "y" * 200},
            f"{{'kind': '{'y' * 110} is not a change: that is a kind (rename, merge, split) and its fields.",
        ),
    ],
)
def test_json_that_is_no_edit_is_refused_in_words(value: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        from_json(value)
    assert str(error.value) == sentence
