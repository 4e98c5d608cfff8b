"""The methods text letter by letter: of made-up reports whose every number is known."""

from __future__ import annotations

from typing import Any

import pytest

from visagram.core.compare import method
from visagram.core.edits import Merge, Rename, Split
from visagram.errors import DataError
from visagram.export.methods import COMPARISON_SOURCES, SOURCES, methods_text

KIT = ({"name": "finder", "task": "detection", "sha256": "0123456789abcdef" * 4},)


def person(measured: float = 0.0, unsure: float | None = 0.0, **unmeasured: float | None) -> dict[str, Any]:
    return {"measured": measured, "unsure": unsure, "unmeasured": unmeasured}


def pictured(usable: int = 1, certain: int | None = 1, measured: float = 0.04) -> dict[str, Any]:
    """Somebody in a photograph, where they have one face."""
    sure = None if certain is None else {"sad": certain, "happy": 0}
    return person(measured * usable) | {"frames_seen": 1, "frames_usable": usable, "certain_counts": sure}


def made(
    *people: dict[str, Any],
    duration: float = 60.0,
    frames: int = 1500,
    damaged: int = 0,
    basis: str | None = "exact",
    models: tuple[dict[str, Any], ...] = KIT,
    version: str | None = "9.8.7",
    still: bool = False,
    lost: tuple[float | None, ...] = (),
    **settings: Any,
) -> dict[str, Any]:
    return {
        "visagram": version,
        "video": {"time_basis": basis, "still": still},
        "warnings": [{"code": "segment_lost", "count": 5, "seconds": seconds} for seconds in lost],
        "totals": {"duration": duration, "frames": frames, "frames_damaged": damaged},
        "people": list(people),
        "models": list(models),
        "settings": settings,
    }


def photograph(*people: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As it is analysed: one frame, to which the decoder gives a 25th of a second."""
    return made(*people, duration=0.04, frames=1, basis="guessed", still=True, **more)


def paragraphs(*reports: dict[str, Any], **chosen: Any) -> list[str]:
    text = methods_text(reports, **chosen)
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


def test_the_versions_that_analysed() -> None:
    def named(*versions: str | None) -> str:
        return (
            paragraphs(*(made(version=version) for version in versions))[0]
            .partition(" frames) with ")[2]
            .split(". ")[0]
        )

    assert named("0.2.0", "0.2.0") == "Visagram 0.2.0"
    assert named(None, None) == "Visagram (the version is not recorded)"
    assert named("0.2.0", None, "0.1.0", "0.2.0") == (
        "several versions of Visagram (0.2.0 in 2 videos, one not recorded in 1 video, 0.1.0 in 1 video)"
    )
    older = made()
    del older["visagram"]
    assert "(the version is not recorded)" in paragraphs(older)[0]


def test_stretches_that_were_lost() -> None:
    assert " found. 1 whole stretch (57.5 seconds) could not be decoded. Each" in paragraphs(made(lost=(57.5,)))[0]
    found = paragraphs(made(damaged=2, lost=(60.0,)), made(lost=(90.0,)))[0]
    assert " found. 2 frames could not be decoded. 2 whole stretches (2.5 minutes) could not be decoded. Each" in found
    assert " 2 whole stretches could not be decoded. Each" in paragraphs(made(lost=(60.0, None)))[0]
    sentences = made() | {"warnings": ["4.0 s to 61.5 s could not be decoded (it ended unexpectedly)."]}
    assert " found. Each" in paragraphs(sentences)[0], "a warning of an older version"


def test_frames_that_were_left_out() -> None:
    whole, tenth, fifth = made(), made(frame_interval=10), made(sample_fps=5.0)
    said = "the most probable one counted for the time"
    assert paragraphs(tenth, fifth)[0].endswith(f"{said} until the next analysed frame.")
    assert paragraphs(whole, fifth)[0].endswith(
        f"{said} that the frame was shown, or until the next analysed one in videos of which not every frame was "
        "analysed."
    )
    assert paragraphs(made(frame_interval=1, sample_fps=None))[0].endswith(f"{said} that the frame was shown.")


def test_photographs_have_no_time() -> None:
    one, two = photograph(pictured(), version="9.8.7"), photograph(pictured(0), pictured(1, 0))
    assert paragraphs(one)[0] == (
        "Apparent facial expression was measured in 1 photograph with Visagram 9.8.7. 1 person was found."
        f"{EACH[: EACH.index('counted')]}counted once for each face, as a photograph lasts no time."
    )
    assert "in 2 photographs with" in paragraphs(one, two)[0]
    assert "somebody who appears in several photographs counts" in paragraphs(one, two)[0]
    found = paragraphs(one, two, made(person(4.0, 1.0), duration=246.0))
    assert found[0].startswith(
        "Apparent facial expression was measured in 2 photographs and 1 video (4.1 minutes analysed, 1,500 frames) "
        "with Visagram 9.8.7. 4 people were found (somebody who appears in several files counts once in each). Each"
    )
    assert found[0].endswith("that the frame was shown; in a photograph, which lasts no time, each face counted once.")
    assert found[3] == (
        f"{RULE} Of the time that people were in the picture of a video, 100 % was measured. Of 3 faces in photographs "
        "2 were measured."
    )
    assert found[4].endswith("Of the measured time 25 % was unsure. Of 2 measured faces in photographs 1 was unsure.")
    assert paragraphs(photograph(pictured(1, None)))[4].endswith("beside all frames."), "an older version does not say"
    alone = paragraphs(one)
    assert alone[3] == (
        f"{RULE.partition(' Time')[0]} A face that was not measured is part of no share. Of 1 face in photographs 1 "
        "was measured."
    )
    assert alone[5].startswith("The measure is apparent expression:"), "no intervals of time"
    assert alone[6:] == ["References", SOURCES[0]]


def test_what_was_done_by_hand() -> None:
    merge, split, name = Merge((1, 2)), Split(1, at=2.0), Rename(1, "Ada")
    reports = (made(person()), made(person()))
    plain = paragraphs(*reports)[0]
    assert paragraphs(*reports, edits=[[name], []])[0] == plain
    rest = "the statistics of whoever this concerns were computed anew."
    found = paragraphs(*reports, edits=[[merge, name, split, merge], [merge]])[0]
    assert "(after corrections by hand; somebody who appears in several videos counts once in each)" in found
    assert found.endswith(
        " By hand, people were merged 3 times (found as several, taken for one) and split once (found as one, taken "
        f"for several), in 2 videos; {rest}"
    )
    assert paragraphs(made(), edits=[[split, split]])[0].endswith(
        f" By hand, people were split twice (found as one, taken for several), in 1 video; {rest}"
    )


def test_event_windows() -> None:
    reports = (made(), made(), made())
    assert paragraphs(*reports, windows=[0, 0, 0]) == paragraphs(*reports)
    assert paragraphs(*reports, windows=[2, 0, 3])[0].endswith(
        " Statistics were also computed for 5 event windows in 2 videos, where a frame that is shown across an edge of "
        "a window counts for the part of it inside."
    )
    assert "for 1 event window in 1 video, where" in paragraphs(*reports, windows=[1])[0]


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


def test_a_card_that_was_written_anew_is_of_the_same_model() -> None:
    cards = [reader(trained_on=text) for text in ("votes", "many votes", "many votes")]
    assert paragraphs(*(made(models=(card,)) for card in cards))[1] == (
        "Expressions were classified with reader 2.0 (SHA-256 efefefefefef; trained on: many votes)."
    )


FOLLOWED = (
    "asked about each face about every second, sooner where it changes, and in between followed by the quicker network "
    "quick 3 (SHA-256 121212121212), whose probabilities were moved by what the two differed by"
)


def test_a_model_that_was_asked_about_few_faces() -> None:
    committee = (reader(quick={"name": "quick", "version": "3", "sha256": "12" * 32}),)
    usual, each = made(models=committee), made(models=committee, detect_every=1)
    refined, picture = made(models=committee, refine=True), photograph(models=committee)
    start = "Expressions were classified with reader 2.0 (SHA-256 efefefefefef"
    assert paragraphs(usual, usual)[1] == f"{start}; {FOLLOWED})."
    for one in (each, refined, picture):
        assert paragraphs(one)[1] == f"{start})."
    assert paragraphs(usual, each, usual)[1] == (
        f"{start}; in 2 of 3 videos {FOLLOWED}; in 1 of 3 videos asked about each face in every frame)."
    ), "the same models, asked in other ways"


def test_the_generator_refines() -> None:
    generator = {"name": "flow", "task": "generation", "version": "1", "sha256": "34" * 32}
    assert paragraphs(made(models=(generator, reader()), refine=True))[1] == (
        "Expressions were classified with reader 2.0 (SHA-256 efefefefefef); the probabilities were refined with flow "
        "1 (SHA-256 343434343434)."
    )


# --- Settings --------------------------------------------------------------------------------------------------------

SMOOTHING = (
    " Timelines are drawn with probabilities smoothed over time (a centred Gaussian filter; smooth is its full width "
    "at half maximum in seconds); counts, shares, means and tables are of the probabilities as they were measured."
)

PRIOR = (
    " Where prior is not the default, each probability was divided by the model's own prior, multiplied by that of the "
    "setting and normalised (Saerens et al. 2002, doi 10.1162/089976602753284446); tables of observations keep the "
    "probabilities under the model's own."
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
            "All analyses used seed = 3. The videos differ in start (5.0 in 2 videos, the default in 1 video). All "
            "other settings were the default.",
        ),
        (
            [{"start": 5.0, "end": 6.0}, {"start": 4.0}],
            "The videos differ in end (the default in 1 video, 6.0 in 1 video) and start (4.0 in 1 video, 5.0 in 1 "
            "video). All other settings were the default.",
        ),
        (
            [{"smooth": 2.0}, {}],
            "The videos differ in smooth (the default in 1 video, 2.0 in 1 video). All other settings were the default."
            f" Where smooth is not the default, t{SMOOTHING[2:]}",
        ),
        (
            [{"smooth": 2}, {"smooth": 2.0}],
            f"All analyses used the default settings, except smooth = 2.0.{SMOOTHING}",
        ),
        ([{"prior": "everyday"}, {"prior": None}, {}], "All analyses used the default settings."),
        (
            [{"prior": "even"}, {"prior": "everyday"}],
            "The videos differ in prior (the default in 1 video, even in 1 video). All other settings were the default."
            f"{PRIOR}",
        ),
        ([{"prior": "even"}], f"The analysis used the default settings, except prior = even.{PRIOR}"),
        ([{"emotion": " "}], 'The analysis used the default settings, except emotion = "".'),
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
LYING = RULE.replace("where it was turned away", "where it lay on its side, where it was turned away")
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
            f"{LYING}{PRESENT} 60 % was measured (the rest: too small 20 %, turned away 20 %).",
        ),
    ],
)
def test_what_was_not_measured(people: list[dict[str, Any]], text: str) -> None:
    assert paragraphs(made(*people))[3] == text
    if len(people) == 2:
        # Of two videos only the second was analysed by a version that knows faces that lie on their side.
        some = text.replace("where it lay", "where it (in 1 video) lay")
        assert paragraphs(made(people[0]), made(people[1]))[3] == some


def test_reasons_of_other_versions_are_part_of_the_rest() -> None:
    assert paragraphs(made(person(1.0, cut_off=1.0, hidden_by_hand=2.0)))[3] == (
        f"{RULE}{PRESENT} 25 % was measured (the rest: cut off 25 %, hidden by hand 50 %)."
    )


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
        f"{start} 0.50. {rest} Of the measured time of which it is recorded 100 % was unsure."
    )
    assert doubt(made(person(0.5, 0.0))).endswith("Of the measured time 0 % was unsure.")
    assert doubt(made(person(0.0, 0.0))) == doubt(made(person(4.0, None))) == f"{start} 0.50. {rest}"
    assert (
        doubt(made(person(4.0, 1.0), person(0.0, None)))
        == f"{start} 0.50. {rest} Of the measured time 25 % was unsure."
    )
    kits = [made(models=(reader(unsure_below=below),)) for below in (0.62, 0.5, 0.7, 0.62)]
    assert doubt(*kits) == f"{start} 0.50 in 1 video, 0.62 in 2 videos and 0.70 in 1 video. {rest}"


# --- The rest --------------------------------------------------------------------------------------------------------


def test_what_follows_and_its_sources() -> None:
    found = paragraphs(made())
    assert found[5].startswith("Shares of measured time are given with 95 % intervals for the share in the long run")
    assert "(500 resamples, three times the longest automatic block length; Politis and White 2004)" in found[5]
    assert found[6].startswith("The measure is apparent expression:")
    assert found[7:] == ["References", *sorted(SOURCES)]
    compared = paragraphs(made(), compared=True)
    assert compared[:6] == found[:6]
    assert "\n\n".join(compared[6:]).startswith(method())
    # Schuirmann is about equivalence, for which somebody declares a smallest difference.
    usual = [source for source in COMPARISON_SOURCES if not source.startswith("Schuirmann")]
    listed = sorted([*SOURCES, *usual])
    assert compared[-2 - len(listed) :] == [found[6], "References", *listed]
    assert "Schuirmann, D. J." in "\n".join(paragraphs(made(), compared=True, smallest=0.1))


def test_a_comparison_of_participants_is_of_videos() -> None:
    text = "\n\n".join(paragraphs(made(), compared=True, unit="video"))
    assert "Participants were compared with each other, so the unit is the video" in text
    assert method() not in text and method("video") in text and "Means are over videos" in text
    for source in COMPARISON_SOURCES:
        assert (source in text) == (not source.startswith("Schuirmann"))


def test_a_comparison_of_windows_and_of_photographs() -> None:
    windows = paragraphs(made(), compared=True, window="question\n1")
    assert f"Event windows named “question 1” were compared instead of whole videos. {method()}" in windows
    assert "question" not in " ".join(paragraphs(made(), window="question"))
    # A photograph has a nominal time, which says nothing of it.
    for measured in (0.04, 0.0):
        mixed = paragraphs(made(person(3.0)), photograph(pictured(measured=measured)), compared=True)
        assert f"{method()} A face in a photograph weighed as much as a second of video." in mixed
    photographs = paragraphs(photograph(pictured()), compared=True, unit="video")
    assert photographs[5].endswith(
        " A photograph was a unit as a video is. A face in a photograph weighed as much as a second of video."
    )


def test_a_source_stands_there_because_of_what_we_say() -> None:
    trained = made(models=(reader(trained_on="Holm, Korn, Lakens"),))
    assert paragraphs(trained)[-len(SOURCES) :] == sorted(SOURCES)


def test_no_videos() -> None:
    assert methods_text([]) == "No video has been analysed yet, so there is no method to describe."


@pytest.mark.parametrize(
    "change",
    [{"people": [{}]}, {"totals": {}}, {"models": [{}]}, {"settings": None}, {"video": None}, {"people": [None]}],
)
def test_what_is_damaged_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"A report is damaged \(.*\)\. Analyse the video again\."):
        methods_text([made() | change])
