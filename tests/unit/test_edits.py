"""People renamed, merged and split: what changes, what stays to the byte, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import make_result, make_rows, make_track, steady_timeline
from visagram.core import edits as people_edits
from visagram.core.edits import LONGEST_NAME, Edit, Merge, Rename, Split, clean_name, from_json, to_json
from visagram.core.segments import plan
from visagram.core.statistics import person_statistics
from visagram.core.summary import Summary, summarise, totals
from visagram.core.types import COLUMNS, EXPRESSIONS, Person
from visagram.errors import UsageError

HAPPY, SAD = EXPRESSIONS.index("happy"), EXPRESSIONS.index("sad")
ANALYSIS: dict[str, Any] = {"seed": 5, "unsure_below": 0.5}
apply = partial(people_edits.apply, **ANALYSIS)


def summary(rows, tracks, frames=200) -> Summary:
    (segment,) = plan(steady_timeline(frames, key_every=frames), 0, None, None)
    return summarise([make_result(segment, rows, tracks)], analysed=frames / 25, threshold=0.6, **ANALYSIS)


def machine() -> Summary:
    """Person 1 in frames 0-79 (tracks 0 and 2, who was away for ten frames), person 2 in 100-149, person 3 throughout
    beside them."""
    rows = [
        make_rows(range(40), 0, expression=HAPPY),
        make_rows(range(50, 80), 2, expression=SAD),
        make_rows(range(100, 150), 3, expression=HAPPY),
        make_rows(range(200), 1, box=(10, 10, 50, 50)),
    ]
    tracks = [
        make_track(0, 0, 39, who=0, quality=0.4),
        make_track(1, 0, 199, who=1),
        make_track(2, 50, 79, who=0, quality=0.6),
        make_track(3, 100, 149, who=2, quality=0.9),
    ]
    thumbnails = {0: b"zero", 1: b"one", 2: b"two", 3: b"three"}
    found = summary(rows, [dataclasses.replace(t, thumbnail=thumbnails[t.track]) for t in tracks])
    assert [(p.id, p.tracks) for p in found.people] == [(1, (0, 2)), (2, (1,)), (3, (3,))]
    return found


def people(found: Summary) -> dict[int, Person]:
    return {person.id: person for person in found.people}


def assert_same(one: Summary, other: Summary) -> None:
    assert one.people == other.people
    assert one.totals == other.totals
    for name in COLUMNS:
        ours, theirs = getattr(one.observations, name), getattr(other.observations, name)
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes(), name


def test_without_edits_the_result_is_the_machines_to_the_byte() -> None:
    assert_same(apply([], machine()), machine())


def test_statistics_computed_again_are_the_machines() -> None:
    """A merge that is taken apart again passes through every function, and must come out where it went in."""
    found = apply([Merge((1, 3)), Split(1, tracks=(3,))], machine())
    before = people(machine())
    assert people(found)[1] == before[1]
    renumbered = dataclasses.replace(people(found)[4], id=3, name="Person 3")
    assert renumbered == before[3]
    assert found.totals == machine().totals


def test_a_rename_changes_the_name_and_nothing_else() -> None:
    found = apply([Rename(2, "  Ada\u202e \n Lovelace ")], machine())
    assert people(found)[2].name == "Ada Lovelace"
    named = tuple(dataclasses.replace(p, name=f"Person {p.id}") for p in found.people)
    assert_same(dataclasses.replace(found, people=named), machine())


def test_an_empty_name_resets() -> None:
    found = apply([Rename(2, "Ada"), Rename(2, " \u200d ")], machine())
    assert people(found)[2].name == "Person 2"


def test_a_merge_goes_into_the_lowest_number_and_is_computed_as_the_analysis_does() -> None:
    found = apply([Merge((3, 1))], machine())
    assert [person.id for person in found.people] == [1, 2]
    merged = people(found)[1]
    seen = found.observations[found.observations.person == 1]
    assert merged == person_statistics(1, seen, 8.0, 0.0, b"three", **ANALYSIS)
    assert (merged.tracks, merged.frames_seen) == ((0, 2, 3), 120)
    assert merged.measured + sum(merged.unmeasured.values()) == pytest.approx(8.0)
    assert found.totals == machine().totals


@pytest.mark.parametrize(
    ("edits", "name"),
    [
        ([Merge((1, 3))], "Person 1"),
        ([Rename(3, "Ada"), Merge((1, 3))], "Ada"),
        ([Rename(3, "Ada"), Rename(1, "Bob"), Merge((1, 3))], "Bob"),
        ([Rename(3, "Ada"), Merge((1, 3), "Cleo")], "Cleo"),
        ([Rename(3, "Ada"), Merge((1, 3), "\x00")], "Ada"),
    ],
)
def test_a_merged_person_keeps_a_name_that_somebody_gave(edits: list[Edit], name: str) -> None:
    assert people(apply(edits, machine()))[1].name == name


def test_people_who_are_seen_side_by_side_cannot_be_merged() -> None:
    with pytest.raises(UsageError, match=r"Ada and Person 2 are in the picture side by side in 70 frames.*0\.0 s"):
        apply([Rename(1, "Ada"), Merge((1, 2, 3))], machine())


def test_a_few_shared_frames_are_double_detections_of_which_the_better_stays() -> None:
    poor = make_rows(range(48, 100), 1, expression=SAD, box=(110, 80, 60, 60))
    poor = poor.with_columns(quality=np.full(len(poor), 0.1, np.float32))
    found = summary([make_rows(range(51), 0, expression=HAPPY), poor], [make_track(0), make_track(1, who=1)])
    merged = apply([Merge((1, 2))], found)
    (person,) = merged.people
    assert len(merged.observations) == person.frames_seen == 100
    assert person.emotion_counts[HAPPY] == 51
    assert merged.totals == totals(merged.observations, frames=200, damaged=0, analysed=8.0, **ANALYSIS)
    assert sum(merged.totals.emotion_counts) == 100
    with pytest.raises(UsageError):
        wider = make_rows(range(52), 0, expression=HAPPY)
        apply([Merge((1, 2))], summary([wider, poor], [make_track(0), make_track(1, who=1)]))


def test_a_split_finds_what_the_merge_had_set_aside() -> None:
    poor = make_rows(range(48, 100), 1, expression=SAD, box=(110, 80, 60, 60))
    found = summary([make_rows(range(51), 0), poor], [make_track(0), make_track(1, who=1)])
    parted = apply([Merge((1, 2)), Split(1, tracks=(1,))], found)
    assert len(parted.observations) == len(found.observations)
    assert [(p.id, p.tracks, p.frames_seen) for p in parted.people] == [(1, (0,), 51), (3, (1,), 52)]


def test_a_split_by_tracks_makes_a_new_person_with_the_next_number() -> None:
    found = apply([Split(1, tracks=(2,))], machine())
    assert [(p.id, p.name, p.tracks, p.thumbnail) for p in found.people if p.id in (1, 4)] == [
        (1, "Person 1", (0,), b"zero"),
        (4, "Person 4", (2,), b"two"),
    ]
    assert people(found)[4].first_seen == 2.0


def test_numbers_are_never_used_twice() -> None:
    found = apply([Split(1, tracks=(2,)), Merge((1, 4)), Split(1, tracks=(2,))], machine())
    assert sorted(people(found)) == [1, 2, 3, 5]


def test_a_split_by_time_takes_everything_from_that_moment_on_even_within_a_track() -> None:
    found = apply([Split(2, at=1.0)], machine())
    assert (people(found)[2].last_seen, people(found)[4].first_seen) == (1.0, 1.0)
    assert people(found)[2].tracks == people(found)[4].tracks == (1,)


def test_a_split_takes_the_frame_that_is_on_the_screen_at_that_moment() -> None:
    """A player that is stopped on frame 25 reports a time from 1.0 to 1.04 seconds, rounded to microseconds."""
    for moment in (1.0, 1.0 - 1e-6, 1.02, 1.039):
        assert people(apply([Split(2, at=moment)], machine()))[4].first_seen == 1.0
    assert people(apply([Split(2, at=1.04 - 1e-6)], machine()))[4].first_seen == pytest.approx(1.04)


def test_a_thumbnail_goes_to_whom_it_shows_when_its_track_is_split() -> None:
    rows = make_rows(range(200), 0)
    best = rows.quality.copy()
    best[150] = np.float32(0.8)
    found = summary([rows.with_columns(quality=best)], [make_track(0, 0, 199, quality=float(np.float32(0.8)))])
    parted = people(apply([Split(1, at=4.0)], found))
    assert (parted[1].thumbnail, parted[2].thumbnail) == (b"", found.people[0].thumbnail)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Rename(9, "Ada"), "no person 9 in this result; the people are 1, 2, 3"),
        (Merge((1,)), "at least two"),
        (Merge((1, 1)), "at least two"),
        (Merge((1, 7)), "no person 7"),
        (Split(9, at=1.0), "no person 9"),
        (Split(1), "either tracks or a time"),
        (Split(1, tracks=(0,), at=1.0), "either tracks or a time"),
        (Split(1, tracks=(3,)), "Person 1 has no track 3"),
        (Split(1, tracks=(0, 2)), "nothing would be left"),
        (Split(1, at=0.0), "nothing would be left"),
        (Split(1, at=7.0), "nothing to split off"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_in_words(edit: Edit, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        apply([edit], machine())


def test_who_was_merged_away_is_gone() -> None:
    with pytest.raises(UsageError, match="no person 3"):
        apply([Merge((1, 3)), Rename(3, "Ada")], machine())


def test_nobody_can_be_edited_in_a_result_without_people() -> None:
    nobody = summary([], [])
    assert_same(apply([], nobody), nobody)
    with pytest.raises(UsageError, match="the people are none"):
        apply([Rename(1, "Ada")], nobody)


edits = st.one_of(
    st.builds(Rename, st.integers(1, 6), st.text(max_size=6)),
    st.builds(Merge, st.lists(st.integers(1, 6), min_size=2, max_size=3).map(tuple), st.none() | st.text(max_size=4)),
    st.builds(Split, st.integers(1, 6), st.lists(st.integers(0, 3), min_size=1, max_size=2).map(tuple)),
    st.builds(Split, st.integers(1, 6), at=st.floats(0, 8)),
)
MACHINE = machine()


@settings(max_examples=60, deadline=None)
@given(st.lists(edits, max_size=6))
def test_whatever_is_edited_no_time_and_no_face_gets_lost(wanted: list[Edit]) -> None:
    done: list[Edit] = []
    for edit in wanted:
        try:
            apply([*done, edit], MACHINE)
        except UsageError:
            continue
        done.append(edit)
    found = apply(done, MACHINE)
    rows = found.observations
    assert {person.id for person in found.people} == set(np.unique(rows.person).tolist())
    assert len(rows) == len(MACHINE.observations)
    assert (np.diff(rows.time) >= 0).all()
    pairs = rows.frame * 100 + rows.person
    assert len(np.unique(pairs)) == len(pairs)
    for person in found.people:
        assert person.name == clean_name(person.name) != ""
        assert person.measured + sum(person.unmeasured.values()) == pytest.approx(8.0)
        assert person.frames_seen == (rows.person == person.id).sum()
    assert_same(found, apply([from_json(json.loads(json.dumps(to_json(edit)))) for edit in done], MACHINE))


@given(st.text())
def test_clean_names_are_short_visible_and_stay_as_they_are(text: str) -> None:
    name = clean_name(text)
    assert len(name) <= LONGEST_NAME
    assert clean_name(name) == name == unicodedata.normalize("NFC", name.strip())
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name)
    assert not set(name) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff")


def test_names_in_any_script_are_kept() -> None:
    for name in ("Ada", "Zoë", "李小龙", "محمد", "👩‍👩‍👧", "O'Neill-Smith"):
        assert clean_name(name) == name
    assert clean_name("Zoe\u0308") == "Zoë"
    assert clean_name("x" * 200) == "x" * LONGEST_NAME


@given(edits)
def test_edits_survive_json(edit: Edit) -> None:
    assert from_json(json.loads(json.dumps(to_json(edit)))) == edit


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"kind": "delete", "person": 1},
        {"kind": "rename", "person": 1},
        {"kind": "rename", "person": "1", "name": "Ada"},
        {"kind": "rename", "person": True, "name": "Ada"},
        {"kind": "rename", "person": 0, "name": "Ada"},
        {"kind": "rename", "person": 1, "name": None},
        {"kind": "rename", "person": 1, "name": "Ada", "more": 1},
        {"kind": "merge", "people": "12", "name": None},
        {"kind": "merge", "people": [1, 2.0], "name": None},
        {"kind": "merge", "people": [1, 1 << 40], "name": None},
        {"kind": "merge", "people": [1, 2]},
        {"kind": "split", "person": 1, "tracks": [], "at": "now"},
        {"kind": "split", "person": 1, "tracks": [], "at": float("nan")},
        {"kind": "split", "person": 1, "tracks": [], "at": -1},
        {"kind": "split", "person": 1, "tracks": [-1], "at": None},
        {"kind": ["rename"], "person": 1, "name": "Ada"},
    ],
)
def test_what_is_no_edit_is_refused(value: Any) -> None:
    with pytest.raises(UsageError):
        from_json(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(st.sampled_from(["rename", "merge", "split"]), json_values, json_values, json_values, json_values)
def test_from_json_never_fails_in_another_way(kind: str, person: Any, name: Any, tracks: Any, at: Any) -> None:
    for value in (
        {"kind": kind, "person": person, "name": name},
        {"kind": kind, "people": tracks, "name": name},
        {"kind": kind, "person": person, "tracks": tracks, "at": at},
        name,
    ):
        try:
            edit = from_json(value)
        except UsageError:
            continue
        assert from_json(to_json(edit)) == edit
