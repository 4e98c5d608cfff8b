"""JSON from outside, field by field: what is taken, what is refused, and with which words."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError
from visagram.export.notices import warning_of_text
from visagram.export.untrusted import Part


def part(**fields: Any) -> Part:
    return Part("a.json", fields)


def refused(words: str) -> Any:
    return pytest.raises(DataError, match=f"^{words}. Analyse the video again\\.$")


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_only_an_object_is_a_part(value: Any) -> None:
    with refused("a.json: an object is expected here"):
        Part("a.json", value)


def test_a_field_has_exactly_its_type() -> None:
    found = part(text="x", number=1.5, whole=3, truth=True, nothing=None, many=[1])
    assert (found.get("text", str), found.get("number", float), found.get("whole", int)) == ("x", 1.5, 3)
    assert (found.get("truth", bool), found.get("many", list)) == (True, [1])
    assert found.get("nothing", str, optional=True) is found.get("absent", str, optional=True) is None
    assert found.get("text", str, optional=True) == "x"
    for name, kind in (
        *(("text", int), ("number", int), ("whole", str), ("truth", int), ("truth", float), ("nothing", str)),
        *(("absent", str), ("many", dict), ("whole", bool)),
    ):
        with refused(f"a.json: '{name}' is missing or not of type {kind.__name__}"):
            found.get(name, kind)
    with refused("a.json: 'text' is missing or not of type int"):
        found.get("text", int, optional=True)


def test_a_whole_number_may_stand_for_a_float() -> None:
    for value in (3, 0, -3, (1 << 63) - 1, -(1 << 63) + 1):
        found = part(a=value).get("a", float)
        assert (found, type(found)) == (float(value), float)
    for value in (1 << 63, -(1 << 63), 10**400):
        with refused("a.json: 'a' is missing or not of type float"):
            part(a=value).get("a", float)


def test_a_number_that_is_null_does_not_exist() -> None:
    assert (part(a=2).number("a"), part(a=2.5).number("a"), part(a=0).number("a")) == (2.0, 2.5, 0.0)
    assert math.isnan(part(a=None).number("a")) and math.isnan(part().number("a"))
    with refused("a.json: 'a' is missing or not of type float"):
        part(a="2").number("a")


def test_whole_numbers_are_those_that_columns_hold() -> None:
    assert [part(a=value).whole("a") for value in (0, 1, (1 << 63) - 1)] == [0, 1, (1 << 63) - 1]
    for value, shown in ((-1, "-1"), (1 << 63, "9223372036854775808"), (10**30, "1" + 19 * "0")):
        with refused(f"a.json: 'a' is {shown}"):
            part(a=value).whole("a")


def test_parts_know_their_place() -> None:
    outer = part(one={"two": {"x": 1}}, many=[{"y": 2}, {"y": 3}])
    inner = outer.part("one").part("two")
    assert (inner.place, inner.value) == ("a.json › one › two", {"x": 1})
    assert outer.part("one").mapping("two") == {"x": 1}
    assert [(each.place, each.whole("y")) for each in outer.parts("many")] == [
        ("a.json › many[0]", 2),
        ("a.json › many[1]", 3),
    ]
    with refused("a.json › many: an object is expected here"):
        outer.part("many")
    with refused("a.json › gone: an object is expected here"):
        outer.mapping("gone")
    with refused(r"a.json › bad\[1\]: an object is expected here"):
        part(bad=[{}, 1]).parts("bad")


def test_lists_hold_one_type() -> None:
    assert part(a=[]).each("a", int) == [] and part(a=[1, 2]).each("a", int) == [1, 2]
    for value in ([1, "2"], [1, True], [1, 2.0], ["a"]):
        with refused("a.json: 'a' holds something other than int"):
            part(a=value).each("a", int)
    with refused("a.json: 'a' is missing or not of type list"):
        part(a=(1,)).each("a", int)


def test_expressions_are_all_seven_or_none() -> None:
    seven = {name: k for k, name in enumerate(reversed(EXPRESSIONS))}
    assert part(a=seven).by_expression("a", Part.whole) == (6, 5, 4, 3, 2, 1, 0)
    assert part(a={}).by_expression("a", Part.whole) == ()
    for value in (seven | {"bored": 1}, {"happy": 1}):
        with refused("a.json › a: exactly the seven expressions are expected here"):
            part(a=value).by_expression("a", Part.whole)
    with refused("a.json › a: 'fear' is -1"):
        part(a=seven | {"fear": -1}).by_expression("a", Part.whole)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30000/1001", Fraction(30_000, 1001)),
        ("0/1", Fraction(0)),
        ("9" * 24 + "/1", Fraction(10**24 - 1)),
        ("1/" + "9" * 24, Fraction(1, 10**24 - 1)),
        ("1/002", Fraction(1, 2)),
        ("1/0", None),
        ("1/", None),
        ("/1", None),
        ("-1/2", None),
        ("1.5/2", None),
        ("1/2 ", None),
        ("9" * 25 + "/1", None),
        ("1/" + "9" * 25, None),
    ],
)
def test_rational_numbers_are_two_whole_ones(text: str, value: Fraction | None) -> None:
    if value is not None:
        assert part(rate_exact=text).rational("rate") == value
        return
    with refused("a.json: 'rate_exact' is not a rational number such as 30000/1001"):
        part(rate_exact=text).rational("rate")


@pytest.mark.parametrize(
    ("text", "code", "count", "seconds"),
    [
        ("1 damaged frame skipped; x", "damaged_frames", 1, None),
        ("999999999999 damaged frames skipped;", "damaged_frames", 999_999_999_999, None),
        ("1000000000000 damaged frames skipped;", "note", 0, None),
        ("so 1 damaged frame skipped;", "note", 0, None),
        ("4.2 s to 61.5 s could not be decoded (x", "segment_lost", 0, 57.3),
        ("61.5 s to 4.2 s could not be decoded (x", "segment_lost", 0, 0.0),
        ("0.1 s to 0.4 s could not be decoded (x", "segment_lost", 0, 0.3),
        ("4 s to 61 s could not be decoded (x", "note", 0, None),
        ("No face was found. Why?", "no_face", 0, None),
        ("Well. No face was found.", "note", 0, None),
    ],
)
def test_old_warnings_are_known_by_their_words(text: str, code: str, count: int, seconds: float | None) -> None:
    found = warning_of_text(text)
    assert (found.code, found.message, found.count, found.seconds) == (code, text, count, seconds)
