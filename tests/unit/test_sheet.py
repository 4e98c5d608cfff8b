"""Cards in the parts that people read: all of them, few of them, and cards from outside that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards import CONFUSION, SHARES, full_card
from visagram.core.types import EXPRESSIONS
from visagram.models.card import Card
from visagram.models.catalog import Choice, choices
from visagram.models.listing import Offer
from visagram.models.reading import read
from visagram.models.text import text

PARTS = {"measured": None, "reliability": (), "curve": (), "chosen": None, "confusion": (), "steady": {}, "speed": {}}


def card(facts, task="expression"):
    return Card("mine", task, Path("nowhere.onnx"), "", facts)


def shown(facts, width=80, **offer):
    mine = card(facts)
    choice = Choice("mine", "expression", "", lambda _: mine, lambda *_: None)
    return text(Offer(choice, mine, **({"obstacle": "", "cost": "comes with a test"} | offer)), width)


def test_a_whole_card_is_read() -> None:
    sheet = read(card(full_card()))
    assert (str(sheet.accuracy), sheet.accuracy.span) == ("92.6 %", "91.6 – 93.5 %")
    assert sheet.fastest == "0.93 ms a face"
    assert [figure.name for figure in sheet.measured.figures] == [
        *("Accuracy", "Mean recall", "Mean F1"),
        *("Calibration error", "Calibration, uncorrected", "The same, if perfect"),
    ]
    assert [str(figure.all) for figure in sheet.measured.figures[3:]] == ["0.8 %", "1.1 %", "1.1 %"]
    assert [figure.all.span for figure in sheet.measured.figures[3:]] == ["", "", "0.6 – 1.7 %"]
    assert str(sheet.measured.figures[0].without_copies) == "92.1 %"
    assert {recall.name: recall.all.value for recall in sheet.measured.recalls} == SHARES
    assert (sheet.measured.kl, sheet.measured.correlations["sad"]) == (0.231, 0.87)
    assert (sheet.labels, [list(row) for row in sheet.confusion]) == (EXPRESSIONS, CONFUSION)
    assert (len(sheet.reliability), len(sheet.curve)) == (12, 5)
    assert sheet.steady == {"mirrored": 0.031, "moved by a pixel": 0.045, "on average": 0.038}
    assert [each.terms for each in sheet.data] == ["MIT, the votes alone.", "For research."]
    # Whatever has no part of its own is not lost.
    assert {"reviewed_by", "recipe", "history", "temperature", "calibration"} <= set(sheet.more)
    assert sheet.more["calibration"] == {"kind": "temperature"}


def test_a_card_of_before_shows_its_calibration_error_as_counted_and_without_the_interval() -> None:
    """Versions before 0.2 state an interval that does not hold what it promises, and nothing else."""
    old = {"accuracy": 0.9, "macro_recall": 0.8, "ece_15": 0.0138}
    old |= {"intervals": {"accuracy": [0.88, 0.92], "ece_15": [0.0065, 0.0215]}}
    elsewhere = [{"name": "posed", "what": "Posed faces", "faces": 200} | old]
    sheet = read(card({"metrics": old, "elsewhere": elsewhere}))
    assert [(figure.name, str(figure.all), figure.all.span) for figure in sheet.measured.figures] == [
        ("Accuracy", "90.0 %", "88.0 – 92.0 %"),
        ("Mean recall", "80.0 %", ""),
        ("Calibration, uncorrected", "1.4 %", ""),
    ]
    (posed,) = sheet.elsewhere
    assert dict(zip(posed.HEADS, posed.row, strict=True)) == {
        "faces of": "posed",
        "number": "200",
        "accuracy": "90.0 % (88.0 – 92.0 %)",
        "mean recall": "80.0 %",
        "calibration error": "–",
        "uncorrected": "1.4 %",
        "if perfect": "–",
        "answered": "–",
        "right of those": "–",
    }
    new = {"ece_debiased": 0.0091, "ece_perfect": {"mean": 0.011, "low": 0.006, "high": 0.017}}
    (posed,) = read(card({"elsewhere": [elsewhere[0] | new]})).elsewhere
    assert posed.row[4:7] == ("0.9 %", "1.4 %", "1.1 % (0.6 – 1.7 %)")
    assert "less what chance adds to it" in " ".join(shown({"elsewhere": elsewhere}).split())


def test_the_threshold_and_the_temperature_are_said_in_plain_words() -> None:
    words = " ".join(read(card(full_card())).calibration)
    assert "Below p = 0.58 this model says “unsure”; then 93.0 % of faces are answered with 95.0 % accuracy." in words
    assert "less sure of itself than it may be; its logits are divided by a temperature of 0.63" in words
    assert "the uncorrected calibration error from 10.8 % to 1.1 %" in words
    assert "disagree it calls 41.0 % unsure" in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperature": 1.7}, "surer of itself than it may be"),
        ({"calibration": {"kind": "vector"}}, "a factor and a summand for each expression"),
        ({"temperature": 1.0, "calibration": None}, "holds no calibration"),
        ({"calibration": {"temperature_clipped": True}}, "at the end of the range that was searched"),
        ({"unsure_below": None}, "unsure where no expression reaches p = 0.5"),
        ({"unsure_below": 0.0}, "never says “unsure”"),
        # The curve is of another threshold, so what it says of that does not hold.
        ({"unsure_below": 0.7}, "Below p = 0.70 this model says “unsure”."),
    ],
)
def test_what_a_card_says_of_its_calibration_is_told(changes, words) -> None:
    assert words in " ".join(read(card(full_card() | changes)).calibration)


def test_only_expression_models_say_how_sure_they_are() -> None:
    assert read(card(full_card(), "detection")).calibration == ()


@pytest.mark.parametrize("choice", choices(), ids=lambda choice: f"{choice.task}-{choice.name}")
def test_shipped_cards_can_be_read(choice, tmp_path) -> None:
    sheet = read(choice.card(tmp_path))
    assert sheet.role and sheet.licence and sheet.trained_on and sheet.intended_use and sheet.limits


def test_an_empty_card_has_no_parts() -> None:
    sheet = read(card({}))
    assert {name: getattr(sheet, name) for name in PARTS} == PARTS
    assert sheet.accuracy is None
    assert sheet.fastest == ""


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(facts=st.fixed_dictionaries({}, optional=dict.fromkeys(full_card(), JUNK)), width=st.integers(1, 120))
def test_parts_that_make_no_sense_count_as_not_there(facts, width) -> None:
    sheet = read(card(facts))
    for estimate in (figure.all for figure in (sheet.measured.figures if sheet.measured else ())):
        assert 0 <= estimate.value <= 1
    written = shown(facts, width)
    assert all(letter.isprintable() or letter == "\n" or letter in "\u200c\u200d" for letter in written)


@given(key=st.sampled_from(sorted(full_card()["metrics"])), junk=JUNK)
def test_one_figure_that_makes_no_sense_takes_no_other_with_it(key, junk) -> None:
    found = read(card({"metrics": full_card()["metrics"] | {key: junk}})).measured
    names = {figure.name for figure in found.figures}
    assert len(names) >= 3
    assert key in ("recall", "intervals") or len(found.recalls) == 7


def test_the_text_has_a_section_for_each_part() -> None:
    written = shown(full_card())
    heads = [line for line in written.splitlines() if line and not line.startswith(" ")]
    assert heads == [
        "mine 0.2.0",
        "WHAT IT IS FOR",
        "WHAT IT MEASURES",
        "WHAT IT IS NOT FOR",
        "WHERE IT FAILS",
        "HOW WELL IT DOES",
        "WHAT ITS PROBABILITIES MEAN",
        "WHAT IT TAKES FOR WHAT",
        "HOW STEADY IT IS",
        "HOW FAST IT IS",
        "WHAT IT LEARNED FROM",
        "FACTS",
    ]
    assert "  angry     90.0 %  82.0 – 96.0 %" in written
    assert max(map(len, written.splitlines())) <= 80


def test_the_text_leaves_out_what_a_card_does_not_say() -> None:
    written = shown({"intended_use": "Tests."}, obstacle="It is not there.", cost="nothing")
    assert written == (
        "mine\n  Reads apparent expression, nothing\n  It is not there.\n\nWHAT IT IS FOR\n  Tests.\n\n"
        "WHAT ITS PROBABILITIES MEAN\n"
        "  - Its card holds no calibration: how often it is right may differ much from\n    its probabilities.\n"
        "  - It states no threshold: Visagram calls a face unsure where no expression\n    reaches p = 0.5.\n\n"
        "FACTS\n  SHA-256: not on this machine\n"
    )
