"""The methods text letter by letter: of made-up reports whose every number is known."""

from __future__ import annotations

from typing import Any

import pytest

from visagram.core.compare import METHOD
from visagram.errors import DataError
from visagram.export.methods import COMPARISON_SOURCES, SOURCES, methods_text

KIT = ({"name": "finder", "task": "detection", "sha256": "0123456789abcdef" * 4},)


def person(measured: float = 0.0, unsure: float | None = 0.0, **unmeasured: float | None) -> dict[str, Any]:
    return {"measured": measured, "unsure": unsure, "unmeasured": unmeasured}


def made(
    *people: dict[str, Any],
    duration: float = 60.0,
    frames: int = 1500,
    damaged: int = 0,
    basis: str | None = "exact",
    models: tuple[dict[str, Any], ...] = KIT,
    **settings: Any,
) -> dict[str, Any]:
    return {
        "video": {"time_basis": basis},
        "totals": {"duration": duration, "frames": frames, "frames_damaged": damaged},
        "people": list(people),
        "models": list(models),
        "settings": settings,
    }


def paragraphs(*reports: dict[str, Any], compared: bool = False) -> list[str]:
    text = methods_text(reports, compared=compared, version="9.8.7")
    assert text.endswith("\n") and not text.endswith("\n\n")
    return text[:-1].split("\n\n")


def reader(**changes: Any) -> dict[str, Any]:
    return {"name": "reader", "task": "expression", "version": "2.0", "sha256": "ef" * 32} | changes


# --- Material --------------------------------------------------------------------------------------------------------

EACH = (
    " Each measured face received a probability for each of 7 expressions (angry, disgust, fear, happy, sad, surprise, "
    "neutral); the most probable one counted for the time that the frame was shown."
)


def test_the_material_of_one_video() -> None:
    assert paragraphs(made(person()))[0] == (
        "Apparent facial expression was measured in 1 video (60.0 seconds analysed, 1,500 frames) with Visagram 9.8.7. "
        f"1 person was found.{EACH}"
    )
    assert paragraphs(made())[0].endswith(f"with Visagram 9.8.7. 0 people were found.{EACH}")
    assert paragraphs(made(person(), person(), damaged=1))[0].endswith(
        f"2 people were found. 1 frame could not be decoded.{EACH}"
    )


def test_the_material_of_several_videos() -> None:
    found = paragraphs(
        made(person(), duration=59.9, damaged=2, basis="repaired"),
        made(person(), duration=60.2, damaged=1, basis="guessed"),
        made(person(), duration=6000.0, frames=1, basis="guessed"),
    )
    assert found[0] == (
        "Apparent facial expression was measured in 3 videos (102.0 minutes analysed, 3,001 frames) with Visagram "
        "9.8.7. 3 people were found (somebody who appears in several videos counts once in each). 3 frames could not "
        "be decoded. Some frame times of 1 video were repaired from those of neighbouring frames. The frame times of 2 "
        f"videos follow from an assumed frame rate.{EACH}"
    )
    assert "(somebody" not in paragraphs(made(), made())[0]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0.0 seconds"), (119.94, "119.9 seconds"), (120.0, "2.0 minutes"), (63_000.0, "1,050.0 minutes")],
)
def test_from_two_minutes_on_they_are_minutes(seconds: float, words: str) -> None:
    assert f"({words} analysed" in paragraphs(made(duration=seconds))[0]


# --- Models ----------------------------------------------------------------------------------------------------------


def test_the_models_of_a_video() -> None:
    joiner = {"name": "joiner", "task": "embedding", "version": "", "sha256": "ab" * 32, "trained_on": "faces. "}
    judge = reader(trained_on="votes", metrics={"accuracy": 0.9068, "split": "validation"})
    other = {"name": "other", "task": "stirring", "sha256": "12"}
    assert paragraphs(made(models=(*KIT, joiner, judge, other)))[1] == (
        "Faces were found with finder (SHA-256 0123456789ab); "
        "tracks of one person were joined with joiner (SHA-256 abababababab; trained on: faces); "
        "expressions were classified with reader 2.0 "
        "(SHA-256 efefefefefef; trained on: votes; accuracy 0.91 on validation); "
        "for stirring served other (SHA-256 12)."
    )


@pytest.mark.parametrize("metrics", [None, {}, {"accuracy": 0.5}, {"split": "validation"}])
def test_an_accuracy_without_its_faces_is_none(metrics: dict[str, Any] | None) -> None:
    assert paragraphs(made(models=(reader(metrics=metrics),)))[1] == (
        "Expressions were classified with reader 2.0 (SHA-256 efefefefefef)."
    )


def test_no_models() -> None:
    assert paragraphs(made(models=()))[1] == "The reports name no models."


def test_several_kits_of_models() -> None:
    one, two, three = (made(models=(reader(name=name),)) for name in "abc")
    assert paragraphs(three, two, one, two)[1] == (
        "The videos were not all analysed with the same models, so they should not be compared: "
        "(2 of 4 videos) Expressions were classified with b 2.0 (SHA-256 efefefefefef). "
        "(1 of 4 videos) Expressions were classified with a 2.0 (SHA-256 efefefefefef). "
        "(1 of 4 videos) Expressions were classified with c 2.0 (SHA-256 efefefefefef)."
    )


# --- Settings --------------------------------------------------------------------------------------------------------

SMOOTHING = (
    " Timelines are drawn with probabilities smoothed over time (a centred Gaussian filter; smooth is its full width "
    "at half maximum in seconds); counts, shares, means and tables are of the probabilities as they were measured."
)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ([{}], "The analysis used the default settings."),
        ([{"end": None, "start": 0.0, "detector": "visagram"}], "The analysis used the default settings."),
        (
            [{"start": 5.0, "refine": True, "emotion": "onnx:a\nb"}],
            "The analysis used the default settings, except emotion = onnx:a b, refine = true and start = 5.0.",
        ),
        ([{"smooth": 2.0}], f"The analysis used the default settings, except smooth = 2.0.{SMOOTHING}"),
        ([{"smooth": 0.0}], "The analysis used the default settings."),
        ([{"start": 5.0}, {"start": 5.0}], "All analyses used the default settings, except start = 5.0."),
        (
            [{"start": 5.0, "seed": 3}, {"seed": 3}, {"start": 5.0, "seed": 3}],
            "All analyses used the default settings, except seed = 3. "
            "The videos differ in start (5.0 in 2 videos, the default in 1 video).",
        ),
        (
            [{"start": 5.0, "end": 6.0}, {"start": 4.0}],
            "All analyses used the default settings. The videos differ in end (the default in 1 video, 6.0 in 1 video) "
            "and start (4.0 in 1 video, 5.0 in 1 video).",
        ),
        (
            [{"smooth": 2.0}, {}],
            f"All analyses used the default settings.{SMOOTHING} The videos differ in smooth (the default in 1 "
            "video, 2.0 in 1 video).",
        ),
        ([{"unknown": None}], "The analysis used the default settings."),
        ([{"unknown": [1, "a"]}], 'The analysis used the default settings, except unknown = [1, "a"].'),
    ],
)
def test_settings(settings: list[dict[str, Any]], text: str) -> None:
    assert paragraphs(*(made(**each) for each in settings))[2] == text


# --- What was not measured, and what was unsure ----------------------------------------------------------------------

RULE = (
    "A face was not measured where its shorter side had fewer than 24 pixels, where more than 10 % of the aligned crop "
    "lay outside the picture, where it was turned away, or where it was blurred, as its landmarks and its sharpness "
    "tell. Time that was not measured is reported by reason and is part of no share."
)
PRESENT = " Of the time that people were in the picture,"


@pytest.mark.parametrize(
    ("people", "text"),
    [
        ([], RULE),
        ([person()], RULE),
        ([person(not_visible=9.0, not_decoded=9.0)], RULE),
        ([person(5.0, not_visible=9.0, not_decoded=9.0)], f"{RULE}{PRESENT} 100 % was measured."),
        ([person(turned=1.0)], f"{RULE}{PRESENT} 0 % was measured (the rest: turned away 100 %)."),
        (
            [person(5.0, turned=1.0, blurred=None), person(1.0, turned=1.0, too_small=2.0, lying=0.0)],
            f"{RULE}{PRESENT} 60 % was measured (the rest: too small 20 %, turned away 20 %).",
        ),
    ],
)
def test_what_was_not_measured(people: list[dict[str, Any]], text: str) -> None:
    assert paragraphs(made(*people))[3] == text
    if len(people) == 2:
        assert paragraphs(made(people[0]), made(people[1]))[3] == text


def test_what_was_unsure() -> None:
    def doubt(*reports: dict[str, Any]) -> str:
        return paragraphs(*reports)[4]

    start, rest = (
        "A measured face counts as unsure where its most probable expression has a probability below",
        "It is part of all shares and means; frames that are not unsure are counted beside all frames.",
    )
    assert doubt(made()) == f"{start} 0.50. {rest}"
    assert doubt(made(person(4.0, 1.0), person(1.0, 0.0))) == (
        f"{start} 0.50. {rest} Of the measured time 20 % was unsure."
    )
    assert doubt(made(person(4.0, None), person(1.0, 1.0))) == (
        f"{start} 0.50. {rest} Of the measured time 100 % was unsure."
    )
    assert doubt(made(person(0.5, 0.0))).endswith("Of the measured time 0 % was unsure.")
    assert doubt(made(person(0.0, 0.0))) == doubt(made(person(4.0, None))) == f"{start} 0.50. {rest}"
    kits = [made(models=(reader(unsure_below=below),)) for below in (0.62, 0.5, 0.7, 0.62)]
    assert doubt(*kits) == f"{start} 0.50, 0.62 or 0.70 (each model has a threshold of its own). {rest}"


# --- The rest --------------------------------------------------------------------------------------------------------


def test_what_follows_and_its_sources() -> None:
    found = paragraphs(made())
    assert found[5].startswith("Shares of measured time are given with 95 % intervals.")
    assert "(500 resamples, automatic block length; Politis and White 2004)" in found[5]
    assert found[6].startswith("The measure is apparent expression:")
    assert found[7:] == ["References", *sorted(SOURCES)]
    compared = paragraphs(made(), compared=True)
    assert compared[:6] == found[:6]
    assert "\n\n".join(compared[6:]).startswith(METHOD)
    assert compared[-8:] == [found[6], "References", *sorted([*SOURCES, *COMPARISON_SOURCES])]


def test_no_videos() -> None:
    assert methods_text([]) == "No video has been analysed yet, so there is no method to describe."


@pytest.mark.parametrize(
    "change",
    [{"people": [{}]}, {"totals": {}}, {"models": [{}]}, {"settings": None}, {"video": None}, {"people": [None]}],
)
def test_what_is_damaged_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"A report is damaged \(.*\)\. Analyse the video again\."):
        methods_text([made() | change])
